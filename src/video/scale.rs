//! A picture in a window: where it lies, how its pixels become the window's, and where the pointer is in it.
//!
//! One filter for every scale: a window pixel is the mean of the picture's area below it. Shrunk that is the box average,
//! enlarged by a whole number it is exactly the picture's pixels, in between the edges are as sharp as they can be. At 1:1 rows
//! are copied. Only the part that changed is computed; weights are computed once for a size.
//!
//! Window pixels are `u32`s `0x00RRGGBB`, rows from the top, as most window systems want them.

use super::frame::{Frame, Rect, Size};

/// A rectangle in window pixels; may lie partly outside the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Area {
    /// Pixels from the window's left edge.
    pub x: i32,
    /// Pixels from the window's top edge.
    pub y: i32,
    /// Pixels across.
    pub width: i32,
    /// Pixels down.
    pub height: i32,
}

impl Area {
    /// What lies in both, if anything does.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let right = (self.x + self.width).min(other.x + other.width);
        let bottom = (self.y + self.height).min(other.y + other.height);
        (right > x && bottom > y).then_some(Self { x, y, width: right - x, height: bottom - y })
    }

    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Self { x, y, width: right - x, height: bottom - y }
    }
}

/// Where a picture lies in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    picture: Size,
    area: Area,
}

impl Placement {
    /// As large as fits, with its own aspect, centred. `window` is its width and height.
    #[must_use]
    pub fn fit(picture: Size, window: (i32, i32)) -> Self {
        let (pw, ph) = (i64::from(picture.width), i64::from(picture.height));
        let (ww, wh) = (i64::from(window.0.max(1)), i64::from(window.1.max(1)));
        let (width, height) = if ww * ph <= wh * pw { (ww, (ph * ww / pw).max(1)) } else { ((pw * wh / ph).max(1), wh) };
        let side = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
        let (width, height) = (side(width), side(height));
        let area = Area { x: (window.0.max(1) - width) / 2, y: (window.1.max(1) - height) / 2, width, height };
        Self { picture, area }
    }

    /// One window pixel for each picture pixel. Where the picture is larger than the window, the part shown follows `pointer`
    /// (a place in the window): at the window's edge one sees the picture's edge.
    #[must_use]
    pub fn one_to_one(picture: Size, window: (i32, i32), pointer: (f64, f64)) -> Self {
        let place = |side: u16, room: i32, at: f64| {
            let spare = room - i32::from(side);
            if spare >= 0 { spare / 2 } else { -span((at / f64::from(room.max(1))).clamp(0.0, 1.0) * f64::from(-spare), -spare) }
        };
        let area = Area {
            x: place(picture.width, window.0, pointer.0),
            y: place(picture.height, window.1, pointer.1),
            width: picture.width.into(),
            height: picture.height.into(),
        };
        Self { picture, area }
    }

    /// The window's part that shows the picture; larger than the window when only a part is to be seen.
    #[must_use]
    pub fn area(&self) -> Area {
        self.area
    }

    /// The picture's size.
    #[must_use]
    pub fn picture(&self) -> Size {
        self.picture
    }

    /// The picture's pixel below a place in the window; outside the picture the nearest one.
    #[must_use]
    pub fn to_picture(&self, x: f64, y: f64) -> (u16, u16) {
        let map = |at: f64, start: i32, length: i32, side: u16| {
            let inside = (at - f64::from(start)) * f64::from(side) / f64::from(length.max(1));
            u16::try_from(span(inside, i32::from(side) - 1)).unwrap_or(0)
        };
        (map(x, self.area.x, self.area.width, self.picture.width), map(y, self.area.y, self.area.height, self.picture.height))
    }

    /// The place in the window of the middle of a picture's pixel.
    #[must_use]
    pub fn to_window(&self, x: u16, y: u16) -> (f64, f64) {
        let map = |at: u16, start: i32, length: i32, side: u16| {
            f64::from(start) + (f64::from(at) + 0.5) * f64::from(length) / f64::from(side.max(1))
        };
        (map(x, self.area.x, self.area.width, self.picture.width), map(y, self.area.y, self.area.height, self.picture.height))
    }

