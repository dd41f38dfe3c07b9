//! Keys by name and by place: one table from a key's USB HID usage to its winit code and its names.
//!
//! Names are those of X (`Return`, `Prior`) and plain ones (`enter`, `pageup`), in any case. A letter, a digit or a sign is the key where a
//! US keyboard has it, and means that character: on another layout the host finds it elsewhere, except in physical mode. A sign
//! that needs Shift on a US keyboard brings Shift along.

use winit::keyboard::KeyCode;

use crate::protocol::input::{InputEvent, Key, Meaning};

/// The left Shift key.
const SHIFT: Key = Key(0xe1);
/// Keys that make shortcuts of others: Control, left Alt, Super.
const CHORD: [Key; 5] = [Key(0xe0), Key(0xe2), Key(0xe3), Key(0xe4), Key(0xe7)];
/// With it held, what a key gives differs too much among layouts to mean anything.
const ALT_GR: Key = Key(0xe6);
/// More keys at once than this are a mistake.
const MAX_COMBO: usize = 8;

/// USB HID Usage Tables 1.5, §10, with the code that winit (the W3C's `KeyboardEvent.code`) has for the same key, and its names.
const KEYS: &[(u16, KeyCode, &str)] = &[
    (0x04, KeyCode::KeyA, "a"),
    (0x05, KeyCode::KeyB, "b"),
    (0x06, KeyCode::KeyC, "c"),
    (0x07, KeyCode::KeyD, "d"),
    (0x08, KeyCode::KeyE, "e"),
    (0x09, KeyCode::KeyF, "f"),
    (0x0a, KeyCode::KeyG, "g"),
    (0x0b, KeyCode::KeyH, "h"),
    (0x0c, KeyCode::KeyI, "i"),
    (0x0d, KeyCode::KeyJ, "j"),
    (0x0e, KeyCode::KeyK, "k"),
    (0x0f, KeyCode::KeyL, "l"),
    (0x10, KeyCode::KeyM, "m"),
    (0x11, KeyCode::KeyN, "n"),
    (0x12, KeyCode::KeyO, "o"),
    (0x13, KeyCode::KeyP, "p"),
    (0x14, KeyCode::KeyQ, "q"),
    (0x15, KeyCode::KeyR, "r"),
    (0x16, KeyCode::KeyS, "s"),
    (0x17, KeyCode::KeyT, "t"),
    (0x18, KeyCode::KeyU, "u"),
    (0x19, KeyCode::KeyV, "v"),
    (0x1a, KeyCode::KeyW, "w"),
    (0x1b, KeyCode::KeyX, "x"),
    (0x1c, KeyCode::KeyY, "y"),
    (0x1d, KeyCode::KeyZ, "z"),
    (0x1e, KeyCode::Digit1, "1"),
    (0x1f, KeyCode::Digit2, "2"),
    (0x20, KeyCode::Digit3, "3"),
    (0x21, KeyCode::Digit4, "4"),
    (0x22, KeyCode::Digit5, "5"),
    (0x23, KeyCode::Digit6, "6"),
    (0x24, KeyCode::Digit7, "7"),
    (0x25, KeyCode::Digit8, "8"),
    (0x26, KeyCode::Digit9, "9"),
    (0x27, KeyCode::Digit0, "0"),
    (0x28, KeyCode::Enter, "return enter"),
    (0x29, KeyCode::Escape, "escape esc"),
    (0x2a, KeyCode::Backspace, "backspace"),
    (0x2b, KeyCode::Tab, "tab"),
    (0x2c, KeyCode::Space, "space"),
    (0x2d, KeyCode::Minus, "minus -"),
    (0x2e, KeyCode::Equal, "equal ="),
    (0x2f, KeyCode::BracketLeft, "bracketleft ["),
    (0x30, KeyCode::BracketRight, "bracketright ]"),
    (0x31, KeyCode::Backslash, "backslash \\"),
    (0x33, KeyCode::Semicolon, "semicolon ;"),
    (0x34, KeyCode::Quote, "apostrophe quote '"),
    (0x35, KeyCode::Backquote, "grave backquote `"),
    (0x36, KeyCode::Comma, "comma ,"),
    (0x37, KeyCode::Period, "period dot ."),
    (0x38, KeyCode::Slash, "slash /"),
    (0x39, KeyCode::CapsLock, "caps_lock capslock"),
    (0x3a, KeyCode::F1, "f1"),
    (0x3b, KeyCode::F2, "f2"),
    (0x3c, KeyCode::F3, "f3"),
    (0x3d, KeyCode::F4, "f4"),
    (0x3e, KeyCode::F5, "f5"),
    (0x3f, KeyCode::F6, "f6"),
    (0x40, KeyCode::F7, "f7"),
    (0x41, KeyCode::F8, "f8"),
    (0x42, KeyCode::F9, "f9"),
    (0x43, KeyCode::F10, "f10"),
    (0x44, KeyCode::F11, "f11"),
    (0x45, KeyCode::F12, "f12"),
    (0x46, KeyCode::PrintScreen, "print printscreen"),
    (0x47, KeyCode::ScrollLock, "scroll_lock scrolllock"),
    (0x48, KeyCode::Pause, "pause"),
    (0x49, KeyCode::Insert, "insert ins"),
    (0x4a, KeyCode::Home, "home"),
    (0x4b, KeyCode::PageUp, "prior page_up pageup"),
    (0x4c, KeyCode::Delete, "delete del"),
    (0x4d, KeyCode::End, "end"),
    (0x4e, KeyCode::PageDown, "next page_down pagedown"),
    (0x4f, KeyCode::ArrowRight, "right"),
    (0x50, KeyCode::ArrowLeft, "left"),
    (0x51, KeyCode::ArrowDown, "down"),
    (0x52, KeyCode::ArrowUp, "up"),
    (0x53, KeyCode::NumLock, "num_lock numlock"),
    (0x54, KeyCode::NumpadDivide, "kp_divide"),
    (0x55, KeyCode::NumpadMultiply, "kp_multiply"),
    (0x56, KeyCode::NumpadSubtract, "kp_subtract"),
    (0x57, KeyCode::NumpadAdd, "kp_add"),
    (0x58, KeyCode::NumpadEnter, "kp_enter"),
    (0x59, KeyCode::Numpad1, "kp_1 kp_end"),
    (0x5a, KeyCode::Numpad2, "kp_2 kp_down"),
    (0x5b, KeyCode::Numpad3, "kp_3 kp_next"),
    (0x5c, KeyCode::Numpad4, "kp_4 kp_left"),
    (0x5d, KeyCode::Numpad5, "kp_5 kp_begin"),
    (0x5e, KeyCode::Numpad6, "kp_6 kp_right"),
    (0x5f, KeyCode::Numpad7, "kp_7 kp_home"),
    (0x60, KeyCode::Numpad8, "kp_8 kp_up"),
    (0x61, KeyCode::Numpad9, "kp_9 kp_prior"),
    (0x62, KeyCode::Numpad0, "kp_0 kp_insert"),
    (0x63, KeyCode::NumpadDecimal, "kp_decimal kp_delete"),
    (0x64, KeyCode::IntlBackslash, "less intlbackslash"),
    (0x65, KeyCode::ContextMenu, "menu contextmenu"),
    (0x66, KeyCode::Power, "power"),
    (0x67, KeyCode::NumpadEqual, "kp_equal"),
    (0x68, KeyCode::F13, "f13"),
    (0x69, KeyCode::F14, "f14"),
    (0x6a, KeyCode::F15, "f15"),
    (0x6b, KeyCode::F16, "f16"),
    (0x6c, KeyCode::F17, "f17"),
    (0x6d, KeyCode::F18, "f18"),
    (0x6e, KeyCode::F19, "f19"),
    (0x6f, KeyCode::F20, "f20"),
    (0x70, KeyCode::F21, "f21"),
    (0x71, KeyCode::F22, "f22"),
    (0x72, KeyCode::F23, "f23"),
    (0x73, KeyCode::F24, "f24"),
    (0x75, KeyCode::Help, "help"),
    (0x7a, KeyCode::Undo, "undo"),
    (0x7b, KeyCode::Cut, "cut"),
    (0x7c, KeyCode::Copy, "copy"),
    (0x7d, KeyCode::Paste, "paste"),
    (0x7e, KeyCode::Find, "find"),
    (0x7f, KeyCode::AudioVolumeMute, "mute volumemute"),
    (0x80, KeyCode::AudioVolumeUp, "volumeup"),
    (0x81, KeyCode::AudioVolumeDown, "volumedown"),
    (0x85, KeyCode::NumpadComma, "kp_separator"),
    (0x87, KeyCode::IntlRo, "ro"),
    (0x88, KeyCode::KanaMode, "kana"),
    (0x89, KeyCode::IntlYen, "yen"),
    (0x8a, KeyCode::Convert, "henkan"),
    (0x8b, KeyCode::NonConvert, "muhenkan"),
    (0x90, KeyCode::Lang1, "hangul"),
    (0x91, KeyCode::Lang2, "hanja"),
    (0xe0, KeyCode::ControlLeft, "ctrl control control_l"),
    (0xe1, KeyCode::ShiftLeft, "shift shift_l"),
    (0xe2, KeyCode::AltLeft, "alt alt_l"),
    (0xe3, KeyCode::SuperLeft, "super super_l win cmd meta"),
    (0xe4, KeyCode::ControlRight, "control_r rctrl"),
    (0xe5, KeyCode::ShiftRight, "shift_r rshift"),
    (0xe6, KeyCode::AltRight, "alt_r ralt altgr iso_level3_shift"),
    (0xe7, KeyCode::SuperRight, "super_r rsuper"),
];

