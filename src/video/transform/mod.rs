//! The transform coder: parts of the picture that are photographs or video, with a loss, for links that cannot carry them exactly.
//!
//! Pure, stateless and the same on both sides: what is on the viewer's screen is the only memory. [`Coder::encode`] leaves in its `shown`
//! exactly what [`Coder::decode`] will leave in the viewer's.
//!
//! # Coding
//!
//! The rectangle is cut into macroblocks of 16x16 pixels from its top left on; the last ones may reach beyond it, and what is coded there
//! is thrown away. Each is predicted, and what the prediction misses is coded as 6 blocks of 8x8 coefficients: 4 of luma, one each of
//! the colour differences Co and Cg (see [`dct`]). Edges between blocks are smoothed afterwards (see [`deblock`]).
//!
//! The reference is the screen as it was before this part, [`plane::MARGIN`] pixels around the rectangle included; beyond the frame its edge
//! repeats. A vector is two `i8` of quarter pixels, so every value is valid. Work and memory are bounded by the macroblocks and the
//! margin.
//!
//! # Symbols
//!
//! Bytes of [`KINDS`] kinds; parts follow one another. Every kind is meant for an entropy coder of its own that keeps its history.
//!
//! | kind | content |
//! |---|---|
//! | 0 | a byte a macroblock: bits 0..=5 which of its blocks have coefficients, bits 6..=7 the prediction: 0 same place, 1 own vector, 2 expected vector, 3 from its neighbours |
//! | 1 | own vector: x, then y, each less the expected one's (wrapping); from its neighbours: which [`Intra`] |
//! | 2 | bits, lowest first, a whole number of bytes a part: for each level its sign (1 is negative); for a level of 4 or more then an Elias gamma code, length in ones, of the level less 3 |
//! | 3..=8 | coefficients in zigzag order: bits 0..=5 zeros before it, bits 6..=7 its size less 1 (3: see the bits); 63 ends a block. Kind by where the run begins: luma 0, 1..=2, 3..=8, later; colour 0, later |
//!
//! The expected vector is the median of those to the left, above, and above to the right (0 where there is none).

mod content;
mod dct;
mod deblock;
mod intra;
mod motion;
mod plane;
mod quantise;
mod symbols;

use super::frame::{Frame, Rect};
pub(in crate::video) use content::{CELL, photographic};
use intra::Intra;
use motion::{Search, Vector};
use plane::{Block, MARGIN, Planes, RANGE, SIDE};
use quantise::{BIT, Step};
pub(in crate::video) use symbols::{KINDS, SymbolReader, Symbols, max_symbols};
use symbols::{Levels, MODES, VECTORS};

/// The quantiser's step: 1 is finest, 255 coarsest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::video) struct Quality(u8);

impl Quality {
    /// A quality; there is no 0.
    #[must_use]
    pub(in crate::video) fn new(step: u8) -> Option<Self> {
        (step > 0).then_some(Self(step))
    }

    /// The quantiser's step.
    #[must_use]
    pub(in crate::video) fn step(self) -> u8 {
        self.0
    }
}

const STILL: u8 = 0;
const MOVED: u8 = 1;
const EXPECTED: u8 = 2;
const INTRA: u8 = 3;
/// Absolute differences of a macroblock's luma, in steps, above which it is not worth trying whether it can stay as it is.
const NEAR: u32 = 128;

/// The coder of either side. It remembers nothing from one part to the next but its memory: about 40 bytes for each pixel of the largest
/// rectangle and its margin.
#[derive(Debug, Default)]
pub(in crate::video) struct Coder {
    columns: usize,
    rows: usize,
    quality: u8,
    /// The encoder's: what shall be shown, and the search for vectors.
    source: Planes,
    search: Search,
    /// The screen before this part.
    reference: Planes,
    /// What has been reconstructed so far.
    picture: Planes,
    /// Of each macroblock: its mode byte, and its vector.
    modes: Vec<u8>,
    vectors: Vec<Vector>,
}

