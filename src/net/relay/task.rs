//! The loop that owns the relay's swarm, and its end.
//!
//! A peer that comes back from a new IP address has left the old one: its older connections over the same transport are closed, or
//! circuits would still be routed to where it was. Behind one NAT the old and the new address look alike. So a host that reserves anew
//! has lost its reservation, and its older ones of two connections to the same port of ours are closed then too. (Not before: a viewer
//! on the host's machine has the same identity and connections of its own.)
//!
//! At the end the relay listens no more, closes every connection and waits until they are closed, so that hosts see the loss at once
//! and look for another relay, or for this one when it is back.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::{ConnectedPoint, transport::ListenerId},
    identify, kad, relay,
    swarm::{ConnectionId, SwarmEvent, dial_opts::DialOpts},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

use super::{
    limits::{CLOSING, LINGER, SWEEP},
    metrics::Metrics,
    records::Records,
    swarm::{Behaviour, BehaviourEvent},
};
use crate::net::{
    Transport,
    address::{ip_of, port_of, transport_of},
    clock,
    relays::Relays,
};

pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    addresses: mpsc::Sender<Multiaddr>,
    listeners: HashSet<ListenerId>,
    /// Relays that we join.
    joined: Relays,
    origins: HashMap<PeerId, Vec<Origin>>,
    records: Records,
    metrics: Arc<Metrics>,
}

/// Where a peer's connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    connection: ConnectionId,
    ip: IpAddr,
    transport: Transport,
    /// Where it came to.
    port: Option<u16>,
}

impl Task {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        joined: Relays,
        addresses: mpsc::Sender<Multiaddr>,
        records: usize,
        metrics: Arc<Metrics>,
    ) -> Self {
        let records = Records::new(records, Arc::clone(&metrics));
        Self { swarm, addresses, listeners: HashSet::new(), joined, origins: HashMap::new(), records, metrics }
    }

    /// Runs until it is told to stop.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            for leg in self.joined.due(Instant::now()) {
                self.dial(leg);
            }
            let kad = &mut self.swarm.behaviour_mut().kad;
            while let Some((asker, key)) = kad.next_missed() {
                self.records.on_missed(asker, key, kad);
            }
            let wake = self.joined.next_due();
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(checked) = self.records.checked() => self.records.on_checked(checked, &mut self.swarm.behaviour_mut().kad),
                _ = sweep.tick() => self.records.sweep(&mut self.swarm.behaviour_mut().kad),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                _ = &mut stop => return self.close().await,
            }
        }
    }

    fn dial(&mut self, options: DialOpts) {
        let connection = options.connection_id();
        if let Err(error) = self.swarm.dial(options) {
            self.joined.failed(connection, error.to_string(), Instant::now());
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, listener_id } => self.on_listening(listener_id, address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.swarm.remove_external_address(&address),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.metrics.connected(transport_of(endpoint.get_remote_address()));
                self.joined.connected(connection_id, peer_id, Instant::now());
                self.on_origin(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, endpoint, num_established, .. } => {
                self.metrics.disconnected(transport_of(endpoint.get_remote_address()));
                self.joined.closed(connection_id, Instant::now());
                if let Some(origins) = self.origins.get_mut(&peer_id) {
                    origins.retain(|origin| origin.connection != connection_id);
                }
                if num_established == 0 {
                    self.origins.remove(&peer_id);
                    self.records.on_gone(&peer_id);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                tracing::debug!(%error, "a relay to join does not answer");
                self.joined.failed(connection_id, error.to_string(), Instant::now());
            }
            SwarmEvent::Behaviour(BehaviourEvent::Relay(event)) => {
                self.metrics.on_relay(&event);
                if let relay::Event::ReservationReqAccepted { src_peer_id, renewed: false } = event {
                    self.on_reserved_anew(src_peer_id);
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                let kad = &mut self.swarm.behaviour_mut().kad;
                for origin in self.origins.get(&peer_id).into_iter().flatten() {
                    self.records.on_identified(peer_id, origin.ip, &info, kad);
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Kad(event)) => self.on_directory_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Streams(asked)) => drop(tokio::spawn(clock::answer(asked.stream))),
            _ => {}
        }
    }

    fn on_directory_event(&mut self, event: kad::Event) {
        let kad = &mut self.swarm.behaviour_mut().kad;
        match event {
            kad::Event::InboundRequest { request: kad::InboundRequest::PutRecord { source, record: Some(record), connection } } => {
                let mut origins = self.origins.get(&source).into_iter().flatten();
                let ip = origins.find(|origin| origin.connection == connection).map(|origin| origin.ip);
                self.records.on_brought(source, ip, record, kad);
            }
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                if let kad::QueryResult::GetRecord(Ok(kad::GetRecordOk::FoundRecord(found))) = result {
                    self.records.on_found(id, found.record, kad);
                }
                if step.last {
                    self.records.on_query_ended(id);
                }
            }
            _ => {}
        }
    }

    /// Without an external address the relay would not offer itself: every listen address is one.
    fn on_listening(&mut self, listener: ListenerId, address: Multiaddr) {
        self.listeners.insert(listener);
        self.swarm.add_external_address(address.clone());
        let local = *self.swarm.local_peer_id();
        // A reader that does not read loses news, not the relay.
        let _ = self.addresses.try_send(address.with_p2p(local).unwrap_or_else(|address| address));
    }

    fn on_origin(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let address = endpoint.get_remote_address();
        let Some(ip) = ip_of(address) else { return };
        let port = match endpoint {
            ConnectedPoint::Listener { local_addr, .. } => port_of(local_addr),
            ConnectedPoint::Dialer { .. } => None,
        };
        let origin = Origin { connection, ip, transport: transport_of(address), port };
        let origins = self.origins.entry(peer).or_default();
        for left in origins.extract_if(.., |old| has_moved(old, &origin)) {
            tracing::debug!("a peer came back from another address; its old connection is closed");
            self.swarm.close_connection(left.connection);
        }
        origins.push(origin);
    }

    fn on_reserved_anew(&mut self, peer: PeerId) {
        let origins = self.origins.get(&peer).map_or(&[][..], Vec::as_slice);
        for (place, old) in origins.iter().enumerate() {
            if origins[place + 1..].iter().any(|new| is_superseded(old, new)) {
                tracing::debug!("a host lost its reservation; its old connection is closed");
                self.swarm.close_connection(old.connection);
            }
        }
    }

    async fn close(mut self) {
        for listener in self.listeners.drain() {
            self.swarm.remove_listener(listener);
        }
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // One that is gone by itself needs no closing.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        if timeout(CLOSING, closed).await.is_err() {
            tracing::debug!("some connections did not close in time");
        }
        // QUIC's last packets leave from tasks of its own.
        sleep(LINGER).await;
    }
}

