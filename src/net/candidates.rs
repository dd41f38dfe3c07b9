//! Where a hole punch should aim, and whom we dial at all.
//!
//! DCUtR learns our addresses only from `NewExternalAddrCandidate`, and identify reports the address that a relay observed with the
//! port replaced by our listen port. Behind a NAT that does not preserve ports that is the wrong one. So this behaviour reports the
//! observed address as it is, and our LAN addresses beside it: two peers behind one NAT meet there. Only a relay of ours is believed.
//!
//! It is also the door for outbound connections. Kademlia dials whomever a relay names; here only our own dials pass, and dials to
//! a peer that is connected already (a hole punch).

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    net::IpAddr,
    task::{Context, Poll, Waker},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
    },
};

use super::address::{WEB_PORT, ip_of, is_circuit, port_of};

/// Addresses remembered; DCUtR itself keeps the newest twenty.
const MAX_CANDIDATES: usize = 16;

/// Nobody asked for this dial.
#[derive(Debug, thiserror::Error)]
#[error("not dialled: nobody here asked for this peer")]
struct Uninvited;

/// The behaviour; see the module.
#[derive(Default)]
pub(super) struct Behaviour {
    known: VecDeque<Multiaddr>,
    news: VecDeque<Multiaddr>,
    /// Whether we listen on the web's port.
    web: bool,
    ours: HashSet<ConnectionId>,
    connected: HashMap<PeerId, usize>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// A relay of ours saw us at this address. Who listens on the web's port has it forwarded, or has no router.
    pub(super) fn observed(&mut self, address: &Multiaddr) {
        self.report(address);
        if let (true, Some(ip)) = (self.web, ip_of(address)) {
            self.report(&Multiaddr::from(ip).with(Protocol::Tcp(WEB_PORT)));
        }
    }

    /// We listen here: worth a try for a peer on the same LAN. Loopback reaches nobody else.
    pub(super) fn listening(&mut self, address: &Multiaddr) {
        if ip_of(address).is_some_and(|ip| !ip.is_loopback()) {
            self.web |= address.iter().last() == Some(Protocol::Tcp(WEB_PORT));
            self.report(address);
        }
    }

    /// The router opened this port for us.
    pub(super) fn mapped(&mut self, address: &Multiaddr) {
        self.report(address);
    }

    /// Nobody reaches us there any longer.
    pub(super) fn gone(&mut self, address: &Multiaddr) {
        self.known.retain(|known| known != address);
    }

    /// The next dial with this name is ours.
    pub(super) fn invite(&mut self, connection: ConnectionId) {
        self.ours.insert(connection);
    }

    fn report(&mut self, address: &Multiaddr) {
        if !is_candidate(address) {
            return;
        }
        self.known.retain(|known| known != address);
        if self.known.len() >= MAX_CANDIDATES {
            self.known.pop_front();
        }
        self.known.push_back(address.clone());
        // All of them again: in DCUtR's list the ones reported last survive what identify adds.
        self.news = self.known.clone();
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// An IP address and port that a stranger could send to. No WebSocket: nobody listens for it where we only dial.
fn is_candidate(address: &Multiaddr) -> bool {
    let usable = match ip_of(address) {
        Some(IpAddr::V4(ip)) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && !ip.is_link_local(),
        Some(IpAddr::V6(ip)) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local(),
        None => false,
    };
    let port = port_of(address).is_some_and(|port| port != 0);
    let plain = !address.iter().any(|part| matches!(part, Protocol::P2p(_) | Protocol::Ws(_) | Protocol::Wss(_)));
    usable && port && plain && !is_circuit(address)
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let known = peer.is_some_and(|peer| self.connected.contains_key(&peer));
        if self.ours.remove(&connection) || known { Ok(Vec::new()) } else { Err(ConnectionDenied::new(Uninvited)) }
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(up) => *self.connected.entry(up.peer_id).or_default() += 1,
            FromSwarm::ConnectionClosed(down) if down.remaining_established == 0 => {
                self.connected.remove(&down.peer_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(address) = self.news.pop_front() {
            return Poll::Ready(ToSwarm::NewExternalAddrCandidate(address));
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_is_no_candidate() {
        for junk in [
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/1.2.3.4/tcp/0",
            "/ip6/fe80::1/tcp/1",
            "/ip4/224.0.0.1/udp/1/quic-v1",
            "/dns/a/tcp/1",
            "/ip4/1.2.3.4/tcp/1/ws",
        ] {
            assert!(!is_candidate(&junk.parse().unwrap()), "{junk}");
        }
        assert!(is_candidate(&"/ip4/203.0.113.2/udp/30001/quic-v1".parse().unwrap()));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_newest_last() {
        let mut candidates = Behaviour::default();
        for port in 1..100 {
            candidates.observed(&format!("/ip4/203.0.113.2/udp/{port}/quic-v1").parse().unwrap());
        }
        assert_eq!(candidates.known.len(), MAX_CANDIDATES);
        assert_eq!(candidates.known.back().unwrap().to_string(), "/ip4/203.0.113.2/udp/99/quic-v1");
    }

    #[test]
    fn who_listens_on_443_offers_it_where_relays_see_us() {
        let seen = "/ip4/203.0.113.2/tcp/30001".parse().unwrap();
        let mut candidates = Behaviour::default();
        candidates.observed(&seen);
        assert_eq!(candidates.known.len(), 1);
        candidates.listening(&"/ip4/10.0.0.2/tcp/443".parse().unwrap());
        candidates.observed(&seen);
        assert!(candidates.known.contains(&"/ip4/203.0.113.2/tcp/443".parse().unwrap()));
    }

    #[test]
    fn only_our_own_dials_pass_to_strangers() {
        let mut door = Behaviour::default();
        let (ours, theirs) = (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2));
        door.invite(ours);
        let peer = Some(PeerId::random());
        assert!(door.handle_pending_outbound_connection(ours, peer, &[], Endpoint::Dialer).is_ok());
        assert!(door.handle_pending_outbound_connection(theirs, peer, &[], Endpoint::Dialer).is_err());
    }
}
