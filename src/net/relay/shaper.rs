//! Bandwidth, decided: which stream may read how much, and when. No IO and no clock: time is an argument, counted from the start.
//!
//! - A stream begins with a free burst, so that what is small (identify, pings, the directory) never waits.
//! - After it a stream reads by quanta. One is granted when the stream's own limit has room for it and its turn in the line has come;
//!   the line moves as the total has room. All quanta are equal, and so are the shares of those who always want more. Who wants less
//!   takes fewer turns; what it leaves is for the others.
//! - A bucket holds what its rate gives in 50 ms: a timer that is late costs nobody anything.
//! - The free bursts are charged to the total afterwards, to one second's worth at most: many new streams slow the others down for a
//!   moment, and cannot stop them.
//!
//! So no stream gets more over any time `t` than burst + bucket + quantum + rate · t.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

/// What a stream may read before anything is asked, in bytes.
pub(super) const BURST: u64 = 256 * 1024;

/// Bytes granted at a time: small where the rate is small, so that turns are short, but never less than a packet. Where the rate is
/// great, two milliseconds' worth: a timer's turn must find somebody in line for all that has come together, or the first who asks
/// afterwards takes the rest.
const QUANTUM: std::ops::RangeInclusive<u64> = 1024..=16 * 1024;
const TURNS: u64 = 500;

/// What a bucket holds, as a part of a second.
const BUCKET: u64 = 20;

const NANOS: i128 = 1_000_000_000;

/// A stream's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StreamId(u64);

/// See the head of this file.
pub(super) struct Shaper {
    quantum: u64,
    /// Bytes per second of one stream; 0: unlimited.
    each: u64,
    total: Option<Bucket>,
    streams: HashMap<StreamId, Stream>,
    /// Whose own limit has room, in order of arrival.
    line: VecDeque<StreamId>,
    /// Whose own limit has no room until then.
    held: BTreeSet<(Duration, StreamId)>,
    next: u64,
}

struct Stream {
    /// May be read now; the part of it that is of the free burst.
    credit: u64,
    free: u64,
    own: Option<Bucket>,
    waits: Waits,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    No,
    InLine,
    Until(Duration),
}

impl Shaper {
    /// With bytes per second of each stream and of all together; 0: unlimited.
    pub(super) fn new(each: u64, total: u64) -> Self {
        let slowest = [each, total].into_iter().filter(|rate| *rate > 0).min().unwrap_or(0);
        let quantum = (slowest / (2 * BUCKET)).clamp(*QUANTUM.start(), *QUANTUM.end()).max(slowest / TURNS);
        let total = (total > 0).then(|| Bucket::new(total, quantum));
        Self { quantum, each, total, streams: HashMap::new(), line: VecDeque::new(), held: BTreeSet::new(), next: 0 }
    }

    /// A stream begins.
    pub(super) fn open(&mut self) -> StreamId {
        let id = StreamId(self.next);
        self.next += 1;
        let own = (self.each > 0).then(|| Bucket::new(self.each, self.quantum));
        self.streams.insert(id, Stream { credit: BURST, free: BURST, own, waits: Waits::No });
        id
    }

    /// A stream ends.
    pub(super) fn close(&mut self, id: StreamId) {
        match self.streams.remove(&id).map(|stream| stream.waits) {
            Some(Waits::InLine) => self.line.retain(|other| *other != id),
            Some(Waits::Until(then)) => _ = self.held.remove(&(then, id)),
            Some(Waits::No) | None => {}
        }
    }

    /// How many bytes this stream may read now. 0: it waits; [`Self::tick`] names it when its turn has come.
    pub(super) fn ask(&mut self, id: StreamId, now: Duration) -> u64 {
        let quantum = self.quantum;
        let Some(stream) = self.streams.get_mut(&id) else { return 0 };
        if stream.credit > 0 || stream.waits != Waits::No {
            return stream.credit;
        }
        if let Some(then) = stream.own.as_mut().and_then(|own| own.room_at(quantum, now)) {
            stream.waits = Waits::Until(then);
            self.held.insert((then, id));
            return 0;
        }
        stream.waits = Waits::InLine;
        self.line.push_back(id);
        // Whoever came before is served first, by the tick.
        if self.line.len() == 1 && self.serve(now).is_some() { quantum } else { 0 }
    }

