//! When the next frame may go to the terminal: once it has taken the one before.
//!
//! A terminal behind a slow line would else get a queue of old pictures. Two things tell that a frame was taken: the write
//! returned, and the terminal answered the question `CSI 5 n` behind the frame, which it reads after the frame. One that does
//! not answer is waited for no longer than [`PATIENCE`], and is not asked any more after [`MISSES`] of these. Whatever was not
//! sent meanwhile is never sent: the next frame is made of the newest picture.

use std::time::{Duration, Instant};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// After so many questions without an answer no more are asked.
const MISSES: u8 = 2;

/// See the module.
pub(super) struct Pace {
    /// From one frame to the next at least.
    interval: Duration,
    next: Option<Instant>,
    writing: bool,
    /// Until when an answer is waited for.
    asked: Option<Instant>,
    misses: u8,
}

impl Pace {
    /// At most a frame each `interval`.
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, next: None, writing: false, asked: None, misses: 0 }
    }

    /// Whether a question belongs behind the next frame.
    pub(super) fn asks(&self) -> bool {
        self.misses < MISSES
    }

    /// Whether a frame may go now.
    pub(super) fn is_free(&mut self, now: Instant) -> bool {
        if !self.writing && self.asked.is_some_and(|until| until <= now) {
            self.asked = None;
            self.misses += 1;
        }
        !self.writing && self.asked.is_none() && self.next.is_none_or(|next| next <= now)
    }

    /// A frame is on its way.
    pub(super) fn sent(&mut self, now: Instant) {
        (self.writing, self.next) = (true, Some(now + self.interval));
        self.asked = self.asks().then_some(now + PATIENCE);
    }

    /// The write returned.
    pub(super) fn written(&mut self, now: Instant) {
        self.writing = false;
        self.asked = self.asked.map(|_| now + PATIENCE);
    }

    /// The terminal answered.
    pub(super) fn answered(&mut self) {
        (self.asked, self.misses) = (None, 0);
    }

    /// When to look again, if nothing happens before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        if self.writing { None } else { self.asked.or(self.next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(50);

    #[test]
    fn a_frame_waits_for_the_write_the_answer_and_the_interval() {
        let (mut now, mut pace) = (Instant::now(), Pace::new(INTERVAL));
        assert!(pace.is_free(now) && pace.asks());
        pace.sent(now);
        now += PATIENCE * 2;
        assert!(!pace.is_free(now), "a write may take its time");
        pace.written(now);
        assert!(!pace.is_free(now) && pace.wake_at() == Some(now + PATIENCE));
        pace.answered();
        assert!(pace.is_free(now));
        pace.sent(now);
        pace.written(now);
        pace.answered();
        assert!(!pace.is_free(now) && pace.wake_at() == Some(now + INTERVAL));
        assert!(pace.is_free(now + INTERVAL));
    }

    #[test]
    fn an_answer_may_come_before_the_write_is_known_to_be_over() {
        let (now, mut pace) = (Instant::now(), Pace::new(INTERVAL));
        pace.sent(now);
        pace.answered();
        assert!(!pace.is_free(now + INTERVAL));
        pace.written(now);
        assert!(pace.is_free(now + INTERVAL));
    }

    #[test]
    fn a_terminal_that_does_not_answer_is_not_asked_for_ever() {
        let (mut now, mut pace) = (Instant::now(), Pace::new(INTERVAL));
        for _ in 0..MISSES {
            pace.sent(now);
            pace.written(now);
            assert!(!pace.is_free(now + PATIENCE / 2));
            now += PATIENCE;
            assert!(pace.is_free(now));
        }
        assert!(!pace.asks());
        pace.sent(now);
        pace.written(now);
        assert!(pace.is_free(now + INTERVAL));
    }
}
