//! Whose the key presses were that the panel's window got. Without a display and without a clock, so that it can be tested: the server
//! tells of each press in a raw event, with the device it came from; the window's own event tells no device.
//!
//! A press that the window got is paired with the raw events of the same key: it counts when one of a real keyboard is waiting, and none
//! that was injected. Where both are, there is no telling which of them the window got, and none counts. A press that another program
//! only sent to the window has no raw event, and so finds nothing waiting. Each raw event stands for one press; while a real keyboard
//! holds the key, its repeats count, which have no raw events.
//!
//! Only what is pressed while the window has the focus waits, and no longer than [`LAPSE`]: a key that went elsewhere is no key for us.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

/// How long a raw event waits for its press.
const LAPSE: Duration = Duration::from_secs(2);
/// So many presses of one key wait at most; there are no more than 248 keys.
const MAX_WAITING: usize = 16;

/// See the module.
#[derive(Default)]
pub(super) struct Presses {
    /// Whether the window gets the keys.
    has_focus: bool,
    waiting: BTreeMap<u32, Waiting>,
    /// What real keyboards hold.
    held: BTreeSet<u32>,
}

/// The raw events of one key.
#[derive(Default)]
struct Waiting {
    /// When it was pressed at real keyboards.
    real: VecDeque<Instant>,
    /// When it was injected last.
    injected: Option<Instant>,
}

impl Presses {
    /// A raw event: this key went down.
    pub(super) fn press(&mut self, code: u32, is_real: bool, now: Instant) {
        if is_real {
            self.held.insert(code);
        }
        if !self.has_focus {
            return;
        }
        let waiting = self.waiting.entry(code).or_default();
        if !is_real {
            waiting.injected = Some(now);
            return;
        }
        waiting.real.push_back(now);
        if waiting.real.len() > MAX_WAITING {
            waiting.real.pop_front();
        }
    }

    /// A raw event of a real keyboard: this key went up.
    pub(super) fn release(&mut self, code: u32) {
        self.held.remove(&code);
    }

    /// Keyboards came or went: what they hold is not known any more.
    pub(super) fn forget_held(&mut self) {
        self.held.clear();
    }

    /// The window gets the keys from now on, or no more.
    pub(super) fn focus(&mut self, has_focus: bool) {
        self.has_focus = has_focus;
    }

    /// The window got a press of this key: whether it was the person's.
    pub(super) fn counts(&mut self, code: u32, now: Instant) -> bool {
        let mut waiting = self.waiting.remove(&code).unwrap_or_default();
        if waiting.injected.is_some() {
            return false;
        }
        waiting.real.retain(|at| is_recent(*at, now));
        let was_real = waiting.real.pop_front().is_some();
        if !waiting.real.is_empty() {
            self.waiting.insert(code, waiting);
        }
        was_real || self.held.contains(&code)
    }

    /// The window got something that an input method composed, of whatever keys: whether only the person types.
    pub(super) fn types(&self, now: Instant) -> bool {
        let mut injected = self.waiting.values().filter_map(|waiting| waiting.injected);
        let mut real = self.waiting.values().flat_map(|waiting| &waiting.real);
        let types = !self.held.is_empty() || real.any(|at| is_recent(*at, now));
        types && !injected.any(|at| is_recent(at, now))
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) <= LAPSE
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: u32 = 38;
    const OTHER: u32 = 39;

    fn focused() -> (Presses, Instant) {
        (Presses { has_focus: true, ..Presses::default() }, Instant::now())
    }

    #[test]
    fn each_press_of_the_person_counts_once_even_when_it_is_looked_at_late() {
        let (mut presses, now) = focused();
        for _ in 0..2 {
            presses.press(KEY, true, now);
            presses.release(KEY);
        }
        assert!(presses.counts(KEY, now) && presses.counts(KEY, now), "a double letter, of which both were let go");
        assert!(!presses.counts(KEY, now), "a third that has no raw event was only sent");
        assert!(!presses.counts(OTHER, now));
    }

    #[test]
    fn an_injected_press_counts_never_whatever_the_person_holds() {
        let (mut presses, now) = focused();
        presses.press(OTHER, true, now);
        presses.press(KEY, false, now);
        assert!(!presses.counts(KEY, now));
        assert!(presses.counts(OTHER, now), "the person's does");
        // Of the same key: there is no telling which one the window got.
        presses.press(OTHER, false, now);
        assert!(!presses.counts(OTHER, now));
        assert!(presses.counts(OTHER, now), "the repeats of the key that the person still holds");
        presses.release(OTHER);
        assert!(!presses.counts(OTHER, now));
    }

    #[test]
    fn a_key_that_went_elsewhere_is_not_taken_for_one_of_ours() {
        let (mut presses, now) = focused();
        presses.press(KEY, true, now);
        presses.release(KEY);
        assert!(!presses.counts(KEY, now + LAPSE * 2));
        presses.focus(false);
        presses.press(KEY, true, now);
        presses.press(OTHER, false, now);
        presses.release(KEY);
        presses.focus(true);
        assert!(!presses.counts(KEY, now));
        presses.press(OTHER, true, now);
        assert!(presses.counts(OTHER, now), "what was injected elsewhere is of no account either");
        presses.press(KEY, true, now);
        presses.forget_held();
        assert!(presses.counts(KEY, now) && !presses.counts(KEY, now));
    }

    #[test]
    fn what_an_input_method_composed_counts_while_only_the_person_types() {
        let (mut presses, now) = focused();
        assert!(!presses.types(now));
        presses.press(KEY, true, now);
        assert!(presses.types(now));
        presses.press(OTHER, false, now);
        assert!(!presses.types(now), "there is no telling whose it is");
        assert!(presses.types(now + LAPSE * 2), "the person still holds a key");
        presses.release(KEY);
        assert!(!presses.types(now + LAPSE * 2));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut presses, now) = focused();
        for _ in 0..1000 {
            presses.press(KEY, true, now);
        }
        assert_eq!(presses.waiting[&KEY].real.len(), MAX_WAITING);
    }
}
