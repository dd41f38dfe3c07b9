//! The estimate of a path: how fast its narrowest link is, and how much of ours waits there. It says when the next picture may be made
//! and how large, so that a buffer at a router never fills with pictures.
//!
//! A path is seen as one queue with one server. Every picture is handed in at a known time and leaves at its *departure*: the viewer's
//! time of its arrival, less the least one-way delay ever seen in [`WINDOW`] (of pings and pictures: a clock's offset cancels out, as in
//! LEDBAT, RFC 6817). From that follow
//! - *the rate*: bytes over the time that the server was busy with them, from `max(departure before, handed in)` to the departure, with
//!   a memory of [`MEMORY`] of busy time. Pauses of ours do not count, so a quiet screen does not make a slow link;
//! - *the backlog*: when the server will be free, were it to serve what is under way at this rate. What is not reported one round trip
//!   after its departure was due has not departed. So when a link fails or slows down, what is under way stays bounded: by what the
//!   round trip, [`TARGET`] and one picture held at the rate before.
//!
//! Pictures and chunks of files are one queue: what the one has put into it the other finds there. When a chunk is due is told in
//! [`chunks`].
//!
//! Rules:
//! - A picture is due when the backlog has sunk to [`TARGET`] less [`PICTURE`]; it may fill it up to [`TARGET`].
//! - Before the rate is known, [`FIRST_BYTES`] may be under way.
//! - Others may fill the queue too. Then [`LEAST_BYTES`] still go every [`LEAST_INTERVAL`], until their queue counts as part of the way.
//! - A link that is never empty shows no least delay. After [`CALM`] of that, pictures wait until it has run empty for a ping.
//! - A picture alone that is small or quick is no proof of a slow link: it says more about who was late to look at it. Nor does it
//!   take away from what an unknown link gets.
//!
//! The viewer's times come from a peer: a departure is held between its sending and now, so that a false one spoils only that viewer's
//! own picture. Bounded: [`MAX_UNDER_WAY`] pictures and chunks are remembered.

mod chunks;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::io::Credit;
use crate::protocol::stats::{Samples, Spread};

/// How long pictures may take to get through the link, at most: beyond the round trip, what one waits before it is shown.
pub(super) const TARGET: Duration = Duration::from_millis(60);
/// How much of that a picture takes on a busy link; the rest keeps the link busy while the next one is made.
pub(super) const PICTURE: Duration = Duration::from_millis(40);
/// What may be under way on a link of unknown rate: a useful first picture.
pub(super) const FIRST_BYTES: u64 = 100_000;
/// What always may go…
pub(super) const LEAST_BYTES: u64 = 4096;
/// … so often, however full the link is.
pub(super) const LEAST_INTERVAL: Duration = Duration::from_millis(200);
/// Busy time after which a measurement has lost half its weight, about.
const MEMORY: Duration = Duration::from_millis(150);
/// How long a least value counts: so long and up to twice that.
const WINDOW: Duration = Duration::from_secs(20);
/// How long a link may go without having been empty.
const CALM: Duration = Duration::from_secs(15);
/// A picture alone that takes less is too quick to say how slow the link is…
const QUICK: Duration = Duration::from_millis(10);
/// … but it says that the link is at least as fast as if it had taken this, when it has at least [`TELLING`] bytes.
const RESOLUTION: Duration = Duration::from_millis(4);
/// See [`RESOLUTION`].
const TELLING: u64 = 4096;
/// Bytes a second; nothing is slower.
const LEAST_RATE: u64 = 4096;
const SECOND: u64 = 1_000_000;
/// There are never more chunks under way. More pictures than the credit allows come from switching to and fro; the oldest of all
/// are forgotten then.
const MAX_UNDER_WAY: usize = 512;

