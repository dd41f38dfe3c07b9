//! Colours by number: the same colour has the same number all session long, so that text that comes back compresses as text.
//!
//! Numbers are given in order of first appearance; when there are hardly any left, all start anew. A pixel is one byte for the first [`SHORT`] colours and two
//! for the others: no bit packing, which would only hide repetition from zstd.

use std::collections::HashMap;

/// Colours whose number fits a byte.
pub(super) const SHORT: usize = 192;
/// The most colours: what two bytes can tell.
pub(super) const MAX_COLOURS: usize = SHORT + (256 - SHORT) * 256;

const RECENT_LOG: u32 = 10;
/// X is always 0.
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

/// Appends a number, so many times.
pub(super) fn write_index(number: u16, times: usize, out: &mut Vec<u8>) {
    let number = usize::from(number);
    if number < SHORT {
        out.resize(out.len() + times, number as u8);
    } else {
        let bytes = [(SHORT + ((number - SHORT) >> 8)) as u8, (number - SHORT) as u8];
        (0..times).for_each(|_| out.extend(bytes));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_in_one_byte_or_two() {
        for number in (0..MAX_COLOURS).step_by(7).chain([SHORT - 1, SHORT, MAX_COLOURS - 1]) {
            let mut bytes = Vec::new();
            write_index(number as u16, 1, &mut bytes);
            assert_eq!(bytes.len(), if number < SHORT { 1 } else { 2 });
            let mut rest = &bytes[..];
            assert_eq!((read_index(&mut rest), rest.len()), (Ok(number), 0));
        }
        for bytes in [&[][..], &[SHORT as u8], &[255]] {
            assert_eq!(read_index(&mut &*bytes), Err("truncated"));
        }
    }

    #[test]
    fn a_colour_keeps_its_number_until_it_is_taken_back() {
        let mut colours = Colours::default();
        assert_eq!([7, 8, 7].map(|colour| colours.enter(colour)), [Some(0), Some(1), Some(0)]);
        assert_eq!(colours.since(1), [8]);
        colours.forget_since(1);
        assert_eq!((colours.enter(7), colours.len()), (Some(0), 1));
        assert_eq!(colours.enter(9), Some(1));
        (0..MAX_COLOURS as u32 - 2).for_each(|colour| assert!(colours.enter(100 + colour).is_some()));
        assert_eq!((colours.enter(99), colours.enter(9)), (None, Some(1)), "there are no more");
    }
}
