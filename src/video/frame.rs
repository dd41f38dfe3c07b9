//! Frames, sizes, rectangles and damage.

/// The largest width or height of a screen, in pixels. Larger ones are refused, so that a hostile size cannot claim memory.
pub const MAX_SIDE: u16 = 16_384;
/// The most pixels in a frame (8K: 7680 x 4320): 133 MB at 4 bytes a pixel.
pub const MAX_PIXELS: usize = 7680 * 4320;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Size {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
}

impl Size {
    /// A size, if it is neither empty nor beyond [`MAX_SIDE`] and [`MAX_PIXELS`].
    #[must_use]
    pub fn new(width: u16, height: u16) -> Option<Self> {
        let fits = (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height);
        let size = Self { width, height };
        (fits && size.pixels() <= MAX_PIXELS).then_some(size)
    }

    /// Width times height.
    #[must_use]
    pub fn pixels(self) -> usize {
        usize::from(self.width) * usize::from(self.height)
    }

    /// The rectangle that covers all of it.
    #[must_use]
    pub fn bounds(self) -> Rect {
        Rect { x: 0, y: 0, width: self.width, height: self.height }
    }
}

/// A rectangle in pixels; `x`, `y` is its top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Pixels from the left.
    pub x: u16,
    /// Pixels from the top.
    pub y: u16,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
}

impl Rect {
    /// The part of it inside `size`, if any.
    #[must_use]
    pub fn clamp(self, size: Size) -> Option<Self> {
        let (width, height) = (self.width.min(size.width.checked_sub(self.x)?), self.height.min(size.height.checked_sub(self.y)?));
        (width > 0 && height > 0).then_some(Self { width, height, ..self })
    }

    /// Width times height.
    #[must_use]
    pub fn pixels(self) -> usize {
        usize::from(self.width) * usize::from(self.height)
    }

    /// Its parts in the squares of a grid that starts at the frame's top left; row by row.
    pub(super) fn grid(self, side: u16) -> impl Iterator<Item = Self> {
        self.squares_from(side, (self.x / side * side, self.y / side * side))
    }

    /// The squares of a grid that starts at its own top left, cut at its edges; row by row.
    pub(super) fn squares(self, side: u16) -> impl Iterator<Item = Self> {
        self.squares_from(side, (self.x, self.y))
    }

    /// The grid starts at or before its top left, less than a square away.
    fn squares_from(self, side: u16, (first_x, first_y): (u16, u16)) -> impl Iterator<Item = Self> {
        let (right, bottom) = (self.x + self.width, self.y + self.height);
        let spans = move |first: u16, from: u16, to: u16| {
            (first..to).step_by(side.into()).map(move |at| (at.max(from), at.saturating_add(side).min(to)))
        };
        spans(first_y, self.y, bottom).flat_map(move |(y, below)| {
            spans(first_x, self.x, right).map(move |(x, beside)| Self { x, y, width: beside - x, height: below - y })
        })
    }

    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = self.x.saturating_add(self.width).max(other.x.saturating_add(other.width));
        let bottom = self.y.saturating_add(self.height).max(other.y.saturating_add(other.height));
        Self { x, y, width: right - x, height: bottom - y }
    }
}

/// A picture: rows from the top, 4 bytes a pixel B, G, R, X, no padding between rows. X means nothing and is always 0, so that what shows
/// the same is the same; who writes pixels from elsewhere uses [`clear_x`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    size: Size,
    data: Vec<u8>,
}

impl Frame {
    /// A black frame.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self { size, data: vec![0; size.pixels() * 4] }
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Bytes from one row to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        usize::from(self.size.width) * 4
    }

    /// All bytes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All bytes, to write.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// Becomes a black frame of this size, if it is not of this size already. Keeps its memory where it can.
    pub fn resize(&mut self, size: Size) {
        if self.size != size {
            self.blacken(size);
        }
    }

    /// A pixel as a little-endian number.
    #[must_use]
    pub(super) fn pixel(&self, x: u16, y: u16) -> u32 {
        let pixels = self.data.as_chunks::<4>().0;
        u32::from_le_bytes(pixels[usize::from(y) * usize::from(self.size.width) + usize::from(x)])
    }

    /// The bytes of `width` pixels of row `y` from `x` on.
    #[must_use]
    pub fn row(&self, x: u16, y: u16, width: u16) -> &[u8] {
        let start = usize::from(y) * self.stride() + usize::from(x) * 4;
        &self.data[start..start + usize::from(width) * 4]
    }

    /// The same bytes, to write.
    pub fn row_mut(&mut self, x: u16, y: u16, width: u16) -> &mut [u8] {
        let start = usize::from(y) * self.stride() + usize::from(x) * 4;
        &mut self.data[start..start + usize::from(width) * 4]
    }

    /// Becomes a black frame of this size, whatever it was. Keeps its memory where it can.
    pub fn blacken(&mut self, size: Size) {
        self.size = size;
        self.data.clear();
        self.data.resize(size.pixels() * 4, 0);
    }

    /// Takes over the pixels of `rect` from a frame of the same size.
    pub fn copy_rect(&mut self, from: &Self, rect: Rect) {
        for y in rect.y..rect.y + rect.height {
            self.row_mut(rect.x, y, rect.width).copy_from_slice(from.row(rect.x, y, rect.width));
        }
    }
}

/// Sets X to 0 in pixels of a [`Frame`] that came from elsewhere.
pub fn clear_x(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<4>().0 {
        // As a number, so that the loop becomes vector instructions.
        *pixel = (u32::from_le_bytes(*pixel) & 0x00ff_ffff).to_le_bytes();
    }
}

/// The pixels of a row as little-endian numbers.
pub(super) fn pixels(row: &[u8]) -> impl Iterator<Item = u32> {
    row.as_chunks::<4>().0.iter().map(|pixel| u32::from_le_bytes(*pixel))
}

/// Where a frame may differ from the one before it: at least every changed pixel lies in one of the rectangles.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Damage {
    rects: Vec<Rect>,
}

impl Damage {
    /// More rectangles than this are merged into one.
    pub const MAX_RECTS: usize = 64;

    /// Nothing changed.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// All of it may have changed.
    #[must_use]
    pub fn full(size: Size) -> Self {
        Self { rects: vec![size.bounds()] }
    }

    /// Adds a rectangle.
    pub fn add(&mut self, rect: Rect) {
        self.rects.push(rect);
        if self.rects.len() > Self::MAX_RECTS {
            self.rects = self.rects.iter().copied().reduce(Rect::union).into_iter().collect();
        }
    }

    /// Adds all of another one's.
    pub fn merge(&mut self, other: &Self) {
        other.rects.iter().for_each(|rect| self.add(*rect));
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rects.is_empty()
    }

    /// The rectangles; they may overlap.
    #[must_use]
    pub fn rects(&self) -> &[Rect] {
        &self.rects
    }
}
