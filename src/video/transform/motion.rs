//! Motion: vectors in quarter pixels, what they predict, and the encoder's search for them.

use super::plane::{Block, MARGIN, Planes, RANGE, REACH, SIDE};

/// Where a macroblock comes from: quarter pixels right and down. Every value points into the reference's margin at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Vector {
    pub(super) x: i8,
    pub(super) y: i8,
}

/// The interpolation filters of HEVC, times 64, for each quarter of a pixel.
const TAPS: [[i16; 8]; 4] = [
    [0, 0, 0, 64, 0, 0, 0, 0],
    [-1, 4, -10, 58, 17, -5, 1, 0],
    [-1, 4, -11, 40, 40, -11, 4, -1],
    [0, 1, -5, 17, 58, -10, 4, -1],
];
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
    let line = #[inline(always)]
    |tap: usize| &source[tap * pitch..tap * pitch + width];
    let lines = [line(0), line(1), line(2), line(3), line(4), line(5), line(6), line(7)];
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
        let source = reference.from(plane, left, top);
        for (row, line) in block.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
            line.copy_from_slice(&source[row * stride..row * stride + SIDE]);
        }
        return block;
    }
    let mut rows = [0i16; ROWS * SIDE];
    let source = reference.from(plane, left - BEFORE.cast_signed(), top - BEFORE.cast_signed());
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
/// Whole pixels that a vector can point to, less a pixel for the refinement.
const FURTHEST: i8 = (REACH - 1) as i8;

impl Search {
    #[inline(always)]
    pub(super) fn new(reference: &Planes, bit: f32) -> Self {
        let (stride, luma) = (reference.stride(), reference.whole(0));
        let height = luma.len() / stride;
        let mut halves = [(); 3].map(|()| vec![0; luma.len()]);
        // The outermost pixels, which the filter cannot reach, are never asked for.
        for row in 0..height {
            let line = &luma[row * stride..(row + 1) * stride];
            filter(line, 1, 2, RANGE[0], &mut halves[0][row * stride + BEFORE..(row + 1) * stride - 4]);
        }
        let [right, down, both] = &mut halves;
        for row in BEFORE..height - 4 {
            let above = (row - BEFORE) * stride;
            filter(&luma[above..], stride, 2, RANGE[0], &mut down[row * stride..(row + 1) * stride]);
            filter(&right[above..], stride, 2, RANGE[0], &mut both[row * stride..(row + 1) * stride]);
        }
        Self { halves, bit }
    }

    /// The best vector for a block at `x`, `y`, beginning with guesses; the first guess is what the vector will be coded against.
    #[inline(always)]
    pub(super) fn best(&self, reference: &Planes, block: &Block, x: usize, y: usize, guesses: &[Vector]) -> (Vector, u32) {
        let expected = guesses[0];
        let start = reference.index(x.cast_signed(), y.cast_signed());
        let (stride, luma) = (reference.stride(), reference.whole(0));
        let price = #[inline(always)]
        |vector: Vector| (self.bit * vector_bits(vector, expected)) as u32;
        let at = #[inline(always)]
        |right: i8, down: i8| start.wrapping_add_signed(isize::from(down) * stride.cast_signed() + isize::from(right));
        let whole = #[inline(always)]
        |right: i8, down: i8| {
            let vector = Vector { x: right * 4, y: down * 4 };
            Found { vector, cost: differences(block, &luma[at(right, down)..], stride) + price(vector) }
        };
        let mut best = whole(0, 0);
        for guess in guesses {
            let [right, down] = [guess.x, guess.y].map(|part| (part.saturating_add(2) >> 2).clamp(-FURTHEST, FURTHEST));
            let found = whole(right, down);
            if found.cost < best.cost {
                best = found;
            }
        }
        for pace in [4i8, 2, 1] {
            for _ in 0..16 {
                let centre = best.vector;
                for (right, down) in STEPS.iter().take(if pace == 1 { 4 } else { 8 }) {
                    let (right, down) = (centre.x / 4 + right * pace, centre.y / 4 + down * pace);
                    if right.abs() > FURTHEST || down.abs() > FURTHEST {
                        continue;
                    }
                    let found = whole(right, down);
                    if found.cost < best.cost {
                        best = found;
                    }
                }
                if best.vector == centre {
                    break;
                }
            }
        }
        let half = #[inline(always)]
        |right: i16, down: i16| -> &[i16] {
            let plane = match (right & 1, down & 1) {
                (0, 0) => luma,
                (1, 0) => &self.halves[0],
                (0, _) => &self.halves[1],
                _ => &self.halves[2],
            };
            &plane[at((right >> 1) as i8, (down >> 1) as i8)..]
        };
        let centre = best.vector;
        for (right, down) in STEPS {
            let vector = Vector { x: centre.x + right * 2, y: centre.y + down * 2 };
            let cost = differences(block, half(i16::from(vector.x >> 1), i16::from(vector.y >> 1)), stride) + price(vector);
            if cost < best.cost {
                best = Found { vector, cost };
            }
        }
        let centre = best.vector;
        for (right, down) in STEPS {
            let vector = Vector { x: centre.x + right, y: centre.y + down };
            let low = half(i16::from(vector.x) >> 1, i16::from(vector.y) >> 1);
            let high = half((i16::from(vector.x) + 1) >> 1, (i16::from(vector.y) + 1) >> 1);
            let cost = differences_of_mean(block, low, high, stride) + price(vector);
            if cost < best.cost {
                best = Found { vector, cost };
            }
        }
        (best.vector, best.cost)
    }
}

/// About how many bits a vector takes, coded against the one that is expected.
#[inline(always)]
pub(super) fn vector_bits(vector: Vector, expected: Vector) -> f32 {
    let part = |a: i8, b: i8| {
        let away = a.wrapping_sub(b).unsigned_abs();
        if away == 0 { 1.0 } else { 2.5 + 1.2 * away.ilog2() as f32 }
    };
    if vector == expected { 0.5 } else { 1.0 + part(vector.x, expected.x) + part(vector.y, expected.y) }
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
