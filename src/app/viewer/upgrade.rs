//! From the relay to a direct path, also later than in the first seconds.
//!
//! The host punches holes for every circuit that comes up, and at no other time. So while the session runs through a relay, another
//! circuit is dialled now and then for nothing else: a probe. It carries no lanes, and is closed after [`PUNCH`], or becomes a path like
//! any other when the session stalls meanwhile. A direct path that comes of it takes the session by itself.
//!
//! - The first probe comes after [`PAUSES`]`[0]`: the session's own circuit has had its punch by then. Later ones come more and more
//!   rarely; the last pause is kept for ever.
//! - [`SOON`] after a session fell back from a direct path, or our own address changed, and the pauses start over: the networks are others.
//!
//! Where punching cannot help, because one side is behind a symmetric NAT, probing ports may (`Node::probe`): after [`PORTS`]`[0]` on a
//! relay, and once more after [`PORTS`]`[1]`. It finds out by itself whether the networks are of that kind.
//!
//! So there is one circuit more than the session needs, for a third of a minute at a time. Sans-IO: the caller brings the time.

use std::time::{Duration, Instant};

use crate::protocol::session::path::{PathId, PathKind};

/// Between the beginning on a relay and the first probe, from there to the next, and so on.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(15), Duration::from_secs(45), Duration::from_secs(120), Duration::from_secs(300)];
/// Time for the legs to the relay to be up again and to learn the new address.
const SOON: Duration = Duration::from_secs(1);
/// How long a probe is kept: two punches, the second one ten seconds after the first.
const PUNCH: Duration = Duration::from_secs(20);
/// From the beginning on a relay to the first time that ports are probed, and from there to the second: an ordinary punch has had its
/// time, and the host hears only one a minute.
const PORTS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(120)];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Upgrade {
    kind: Option<PathKind>,
    probes: usize,
    next: Option<Instant>,
    probe: Option<Probe>,
    ports: Ports,
}

/// When ports are probed.
#[derive(Debug, Default)]
struct Ports {
    allowed: bool,
    tries: usize,
    next: Option<Instant>,
}

#[derive(Debug)]
struct Probe {
    /// Once it is up.
    path: Option<PathId>,
    until: Instant,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// Dial a circuit; the number says which one, where there are several.
    Dial(usize),
    /// Close this path.
    Close(PathId),
    /// Probe ports with the host.
    ProbePorts,
}

impl Upgrade {
    /// With or without probing ports.
    pub(super) fn new(probing: bool) -> Self {
        Self { ports: Ports { allowed: probing, ..Ports::default() }, ..Self::default() }
    }

    /// The session runs on a path of this kind now.
    pub(super) fn runs_on(&mut self, kind: PathKind, now: Instant) {
        match (self.kind.replace(kind), kind) {
            (Some(PathKind::Relayed), PathKind::Relayed) => {}
            (None, PathKind::Relayed) => self.start_over(PAUSES[0], now),
            (Some(_), PathKind::Relayed) => self.start_over(SOON, now),
            (_, PathKind::Direct | PathKind::Lan) => (self.next, self.ports.next) = (None, None),
        }
    }

    /// Our own address changed.
    pub(super) fn moved(&mut self, now: Instant) {
        if self.next.is_some() {
            self.start_over(SOON, now);
        }
    }

    /// Whether this new path is the probe, and not for the session.
    pub(super) fn is_probe(&mut self, path: PathId, kind: PathKind) -> bool {
        match &mut self.probe {
            Some(probe) if kind == PathKind::Relayed && probe.path.is_none() => {
                probe.path = Some(path);
                true
            }
            _ => false,
        }
    }

    /// The session stalls and needs whatever there is: the probe is no probe any longer.
    pub(super) fn give(&mut self) -> Option<PathId> {
        self.probe.take().and_then(|probe| probe.path)
    }