/// What is known of a path.
pub(super) struct Estimate {
    /// The beginning of time, for durations.
    origin: Instant,
    under_way: VecDeque<Sent>,
    /// When the last picture went out, and the last large one.
    last_sent: Duration,
    last_large: Option<Duration>,
    /// When the last chunk went out, and its bytes.
    last_chunk: (Duration, u64),
    /// When the last picture that is reported departed.
    departed: Duration,
    /// Bytes that departed, and the microseconds that took; the past weighs less.
    served: (u64, u64),
    /// The viewer's clock less ours, and the delay of one way, in microseconds.
    offset: Least<i64>,
    rtt: Least<Duration>,
    /// Whether a ping was answered: nothing is measured before.
    is_measured: bool,
    /// How much longer than at best the last thing took.
    queue: Duration,
    /// How long pictures took to arrive whole.
    wire: Samples,
    /// When a ping last had the link for itself.
    calm: Duration,
}

/// What goes through the link, each kind numbered by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Picture(u64),
    Chunk(u64),
}

impl Item {
    /// Whether a report of `other` tells that this one has departed too: those of one kind arrive in order.
    fn is_before(self, other: Self) -> bool {
        match (self, other) {
            (Self::Picture(this), Self::Picture(other)) | (Self::Chunk(this), Self::Chunk(other)) => this < other,
            _ => false,
        }
    }
}

struct Sent {
    item: Item,
    at: Duration,
    bytes: u64,
}