/// Signs that need Shift on a US keyboard, each with the sign on the same key that does not, and X's name for the former.
const SHIFTED: &[(char, char, &str)] = &[
    ('!', '1', "exclam"),
    ('@', '2', "at"),
    ('#', '3', "numbersign"),
    ('$', '4', "dollar"),
    ('%', '5', "percent"),
    ('^', '6', "asciicircum"),
    ('&', '7', "ampersand"),
    ('*', '8', "asterisk"),
    ('(', '9', "parenleft"),
    (')', '0', "parenright"),
    ('_', '-', "underscore"),
    ('+', '=', "plus"),
    ('{', '[', "braceleft"),
    ('}', ']', "braceright"),
    ('|', '\\', "bar"),
    (':', ';', "colon"),
    ('"', '\'', "quotedbl"),
    ('~', '`', "asciitilde"),
    ('<', ',', "lessthan"),
    ('>', '.', "greater"),
    ('?', '/', "question"),
];

/// The key with this name, in any case.
#[must_use]
pub fn by_name(name: &str) -> Option<Key> {
    let has_name = |names: &str| names.split(' ').any(|known| known.eq_ignore_ascii_case(name));
    KEYS.iter().find(|(_, _, names)| has_name(names)).map(|(usage, _, _)| Key(*usage))
}

