//! What our NAT does to UDP ports: which kind of mapping it makes (RFC 4787), as relays see it.
//!
//! A relay tells where it sees us. One observation tells nothing; two at different destinations, from the same socket of ours, do:
//!
//! | seen | kind |
//! |---|---|
//! | at an address that is ours | [`Kind::None`] |
//! | at the same one by both, with the port of our socket | [`Kind::Preserving`] |
//! | at the same one by both, with another port | [`Kind::Independent`] |
//! | at different ones | [`Kind::Symmetric`] |
//!
//! Two relays are two destinations. One relay is enough where it listens for QUIC on two ports (`rs relay` has 4001 and 443): when
//! somebody asks, we dial its other port once, from the same socket, and close that connection when it has told what it sees. A NAT whose
//! mappings depend on the destination's address but not on its port then passes for an independent one; only a second relay shows it.
//!
//! IPv4 counts where there is any, else IPv6. Observations go with the connection they were made on, so none outlives a change of network.
//!
//! Sans-IO: the caller reports connections to relays, dials what `Nat::due` says, and brings the time.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol, swarm::ConnectionId};
use serde::Serialize;
use tokio::{sync::oneshot, time::Instant};

use super::address::{ip_of, split};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who may ask at a time.
const MAX_ASKERS: usize = 16;

/// How a NAT picks the port that the internet sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// There is none: we are seen at an address of our own.
    None,
    /// The same for every destination, and the port of our socket.
    Preserving,
    /// The same for every destination.
    Independent,
    /// Another one for each destination.
    Symmetric,
    /// Not enough was seen to tell.
    Unknown,
}

/// What is known about our place behind a NAT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// How ports are picked.
    pub kind: Kind,
    /// Where relays see our UDP socket; more than one behind a symmetric NAT, or with IPv6 beside IPv4.
    pub external: Vec<SocketAddr>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Nat {
    /// Our own sockets.
    ours: BTreeSet<SocketAddr>,
    legs: HashMap<ConnectionId, Leg>,
    askers: Vec<oneshot::Sender<Mapping>>,
    deadline: Option<Instant>,
    /// Dialled for those who ask now: the connections that are still awaited, and all destinations.
    probes: HashSet<ConnectionId>,
    tried: HashSet<Multiaddr>,
}

/// A QUIC connection to a relay.
#[derive(Debug)]
struct Leg {
    relay: PeerId,
    to: Multiaddr,
    seen: Option<SocketAddr>,
    /// The same relay at another port.
    other: Option<Multiaddr>,
}

impl Nat {
    /// We listen here.
    pub(super) fn listening(&mut self, address: &Multiaddr) {
        self.ours.extend(socket_of(address));
    }

    /// We listen there no longer.
    pub(super) fn not_listening(&mut self, address: &Multiaddr) {
        if let Some(socket) = socket_of(address) {
            self.ours.remove(&socket);
        }
    }

    /// A connection to a relay is there, which we dialled at `to`.
    pub(super) fn connected(&mut self, connection: ConnectionId, relay: PeerId, to: &Multiaddr) {
        if udp_port(to).is_some() {
            self.legs.insert(connection, Leg { relay, to: split(to).1, seen: None, other: None });
        }
    }

    /// The relay told where it sees us, and where it listens. True when that was all this connection was for: close it.
    pub(super) fn observed(&mut self, connection: ConnectionId, at: &Multiaddr, listening: &[Multiaddr]) -> bool {
        if let Some(leg) = self.legs.get_mut(&connection) {
            leg.seen = socket_of(at);
            leg.other = listening.iter().filter_map(udp_port).find_map(|port| with_other_port(&leg.to, port));
        }
        let over = self.probes.remove(&connection);
        self.answer_if(self.mapping().kind != Kind::Unknown);
        over
    }

    /// A connection is gone, or a dial failed.
    pub(super) fn closed(&mut self, connection: ConnectionId) {
        self.legs.remove(&connection);
        self.probes.remove(&connection);
    }

    /// Somebody wants to know; the answer comes within [`PATIENCE`].
    pub(super) fn ask(&mut self, asker: oneshot::Sender<Mapping>, now: Instant) {
        if self.askers.len() < MAX_ASKERS {
            self.askers.push(asker);
            self.deadline.get_or_insert(now + PATIENCE);
        }
        self.answer_if(self.mapping().kind != Kind::Unknown);
    }

    /// What is to be dialled now; then call [`Self::probing`].
    pub(super) fn due(&mut self, now: Instant) -> Option<(PeerId, Multiaddr)> {
        self.answer_if(self.deadline.is_some_and(|deadline| deadline <= now));
        if self.askers.is_empty() || !self.probes.is_empty() {
            return None;
        }
        let untried = |leg: &Leg| Some((leg.relay, leg.other.clone().filter(|other| !self.tried.contains(other))?));
        self.legs.values().find_map(untried)
    }

    /// This dial was made for [`Self::due`].
    pub(super) fn probing(&mut self, connection: ConnectionId, to: Multiaddr) {
        self.probes.insert(connection);
        self.tried.insert(to);
    }

