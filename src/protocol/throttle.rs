//! The throttle on password guesses.

use std::time::{Duration, Instant};

use super::id::PeerKey;

/// Counts guesses; bounded memory.
pub struct Throttle;

impl Throttle {
    /// A full bucket.
    #[must_use]
    pub fn new(_now: Instant) -> Self {
        unimplemented!()
    }

    /// Whether this peer may guess now. `known`: its key had a session here before.
    ///
    /// # Errors
    /// How long to wait.
    pub fn check(&mut self, _now: Instant, _peer: PeerKey, _known: bool) -> Result<(), Duration> {
        unimplemented!()
    }

    /// It guessed (KE2 was sent).
    pub fn guessed(&mut self, _now: Instant, _peer: PeerKey, _known: bool) {
        unimplemented!()
    }

    /// It was right: its guess is given back.
    pub fn proved(&mut self, _now: Instant, _peer: PeerKey, _known: bool) {
        unimplemented!()
    }
}
