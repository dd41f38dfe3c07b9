//! Paths: the connections that a session can use, and which one it uses.
//!
//! - A path owns its numbers: round trip, silence, and how far the session's messages and pictures got on it.
//! - It is attached once the peer's `Attach` came in on it. It dies when nothing has been heard for [`silence`] while a ping is
//!   unanswered; the answer to that ping, should it ever come, revives it. Only attached, living paths are used.
//! - When a path breaks, or the one in use is late with an answer, the peer may have moved, and the other paths may be dead without a word:
//!   they are asked at once, and have [`HASTE`] to answer. So they do not die one after the other, each in its own time.
//! - The viewer decides ([`nominate`]): a better tier promotes at once, only death demotes. Within a tier it stays with the path in
//!   use unless another one is much quicker, or is QUIC and not much slower than this TCP. The host follows the highest living epoch ([`follow`]): when two sides
//!   decide, or the last path heard wins, a session flaps between two good paths.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{LinkEstimate, Violation, estimate::Estimate};

/// From an answered ping to the next one, on the path in use.
pub const PING_CURRENT: Duration = Duration::from_millis(400);
/// From an answered ping to the next one, on the others.
pub const PING_BACKUP: Duration = Duration::from_secs(2);
/// How long a path may be silent with an unanswered ping, beside four of its round trips ([`silence`]).
pub const SILENCE: Duration = Duration::from_millis(1200);
/// How long at most: a link that is that slow is as good as dead.
pub const MAX_SILENCE: Duration = Duration::from_secs(4);
/// How long a path may be silent, beside four of its round trips, until it is late; and once it is doubted, until it is dead.
pub const HASTE: Duration = Duration::from_millis(400);
/// What a round trip is taken for before it is measured.
const FIRST_RTT: Duration = Duration::from_millis(200);
/// After a switch, how long a quicker path of the same tier must wait.
pub(super) const SETTLE: Duration = Duration::from_secs(10);
/// How much quicker it must be, beside needing at most half the time.
pub(super) const QUICKER: Duration = Duration::from_millis(20);

/// One connection to the peer, for as long as it lives. Never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u64);

/// How near a path is, worst first: the order is the tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// Through a relay.
    Relayed,
    /// Straight to the peer, over the internet.
    Direct,
    /// Straight to the peer, at a loopback, private or link-local address.
    Lan,
}

impl PathKind {
    /// The word used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Relayed => "relayed",
            Self::Direct => "direct",
            Self::Lan => "lan",
        }
    }
}

/// What carries a path, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// TCP, in whatever disguise: one lost segment holds up all lanes, and it dies with its address.
    Tcp,
    /// QUIC: lanes do not wait for each other, loss slows it less, and its client may change its address.
    Quic,
}

/// What a session knows about one path.
pub(super) struct Path {
    pub(super) kind: PathKind,
    carrier: Carrier,
    /// The highest nomination; 0: none.
    pub(super) epoch: u64,
    /// The next message that this path has to carry.
    pub(super) control_next: u64,
    /// The next picture that this path has to carry.
    pub(super) picture_next: u64,
    /// The next chunk that this path has to carry.
    pub(super) bulk_next: u64,
    /// Its link, as far as pictures and chunks show it.
    pub(super) estimate: Estimate,
    /// Viewer: the host's word on that, bytes a second and microseconds.
    pub(super) told: Option<(u64, u64)>,
    attached: bool,
    alive: bool,
    heard: Instant,
    rtt: Option<Duration>,
    ping: Ping,
    /// When another path broke or was late, until this one answers.
    doubted: Option<Instant>,
    /// It is late, and the others are doubted for it.
    late: bool,
}

/// There is one ping at a time, so the peer never gets more of them than it answers.
enum Ping {
    /// Number so-and-so waits for its answer since then.
    Sent(u64, Instant),
    /// The last one was answered then; this is the next number.
    Answered(u64, Instant),
}

impl Path {
    /// A new path; its first ping was sent just now, with the number 0.
    pub(super) fn new(kind: PathKind, carrier: Carrier, now: Instant) -> Self {
        Self {
            kind,
            carrier,
            epoch: 0,
            control_next: 0,
            picture_next: 0,
            bulk_next: 0,
            estimate: Estimate::new(now),
            told: None,
            attached: false,
            alive: true,
            heard: now,
            rtt: None,
            ping: Ping::Sent(0, now),
            doubted: None,
            late: false,
        }
    }

    /// The peer's `Attach` came in.
    pub(super) fn attach(&mut self) -> Result<(), Violation> {
        if std::mem::replace(&mut self.attached, true) { Err(Violation("attached twice")) } else { Ok(()) }
    }

    pub(super) fn is_attached(&self) -> bool {
        self.attached
    }

