//! Second tries for hole punches that went half wrong.
//!
//! DCUtR dials all addresses of a peer as one attempt, both sides at the same moment, and the first connection ends the others.
//!
//! - *TCP won.* Over QUIC a first packet that came before the peer's NAT was open is lost and comes again only later, so TCP may win
//!   where QUIC comes through too. A session prefers QUIC: what TCP cut short is dialled once more, by itself. The NATs are open by then.
//! - *The roles clash.* Over TCP both ends of a simultaneous open have dialled, so DCUtR makes one of them act as the listener. When that
//!   one is early and the other side can be reached from outside, its connection is simply accepted there: two listeners wait for
//!   each other. After [`CLASH`] the peer is dialled as usual, from another port, for the first one is taken.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, DialFailure, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
        ToSwarm,
        behaviour::ConnectionEstablished,
        dial_opts::{DialOpts, PeerCondition, WithPeerIdWithAddresses},
        dummy,
    },
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Transport, address::transport_of};

/// How long a connection takes whose roles are clear: four round trips of half a second.
const CLASH: Duration = Duration::from_secs(2);

/// The behaviour; see the module.
#[derive(Default)]
pub(super) struct Behaviour {
    /// Attempts over both transports. The swarm bounds how many are under way.
    under_way: HashMap<ConnectionId, Attempt>,
    due: VecDeque<DialOpts>,
    timer: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

/// The addresses of an attempt.
struct Attempt {
    peer: PeerId,
    quic: Vec<Multiaddr>,
    tcp: Vec<Multiaddr>,
    /// When its roles must have clashed, if they can and it is still under way.
    clash: Option<Instant>,
}

impl Behaviour {
    fn begins(&mut self, connection: ConnectionId, peer: PeerId, addresses: &[Multiaddr], role: Endpoint, now: Instant) {
        let of = |transport| addresses.iter().filter(|address| transport_of(address) == transport).cloned().collect();
        let (quic, tcp): (Vec<_>, Vec<_>) = (of(Transport::Quic), of(Transport::Tcp));
        if !tcp.is_empty() && (!quic.is_empty() || role == Endpoint::Listener) {
            let clash = (role == Endpoint::Listener).then_some(now + CLASH);
            self.under_way.insert(connection, Attempt { peer, quic, tcp, clash });
            self.wake();
        }
    }

    fn connected(&mut self, connection: ConnectionId, winner: &Multiaddr) {
        let Some(attempt) = self.under_way.remove(&connection) else { return };
        if transport_of(winner) == Transport::Tcp && !attempt.quic.is_empty() {
            self.due.push_back(to(attempt.peer, attempt.quic).build());
            self.wake();
        }
    }

    /// The next dial; those whose time has come are among them.
    fn next(&mut self, now: Instant) -> Option<DialOpts> {
        let clashed = self.under_way.values_mut().filter(|attempt| attempt.clash.is_some_and(|at| at <= now));
        self.due.extend(clashed.map(|attempt| {
            attempt.clash = None;
            to(attempt.peer, attempt.tcp.clone()).allocate_new_port().build()
        }));
        self.due.pop_front()
    }

