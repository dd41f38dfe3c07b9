//! Gives characters, whatever the keyboard's layout: types them, or holds a key that gives one.
//!
//! Rules:
//! - A character that the layout has is typed where it is. Its group and level are *locked* around the key press by XKB, in one
//!   flush, and put back: exact for every layout, with Caps Lock on or off, and nothing can stay held.
//! - A character that no key has borrows a free keycode. Clients read the new map late, so the keycode unused for longest is taken, no
//!   sooner than [`REUSE`] after its last use, and a remap waits [`SETTLE`] after the one before it. They are given back at the end.
//! - The layout may change at any time: a notice of it makes the table be read again.

use std::{
    collections::{BTreeSet, VecDeque},
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

use super::{
    DesktopError, Display,
    layout::{Layout, Stroke},
    locks::Mirrored,
    lost,
};
use crate::protocol::input::Locks;

/// The time that clients get to read a changed map before the next change.
const SETTLE: Duration = Duration::from_millis(25);
/// The time that clients get to read a key's meaning before it gets another one. Taking control back may wait for it: 50 ms at most.
const REUSE: Duration = Duration::from_millis(40);
/// The most keycodes borrowed.
const MAX_BORROWED: usize = 24;

/// Types.
pub(super) struct Typist {
    layout: Layout,
    free: BTreeSet<Keycode>,
    /// The one used longest ago comes first.
    borrowed: VecDeque<Borrowed>,
    /// The modifier that Num Lock is.
    num_lock: u16,
    locks: Mirrored,
    settled: Instant,
    is_stale: bool,
    /// A character that nothing could be done for.
    untyped: Option<char>,
}

/// A keycode that gives a character for us.
struct Borrowed {
    keycode: Keycode,
    keysym: Keysym,
    used: Instant,
}

/// What there was before a key was held, to be put back after it.
pub(super) struct Before {
    stroke: Stroke,
    /// The modifiers locked of those that matter, and the group; `None` if nothing had to be changed.
    locked: Option<(u16, xkb::Group)>,
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
            layout: Layout::default(),
            free: BTreeSet::new(),
            borrowed: VecDeque::new(),
            num_lock: 0,
            locks: Mirrored::default(),
            settled: Instant::now(),
            is_stale: true,
            untyped: None,
        })
    }

    /// Looks whether an event of the connection changes the layout.
    pub(super) fn follow(&mut self, event: &Event) {
        self.is_stale |= matches!(event, Event::MappingNotify(_) | Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_));
    }

    /// The layout as it is now.
    pub(super) fn layout(&mut self, display: &Display) -> Result<&Layout, ReplyError> {
        self.refresh(display)?;
        Ok(&self.layout)
    }

    /// The first character since the last call that could not be typed.
    pub(super) fn take_untyped(&mut self) -> Option<char> {
        self.untyped.take()
    }

    /// Types `text`. Line ends are Return, tabs are Tab; other control characters are left out.
    pub(super) fn type_text(&mut self, display: &Display, text: &str) -> Result<(), ReplyError> {
        for character in text.chars() {
            let character = if character == '\n' {
                RETURN
            } else if character == '\t' || !character.is_control() {
                character
            } else {
                continue;
            };
            if let Some(before) = self.hold(display, character)? {
                release(display, &before)?;
                display.x.sync()?;
            }
        }
        Ok(())
    }

    /// Presses a key that gives `character`, with its group and level, and keeps all that so; `None` if no key can give it. No
    /// modifier may be held that the character does not want.
    pub(super) fn hold(&mut self, display: &Display, character: char) -> Result<Option<Before>, ReplyError> {
        self.refresh(display)?;
        let state = state(display)?;
        let group = u8::from(state.group);
        if self.layout.find(character, group).is_none() {
            self.borrow(display, character)?;
        }
        match self.layout.find(character, group) {
            Some(stroke) => {
                self.used(stroke.keycode);
                Ok(Some(press(display, stroke, &state)?))
            }
            None => {
                self.untyped.get_or_insert(character);
                Ok(None)
            }
        }
    }

    /// Has Caps Lock and Num Lock as told.
    pub(super) fn lock(&mut self, display: &Display, locks: Locks) -> Result<(), ReplyError> {
        self.refresh(display)?;
        let caps = u16::from(ModMask::LOCK);
        let wanted = if locks.caps { caps } else { 0 } | if locks.num { self.num_lock } else { 0 };
        let affected = caps | self.num_lock;
        self.locks.set(state(display)?.locked_mods.into(), wanted, affected);
        lock(display, affected, wanted, None)?;
        display.x.sync()
    }

    /// Has the locks as they were before any were told.
    pub(super) fn put_locks_back(&mut self, display: &Display) -> Result<(), ReplyError> {
        let (affected, wanted) = self.locks.put_back(state(display)?.locked_mods.into());
        if affected != 0 {
            lock(display, affected, wanted, None)?;
            display.x.sync()?;
        }
        Ok(())
    }

    /// Gives a free keycode, or the one borrowed longest ago, to `character`.
    fn borrow(&mut self, display: &Display, character: char) -> Result<(), ReplyError> {
        let fresh = (self.borrowed.len() < MAX_BORROWED).then(|| self.free.pop_last()).flatten();
        let (keycode, ready) = match (fresh, fresh.is_none().then(|| self.borrowed.pop_front()).flatten()) {
            (Some(keycode), _) => (keycode, self.settled),
            (None, Some(oldest)) => (oldest.keycode, self.settled.max(oldest.used + REUSE)),
            (None, None) => return Ok(()),
        };
        let keysym = Keysym::from_char(character);
        thread::sleep(ready.saturating_duration_since(Instant::now()));
        self.borrowed.push_back(Borrowed { keycode, keysym, used: Instant::now() });
        // Twice: a single one would get an upper-case partner.
        display.x.change_keyboard_mapping(1, keycode, 2, &[keysym.raw(); 2])?;
        self.settled = Instant::now() + SETTLE;
        self.read_layout(display)
    }

    /// A key is used: if it is a borrowed one, it is the last to get another character.
    fn used(&mut self, keycode: Keycode) {
        if let Some(position) = self.borrowed.iter().position(|borrowed| borrowed.keycode == keycode)
            && let Some(borrowed) = self.borrowed.remove(position)
        {
            self.borrowed.push_back(Borrowed { used: Instant::now(), ..borrowed });
        }
    }

    fn refresh(&mut self, display: &Display) -> Result<(), ReplyError> {
        if std::mem::take(&mut self.is_stale) { self.read_layout(display) } else { Ok(()) }
    }

    fn read_layout(&mut self, display: &Display) -> Result<(), ReplyError> {
        let (none, parts) = (MapPart::from(0_u16), MapPart::KEY_TYPES | MapPart::KEY_SYMS);
        let map = display.x.xkb_get_map(core(), parts, none, 0, 0, 0, 0, 0, 0, 0, 0, 0_u16.into(), 0, 0, 0, 0, 0, 0)?.reply()?;
        self.layout = Layout::new(map);
        // A new layout takes back what was borrowed, and may need it.
        self.borrowed.retain(|borrowed| self.layout.with_keysym(borrowed.keysym).any(|has| has == borrowed.keycode));
        self.free = self.layout.free();
        let modifiers = display.x.get_modifier_mapping()?.reply()?;
        let per_modifier = usize::from(modifiers.keycodes_per_modifier()).max(1);
        let keys: Vec<Keycode> = self.layout.with_keysym(Keysym::Num_Lock).collect();
        let position = modifiers.keycodes.chunks(per_modifier).position(|held| held.iter().any(|keycode| keys.contains(keycode)));
        self.num_lock = position.map_or(0, |bit| 1 << bit);
        Ok(())
    }

    /// Gives the borrowed keycodes back.
    pub(super) fn give_back(&mut self, display: &Display) -> Result<(), ReplyError> {
        self.refresh(display)?;
        if self.borrowed.is_empty() {
            return Ok(());
        }
        thread::sleep(self.settled.saturating_duration_since(Instant::now()));
        for borrowed in self.borrowed.drain(..) {
            display.x.change_keyboard_mapping(1, borrowed.keycode, 2, &[x11rb::NO_SYMBOL; 2])?;
        }
        display.x.sync()
    }
}

