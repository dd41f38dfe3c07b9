//! What a key that goes down in the viewer's window is for the host (rules and words: [`crate::protocol::input`]).
//!
//! - With Control, Alt or Super it is a shortcut, on the key with its ASCII label; a Cyrillic key has that of a US keyboard.
//! - Dead keys and the Compose key stay here: what they compose comes as text. In physical mode the host composes.
//! - Caps Lock and Num Lock stay here where their effect is told by [`InputEvent::Locks`].
//! - AltGr and its like choose among characters; they are keys of their own in physical mode only.
//! - What switches between the viewer's layouts stays here: its place may be any key, as Menu or Caps Lock, and the host's may do anything.
//! - A key with one character is that character; with several of them (some scripts) they are text.

use winit::keyboard::{Key as Logical, NamedKey, NativeKey};

use super::keymap;
use crate::protocol::input::{InputEvent, Key, KeyboardMode, Meaning};

/// A key that goes down.
pub(super) struct Stroke<'a> {
    /// Its position, if it has one that hosts know.
    pub(super) key: Option<Key>,
    /// What it is with the modifiers held.
    pub(super) logical: &'a Logical,
    /// What it is without any.
    pub(super) plain: &'a Logical,
    /// What it types.
    pub(super) text: Option<&'a str>,
    /// Whether Control, Alt or Super is held.
    pub(super) chord: bool,
}

/// What it is for the host, if anything. `knows_locks`: whether the state of the locks is told.
pub(super) fn press(stroke: &Stroke<'_>, mode: KeyboardMode, knows_locks: bool) -> Option<InputEvent> {
    let physical = stroke.key.map(|key| InputEvent::Key { key, down: true });
    let meant = |meaning| stroke.key.map(|key| InputEvent::Press { key, meaning });
    match stroke.logical {
        _ if mode == KeyboardMode::Physical && physical.is_some() => physical,
        Logical::Named(NamedKey::CapsLock | NamedKey::NumLock) if knows_locks => None,
        logical if chooses_layout(logical) => None,
        logical if chooses_level(logical) => meant(Meaning::Level),
        _ if stroke.chord => label(stroke).and_then(|label| meant(Meaning::Shortcut(label))).or(physical),
        Logical::Dead(_) | Logical::Named(NamedKey::Compose) => None,
        // Within a sequence that is composed.
        Logical::Unidentified(_) if stroke.text.is_none() && matches!(stroke.plain, Logical::Character(_)) => None,
        _ => match stroke.text.filter(|text| !text.chars().any(char::is_control)) {
            Some(text) => one_character(text)
                .and_then(|character| meant(Meaning::Character(character)))
                .or(Some(InputEvent::Text(text.into()))),
            None => physical,
        },
    }
}

/// Whether a key switches between the viewer's layouts: XKB's groups. Those without a name in `winit` are ISO_Group_Latch to
/// ISO_Last_Group_Lock (keysymdef.h).
fn chooses_layout(logical: &Logical) -> bool {
    use NamedKey::{GroupFirst, GroupLast, GroupNext, GroupPrevious};
    matches!(
        logical,
        Logical::Named(GroupFirst | GroupLast | GroupNext | GroupPrevious) | Logical::Unidentified(NativeKey::Xkb(0xfe06..=0xfe0f))
    )
}

/// Whether a key chooses among the characters of other keys, as AltGr does. Those without a name in `winit` are ISO_Level2_Latch and
/// ISO_Level5_Shift, _Latch and _Lock.
fn chooses_level(logical: &Logical) -> bool {
    use NamedKey::{AltGraph, ModeChange};
    matches!(logical, Logical::Named(AltGraph | ModeChange) | Logical::Unidentified(NativeKey::Xkb(0xfe02 | 0xfe11..=0xfe13)))
}

/// The ASCII character that a key is known by in shortcuts.
fn label(stroke: &Stroke<'_>) -> Option<char> {
    let Logical::Character(plain) = stroke.plain else { return None };
    let ascii = one_character(plain).filter(char::is_ascii_graphic).map(|character| character.to_ascii_lowercase());
    ascii.or_else(|| keymap::character(stroke.key?, false))
}

