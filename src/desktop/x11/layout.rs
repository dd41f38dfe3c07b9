//! The keyboard's layout, as XKB has it: what each key gives at which group and modifiers, and the way back from a character.

use std::collections::{BTreeSet, HashMap};

use x11rb::protocol::{
    xkb,
    xproto::{Keycode, ModMask},
};
use xkeysym::Keysym;

/// Keycode 8 is evdev code 0, which many clients ignore.
const FIRST_FREE: Keycode = 9;
const LOCK: u16 = 1 << 1;

/// How to type a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) keycode: Keycode,
    pub(super) group: u8,
    /// The modifiers that choose among the key's levels.
    pub(super) matters: u16,
    /// Those of them that choose this level.
    pub(super) wanted: u16,
}

/// A layout. The default one is empty.
#[derive(Default)]
pub(super) struct Layout {
    first: Keycode,
    keys: Vec<xkb::KeySymMap>,
    types: Vec<xkb::KeyType>,
    /// Every way to type a character, the plainest first.
    strokes: HashMap<char, Vec<Stroke>>,
}

impl Layout {
    pub(super) fn new(map: xkb::GetMapReply) -> Self {
        let types = map.map.types_rtrn.unwrap_or_default();
        let keys = map.map.syms_rtrn.unwrap_or_default();
        let mut strokes: HashMap<char, Vec<Stroke>> = HashMap::new();
        for (keycode, key) in (map.first_key_sym..=Keycode::MAX).zip(&keys) {
            for (character, stroke) in strokes_of(keycode, key, &types) {
                strokes.entry(character).or_default().push(stroke);
            }
        }
        strokes.values_mut().for_each(|strokes| strokes.sort_by_key(|stroke| (stroke.wanted.count_ones(), stroke.group)));
        Self { first: map.first_key_sym, keys, types, strokes }
    }

    /// The best way to type a character; the group that is active comes before the others.
    pub(super) fn find(&self, character: char, group: u8) -> Option<Stroke> {
        let strokes = self.strokes.get(&character)?;
        strokes.iter().find(|stroke| stroke.group == group).or(strokes.first()).copied()
    }

    /// The character that a key gives now.
    pub(super) fn character(&self, keycode: Keycode, group: u8, modifiers: u16) -> Option<char> {
        let key = self.key(keycode)?;
        let group = group_of(key, group)?;
        let kind = self.types.get(usize::from(*key.kt_index.get(usize::from(group))?))?;
        let active = modifiers & u16::from(kind.mods_mask);
        let entry = kind.map.iter().find(|entry| entry.active && u16::from(entry.mods_mask) == active);
        let character = self.keysym(key, group, entry.map_or(0, |entry| entry.level))?.key_char()?;
        // Clients turn to upper case by themselves where Lock is set and the type ignores it.
        let capitalises = modifiers & LOCK != 0 && u16::from(kind.mods_mask) & LOCK == 0;
        Some(if capitalises { upper(character) } else { character })
    }

    /// The keys that have this character without any modifier, those of the active group first.
    pub(super) fn labelled(&self, character: char, group: u8) -> Option<Keycode> {
        let strokes = self.strokes.get(&character)?;
        let plain = || strokes.iter().filter(|stroke| stroke.wanted == 0);
        plain().find(|stroke| stroke.group == group).or(plain().next()).map(|stroke| stroke.keycode)
    }

    /// Whether a key chooses among the characters of other keys.
    pub(super) fn chooses_level(&self, keycode: Keycode, group: u8) -> bool {
        let keysym = self.key(keycode).and_then(|key| self.keysym(key, group_of(key, group)?, 0));
        let choosers = [Keysym::ISO_Level3_Shift, Keysym::ISO_Level5_Shift, Keysym::Mode_switch];
        keysym.is_some_and(|keysym| choosers.contains(&keysym))
    }

    /// The keys that give nothing at all.
    pub(super) fn free(&self) -> BTreeSet<Keycode> {
        let is_free = |key: &xkb::KeySymMap| key.syms.iter().all(|keysym| *keysym == x11rb::NO_SYMBOL);
        let keys = (self.first..=Keycode::MAX).zip(&self.keys);
        keys.filter(|(keycode, key)| *keycode >= FIRST_FREE && is_free(key)).map(|(keycode, _)| keycode).collect()
    }

    /// The keys that have this keysym anywhere.
    pub(super) fn with_keysym(&self, keysym: Keysym) -> impl Iterator<Item = Keycode> {
        let keys = (self.first..=Keycode::MAX).zip(&self.keys);
        keys.filter(move |(_, key)| key.syms.contains(&keysym.raw())).map(|(keycode, _)| keycode)
    }

    fn key(&self, keycode: Keycode) -> Option<&xkb::KeySymMap> {
        self.keys.get(usize::from(keycode.checked_sub(self.first)?))
    }

    fn keysym(&self, key: &xkb::KeySymMap, group: u8, level: u8) -> Option<Keysym> {
        (level < key.width).then_some(())?;
        key.syms.get(usize::from(group) * usize::from(key.width) + usize::from(level)).map(|raw| Keysym::new(*raw))
    }
}

/// The group that a key is in while this one is active. A key with fewer groups has a rule for the others; layouts leave it at
/// its default, which wraps.
fn group_of(key: &xkb::KeySymMap, group: u8) -> Option<u8> {
    group.checked_rem(key.group_info & 0x0f)
}

/// Every character of a key, and how to get it.
fn strokes_of(keycode: Keycode, key: &xkb::KeySymMap, types: &[xkb::KeyType]) -> Vec<(char, Stroke)> {
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

fn upper(character: char) -> char {
    let mut upper = character.to_uppercase();
    upper.next().filter(|_| upper.next().is_none()).unwrap_or(character)
}