const RETURN: char = '\r';

/// The keyboard that all clients see.
fn core() -> xkb::DeviceSpec {
    u16::from(ID::USE_CORE_KBD)
}

/// The modifiers and the group now.
pub(super) fn state(display: &Display) -> Result<xkb::GetStateReply, ReplyError> {
    display.x.xkb_get_state(core())?.reply()
}

/// Presses a key at its group and level.
fn press(display: &Display, stroke: Stroke, state: &xkb::GetStateReply) -> Result<Before, ReplyError> {
    let is_set = u16::from(state.mods) & stroke.matters == stroke.wanted && u8::from(state.group) == stroke.group;
    let locked = (!is_set).then(|| (u16::from(state.locked_mods) & stroke.matters, state.locked_group));
    if locked.is_some() {
        lock(display, stroke.matters, stroke.wanted, Some(stroke.group.into()))?;
    }
    fake(display, KEY_PRESS_EVENT, stroke.keycode)?;
    Ok(Before { stroke, locked })
}

/// Releases a key, and puts group and level back.
pub(super) fn release(display: &Display, before: &Before) -> Result<(), ConnectionError> {
    fake(display, KEY_RELEASE_EVENT, before.stroke.keycode)?;
    before.locked.map_or(Ok(()), |(mods, group)| lock(display, before.stroke.matters, mods, Some(group)))
}

/// Locks the `affected` modifiers as `mods` says, and the group if one is given.
fn lock(display: &Display, affected: u16, mods: u16, group: Option<xkb::Group>) -> Result<(), ConnectionError> {
    let (affected, mods, none) = (ModMask::from(affected), ModMask::from(mods), ModMask::from(0_u16));
    let (has_group, group) = (group.is_some(), group.unwrap_or(xkb::Group::M1));
    display.x.xkb_latch_lock_state(core(), affected, mods, has_group, group, none, false, 0).map(drop)
}

/// Presses or releases a key, as it is.
pub(super) fn fake(display: &Display, event: u8, keycode: Keycode) -> Result<(), ConnectionError> {
    display.x.xtest_fake_input(event, keycode, x11rb::CURRENT_TIME, display.root, 0, 0, 0).map(drop)
}
