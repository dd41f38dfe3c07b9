//! Pictures on their way: credit at the host, exactly-once at the viewer.
//!
//! - The codec's stream lives as long as the session, so every picture must arrive, once and in order. The host keeps each until
//!   the viewer has done with it, and replays the kept ones on a new path.
//! - Credit belongs to the path: its link says when and how much ([`super::estimate`]), and at most [`window`] pictures and
//!   [`MAX_IN_FLIGHT`] bytes are under way on it; a larger picture travels alone. One picture is asked for at a time, and only when
//!   it could go out: pictures never queue. What a new path has to carry again waits for its link as well.
//! - The same bounds hold for what the viewer holds, so a host that sends more breaks the protocol.

use std::{collections::VecDeque, time::Duration};

use super::{Violation, io::Credit};

/// The most bytes of pictures under way, unless it is a single one.
pub(super) const MAX_IN_FLIGHT: usize = 4 << 20;
/// The fewest and the most pictures under way.
pub(super) const MIN_WINDOW: usize = 2;
/// See [`MIN_WINDOW`].
pub(super) const MAX_WINDOW: usize = 8;
/// The shortest time from one picture to the next: 60 a second.
pub(super) const PICTURE_INTERVAL: Duration = Duration::from_millis(16);

/// How many pictures may be under way on a path with this round trip: as many as it takes to keep it busy, and one more.
pub(super) fn window(rtt: Option<Duration>) -> usize {
    let intervals = rtt.unwrap_or_default().as_micros().div_ceil(PICTURE_INTERVAL.as_micros());
    usize::try_from(intervals).unwrap_or(MAX_WINDOW).saturating_add(1).clamp(MIN_WINDOW, MAX_WINDOW)
}

/// The host's side: pictures `first..first + unacknowledged.len()`; those below `sent` have been transmitted on some path.
#[derive(Default)]
pub(super) struct Outgoing {
    first: u64,
    sent: u64,
    unacknowledged: VecDeque<Vec<u8>>,
    wanted: bool,
}

impl Outgoing {
    /// What to ask for now, for a path with this window and credit, if anything. It counts as asked for.
    pub(super) fn want(&mut self, window: usize, credit: Credit) -> Option<Credit> {
        let kept = self.unacknowledged.len();
        let room = MAX_IN_FLIGHT.saturating_sub(self.bytes(kept)) as u64;
        let asks = !self.wanted && (kept == 0 || kept < window && room > 0);
        self.wanted |= asks;
        asks.then(|| Credit { bytes: credit.bytes.min(room), ..credit })
    }

    /// Takes the picture that was asked for.
    pub(super) fn push(&mut self, picture: Vec<u8>) {
        debug_assert!(self.wanted, "pictures are sent when they are wanted");
        self.wanted = false;
        self.unacknowledged.push_back(picture);
    }

    /// Where a path that becomes the current one starts.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The picture to transmit on a path that has carried everything below `next`, and its number. What was transmitted before, on
    /// another path, waits for credit.
    pub(super) fn take(&mut self, next: u64, window: usize, has_credit: bool) -> Option<(u64, &[u8])> {
        let number = next.max(self.first);
        let in_flight = usize::try_from(number - self.first).ok()?;
        let picture = self.unacknowledged.get(in_flight)?;
        let may_go = has_credit || number >= self.sent;
        let fits = in_flight == 0 || may_go && in_flight < window && self.bytes(in_flight + 1) <= MAX_IN_FLIGHT;
        if !fits {
            return None;
        }
        self.sent = self.sent.max(number + 1);
        Some((number, picture))
    }

    /// Forgets everything below `next`: the viewer has done with it.
    pub(super) fn acknowledge(&mut self, next: u64) -> Result<(), Violation> {
        if next > self.sent {
            return Err(Violation("a picture was acknowledged before it was sent"));
        }
        while self.first < next {
            self.unacknowledged.pop_front();
            self.first += 1;
        }
        Ok(())
    }

