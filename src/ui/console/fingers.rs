//! Keys and mouse of a terminal as input for the host.
//!
//! A terminal tells characters, not places on a keyboard: what is printable goes as text, whatever the layouts of both sides. A
//! named key, or a character with Ctrl, Alt or Super, goes as a combination of keys. Where the terminal tells that keys go up,
//! they are held on the host as long as here; else a key is pressed and released at once. Of modifiers alone a terminal tells
//! nothing: those told with a button are held on the host while the button is.

use super::parse::{Kind, Modifiers, Mouse, Name, Stroke, What};
use crate::{
    protocol::input::InputEvent,
    ui::{hands::Hands, keymap},
};

/// More keys than these are not held at once.
const MAX_HELD: usize = 16;

/// See the module.
#[derive(Default)]
pub(super) struct Fingers {
    /// Whether the terminal tells that keys go up.
    key_ups: bool,
    /// Keys that are down, and what lets go of them.
    held: Vec<(Name, Vec<InputEvent>)>,
    /// What lets go of the modifiers that came with a button.
    with_button: Vec<InputEvent>,
}

impl Fingers {
    /// At a terminal that tells that keys go up, or not.
    pub(super) fn new(key_ups: bool) -> Self {
        Self { key_ups, ..Self::default() }
    }

    /// Does a key.
    pub(super) fn key(&mut self, stroke: Stroke, hands: &mut Hands) {
        let chord = stroke.modifiers.has(Modifiers::CTRL | Modifiers::ALT | Modifiers::SUPER);
        match (stroke.key, stroke.kind) {
            (key, Kind::Release) => self.release(key, hands),
            (Name::Char(character), _) if !chord => hands.write(character.encode_utf8(&mut [0; 4])),
            // The host repeats a held key itself.
            (key, Kind::Repeat) if self.held.iter().any(|(held, _)| *held == key) => {}
            (key, kind) => self.press(key, stroke.modifiers, kind, hands),
        }
    }

    fn press(&mut self, key: Name, modifiers: Modifiers, kind: Kind, hands: &mut Hands) {
        let Some((downs, ups)) = combination(key, modifiers) else {
            if let Name::Char(character) = key {
                hands.write(character.encode_utf8(&mut [0; 4]));
            }
            return;
        };
        self.release(key, hands);
        downs.into_iter().for_each(|event| hands.act(event));
        if self.key_ups && kind != Kind::Tap && self.held.len() < MAX_HELD {
            self.held.push((key, ups));
        } else {
            ups.into_iter().for_each(|event| hands.act(event));
        }
    }

    fn release(&mut self, key: Name, hands: &mut Hands) {
        if let Some(at) = self.held.iter().position(|(held, _)| *held == key) {
            self.held.remove(at).1.into_iter().for_each(|event| hands.act(event));
        }
    }

    /// Lets go of everything.
    pub(super) fn let_go(&mut self, hands: &mut Hands) {
        (self.held, self.with_button) = (Vec::new(), Vec::new());
        hands.let_go();
    }

    /// Does what the mouse did at `place`, a pixel of the picture; beside the picture only releases count.
    pub(super) fn mouse(&mut self, mouse: Mouse, place: Option<(u16, u16)>, hands: &mut Hands) {
        if let Some((x, y)) = place {
            hands.act(InputEvent::Motion { x, y });
        }
        match mouse.what {
            What::Button(button, true) if place.is_some() => {
                let (downs, ups) = held_along(mouse.modifiers);
                downs.into_iter().chain([InputEvent::Button { button, down: true }]).for_each(|event| hands.act(event));
                self.with_button = ups;
            }
            What::Button(button, false) => {
                let ups = std::mem::take(&mut self.with_button);
                [InputEvent::Button { button, down: false }].into_iter().chain(ups).for_each(|event| hands.act(event));
            }
            What::Wheel(right, down) if place.is_some() => {
                let (downs, ups) = held_along(mouse.modifiers);
                downs.into_iter().for_each(|event| hands.act(event));
                hands.turn(right.into(), down.into());
                ups.into_iter().for_each(|event| hands.act(event));
            }
            _ => {}
        }
    }
}

/// What presses and what releases a key with its modifiers; `None` if no key of a PC gives the character.
fn combination(key: Name, modifiers: Modifiers) -> Option<(Vec<InputEvent>, Vec<InputEvent>)> {
    let name = match &key {
        Name::Named(name) => (*name).to_owned(),
        Name::Char(' ') => "space".to_owned(),
        Name::Char(character) => character.to_string(),
    };
    split(keymap::combo(&format!("{}{name}", prefix(modifiers))).ok()?)
}

