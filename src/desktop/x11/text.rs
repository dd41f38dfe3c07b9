//! Types characters, whatever the keyboard's layout.
//!
//! Rules:
//! - A character that the layout has is typed where it is. Its group and level are *locked* around the key press by XKB, in one
//!   flush, and put back: exact for every layout, with Caps Lock on or off, and nothing can stay held.
//! - A character that no key has borrows a free keycode. Clients read the new map late, so borrowed keycodes rotate and a remap
//!   waits [`SETTLE`] after the one before it. They are given back at the end.
//! - The layout may change at any time: a notice of it makes the table be read again.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    thread,
    time::{Duration, Instant},
};

use x11rb::{
    errors::{ConnectionError, ReplyError},
    protocol::{
        Event,
        xkb::{self, ConnectionExt as _, EventType, ID, MapPart},
        xproto::{ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, Keycode, ModMask},
        xtest::ConnectionExt as _,
    },
    wrapper::ConnectionExt as _,
};
use xkeysym::Keysym;

use super::{DesktopError, Display, lost};

/// The time that clients get to read a changed map before the next change.
const SETTLE: Duration = Duration::from_millis(25);
/// The most keycodes borrowed.
const MAX_BORROWED: usize = 8;
/// Keycode 8 is evdev code 0, which many clients ignore.
const FIRST_FREE: Keycode = 9;

/// How to type a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stroke {
    keycode: Keycode,
    group: u8,
    /// The modifiers that choose among the key's levels.
    matters: u16,
    /// Those of them that choose this level.
    wanted: u16,
}

/// Types.
pub(super) struct Typist {
    /// Every way to type a character, the plainest first.
    strokes: HashMap<char, Vec<Stroke>>,
    free: BTreeSet<Keycode>,
    /// The one that was given its character longest ago comes first.
    borrowed: VecDeque<Keycode>,
    settled: Instant,
    is_stale: bool,
}

impl Typist {
    pub(super) fn new(display: &Display) -> Result<Self, DesktopError> {
        display.require(xkb::X11_EXTENSION_NAME)?;
        let select = || -> Result<(), ReplyError> {
            display.x.xkb_use_extension(1, 0)?.reply()?;
            let events = EventType::NEW_KEYBOARD_NOTIFY | EventType::MAP_NOTIFY;
            let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS;
            let details = xkb::SelectEventsAux::new();
            display.x.xkb_select_events(core(), EventType::from(0_u16), events, parts, parts, &details)?.check()
        };
        select().map_err(lost)?;
        Ok(Self {
            strokes: HashMap::new(),
            free: BTreeSet::new(),
            borrowed: VecDeque::new(),
            settled: Instant::now(),
            is_stale: true,
        })
    }

    /// Looks whether an event of the connection changes the layout.
    pub(super) fn follow(&mut self, event: &Event) {
        self.is_stale |= matches!(event, Event::MappingNotify(_) | Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_));
    }

    /// Types `text`. Line ends are Return, tabs are Tab; other control characters are left out.
    pub(super) fn type_text(&mut self, display: &Display, text: &str) -> Result<(), DesktopError> {
        for character in text.chars() {
            let character = if character == '\n' {
                RETURN
            } else if character == '\t' || !character.is_control() {
                character
            } else {
                continue;
            };
            self.type_character(display, character).map_err(lost)?;
        }
        Ok(())
    }

    fn type_character(&mut self, display: &Display, character: char) -> Result<(), ReplyError> {
        if std::mem::take(&mut self.is_stale) {
            self.read_layout(display)?;
        }
        let state = display.x.xkb_get_state(core())?.reply()?;
        let current = u8::from(state.group);
        let stroke = match self.find(character, current) {
            Some(stroke) => Some(stroke),
            None => {
                self.borrow(display, character)?;
                self.find(character, current)
            }
        };
        match stroke {
            Some(stroke) => press(display, stroke, &state),
            None => Ok(()), // every keycode is taken: nothing can be done for this character
        }
    }

    /// Prefers the group that is active.
    fn find(&self, character: char, group: u8) -> Option<Stroke> {
        let strokes = self.strokes.get(&character)?;
        strokes.iter().find(|stroke| stroke.group == group).or(strokes.first()).copied()
    }

    /// Gives a free keycode, or the one borrowed longest ago, to `character`.
    fn borrow(&mut self, display: &Display, character: char) -> Result<(), ReplyError> {
        let fresh = (self.borrowed.len() < MAX_BORROWED).then(|| self.free.pop_last()).flatten();
        let Some(keycode) = fresh.or_else(|| self.borrowed.pop_front()) else { return Ok(()) };
        self.borrowed.push_back(keycode);
        thread::sleep(self.settled.saturating_duration_since(Instant::now()));
        let keysym = Keysym::from_char(character).raw();
        // Twice: a single one would get an upper-case partner.
        display.x.change_keyboard_mapping(1, keycode, 2, &[keysym, keysym])?;
        self.settled = Instant::now() + SETTLE;
        self.read_layout(display)
    }

    fn read_layout(&mut self, display: &Display) -> Result<(), ReplyError> {
        let (none, parts) = (MapPart::from(0_u16), MapPart::KEY_TYPES | MapPart::KEY_SYMS);
        let map = display.x.xkb_get_map(core(), parts, none, 0, 0, 0, 0, 0, 0, 0, 0, 0_u16.into(), 0, 0, 0, 0, 0, 0)?.reply()?;
        let types = map.map.types_rtrn.unwrap_or_default();
        let keys = map.map.syms_rtrn.unwrap_or_default();
        self.strokes.clear();
        self.free.clear();
        for (keycode, key) in (map.first_key_sym..=Keycode::MAX).zip(&keys) {
            if key.syms.iter().all(|keysym| *keysym == x11rb::NO_SYMBOL) {
                self.free.insert(keycode);
            }
            for (character, stroke) in strokes(keycode, key, &types) {
                self.strokes.entry(character).or_default().push(stroke);
            }
        }
        self.free.retain(|keycode| *keycode >= FIRST_FREE && !self.borrowed.contains(keycode));
        self.strokes.values_mut().for_each(|strokes| strokes.sort_by_key(|stroke| (stroke.wanted.count_ones(), stroke.group)));
        Ok(())
    }

    /// Gives the borrowed keycodes back.
    pub(super) fn give_back(&mut self, display: &Display) -> Result<(), ReplyError> {
        if self.borrowed.is_empty() {
            return Ok(());
        }
        thread::sleep(self.settled.saturating_duration_since(Instant::now()));
        for keycode in self.borrowed.drain(..) {
            display.x.change_keyboard_mapping(1, keycode, 2, &[x11rb::NO_SYMBOL; 2])?;
        }
        display.x.sync()
    }
}

