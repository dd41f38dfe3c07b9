//! The combination that ends everything: Ctrl+Alt+Shift+Escape, by the places of the keys on the keyboard, whatever the layout.
//!
//! Fed with the raw keys of real devices. Either key of a pair will do; other keys that are held do not matter.

use crate::{desktop::keys, protocol::input::Key};

/// The keys of the combination, each with its twin: Control, Shift, Alt and Escape, as USB HID usages.
const KEYS: [[u16; 2]; 4] = [[0xe0, 0xe4], [0xe1, 0xe5], [0xe2, 0xe6], [0x29, 0x29]];

/// Which of the combination's keys are down.
#[derive(Debug, Default)]
pub(super) struct Chord {
    down: [[bool; 2]; 4],
}

impl Chord {
    /// A key went down. True: with it all of them are.
    pub(super) fn press(&mut self, keycode: u32) -> bool {
        let was_whole = self.is_whole();
        self.set(keycode, true);
        !was_whole && self.is_whole()
    }

    /// A key went up.
    pub(super) fn release(&mut self, keycode: u32) {
        self.set(keycode, false);
    }

    /// A keyboard came or went: what it held is not known any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn is_whole(&self) -> bool {
        self.down.iter().all(|[one, other]| *one || *other)
    }

    fn set(&mut self, keycode: u32, down: bool) {
        for (usage, state) in KEYS.as_flattened().iter().zip(self.down.as_flattened_mut()) {
            if keys::evdev(Key(*usage)).is_some_and(|code| u32::from(code) + 8 == keycode) {
                *state = down;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left Control, left Shift, left Alt, Escape; right Control; A: as an X server numbers them.
    const ALL: [u32; 4] = [37, 50, 64, 9];
    const RIGHT_CONTROL: u32 = 105;
    const A: u32 = 38;

    #[test]
    fn it_takes_all_four_keys_in_any_order_and_tells_once() {
        for last in ALL {
            let mut chord = Chord::default();
            let mut rest = ALL.into_iter().filter(|key| *key != last);
            assert!(!chord.press(A) && rest.all(|key| !chord.press(key)));
            assert!(chord.press(last) && !chord.press(last), "told once");
        }
    }

    #[test]
    fn a_key_that_was_let_go_counts_no_more_and_its_twin_does() {
        let mut chord = Chord::default();
        assert!(ALL[..3].iter().all(|key| !chord.press(*key)));
        chord.release(ALL[0]);
        assert!(!chord.press(ALL[3]));
        assert!(chord.press(RIGHT_CONTROL));
        chord.forget();
        assert!(!chord.press(ALL[3]));
    }
}