    /// The window's pixels that depend on `damage`, a part of the picture.
    #[must_use]
    pub fn touched(&self, damage: Rect) -> Area {
        let axis = |start: u16, length: u16, window: i32, side: u16| {
            let (side, window) = (i64::from(side.max(1)), i64::from(window));
            let from = i64::from(start) * window / side;
            let to = ((i64::from(start) + i64::from(length)) * window + side - 1) / side;
            (i32::try_from(from).unwrap_or(0), i32::try_from(to - from).unwrap_or(0))
        };
        let (x, width) = axis(damage.x, damage.width, self.area.width, self.picture.width);
        let (y, height) = axis(damage.y, damage.height, self.area.height, self.picture.height);
        Area { x: self.area.x + x, y: self.area.y + y, width, height }
    }
}

/// `value` rounded down, in `0..=most`.
#[expect(clippy::cast_possible_truncation, reason = "clamped first; a NaN becomes 0")]
fn span(value: f64, most: i32) -> i32 {
    value.floor().clamp(0.0, f64::from(most.max(0))) as i32
}

/// Weights of one axis add up to this.
const ONE: u32 = 1 << 11;

/// Which picture pixels make which window pixel, along one axis.
#[derive(Default)]
struct Axis {
    from: u16,
    to: i32,
    taps: Vec<Taps>,
    weights: Vec<u16>,
}

/// The picture pixels from `first` on, one for each weight in `weights[start..end]`.
#[derive(Clone, Copy)]
struct Taps {
    first: usize,
    start: usize,
    end: usize,
}

impl Axis {
    /// The weights of `from` picture pixels on `to` window pixels. In units of 1/`to` of a picture pixel, window pixel `d` covers
    /// `d*from..(d+1)*from` and picture pixel `i` covers `i*to..(i+1)*to`.
    fn prepare(&mut self, from: u16, to: i32) {
        if (self.from, self.to) == (from, to) {
            return;
        }
        (self.from, self.to) = (from, to);
        self.taps.clear();
        self.weights.clear();
        let (source, length) = (u64::from(from), u64::try_from(to).unwrap_or(0));
        for d in 0..length {
            let (begin, end) = (d * source, (d + 1) * source);
            let (first, last) = (begin / length, (end - 1) / length);
            let start = self.weights.len();
            // Rounding the sums, not the weights, keeps their total exact.
            let mut before = 0;
            for i in first..=last {
                let covered = ((i + 1) * length).min(end) - begin;
                let sum = (covered * u64::from(ONE) + source / 2) / source;
                self.weights.push(u16::try_from(sum - before).unwrap_or(0));
                before = sum;
            }
            self.taps.push(Taps { first: usize::try_from(first).unwrap_or(0), start, end: self.weights.len() });
        }
    }

    fn taps(&self, at: usize) -> (usize, &[u16]) {
        let Taps { first, start, end } = self.taps[at];
        (first, &self.weights[start..end])
    }
}

/// Draws pictures into windows; keeps the weights of the last scale.
#[derive(Default)]
pub struct Scaler {
    across: Axis,
    down: Axis,
    /// The two picture rows filtered last, by the parity of their number: neighbouring window rows share one.
    rows: [(Option<usize>, Vec<[u32; 4]>); 2],
    sums: Vec<[u32; 4]>,
}

