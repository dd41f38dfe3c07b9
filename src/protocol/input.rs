//! Input events and what is held down.
//!
//! Keys are physical positions (USB HID usage IDs, usage page 7), so every key-down has its key-up. A press may say too what the
//! viewer's layout makes of it ([`Meaning`]): where the host's layout makes something else of that position, the host presses
//! another key, and lets go of that one at the key-up. Text that has no position (IME, `type TEXT`) travels as text.
//!
//! | event | when | the host |
//! |---|---|---|
//! | `Key` | the key has no character; any key in physical mode | presses the position |
//! | `Press`, `Character` | the key gives this character | presses the position if that gives it now, else a key that does |
//! | `Press`, `Translated` | the same in translate mode | looks for the character first of all |
//! | `Press`, `Shortcut` | Control, Alt or Super is held | presses the key with that label, else the position |
//! | `Press`, `Level` | AltGr and its like | presses the position if it is such a key there too; else characters find their level alone |
//! | `Locks` | before a key, when they changed | has Caps Lock and Num Lock alike |
//! | `Text` | the viewer composed it: IME, dead keys | types it |
//!
//! Dead keys are the viewer's to compose: none is sent but in physical mode. Caps Lock and Num Lock are not sent as keys where
//! `Locks` tells their effect: they would be toggled twice.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A physical key: USB HID usage ID on the keyboard page (USB HID Usage Tables 1.5, §10). `0x04` is the key labelled A on a US keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(pub u16);

/// A pointer button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Button {
    /// The primary button.
    Left,
    /// The wheel's button.
    Middle,
    /// The secondary button.
    Right,
    /// The fourth button ("back").
    Back,
    /// The fifth button ("forward").
    Forward,
}

/// What the viewer's layout makes of a key that goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meaning {
    /// This character.
    Character(char),
    /// This character, and the position shall not be tried first.
    Translated(char),
    /// A shortcut on the key with this ASCII label, since Control, Alt or Super is held.
    Shortcut(char),
    /// It chooses among the characters of other keys, as AltGr does.
    Level,
}

/// How keys are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeyboardMode {
    /// By position where both layouts agree, else by character.
    #[default]
    Auto,
    /// By position, whatever is printed on the keys: for games.
    Physical,
    /// By character.
    Translate,
}

impl KeyboardMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Physical, Self::Translate];

    /// The word used on the command line and in lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Physical => "physical",
            Self::Translate => "translate",
        }
    }
}

/// Which locks are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locks {
    /// Caps Lock.
    pub caps: bool,
    /// Num Lock.
    pub num: bool,
}

/// The longest text in one [`InputEvent::Text`], in bytes.
pub const MAX_TEXT: usize = 4096;

/// Something that the viewer's user did, for the host to do again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputEvent {
    /// The pointer is at this pixel of the shared picture (0,0 is its top left). The newest one wins.
    Motion {
        /// Pixels from the left edge of the picture.
        x: u16,
        /// Pixels from the top edge of the picture.
        y: u16,
    },
    /// A button went down or up.
    Button {
        /// Which one.
        button: Button,
        /// Down or up.
        down: bool,
    },
    /// The wheel turned, in notches; positive is right and down.
    Scroll {
        /// Notches to the right.
        dx: i16,
        /// Notches down.
        dy: i16,
    },
    /// A key went down or up. Auto-repeat is the host's business: repeats are not sent.
    Key {
        /// The physical key.
        key: Key,
        /// Down or up.
        down: bool,
    },
    /// Type this text, whatever the host's layout; at most [`MAX_TEXT`] bytes.
    Text(String),
    /// A key went down that means something in the viewer's layout; its release is a [`InputEvent::Key`].
    Press {
        /// The physical key.
        key: Key,
        /// What it means.
        meaning: Meaning,
    },
    /// The viewer's locks; the host brings its own in line.
    Locks(Locks),
}

impl InputEvent {
    /// Whether a newer event of the same kind makes this one pointless. Only motion may ever be dropped: never a key-up.
    #[must_use]
    pub fn is_droppable(&self) -> bool {
        matches!(self, Self::Motion { .. })
    }

    /// Whether it needs the keyboard permission; all others need the mouse permission.
    #[must_use]
    pub fn is_keyboard(&self) -> bool {
        matches!(self, Self::Key { .. } | Self::Press { .. } | Self::Text(_) | Self::Locks(_))
    }

