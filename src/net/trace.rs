//! What becomes of every address that is tried, for `rs doctor`.
//!
//! libp2p tells of connections that came up, and of attempts that failed as a whole. Here every address of every attempt is followed:
//! those that this node dials for itself, those that a hole punch aims at, and peers that come in. What is told is told to one reader
//! ([`Trace`]); a reader that does not read loses news, not the node. Nothing is kept of attempts that are over, nothing at all where
//! nobody asked, and nothing is decided here.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished, dummy,
    },
};
use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use super::{
    address::{key_of, split},
    dials::Failure,
};
use crate::protocol::id::PeerKey;

/// Attempts under way that are followed, and addresses of one. The swarm has limits of its own; these hold if they are ever raised.
const MAX_ATTEMPTS: usize = 128;
const MAX_ADDRESSES: usize = 32;

/// What a trace tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Something happened to an address that is tried.
    Tried(Tried),
    /// A relay sees us here.
    Seen(Multiaddr),
    /// The router opened this port for us.
    Mapped(Multiaddr),
}

/// One address of one attempt. It is told when the attempt begins, and again when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which attempt; with the address it names what the news is about.
    pub attempt: u64,
    /// Who is meant, or who answered.
    pub peer: Option<PeerKey>,
    /// Where: without the peer's `/p2p/…`, but for circuits.
    pub address: Multiaddr,
    /// Our end, where a peer came in.
    pub local: Option<Multiaddr>,
    /// Who tried.
    pub way: Way,
    /// What became of it.
    pub outcome: Outcome,
}

/// Who tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// This node dialled.
    Dialled,
    /// A hole punch: both dialled at the same moment.
    Punched,
    /// The peer dialled, and we took it.
    CameIn,
}

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Trying,
    /// It connected, after this long where we dialled.
    Connected(Option<Duration>),
    /// It did not, and why, where that is known.
    Failed(&'static str),
    /// Another address of the same attempt was quicker.
    Overtaken,
}

/// The behaviour; see the module.
#[derive(Default)]
pub(super) struct Behaviour {
    reader: Option<mpsc::Sender<Trace>>,
    ledger: Ledger,
}

impl Behaviour {
    pub(super) fn new(reader: Option<mpsc::Sender<Trace>>) -> Self {
        Self { reader, ledger: Ledger::default() }
    }

    /// The next dial with this name is the node's own, not a hole punch.
    pub(super) fn ours(&mut self, connection: ConnectionId) {
        if self.reader.is_some() {
            self.ledger.ours.insert(connection);
        }
    }

    /// A relay of ours sees us here.
    pub(super) fn seen(&self, address: &Multiaddr) {
        self.tell(Trace::Seen(address.clone()));
    }

    /// The router opened this port for us.
    pub(super) fn mapped(&self, address: &Multiaddr) {
        self.tell(Trace::Mapped(address.clone()));
    }

    fn tell(&self, news: Trace) {
        if let Some(reader) = &self.reader {
            let _ = reader.try_send(news);
        }
    }

    fn note(&mut self, news: impl FnOnce(&mut Ledger, Instant) -> Vec<Tried>) {
        if self.reader.is_some() {
            let news = news(&mut self.ledger, Instant::now());
            news.into_iter().for_each(|tried| self.tell(Trace::Tried(tried)));
        }
    }
}

/// Attempts under way.
#[derive(Debug, Default)]
struct Ledger {
    ours: HashSet<ConnectionId>,
    under_way: HashMap<ConnectionId, Attempt>,
    next: u64,
}

#[derive(Debug)]
struct Attempt {
    number: u64,
    peer: Option<PeerId>,
    addresses: Vec<Multiaddr>,
    way: Way,
    begun: Instant,
}

impl Attempt {
    fn news(&self, address: &Multiaddr, outcome: Outcome) -> Tried {
        let peer = self.peer.as_ref().and_then(key_of);
        Tried { attempt: self.number, peer, address: address.clone(), local: None, way: self.way, outcome }
    }
}

