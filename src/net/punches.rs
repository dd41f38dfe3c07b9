//! A hole punch that TCP won goes on over QUIC.
//!
//! DCUtR dials all addresses of a peer as one attempt, and the first connection ends the others. Over QUIC a first packet that came
//! before the peer's NAT was open is lost and comes again only later, so TCP may win where QUIC comes through too. A session prefers
//! QUIC, so what TCP cut short is dialled once more, by itself. The NATs are open by then.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    task::{Context, Poll, Waker},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, DialFailure, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
        ToSwarm,
        behaviour::ConnectionEstablished,
        dial_opts::{DialOpts, PeerCondition},
        dummy,
    },
};

use super::{Transport, address::transport_of};

/// The behaviour; see the module.
#[derive(Default)]
pub(super) struct Behaviour {
    /// Attempts over both transports that are under way, and their QUIC addresses. The swarm bounds how many there are.
    under_way: HashMap<ConnectionId, Vec<Multiaddr>>,
    due: VecDeque<DialOpts>,
    waker: Option<Waker>,
}

impl Behaviour {
    fn begins(&mut self, connection: ConnectionId, addresses: &[Multiaddr]) {
        let (quic, others): (Vec<_>, Vec<_>) =
            addresses.iter().cloned().partition(|address| transport_of(address) == Transport::Quic);
        if !quic.is_empty() && !others.is_empty() {
            self.under_way.insert(connection, quic);
        }
    }

    fn connected(&mut self, connection: ConnectionId, peer: PeerId, winner: &Multiaddr) {
        let Some(quic) = self.under_way.remove(&connection) else { return };
        if transport_of(winner) != Transport::Quic {
            self.due.push_back(DialOpts::peer_id(peer).addresses(quic).condition(PeerCondition::Always).build());
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
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
        _: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.begins(connection, addresses);
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
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. }) => {
                self.connected(connection_id, peer_id, endpoint.get_remote_address());
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
        if let Some(opts) = self.due.pop_front() {
            return Poll::Ready(ToSwarm::Dial { opts });
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIC: &str = "/ip4/203.0.113.2/udp/4001/quic-v1";
    const TCP: &str = "/ip4/203.0.113.2/tcp/4001";

    /// How many dials follow when an attempt at these addresses is won by the last of them.
    fn second_dials(addresses: &[&str]) -> usize {
        let (mut punches, connection) = (Behaviour::default(), ConnectionId::new_unchecked(1));
        let addresses: Vec<Multiaddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        punches.begins(connection, &addresses);
        punches.connected(connection, PeerId::random(), addresses.last().expect("one at least"));
        assert!(punches.under_way.is_empty());
        punches.due.len()
    }

    #[test]
    fn quic_is_dialled_once_more_only_when_tcp_won_against_it() {
        assert_eq!(second_dials(&[QUIC, TCP]), 1);
        assert_eq!(second_dials(&[TCP, QUIC]), 0, "QUIC won");
        assert_eq!(second_dials(&[TCP, TCP]), 0, "there is no QUIC");
        assert_eq!(second_dials(&[QUIC]), 0);
    }
}
