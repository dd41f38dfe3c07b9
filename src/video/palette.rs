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
    /// The numbers asked for last. Kept for its memory.
    asked: Vec<u16>,
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

    /// The numbers of `pixels`, in their order, entering at most `most_new` colours; takes everything back and gives nothing if there are
    /// more, or no numbers left.
    pub(super) fn enter(&mut self, pixels: &[u32], most_new: usize) -> Option<&[u16]> {
        let known = self.known.len();
        let most = (known + most_new).min(MAX_COLOURS);
        self.asked.resize(self.asked.len().max(pixels.len()), 0);
        for (at, pixel) in pixels.iter().enumerate() {
            // Always by way of the recent ones: whether a pixel is like the one before it is more than a processor can guess.
            let (recent, number) = *self.recent.of(*pixel);
            self.asked[at] = number;
            if recent != *pixel {
                let Some(number) = self.number(*pixel, most) else {
                    self.forget_since(known);
                    return None;
                };
                *self.recent.of(*pixel) = (*pixel, number);
                self.asked[at] = number;
            }
        }
        Some(&self.asked[..pixels.len()])
    }

    /// Its number, a new one if need be and if there are fewer than `most`.
    fn number(&mut self, colour: u32, most: usize) -> Option<u16> {
        if let Some(number) = self.numbers.get(&colour) {
            return Some(*number);
        }
        if self.known.len() >= most {
            return None;
        }
        let number = self.known.len() as u16;
        self.known.push(colour);
        self.numbers.insert(colour, number);
        Some(number)
    }

    /// The colours numbered from `first` on.
    pub(super) fn since(&self, first: usize) -> &[u32] {
        &self.known[first..]
    }

    /// Takes back the numbers from `first` on.
    fn forget_since(&mut self, first: usize) {
        for colour in self.known.drain(first..) {
            self.numbers.remove(&colour);
            *self.recent.of(colour) = (NO_COLOUR, 0);
        }
    }
}

/// Appends numbers.
pub(super) fn write_indices(numbers: &[u16], out: &mut Vec<u8>) {
    let is_long = |number: &u16| usize::from(*number) >= SHORT;
    if !numbers.iter().fold(false, |any, number| any | is_long(number)) {
        return out.extend(numbers.iter().map(|number| *number as u8));
    }
    for number in numbers {
        let number = usize::from(*number);
        if number < SHORT {
            out.push(number as u8);
        } else {
            out.extend([(SHORT + ((number - SHORT) >> 8)) as u8, (number - SHORT) as u8]);
        }
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
            write_indices(&[number as u16], &mut bytes);
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
        assert_eq!(colours.enter(&[7, 8, 7], 2), Some(&[0, 1, 0][..]));
        assert_eq!(colours.since(1), [8]);
        assert_eq!(colours.enter(&[9, 8, 10], 1), None);
        assert_eq!((colours.len(), colours.enter(&[8, 7], 0)), (2, Some(&[1, 0][..])));
        let all: Vec<u32> = (10..).take(MAX_COLOURS - 2).collect();
        assert_eq!(colours.enter(&all, MAX_COLOURS).map(|numbers| numbers[0]), Some(2));
        assert_eq!(colours.enter(&[9], 1), None, "there are no more");
        assert_eq!(colours.enter(&[10], 1), Some(&[2][..]));
    }
}
