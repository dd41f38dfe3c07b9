//! Colours by number: the same colour has the same number all session long, so that text that comes back compresses as text.
//!
//! Numbers are given in order of first appearance and never again. A pixel is one byte for the first [`SHORT`] colours and two
//! for the others: no bit packing, which would only hide repetition from zstd.

use std::collections::HashMap;

/// Colours whose number fits a byte.
pub(super) const SHORT: usize = 192;
/// The most colours: what two bytes can tell.
pub(super) const MAX_COLOURS: usize = SHORT + (256 - SHORT) * 256;

const RECENT_LOG: u32 = 10;
/// X is never set.
const NO_COLOUR: u32 = u32::MAX;

/// The encoder's table.
#[derive(Default)]
pub(super) struct Colours {
    numbers: HashMap<u32, u16>,
    /// By number.
    known: Vec<u32>,
    /// Colours and their numbers asked for last, by a hash: most are.
    recent: Recent,
}

struct Recent([(u32, u16); 1 << RECENT_LOG]);

impl Default for Recent {
    fn default() -> Self {
        Self([(NO_COLOUR, 0); 1 << RECENT_LOG])
    }
}

impl Recent {
    fn of(&mut self, colour: u32) -> &mut (u32, u16) {
        &mut self.0[(colour.wrapping_mul(0x9e37_79b1) >> (32 - RECENT_LOG)) as usize]
    }
}

impl Colours {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Its number, a new one if need be; `None` if there are no more.
    pub(super) fn enter(&mut self, colour: u32) -> Option<u16> {
        let (recent, number) = *self.recent.of(colour);
        if recent == colour {
            return Some(number);
        }
        let number = self.number(colour)?;
        *self.recent.of(colour) = (colour, number);
        Some(number)
    }

    fn number(&mut self, colour: u32) -> Option<u16> {
        if let Some(number) = self.numbers.get(&colour) {
            return Some(*number);
        }
        let number = u16::try_from(self.known.len()).ok()?;
        if self.known.len() == MAX_COLOURS {
            return None;
        }
        self.known.push(colour);
        self.numbers.insert(colour, number);
        Some(number)
    }

    /// The colours numbered from `first` on.
    pub(super) fn since(&self, first: usize) -> &[u32] {
        &self.known[first..]
    }

    /// Takes back the numbers from `first` on.
    pub(super) fn forget_since(&mut self, first: usize) {
        for colour in self.known.drain(first..) {
            self.numbers.remove(&colour);
            *self.recent.of(colour) = (NO_COLOUR, 0);
        }
    }
}

/// Appends a number.
pub(super) fn write_index(number: u16, out: &mut Vec<u8>) {
    let number = usize::from(number);
    if number < SHORT {
        out.push(number as u8);
    } else {
        out.extend([(SHORT + ((number - SHORT) >> 8)) as u8, (number - SHORT) as u8]);
    }
}

/// Takes a number off the front.
pub(super) fn read_index(bytes: &mut &[u8]) -> Result<usize, &'static str> {
    let first = usize::from(*bytes.split_off_first().ok_or("truncated")?);
    if first < SHORT {
        return Ok(first);
    }
    let second = usize::from(*bytes.split_off_first().ok_or("truncated")?);
    Ok(SHORT + ((first - SHORT) << 8) + second)
}
