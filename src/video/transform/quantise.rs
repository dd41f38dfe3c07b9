//! From coefficients to levels and back: a level is how many steps of the quantiser a coefficient is.
//!
//! The levels of a block are chosen together, by what they save in error against what they cost in bits: most lone small ones are
//! not worth their symbol.

use super::dct::Coefficients;
use super::symbols::{CODED, LARGEST, Levels, OPEN, ZIGZAG};

/// How a block is quantised.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// The quantiser's step, in units of an orthonormal coefficient.
    step: i32,
    /// What an error in this plane weighs in red, green and blue against one in luma.
    weight: f32,
}

/// A quantised block.
pub(super) struct Quantised {
    pub(super) levels: Levels,
    /// By how much the levels lower the sum of squared errors, less what their bits are worth. Never negative.
    pub(super) gain: f32,
}

/// What a bit is worth in squared error, in squares of the step.
pub(super) const BIT: f32 = 0.14;
/// Of a run of zeros, so many of the last levels are tried as its beginning.
const LOOKBACK: usize = 6;

impl Step {
    /// Of the block's plane.
    pub(super) fn new(quality: u8, block: usize) -> Self {
        let step = i32::from(quality);
        match block {
            0..=3 => Self { step, weight: 1.0 },
            4 => Self { step: step * 5 / 2, weight: 1.0 / 6.0 },
            _ => Self { step: step * 2, weight: 1.0 / 4.0 },
        }
    }

    pub(super) fn weight(self) -> f32 {
        self.weight
    }

    /// The coefficients that levels stand for.
    #[inline(always)]
    pub(super) fn restore(self, levels: &Levels) -> Coefficients {
        let mut coefficients = [0; 64];
        for (level, place) in levels.iter().zip(ZIGZAG).filter(|(level, _)| **level != 0) {
            coefficients[usize::from(place)] = i32::from(*level) * self.step;
        }
        coefficients
    }

    /// Chooses levels. Floating point decides here, which only the encoder does.
    #[inline(always)]
    pub(super) fn quantise(self, coefficients: &Coefficients, lambda: f32) -> Option<Quantised> {
        // Coefficients come times 64.
        let scale = 1.0 / (self.step as f32 * 64.0);
        let mut ratios = [0f32; 64];
        let mut largest = 0f32;
        for (ratio, value) in ratios.iter_mut().zip(coefficients) {
            *ratio = value.unsigned_abs() as f32 * scale;
            largest = largest.max(*ratio);
        }
        if largest < 0.5 {
            return None;
        }
        // Squared error in steps, against bits in the same unit.
        let unit = self.weight * (self.step * self.step) as f32;
        let bit = lambda / unit;
        let mut paths = [Path::default(); CODED];
        let mut count = 0usize;
        let mut best = (0f32, usize::MAX);
        for place in 0..CODED {
            let ratio = ratios[usize::from(ZIGZAG[place])];
            if ratio < 0.5 {
                continue;
            }
            let upper = (ratio + 0.5) as u16;
            let mut path = Path { place, gain: f32::NEG_INFINITY, level: 0, before: usize::MAX };
            for level in [upper.min(LARGEST), upper - 1] {
                if level == 0 {
                    continue;
                }
                let error = ratio - f32::from(level);
                let saved = ratio * ratio - error * error;
                for before in std::iter::once(usize::MAX).chain(count.saturating_sub(LOOKBACK)..count) {
                    let (gain, next) = if before == usize::MAX { (0.0, 0) } else { (paths[before].gain, paths[before].place + 1) };
                    let gain = gain + saved - bit * bits(next, place - next, level);
                    if gain > path.gain {
                        path = Path { gain, level, before, place };
                    }
                }
            }
            paths[count] = path;
            let gain = path.gain - bit * end_bits(place + 1);
            if gain > best.0 {
                best = (gain, count);
            }
            count += 1;
        }
        let mut levels = [0; 64];
        let (gain, mut at) = best;
        if at == usize::MAX {
            return None;
        }
        while at != usize::MAX {
            let Path { place, level, before, .. } = paths[at];
            let level = level.cast_signed();
            levels[place] = if coefficients[usize::from(ZIGZAG[place])] < 0 { -level } else { level };
            at = before;
        }
        Some(Quantised { levels, gain: gain * unit })
    }
}

/// The best choice of levels that ends with a certain one.
#[derive(Clone, Copy, Default)]
struct Path {
    place: usize,
    gain: f32,
    level: u16,
    before: usize,
}

/// About how many bits the entropy coder needs for a level, its sign and the run before it.
#[inline(always)]
fn bits(next: usize, run: usize, level: u16) -> f32 {
    let run = RUN[run];
    let start = if next == 0 { 0.7 } else { 1.2 };
    let size = match level {
        1 => 1.5,
        2 => 4.0,
        3 => 5.5,
        _ => 6.0 + 2.0 * ((level - OPEN + 1).ilog2() as f32),
    };
    start + run + size
}

#[inline(always)]
fn end_bits(next: usize) -> f32 {
    if next < 3 { 2.0 } else { 1.5 }
}

/// Bits for a run, before sizes.
const RUN: [f32; 64] = {
    let mut table = [0.0; 64];
    let mut run = 0;
    while run < 64 {
        table[run] = match run {
            0 => 0.0,
            1 => 1.0,
            2 => 1.7,
            3 => 2.2,
            4 => 2.6,
            5 => 3.0,
            6 => 3.3,
            7 => 3.6,
            8..=11 => 4.2,
            12..=19 => 5.0,
            _ => 7.0,
        };
        run += 1;
    }
    table
};