    /// This stream has read so many bytes.
    pub(super) fn took(&mut self, id: StreamId, bytes: u64, now: Duration) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.credit = stream.credit.saturating_sub(bytes);
        let free = stream.free.min(bytes);
        stream.free -= free;
        if let Some(total) = self.total.as_mut().filter(|_| free > 0) {
            total.take(free, now);
        }
    }

    /// The streams whose turn has come.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<StreamId> {
        while let Some((then, id)) = self.held.first().copied().filter(|(then, _)| *then <= now) {
            self.held.remove(&(then, id));
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.waits = Waits::InLine;
                self.line.push_back(id);
            }
        }
        std::iter::from_fn(|| self.serve(now)).collect()
    }

    /// When [`Self::tick`] has something to do; `None` when nobody waits.
    pub(super) fn next(&mut self, now: Duration) -> Option<Duration> {
        let held = self.held.first().map(|(then, _)| *then);
        let turn =
            (!self.line.is_empty()).then(|| self.total.as_mut().and_then(|total| total.room_at(self.quantum, now)).unwrap_or(now));
        held.into_iter().chain(turn).min()
    }

    /// Grants a quantum to the first in line, if the total has room.
    fn serve(&mut self, now: Duration) -> Option<StreamId> {
        let first = *self.line.front()?;
        if let Some(total) = &mut self.total {
            if total.room_at(self.quantum, now).is_some() {
                return None;
            }
            total.take(self.quantum, now);
        }
        self.line.pop_front();
        let stream = self.streams.get_mut(&first)?;
        if let Some(own) = &mut stream.own {
            own.take(self.quantum, now);
        }
        stream.credit += self.quantum;
        stream.waits = Waits::No;
        Some(first)
    }
}

/// A token bucket, counted in bytes times nanoseconds so that nothing is lost by rounding. It begins empty.
struct Bucket {
    rate: i128,
    size: i128,
    level: i128,
    at: Duration,
}

impl Bucket {
    fn new(rate: u64, quantum: u64) -> Self {
        let size = i128::from((rate / BUCKET).max(2 * quantum)) * NANOS;
        Self { rate: i128::from(rate), size, level: 0, at: Duration::ZERO }
    }

    fn fill(&mut self, now: Duration) {
        // An hour fills any bucket.
        let gone = now.saturating_sub(self.at).min(Duration::from_secs(3600));
        let gone = i128::from(gone.as_secs()) * NANOS + i128::from(gone.subsec_nanos());
        self.level = self.size.min(self.level + self.rate * gone);
        self.at = self.at.max(now);
    }

    /// May go below zero: to one second's worth.
    fn take(&mut self, bytes: u64, now: Duration) {
        self.fill(now);
        self.level = (self.level - i128::from(bytes) * NANOS).max(-self.rate * NANOS);
    }

