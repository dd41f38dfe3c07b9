//! Motion: vectors in quarter pixels, what they predict, and the encoder's search for them.

use super::plane::{Block, MARGIN, Planes, RANGE, REACH, SIDE};

/// Where a macroblock comes from: quarter pixels right and down. Every value points into the reference's margin at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Vector {
    pub(super) x: i8,
    pub(super) y: i8,
}

/// The interpolation filters of HEVC, times 64, for each quarter of a pixel.
const TAPS: [[i16; 8]; 4] =
    [[0, 0, 0, 64, 0, 0, 0, 0], [-1, 4, -10, 58, 17, -5, 1, 0], [-1, 4, -11, 40, 40, -11, 4, -1], [0, 1, -5, 17, 58, -10, 4, -1]];
/// Taps before the pixel itself.
const BEFORE: usize = 3;
/// Rows that the vertical filter reads.
const ROWS: usize = SIDE + 7;

/// One row of the filter: pixel `x` of `out` from the pixels `x`, `x + pitch`, … of `source`. Sums fit: taps add up to at most 112
/// times 255.
#[inline(always)]
fn filter(source: &[i16], pitch: usize, quarter: usize, range: (i16, i16), out: &mut [i16]) {
    let taps = TAPS[quarter];
    let width = out.len();
    let mut lines: [&[i16]; 8] = [&[]; 8];
    for (tap, line) in lines.iter_mut().enumerate() {
        *line = &source[tap * pitch..tap * pitch + width];
    }
    for x in 0..width {
        let mut sum = 32i16;
        for tap in 0..8 {
            sum = sum.wrapping_add(taps[tap].wrapping_mul(lines[tap][x]));
        }
        out[x] = (sum >> 6).clamp(range.0, range.1);
    }
}

/// What a vector predicts for the macroblock at `x`, `y`.
#[inline(always)]
pub(super) fn predict(reference: &Planes, plane: usize, x: usize, y: usize, vector: Vector) -> Block {
    let (left, top) = (x.cast_signed() + isize::from(vector.x >> 2), y.cast_signed() + isize::from(vector.y >> 2));
    let [across, down] = [vector.x, vector.y].map(|part| usize::from(part.cast_unsigned() & 3));
    let stride = reference.stride();
    let mut block = [0; SIDE * SIDE];
    if across == 0 && down == 0 {
        let source = reference.at(plane, left, top);
        for (row, line) in block.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
            line.copy_from_slice(&source[row * stride..row * stride + SIDE]);
        }
        return block;
    }
    let mut rows = [0i16; ROWS * SIDE];
    let source = reference.at(plane, left - BEFORE.cast_signed(), top - BEFORE.cast_signed());
    for (row, line) in rows.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
        let source = &source[row * stride..row * stride + SIDE + 7];
        if across == 0 {
            line.copy_from_slice(&source[BEFORE..BEFORE + SIDE]);
        } else {
            filter(source, 1, across, RANGE[plane], line);
        }
    }
    if down == 0 {
        block.copy_from_slice(&rows[BEFORE * SIDE..(BEFORE + SIDE) * SIDE]);
        return block;
    }
    for (row, line) in block.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
        filter(&rows[row * SIDE..], SIDE, down, RANGE[plane], line);
    }
    block
}

/// The middle one of three vectors, part by part.
pub(super) fn median(a: Vector, b: Vector, c: Vector) -> Vector {
    let middle = |a: i8, b: i8, c: i8| a.max(b).min(a.min(b).max(c));
    Vector { x: middle(a.x, b.x, c.x), y: middle(a.y, b.y, c.y) }
}

/// The encoder's search, by luma alone.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Luma moved by half a pixel right, down, and both; the reference's layout.
    halves: [Vec<i16>; 3],
    /// What a bit of vector is worth in sums of absolute differences.
    bit: f32,
}

/// A vector and what it costs.
#[derive(Clone, Copy)]
struct Found {
    vector: Vector,
    cost: u32,
}

const STEPS: [(i8, i8); 8] = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1)];
/// The most rounds of a search at one pace.
const ROUNDS: usize = 16;
/// Whole pixels that a vector can point to, less a pixel for the refinement.
const FURTHEST: i8 = (REACH - 1) as i8;

impl Search {
    /// Makes ready for a reference.
    #[inline(always)]
    pub(super) fn load(&mut self, reference: &Planes, bit: f32) {
        let (stride, luma) = (reference.stride(), reference.whole(0));
        let height = luma.len() / stride;
        self.bit = bit;
        self.halves.iter_mut().for_each(|plane| plane.resize(luma.len(), 0));
        let [right, down, both] = &mut self.halves;
        // The outermost pixels, which the filter cannot reach, are never asked for.
        for row in 0..height {
            let line = &luma[row * stride..(row + 1) * stride];
            filter(line, 1, 2, RANGE[0], &mut right[row * stride + BEFORE..(row + 1) * stride - 4]);
        }
        for row in BEFORE..height - 4 {
            let above = (row - BEFORE) * stride;
            filter(&luma[above..], stride, 2, RANGE[0], &mut down[row * stride..(row + 1) * stride]);
            filter(&right[above..], stride, 2, RANGE[0], &mut both[row * stride..(row + 1) * stride]);
        }
    }