impl Ledger {
    fn begins(&mut self, connection: ConnectionId, peer: Option<PeerId>, addresses: &[Multiaddr], now: Instant) -> Vec<Tried> {
        let way = if self.ours.remove(&connection) { Way::Dialled } else { Way::Punched };
        if self.under_way.len() >= MAX_ATTEMPTS {
            return Vec::new();
        }
        let addresses = addresses.iter().take(MAX_ADDRESSES).map(bare).collect();
        let attempt = Attempt { number: self.number(), peer, addresses, way, begun: now };
        let news = attempt.addresses.iter().map(|address| attempt.news(address, Outcome::Trying)).collect();
        self.under_way.insert(connection, attempt);
        news
    }

    fn connected(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        endpoint: &ConnectedPoint,
        failed: &[Multiaddr],
        now: Instant,
    ) -> Vec<Tried> {
        let remote = bare(endpoint.get_remote_address());
        if let ConnectedPoint::Listener { local_addr, .. } = endpoint {
            let (attempt, local, outcome) = (self.number(), Some(local_addr.clone()), Outcome::Connected(None));
            return vec![Tried { attempt, peer: key_of(&peer), address: remote, local, way: Way::CameIn, outcome }];
        }
        let Some(mut attempt) = self.under_way.remove(&connection) else { return Vec::new() };
        attempt.peer = Some(peer);
        let failed: Vec<_> = failed.iter().map(bare).collect();
        let outcome = |address: &Multiaddr| match address {
            address if *address == remote => Outcome::Connected(Some(now - attempt.begun)),
            address if failed.contains(address) => Outcome::Failed(Failure::NoAnswer.cause()),
            _ => Outcome::Overtaken,
        };
        attempt.addresses.iter().map(|address| attempt.news(address, outcome(address))).collect()
    }

