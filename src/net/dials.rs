//! Dials that somebody asked for: which attempts belong together, and what to say when all failed.
//!
//! One command becomes several attempts side by side: the QUIC addresses, the TCP addresses, and one circuit per relay. The first
//! success answers; the others go on, a second path is welcome. Circuits wait for their relay.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    io,
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    RelayAddress, Transport,
    address::{end_of, is_circuit, key_of, peer_of, relay_part, transport_of},
};
use crate::protocol::id::PeerKey;

/// How long a dial may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// Dials at a time, and addresses of one.
const MAX_DIALS: usize = 64;
const MAX_ADDRESSES: usize = 32;

/// What to say when a dial failed; the later ones tell more and win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    NoAnswer,
    Unresolved,
    Refused,
    RelayUnreachable,
    Untrusted,
    RelayFull,
    NotAtRelay,
    WrongKey,
    Ourselves,
}

impl Failure {
    /// One line for a person.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NoAnswer => "no answer; check the address, and that a firewall lets it through",
            Self::Unresolved => "the name cannot be resolved; check its spelling and your connection",
            Self::Refused => "nothing listens there; check the address and that it is running",
            Self::RelayUnreachable => "the host's relay cannot be reached; check your connection",
            Self::Untrusted => {
                "nobody vouches for its certificate; check the address and this machine's clock, or name the authority's file in SSL_CERT_FILE"
            }
            Self::RelayFull => "the relay is busy; try again in a minute",
            Self::NotAtRelay => "the host is not connected to its relay; check that rs host is running there",
            Self::WrongKey => "somebody else answers at this address; ask for the address again",
            Self::Ourselves => "this address is our own; ask for the address of the other computer",
        }
    }

    /// The same without advice.
    pub(super) fn cause(self) -> &'static str {
        self.text().split(';').next().unwrap_or_default()
    }

    /// What an error of libp2p means.
    pub(super) fn of(error: &DialError) -> Self {
        match error {
            DialError::WrongPeerId { .. } => Self::WrongKey,
            DialError::LocalPeerId { .. } => Self::Ourselves,
            DialError::Transport(errors) => errors.iter().map(|(_, error)| Self::of_chain(error)).max().unwrap_or(Self::NoAnswer),
            _ => Self::NoAnswer,
        }
    }

    /// Most causes are private types of libp2p; only their texts tell them apart.
    pub(super) fn of_chain(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        let mut failure = Self::NoAnswer;
        while let Some(error) = cause {
            let text = error.to_string();
            let refused = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            failure = failure.max(match text.as_str() {
                _ if refused || text.contains("onnection refused") => Self::Refused,
                _ if text.contains("no reservation") || text.contains("failed to connect to destination") => Self::NotAtRelay,
                _ if text.contains("certificate") => Self::Untrusted,
                _ if text.contains("resource limit") => Self::RelayFull,
                _ if text.contains("resolve") || text.contains("no record") => Self::Unresolved,
                _ => Self::NoAnswer,
            });
            cause = error.source();
        }
        failure
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Dials {
    open: HashMap<u64, Dial>,
    next: u64,
}

#[derive(Debug)]
struct Dial {
    done: Option<oneshot::Sender<Result<(), String>>>,
    attempts: HashSet<ConnectionId>,
    circuits: Vec<Circuit>,
    deadline: Instant,
    failure: Failure,
}

/// A circuit that waits for its relay.
#[derive(Debug)]
struct Circuit {
    relay: PeerId,
    host: PeerId,
    address: Multiaddr,
}

/// What a dial needs: attempts to make now, and relays to be connected to.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) now: Vec<DialOpts>,
    pub(super) relays: Vec<RelayAddress>,
}

impl Dials {
    /// Takes a dial in.
    pub(super) fn start(
        &mut self,
        key: Option<PeerKey>,
        addresses: Vec<Multiaddr>,
        done: oneshot::Sender<Result<(), String>>,
        now: Instant,
    ) -> Wanted {
        let peer = match key.map(|key| peer_of(&key)) {
            Some(None) => return refuse(done, "this key is damaged; ask for the address again"),
            Some(peer) => peer,
            None => None,
        };
        if self.open.len() >= MAX_DIALS {
            return refuse(done, "too many connections are being made; wait a moment");
        }
        let (circuits, direct): (Vec<_>, Vec<_>) = addresses.into_iter().take(MAX_ADDRESSES).partition(is_circuit);
        let (circuits, relays) = circuits_of(circuits, peer);
        let attempts = attempts(peer, direct);
        if attempts.is_empty() && circuits.is_empty() {
            return refuse(done, "there is no address to dial; ask for the address again");
        }
        let ids = attempts.iter().map(DialOpts::connection_id).collect();
        let dial = Dial { done: Some(done), attempts: ids, circuits, deadline: now + DEADLINE, failure: Failure::NoAnswer };
        self.open.insert(self.next, dial);
        self.next += 1;
        Wanted { now: attempts, relays }
    }

