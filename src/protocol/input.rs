//! Input events and what is held down.
//!
//! Keys are physical positions (USB HID usage IDs, usage page 7), so the host's own layout decides what they mean: shortcuts
//! work and every key-down has its key-up. Text that has no position (IME, `type TEXT`) travels as text.

use std::collections::BTreeSet;

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
        matches!(self, Self::Key { .. } | Self::Text(_))
    }
}

/// What is held down now, in order to let go of all of it when a session stalls, ends or loses control.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pressed {
    keys: BTreeSet<Key>,
    buttons: BTreeSet<Button>,
}

impl Pressed {
    /// Follows an event. Returns false when it changes nothing: a release of what is not held, or a press of what is.
    pub fn follow(&mut self, event: &InputEvent) -> bool {
        match event {
            InputEvent::Key { key, down: true } => self.keys.insert(*key),
            InputEvent::Key { key, down: false } => self.keys.remove(key),
            InputEvent::Button { button, down: true } => self.buttons.insert(*button),
            InputEvent::Button { button, down: false } => self.buttons.remove(button),
            InputEvent::Motion { .. } | InputEvent::Scroll { .. } | InputEvent::Text(_) => true,
        }
    }

    /// The events that let go of everything, keys before buttons. Afterwards nothing is held.
    pub fn release_all(&mut self) -> Vec<InputEvent> {
        let keys = std::mem::take(&mut self.keys).into_iter().map(|key| InputEvent::Key { key, down: false });
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
}
