//! Connections as the seam names them: paths to peers, and legs to relays (which are no paths).

use std::collections::HashMap;

use libp2p::{Multiaddr, PeerId, core::ConnectedPoint, swarm::ConnectionId};

use super::{
    Transport,
    address::{kind_of, relay_part, transport_of},
};
use crate::protocol::session::path::{PathId, PathKind};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Paths {
    by_connection: HashMap<ConnectionId, (PathId, PeerId)>,
    /// The paths that are circuits which we dialled, and where.
    circuits: HashMap<ConnectionId, Multiaddr>,
    by_path: HashMap<PathId, ConnectionId>,
    legs: HashMap<PeerId, Vec<(ConnectionId, Transport)>>,
    next: u64,
}

/// What a connection is like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kind: PathKind,
    pub(super) transport: Transport,
    pub(super) address: Multiaddr,
}

impl Paths {
    /// A path is there: its name.
    pub(super) fn add(&mut self, connection: ConnectionId, peer: PeerId, endpoint: &ConnectedPoint) -> PathId {
        if let (true, ConnectedPoint::Dialer { address, .. }) = (endpoint.is_relayed(), endpoint) {
            self.circuits.insert(connection, address.clone());
        }
        let path = PathId(self.next);
        self.next += 1;
        self.by_connection.insert(connection, (path, peer));
        self.by_path.insert(path, connection);
        path
    }

    /// A leg to a relay is there.
    pub(super) fn add_leg(&mut self, connection: ConnectionId, relay: PeerId, address: &Multiaddr) {
        self.legs.entry(relay).or_default().push((connection, transport_of(address)));
    }

    /// A connection is gone: the path that it was.
    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<PathId> {
        self.legs.retain(|_, legs| {
            legs.retain(|(leg, _)| *leg != connection);
            !legs.is_empty()
        });
        self.circuits.remove(&connection);
        let (path, _) = self.by_connection.remove(&connection)?;
        self.by_path.remove(&path);
        Some(path)
    }

    /// The connection behind a path.
    pub(super) fn connection(&self, path: PathId) -> Option<(PeerId, ConnectionId)> {
        let connection = *self.by_path.get(&path)?;
        let (_, peer) = self.by_connection.get(&connection)?;
        Some((*peer, connection))
    }

    /// The path that a connection is.
    pub(super) fn path(&self, connection: ConnectionId) -> Option<(PathId, PeerId)> {
        self.by_connection.get(&connection).copied()
    }

    /// One circuit that we dialled, for each peer whom no other kind of path reaches.
    pub(super) fn lone_circuits(&self) -> HashMap<PeerId, Multiaddr> {
        let peers = |circuit: bool| {
            let of_kind = move |(connection, _): &(&ConnectionId, _)| self.circuits.contains_key(connection) == circuit;
            self.by_connection.iter().filter(of_kind).map(|(connection, (_, peer))| (*peer, connection))
        };
        let mut lone: HashMap<_, _> = peers(true).map(|(peer, connection)| (peer, self.circuits[connection].clone())).collect();
        peers(false).for_each(|(peer, _)| drop(lone.remove(&peer)));
        lone
    }

    /// The oldest connection to a relay.
    pub(super) fn oldest_leg(&self, relay: PeerId) -> Option<ConnectionId> {
        self.legs.get(&relay)?.first().map(|(connection, _)| *connection)
    }

    /// How many connections to a relay are there.
    pub(super) fn legs(&self, relay: PeerId) -> usize {
        self.legs.get(&relay).map_or(0, Vec::len)
    }

    /// What a connection is like.
    pub(super) fn shape(&self, endpoint: &ConnectedPoint) -> Shape {
        let address = endpoint.get_remote_address().clone();
        if !endpoint.is_relayed() {
            return Shape { kind: kind_of(&address), transport: transport_of(&address), address };
        }
        let transport = self.leg(endpoint).map_or_else(|| transport_of(route(endpoint)), |(_, transport)| transport);
        Shape { kind: PathKind::Relayed, transport, address }
    }

    /// The leg that a circuit rides on: the oldest one to its relay (libp2p picks that one), whatever its address says.
    pub(super) fn leg(&self, endpoint: &ConnectedPoint) -> Option<(ConnectionId, Transport)> {
        let (_, relay) = relay_part(route(endpoint))?;
        self.legs.get(&relay)?.first().copied()
    }
}

/// The address of a circuit that names its relay.
fn route(endpoint: &ConnectedPoint) -> &Multiaddr {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { local_addr, .. } => local_addr,
    }
}