    /// When [`Self::due`] has something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.deadline
    }

    fn answer_if(&mut self, ready: bool) {
        if ready {
            let mapping = self.mapping();
            self.askers.drain(..).for_each(|asker| drop(asker.send(mapping.clone())));
            self.deadline = None;
            self.tried.clear();
        }
    }

    /// What the observations of now say.
    fn mapping(&self) -> Mapping {
        let seen = || self.legs.values().filter_map(|leg| Some((&leg.to, leg.seen?)));
        let external: BTreeSet<SocketAddr> = seen().map(|(_, seen)| seen).collect();
        let v4 = external.iter().any(SocketAddr::is_ipv4);
        let counting: Vec<_> = seen().filter(|(_, seen)| seen.is_ipv4() == v4).collect();
        Mapping { kind: self.kind(&counting), external: external.into_iter().collect() }
    }

    fn kind(&self, observations: &[(&Multiaddr, SocketAddr)]) -> Kind {
        let Some(((to, first), others)) = observations.split_first() else { return Kind::Unknown };
        if self.ours.contains(first) {
            return Kind::None;
        }
        if others.iter().any(|(_, other)| other != first) {
            return Kind::Symmetric;
        }
        if others.iter().all(|(other, _)| other == to) {
            return Kind::Unknown;
        }
        let kept = self.ours.iter().any(|own| own.port() == first.port());
        if kept { Kind::Preserving } else { Kind::Independent }
    }
}

/// The same address at another UDP port; `None` when it has this port already.
fn with_other_port(address: &Multiaddr, port: u16) -> Option<Multiaddr> {
    let change = |part| if matches!(part, Protocol::Udp(_)) { Protocol::Udp(port) } else { part };
    (udp_port(address) != Some(port)).then(|| address.iter().map(change).collect())
}

/// The port of an address for QUIC.
fn udp_port(address: &Multiaddr) -> Option<u16> {
    let port = address.iter().find_map(|part| if let Protocol::Udp(port) = part { Some(port) } else { None })?;
    address.iter().any(|part| part == Protocol::QuicV1).then_some(port)
}

fn socket_of(address: &Multiaddr) -> Option<SocketAddr> {
    Some(SocketAddr::new(ip_of(address)?, udp_port(address)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "/ip4/10.0.0.2/udp/4001/quic-v1";
    const RELAY: &str = "/ip4/192.0.2.1/udp/4001/quic-v1";
    const RELAY_443: &str = "/ip4/192.0.2.1/udp/443/quic-v1";

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn connection(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    /// A node with a leg to the relay's first port, on which it was seen at `seen`.
    fn with_leg(seen: &str) -> Nat {
        let mut nat = Nat::default();
        nat.listening(&address(OURS));
        nat.connected(connection(1), PeerId::random(), &address(RELAY));
        assert!(!nat.observed(connection(1), &address(seen), &[RELAY, RELAY_443].map(address)), "a leg stays open");
        nat
    }

    /// Asks, and lets the relay's other port see us at `seen`.
    fn ask(nat: &mut Nat, seen: Option<&str>) -> Mapping {
        let (asker, mut answer) = oneshot::channel();
        let now = Instant::now();
        nat.ask(asker, now);
        if let Some((relay, to)) = nat.due(now) {
            assert_eq!(to, address(RELAY_443));
            nat.probing(connection(2), to.clone());
            assert_eq!(nat.due(now), None, "one at a time");
            match seen {
                Some(seen) => {
                    nat.connected(connection(2), relay, &to);
                    assert!(nat.observed(connection(2), &address(seen), &[RELAY, RELAY_443].map(address)), "a probe is closed");
                }
                None => nat.closed(connection(2)),
            }
            nat.closed(connection(2));
        }
        assert_eq!(nat.due(now), None, "once for each who asks");
        nat.due(now + PATIENCE);
        assert_eq!(nat.next_due(), None);
        answer.try_recv().expect("an answer in time")
    }

    #[test]
    fn each_kind_is_told_with_one_relay() {
        let same = "/ip4/203.0.113.2/udp/4001/quic-v1";
        let shifted = "/ip4/203.0.113.2/udp/30001/quic-v1";
        for (first, second, kind) in [
            (OURS, None, Kind::None),
            (same, Some(same), Kind::Preserving),
            (shifted, Some(shifted), Kind::Independent),
            (same, Some(shifted), Kind::Symmetric),
            (same, None, Kind::Unknown),
        ] {
            let mapping = ask(&mut with_leg(first), second);
            assert_eq!(mapping.kind, kind, "{first} {second:?}");
            assert!(mapping.external.contains(&socket_of(&address(first)).unwrap()));
        }
    }

    #[test]
    fn two_relays_need_no_extra_dial() {
        let mut nat = with_leg("/ip4/203.0.113.2/udp/30001/quic-v1");
        nat.connected(connection(9), PeerId::random(), &address("/ip4/192.0.2.9/udp/4001/quic-v1"));
        nat.observed(connection(9), &address("/ip4/203.0.113.2/udp/30002/quic-v1"), &[]);
        assert_eq!(ask(&mut nat, None).kind, Kind::Symmetric);
        nat.closed(connection(9));
        assert_eq!(nat.mapping().kind, Kind::Unknown, "what a closed connection saw is forgotten");
    }

    #[test]
    fn without_a_relay_the_answer_is_that_nothing_is_known() {
        assert_eq!(ask(&mut Nat::default(), None), Mapping { kind: Kind::Unknown, external: Vec::new() });
    }

    #[test]
    fn tcp_tells_nothing() {
        let mut nat = Nat::default();
        nat.connected(connection(1), PeerId::random(), &address("/ip4/192.0.2.1/tcp/4001"));
        nat.observed(connection(1), &address("/ip4/203.0.113.2/tcp/4001"), &[address(RELAY)]);
        assert_eq!(ask(&mut nat, None).external, []);
    }
}