    /// When so many bytes are there; `None`: they are.
    fn room_at(&mut self, bytes: u64, now: Duration) -> Option<Duration> {
        self.fill(now);
        let missing = i128::from(bytes) * NANOS - self.level;
        let wait = u64::try_from((missing + self.rate - 1) / self.rate).ok().filter(|_| missing > 0)?;
        Some(self.at + Duration::from_nanos(wait))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was read when.
    type Reads = Vec<(Duration, u64)>;

    /// Streams that always want as much as `pace` bytes a millisecond, and what each has read when.
    struct Scene {
        shaper: Shaper,
        streams: Vec<(StreamId, u64, Reads)>,
        /// What each wants and has not read yet.
        wants: Vec<u64>,
    }

    impl Scene {
        fn new(each: u64, total: u64, paces: &[u64]) -> Self {
            let mut shaper = Shaper::new(each, total);
            let streams = paces.iter().map(|pace| (shaper.open(), *pace, Vec::new())).collect();
            Self { shaper, streams, wants: vec![0; paces.len()] }
        }

        /// A late timer is part of it: everything happens on whole milliseconds.
        fn live(&mut self, millis: std::ops::Range<u64>) {
            for now in millis.map(Duration::from_millis) {
                self.shaper.tick(now);
                for ((id, pace, read), wants) in self.streams.iter_mut().zip(&mut self.wants) {
                    *wants = wants.saturating_add(*pace);
                    while *wants > 0 {
                        let took = self.shaper.ask(*id, now).min(*wants);
                        if took == 0 {
                            break;
                        }
                        self.shaper.took(*id, took, now);
                        read.push((now, took));
                        *wants -= took;
                    }
                }
            }
        }

        fn read(&self, stream: usize, from: u64) -> u64 {
            self.streams[stream].2.iter().filter(|(at, _)| *at >= Duration::from_millis(from)).map(|(_, bytes)| bytes).sum()
        }
    }

    /// The most that was read beyond `rate` over any window: what a bucket of that rate would have had to hold.
    fn excess(read: impl Iterator<Item = (Duration, u64)>, rate: u64) -> u64 {
        let (mut level, mut most, mut last) = (0, 0, Duration::ZERO);
        for (at, bytes) in read {
            let drained = u128::from(rate) * (at - last).as_nanos() / 1_000_000_000;
            level = level.max(drained) - drained + u128::from(bytes);
            (most, last) = (most.max(level), at);
        }
        u64::try_from(most).unwrap()
    }

    fn bucket(rate: u64, quantum: u64) -> u64 {
        (rate / BUCKET).max(2 * quantum)
    }

    const GREEDY: u64 = u64::MAX;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_stream_gets_more_than_its_limit_over_any_window(
            each in 10_000u64..20_000_000, total in prop_oneof![Just(0), 50_000u64..20_000_000],
            paces in prop::collection::vec(prop_oneof![Just(GREEDY), 0u64..20_000], 1..8),
        ) {
            let mut scene = Scene::new(each, total, &paces);
            scene.live(0..1500);
            let quantum = scene.shaper.quantum;
            for (_, _, read) in &scene.streams {
                let most = excess(read.iter().copied(), each);
                prop_assert!(most <= BURST + bucket(each, quantum) + 2 * quantum, "{most} beyond {each}");
            }
        }

        #[test]
        fn all_streams_together_stay_within_the_total(total in 50_000u64..50_000_000, streams in 1usize..12) {
            let mut scene = Scene::new(0, total, &vec![GREEDY; streams]);
            scene.live(0..1500);
            let mut all: Vec<_> = scene.streams.iter().flat_map(|(_, _, read)| read.iter().copied()).collect();
            all.sort();
            let bursts = BURST * streams as u64;
            let most = excess(all.into_iter(), total);
            prop_assert!(most <= bursts + bucket(total, scene.shaper.quantum) + scene.shaper.quantum, "{most} beyond {total}");
        }

        #[test]
        fn hungry_streams_share_equally_and_use_all_of_it(total in 500_000u64..50_000_000, streams in 2usize..10) {
            let mut scene = Scene::new(0, total, &vec![GREEDY; streams]);
            // By then the debt of the bursts is paid.
            scene.live(0..5000);
            let shares: Vec<u64> = (0..streams).map(|stream| scene.read(stream, 2000)).collect();
            let (least, most) = (*shares.iter().min().unwrap(), *shares.iter().max().unwrap());
            prop_assert!(most - least <= 2 * scene.shaper.quantum, "{shares:?}");
            let sum: u64 = shares.iter().sum();
            prop_assert!(sum >= 3 * total / 100 * 98, "{sum} of {}", 3 * total);
        }
    }

    #[test]
    fn what_one_stream_leaves_is_for_the_others() {
        // 1000 bytes a millisecond in all; the first takes 50 of them, the second has all the rest.
        let mut scene = Scene::new(0, 1_000_000, &[50, GREEDY]);
        scene.live(0..22_000);
        let (modest, greedy) = (scene.read(0, 12_000), scene.read(1, 12_000));
        assert!(modest >= 500_000 - 50 * 100, "a modest stream gets all it wants, and soon: {modest}");
        assert!(greedy >= 9_300_000, "{greedy}");
    }

    #[test]
    fn streams_at_their_own_limit_leave_the_rest() {
        let mut scene = Scene::new(400_000, 10_000_000, &[GREEDY, GREEDY]);
        scene.live(0..4000);
        for stream in 0..2 {
            let read = scene.read(stream, 2000);
            assert!((784_000..=830_000).contains(&read), "{read}");
        }
    }

    #[test]
    fn what_is_small_passes_at_once_however_busy_it_is() {
        let mut scene = Scene::new(20_000, 100_000, &[GREEDY; 20]);
        scene.live(0..1000);
        let small = scene.shaper.open();
        assert_eq!(scene.shaper.ask(small, Duration::from_secs(1)), BURST);
    }

    #[test]
    fn nothing_is_left_of_streams_that_closed() {
        let mut scene = Scene::new(20_000, 30_000, &[GREEDY; 9]);
        scene.live(0..500);
        for (id, ..) in &scene.streams {
            scene.shaper.close(*id);
        }
        let shaper = &mut scene.shaper;
        assert!(shaper.streams.is_empty() && shaper.line.is_empty() && shaper.held.is_empty());
        assert_eq!(shaper.next(Duration::from_secs(1)), None);
        assert_eq!(shaper.ask(StreamId(0), Duration::from_secs(1)), 0);
    }
}