impl Scaler {
    /// Draws what of `frame` lies in `clip` (window pixels) into `window`, whose rows are `width` pixels long. Nothing outside
    /// the placement's area is touched; a frame of another size than the placement's is not drawn.
    pub fn draw(&mut self, frame: &Frame, placement: &Placement, clip: Area, window: &mut [u32], width: usize) {
        let (Ok(columns), Ok(rows)) = (i32::try_from(width), i32::try_from(window.len().checked_div(width).unwrap_or(0))) else {
            return;
        };
        let bounds = Area { x: 0, y: 0, width: columns, height: rows };
        let Some(part) = clip.intersection(bounds).and_then(|clip| clip.intersection(placement.area)) else { return };
        if frame.size() != placement.picture {
            return;
        }
        // Both differences are zero or more: `part` lies within the placement's area and the window.
        let index = |value: i32| usize::try_from(value).unwrap_or(0);
        let (left, top) = (index(part.x - placement.area.x), index(part.y - placement.area.y));
        let count = index(part.width);
        let same = (i32::from(placement.picture.width), i32::from(placement.picture.height))
            == (placement.area.width, placement.area.height);
        if !same {
            self.across.prepare(placement.picture.width, placement.area.width);
            self.down.prepare(placement.picture.height, placement.area.height);
            self.rows.iter_mut().for_each(|(number, _)| *number = None);
        }
        for (row, y) in (index(part.y)..index(part.y + part.height)).enumerate() {
            let start = y * width + index(part.x);
            let out = &mut window[start..start + count];
            if same {
                copy_row(frame, left, top + row, out);
            } else {
                self.scale_row(frame, left, top + row, out);
            }
        }
    }

    fn scale_row(&mut self, frame: &Frame, left: usize, y: usize, out: &mut [u32]) {
        let Self { across, down, rows, sums } = self;
        sums.clear();
        sums.resize(out.len(), [0; 4]);
        let (first, weights) = down.taps(y);
        for (source, weight) in (first..).zip(weights) {
            let (number, row) = &mut rows[source & 1];
            if *number != Some(source) {
                *number = Some(source);
                filter_row(across, frame, source, left, out.len(), row);
            }
            for (sum, pixel) in sums.iter_mut().zip(row.iter()) {
                for channel in 0..4 {
                    sum[channel] += pixel[channel] * u32::from(*weight);
                }
            }
        }
        const HALF: u32 = ONE * ONE / 2;
        for (out, [b, g, r, _]) in out.iter_mut().zip(sums.iter()) {
            let channel = |sum: &u32| (sum + HALF) / (ONE * ONE);
            *out = channel(r) << 16 | channel(g) << 8 | channel(b);
        }
    }
}

/// `count` window pixels of picture row `y`, from window pixel `left` on, each channel times [`ONE`].
fn filter_row(across: &Axis, frame: &Frame, y: usize, left: usize, count: usize, row: &mut Vec<[u32; 4]>) {
    let line = &frame.data()[y * frame.stride()..(y + 1) * frame.stride()];
    row.clear();
    row.extend((left..left + count).map(|x| {
        let (first, weights) = across.taps(x);
        let mut sum = [0_u32; 4];
        for (pixel, weight) in line[first * 4..].chunks_exact(4).zip(weights) {
            for channel in 0..4 {
                sum[channel] += u32::from(pixel[channel]) * u32::from(*weight);
            }
        }
        sum
    }));
}