    /// Whether the session can use it.
    pub(super) fn is_usable(&self) -> bool {
        self.attached && self.alive
    }

    /// The smoothed round trip.
    pub(super) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// What is known of its link.
    pub(super) fn link(&self) -> LinkEstimate {
        let (rate, queue) = match self.told {
            Some((rate, queue)) => (Some(rate), Some(Duration::from_micros(queue))),
            None => (self.estimate.rate(), self.estimate.least_rtt().map(|_| self.estimate.queue())),
        };
        LinkEstimate { rate, rtt: self.rtt, least_rtt: self.estimate.least_rtt(), queue }
    }

    /// Something came in.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Another path broke or is late.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.doubted = Some(now);
    }

    /// Whether it is late since now.
    pub(super) fn gets_late(&mut self, now: Instant) -> bool {
        let gets_late = self.late_at().is_some_and(|at| at <= now);
        self.late |= gets_late;
        gets_late
    }

    /// When it will be late, if nothing is heard until then.
    pub(super) fn late_at(&self) -> Option<Instant> {
        match self.ping {
            Ping::Sent(_, at) if self.alive && !self.late => Some(at.max(self.heard) + self.haste()),
            _ => None,
        }
    }

    /// The number of the ping to send now, if it is time.
    pub(super) fn ping(&mut self, now: Instant, in_use: bool) -> Option<u64> {
        match self.ping {
            Ping::Answered(number, _) if self.ping_due(in_use).is_some_and(|due| due <= now) => {
                self.ping = Ping::Sent(number, now);
                self.estimate.pinged(now);
                Some(number)
            }
            _ => None,
        }
    }

    /// A ping is answered: the path lives, and it took so long there and back (smoothed as in RFC 6298, §2).
    /// The peer's clock showed `at` then.
    pub(super) fn pong(&mut self, now: Instant, answered: u64, at: u64) -> Result<(), Violation> {
        let Ping::Sent(number, sent) = self.ping else { return Err(Violation("a pong without a ping")) };
        if answered != number {
            return Err(Violation("a pong for another ping"));
        }
        self.estimate.ponged(now, sent, at);
        let sample = now.saturating_duration_since(sent);
        self.rtt = Some(self.rtt.map_or(sample, |smoothed| (smoothed * 7 + sample) / 8));
        self.ping = Ping::Answered(number + 1, now);
        (self.alive, self.doubted, self.late) = (true, None, false);
        Ok(())
    }

    /// Dies if it has been silent for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        self.alive &= self.death().is_none_or(|death| now < death);
    }

    /// When it dies, if nothing is heard until then.
    pub(super) fn death(&self) -> Option<Instant> {
        match self.ping {
            Ping::Sent(_, at) if self.alive => {
                let (quiet, patience) = (at.max(self.heard), silence(self.rtt));
                let hurried = self.doubted.map(|since| quiet.max(since) + self.haste());
                Some(hurried.map_or(quiet + patience, |hurried| hurried.min(quiet + patience)))
            }
            _ => None,
        }
    }

    /// When the next ping is due.
    pub(super) fn ping_due(&self, in_use: bool) -> Option<Instant> {
        match self.ping {
            Ping::Answered(_, at) => {
                let calm = self.estimate.calm_due().map_or(at + PING_BACKUP, |due| due.max(at));
                Some(self.doubted.unwrap_or(calm.min(at + ping_interval(in_use))))
            }
            Ping::Sent(..) => None,
        }
    }

    fn haste(&self) -> Duration {
        patience(HASTE, self.rtt)
    }

    /// Unknown round trips come last.
    fn slowness(&self) -> Duration {
        self.rtt.unwrap_or(Duration::MAX)
    }
}

/// How long a path with this round trip may be silent. So the death of the path in use is noticed within `PING_CURRENT` and this:
/// 2 s up to a round trip of 100 ms; that of all paths at once within `PING_BACKUP` and this. A link that is filled by a picture
/// answers late, its round trip grows, and it is given more time: like TCP's timeout (RFC 6298, §2), with a floor for jitter.
#[must_use]
pub fn silence(rtt: Option<Duration>) -> Duration {
    patience(SILENCE, rtt)
}

fn patience(least: Duration, rtt: Option<Duration>) -> Duration {
    (least + rtt.unwrap_or(FIRST_RTT) * 4).min(MAX_SILENCE)
}

/// The path in use, borrowed apart from the rest of the session.
pub(super) fn current(id: Option<PathId>, paths: &mut BTreeMap<PathId, Path>) -> Option<(PathId, &mut Path)> {
    let id = id?;
    paths.get_mut(&id).map(|path| (id, path))
}