/// Whether a new connection shows that its peer has left the old one's address. IPv4 and IPv6, QUIC and TCP may well differ.
fn has_moved(old: &Origin, new: &Origin) -> bool {
    is_alike(old, new) && old.ip != new.ip
}

/// Whether a later connection takes an earlier one's place, if its peer has lost one.
fn is_superseded(old: &Origin, new: &Origin) -> bool {
    is_alike(old, new) && old.port.is_some() && old.port == new.port
}

fn is_alike(one: &Origin, other: &Origin) -> bool {
    one.transport == other.transport && one.ip.is_ipv4() == other.ip.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(ip: &str, transport: Transport) -> Origin {
        Origin { connection: ConnectionId::new_unchecked(0), ip: ip.parse().unwrap(), transport, port: Some(4001) }
    }

    #[test]
    fn only_a_connection_to_the_same_port_takes_anothers_place() {
        let old = origin("192.0.2.1", Transport::Tcp);
        assert!(is_superseded(&old, &origin("192.0.2.1", Transport::Tcp)));
        assert!(!is_superseded(&old, &Origin { port: Some(443), ..old }));
        assert!(!is_superseded(&old, &origin("192.0.2.1", Transport::Quic)));
        assert!(!is_superseded(&Origin { port: None, ..old }, &Origin { port: None, ..old }));
    }

    #[test]
    fn a_new_address_over_the_same_transport_and_family_means_that_the_peer_moved() {
        let old = origin("192.0.2.1", Transport::Quic);
        assert!(has_moved(&old, &origin("192.0.2.2", Transport::Quic)));
        assert!(!has_moved(&old, &origin("192.0.2.1", Transport::Quic)));
        assert!(!has_moved(&old, &origin("192.0.2.2", Transport::Tcp)));
        assert!(!has_moved(&old, &origin("2001:db8::1", Transport::Quic)));
    }
}