impl Estimate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            origin: now,
            under_way: VecDeque::new(),
            last_sent: Duration::ZERO,
            last_large: None,
            last_chunk: (Duration::ZERO, 0),
            departed: Duration::ZERO,
            served: (0, 0),
            offset: Least::default(),
            rtt: Least::default(),
            is_measured: false,
            queue: Duration::ZERO,
            wire: Samples::default(),
            calm: Duration::ZERO,
        }
    }

    // What happens.

    /// A ping goes out.
    pub(super) fn pinged(&mut self, now: Instant) {
        if self.under_way.is_empty() {
            self.calm = self.since(now);
        }
    }

    /// A ping is answered; the peer did so when its clock showed `at`.
    pub(super) fn ponged(&mut self, now: Instant, sent: Instant, at: u64) {
        let (now, sent) = (self.since(now), self.since(sent));
        self.is_measured = true;
        self.rtt.add(now, now.saturating_sub(sent));
        self.delayed(now, sent, at);
    }

    /// It goes out.
    pub(super) fn sent(&mut self, now: Instant, item: Item, bytes: usize) {
        let (at, bytes) = (self.since(now), bytes as u64);
        if self.under_way.len() == MAX_UNDER_WAY {
            self.under_way.pop_front();
        }
        match item {
            Item::Picture(_) => {
                self.last_sent = at;
                if self.rate().is_some_and(|rate| chunks::is_large(bytes, rate)) {
                    self.last_large = Some(at);
                }
            }
            Item::Chunk(_) => self.last_chunk = (at, bytes),
        }
        self.under_way.push_back(Sent { item, at, bytes });
    }

    /// It arrived when the peer's clock showed `at`.
    pub(super) fn arrived(&mut self, now: Instant, item: Item, at: u64) {
        let Some(index) = self.under_way.iter().position(|sent| sent.item == item) else { return };
        let Some(sent) = self.under_way.remove(index) else { return };
        self.under_way.retain(|other| !other.item.is_before(item));
        let now = self.since(now);
        let departed = (sent.at + self.delayed(now, sent.at, at)).min(now);
        let is_alone = self.departed <= sent.at;
        let busy = departed.saturating_sub(self.departed.max(sent.at));
        self.departed = self.departed.max(departed);
        if self.is_measured {
            if let Item::Picture(_) = item {
                self.wire.add(self.queue + self.least_rtt().unwrap_or_default() / 2);
            }
            self.serve(sent.bytes, busy, is_alone);
        }
    }

    /// Something came in when the peer's clock showed `at`: how much longer than at best it took.
    fn delayed(&mut self, now: Duration, sent: Duration, at: u64) -> Duration {
        let offset = i64::try_from(at).unwrap_or(i64::MAX).saturating_sub_unsigned(micros(sent));
        let least = self.offset.add(now, offset);
        self.queue = Duration::from_micros(offset.saturating_sub(least).unsigned_abs()).min(now);
        self.queue
    }

    fn serve(&mut self, bytes: u64, busy: Duration, is_alone: bool) {
        if is_alone && (bytes < TELLING || busy < QUICK) {
            let at_least = bytes * SECOND / micros(busy.max(RESOLUTION));
            let known = self.rate().unwrap_or(FIRST_BYTES * SECOND / micros(TARGET));
            if bytes >= TELLING && known < at_least {
                self.served = (at_least * micros(MEMORY) / SECOND, micros(MEMORY));
            }
            return;
        }
        let (sum, time) = self.served;
        let keep = |value: u64| value.saturating_mul(micros(MEMORY)) / micros(MEMORY + busy);
        self.served = (keep(sum) + bytes, keep(time) + micros(busy));
    }

    // What follows from it.

    /// The link's rate in bytes a second.
    pub(super) fn rate(&self) -> Option<u64> {
        let (bytes, time) = self.served;
        (bytes >= TELLING).then(|| (bytes.saturating_mul(SECOND) / time.max(micros(RESOLUTION))).max(LEAST_RATE))
    }

    /// The least round trip.
    pub(super) fn least_rtt(&self) -> Option<Duration> {
        self.rtt.least()
    }

    /// How long the last thing waited on its way.
    pub(super) fn queue(&self) -> Duration {
        self.queue
    }

    /// How long pictures took to arrive whole: half the least round trip, and what they took longer than at best.
    pub(super) fn wire(&self) -> Option<Spread> {
        self.wire.spread()
    }

    /// The picture that may be made now, if one may.
    pub(super) fn credit(&self, now: Instant) -> Option<Credit> {
        let now = self.since(now);
        if now >= self.calm + CALM {
            return None;
        }
        let Some(rate) = self.rate() else {
            let under_way: u64 = self.under_way.iter().map(|sent| sent.bytes).sum();
            return (under_way <= FIRST_BYTES / 2).then(|| Credit { bytes: FIRST_BYTES - under_way, rate: None });
        };
        let reported = now.saturating_sub(self.least_rtt().unwrap_or_default());
        let room = TARGET.saturating_sub(self.free_at(rate, reported).saturating_sub(now));
        let bytes = if room >= PICTURE {
            (rate.saturating_mul(micros(room)) / SECOND).max(LEAST_BYTES)
        } else if now >= self.last_sent + LEAST_INTERVAL {
            LEAST_BYTES
        } else {
            return None;
        };
        Some(Credit { bytes, rate: Some(rate) })
    }

    /// When to look for credit again, if nothing else happens.
    pub(super) fn next_credit(&self, now: Instant) -> Option<Instant> {
        let rate = self.rate()?;
        let sunk = self.free_at(rate, Duration::ZERO).saturating_sub(TARGET - PICTURE);
        let times = [sunk, self.last_sent + LEAST_INTERVAL];
        times.into_iter().map(|at| self.origin + at).filter(|at| *at > now && !self.under_way.is_empty()).min()
    }

    /// When a ping should have the link for itself, if it has run empty.
    pub(super) fn calm_due(&self) -> Option<Instant> {
        self.under_way.is_empty().then(|| self.origin + self.calm + CALM)
    }

    /// When all that is under way will have departed, knowing that nothing of it had before `reported`.
    fn free_at(&self, rate: u64, reported: Duration) -> Duration {
        self.under_way.iter().fold(self.departed, |free, sent| {
            let departs = free.max(sent.at) + takes(sent.bytes, rate);
            departs.max(reported)
        })
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }
}

/// The least of the values of the last [`WINDOW`], and of up to one more.
struct Least<T> {
    begun: Duration,
    now: Option<T>,
    before: Option<T>,
}

impl<T> Default for Least<T> {
    fn default() -> Self {
        Self { begun: Duration::ZERO, now: None, before: None }
    }
}