impl Coder {
    /// Codes the pixels of `rect` of `now` against `shown`, the picture on the viewer's screen, and brings `shown` to what the viewer
    /// will see. Both frames have the same size and `rect` lies inside.
    pub(in crate::video) fn encode(&mut self, now: &Frame, shown: &mut Frame, rect: Rect, quality: Quality, out: &mut Symbols) {
        pulp::Arch::new().dispatch(Encode { coder: self, now, shown, rect, quality, out });
    }

    /// Brings `rect` of `shown` to the picture that the symbols stand for. After an error `shown` is as before.
    ///
    /// # Errors
    /// Symbols that no encoder writes. `rect` must lie inside `shown`.
    pub(in crate::video) fn decode(
        &mut self,
        shown: &mut Frame,
        rect: Rect,
        quality: Quality,
        symbols: &mut SymbolReader<'_>,
    ) -> Result<(), &'static str> {
        pulp::Arch::new().dispatch(Decode { coder: self, shown, rect, quality, symbols })
    }
}

// Named types, because all that runs for an instruction set must be inlined into the function that has it, and a closure's call is not
// always.

struct Encode<'a> {
    coder: &'a mut Coder,
    now: &'a Frame,
    shown: &'a mut Frame,
    rect: Rect,
    quality: Quality,
    out: &'a mut Symbols,
}

impl pulp::NullaryFnOnce for Encode<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { coder, now, shown, rect, quality, out } = self;
        coder.begin(shown, rect, quality);
        coder.source.load(now, rect, 0);
        let lambda = BIT * f32::from(quality.0) * f32::from(quality.0);
        coder.search.load(&coder.reference, lambda.sqrt());
        for row in 0..coder.rows {
            for column in 0..coder.columns {
                coder.encode_block(lambda, column, row, out);
            }
        }
        out.align();
        coder.finish(shown, rect);
    }
}

struct Decode<'a, 'b> {
    coder: &'a mut Coder,
    shown: &'a mut Frame,
    rect: Rect,
    quality: Quality,
    symbols: &'a mut SymbolReader<'b>,
}

impl pulp::NullaryFnOnce for Decode<'_, '_> {
    type Output = Result<(), &'static str>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { coder, shown, rect, quality, symbols } = self;
        coder.begin(shown, rect, quality);
        for row in 0..coder.rows {
            for column in 0..coder.columns {
                coder.decode_block(column, row, symbols)?;
            }
        }
        symbols.align();
        coder.finish(shown, rect);
        Ok(())
    }
}

/// A macroblock's prediction with what it misses.
struct Attempt {
    kind: u8,
    vector: Vector,
    predicted: [Block; 3],
    coded: u8,
    levels: [Levels; 6],
    /// Squared error, and bits in the same unit.
    cost: f32,
}

impl Attempt {
    #[inline(always)]
    fn none() -> Self {
        Self {
            kind: STILL,
            vector: Vector::default(),
            predicted: [[0; SIDE * SIDE]; 3],
            coded: 0,
            levels: [[0; 64]; 6],
            cost: f32::INFINITY,
        }
    }

    #[inline(always)]
    fn improve(&mut self, other: Self) {
        if other.cost < self.cost {
            *self = other;
        }
    }
}

impl Coder {
    #[inline(always)]
    fn begin(&mut self, shown: &Frame, rect: Rect, quality: Quality) {
        (self.columns, self.rows) = plane::macroblocks(rect);
        self.quality = quality.0;
        self.reference.load(shown, rect, MARGIN);
        self.picture.load(shown, rect, 0);
        self.modes.clear();
        self.modes.resize(self.columns * self.rows, 0);
        self.vectors.clear();
        self.vectors.resize(self.columns * self.rows, Vector::default());
    }

    #[inline(always)]
    fn finish(&mut self, shown: &mut Frame, rect: Rect) {
        deblock::smooth(&mut self.picture, &self.modes, &self.vectors, self.columns, self.quality);
        self.picture.store(shown, rect);
    }