fn held_along(modifiers: Modifiers) -> (Vec<InputEvent>, Vec<InputEvent>) {
    let names = prefix(modifiers);
    keymap::combo(names.trim_end_matches('+')).ok().and_then(split).unwrap_or_default()
}

fn prefix(modifiers: Modifiers) -> String {
    let names = [(Modifiers::CTRL, "ctrl+"), (Modifiers::ALT, "alt+"), (Modifiers::SHIFT, "shift+"), (Modifiers::SUPER, "super+")];
    names.into_iter().filter(|(bit, _)| modifiers.has(*bit)).map(|(_, name)| name).collect()
}

fn split(events: Vec<InputEvent>) -> Option<(Vec<InputEvent>, Vec<InputEvent>)> {
    Some(events.into_iter().partition(|event| !matches!(event, InputEvent::Key { down: false, .. })))
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        protocol::{
            input::{Button, Key, Meaning},
            permission::Permissions,
        },
        ui::{
            console::parse::{Parser, Told},
            event::ViewerAction,
        },
    };

    /// What the host gets when the terminal sends these bytes; every place is in the picture.
    fn host_gets(key_ups: bool, bytes: &[u8]) -> Vec<InputEvent> {
        let (mut fingers, mut hands) = (Fingers::new(key_ups), Hands::new());
        hands.permit(Permissions::all());
        hands.set_connected(true);
        for told in Parser::default().feed(bytes) {
            match told {
                Told::Key(stroke) => fingers.key(stroke, &mut hands),
                Told::Mouse(mouse) => fingers.mouse(mouse, Some((mouse.x, mouse.y)), &mut hands),
                other => panic!("{other:?}"),
            }
        }
        let (sender, mut receiver) = mpsc::channel(64);
        assert!(hands.flush(&sender));
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|action| if let ViewerAction::Input(event) = action { event } else { panic!("{action:?}") })
            .collect()
    }

    fn down(key: u16) -> InputEvent {
        InputEvent::Key { key: Key(key), down: true }
    }

    fn up(key: u16) -> InputEvent {
        InputEvent::Key { key: Key(key), down: false }
    }

    /// A letter in a shortcut: the host finds the key with this label.
    fn shortcut(key: u16, label: char) -> InputEvent {
        InputEvent::Press { key: Key(key), meaning: Meaning::Shortcut(label) }
    }

    #[test]
    fn what_is_printable_is_text_and_the_rest_are_keys() {
        assert_eq!(host_gets(false, "aÄ".as_bytes()), ["a", "Ä"].map(|text| InputEvent::Text(text.to_owned())));
        assert_eq!(
            host_gets(false, b"\x03\r\x1b[1;2D"),
            [
                down(0xe0),
                shortcut(0x06, 'c'),
                up(0x06),
                up(0xe0), // Ctrl+C is for the host
                down(0x28),
                up(0x28),
                down(0xe1),
                down(0x50),
                up(0x50),
                up(0xe1),
            ]
        );
    }

    #[test]
    fn a_key_is_held_as_long_as_the_terminal_says() {
        assert_eq!(host_gets(true, b"\x1b[A\x1b[1;1:2A\x1b[1;1:3A"), [down(0x52), up(0x52)]);
        assert_eq!(host_gets(true, b"\x1b[97;5u\x1b[97;5:2u"), [down(0xe0), shortcut(0x04, 'a')]);
        assert_eq!(host_gets(true, b"\x1b[97;5u\x1b[97;1:3u"), [down(0xe0), shortcut(0x04, 'a'), up(0x04), up(0xe0)]);
        assert_eq!(host_gets(true, b"\x1b[13u\x1b[13;1:2u\x1b[13;1:3u"), [down(0x28), up(0x28)]);
        // Told in the old way, it does not go up later.
        assert_eq!(host_gets(true, b"\r\r"), [down(0x28), up(0x28), down(0x28), up(0x28)]);
        assert_eq!(host_gets(false, b"\x1b[A\x1b[A"), [down(0x52), up(0x52), down(0x52), up(0x52)]);
    }

    #[test]
    fn the_mouse_brings_its_modifiers_along() {
        let at = |x, y| InputEvent::Motion { x, y };
        let left = |down| InputEvent::Button { button: Button::Left, down };
        assert_eq!(
            host_gets(false, b"\x1b[<16;5;7M\x1b[<48;6;7M\x1b[<16;6;7m\x1b[<65;6;7M"),
            [at(4, 6), down(0xe0), left(true), at(5, 6), left(false), up(0xe0), at(5, 6), InputEvent::Scroll { dx: 0, dy: 1 },]
        );
    }
}
