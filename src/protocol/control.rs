//! Who drives the host's pointer and keyboard: the person at the machine wins, at once and always.
//!
//! - A touch of a real mouse or key takes control. Not counted is what happens within [`GIVING`] of giving it away: those are the keys
//!   with which it was given.
//! - Control returns when the person gives it, or, where that is wanted, after so many quiet seconds without a touch. Who took it with
//!   a word (a button, a command, a permission taken away) gives it with a word: then silence returns nothing.
//! - Time is an argument. Call [`Control::settle`] when [`Control::due`] has come.

use std::time::{Duration, Instant};

use super::message::Holder;

/// The keys that give control away are let go within this time.
pub const GIVING: Duration = Duration::from_millis(300);

/// See the module.
#[derive(Debug)]
pub struct Control {
    holder: Holder,
    /// How long the person must be quiet until the viewer has control again; `None`: only their word gives it.
    hand_back: Option<Duration>,
    /// When control was given away.
    given: Option<Instant>,
    /// When the person, who took control by a touch, touched something last.
    touched: Option<Instant>,
}

impl Control {
    /// The person drives, and has to give control first.
    #[must_use]
    pub fn new(hand_back: Option<Duration>) -> Self {
        Self { holder: Holder::Local, hand_back, given: None, touched: None }
    }

    /// Who drives.
    #[must_use]
    pub fn holder(&self) -> Holder {
        self.holder
    }

    /// The session begins with the viewer driving. No key gave it control, so every touch counts.
    pub fn begin(&mut self) {
        self.holder = Holder::Remote;
    }

    /// The person touched mouse or keyboard. True: that took control from the viewer.
    pub fn touch(&mut self, now: Instant) -> bool {
        if self.given.is_some_and(|given| now < given + GIVING) {
            return false;
        }
        let took = self.holder == Holder::Remote;
        if took || self.touched.is_some() {
            self.touched = Some(now);
        }
        self.holder = Holder::Local;
        took
    }

    /// The person takes control with a word. True: they did not have it.
    pub fn take(&mut self) -> bool {
        (self.given, self.touched) = (None, None);
        std::mem::replace(&mut self.holder, Holder::Local) == Holder::Remote
    }

    /// The viewer may drive from now on. True: it did not before.
    pub fn give(&mut self, now: Instant) -> bool {
        (self.given, self.touched) = (Some(now), None);
        std::mem::replace(&mut self.holder, Holder::Remote) == Holder::Local
    }

    /// When control returns to the viewer if nobody touches anything.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.touched?.checked_add(self.hand_back?)
    }

    /// True: the person has been quiet for so long that the viewer has control again.
    pub fn settle(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            (self.holder, self.touched) = (Holder::Remote, None);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn given(hand_back: Option<Duration>) -> (Control, Instant) {
        let (mut control, start) = (Control::new(hand_back), Instant::now());
        assert_eq!(control.holder(), Holder::Local, "nobody was given anything yet");
        assert!(control.give(start) && !control.give(start));
        (control, start)
    }

    #[test]
    fn a_touch_takes_control_once_and_only_a_word_returns_it() {
        let (mut control, start) = given(None);
        assert!(control.touch(start + SECOND) && !control.touch(start + SECOND));
        assert_eq!((control.holder(), control.due()), (Holder::Local, None));
        assert!(!control.settle(start + 9999 * SECOND));
        assert!(control.give(start + 2 * SECOND));
        assert_eq!(control.holder(), Holder::Remote);
    }

    #[test]
    fn the_first_touch_of_a_session_counts() {
        let mut control = Control::new(None);
        control.begin();
        assert!(control.touch(Instant::now()));
    }

    #[test]
    fn the_keys_that_give_control_do_not_take_it() {
        let (mut control, start) = given(None);
        assert!(!control.touch(start + GIVING - Duration::from_millis(1)));
        assert_eq!(control.holder(), Holder::Remote);
        assert!(control.touch(start + GIVING));
    }

    #[test]
    fn silence_returns_control_where_it_may_and_every_touch_starts_it_anew() {
        let (mut control, start) = given(Some(10 * SECOND));
        assert_eq!(control.due(), None, "nobody touched anything");
        assert!(control.touch(start + SECOND));
        assert!(!control.touch(start + 8 * SECOND));
        assert_eq!(control.due(), Some(start + 18 * SECOND));
        assert!(!control.settle(start + 17 * SECOND) && control.settle(start + 18 * SECOND));
        assert_eq!((control.holder(), control.due()), (Holder::Remote, None));
        assert!(control.touch(start + 18 * SECOND), "silence gives no grace: no key gave control");
    }

    #[test]
    fn what_was_taken_with_a_word_is_given_with_a_word() {
        let (mut control, start) = given(Some(10 * SECOND));
        assert!(control.take() && !control.take());
        assert!(!control.touch(start + SECOND));
        assert_eq!(control.due(), None);
        let (mut control, start) = given(Some(10 * SECOND));
        assert!(control.touch(start + SECOND) && !control.take());
        assert_eq!(control.due(), None, "a word after a touch counts too");
    }
}
