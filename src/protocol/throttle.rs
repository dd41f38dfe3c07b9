//! The throttle on password guesses.
//!
//! Rules:
//! - A bucket holds 10 guesses and gets one back every 6 s: at most `10 + t / 6 s` guesses in any time `t`.
//! - Strangers share one bucket. Each known key (it had a session here before) has its own, so strangers cannot keep it waiting.
//! - A right guess is given back. Nothing is ever locked for good, and nothing but the guesses themselves costs anything.
//! - Memory: one bucket for strangers and at most [`MAX_KNOWN`] for known keys. When these are full, the one with the most guesses
//!   left is forgotten, which forgives the least.
//!
//! Order of calls: `check` before the gate is opened; `check` again before KE1 is answered, because several handshakes may have
//! passed the first check together; then at once `guessed`, and `proved` if KE3 is right.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::id::PeerKey;

/// Guesses in a full bucket.
pub const BURST: u32 = 10;
/// The time in which one guess comes back.
pub const REFILL: Duration = Duration::from_secs(6);
/// The most known keys that are remembered.
pub const MAX_KNOWN: usize = 256;

/// Counts guesses; bounded memory.
pub struct Throttle {
    strangers: Bucket,
    known: HashMap<PeerKey, Bucket>,
}

impl Throttle {
    /// A full bucket.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { strangers: Bucket::full(now), known: HashMap::new() }
    }

    /// Whether this peer may guess now. `known`: its key had a session here before.
    ///
    /// # Errors
    /// How long to wait.
    pub fn check(&mut self, now: Instant, peer: PeerKey, known: bool) -> Result<(), Duration> {
        let wait =
            if known { self.known.get(&peer).map_or(Duration::ZERO, |bucket| bucket.wait(now)) } else { self.strangers.wait(now) };
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// It guessed (KE2 was sent).
    pub fn guessed(&mut self, now: Instant, peer: PeerKey, known: bool) {
        if known {
            if !self.known.contains_key(&peer) {
                self.make_room();
            }
            self.known.entry(peer).or_insert(Bucket::full(now)).take(now);
        } else {
            self.strangers.take(now);
        }
    }

    /// It was right: its guess is given back.
    pub fn proved(&mut self, now: Instant, peer: PeerKey, known: bool) {
        if !known {
            self.strangers.give_back(now);
        } else if let Some(bucket) = self.known.get_mut(&peer) {
            bucket.give_back(now);
        }
    }

    fn make_room(&mut self) {
        while self.known.len() >= MAX_KNOWN {
            let Some(fullest) = self.known.iter().min_by_key(|(_, bucket)| bucket.full_at).map(|(key, _)| *key) else { return };
            self.known.remove(&fullest);
        }
    }
}

