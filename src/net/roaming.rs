//! Moving: what a change of our own addresses means for our connections.
//!
//! - A connection over TCP or WebSocket ends with the address it leaves from, but nobody says so: the kernel would go on sending for
//!   minutes. So each is remembered with its address, and ended once that is gone. One whose address is not known (dialled by name, or
//!   through a proxy) is ended by every loss: to dial again costs less than to wait.
//! - QUIC that we dialled is not tied to an address: the next packet leaves from the new one, and the peer follows. QUIC that the peer
//!   dialled is tied to the address that it dialled: only clients may move (RFC 9000, §9).
//! - A leg to a relay is ended like TCP also when it is QUIC: a new one tells at once where the relay sees us now. A hole punch needs it.
//! - A circuit ends with the leg it rides on.
//! - Once the listeners told what there is now, everything that is not connected is dialled at once, without the pauses grown before.
//!   They tell one by one, and a dial before the last of them leaves from a port that nobody listens on: so after [`QUIET`].
//!
//! Addresses are those of listeners on every interface. A listener on one address only tells nothing and has lost its reason with it.
//! Sans-IO: the caller brings the time, and says which address leads where.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    time::Duration,
};

use libp2p::{Multiaddr, core::ConnectedPoint, swarm::ConnectionId};
use tokio::time::Instant;

use super::{
    Transport,
    address::{ip_of, transport_of},
};

/// How long no listener tells anything once all told what is new.
const QUIET: Duration = Duration::from_millis(20);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Roaming {
    addresses: BTreeSet<IpAddr>,
    ties: HashMap<ConnectionId, Tie>,
    change: Option<(Change, Instant)>,
}

/// What a connection depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tie {
    /// No address of ours.
    Free,
    /// This one; any, when it is not known.
    To(Option<IpAddr>),
}

/// What became of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// There is one more.
    Came,
    /// One is gone; maybe there are others. Dials under way may have left from it.
    Went,
}

impl Roaming {
    /// A leg to a relay is there. `source` tells from which address of ours packets leave for another one.
    pub(super) fn leg(&mut self, connection: ConnectionId, endpoint: &ConnectedPoint, source: impl Fn(IpAddr) -> Option<IpAddr>) {
        let address = match endpoint {
            ConnectedPoint::Listener { local_addr, .. } => ip_of(local_addr).filter(|ip| !ip.is_unspecified()),
            ConnectedPoint::Dialer { address, .. } => ip_of(address).and_then(source),
        };
        self.ties.insert(connection, Tie::To(address));
    }

    /// A connection to a peer is there. `under`: the leg it rides on, if it is a circuit.
    pub(super) fn path(
        &mut self,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
        under: Option<ConnectionId>,
        source: impl Fn(IpAddr) -> Option<IpAddr>,
    ) {
        if endpoint.is_relayed() {
            let tie = under.and_then(|leg| self.ties.get(&leg).copied());
            self.ties.insert(connection, tie.unwrap_or(Tie::Free));
        } else if endpoint.is_dialer() && transport_of(endpoint.get_remote_address()) == Transport::Quic {
            self.ties.insert(connection, Tie::Free);
        } else {
            self.leg(connection, endpoint, source);
        }
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, connection: ConnectionId) {
        self.ties.remove(&connection);
    }

    /// We listen here.
    pub(super) fn listening(&mut self, address: &Multiaddr, now: Instant) {
        if let Some(ip) = ip_of(address).filter(|ip| !ip.is_loopback())
            && self.addresses.insert(ip)
        {
            self.changed(Change::Came, now);
        } else if let Some((_, at)) = &mut self.change {
            *at = now + QUIET;
        }
    }

    /// We listen there no longer. The connections that are dead now.
    pub(super) fn not_listening(&mut self, address: &Multiaddr, now: Instant) -> Vec<ConnectionId> {
        let Some(gone) = ip_of(address).filter(|ip| self.addresses.remove(ip)) else { return Vec::new() };
        self.changed(Change::Went, now);
        let dead = |tie: &Tie| matches!(tie, Tie::To(ip) if ip.is_none_or(|ip| ip == gone));
        self.ties.extract_if(|_, tie| dead(tie)).map(|(connection, _)| connection).collect()
    }

    /// These addresses are what we started with: no news.
    pub(super) fn settled(&mut self) {
        self.change = None;
    }