/// The viewer's choice. `settled`: the last switch is long past.
pub(super) fn nominate(paths: &BTreeMap<PathId, Path>, current: Option<PathId>, settled: bool) -> Option<PathId> {
    let usable = || paths.iter().filter(|(_, path)| path.is_usable());
    let nearest = usable().map(|(_, path)| path.kind).max()?;
    let tier = || usable().filter(|(_, path)| path.kind == nearest);
    let Some((id, in_use)) = tier().find(|(id, _)| Some(**id) == current) else {
        return tier().max_by_key(|(id, path)| preference(id, path)).map(|(id, _)| *id);
    };
    let better = tier().filter(|(_, path)| is_steadier(path, in_use) || settled && is_much_quicker(path, in_use));
    Some(better.max_by_key(|(id, path)| preference(id, path)).map_or(*id, |(id, _)| *id))
}

/// A free choice takes the quickest, and of those that are not measured yet the oldest.
fn preference(id: &PathId, path: &Path) -> (Reverse<Duration>, Carrier, Reverse<PathId>) {
    (Reverse(path.slowness()), path.carrier, Reverse(*id))
}

/// QUIC instead of TCP, unless that is much quicker: both are punched at once, and which one is there first is chance. One that is
/// not measured yet has to wait. (Not the other way round, or the two would take turns.)
fn is_steadier(other: &Path, in_use: &Path) -> bool {
    other.carrier > in_use.carrier && other.rtt.is_some() && !is_much_quicker(in_use, other)
}

/// The host's choice: the highest epoch. Without any, the nearest path, so that the first words need not wait for a nomination.
pub(super) fn follow(paths: &BTreeMap<PathId, Path>) -> Option<PathId> {
    let usable = paths.iter().filter(|(_, path)| path.is_usable());
    usable.max_by_key(|(id, path)| (path.epoch, path.kind, Reverse(**id))).map(|(id, _)| *id)
}

/// The path to forget when there are too many: a dead one, else the farthest and oldest; never the one in use.
pub(super) fn worst(paths: &BTreeMap<PathId, Path>, current: Option<PathId>) -> Option<PathId> {
    let spare = paths.iter().filter(|(id, _)| Some(**id) != current);
    spare.min_by_key(|(id, path)| (path.alive, path.kind, **id)).map(|(id, _)| *id)
}

fn is_much_quicker(other: &Path, in_use: &Path) -> bool {
    match (other.rtt, in_use.rtt) {
        (Some(other), Some(in_use)) => other * 2 <= in_use && other + QUICKER <= in_use,
        _ => false,
    }
}

