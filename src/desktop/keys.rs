//! Physical keys: from USB HID usages to Linux key codes.
//!
//! The pairs are facts of two public tables: HID Usage Tables 1.5, §10 (keyboard page), and `linux/input-event-codes.h`.

use crate::protocol::input::Key;

/// The Linux (evdev) code of `key`. X11 adds 8 to it.
pub(super) fn evdev(key: Key) -> Option<u16> {
    let (first, codes) = TABLE.iter().rev().find(|(first, _)| *first <= key.0)?;
    let code = *codes.get(usize::from(key.0 - first))?;
    (code != 0).then_some(u16::from(code))
}

/// Runs of usages: the first one, then the code of each; 0 where Linux has none. In rising order.
#[rustfmt::skip]
const TABLE: [(u16, &[u8]); 6] = [
    // A to Z
    (0x04, &[30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44]),
    // 1 to 0; Enter, Escape, Backspace, Tab, Space; - = [ ] \ (and the ISO key beside Enter) ; ' ` , . /; Caps Lock
    (0x1e, &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 28, 1, 14, 15, 57, 12, 13, 26, 27, 43, 43, 39, 40, 41, 51, 52, 53, 58]),
    // F1 to F12; Print Screen, Scroll Lock, Pause; Insert, Home, Page Up, Delete, End, Page Down; right, left, down, up
    (0x3a, &[59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 87, 88, 99, 70, 119, 110, 102, 104, 111, 107, 109, 106, 105, 108, 103]),
    // Num Lock; keypad / * - + Enter, 1 to 0, dot; the ISO key beside left Shift; Menu, Power; keypad =; F13 to F24
    (0x53, &[69, 98, 55, 74, 78, 96, 79, 80, 81, 75, 76, 77, 71, 72, 73, 82, 83, 86, 127, 116, 117,
             183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194,
    // Open, Help, Props, Front, Stop, Again, Undo, Cut, Copy, Paste, Find; mute, louder, quieter; (locking keys); keypad comma; -
             134, 138, 130, 132, 128, 129, 131, 137, 133, 135, 136, 113, 115, 114, 0, 0, 0, 121, 0,
    // Ro, Katakana/Hiragana, Yen, Henkan, Muhenkan, keypad comma (Japanese); -; Hangul, Hanja, Katakana, Hiragana, Zenkaku/Hankaku
             89, 93, 124, 92, 94, 95, 0, 0, 0, 122, 123, 90, 91, 85]),
    // left Control, Shift, Alt, Super; right Control, Shift, Alt, Super
    (0xe0, &[29, 42, 56, 125, 97, 54, 100, 126]),
    // Reserved on the page, but sent by real keyboards: play/pause, stop, previous, next, eject, louder, quieter, mute
    (0xe8, &[164, 166, 165, 163, 161, 115, 114, 113]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_of_every_run_are_at_their_place() {
        let pairs = [
            (0x04, Some(30)),  // A
            (0x1d, Some(44)),  // Z
            (0x27, Some(11)),  // 0
            (0x28, Some(28)),  // Enter
            (0x2c, Some(57)),  // Space
            (0x38, Some(53)),  // /
            (0x39, Some(58)),  // Caps Lock
            (0x45, Some(88)),  // F12
            (0x4c, Some(111)), // Delete
            (0x52, Some(103)), // up
            (0x53, Some(69)),  // Num Lock
            (0x63, Some(83)),  // keypad dot
            (0x64, Some(86)),  // ISO key
            (0x65, Some(127)), // Menu
            (0x68, Some(183)), // F13
            (0x73, Some(194)), // F24
            (0x7f, Some(113)), // mute
            (0x81, Some(114)), // quieter
            (0x82, None),
            (0x87, Some(89)), // Ro
            (0x94, Some(85)), // Zenkaku/Hankaku
            (0x95, None),
            (0xe0, Some(29)),  // left Control
            (0xe6, Some(100)), // AltGr
            (0xef, Some(113)),
            (0xf0, None),
            (0x00, None),
            (u16::MAX, None),
        ];
        for (usage, code) in pairs {
            assert_eq!(evdev(Key(usage)), code, "{usage:#04x}");
        }
    }

    #[test]
    fn every_code_is_an_x11_keycode() {
        assert!((0..=u16::MAX).filter_map(|usage| evdev(Key(usage))).all(|code| (1..=247).contains(&code)));
    }
}