/// A token bucket, kept as the one instant at which it is full again (the "virtual scheduling" form of ITU-T I.371's GCRA).
#[derive(Clone, Copy)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// The time until there is a whole guess in it.
    fn wait(self, now: Instant) -> Duration {
        self.full_at.saturating_duration_since(now).saturating_sub(REFILL * (BURST - 1))
    }

    fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + REFILL;
    }

    fn give_back(&mut self, now: Instant) {
        self.full_at = self.full_at.checked_sub(REFILL).map_or(now, |full_at| full_at.max(now));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STRANGER: PeerKey = PeerKey([1; 32]);
    const FRIEND: PeerKey = PeerKey([2; 32]);

    fn exhaust(throttle: &mut Throttle, now: Instant, peer: PeerKey, known: bool) -> u32 {
        let mut guesses = 0;
        while throttle.check(now, peer, known).is_ok() {
            throttle.guessed(now, peer, known);
            guesses += 1;
        }
        guesses
    }

    #[test]
    fn ten_guesses_then_one_every_six_seconds() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        assert_eq!(exhaust(&mut throttle, now, STRANGER, false), BURST);
        assert_eq!(throttle.check(now, STRANGER, false), Err(REFILL));
        assert_eq!(exhaust(&mut throttle, now + REFILL, STRANGER, false), 1);
        assert_eq!(exhaust(&mut throttle, now + Duration::from_secs(3600), STRANGER, false), BURST, "it never overflows");
    }

    #[test]
    fn another_stranger_shares_the_bucket_and_a_known_key_does_not() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        exhaust(&mut throttle, now, STRANGER, false);
        assert!(throttle.check(now, PeerKey([9; 32]), false).is_err());
        assert_eq!(exhaust(&mut throttle, now, FRIEND, true), BURST);
        assert!(throttle.check(now, PeerKey([3; 32]), true).is_ok(), "each known key has its own");
    }

    #[test]
    fn a_right_guess_costs_nothing() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        for _ in 0..100 {
            for (peer, known) in [(STRANGER, false), (FRIEND, true)] {
                assert_eq!(throttle.check(now, peer, known), Ok(()));
                throttle.guessed(now, peer, known);
                throttle.proved(now, peer, known);
            }
        }
        assert_eq!(exhaust(&mut throttle, now, STRANGER, false), BURST, "giving back never makes more than a full bucket");
        assert_eq!(exhaust(&mut throttle, now, FRIEND, true), BURST);
    }

    #[test]
    fn known_keys_are_bounded_and_the_busiest_is_remembered() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        exhaust(&mut throttle, now, FRIEND, true);
        for number in 0..2 * MAX_KNOWN {
            let mut key = [7; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            throttle.guessed(now, PeerKey(key), true);
        }
        assert_eq!(throttle.known.len(), MAX_KNOWN);
        assert!(throttle.check(now, FRIEND, true).is_err());
    }

    /// A life: who guesses (`None` a stranger), after how many milliseconds, and whether right.
    fn life() -> impl Strategy<Value = Vec<(Option<u8>, u64, bool)>> {
        prop::collection::vec((prop::option::weighted(0.3, 0..4_u8), 0..9000_u64, prop::bool::weighted(0.1)), 0..200)
    }

    proptest! {
        #[test]
        fn wrong_guesses_in_any_window_are_bounded_and_waiting_times_are_true(life in life()) {
            let start = Instant::now();
            let mut now = start;
            let mut throttle = Throttle::new(now);
            let mut wrong: HashMap<Option<u8>, Vec<Instant>> = HashMap::new();
            for (who, pause, right) in life {
                now += Duration::from_millis(pause);
                let (peer, known) = (PeerKey([who.unwrap_or(0xff); 32]), who.is_some());
                match throttle.check(now, peer, known) {
                    Ok(()) => {
                        throttle.guessed(now, peer, known);
                        if right { throttle.proved(now, peer, known) } else { wrong.entry(who).or_default().push(now) }
                    }
                    Err(wait) => {
                        prop_assert!(wait <= REFILL, "never longer than one refill");
                        prop_assert!(throttle.check(now + wait, peer, known).is_ok());
                        prop_assert!(throttle.check(now + wait - Duration::from_nanos(1), peer, known).is_err());
                    }
                }
            }
            for times in wrong.values() {
                for (first, from) in times.iter().enumerate() {
                    for (last, to) in times.iter().enumerate().skip(first) {
                        let allowed = f64::from(BURST) + (*to - *from).as_secs_f64() / REFILL.as_secs_f64();
                        prop_assert!((last - first + 1) as f64 <= allowed + 1e-9);
                    }
                }
            }
        }

        #[test]
        fn a_flood_of_strangers_never_makes_a_known_key_wait(flood in prop::collection::vec((any::<u8>(), 0..50_u64), 1..500)) {
            let mut now = Instant::now();
            let mut throttle = Throttle::new(now);
            for (who, pause) in flood {
                now += Duration::from_millis(pause);
                let stranger = PeerKey([who; 32]);
                if throttle.check(now, stranger, false).is_ok() {
                    throttle.guessed(now, stranger, false);
                }
                prop_assert_eq!(throttle.check(now, FRIEND, true), Ok(()));
            }
        }
    }
}