    /// When [`Self::due`] has something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        [self.next, self.ports.next, self.probe.as_ref().map(|probe| probe.until)].into_iter().flatten().min()
    }

    /// What is to be done now. Call until there is nothing.
    pub(super) fn due(&mut self, now: Instant) -> Option<Todo> {
        if let Some(over) = self.probe.take_if(|probe| probe.until <= now)
            && let Some(path) = over.path
        {
            return Some(Todo::Close(path));
        }
        if self.ports.next.take_if(|next| *next <= now).is_some() {
            self.ports.tries += 1;
            self.ports.next = PORTS.get(self.ports.tries).map(|pause| now + *pause);
            return Some(Todo::ProbePorts);
        }
        // One at a time.
        self.next.filter(|next| *next <= now && self.probe.is_none())?;
        self.probes += 1;
        self.next = Some(now + PAUSES[self.probes.min(PAUSES.len() - 1)].max(PUNCH));
        self.probe = Some(Probe { path: None, until: now + PUNCH });
        Some(Todo::Dial(self.probes - 1))
    }

    fn start_over(&mut self, pause: Duration, now: Instant) {
        // A probe under way went out with the old addresses.
        if let Some(probe) = &mut self.probe {
            probe.until = now;
        }
        (self.probes, self.next) = (0, Some(now + pause));
        (self.ports.tries, self.ports.next) = (0, self.ports.allowed.then(|| now + PORTS[0]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lives for so long, with every probe coming up at once; when each was dialled, and when ports were probed, in seconds.
    fn live(upgrade: &mut Upgrade, mut now: Instant, length: Duration) -> (Vec<u64>, Vec<u64>) {
        let (begun, mut dialled, mut ports, mut open) = (now, Vec::new(), Vec::new(), None);
        while let Some(next) = upgrade.next_due().filter(|next| *next < begun + length) {
            now = next.max(now);
            while let Some(todo) = upgrade.due(now) {
                match todo {
                    Todo::Dial(number) => {
                        assert!(open.is_none(), "one at a time");
                        let path = PathId(1000 + number as u64);
                        assert!(upgrade.is_probe(path, PathKind::Relayed));
                        assert!(!upgrade.is_probe(PathId(1), PathKind::Relayed), "that one is for the session");
                        open = Some(path);
                        dialled.push((now - begun).as_secs());
                    }
                    Todo::Close(path) => assert_eq!(open.take(), Some(path)),
                    Todo::ProbePorts => ports.push((now - begun).as_secs()),
                }
            }
        }
        (dialled, ports)
    }

    #[test]
    fn a_relayed_session_probes_more_and_more_rarely_and_never_stops() {
        let (mut upgrade, now) = (Upgrade::default(), Instant::now());
        upgrade.runs_on(PathKind::Relayed, now);
        assert_eq!(live(&mut upgrade, now, Duration::from_secs(1100)), (vec![15, 60, 180, 480, 780, 1080], vec![]));
    }

    #[test]
    fn ports_are_probed_twice_for_each_network_and_only_where_that_is_allowed() {
        let (mut upgrade, now, long) = (Upgrade::new(true), Instant::now(), Duration::from_secs(1000));
        upgrade.runs_on(PathKind::Relayed, now);
        assert_eq!(live(&mut upgrade, now, long).1, [3, 123]);
        upgrade.moved(now + long);
        assert_eq!(upgrade.due(now + long + PORTS[0]), Some(Todo::ProbePorts), "another network");

        let mut direct = Upgrade::new(true);
        direct.runs_on(PathKind::Relayed, now);
        direct.runs_on(PathKind::Direct, now);
        assert_eq!(direct.next_due(), None);

        let mut forbidden = Upgrade::new(false);
        forbidden.runs_on(PathKind::Relayed, now);
        assert!(live(&mut forbidden, now, long).1.is_empty());
    }

    #[test]
    fn a_direct_session_does_not_probe_until_it_falls_back_and_then_soon() {
        let (mut upgrade, now) = (Upgrade::default(), Instant::now());
        upgrade.runs_on(PathKind::Relayed, now);
        upgrade.runs_on(PathKind::Direct, now);
        upgrade.moved(now);
        assert_eq!(upgrade.next_due(), None);
        upgrade.runs_on(PathKind::Relayed, now);
        assert_eq!(live(&mut upgrade, now, Duration::from_secs(100)), (vec![1, 46], vec![]));
    }

    #[test]
    fn a_new_address_starts_over_and_closes_the_probe_from_the_old_one() {
        let (mut upgrade, now) = (Upgrade::default(), Instant::now());
        upgrade.runs_on(PathKind::Relayed, now);
        let first = now + PAUSES[0];
        assert_eq!(upgrade.due(first), Some(Todo::Dial(0)));
        assert!(upgrade.is_probe(PathId(7), PathKind::Relayed));
        upgrade.moved(first);
        assert_eq!(upgrade.due(first), Some(Todo::Close(PathId(7))));
        assert_eq!(upgrade.due(first), None);
        assert_eq!(upgrade.due(first + SOON), Some(Todo::Dial(0)));
    }

    #[test]
    fn a_stalled_session_gets_the_probe() {
        let (mut upgrade, now) = (Upgrade::default(), Instant::now());
        upgrade.runs_on(PathKind::Relayed, now);
        assert_eq!(upgrade.due(now + PAUSES[0]), Some(Todo::Dial(0)));
        assert!(!upgrade.is_probe(PathId(3), PathKind::Direct), "that is what it was for");
        assert!(upgrade.is_probe(PathId(4), PathKind::Relayed));
        assert_eq!(upgrade.give(), Some(PathId(4)));
        assert_eq!(upgrade.give(), None);
    }
}