    /// This relay is up: the circuits through it.
    pub(super) fn relay_up(&mut self, relay: PeerId) -> Vec<DialOpts> {
        let mut due = Vec::new();
        for dial in self.open.values_mut() {
            for circuit in dial.circuits.extract_if(.., |circuit| circuit.relay == relay) {
                let options =
                    DialOpts::peer_id(circuit.host).addresses(vec![circuit.address]).condition(PeerCondition::Always).build();
                dial.attempts.insert(options.connection_id());
                due.push(options);
            }
        }
        due
    }

    /// This relay cannot be reached: neither can the circuits through it.
    pub(super) fn relay_down(&mut self, relay: PeerId) {
        for dial in self.open.values_mut() {
            if dial.circuits.extract_if(.., |circuit| circuit.relay == relay).count() > 0 {
                dial.failure = dial.failure.max(Failure::RelayUnreachable);
            }
        }
        self.settle();
    }

    /// A connection is there.
    pub(super) fn connected(&mut self, connection: ConnectionId) {
        for dial in self.open.values_mut() {
            if dial.attempts.remove(&connection) {
                dial.answer(Ok(()));
            }
        }
        self.settle();
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, connection: ConnectionId, failure: Failure) {
        for dial in self.open.values_mut() {
            if dial.attempts.remove(&connection) {
                dial.failure = dial.failure.max(failure);
            }
        }
        self.settle();
    }

    /// When [`Self::expire`] has something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.open.values().map(|dial| dial.deadline).min()
    }

    /// Gives up what took too long.
    pub(super) fn expire(&mut self, now: Instant) {
        for (_, mut late) in self.open.extract_if(|_, dial| dial.deadline <= now) {
            let failure = if late.circuits.is_empty() { late.failure } else { late.failure.max(Failure::RelayUnreachable) };
            late.answer(Err(failure.text().to_owned()));
        }
    }

    fn settle(&mut self) {
        for (_, mut over) in self.open.extract_if(|_, dial| dial.attempts.is_empty() && dial.circuits.is_empty()) {
            over.answer(Err(over.failure.text().to_owned()));
        }
    }
}

impl Dial {
    fn answer(&mut self, answer: Result<(), String>) {
        if let Some(done) = self.done.take() {
            let _ = done.send(answer);
        }
    }
}

fn refuse(done: oneshot::Sender<Result<(), String>>, why: &str) -> Wanted {
    let _ = done.send(Err(why.to_owned()));
    Wanted::default()
}

/// With a key: one attempt over QUIC and one over TCP, each at all its addresses at once. Without: one per address.
fn attempts(peer: Option<PeerId>, addresses: Vec<Multiaddr>) -> Vec<DialOpts> {
    let Some(peer) = peer else {
        return addresses.into_iter().map(|address| DialOpts::unknown_peer_id().address(address).build()).collect();
    };
    let (quic, tcp): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| transport_of(address) == Transport::Quic);
    let some = [quic, tcp].into_iter().filter(|addresses| !addresses.is_empty());
    some.map(|addresses| DialOpts::peer_id(peer).addresses(addresses).condition(PeerCondition::Always).build()).collect()
}

/// One circuit per relay, and the relays with all addresses named for them.
fn circuits_of(addresses: Vec<Multiaddr>, peer: Option<PeerId>) -> (Vec<Circuit>, Vec<RelayAddress>) {
    let mut circuits: Vec<Circuit> = Vec::new();
    let mut relays: Vec<RelayAddress> = Vec::new();
    for address in addresses {
        let (Some((at, relay)), Some(host)) = (relay_part(&address), peer.or_else(|| end_of(&address))) else { continue };
        let Some(key) = key_of(&relay) else { continue };
        match relays.iter_mut().find(|known| known.key == Some(key)) {
            Some(known) => known.addresses.push(at),
            None => {
                relays.push(RelayAddress { addresses: vec![at], key: Some(key) });
                circuits.push(Circuit { relay, host, address });
            }
        }
    }
    (circuits, relays)
}
