//! Pixels as three planes of numbers: brightness Y and the colour differences Co and Cg of the reversible YCoCg-R transform.
//!
//! The transform is exact, so a pixel that goes through the planes unchanged comes back unchanged, and the pixels of exact parts
//! can serve as a reference without loss. Y is 0..=255, Co and Cg are -255..=255.

use super::super::frame::{Frame, Rect};

/// The side of a macroblock.
pub(super) const SIDE: usize = 16;
/// How far a vector may point, in pixels: what an `i8` of quarter pixels holds.
pub(super) const REACH: usize = 32;
/// Pixels around the rectangle in the reference: [`REACH`], and what the interpolation filter reads beyond.
pub(super) const MARGIN: usize = REACH + 8;
/// The range of each plane's numbers.
pub(super) const RANGE: [(i16, i16); 3] = [(0, 255), (-255, 255), (-255, 255)];

/// A macroblock of one plane, row by row.
pub(super) type Block = [i16; SIDE * SIDE];

/// The macroblocks of a rectangle as planes, with a margin around them.
#[derive(Debug, Default)]
pub(super) struct Planes {
    data: [Vec<i16>; 3],
    stride: usize,
    margin: usize,
}

impl Planes {
    /// Becomes the planes of `rect`, whole macroblocks of it, and `margin` pixels around them. What lies outside the frame repeats its
    /// edge.
    #[inline(always)]
    pub(super) fn load(&mut self, frame: &Frame, rect: Rect, margin: usize) {
        let (columns, rows) = macroblocks(rect);
        let (width, height) = (columns * SIDE + 2 * margin, rows * SIDE + 2 * margin);
        (self.stride, self.margin) = (width, margin);
        self.data.iter_mut().for_each(|plane| plane.resize(width * height, 0));
        let (frame_width, frame_height) = (usize::from(frame.size().width), usize::from(frame.size().height));
        let (x, y) = (usize::from(rect.x), usize::from(rect.y));
        // The columns of the planes that lie inside the frame: `left..right`.
        let (left, right) = (margin.saturating_sub(x), (frame_width + margin - x).min(width));
        for row in 0..height {
            let from = (y + row).saturating_sub(margin).min(frame_height - 1);
            let start = (from * frame_width + x + left - margin) * 4;
            let pixels = &frame.data()[start..start + (right - left) * 4];
            let [luma, orange, green] = self.data.each_mut().map(|plane| &mut plane[row * width..(row + 1) * width]);
            let out = luma[left..right].iter_mut().zip(&mut orange[left..right]).zip(&mut green[left..right]);
            for (pixel, ((luma, orange), green)) in pixels.as_chunks::<4>().0.iter().zip(out) {
                [*luma, *orange, *green] = forward(u32::from_le_bytes(*pixel));
            }
            for line in [luma, orange, green] {
                let (first, last) = (line[left], line[right - 1]);
                line[..left].fill(first);
                line[right..].fill(last);
            }
        }
    }

    /// Writes the pixels of `rect` into the frame. The margin must be 0.
    #[inline(always)]
    pub(super) fn store(&self, frame: &mut Frame, rect: Rect) {
        let width = usize::from(rect.width);
        for row in 0..rect.height {
            let start = usize::from(row) * self.stride;
            let [luma, orange, green] = self.data.each_ref().map(|plane| &plane[start..start + width]);
            let pixels = frame.row_mut(rect.x, rect.y + row, rect.width).as_chunks_mut::<4>().0;
            for (pixel, ((luma, orange), green)) in pixels.iter_mut().zip(luma.iter().zip(orange).zip(green)) {
                *pixel = backward(*luma, *orange, *green).to_le_bytes();
            }
        }
    }

    /// One plane from the pixel at `x`, `y` of the rectangle on; the pixel may lie in the margin.
    #[inline(always)]
    pub(super) fn at(&self, plane: usize, x: isize, y: isize) -> &[i16] {
        &self.data[plane][self.index(x, y)..]
    }

    /// The same, to write.
    #[inline(always)]
    pub(super) fn at_mut(&mut self, plane: usize, x: isize, y: isize) -> &mut [i16] {
        let index = self.index(x, y);
        &mut self.data[plane][index..]
    }

    /// Numbers from one row to the next.
    #[inline(always)]
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// A whole plane with its margin.
    #[inline(always)]
    pub(super) fn whole(&self, plane: usize) -> &[i16] {
        &self.data[plane]
    }

    /// A copy of one macroblock at `x`, `y`.
    #[inline(always)]
    pub(super) fn block(&self, plane: usize, x: usize, y: usize) -> Block {
        let mut block = [0; SIDE * SIDE];
        let source = self.at(plane, x.cast_signed(), y.cast_signed());
        for (row, line) in block.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
            line.copy_from_slice(&source[row * self.stride..row * self.stride + SIDE]);
        }
        block
    }

    #[inline(always)]
    pub(super) fn index(&self, x: isize, y: isize) -> usize {
        let margin = self.margin.cast_signed();
        (y + margin).cast_unsigned() * self.stride + (x + margin).cast_unsigned()
    }
}

/// Macroblocks across and down.
pub(super) fn macroblocks(rect: Rect) -> (usize, usize) {
    (usize::from(rect.width).div_ceil(SIDE), usize::from(rect.height).div_ceil(SIDE))
}

#[inline(always)]
fn forward(pixel: u32) -> [i16; 3] {
    let [blue, green, red] = [(pixel & 255) as i32, (pixel >> 8 & 255) as i32, (pixel >> 16 & 255) as i32];
    let co = red - blue;
    let middle = blue + (co >> 1);
    let cg = green - middle;
    [(middle + (cg >> 1)) as i16, co as i16, cg as i16]
}

#[inline(always)]
fn backward(luma: i16, co: i16, cg: i16) -> u32 {
    let middle = i32::from(luma) - i32::from(cg >> 1);
    let green = i32::from(cg) + middle;
    let blue = middle - i32::from(co >> 1);
    let red = blue + i32::from(co);
    (blue.clamp(0, 255) | green.clamp(0, 255) << 8 | red.clamp(0, 255) << 16).cast_unsigned()
}
