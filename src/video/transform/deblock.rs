//! Smooths the edges between blocks, which coarse quantisers make visible, before the picture is shown and referred to.

use super::INTRA;
use super::motion::Vector;
use super::plane::{Planes, RANGE, SIDE};

/// Smooths every edge of 8x8 luma blocks beside which something was coded.
#[inline(always)]
pub(super) fn smooth(picture: &mut Planes, modes: &[u8], vectors: &[Vector], columns: usize, quality: u8) {
    let limits = Limits::new(quality);
    let stride = picture.stride();
    for (at, &mode) in modes.iter().enumerate() {
        let (column, row) = (at % columns, at / columns);
        let (x, y) = (column * SIDE, row * SIDE);
        for block in 0..4 {
            let (x, y) = (x + (block & 1) * 8, y + (block >> 1) * 8);
            // Whether anything was coded on either side; the other side is `back` macroblocks before this one.
            let beside = |back: usize, other: usize| {
                let (mode2, vector2) = (modes[at - back], vectors[at - back]);
                let coded = mode >> block & 1 == 1 || mode2 >> other & 1 == 1;
                coded || mode >> 6 == INTRA || mode2 >> 6 == INTRA || vector2 != vectors[at]
            };
            if x > 0 && beside(1 - (block & 1), block ^ 1) {
                let line = picture.at_mut(0, x.cast_signed() - 2, y.cast_signed());
                for row in 0..8 {
                    limits.smooth(line, row * stride, 1);
                }
            }
            if y > 0 && beside(if block < 2 { columns } else { 0 }, block ^ 2) {
                let line = picture.at_mut(0, x.cast_signed(), y.cast_signed() - 2);
                for column in 0..8 {
                    limits.smooth(line, column, stride);
                }
            }
        }
    }
}

/// What counts as an edge of blocks and not of the picture.
struct Limits {
    step: i16,
    slope: i16,
    change: i16,
}

impl Limits {
    fn new(quality: u8) -> Self {
        let step = i16::from(quality);
        Self { step, slope: step / 4 + 1, change: step / 8 + 1 }
    }

    /// Four pixels across an edge, from `at` on, `pitch` apart.
    #[inline(always)]
    fn smooth(&self, line: &mut [i16], at: usize, pitch: usize) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|place| line[at + place * pitch]);
        if (b - c).abs() >= self.step || (a - b).abs() >= self.slope || (c - d).abs() >= self.slope {
            return;
        }
        let change = ((4 * (c - b) + a - d + 4) >> 3).clamp(-self.change, self.change);
        line[at + pitch] = (b + change).clamp(RANGE[0].0, RANGE[0].1);
        line[at + 2 * pitch] = (c - change).clamp(RANGE[0].0, RANGE[0].1);
    }
}