    /// The vectors to the left, above, and above to the right.
    fn neighbours(&self, column: usize, row: usize) -> [Vector; 3] {
        let at = row * self.columns + column;
        let known = |is: bool, back: usize| if is { self.vectors[at - back] } else { Vector::default() };
        [
            known(column > 0, 1),
            known(row > 0, self.columns),
            known(row > 0 && column + 1 < self.columns, self.columns.wrapping_sub(1)),
        ]
    }

    fn expected(&self, column: usize, row: usize) -> Vector {
        let [left, above, right] = self.neighbours(column, row);
        motion::median(left, above, right)
    }

    #[inline(always)]
    fn decode_block(&mut self, column: usize, row: usize, symbols: &mut SymbolReader<'_>) -> Result<(), &'static str> {
        let (x, y) = (column * SIDE, row * SIDE);
        let expected = self.expected(column, row);
        let mode = symbols.pull(MODES)?;
        let (kind, coded) = (mode >> 6, mode & 63);
        let mut vector = Vector::default();
        let mut predicted = match kind {
            INTRA => {
                let intra = Intra::new(symbols.pull(VECTORS)?).ok_or("an unknown prediction")?;
                self.predict_intra(intra, x, y)
            }
            STILL if coded == 0 => return Ok(()),
            _ => {
                if kind == MOVED {
                    let (right, down) = (symbols.pull(VECTORS)?, symbols.pull(VECTORS)?);
                    let part = |base: i8, away: u8| base.wrapping_add(away.cast_signed());
                    vector = Vector { x: part(expected.x, right), y: part(expected.y, down) };
                } else if kind == EXPECTED {
                    vector = expected;
                }
                self.predict_moved(vector, x, y)
            }
        };
        for block in (0..6).filter(|block| coded >> block & 1 == 1) {
            let levels = symbols.pull_levels(block)?;
            dct::synthesise(&Step::new(self.quality, block).restore(&levels), &mut predicted[plane_of(block)], block);
        }
        self.keep(column, row, mode, vector, &predicted);
        Ok(())
    }

    #[inline(always)]
    fn encode_block(&mut self, lambda: f32, column: usize, row: usize, out: &mut Symbols) {
        let (x, y) = (column * SIDE, row * SIDE);
        let wanted = [self.source.block(0, x, y), self.source.block(1, x, y), self.source.block(2, x, y)];
        let neighbours = self.neighbours(column, row);
        let expected = motion::median(neighbours[0], neighbours[1], neighbours[2]);
        let guesses = [expected, neighbours[0], neighbours[1], neighbours[2]];
        let mut best = Attempt::none();
        let still = self.reference.at(0, x.cast_signed(), y.cast_signed());
        let near = motion::differences(&wanted[0], still, self.reference.stride()) < NEAR * u32::from(self.quality);
        if near {
            best = self.attempt(&wanted, STILL, Vector::default(), self.predict_moved(Vector::default(), x, y), lambda, 0.5);
            if best.coded == 0 {
                out.push(MODES, STILL << 6);
                return;
            }
        }
        let (vector, distance) = self.search.best(&self.reference, &wanted[0], x, y, &guesses);
        if vector != Vector::default() || !near {
            let kind = if vector == expected { EXPECTED } else { MOVED };
            let bits = motion::vector_bits(vector, expected) + 1.0;
            best.improve(self.attempt(&wanted, kind, vector, self.predict_moved(vector, x, y), lambda, bits));
        }
        let (intra, intra_distance) = self.best_intra(&wanted[0], x, y);
        if intra_distance < distance + distance / 4 {
            best.improve(self.attempt(&wanted, INTRA, Vector::default(), self.predict_intra(intra, x, y), lambda, 5.0));
        }
        let (kind, vector) = (best.kind, best.vector);
        let mode = kind << 6 | best.coded;
        out.push(MODES, mode);
        if kind == INTRA {
            out.push(VECTORS, intra as u8);
        } else if kind == MOVED {
            out.push(VECTORS, vector.x.wrapping_sub(expected.x).cast_unsigned());
            out.push(VECTORS, vector.y.wrapping_sub(expected.y).cast_unsigned());
        }
        for block in (0..6).filter(|block| best.coded >> block & 1 == 1) {
            let levels = &best.levels[block];
            out.push_levels(block, levels);
            dct::synthesise(&Step::new(self.quality, block).restore(levels), &mut best.predicted[plane_of(block)], block);
        }
        self.keep(column, row, mode, vector, &best.predicted);
    }

    /// Quantises what a prediction misses; `bits` is what the prediction itself costs.
    #[inline(always)]
    fn attempt(&self, wanted: &[Block; 3], kind: u8, vector: Vector, predicted: [Block; 3], lambda: f32, bits: f32) -> Attempt {
        let mut attempt = Attempt { kind, vector, predicted, coded: 0, levels: [[0; 64]; 6], cost: lambda * bits };
        for (plane, wanted) in wanted.iter().enumerate() {
            let (mut missed, mut energy) = ([0; SIDE * SIDE], 0);
            for (at, missed) in missed.iter_mut().enumerate() {
                *missed = wanted[at] - attempt.predicted[plane][at];
                energy += i32::from(*missed) * i32::from(*missed);
            }
            let blocks = if plane == 0 { 0..4 } else { plane + 3..plane + 4 };
            attempt.cost += energy as f32 * Step::new(self.quality, blocks.start).weight();
            for block in blocks {
                let coefficients = dct::analyse(&missed, block);
                if let Some(quantised) = Step::new(self.quality, block).quantise(&coefficients, lambda) {
                    attempt.coded |= 1 << block;
                    attempt.levels[block] = quantised.levels;
                    attempt.cost -= quantised.gain;
                }
            }
        }
        attempt
    }

    #[inline(always)]
    fn predict_moved(&self, vector: Vector, x: usize, y: usize) -> [Block; 3] {
        let mut blocks = [[0; SIDE * SIDE]; 3];
        for (plane, block) in blocks.iter_mut().enumerate() {
            *block = motion::predict(&self.reference, plane, x, y, vector);
        }
        blocks
    }

    #[inline(always)]
    fn predict_intra(&self, intra: Intra, x: usize, y: usize) -> [Block; 3] {
        let mut blocks = [[0; SIDE * SIDE]; 3];
        for (plane, block) in blocks.iter_mut().enumerate() {
            *block = intra.predict(&self.reference, &self.picture, plane, x, y);
        }
        blocks
    }

    #[inline(always)]
    fn best_intra(&self, wanted: &Block, x: usize, y: usize) -> (Intra, u32) {
        let mut best = (Intra::Mean, u32::MAX);
        for intra in Intra::ALL {
            let distance = motion::differences(wanted, &intra.predict(&self.reference, &self.picture, 0, x, y), SIDE);
            if distance < best.1 {
                best = (intra, distance);
            }
        }
        best
    }

    /// Takes a reconstructed macroblock into the picture.
    #[inline(always)]
    fn keep(&mut self, column: usize, row: usize, mode: u8, vector: Vector, pixels: &[Block; 3]) {
        let at = row * self.columns + column;
        (self.modes[at], self.vectors[at]) = (mode, vector);
        let stride = self.picture.stride();
        for (plane, pixels) in pixels.iter().enumerate() {
            let (low, high) = RANGE[plane];
            let out = self.picture.at_mut(plane, (column * SIDE).cast_signed(), (row * SIDE).cast_signed());
            for (row, line) in pixels.as_chunks::<SIDE>().0.iter().enumerate() {
                for (out, value) in out[row * stride..row * stride + SIDE].iter_mut().zip(line) {
                    *out = (*value).clamp(low, high);
                }
            }
        }
    }
}

/// The plane that a block belongs to.
const fn plane_of(block: usize) -> usize {
    if block < 4 { 0 } else { block - 3 }
}

#[cfg(test)]
mod tests;