fn copy_row(frame: &Frame, left: usize, y: usize, out: &mut [u32]) {
    let start = y * frame.stride() + left * 4;
    for (out, pixel) in out.iter_mut().zip(frame.data()[start..].chunks_exact(4)) {
        *out = u32::from_le_bytes([pixel[0], pixel[1], pixel[2], 0]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn colourful(width: u16, height: u16) -> Frame {
        let mut frame = Frame::new(Size { width, height });
        let mut state = 1_u32;
        for byte in frame.data_mut() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
        frame
    }

    fn pixel(frame: &Frame, x: u16, y: u16) -> u32 {
        let pixel = frame.row(x, y, 1);
        u32::from_le_bytes([pixel[0], pixel[1], pixel[2], 0])
    }

    fn drawn(frame: &Frame, placement: &Placement, window: (i32, i32)) -> Vec<u32> {
        let mut pixels = vec![7; (window.0 * window.1) as usize];
        Scaler::default().draw(
            frame,
            placement,
            Area { x: 0, y: 0, width: window.0, height: window.1 },
            &mut pixels,
            window.0 as usize,
        );
        pixels
    }

    #[test]
    fn at_one_to_one_and_at_whole_multiples_pixels_are_exact() {
        let frame = colourful(5, 4);
        for times in 1..4_u16 {
            let window = (i32::from(5 * times), i32::from(4 * times));
            let pixels = drawn(&frame, &Placement::fit(frame.size(), window), window);
            for y in 0..4 * times {
                for x in 0..5 * times {
                    assert_eq!(pixels[usize::from(y * 5 * times + x)], pixel(&frame, x / times, y / times));
                }
            }
        }
    }

    #[test]
    fn shrunk_by_half_each_pixel_is_the_mean_of_four() {
        let frame = colourful(8, 6);
        let pixels = drawn(&frame, &Placement::fit(frame.size(), (4, 3)), (4, 3));
        let mean = |x: u16, y: u16, channel: usize| {
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| u32::from(frame.row(2 * x + dx, 2 * y + dy, 1)[channel]));
            (four.iter().sum::<u32>() + 2) / 4
        };
        for y in 0..3 {
            for x in 0..4 {
                assert_eq!(pixels[usize::from(y * 4 + x)], mean(x, y, 2) << 16 | mean(x, y, 1) << 8 | mean(x, y, 0));
            }
        }
    }

    #[test]
    fn one_to_one_shows_the_edge_the_pointer_is_at() {
        let picture = Size { width: 1000, height: 100 };
        assert_eq!(Placement::one_to_one(picture, (400, 300), (0.0, 0.0)).area(), Area { x: 0, y: 100, width: 1000, height: 100 });
        assert_eq!(Placement::one_to_one(picture, (400, 300), (400.0, 0.0)).area().x, -600);
        assert_eq!(Placement::one_to_one(picture, (400, 300), (f64::NAN, -5.0)).area().x, 0);
    }

    #[test]
    fn a_frame_of_another_size_draws_nothing() {
        let placement = Placement::fit(Size { width: 4, height: 4 }, (4, 4));
        assert_eq!(drawn(&colourful(5, 4), &placement, (4, 4)), [7; 16]);
    }

    prop_compose! {
        fn placements()(pw in 1..300_u16, ph in 1..300_u16, ww in 1..300, wh in 1..300, fit: bool, x in 0.0..300.0, y in 0.0..300.0) -> (Placement, (i32, i32)) {
            let size = Size { width: pw, height: ph };
            (if fit { Placement::fit(size, (ww, wh)) } else { Placement::one_to_one(size, (ww, wh), (x, y)) }, (ww, wh))
        }
    }

    proptest! {
        #[test]
        fn the_pointer_is_always_inside((placement, _) in placements(), x: f64, y: f64) {
            let (px, py) = placement.to_picture(x, y);
            prop_assert!(px < placement.picture().width && py < placement.picture().height);
        }

        #[test]
        fn to_the_window_and_back_is_the_same_pixel((placement, _) in placements(), x in 0..300_u16, y in 0..300_u16) {
            let (x, y) = (x % placement.picture().width, y % placement.picture().height);
            let (wx, wy) = placement.to_window(x, y);
            prop_assert_eq!(placement.to_picture(wx, wy), (x, y));
        }

        #[test]
        fn a_fitted_picture_lies_within_the_window_and_touches_two_edges(pw in 1..4000_u16, ph in 1..4000_u16, ww in 1..4000, wh in 1..4000) {
            let area = Placement::fit(Size { width: pw, height: ph }, (ww, wh)).area();
            prop_assert!(area.x >= 0 && area.y >= 0 && area.x + area.width <= ww && area.y + area.height <= wh);
            prop_assert!(area.width == ww || area.height == wh);
        }

        #[test]
        fn redrawing_what_was_touched_is_redrawing_all((placement, window) in placements(), x in 0..300_u16, y in 0..300_u16, w in 1..40_u16, h in 1..40_u16) {
            let size = placement.picture();
            let damage = Rect { x: x % size.width, y: y % size.height, width: w, height: h }.clamp(size).expect("inside");
            let mut frame = Frame::new(size);
            let mut pixels = drawn(&frame, &placement, window);
            for row in damage.y..damage.y + damage.height {
                frame.row_mut(damage.x, row, damage.width).iter_mut().zip(1_u8..).for_each(|(byte, value)| *byte = value.wrapping_mul(37));
            }
            Scaler::default().draw(&frame, &placement, placement.touched(damage), &mut pixels, window.0 as usize);
            prop_assert_eq!(pixels, drawn(&frame, &placement, window));
        }
    }
}