fn ping_interval(in_use: bool) -> Duration {
    if in_use { PING_CURRENT } else { PING_BACKUP }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Attached paths with these round trips, numbered from 0.
    fn paths(now: Instant, paths: &[(PathKind, u32)]) -> BTreeMap<PathId, Path> {
        (0..).map(PathId).zip(paths.iter().map(|&(kind, rtt)| path(now, kind, Carrier::Quic, rtt))).collect()
    }

    fn path(now: Instant, kind: PathKind, carrier: Carrier, rtt: u32) -> Path {
        let mut path = Path::new(kind, carrier, now);
        path.attach().expect("the first time");
        path.pong(now + MS * rtt, 0, 0).expect("the first ping");
        path
    }

    /// Where a session on path 0 goes, of a TCP and a QUIC path with these round trips.
    fn race(tcp: u32, quic: u32, settled: bool, in_use: u64) -> u64 {
        let now = Instant::now();
        let tcp = path(now, PathKind::Direct, Carrier::Tcp, tcp);
        let quic = path(now, PathKind::Direct, Carrier::Quic, quic);
        let paths = BTreeMap::from([(PathId(0), tcp), (PathId(1), quic)]);
        nominate(&paths, Some(PathId(in_use)), settled).expect("there is one").0
    }

    #[test]
    fn quic_is_taken_from_tcp_at_once_unless_it_is_much_slower_and_they_do_not_take_turns() {
        for settled in [false, true] {
            assert_eq!(race(40, 50, settled, 0), 1, "QUIC, a little slower");
            assert_eq!(race(50, 40, settled, 1), 1);
            assert_eq!(race(40, 50, settled, 1), 1, "it stays there");
            assert_eq!(race(40, 90, settled, 0), 0, "TCP, for QUIC is much slower");
        }
        assert_eq!(race(40, 90, true, 1), 0);
        assert_eq!(race(40, 90, false, 1), 1, "not so soon after a switch");
    }

    #[test]
    fn a_quic_path_that_is_not_measured_yet_waits() {
        let now = Instant::now();
        let mut quic = Path::new(PathKind::Direct, Carrier::Quic, now);
        quic.attach().expect("the first time");
        let paths = BTreeMap::from([(PathId(0), path(now, PathKind::Direct, Carrier::Tcp, 40)), (PathId(1), quic)]);
        assert_eq!(nominate(&paths, Some(PathId(0)), true), Some(PathId(0)));
    }

    #[test]
    fn a_better_tier_promotes_and_only_death_demotes() {
        let now = Instant::now();
        let mut paths = paths(now, &[(PathKind::Relayed, 10), (PathKind::Direct, 90), (PathKind::Lan, 300)]);
        assert_eq!(nominate(&paths, Some(PathId(0)), false), Some(PathId(2)));
        assert_eq!(nominate(&paths, Some(PathId(2)), true), Some(PathId(2)), "slow, but near");
        let lan = paths.get_mut(&PathId(2)).expect("it is there");
        let asked = now + PING_CURRENT + 300 * MS;
        assert!(lan.ping(asked, true).is_some());
        lan.expire(asked + silence(Some(300 * MS)) - MS);
        assert!(lan.alive);
        lan.expire(asked + silence(Some(300 * MS)));
        assert!(!lan.alive);
        assert_eq!(nominate(&paths, Some(PathId(2)), false), Some(PathId(1)));
    }

    #[test]
    fn within_a_tier_only_a_much_quicker_path_is_taken_and_only_when_settled() {
        let now = Instant::now();
        let close = paths(now, &[(PathKind::Direct, 60), (PathKind::Direct, 35)]);
        assert_eq!(nominate(&close, Some(PathId(0)), true), Some(PathId(0)));
        assert_eq!(nominate(&close, None, true), Some(PathId(1)), "a free choice takes the quickest");
        let far = paths(now, &[(PathKind::Direct, 60), (PathKind::Direct, 30)]);
        assert_eq!(nominate(&far, Some(PathId(0)), false), Some(PathId(0)));
        assert_eq!(nominate(&far, Some(PathId(0)), true), Some(PathId(1)));
    }

    #[test]
    fn the_host_follows_the_highest_living_epoch() {
        let now = Instant::now();
        let mut paths = paths(now, &[(PathKind::Relayed, 9), (PathKind::Lan, 1), (PathKind::Direct, 9)]);
        assert_eq!(follow(&paths), Some(PathId(1)), "no nomination yet");
        for (id, epoch) in [(0, 1), (2, 2)] {
            paths.get_mut(&PathId(id)).expect("it is there").epoch = epoch;
        }
        assert_eq!(follow(&paths), Some(PathId(2)));
        paths.remove(&PathId(2));
        assert_eq!(follow(&paths), Some(PathId(0)));
    }

    #[test]
    fn a_late_answer_revives_a_path() {
        let now = Instant::now();
        let mut path = Path::new(PathKind::Direct, Carrier::Quic, now);
        path.expire(now + silence(None));
        assert!(!path.alive && path.death().is_none() && path.ping_due(false).is_none());
        path.pong(now + 5 * SILENCE, 0, 0).expect("the ping under way");
        assert!(path.alive);
        assert!(path.pong(now + 5 * SILENCE, 0, 0).is_err(), "answered already");
    }

    #[test]
    fn a_doubted_path_is_asked_at_once_and_has_less_time() {
        let now = Instant::now();
        let mut path = path(now, PathKind::Direct, Carrier::Quic, 40);
        let broke = now + 100 * MS;
        assert_eq!(path.ping(broke, true), None, "it is not time yet");
        path.doubt(broke);
        assert_eq!(path.ping(broke, true), Some(1));
        assert_eq!(path.death(), Some(broke + HASTE + 160 * MS));
        path.pong(broke + 40 * MS, 1, 0).expect("the ping under way");
        assert_eq!(path.ping(broke + 40 * MS + PING_CURRENT, true), Some(2), "it is trusted again");
        assert_eq!(path.death(), Some(broke + 40 * MS + PING_CURRENT + silence(Some(40 * MS))));
    }

    #[test]
    fn a_doubt_does_not_give_a_silent_path_more_time() {
        let now = Instant::now();
        let mut path = path(now, PathKind::Direct, Carrier::Quic, 40);
        let asked = now + PING_CURRENT + 40 * MS;
        path.ping(asked, true).expect("it is time");
        let death = path.death().expect("it is silent");
        path.doubt(death - 10 * MS);
        assert_eq!(path.death(), Some(death));
    }

    #[test]
    fn a_slow_path_is_given_more_time_but_not_for_ever() {
        assert!(PING_CURRENT + silence(Some(100 * MS)) <= Duration::from_secs(2));
        assert!(silence(Some(20 * MS)) < silence(None) && silence(None) < silence(Some(500 * MS)));
        assert_eq!(silence(Some(Duration::from_secs(60))), MAX_SILENCE);
    }
}