/// The key that winit reports with this code.
#[must_use]
pub fn by_code(code: KeyCode) -> Option<Key> {
    KEYS.iter().find(|(_, known, _)| *known == code).map(|(usage, _, _)| Key(*usage))
}

/// The first name of a key.
#[must_use]
pub fn name(key: Key) -> Option<&'static str> {
    let (_, _, names) = KEYS.iter().find(|(usage, _, _)| *usage == key.0)?;
    names.split(' ').next()
}

/// What a key types on a US keyboard, without and with Shift.
#[must_use]
pub fn character(key: Key, with_shift: bool) -> Option<char> {
    const SPACE: Key = Key(0x2c);
    let (_, _, names) = KEYS.iter().find(|(usage, _, names)| *usage == key.0 && !names.starts_with("kp_"))?;
    let plain = names.split(' ').filter(|name| name.len() == 1).find_map(|name| name.chars().next());
    let plain = plain.or((key == SPACE).then_some(' '))?;
    let shifted = SHIFTED.iter().find(|(_, under, _)| *under == plain).map_or(plain.to_ascii_uppercase(), |(sign, _, _)| *sign);
    Some(if with_shift { shifted } else { plain })
}

/// The events of a combination like `ctrl+shift+t` or `ctrl++`: presses in order, releases in reverse.
///
/// # Errors
/// Says which part is not the name of a key.
pub fn combo(text: &str) -> Result<Vec<InputEvent>, String> {
    let mut keys = Vec::new();
    for part in parts(text) {
        let known = by_name(part).map(|key| (key, false)).or_else(|| shifted(part).map(|key| (key, true)));
        let (key, with_shift) = known.ok_or_else(|| format!("\"{part}\" is not a key; try ctrl+s, Return, F5, Left or a"))?;
        if with_shift && !keys.contains(&SHIFT) {
            keys.push(SHIFT);
        }
        keys.push(key);
    }
    if keys.is_empty() || keys.len() > MAX_COMBO {
        return Err(format!("a combination has one to {MAX_COMBO} keys, like ctrl+s"));
    }
    let presses = keys.iter().map(|key| press(*key, &keys));
    Ok(presses.chain(keys.iter().rev().map(|key| InputEvent::Key { key: *key, down: false })).collect())
}

