//! What a picture part becomes: symbols sorted by kind, and coefficients as symbols.

use super::plane::SIDE;
use crate::video::frame::Size;

/// How many kinds of symbols there are.
pub(in crate::video) const KINDS: usize = 3 + CONTEXTS;
/// One byte a macroblock.
pub(super) const MODES: usize = 0;
/// Two bytes a macroblock that has its own vector.
pub(super) const VECTORS: usize = 1;
/// Signs and large levels, as bits.
pub(super) const BITS: usize = 2;
/// The first kind of coefficient symbols.
const LEVELS: usize = 3;
/// Coefficients are sorted by where their run begins and whether the block is luma.
const CONTEXTS: usize = 6;

/// Coefficients of a block that can be coded: the very last one in zigzag order never is, so a run is at most 62.
pub(super) const CODED: usize = 63;
/// "No coefficient any more" takes the place of the impossible run of 63 before a level of 1.
const END: u8 = 63;
/// Levels from here on have the rest of their size in the bits.
pub(super) const OPEN: u16 = 4;
/// The largest level.
pub(super) const LARGEST: u16 = 4095;

/// The order of coefficients, lowest frequencies first.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42,
    49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The levels of a block in zigzag order.
pub(super) type Levels = [i16; 64];

/// Coded picture parts: bytes by kind, for as many entropy coders.
#[derive(Clone, Debug, Default)]
pub(in crate::video) struct Symbols {
    bytes: [Vec<u8>; KINDS],
    bits: u32,
    count: u32,
}

impl Symbols {
    /// The bytes of each kind.
    #[must_use]
    pub(in crate::video) fn kinds(&self) -> &[Vec<u8>; KINDS] {
        &self.bytes
    }

    /// Forgets everything; keeps the memory.
    pub(in crate::video) fn clear(&mut self) {
        self.bytes.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn push(&mut self, kind: usize, byte: u8) {
        self.bytes[kind].push(byte);
    }

    /// Appends the lowest `count` bits of `value`, at most 16.
    fn push_bits(&mut self, value: u32, count: u32) {
        self.bits |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes[BITS].push(self.bits as u8);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    /// Ends a picture part: the next one's bits begin in a byte of their own.
    pub(super) fn align(&mut self) {
        let spare = self.count.wrapping_neg() % 8;
        self.push_bits(0, spare);
    }

    /// Appends a block of which at least one level is not 0.
    pub(super) fn push_levels(&mut self, block: usize, levels: &Levels) {
        let mut next = 0;
        for (place, &level) in levels.iter().enumerate().take(CODED).filter(|(_, level)| **level != 0) {
            let size = level.unsigned_abs();
            self.push(kind(block, next), symbol(place - next, size));
            self.push_bits(u32::from(level < 0), 1);
            if size >= OPEN {
                let rest = u32::from(size - OPEN + 1);
                let length = rest.ilog2();
                self.push_bits((1 << length) - 1, length + 1);
                self.push_bits(rest - (1 << length), length);
            }
            next = place + 1;
        }
        if next < CODED {
            self.push(kind(block, next), END);
        }
    }
}

/// Bytes of signs and large levels for a coefficient: a sign, a level's length in ones (12 bits at most) and its rest (11).
const LONGEST: usize = 3;

/// The most bytes of each kind that up to `parts` picture parts, no two of which overlap, can need in a frame of this size. A part's last
/// macroblocks reach beyond it, so there are more of them than the frame has.
#[must_use]
pub(in crate::video) fn max_symbols(size: Size, parts: usize) -> [usize; KINDS] {
    let (width, height) = (usize::from(size.width), usize::from(size.height));
    let blocks = width * height / (SIDE * SIDE) + parts * ((width + height) / SIDE + 1);
    let mut most = [0; KINDS];
    most[MODES] = blocks;
    most[VECTORS] = blocks * 2;
    // No two symbols of a block begin at the same coefficient.
    (0..6).for_each(|block| (0..CODED).for_each(|next| most[kind(block, next)] += blocks));
    most[BITS] = blocks * 6 * CODED * LONGEST + parts;
    most
}

/// Reads back what [`Symbols`] wrote, part after part.
#[derive(Debug)]
pub(in crate::video) struct SymbolReader<'a> {
    bytes: [&'a [u8]; KINDS],
    bits: u32,
    count: u32,
}

impl<'a> SymbolReader<'a> {
    /// A reader of the bytes of each kind.
    #[must_use]
    pub(in crate::video) fn new(bytes: [&'a [u8]; KINDS]) -> Self {
        Self { bytes, bits: 0, count: 0 }
    }

    /// Whether everything has been read.
    #[must_use]
    pub(in crate::video) fn is_empty(&self) -> bool {
        self.bytes.iter().all(|bytes| bytes.is_empty())
    }

    pub(super) fn pull(&mut self, kind: usize) -> Result<u8, &'static str> {
        let (first, rest) = self.bytes[kind].split_first().ok_or("truncated")?;
        self.bytes[kind] = rest;
        Ok(*first)
    }

    fn pull_bit(&mut self) -> Result<u32, &'static str> {
        if self.count == 0 {
            self.bits = u32::from(self.pull(BITS)?);
            self.count = 8;
        }
        let bit = self.bits & 1;
        self.bits >>= 1;
        self.count -= 1;
        Ok(bit)
    }

    /// Ends a picture part.
    pub(super) fn align(&mut self) {
        self.count = 0;
    }

    /// The levels of a block.
    pub(super) fn pull_levels(&mut self, block: usize) -> Result<Levels, &'static str> {
        let mut levels = [0; 64];
        let mut next = 0;
        while next < CODED {
            let symbol = self.pull(kind(block, next))?;
            if symbol == END {
                break;
            }
            let place = next + usize::from(symbol & 63);
            if place >= CODED {
                return Err("a run of zeros leaves its block");
            }
            let negative = self.pull_bit()? == 1;
            let size = match symbol >> 6 {
                3 => self.pull_rest()?,
                small => i16::from(small) + 1,
            };
            levels[place] = if negative { -size } else { size };
            next = place + 1;
        }
        Ok(levels)
    }

    fn pull_rest(&mut self) -> Result<i16, &'static str> {
        let mut length = 0;
        while self.pull_bit()? == 1 {
            length += 1;
            if length >= 12 {
                return Err("a level too large");
            }
        }
        let mut rest = 1;
        for place in 0..length {
            rest += self.pull_bit()? << place;
        }
        rest += (1 << length) - 1;
        i16::try_from(rest - 1).map(|rest| rest + OPEN.cast_signed()).map_err(|_| "a level too large")
    }
}

/// Run and size of a level in one byte; sizes of [`OPEN`] and more look alike.
fn symbol(run: usize, size: u16) -> u8 {
    (size.min(OPEN) as u8 - 1) << 6 | run as u8
}

/// The kind of the symbols of a run that begins at `next`: what is likely differs most between these.
pub(super) fn kind(block: usize, next: usize) -> usize {
    let chroma = if block < 4 { 0 } else { 4 };
    LEVELS
        + match next {
            0 => chroma,
            1..=2 if block < 4 => 1,
            3..=8 if block < 4 => 2,
            _ if block < 4 => 3,
            _ => 5,
        }
}
