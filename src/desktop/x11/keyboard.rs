//! What the viewer's keys hold down here.
//!
//! Rules:
//! - A key is pressed by its position, unless the viewer's layout makes a character of it that this position does not give now (by
//!   the layout, group, modifiers and locks of this moment). Then another key *stands in*: one that gives the character.
//! - A stand-in is held as long as the viewer's key, so that it repeats as that does. Its group and level are in place meanwhile,
//!   and Shift and AltGr, which the viewer may hold for the character's sake, are let go. There is one stand-in at most: the next press
//!   of anything ends it, as it ends the repeating of any key, and puts back what it moved.
//! - A shortcut goes to the key with its label, so that Ctrl+Z is Ctrl+Z on every layout; where no key has it (a Cyrillic layout),
//!   to the position.
//! - A key-up releases what its key-down pressed, whatever the layout is by then.

use std::collections::BTreeMap;

use x11rb::{
    errors::ReplyError,
    protocol::{
        Event,
        xproto::{KEY_PRESS_EVENT, KEY_RELEASE_EVENT, Keycode},
    },
    wrapper::ConnectionExt as _,
};

use super::{
    DesktopError, Display, lost,
    text::{self, Before, Typist},
};
use crate::{
    desktop::keys,
    protocol::input::{Key, Locks, Meaning},
};

/// What X11 adds to a Linux key code.
const KEYCODE_OFFSET: u16 = 8;
/// Left and right Shift.
const SHIFTS: [Key; 2] = [Key(0xe1), Key(0xe5)];

/// The keyboard.
pub(super) struct Keyboard {
    typist: Typist,
    /// Keys that are held; of those the stand-in's is not one.
    held: BTreeMap<Key, Held>,
    stand_in: Option<StandIn>,
}

struct Held {
    keycode: Keycode,
    /// Whether it chooses among characters: Shift, AltGr.
    is_level: bool,
}

struct StandIn {
    key: Key,
    before: Before,
    /// Keys of [`Keyboard::held`] that are up meanwhile.
    suspended: Vec<Key>,
}

impl Keyboard {
    pub(super) fn new(display: &Display) -> Result<Self, DesktopError> {
        Ok(Self { typist: Typist::new(display)?, held: BTreeMap::new(), stand_in: None })
    }

    /// Looks whether an event of the connection changes the layout.
    pub(super) fn follow(&mut self, event: &Event) {
        self.typist.follow(event);
    }

    /// The first character since the last call that could not be typed.
    pub(super) fn take_untyped(&mut self) -> Option<char> {
        self.typist.take_untyped()
    }

    /// A key goes down that is but its position.
    pub(super) fn press(&mut self, display: &Display, key: Key) -> Result<(), DesktopError> {
        let keycode = keycode(key)?;
        self.settle(display)?;
        self.hold(display, key, keycode, SHIFTS.contains(&key)).map_err(lost)
    }

    /// A key goes down that means something to the viewer.
    pub(super) fn press_meant(&mut self, display: &Display, key: Key, meaning: Meaning) -> Result<(), DesktopError> {
        self.settle(display)?;
        match meaning {
            Meaning::Character(character) => self.press_character(display, key, character, true),
            Meaning::Translated(character) => self.press_character(display, key, character, false),
            Meaning::Shortcut(label) => self.press_label(display, key, label),
            Meaning::Level => self.press_level(display, key),
        }
    }

    /// A key goes up.
    pub(super) fn release(&mut self, display: &Display, key: Key) -> Result<(), DesktopError> {
        if self.stand_in.as_ref().is_some_and(|stand_in| stand_in.key == key) {
            return self.settle(display);
        }
        let Some(held) = self.held.remove(&key) else { return Ok(()) };
        let is_up = self.stand_in.as_mut().is_some_and(|stand_in| {
            let suspended = stand_in.suspended.len();
            stand_in.suspended.retain(|each| *each != key);
            stand_in.suspended.len() < suspended
        });
        let done = if is_up { Ok(()) } else { text::fake(display, KEY_RELEASE_EVENT, held.keycode) };
        done.map_err(ReplyError::from).and_then(|()| display.x.sync()).map_err(lost)
    }