    fn failed(&mut self, connection: ConnectionId, error: &DialError) -> Vec<Tried> {
        self.ours.remove(&connection);
        let Some(attempt) = self.under_way.remove(&connection) else { return Vec::new() };
        let whole = Failure::of(error);
        let each = |address: &Multiaddr| match error {
            DialError::Transport(errors) => {
                errors.iter().find(|(at, _)| bare(at) == *address).map_or(whole, |(_, error)| Failure::of_chain(error))
            }
            _ => whole,
        };
        attempt.addresses.iter().map(|address| attempt.news(address, Outcome::Failed(each(address).cause()))).collect()
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

fn bare(address: &Multiaddr) -> Multiaddr {
    split(address).1
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
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.note(|ledger, now| ledger.begins(connection, peer, addresses, now));
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
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id, connection_id, endpoint, failed_addresses, ..
            }) => {
                self.note(|ledger, now| ledger.connected(connection_id, peer_id, endpoint, failed_addresses, now));
            }
            FromSwarm::DialFailure(DialFailure { connection_id, error, .. }) => {
                self.note(|ledger, _| ledger.failed(connection_id, error));
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use libp2p::{TransportError, multiaddr::Protocol};

    use super::*;
    use crate::net::address::peer_of;

    const QUIC: &str = "/ip4/203.0.113.2/udp/4001/quic-v1";
    const TCP: &str = "/ip4/203.0.113.2/tcp/4001";
    const LAN: &str = "/ip4/10.1.0.2/tcp/4001";

    fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn name(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn peer() -> (PeerKey, PeerId) {
        let key = PeerKey(ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes());
        (key, peer_of(&key).unwrap())
    }

    fn dialled(address: &Multiaddr) -> ConnectedPoint {
        ConnectedPoint::Dialer { address: address.clone(), role_override: Endpoint::Dialer, port_use: PortUse::Reuse }
    }

    fn outcomes(news: &[Tried]) -> Vec<Outcome> {
        news.iter().map(|tried| tried.outcome).collect()
    }

    #[test]
    fn of_an_attempt_one_address_wins_and_the_others_failed_or_were_overtaken() {
        let (mut ledger, begun, (key, peer)) = (Ledger::default(), Instant::now(), peer());
        let tried = addresses(&[QUIC, TCP, LAN]);
        let news = ledger.begins(name(1), Some(peer), &tried, begun);
        assert_eq!(outcomes(&news), [Outcome::Trying; 3]);
        assert!(news.iter().all(|tried| tried.peer == Some(key) && tried.way == Way::Punched));
        let later = begun + Duration::from_millis(40);
        let with_peer = |at: &Multiaddr| at.clone().with(Protocol::P2p(peer));
        let over = ledger.connected(name(1), peer, &dialled(&with_peer(&tried[0])), &[with_peer(&tried[2])], later);
        let connected = Outcome::Connected(Some(later - begun));
        assert_eq!(outcomes(&over), [connected, Outcome::Overtaken, Outcome::Failed("no answer")]);
        assert_eq!(over[0].attempt, news[0].attempt);
        assert!(ledger.connected(name(1), peer, &dialled(&tried[0]), &[], later).is_empty(), "it is over");
    }

    #[test]
    fn each_address_has_its_own_reason() {
        let (mut ledger, (_, peer)) = (Ledger::default(), peer());
        ledger.ours.insert(name(1));
        let news = ledger.begins(name(1), None, &addresses(&[QUIC, TCP]), Instant::now());
        assert!(news.iter().all(|tried| tried.way == Way::Dialled && tried.peer.is_none()));
        let refused = TransportError::Other(io::ErrorKind::ConnectionRefused.into());
        let silent = TransportError::Other(io::ErrorKind::TimedOut.into());
        let at = |text: &str| text.parse::<Multiaddr>().unwrap().with(Protocol::P2p(peer));
        let error = DialError::Transport(vec![(at(TCP), refused), (at(QUIC), silent)]);
        let over = ledger.failed(name(1), &error);
        assert_eq!(outcomes(&over), [Outcome::Failed("no answer"), Outcome::Failed("nothing listens there")]);
        assert!(ledger.ours.is_empty() && ledger.under_way.is_empty());
    }

    #[test]
    fn who_comes_in_is_told_with_our_end() {
        let (mut ledger, (key, peer)) = (Ledger::default(), peer());
        let [local, remote] = addresses(&[LAN, TCP]).try_into().unwrap();
        let endpoint = ConnectedPoint::Listener { local_addr: local.clone(), send_back_addr: remote.clone() };
        let news = ledger.connected(name(1), peer, &endpoint, &[], Instant::now());
        let [Tried { peer: Some(from), address, local: Some(ours), way: Way::CameIn, outcome: Outcome::Connected(None), .. }] =
            &news[..]
        else {
            panic!("{news:?}")
        };
        assert_eq!((*from, address, ours), (key, &remote, &local));
    }

    #[test]
    fn what_is_followed_is_bounded() {
        let mut ledger = Ledger::default();
        let many: Vec<Multiaddr> = (1..100).map(|port| format!("/ip4/203.0.113.2/tcp/{port}").parse().unwrap()).collect();
        for number in 0..1000 {
            ledger.begins(name(number), None, &many, Instant::now());
        }
        assert_eq!(ledger.under_way.len(), MAX_ATTEMPTS);
        assert!(ledger.under_way.values().all(|attempt| attempt.addresses.len() == MAX_ADDRESSES));
    }

    #[tokio::test]
    async fn where_nobody_asked_nothing_is_kept() {
        let mut off = Behaviour::new(None);
        off.ours(name(1));
        off.handle_pending_outbound_connection(name(1), None, &addresses(&[QUIC]), Endpoint::Dialer).unwrap();
        assert!(off.ledger.ours.is_empty() && off.ledger.under_way.is_empty());
    }
}