    /// The best vector for a block at `x`, `y`, beginning with guesses; the first guess is what the vector will be coded against.
    #[inline(always)]
    pub(super) fn best(&self, reference: &Planes, block: &Block, x: usize, y: usize, guesses: &[Vector]) -> (Vector, u32) {
        let start = reference.index(x.cast_signed(), y.cast_signed());
        let [right, down, both] = self.halves.each_ref().map(Vec::as_slice);
        let planes = [reference.whole(0), right, down, both];
        let trial = Trial { planes, stride: reference.stride(), start, block, expected: guesses[0], bit: self.bit };
        let mut best = trial.whole(0, 0);
        for guess in guesses {
            let near = |part: i8| (part.saturating_add(2) >> 2).clamp(-FURTHEST, FURTHEST);
            best.improve(trial.whole(near(guess.x), near(guess.y)));
        }
        for (pace, steps) in [(4, &STEPS[..]), (2, &STEPS[..]), (1, &STEPS[..4])] {
            for _ in 0..ROUNDS {
                let centre = best.vector;
                for (right, down) in steps {
                    let (right, down) = (centre.x / 4 + right * pace, centre.y / 4 + down * pace);
                    if right.abs() <= FURTHEST && down.abs() <= FURTHEST {
                        best.improve(trial.whole(right, down));
                    }
                }
                if best.vector == centre {
                    break;
                }
            }
        }
        let centre = best.vector;
        for (right, down) in STEPS {
            best.improve(trial.half(Vector { x: centre.x + right * 2, y: centre.y + down * 2 }));
        }
        let centre = best.vector;
        for (right, down) in STEPS {
            best.improve(trial.quarter(Vector { x: centre.x + right, y: centre.y + down }));
        }
        (best.vector, best.cost)
    }
}

impl Found {
    #[inline(always)]
    fn improve(&mut self, other: Self) {
        if other.cost < self.cost {
            *self = other;
        }
    }
}

/// A block whose vector is searched for.
struct Trial<'a> {
    /// Luma, and moved by half a pixel right, down, and both.
    planes: [&'a [i16]; 4],
    stride: usize,
    /// Where the block lies in the planes.
    start: usize,
    block: &'a Block,
    expected: Vector,
    bit: f32,
}

impl Trial<'_> {
    #[inline(always)]
    fn found(&self, vector: Vector, distance: u32) -> Found {
        Found { vector, cost: distance + (self.bit * vector_bits(vector, self.expected)) as u32 }
    }

    /// Luma moved by half pixels, from the block's top left on.
    #[inline(always)]
    fn moved(&self, right: i16, down: i16) -> &[i16] {
        let plane = self.planes[usize::from((right & 1 | (down & 1) << 1).cast_unsigned())];
        let away = isize::from(down >> 1) * self.stride.cast_signed() + isize::from(right >> 1);
        &plane[self.start.wrapping_add_signed(away)..]
    }

    #[inline(always)]
    fn whole(&self, right: i8, down: i8) -> Found {
        self.half(Vector { x: right * 4, y: down * 4 })
    }

    #[inline(always)]
    fn half(&self, vector: Vector) -> Found {
        let moved = self.moved(i16::from(vector.x) >> 1, i16::from(vector.y) >> 1);
        self.found(vector, differences(self.block, moved, self.stride))
    }

    /// Between half pixels the mean of two is near enough.
    #[inline(always)]
    fn quarter(&self, vector: Vector) -> Found {
        let [right, down] = [i16::from(vector.x), i16::from(vector.y)];
        let (low, high) = (self.moved(right >> 1, down >> 1), self.moved((right + 1) >> 1, (down + 1) >> 1));
        self.found(vector, differences_of_mean(self.block, low, high, self.stride))
    }
}

/// About how many bits a vector takes, coded against the one that is expected.
#[inline(always)]
pub(super) fn vector_bits(vector: Vector, expected: Vector) -> f32 {
    if vector == expected {
        return 0.5;
    }
    let away = |a: i8, b: i8| f32::from(2 * (8 - a.wrapping_sub(b).unsigned_abs().leading_zeros()) as u8);
    2.0 + 0.6 * (away(vector.x, expected.x) + away(vector.y, expected.y))
}

/// The sum of absolute differences between a block and the pixels that begin `other`.
#[inline(always)]
pub(super) fn differences(block: &Block, other: &[i16], stride: usize) -> u32 {
    let mut sums = [0u16; SIDE];
    for (row, line) in block.as_chunks::<SIDE>().0.iter().enumerate() {
        let other = &other[row * stride..row * stride + SIDE];
        for x in 0..SIDE {
            sums[x] += line[x].abs_diff(other[x]);
        }
    }
    sums.iter().map(|sum| u32::from(*sum)).sum()
}

/// The same against the mean of two.
#[inline(always)]
fn differences_of_mean(block: &Block, low: &[i16], high: &[i16], stride: usize) -> u32 {
    let mut sums = [0u16; SIDE];
    for (row, line) in block.as_chunks::<SIDE>().0.iter().enumerate() {
        let (low, high) = (&low[row * stride..row * stride + SIDE], &high[row * stride..row * stride + SIDE]);
        for x in 0..SIDE {
            sums[x] += line[x].abs_diff((low[x] + high[x] + 1) >> 1);
        }
    }
    sums.iter().map(|sum| u32::from(*sum)).sum()
}

const _: () = assert!(MARGIN >= REACH + 4);