impl<T: Ord + Copy> Least<T> {
    /// Takes a value; the least one, with it.
    fn add(&mut self, now: Duration, value: T) -> T {
        if now >= self.begun + WINDOW {
            (self.before, self.begun) = (self.now.take(), now);
        }
        self.now = Some(self.now.map_or(value, |least| least.min(value)));
        self.before.map_or(value, |least| least.min(value)).min(self.now.unwrap_or(value))
    }

    fn least(&self) -> Option<T> {
        self.now.into_iter().chain(self.before).min()
    }
}

/// How long a link of this rate is busy with so many bytes.
fn takes(bytes: u64, rate: u64) -> Duration {
    Duration::from_micros(bytes * SECOND / rate)
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// The viewer's clock shows this when ours shows 0; the way takes 30 ms.
    const OFFSET: u64 = 5_000_000 + 30_000;

    /// An estimate after a ping, and its beginning.
    fn pinged() -> (Estimate, Instant) {
        let origin = Instant::now();
        let mut estimate = Estimate::new(origin);
        estimate.pinged(origin);
        estimate.ponged(origin + 60 * MS, origin, OFFSET);
        (estimate, origin)
    }

    /// A picture of so many bytes, sent and departed at these milliseconds.
    fn carry(estimate: &mut Estimate, origin: Instant, number: u64, bytes: usize, sent: u32, departed: u32) {
        estimate.sent(origin + MS * sent, Item::Picture(number), bytes);
        estimate.arrived(origin + MS * (departed + 60), Item::Picture(number), OFFSET + u64::from(departed) * 1000);
    }

    fn rate(estimate: &Estimate) -> u64 {
        estimate.rate().expect("it is known")
    }

    #[test]
    fn the_rate_is_that_of_busy_times_whatever_the_clocks_show() {
        let (mut estimate, origin) = pinged();
        carry(&mut estimate, origin, 0, 100_000, 100, 500);
        assert_eq!(rate(&estimate), 250_000);
        carry(&mut estimate, origin, 1, 10_000, 4000, 4040);
        assert_eq!(rate(&estimate).next_multiple_of(10), 250_000, "the pause does not count");
        estimate.sent(origin + 5000 * MS, Item::Picture(2), 10_000);
        estimate.sent(origin + 5010 * MS, Item::Picture(3), 10_000);
        estimate.arrived(origin + 5100 * MS, Item::Picture(2), OFFSET + 5_040_000);
        estimate.arrived(origin + 5140 * MS, Item::Picture(3), OFFSET + 5_080_000);
        assert_eq!(rate(&estimate).next_multiple_of(10), 250_000, "the second waited for the first");
    }

    #[test]
    fn the_wire_is_half_a_round_trip_and_what_a_picture_takes_beyond_a_ping() {
        let (mut estimate, origin) = pinged();
        assert_eq!(estimate.wire(), None);
        carry(&mut estimate, origin, 0, 10_000, 100, 140);
        assert_eq!(estimate.wire(), Some(Spread { p50: 70_000, p95: 70_000 }));
    }

    #[test]
    fn a_slower_link_is_noticed_within_two_pictures_and_a_faster_one_too() {
        let (mut estimate, origin) = pinged();
        (0..10).for_each(|number| carry(&mut estimate, origin, u64::from(number), 10_000, 100 + number * 50, 140 + number * 50));
        carry(&mut estimate, origin, 10, 10_000, 700, 860);
        carry(&mut estimate, origin, 11, 10_000, 900, 1060);
        assert!(rate(&estimate) < 100_000, "{} after a fall to 62,500", rate(&estimate));
        (12..30).for_each(|number| {
            let sent = 1200 + (number - 12) * 50;
            carry(&mut estimate, origin, u64::from(number), 10_000, sent, sent + 20);
        });
        assert!(rate(&estimate) > 400_000, "{} after a rise to 500,000", rate(&estimate));
    }

    #[test]
    fn small_late_pictures_do_not_make_a_fast_link_slow_and_quick_ones_make_it_fast() {
        let (mut estimate, origin) = pinged();
        carry(&mut estimate, origin, 0, 5000, 10, 11);
        assert_eq!(estimate.rate(), None, "at least 1.25 MB/s is less than what an unknown link gets");
        carry(&mut estimate, origin, 0, 400_000, 100, 101);
        assert_eq!(rate(&estimate), 100_000_000);
        (1..50).for_each(|number| carry(&mut estimate, origin, u64::from(number), 1000, 100 + number * 50, 115 + number * 50));
        assert_eq!(rate(&estimate), 100_000_000);
    }

    #[test]
    fn credit_waits_for_the_backlog_to_sink_and_says_when() {
        let (mut estimate, origin) = pinged();
        carry(&mut estimate, origin, 0, 100_000, 100, 500);
        let now = origin + 1000 * MS;
        assert_eq!(estimate.credit(now), Some(Credit { bytes: 15_000, rate: Some(250_000) }), "60 ms of the link");
        estimate.sent(now, Item::Picture(1), 15_000);
        assert_eq!(estimate.credit(now), None);
        let due = estimate.next_credit(now).expect("later");
        assert_eq!(due, now + 40 * MS);
        assert_eq!(estimate.credit(due), Some(Credit { bytes: 10_000, rate: Some(250_000) }));
    }

    #[test]
    fn what_is_not_reported_holds_back_more_but_for_the_least() {
        let (mut estimate, origin) = pinged();
        carry(&mut estimate, origin, 0, 100_000, 100, 500);
        let now = origin + 1000 * MS;
        // The round trip and the target are full, and nothing arrives.
        (1..=4).for_each(|number| estimate.sent(now, Item::Picture(number), 10_000));
        assert_eq!(estimate.credit(now + 150 * MS), None);
        assert_eq!(estimate.credit(now + 300 * MS).map(|credit| credit.bytes), Some(LEAST_BYTES));
    }

    #[test]
    fn an_unknown_link_gets_a_first_picture_and_no_more() {
        let (mut estimate, origin) = pinged();
        let first = estimate.credit(origin).expect("at once");
        assert_eq!(first, Credit { bytes: FIRST_BYTES, rate: None });
        estimate.sent(origin, Item::Picture(0), 100_000);
        assert_eq!(estimate.credit(origin + 3000 * MS), None);
    }

    #[test]
    fn a_link_that_is_never_empty_is_emptied_for_a_ping() {
        let (mut estimate, origin) = pinged();
        carry(&mut estimate, origin, 0, 100_000, 100, 500);
        let full = origin + CALM - 10 * MS;
        estimate.sent(full, Item::Picture(1), 5000);
        assert_eq!((estimate.credit(origin + CALM), estimate.calm_due()), (None, None));
        estimate.arrived(origin + CALM + 50 * MS, Item::Picture(1), OFFSET + 15_010_000);
        assert_eq!(estimate.calm_due(), Some(origin + CALM));
        estimate.pinged(origin + CALM + 50 * MS);
        assert!(estimate.credit(origin + CALM + 50 * MS).is_some());
    }

    #[test]
    fn false_times_do_no_harm() {
        let (mut estimate, origin) = pinged();
        for (number, at) in [(0, 0), (1, u64::MAX), (2, OFFSET), (3, 1)] {
            estimate.sent(origin + MS * number, Item::Picture(u64::from(number)), 10_000);
            estimate.arrived(origin + MS * (number + 1), Item::Picture(u64::from(number)), at);
            estimate.arrived(origin + MS * (number + 1), Item::Picture(99), at);
            let _ = (estimate.credit(origin + MS * number), estimate.next_credit(origin + MS * number));
        }
        (0..1000).for_each(|number| estimate.sent(origin, Item::Picture(number), 1));
        assert_eq!(estimate.under_way.len(), MAX_UNDER_WAY);
    }
}