fn one_character(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Meaning::{Character, Level, Shortcut};

    fn character(text: &str) -> Logical {
        Logical::Character(text.into())
    }

    /// Position, what it is with and without modifiers, text, chord.
    type Case<'a> = (u16, Logical, Logical, Option<&'a str>, bool);

    fn pressed((key, logical, plain, text, chord): &Case<'_>, mode: KeyboardMode) -> Option<InputEvent> {
        press(&Stroke { key: Some(Key(*key)), logical, plain, text: *text, chord: *chord }, mode, true)
    }

    #[test]
    fn each_kind_of_key_is_what_its_rule_says() {
        let named = |name| Logical::Named(name);
        let meant = |key, meaning| Some(InputEvent::Press { key: Key(key), meaning });
        let native = |keysym| Logical::Unidentified(NativeKey::Xkb(keysym));
        let composing = native(0xfe51);
        let cases: [(Case<'_>, Option<InputEvent>); 15] = [
            ((0x1c, character("z"), character("z"), Some("z"), false), meant(0x1c, Character('z'))),
            ((0x14, character("@"), character("q"), Some("@"), false), meant(0x14, Character('@'))),
            ((0x1c, character("z"), character("z"), Some("z"), true), meant(0x1c, Shortcut('z'))),
            ((0x06, character("с"), character("с"), Some("с"), true), meant(0x06, Shortcut('c'))),
            ((0xe6, named(NamedKey::AltGraph), named(NamedKey::AltGraph), None, false), meant(0xe6, Level)),
            ((0xe6, named(NamedKey::Alt), named(NamedKey::Alt), None, true), Some(InputEvent::Key { key: Key(0xe6), down: true })),
            (
                (0x28, named(NamedKey::Enter), named(NamedKey::Enter), Some("\r"), false),
                Some(InputEvent::Key { key: Key(0x28), down: true }),
            ),
            (
                (0x4c, named(NamedKey::Delete), named(NamedKey::Delete), Some("\u{7f}"), true),
                Some(InputEvent::Key { key: Key(0x4c), down: true }),
            ),
            ((0x39, named(NamedKey::CapsLock), named(NamedKey::CapsLock), None, false), None),
            ((0x65, named(NamedKey::GroupNext), named(NamedKey::GroupNext), None, false), None),
            ((0x39, native(0xfe09), native(0xfe09), None, true), None),
            ((0x64, native(0xfe11), native(0xfe11), None, false), meant(0x64, Level)),
            ((0x2e, Logical::Dead(Some('´')), Logical::Dead(Some('´')), None, false), None),
            ((0x08, composing.clone(), character("e"), None, false), None),
            ((0x08, character("ক্ষ"), character("ক"), Some("ক্ষ"), false), Some(InputEvent::Text("ক্ষ".into()))),
        ];
        for (case, expected) in cases {
            assert_eq!(pressed(&case, KeyboardMode::Auto), expected, "{case:?}");
            let physical = Some(InputEvent::Key { key: Key(case.0), down: true });
            assert_eq!(pressed(&case, KeyboardMode::Physical), physical, "{case:?}");
        }
    }

    #[test]
    fn locks_that_nobody_can_read_are_keys() {
        let caps = Logical::Named(NamedKey::CapsLock);
        let stroke = Stroke { key: Some(Key(0x39)), logical: &caps, plain: &caps, text: None, chord: false };
        assert_eq!(press(&stroke, KeyboardMode::Auto, false), Some(InputEvent::Key { key: Key(0x39), down: true }));
    }

    #[test]
    fn a_key_that_hosts_do_not_know_is_its_text() {
        let star = character("*");
        let stroke = |text| Stroke { key: None, logical: &star, plain: &star, text, chord: false };
        assert_eq!(press(&stroke(Some("*")), KeyboardMode::Physical, true), Some(InputEvent::Text("*".into())));
        assert_eq!(press(&stroke(None), KeyboardMode::Auto, true), None);
    }
}