const RETURN: char = '\r';

/// The keyboard that all clients see.
fn core() -> xkb::DeviceSpec {
    u16::from(ID::USE_CORE_KBD)
}

/// Every character of a key, and how to get it.
fn strokes(keycode: Keycode, key: &xkb::KeySymMap, types: &[xkb::KeyType]) -> Vec<(char, Stroke)> {
    let groups = key.group_info & 0x0f;
    let mut found = Vec::new();
    for (group, keysyms) in (0..groups).zip(key.syms.chunks(usize::from(key.width.max(1)))) {
        let Some(kind) = key.kt_index.get(usize::from(group)).and_then(|index| types.get(usize::from(*index))) else { continue };
        // Clients turn to upper case by themselves where Lock is set and the type ignores it.
        let matters = u16::from(kind.mods_mask) | u16::from(ModMask::LOCK);
        for (level, keysym) in (0..kind.num_levels).zip(keysyms.iter().map(|raw| Keysym::new(*raw))) {
            let Some(character) = keysym.key_char().filter(|_| !keysym.is_keypad_key()) else { continue };
            if let Some(wanted) = modifiers(kind, level) {
                found.push((character, Stroke { keycode, group, matters, wanted }));
            }
        }
    }
    found
}

/// The fewest modifiers that choose `level`, if any do. Without any it is the first level.
fn modifiers(kind: &xkb::KeyType, level: u8) -> Option<u16> {
    if level == 0 {
        return Some(0);
    }
    let choices = kind.map.iter().filter(|entry| entry.active && entry.level == level).map(|entry| u16::from(entry.mods_mask));
    choices.min_by_key(|mods| (mods.count_ones(), mods & u16::from(ModMask::LOCK)))
}

/// Presses and releases a key at its group and level, and puts both back.
fn press(display: &Display, stroke: Stroke, state: &xkb::GetStateReply) -> Result<(), ReplyError> {
    let x = &display.x;
    let lock = |mods: u16, group: xkb::Group| -> Result<(), ConnectionError> {
        let none = ModMask::from(0_u16);
        x.xkb_latch_lock_state(core(), ModMask::from(stroke.matters), ModMask::from(mods), true, group, none, false, 0).map(drop)
    };
    let is_set = u16::from(state.mods) & stroke.matters == stroke.wanted && u8::from(state.group) == stroke.group;
    if !is_set {
        lock(stroke.wanted, stroke.group.into())?;
    }
    for event in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
        x.xtest_fake_input(event, stroke.keycode, x11rb::CURRENT_TIME, display.root, 0, 0, 0)?;
    }
    if !is_set {
        lock(u16::from(state.locked_mods) & stroke.matters, state.locked_group)?;
    }
    // The live keys go through another connection: this one must be done first.
    x.sync()
}