    /// Forgets everything: nobody looks any more.
    pub(super) fn clear(&mut self) {
        *self = Self { first: self.sent, sent: self.sent, ..Self::default() };
    }

    /// The bytes of the oldest `count` pictures; there are never more than [`MAX_WINDOW`].
    fn bytes(&self, count: usize) -> usize {
        self.unacknowledged.iter().take(count).map(Vec::len).sum()
    }
}

/// The viewer's side: pictures `done..next` are being decoded.
#[derive(Default)]
pub(super) struct Incoming {
    next: u64,
    done: u64,
    sizes: VecDeque<usize>,
}

impl Incoming {
    /// Whether this picture is new; otherwise it has come before, on another path.
    pub(super) fn accept(&mut self, number: u64, size: usize) -> Result<bool, Violation> {
        if number < self.next {
            return Ok(false);
        }
        if number > self.next {
            return Err(Violation("a picture is missing"));
        }
        let held = self.sizes.len();
        let fits = held == 0 || held < MAX_WINDOW && self.sizes.iter().sum::<usize>() + size <= MAX_IN_FLIGHT;
        if !fits {
            return Err(Violation("more pictures than there is credit for"));
        }
        self.next += 1;
        self.sizes.push_back(size);
        Ok(true)
    }

    /// The oldest picture is decoded. Whether there was one.
    pub(super) fn finish_oldest(&mut self) -> bool {
        let finished = self.sizes.pop_front().is_some();
        self.done += u64::from(finished);
        finished
    }

    /// The oldest picture that is not done with: below it, the host may forget.
    pub(super) fn wanted(&self) -> u64 {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDIT: Credit = Credit { bytes: 100_000, rate: None };

    #[test]
    fn the_window_follows_the_round_trip() {
        let of = |ms| window(Some(Duration::from_millis(ms)));
        assert_eq!([window(None), of(0), of(1), of(16), of(17), of(48), of(112), of(5000)], [2, 2, 2, 2, 3, 4, 8, 8]);
    }

    #[test]
    fn one_picture_is_wanted_at_a_time_up_to_the_window() {
        let mut outgoing = Outgoing::default();
        for _ in 0..3 {
            assert!(outgoing.want(3, CREDIT).is_some());
            assert!(outgoing.want(3, CREDIT).is_none(), "asked for already");
            outgoing.push(vec![1]);
        }
        assert!(outgoing.want(3, CREDIT).is_none());
        for number in 0..3 {
            assert_eq!(outgoing.take(number, 3, true).map(|(number, _)| number), Some(number));
        }
        outgoing.acknowledge(1).expect("it was sent");
        assert!(outgoing.want(3, CREDIT).is_some());
    }

    #[test]
    fn a_large_picture_travels_alone() {
        let mut outgoing = Outgoing::default();
        for size in [1, MAX_IN_FLIGHT + 1] {
            assert!(outgoing.want(8, CREDIT).is_some());
            outgoing.push(vec![0; size]);
        }
        assert!(outgoing.want(8, CREDIT).is_none());
        assert!(outgoing.take(0, 8, true).is_some());
        assert!(outgoing.take(1, 8, true).is_none());
        outgoing.acknowledge(1).expect("it was sent");
        assert!(outgoing.take(1, 8, true).is_some());
    }

    #[test]
    fn a_path_with_a_smaller_window_replays_in_portions() {
        let mut outgoing = Outgoing::default();
        for number in 0..8 {
            assert!(outgoing.want(8, CREDIT).is_some());
            outgoing.push(vec![0; 10]);
            assert!(outgoing.take(number, 8, true).is_some());
        }
        assert!(outgoing.take(0, 2, true).is_some() && outgoing.take(1, 2, true).is_some() && outgoing.take(2, 2, true).is_none());
        assert!(outgoing.take(1, 8, false).is_none(), "a replay waits for credit");
        outgoing.acknowledge(1).expect("it was sent");
        assert!(outgoing.take(2, 2, true).is_some() && outgoing.take(3, 2, true).is_none());
        assert!(outgoing.want(2, CREDIT).is_none());
    }
}