/// A key that goes down as one of a combination.
fn press(key: Key, combo: &[Key]) -> InputEvent {
    let is_chord = combo.iter().any(|key| CHORD.contains(key));
    let meaning = match character(key, !is_chord && combo.contains(&SHIFT)).filter(|_| !combo.contains(&ALT_GR)) {
        Some(character) if is_chord => Meaning::Shortcut(character),
        Some(character) => Meaning::Character(character),
        None => return InputEvent::Key { key, down: true },
    };
    InputEvent::Press { key, meaning }
}

/// Splits at `+`; a `+` where a name should be is the key itself.
fn parts(text: &str) -> Vec<&str> {
    let (rest, plus) = match text.strip_suffix('+') {
        Some("") => (None, Some("+")),
        Some(rest) => (Some(rest.strip_suffix('+').unwrap_or(rest)), Some("+")),
        None => (Some(text), None),
    };
    rest.into_iter().flat_map(|rest| rest.split('+')).chain(plus).map(str::trim).collect()
}

fn shifted(name: &str) -> Option<Key> {
    let is_it =
        |sign: char, known: &str| name.eq_ignore_ascii_case(known) || (name.starts_with(sign) && name.len() == sign.len_utf8());
    let (_, plain, _) = SHIFTED.iter().find(|(sign, _, known)| is_it(*sign, known))?;
    by_name(plain.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn pressed(text: &str) -> Vec<u16> {
        let events = combo(text).expect("a combination");
        let keys: Vec<u16> = events
            .iter()
            .filter_map(|event| match event {
                InputEvent::Key { key, down: true } | InputEvent::Press { key, .. } => Some(key.0),
                _ => None,
            })
            .collect();
        let released: Vec<u16> = events
            .iter()
            .rev()
            .filter_map(|event| if let InputEvent::Key { key, down: false } = event { Some(key.0) } else { None })
            .collect();
        assert_eq!(keys, released, "released in reverse");
        keys
    }

    #[test]
    fn every_key_has_one_usage_one_code_and_names_of_its_own() {
        let (mut usages, mut codes, mut names) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (usage, code, all) in KEYS {
            assert!(usages.insert(*usage), "usage {usage:#x} twice");
            assert!(codes.insert(*code), "{code:?} twice");
            assert_eq!(by_code(*code), Some(Key(*usage)));
            for each in all.split(' ') {
                assert!(names.insert(each), "{each} twice");
                assert_eq!(by_name(&each.to_uppercase()), Some(Key(*usage)));
            }
            assert_eq!(name(Key(*usage)).and_then(by_name), Some(Key(*usage)));
        }
    }

    #[test]
    fn the_105_keys_of_a_pc_keyboard_are_there() {
        let places = (0x04..=0x65).filter(|usage| *usage != 0x32).chain(0xe0..=0xe7);
        let missing: Vec<u16> = places.filter(|usage| name(Key(*usage)).is_none()).collect();
        assert!(missing.is_empty(), "{missing:x?}");
    }

    #[test]
    fn combinations_press_in_order_and_release_in_reverse() {
        assert_eq!(pressed("ctrl+s"), [0xe0, 0x16]);
        assert_eq!(pressed("Ctrl+Alt+Delete"), [0xe0, 0xe2, 0x4c]);
        assert_eq!(pressed("RETURN"), [0x28]);
    }

    #[test]
    fn letters_digits_and_signs_mean_themselves() {
        let meaning = |text: &str| match combo(text)
            .expect("a combination")
            .into_iter()
            .rfind(|event| !matches!(event, InputEvent::Key { down: false, .. }))
        {
            Some(InputEvent::Press { meaning, .. }) => Some(meaning),
            _ => None,
        };
        assert_eq!(meaning("a"), Some(Meaning::Character('a')));
        assert_eq!(meaning("shift+a"), Some(Meaning::Character('A')));
        assert_eq!(meaning("?"), Some(Meaning::Character('?')));
        assert_eq!(meaning("space"), Some(Meaning::Character(' ')));
        assert_eq!(meaning("ctrl+shift+z"), Some(Meaning::Shortcut('z')));
        assert_eq!(meaning("ctrl++"), Some(Meaning::Shortcut('=')));
        for position in ["Return", "kp_1", "altgr+q", "ctrl+alt+delete", "less"] {
            assert_eq!(meaning(position), None, "{position}");
        }
    }

    #[test]
    fn combinations_that_systems_keep_for_themselves_are_there() {
        for (text, keys) in [
            ("ctrl+alt+delete", vec![0xe0, 0xe2, 0x4c]),
            ("ctrl+alt+backspace", vec![0xe0, 0xe2, 0x2a]),
            ("ctrl+alt+f2", vec![0xe0, 0xe2, 0x3b]),
            ("ctrl+escape", vec![0xe0, 0x29]),
            ("alt+tab", vec![0xe2, 0x2b]),
            ("alt+f4", vec![0xe2, 0x3d]),
            ("alt+printscreen", vec![0xe2, 0x46]),
            ("super", vec![0xe3]),
            ("super+l", vec![0xe3, 0x0f]),
            ("printscreen", vec![0x46]),
            ("pause", vec![0x48]),
        ] {
            assert_eq!(pressed(text), keys, "{text}");
        }
    }

    #[test]
    fn signs_bring_shift_along_and_plus_is_a_key_too() {
        assert_eq!(pressed("!"), [0xe1, 0x1e]);
        assert_eq!(pressed("ctrl++"), [0xe0, 0xe1, 0x2e]);
        assert_eq!(pressed("+"), [0xe1, 0x2e]);
        assert_eq!(pressed("shift+?"), [0xe1, 0x38]);
    }

    #[test]
    fn what_is_no_key_is_refused_by_name() {
        assert!(combo("ctrl+flurb").is_err_and(|text| text.contains("flurb")));
        assert!(combo("").is_err());
        assert!(combo("ctrl++s").is_err());
        assert!(combo("a+b+c+d+e+f+g+h+i").is_err());
    }
}