    /// When [`Self::due`] has something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.change.map(|(_, at)| at)
    }

    /// What changed, once the listeners told all.
    pub(super) fn due(&mut self, now: Instant) -> Option<Change> {
        self.change.take_if(|(_, at)| *at <= now).map(|(change, _)| change)
    }

    fn changed(&mut self, change: Change, now: Instant) {
        let so_far = self.change.map_or(change, |(so_far, _)| so_far);
        self.change = Some((change.max(so_far), now + QUIET));
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::{Endpoint, transport::PortUse};

    use super::*;

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn dialled(address: &str) -> ConnectedPoint {
        ConnectedPoint::Dialer { address: at(address), role_override: Endpoint::Dialer, port_use: PortUse::Reuse }
    }

    fn accepted(local: &str) -> ConnectedPoint {
        ConnectedPoint::Listener { local_addr: at(local), send_back_addr: at("/ip4/192.0.2.9/udp/1/quic-v1") }
    }

    /// A leg to a relay, a path, or a path on a leg.
    enum Under {
        Relay,
        Nothing,
        Leg(usize),
    }

    /// Of these connections, numbered from 0, those that end when 10.1.0.2 goes.
    fn lost(connections: &[(ConnectedPoint, Under)]) -> Vec<usize> {
        let (mut roaming, now) = (Roaming::default(), Instant::now());
        for ip in ["10.1.0.2", "10.7.0.2"] {
            roaming.listening(&at(&format!("/ip4/{ip}/tcp/4001")), now);
        }
        let source =
            |remote: IpAddr| Some(if remote.to_string().starts_with("10.7") { "10.7.0.2" } else { "10.1.0.2" }.parse().unwrap());
        for (number, (endpoint, under)) in connections.iter().enumerate() {
            let connection = ConnectionId::new_unchecked(number);
            match under {
                Under::Relay => roaming.leg(connection, endpoint, source),
                Under::Nothing => roaming.path(connection, endpoint, None, source),
                Under::Leg(leg) => roaming.path(connection, endpoint, Some(ConnectionId::new_unchecked(*leg)), source),
            }
        }
        let lost = roaming.not_listening(&at("/ip4/10.1.0.2/udp/4001/quic-v1"), now);
        assert!(roaming.not_listening(&at("/ip4/10.1.0.2/tcp/4001"), now).is_empty(), "told once");
        (0..connections.len()).filter(|number| lost.contains(&ConnectionId::new_unchecked(*number))).collect()
    }

    #[test]
    fn what_is_bound_to_the_lost_address_ends_and_nothing_else() {
        let relay = "/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp/p2p-circuit";
        let lost = lost(&[
            (dialled("/ip4/192.0.2.2/tcp/4001"), Under::Relay),
            (dialled("/ip4/10.7.0.9/udp/4001/quic-v1"), Under::Relay),
            (dialled("/ip4/192.0.2.2/udp/4001/quic-v1"), Under::Relay),
            (dialled("/ip4/192.0.2.3/udp/4001/quic-v1"), Under::Nothing),
            (dialled("/ip4/192.0.2.3/tcp/4001"), Under::Nothing),
            (accepted("/ip4/10.1.0.2/udp/4001/quic-v1"), Under::Nothing),
            (accepted("/ip4/10.7.0.2/udp/4001/quic-v1"), Under::Nothing),
            (dialled("/dns4/relay.example/tcp/443/wss"), Under::Relay),
            (dialled(&format!("/ip4/192.0.2.2/tcp/4001{relay}")), Under::Leg(0)),
            (dialled(&format!("/ip4/10.7.0.9/udp/4001/quic-v1{relay}")), Under::Leg(1)),
        ]);
        assert_eq!(lost, [0, 2, 4, 5, 7, 8]);
    }

    #[test]
    fn a_change_is_due_once_the_listeners_are_quiet_and_a_loss_outweighs_a_gain() {
        let (mut roaming, now) = (Roaming::default(), Instant::now());
        roaming.listening(&at("/ip4/10.1.0.2/tcp/4001"), now);
        roaming.settled();
        assert_eq!(roaming.next_due(), None);
        roaming.listening(&at("/ip4/127.0.0.1/tcp/4001"), now);
        assert_eq!(roaming.next_due(), None, "nobody comes from there");
        roaming.not_listening(&at("/ip4/10.1.0.2/tcp/4001"), now);
        roaming.listening(&at("/ip4/10.3.0.2/udp/4001/quic-v1"), now + QUIET / 2);
        roaming.listening(&at("/ip4/10.3.0.2/tcp/4001"), now + QUIET);
        assert_eq!(roaming.due(now + QUIET), None);
        assert_eq!(roaming.due(now + 2 * QUIET), Some(Change::Went));
        assert_eq!(roaming.due(now + 9 * QUIET), None);
    }
}