    /// Types text. Modifiers are expected to be up.
    pub(super) fn type_text(&mut self, display: &Display, text: &str) -> Result<(), DesktopError> {
        self.settle(display)?;
        self.typist.type_text(display, text).map_err(lost)
    }

    /// Has Caps Lock and Num Lock as told.
    pub(super) fn lock(&mut self, display: &Display, locks: Locks) -> Result<(), DesktopError> {
        self.settle(display)?;
        self.typist.lock(display, locks).map_err(lost)
    }

    /// Has the locks as they were before any were told.
    pub(super) fn put_locks_back(&mut self, display: &Display) -> Result<(), DesktopError> {
        self.settle(display)?;
        self.typist.put_locks_back(display).map_err(lost)
    }

    /// Ends the stand-in, and puts back what it moved.
    pub(super) fn settle(&mut self, display: &Display) -> Result<(), DesktopError> {
        let Some(StandIn { before, suspended, .. }) = self.stand_in.take() else { return Ok(()) };
        let end = || -> Result<(), ReplyError> {
            text::release(display, &before)?;
            suspended
                .iter()
                .filter_map(|key| self.held.get(key))
                .try_for_each(|held| text::fake(display, KEY_PRESS_EVENT, held.keycode))?;
            display.x.sync()
        };
        end().map_err(lost)
    }

    /// Gives the borrowed keycodes back.
    pub(super) fn give_back(&mut self, display: &Display) -> Result<(), ReplyError> {
        self.typist.give_back(display)
    }

    fn press_character(&mut self, display: &Display, key: Key, character: char, may_be_there: bool) -> Result<(), DesktopError> {
        let state = text::state(display).map_err(lost)?;
        let layout = self.typist.layout(display).map_err(lost)?;
        let (group, modifiers) = (u8::from(state.group), u16::from(state.mods));
        match keycode(key) {
            Ok(keycode) if may_be_there && layout.character(keycode, group, modifiers) == Some(character) => {
                self.hold(display, key, keycode, false).map_err(lost)
            }
            _ => self.stand_in(display, key, character).map_err(lost),
        }
    }

    fn stand_in(&mut self, display: &Display, key: Key, character: char) -> Result<(), ReplyError> {
        let levels = self.held.iter().filter(|(_, held)| held.is_level);
        let suspended: Vec<Key> = levels.map(|(key, _)| *key).collect();
        let each = |event: u8| suspended.iter().try_for_each(|key| text::fake(display, event, self.held[key].keycode));
        each(KEY_RELEASE_EVENT)?;
        match self.typist.hold(display, character)? {
            Some(before) => self.stand_in = Some(StandIn { key, before, suspended }),
            None => each(KEY_PRESS_EVENT)?,
        }
        display.x.sync()
    }

    fn press_label(&mut self, display: &Display, key: Key, label: char) -> Result<(), DesktopError> {
        let group = u8::from(text::state(display).map_err(lost)?.group);
        let layout = self.typist.layout(display).map_err(lost)?;
        let position = keycode(key);
        let is_there = position.as_ref().is_ok_and(|keycode| layout.character(*keycode, group, 0) == Some(label));
        let keycode = if is_there { position? } else { layout.labelled(label, group).map_or(position, Ok)? };
        self.hold(display, key, keycode, false).map_err(lost)
    }

    fn press_level(&mut self, display: &Display, key: Key) -> Result<(), DesktopError> {
        let group = u8::from(text::state(display).map_err(lost)?.group);
        let keycode = keycode(key)?;
        if self.typist.layout(display).map_err(lost)?.chooses_level(keycode, group) {
            self.hold(display, key, keycode, true).map_err(lost)?;
        }
        Ok(())
    }

    fn hold(&mut self, display: &Display, key: Key, keycode: Keycode, is_level: bool) -> Result<(), ReplyError> {
        self.held.insert(key, Held { keycode, is_level });
        text::fake(display, KEY_PRESS_EVENT, keycode)?;
        // Pointer events go through another connection: this one must be done first.
        display.x.sync()
    }
}

fn keycode(key: Key) -> Result<Keycode, DesktopError> {
    let code = keys::evdev(key).and_then(|code| Keycode::try_from(code + KEYCODE_OFFSET).ok());
    code.ok_or_else(|| DesktopError(format!("this computer has no key {:#04x}", key.0)))
}
