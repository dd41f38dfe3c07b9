//! Typing and clicking on a display by XTEST, and which key gives what.

use x11rb::{
    connection::Connection,
    protocol::{
        xproto::{self, ConnectionExt as _},
        xtest::ConnectionExt as _,
    },
};
use xkeysym::Keysym;

use super::{Display, keysym};

/// Where a PC has the right Alt key, which most European layouts call AltGr. Behind it are keys that no keyboard has.
const ALT_GR: u8 = 108;

impl Display {
    /// Moves the pointer.
    pub(crate) fn point(&self, x: i16, y: i16) {
        self.fake(xproto::MOTION_NOTIFY_EVENT, 0, x, y);
    }

    /// Clicks a button (1 is the left one) at this place.
    pub(crate) fn click(&self, x: i16, y: i16, button: u8) {
        self.point(x, y);
        self.fake(xproto::BUTTON_PRESS_EVENT, button, 0, 0);
        self.fake(xproto::BUTTON_RELEASE_EVENT, button, 0, 0);
    }

    /// Presses a key and keeps it down.
    pub(crate) fn press(&self, keycode: u8) {
        self.fake(xproto::KEY_PRESS_EVENT, keycode, 0, 0);
    }

    /// Lets go of a key.
    pub(crate) fn release(&self, keycode: u8) {
        self.fake(xproto::KEY_RELEASE_EVENT, keycode, 0, 0);
    }

    /// Presses a key together with the keys before it, as in `Ctrl+Shift+C`.
    pub(crate) fn chord(&self, keysyms: &[u32]) {
        let codes: Vec<u8> = keysyms.iter().map(|keysym| self.keycode(*keysym)).collect();
        codes.iter().for_each(|code| self.press(*code));
        codes.iter().rev().for_each(|code| self.release(*code));
    }

    /// Types text of Latin letters, digits, signs and line ends.
    pub(crate) fn type_text(&self, text: &str) {
        for character in text.chars() {
            let keysym = if character == '\n' { keysym::RETURN } else { u32::from(character) };
            let (code, shift) = self.key_for(keysym);
            if shift {
                self.chord(&[keysym::SHIFT, self.keysym_of(code)]);
            } else {
                self.press(code);
                self.release(code);
            }
        }
    }

    /// Presses and releases a key, with what its level needs: 1 Shift, 2 AltGr, 3 both.
    pub(crate) fn type_key(&self, (code, level): (u8, usize)) {
        let shift = (level % 2 == 1).then(|| self.keycode(keysym::SHIFT));
        let held: Vec<u8> = shift.into_iter().chain((level >= 2).then_some(ALT_GR)).collect();
        held.iter().for_each(|code| self.press(*code));
        self.press(code);
        self.release(code);
        held.iter().rev().for_each(|code| self.release(*code));
    }

    /// The key of the main block that gives this character, and at which level.
    pub(crate) fn key_of_character(&self, character: char) -> Option<(u8, usize)> {
        self.key_at_any_level(|keysym| keysym.key_char() == Some(character) && !keysym.is_keypad_key())
    }

    /// The key of the main block that gives a keysym, and at which level.
    pub(crate) fn key_at_any_level(&self, is_it: impl Fn(Keysym) -> bool) -> Option<(u8, usize)> {
        // In the core protocol's table, the levels of the first group that need AltGr come after the second group.
        const COLUMNS: [usize; 4] = [0, 1, 4, 5];
        let first = self.connection.setup().min_keycode;
        let mapping = self.connection.get_keyboard_mapping(first, ALT_GR - first);
        let mapping = mapping.expect("the display takes requests").reply().expect("there is a keyboard");
        let keys = || (first..).zip(mapping.keysyms.chunks_exact(mapping.keysyms_per_keycode.into()));
        (0..COLUMNS.len()).find_map(|level| {
            let has_it = |keysyms: &[u32]| keysyms.get(COLUMNS[level]).is_some_and(|keysym| is_it(Keysym::new(*keysym)));
            keys().find(|(_, keysyms)| has_it(keysyms)).map(|(code, _)| (code, level))
        })
    }

    /// The key that gives this keysym without Shift.
    pub(crate) fn keycode(&self, keysym: u32) -> u8 {
        self.key_for(keysym).0
    }

    fn fake(&self, event: u8, detail: u8, x: i16, y: i16) {
        let sent = self.connection.xtest_fake_input(event, detail, x11rb::CURRENT_TIME, self.root(), x, y, 0);
        sent.expect("the display takes requests").check().expect("the display has XTEST");
    }

    /// The key code of a keysym, and whether it needs Shift.
    fn key_for(&self, keysym: u32) -> (u8, bool) {
        let setup = self.connection.setup();
        let first = setup.min_keycode;
        let mapping = self.connection.get_keyboard_mapping(first, setup.max_keycode - first + 1);
        let mapping = mapping.expect("the display takes requests").reply().expect("there is a keyboard");
        let width = usize::from(mapping.keysyms_per_keycode);
        let position = |level: usize| mapping.keysyms.chunks_exact(width).position(|levels| levels.get(level) == Some(&keysym));
        let key = |index: usize| first + u8::try_from(index).expect("at most 248 keys");
        position(0)
            .map(|index| (key(index), false))
            .or_else(|| position(1).map(|index| (key(index), true)))
            .expect("a key for this sign")
    }

    fn keysym_of(&self, keycode: u8) -> u32 {
        let mapping = self.connection.get_keyboard_mapping(keycode, 1).expect("the display takes requests");
        mapping.reply().expect("there is a keyboard").keysyms[0]
    }
}
