//! When the next chunk of a file may go, and how long it may be.
//!
//! - It is due when the backlog, pictures included, leaves [`STEP`] below [`WAIT`]: so what is asked next waits for files that long at
//!   most. On a link of unknown rate one chunk goes alone.
//! - Large pictures tell that there is more to be seen than the link carries, as in a film. While one went out less than [`FILM`] ago,
//!   chunks are [`FILM_CHUNK`] long and get one in [`FILM_SHARE`] of the link, be it busy or idle. (The link is idle while a slow machine
//!   makes the next picture: files that filled it then would take more than the film, and hold up each picture.)
//! - A lost packet holds up the reports of all that follow it for a round trip and somewhat more, while the link is free. So what is not
//!   reported counts as waiting only after [`recovered`]: else each loss would leave the link idle for as long. The price is that a link
//!   which suddenly slows down is noticed so much later.

use std::time::{Duration, Instant};

use super::{CALM, Estimate, Item, LEAST_BYTES, LEAST_INTERVAL, MAX_UNDER_WAY, PICTURE, SECOND, TARGET, TELLING, micros, takes};
use crate::protocol::session::pictures;

/// How long chunks of files may make others wait: below it, pictures are asked for as on an idle link.
const WAIT: Duration = TARGET.saturating_sub(PICTURE);
/// The least of it that a chunk is worth being cut for.
const STEP: Duration = Duration::from_millis(5);
/// A picture that takes the link so long is one of a film…
const LARGE: Duration = Duration::from_millis(20);
/// … until so long after it.
const FILM: Duration = Duration::from_millis(300);
/// How much of the link's time a chunk takes beside a film.
const FILM_CHUNK: Duration = Duration::from_millis(10);
/// Files get one in so many bytes of the link beside a film.
const FILM_SHARE: u64 = 5;
/// The first chunk on a link of unknown rate: it tells the rate, and is over in 64 ms at 2 Mbit/s.
const FIRST_CHUNK: u64 = 16 << 10;
/// The smallest chunk.
const LEAST_CHUNK: u64 = 1024;

/// Whether a picture of so many bytes is one of a film.
pub(super) fn is_large(bytes: u64, rate: u64) -> bool {
    takes(bytes, rate) >= LARGE
}

/// How long after its departure the report of something may come of which a packet was lost once.
fn recovered(round_trip: Duration) -> Duration {
    round_trip * 9 / 4
}

impl Estimate {
    /// How many bytes the next chunk of a file may have, if one may go.
    pub(in super::super) fn bulk_room(&self, now: Instant) -> Option<u64> {
        let now = self.since(now);
        if now >= self.calm + CALM || self.under_way.len() >= MAX_UNDER_WAY - pictures::MAX_WINDOW {
            return None;
        }
        let Some(rate) = self.rate() else {
            let may_go = self.under_way.iter().all(|sent| matches!(sent.item, Item::Picture(_)) && sent.bytes < TELLING);
            return may_go.then_some(FIRST_CHUNK);
        };
        let reported = now.saturating_sub(recovered(self.least_rtt().unwrap_or_default()));
        let backlog = self.free_at(rate, reported).saturating_sub(now);
        let room = match self.film_turn(rate, now) {
            Some(turn) if turn > now => return None,
            Some(_) if backlog <= TARGET => FILM_CHUNK,
            Some(_) => Duration::ZERO,
            None => WAIT.saturating_sub(backlog),
        };
        if room >= STEP {
            Some((rate.saturating_mul(micros(room)) / SECOND).max(LEAST_CHUNK))
        } else {
            (now >= self.last_chunk.0 + LEAST_INTERVAL).then_some(LEAST_BYTES)
        }
    }

    /// When to look for room for a chunk again, if nothing else happens.
    pub(in super::super) fn next_bulk(&self, now: Instant) -> Option<Instant> {
        let rate = self.rate()?;
        let (turn, most) = match self.film_turn(rate, self.since(now)) {
            Some(turn) => (turn, TARGET),
            None => (Duration::ZERO, WAIT - STEP),
        };
        let sunk = self.free_at(rate, Duration::ZERO).saturating_sub(most).max(turn);
        let least = turn.max(self.last_chunk.0 + LEAST_INTERVAL);
        let due = [sunk, least].into_iter().map(|at| self.origin + at).filter(|at| *at > now).min();
        due.filter(|_| !self.under_way.is_empty() || turn > self.since(now))
    }

    /// Beside a film: when the next chunk may go.
    fn film_turn(&self, rate: u64, now: Duration) -> Option<Duration> {
        let (at, bytes) = self.last_chunk;
        let turn = at + takes(bytes * FILM_SHARE, rate);
        self.last_large.filter(|last| now < *last + FILM).map(|last| turn.min(last + FILM))
    }
}