    /// The event as the viewer's user wants keys understood; `None` if it has no place then.
    #[must_use]
    pub fn in_mode(self, mode: KeyboardMode) -> Option<Self> {
        match (mode, self) {
            (KeyboardMode::Physical, Self::Press { key, .. }) => Some(Self::Key { key, down: true }),
            (KeyboardMode::Physical, Self::Locks(_)) => None,
            (KeyboardMode::Translate, Self::Press { key, meaning: Meaning::Character(character) }) => {
                Some(Self::Press { key, meaning: Meaning::Translated(character) })
            }
            (_, event) => Some(event),
        }
    }
}

/// What is held down now, in order to let go of all of it when a session stalls, ends or loses control.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pressed {
    /// Each with the event that pressed it.
    keys: BTreeMap<Key, InputEvent>,
    buttons: BTreeSet<Button>,
}

impl Pressed {
    /// Follows an event. Returns false when it changes nothing: a release of what is not held, or a press of what is.
    pub fn follow(&mut self, event: &InputEvent) -> bool {
        match event {
            InputEvent::Key { key, down: true } | InputEvent::Press { key, .. } => {
                let is_new = !self.keys.contains_key(key);
                self.keys.entry(*key).or_insert_with(|| event.clone());
                is_new
            }
            InputEvent::Key { key, down: false } => self.keys.remove(key).is_some(),
            InputEvent::Button { button, down: true } => self.buttons.insert(*button),
            InputEvent::Button { button, down: false } => self.buttons.remove(button),
            InputEvent::Motion { .. } | InputEvent::Scroll { .. } | InputEvent::Text(_) | InputEvent::Locks(_) => true,
        }
    }

    /// The keys that are held, each with the event that pressed it.
    pub fn held_keys(&self) -> impl Iterator<Item = (Key, &InputEvent)> {
        self.keys.iter().map(|(key, press)| (*key, press))
    }

    /// The events that let go of everything, keys before buttons. Afterwards nothing is held.
    pub fn release_all(&mut self) -> Vec<InputEvent> {
        let keys = std::mem::take(&mut self.keys).into_keys().map(|key| InputEvent::Key { key, down: false });
        let buttons = std::mem::take(&mut self.buttons).into_iter().map(|button| InputEvent::Button { button, down: false });
        keys.chain(buttons).collect()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.buttons.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_held_is_released_once() {
        let mut pressed = Pressed::default();
        assert!(pressed.follow(&InputEvent::Key { key: Key(4), down: true }));
        assert!(!pressed.follow(&InputEvent::Key { key: Key(4), down: true }), "auto-repeat changes nothing");
        assert!(pressed.follow(&InputEvent::Button { button: Button::Left, down: true }));
        assert_eq!(
            pressed.release_all(),
            [InputEvent::Key { key: Key(4), down: false }, InputEvent::Button { button: Button::Left, down: false }]
        );
        assert!(pressed.is_empty() && pressed.release_all().is_empty());
        assert!(!pressed.follow(&InputEvent::Key { key: Key(4), down: false }), "already up");
    }

    #[test]
    fn a_key_is_released_by_its_position_however_it_was_pressed() {
        let mut pressed = Pressed::default();
        let press = InputEvent::Press { key: Key(4), meaning: Meaning::Character('q') };
        assert!(pressed.follow(&press) && !pressed.follow(&press) && !pressed.follow(&InputEvent::Key { key: Key(4), down: true }));
        assert_eq!(pressed.held_keys().collect::<Vec<_>>(), [(Key(4), &press)]);
        assert_eq!(pressed.release_all(), [InputEvent::Key { key: Key(4), down: false }]);
    }

    #[test]
    fn a_mode_changes_presses_and_locks_alone() {
        let press = |meaning| InputEvent::Press { key: Key(4), meaning };
        let (down, up) = (InputEvent::Key { key: Key(4), down: true }, InputEvent::Key { key: Key(4), down: false });
        let locks = InputEvent::Locks(Locks { caps: true, num: false });
        for (event, physical, translate) in [
            (press(Meaning::Character('a')), Some(down.clone()), Some(press(Meaning::Translated('a')))),
            (press(Meaning::Shortcut('a')), Some(down.clone()), Some(press(Meaning::Shortcut('a')))),
            (press(Meaning::Level), Some(down), Some(press(Meaning::Level))),
            (up.clone(), Some(up.clone()), Some(up)),
            (locks.clone(), None, Some(locks)),
        ] {
            assert_eq!(event.clone().in_mode(KeyboardMode::Auto), Some(event.clone()));
            assert_eq!(event.clone().in_mode(KeyboardMode::Physical), physical);
            assert_eq!(event.in_mode(KeyboardMode::Translate), translate);
        }
    }
}
