//! What the swarm tells, taken apart: connections, listeners, and what each behaviour has to say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    identify, kad, mdns, ping, relay,
    swarm::{
        ConnectionId, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::time::Instant;

use super::{
    super::{
        Event,
        address::{end_of, is_circuit, key_of},
        behaviour::BehaviourEvent,
        dials::Failure,
        directory, portmap,
        relays::{Change, Connected, Relay, other_leg},
    },
    Task,
};

impl Task {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(connection_id, peer_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => self.on_closed(connection_id),
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                tracing::debug!(%error, "a dial failed");
                self.on_dial_failed(connection_id, Failure::of(&error));
            }
            SwarmEvent::NewListenAddr { address, .. } if !is_circuit(&address) => {
                self.swarm.behaviour_mut().candidates.listening(&address);
                self.port_map.listening(&address);
                self.nat.listening(&address);
                self.roaming.listening(&address, Instant::now());
                let address = self.with_us(address);
                self.tell(Event::Listening(address));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => self.on_not_listening(address),
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                tracing::debug!(?reason, "a listener closed");
                addresses.into_iter().for_each(|address| self.on_not_listening(address));
                let hurry = self.relays.is_hurried();
                let relay = self.presence.as_mut().and_then(|presence| presence.closed(listener_id, hurry, Instant::now()));
                if let Some(address) = relay.and_then(|relay| self.reserved.remove(&relay)) {
                    self.tell(Event::ReservationLost(address));
                }
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, connection: ConnectionId, peer: PeerId, endpoint: &ConnectedPoint) {
        match self.relays.connected(connection, peer, Instant::now()) {
            Connected::Leg(change) => {
                self.on_leg(connection, peer, endpoint);
                self.swarm.behaviour_mut().streams.keep(peer, connection, true);
                self.on_change(change);
            }
            Connected::Wrong(change) => {
                self.swarm.close_connection(connection);
                self.on_change(change);
            }
            Connected::Other if self.relays.by_peer(peer).is_some() => self.on_leg(connection, peer, endpoint),
            Connected::Other => self.on_path(connection, peer, endpoint),
        }
        self.dials.connected(connection);
    }

    fn on_leg(&mut self, connection: ConnectionId, relay: PeerId, endpoint: &ConnectedPoint) {
        self.paths.add_leg(connection, relay, endpoint.get_remote_address());
        if endpoint.is_dialer() {
            self.nat.connected(connection, relay, endpoint.get_remote_address());
        }
        self.roaming.leg(connection, endpoint, source_of);
    }

    fn on_path(&mut self, connection: ConnectionId, peer: PeerId, endpoint: &ConnectedPoint) {
        let Some(key) = key_of(&peer) else {
            self.swarm.close_connection(connection);
            return;
        };
        let under = self.paths.leg(endpoint).map(|(leg, _)| leg);
        self.roaming.path(connection, endpoint, under, source_of);
        let shape = self.paths.shape(endpoint);
        let path = self.paths.add(connection, peer, endpoint);
        self.tell(Event::PathUp { path, key, kind: shape.kind, transport: shape.transport, address: shape.address });
    }

    fn on_closed(&mut self, connection: ConnectionId) {
        self.nat.closed(connection);
        self.roaming.closed(connection);
        let change = self.relays.closed(connection, Instant::now());
        self.on_change(change);
        if let Some(path) = self.paths.remove(connection) {
            self.tell(Event::PathDown(path));
        }
    }

    pub(super) fn on_dial_failed(&mut self, connection: ConnectionId, failure: Failure) {
        self.nat.closed(connection);
        self.dials.failed(connection, failure);
        let now = Instant::now();
        let change = match failure {
            Failure::WrongKey => self.relays.wrong_key(connection, now),
            _ => self.relays.failed(connection, failure.text().to_owned(), now),
        };
        self.on_change(change);
    }

    fn on_not_listening(&mut self, address: Multiaddr) {
        if !is_circuit(&address) {
            self.swarm.behaviour_mut().candidates.gone(&address);
            self.port_map.not_listening(&address);
            self.nat.not_listening(&address);
            for dead in self.roaming.not_listening(&address, Instant::now()) {
                // Gone for us now: libp2p tells it only once it has closed what nobody is there to hear of.
                self.on_closed(dead);
                self.swarm.close_connection(dead);
            }
            let address = self.with_us(address);
            self.tell(Event::NotListening(address));
        }
    }

    pub(super) fn on_port_change(&mut self, change: portmap::Change) {
        let candidates = &mut self.swarm.behaviour_mut().candidates;
        if let Some(address) = change.lost {
            candidates.gone(&address);
        }
        let Some(address) = change.opened else { return };
        candidates.mapped(&address);
        self.swarm.behaviour_mut().trace.mapped(&address);
        // A circuit's hole punches aim at the addresses that were known when it was made: who came too early gets another one.
        for (peer, circuit) in self.paths.lone_circuits() {
            self.dial(DialOpts::peer_id(peer).addresses(vec![circuit]).condition(PeerCondition::Always).build());
        }
    }

    fn with_us(&self, address: Multiaddr) -> Multiaddr {
        address.with_p2p(*self.swarm.local_peer_id()).unwrap_or_else(|address| address)
    }

    pub(super) fn on_change(&mut self, change: Option<Change>) {
        let Some(change) = change else { return };
        let (Change::Up(place) | Change::Down(place, _) | Change::Changed(place)) = change;
        let relay = self.relays.get(place);
        let (given, quiet, peer) = (relay.given.clone(), relay.quiet, relay.peer);
        let event = match (change, peer) {
            (Change::Up(_), Some(peer)) => {
                self.on_relay_up(peer);
                key_of(&peer).map(|key| Event::RelayUp { relay: given, key })
            }
            (Change::Up(_), None) => None,
            (Change::Down(_, reason), _) => Some(Event::RelayDown { relay: given, reason }),
            (Change::Changed(_), _) => Some(Event::RelayChanged(given)),
        };
        if let (Some(peer), false) = (peer, self.relays.get(place).is_up()) {
            self.swarm.behaviour_mut().kad.remove_peer(&peer);
            self.dials.relay_down(peer);
        }
        if let (Some(event), false) = (event, quiet) {
            self.tell(event);
        }
    }

    fn on_relay_up(&mut self, relay: PeerId) {
        let (now, hurry) = (Instant::now(), self.relays.is_hurried());
        if let Some(address) = self.relay_address(relay) {
            self.swarm.behaviour_mut().kad.add_address(&relay, address);
        }
        if let Some(presence) = &mut self.presence
            && self.relays.by_peer(relay).is_some_and(|relay| !relay.quiet)
        {
            presence.relay_up(relay, hurry, now);
        }
        self.dial_circuits(relay);
        self.lookups.relay_up(now);
    }

    // -- the behaviours

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(inbound) => {
                if let Some((path, peer)) = self.paths.path(inbound.connection)
                    && let Some(key) = key_of(&peer)
                {
                    self.tell(Event::Inbound { path, key, purpose: inbound.purpose, stream: inbound.stream });
                }
            }
            BehaviourEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                self.on_identified(connection_id, peer_id, &info);
            }
            BehaviourEvent::Ping(ping::Event { connection, result: Err(failure), .. })
                if !matches!(failure, ping::Failure::Unsupported) =>
            {
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::Relay(relay::client::Event::ReservationReqAccepted { relay_peer_id, .. }) => {
                if let Some(presence) = &mut self.presence {
                    presence.granted(relay_peer_id, Instant::now());
                }
            }
            BehaviourEvent::Dcutr(event) => tracing::debug!(result = ?event.result, "hole punch"),
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id,
                result: kad::QueryResult::GetRecord(result),
                step,
                stats,
            }) => {
                if let Ok(kad::GetRecordOk::FoundRecord(found)) = result {
                    self.on_record(id, &found);
                }
                if step.last {
                    // Relays that were named and that we do not dial count as failures: the one that named them searches there.
                    let (searching, dialled) = (stats.num_failures() > 0, self.relays.any_hope());
                    self.lookups.finished(id, searching, dialled, Instant::now());
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.on_discovered(peer, address);
                }
            }
            _ => {}
        }
    }

    /// Only a relay of ours is believed about our address.
    fn on_identified(&mut self, connection: ConnectionId, peer: PeerId, info: &identify::Info) {
        let Some(relay) = self.relays.by_peer(peer) else { return };
        if self.nat.observed(connection, &info.observed_addr, &info.listen_addrs) {
            self.swarm.close_connection(connection);
            return;
        }
        let now = Instant::now();
        let other = other_leg(&relay.addresses(), &info.listen_addrs, |transport| relay.has(transport));
        self.swarm.behaviour_mut().trace.seen(&info.observed_addr);
        self.swarm.behaviour_mut().candidates.observed(&info.observed_addr);
        if let Some(address) = other {
            self.relays.learn(peer, address, now);
        }
        let legs = self.relays.by_peer(peer).map_or(0, Relay::observers).max(self.paths.legs(peer));
        if let Some(presence) = &mut self.presence {
            presence.observed(peer, legs, now);
        }
    }

    fn on_record(&mut self, query: kad::QueryId, found: &kad::PeerRecord) {
        let Ok(record) = directory::open(&found.record.value, directory::unix_seconds()) else { return };
        self.lookups.found(query, record, Instant::now());
        let (Some(presence), Some(relay)) = (&mut self.presence, found.peer) else { return };
        if presence.stored(relay, &found.record.value)
            && let Some(address) = self.relay_address(relay)
        {
            self.reserved.insert(relay, address.clone());
            self.tell(Event::Reserved(address));
        }
    }

    fn on_discovered(&mut self, peer: PeerId, mut address: Multiaddr) {
        if let Some(key) = key_of(&peer)
            && peer != *self.swarm.local_peer_id()
        {
            if end_of(&address).is_some() {
                address.pop();
            }
            self.tell(Event::Discovered { key, address });
        }
    }
}

/// The address from which packets leave for another one: the kernel's choice, asked for without sending any.
fn source_of(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((remote, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
