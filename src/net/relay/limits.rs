//! Every number that bounds a relay, with its unit and its reason.
//!
//! What an operator may set is in [`Limits`]; the flags of `rs relay` have the defaults of [`Limits::default`]. The rest follows from
//! it or is a matter of the protocol.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use libp2p::{Multiaddr, connection_limits::ConnectionLimits, relay};

use crate::net::address::ip_of;

/// Connections of one host that may hold a reservation: QUIC, TCP, one more while roaming.
const RESERVATIONS_PER_PEER: usize = 3;
/// A reservation is renewed while the host runs; a dead host's connection closes long before.
const RESERVATION_LIFETIME: Duration = Duration::from_secs(3600);

/// Reservations and circuits asked for: so many at once, then one per interval. A viewer whose host is away asks every second until it is
/// back. A whole office may sit behind one IP address; loopback has no such limit.
const PER_PEER: (NonZeroU32, Duration) = (NonZeroU32::new(60).expect("60 is not zero"), Duration::from_secs(1));
const PER_IP: (NonZeroU32, Duration) = (NonZeroU32::new(600).expect("600 is not zero"), Duration::from_secs(1));

/// Connections whose handshake is under way: each costs some 10 KB, and has ten seconds.
const MAX_PENDING: u32 = 512;
/// Connections of one peer: QUIC and TCP, by IPv4 and IPv6, old and new while roaming.
const MAX_PER_PEER: u32 = 16;

/// Records kept at least: relays that joined bring theirs. An ordinary one takes 0.7 KB in all, the longest 3 KB.
const RECORDS: usize = 100_000;
/// How often expired records are swept out.
pub(super) const SWEEP: Duration = Duration::from_secs(60);
/// Slow checks of a new host's record (20 ms of CPU each) that wait or are under way, and those under way: 19 MiB each.
pub(super) const CHECKS: usize = 512;
pub(super) const CHECKS_AT_A_TIME: usize = 2;
/// Relays that get a copy of each record. More than a few may lie or be gone at a time.
pub(super) const COPIES: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not zero");
/// How long a record is kept that was fetched for somebody: its host does not renew it here.
pub(super) const CACHED: Duration = Duration::from_secs(60);
/// Other relays that are connected at a time and bring records, and those of one IP address.
pub(super) const FELLOWS: usize = 1024;
pub(super) const FELLOWS_PER_ADDRESS: usize = 16;
/// How often relays look for each other anew.
pub(super) const BOOTSTRAP: Duration = Duration::from_secs(60);

/// Clients keep their connections alive; the relay only notices when one is dead.
pub(super) const QUIC_IDLE: Duration = Duration::from_secs(10);
pub(super) const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Pings are most of what an idle relay does.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(60);

/// How long connections may take to close when the relay stops, and the last packets to leave.
pub(super) const CLOSING: Duration = Duration::from_millis(1500);
pub(super) const LINGER: Duration = Duration::from_millis(100);

/// What an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Reservations at a time; a host holds one per connection, so two with QUIC and TCP.
    pub reservations: usize,
    /// Circuits at a time: sessions that found no direct way, and the first second of those that did.
    pub circuits: usize,
    /// Circuits at a time from one peer. A viewer needs one for each way it tries.
    pub circuits_per_peer: usize,
    /// Bytes that a circuit may carry, both ways together; 0: any number, for a session is screens.
    pub circuit_bytes: u64,
    /// How long a circuit may live. Not zero. A day: no session is cut in the middle of the work.
    pub circuit_duration: Duration,
    /// Bytes per second of one circuit, each way; 0: unlimited.
    pub circuit_bandwidth: u64,
    /// Bytes per second of all circuits together, shared fairly; 0: unlimited.
    pub bandwidth: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reservations: 10_000,
            circuits: 2_000,
            circuits_per_peer: 16,
            circuit_bytes: 0,
            circuit_duration: Duration::from_secs(24 * 3600),
            circuit_bandwidth: 0,
            bandwidth: 0,
        }
    }
}

impl Limits {
    /// For the circuits' protocol.
    pub(super) fn relay(&self) -> relay::Config {
        let config = relay::Config {
            max_reservations: self.reservations,
            max_reservations_per_peer: RESERVATIONS_PER_PEER,
            reservation_duration: RESERVATION_LIFETIME,
            reservation_rate_limiters: Vec::new(),
            max_circuits: self.circuits,
            max_circuits_per_peer: self.circuits_per_peer,
            max_circuit_duration: self.circuit_duration,
            max_circuit_bytes: self.circuit_bytes,
            circuit_src_rate_limiters: Vec::new(),
        };
        let mut config = config.reservation_rate_per_ip(PER_IP.0, PER_IP.1).circuit_src_per_ip(PER_IP.0, PER_IP.1);
        config.reservation_rate_limiters = config.reservation_rate_limiters.into_iter().map(but_for_loopback).collect();
        config.circuit_src_rate_limiters = config.circuit_src_rate_limiters.into_iter().map(but_for_loopback).collect();
        config.reservation_rate_per_peer(PER_PEER.0, PER_PEER.1).circuit_src_per_peer(PER_PEER.0, PER_PEER.1)
    }

    /// For connections: two for each reservation leaves room for viewers.
    pub(super) fn connections(&self) -> ConnectionLimits {
        let established = u32::try_from(self.reservations.saturating_mul(2)).unwrap_or(u32::MAX);
        ConnectionLimits::default()
            .with_max_pending_incoming(Some(MAX_PENDING))
            .with_max_established(Some(established.max(MAX_PENDING)))
            .with_max_established_per_peer(Some(MAX_PER_PEER))
    }

    /// Records kept: those of our hosts, which hold two reservations each, and copies of as many as eight relays have.
    pub(super) fn records(&self) -> usize {
        self.reservations.saturating_mul(5).max(RECORDS)
    }
}

/// Behind a web server on the relay's machine (`docs/rs-relay.nginx`) everybody comes from one address.
fn but_for_loopback(mut limiter: Box<dyn relay::RateLimiter>) -> Box<dyn relay::RateLimiter> {
    Box::new(move |peer, address: &Multiaddr, now| {
        ip_of(address).is_some_and(|ip| ip.to_canonical().is_loopback()) || limiter.try_next(peer, address, now)
    })
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;

    use super::*;

    /// How many of a thousand peers at this address may reserve, and how often one peer may.
    fn may_reserve(address: &str) -> (usize, usize) {
        let (address, now) = (address.parse().unwrap(), std::time::Instant::now());
        let mut limiters = Limits::default().relay().reservation_rate_limiters;
        // As libp2p does: all of them must agree.
        let mut may = |peer| limiters.iter_mut().all(|limiter| limiter.try_next(peer, &address, now));
        let (one, all) = (PeerId::random(), (0..1000).filter(|_| may(PeerId::random())).count());
        (all, (0..1000).filter(|_| may(one)).count())
    }

    #[test]
    fn an_address_has_its_allowance_and_a_web_server_on_this_machine_is_not_one() {
        assert_eq!(may_reserve("/ip4/192.0.2.1/tcp/4001"), (600, 0));
        for proxied in ["/ip4/127.0.0.1/tcp/8080/ws", "/ip6/::1/tcp/8080/ws"] {
            assert_eq!(may_reserve(proxied), (1000, 60), "{proxied}");
        }
    }
}