    fn next_clash(&self) -> Option<Instant> {
        self.under_way.values().filter_map(|attempt| attempt.clash).min()
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

fn to(peer: PeerId, addresses: Vec<Multiaddr>) -> WithPeerIdWithAddresses {
    DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(addresses)
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
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if let Some(peer) = peer {
            self.begins(connection, peer, addresses, role, Instant::now());
        }
        Ok(Vec::new())
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
            FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, endpoint, .. }) => {
                self.connected(connection_id, endpoint.get_remote_address());
            }
            FromSwarm::DialFailure(DialFailure { connection_id, .. }) => {
                self.under_way.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(opts) = self.next(Instant::now()) {
                return Poll::Ready(ToSwarm::Dial { opts });
            }
            self.timer = self.next_clash().map(|at| Box::pin(sleep_until(at)));
            if self.timer.as_mut().is_none_or(|timer| timer.as_mut().poll(context).is_pending()) {
                self.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use libp2p::{Swarm, core::ConnectedPoint, identity::Keypair, swarm::SwarmEvent};

    use super::*;
    use crate::net::transport::{self, Patience};

    const QUIC: &str = "/ip4/203.0.113.2/udp/4001/quic-v1";
    const TCP: &str = "/ip4/203.0.113.2/tcp/4001";

    fn connection() -> ConnectionId {
        ConnectionId::new_unchecked(1)
    }

    fn attempt(addresses: &[&str], role: Endpoint, now: Instant) -> (Behaviour, Vec<Multiaddr>) {
        let mut punches = Behaviour::default();
        let addresses: Vec<Multiaddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        punches.begins(connection(), PeerId::random(), &addresses, role, now);
        (punches, addresses)
    }

    /// Whether a dial follows when an attempt at these addresses is won by the last of them.
    fn goes_on(addresses: &[&str]) -> bool {
        let now = Instant::now();
        let (mut punches, addresses) = attempt(addresses, Endpoint::Dialer, now);
        punches.connected(connection(), addresses.last().expect("one at least"));
        assert!(punches.under_way.is_empty());
        punches.next(now).is_some()
    }

    #[test]
    fn quic_is_dialled_once_more_only_when_tcp_won_against_it() {
        assert!(goes_on(&[QUIC, TCP]));
        assert!(!goes_on(&[TCP, QUIC]), "QUIC won");
        assert!(!goes_on(&[TCP, TCP]), "there is no QUIC");
        assert!(!goes_on(&[QUIC]));
    }

    #[test]
    fn who_acts_as_the_listener_dials_once_as_usual_when_nothing_comes_of_it() {
        let now = Instant::now();
        let (mut punches, _) = attempt(&[TCP], Endpoint::Listener, now);
        assert_eq!(punches.next_clash(), Some(now + CLASH));
        assert!(punches.next(now + CLASH - Duration::from_millis(1)).is_none());
        assert!(punches.next(now + CLASH).is_some());
        assert!(punches.next(now + CLASH * 2).is_none() && punches.next_clash().is_none(), "once");
        let (punches, _) = attempt(&[QUIC, TCP], Endpoint::Dialer, now);
        assert_eq!(punches.next_clash(), None);
        let (mut punches, addresses) = attempt(&[QUIC, TCP], Endpoint::Listener, now);
        punches.connected(connection(), &addresses[0]);
        assert_eq!(punches.next_clash(), None, "it connected");
    }

    fn swarm() -> Swarm<Behaviour> {
        let keypair = Keypair::generate_ed25519();
        let patience = Patience { idle: CLASH * 5, keep_alive: CLASH };
        let stack = transport::stack(&keypair, patience, &transport::Sockets::default()).expect("a transport");
        let config = libp2p::swarm::Config::with_tokio_executor();
        Swarm::new(stack, Behaviour::default(), keypair.public().to_peer_id(), config)
    }

    #[tokio::test]
    async fn two_listeners_that_wait_for_each_other_are_helped() {
        let (mut early, mut open) = (swarm(), swarm());
        open.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("a free port");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = open.select_next_some().await {
                break address;
            }
        };
        early.dial(to(*open.local_peer_id(), vec![address]).override_role().build()).expect("it may dial");
        tokio::spawn(async move { while open.next().await.is_some() {} });
        let endpoint = loop {
            match early.select_next_some().await {
                SwarmEvent::ConnectionEstablished { endpoint, .. } => break endpoint,
                SwarmEvent::OutgoingConnectionError { error, .. } => panic!("nobody helped: {error}"),
                _ => {}
            }
        };
        assert!(matches!(endpoint, ConnectedPoint::Dialer { role_override: Endpoint::Dialer, port_use: PortUse::New, .. }));
    }
}
