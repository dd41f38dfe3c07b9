//! The relays that we stay connected to: which leg is up, which is dialled when.
//!
//! A relay has several legs (a QUIC and a TCP address); each is kept connected on its own, for ever, with backoff and jitter. A hole
//! punch needs the address observed on each. While a session depends on them pauses stay short ([`Relays::hurry`]), and in another network
//! nothing waits ([`Relays::moved`]). A WebSocket leg helps no hole punch: it is dialled only while no other leg is up, and not in the
//! first [`HEAD_START`]. A relay is up while one leg is; it went down once all are, told once per outage. The key that answers first is its
//! key from then on; whoever answers with another is not the relay.
//!
//! Sans-IO: the caller brings the time, dials what [`Relays::due`] returns, and reports what became of it.

use std::time::Duration;

use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::time::Instant;

use super::{
    RelayAddress, Transport,
    address::{end_of, ip_of, is_circuit, peer_of, transport_of},
};

/// Relays at a time.
const MAX_RELAYS: usize = 16;

/// Legs of one relay.
const MAX_LEGS: usize = 4;

/// Waiting times between attempts: doubling from the first to the last, each up to half as long again.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LAST_WAIT: Duration = Duration::from_secs(30);

/// The same while a session depends on it: a relay that is restarted, or a network whose routes come after its address, is back soon.
const HURRIED_FIRST_WAIT: Duration = Duration::from_millis(100);
const HURRIED_WAIT: Duration = Duration::from_millis(600);

/// How long QUIC and TCP may take before WebSocket is tried too.
const HEAD_START: Duration = Duration::from_millis(1500);

/// A growing pause.
#[derive(Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    /// The next pause; in a hurry it starts short and stays short.
    pub(super) fn pause(&mut self, hurry: bool) -> Duration {
        let (first, last) = if hurry { (HURRIED_FIRST_WAIT, HURRIED_WAIT) } else { (FIRST_WAIT, LAST_WAIT) };
        let pause = (first * 2_u32.pow(self.0.min(5))).min(last);
        self.0 = self.0.saturating_add(1);
        pause.mul_f64(1.0 + rand::random::<f64>() / 2.0)
    }

    /// It worked: start over.
    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }
}

/// What became of a relay. The number is its place in [`Relays`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Up(usize),
    Down(usize, String),
    Changed(usize),
}

/// What a connection is to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Connected {
    /// A relay's leg. The change, if it is news.
    Leg(Option<Change>),
    /// The leg of a relay that showed another key: close it.
    Wrong(Option<Change>),
    /// Nothing to do with relays.
    Other,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Relays {
    entries: Vec<Relay>,
    hurry: bool,
}

/// One relay.
#[derive(Debug)]
pub(super) struct Relay {
    /// As it was given.
    pub(super) given: RelayAddress,
    /// Not asked for by name: only a circuit leads through it.
    pub(super) quiet: bool,
    /// Who it is, once known.
    pub(super) peer: Option<PeerId>,
    legs: Vec<Leg>,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Up,
    Down,
    Changed,
}

#[derive(Debug)]
struct Leg {
    address: Multiaddr,
    state: State,
    backoff: Backoff,
    tried: bool,
}

#[derive(Debug)]
enum State {
    Waiting(Instant),
    Dialling(ConnectionId),
    Up(ConnectionId),
}

impl Relays {
    /// Takes a relay in; the same one twice is one. A quiet one that is asked for by name becomes an ordinary one. Returns its place,
    /// or `None` when there are too many or its key is no key.
    pub(super) fn add(&mut self, given: RelayAddress, quiet: bool, now: Instant) -> Option<usize> {
        let peer = match &given.key {
            Some(key) => Some(peer_of(key)?),
            None => None,
        };
        if let Some(place) = self.entries.iter().position(|relay| relay.is(peer, &given.addresses)) {
            let known = &mut self.entries[place];
            known.add_legs(&given.addresses, now);
            if known.quiet && !quiet {
                (known.quiet, known.given, known.told) = (false, given, Told::Nothing);
            }
            return Some(place);
        }
        if self.entries.len() >= MAX_RELAYS || given.addresses.is_empty() {
            return None;
        }
        let mut relay = Relay { given, quiet, peer, legs: Vec::new(), told: Told::Nothing };
        let addresses = relay.given.addresses.clone();
        relay.add_legs(&addresses, now);
        self.entries.push(relay);
        Some(self.entries.len() - 1)
    }

    /// A session depends on the relays, or no longer: then waits are short, those under way too.
    pub(super) fn hurry(&mut self, hurry: bool, now: Instant) {
        self.hurry = hurry;
        let waits = self.entries.iter_mut().flat_map(|relay| &mut relay.legs).filter_map(|leg| match &mut leg.state {
            State::Waiting(at) => Some(at),
            State::Dialling(_) | State::Up(_) => None,
        });
        if hurry {
            waits.for_each(|at| *at = (*at).min(now + HURRIED_WAIT));
        }
    }

    /// We are in another network: what is not connected is dialled at once. With `anew`, also what is being dialled from where we were.
    pub(super) fn moved(&mut self, anew: bool, now: Instant) {
        for leg in self.entries.iter_mut().flat_map(|relay| &mut relay.legs) {
            if matches!(leg.state, State::Waiting(_)) || anew && matches!(leg.state, State::Dialling(_)) {
                (leg.state, leg.backoff) = (State::Waiting(now), Backoff::default());
            }
        }
    }

    /// Whether a session depends on the relays.
    pub(super) fn is_hurried(&self) -> bool {
        self.hurry
    }

    /// One relay.
    pub(super) fn get(&self, place: usize) -> &Relay {
        &self.entries[place]
    }

    /// Says "up" of a relay that was up before it was asked for by name.
    pub(super) fn news_of(&mut self, place: usize) -> Option<Change> {
        let relay = &mut self.entries[place];
        (relay.is_up() && relay.told != Told::Up).then(|| {
            relay.told = Told::Up;
            Change::Up(place)
        })
    }

    /// What is to be dialled now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<DialOpts> {
        let mut due = Vec::new();
        for relay in &mut self.entries {
            let up = relay.is_up();
            for leg in &mut relay.legs {
                let State::Waiting(at) = leg.state else { continue };
                if at <= now && !(up && leg.is_last_resort()) {
                    let options = dial(relay.peer, leg.address.clone());
                    leg.state = State::Dialling(options.connection_id());
                    due.push(options);
                }
            }
        }
        due
    }

    /// When [`Self::due`] has something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let legs = self.entries.iter().flat_map(|relay| {
            let up = relay.is_up();
            relay.legs.iter().filter(move |leg| !(up && leg.is_last_resort()))
        });
        legs.filter_map(|leg| if let State::Waiting(at) = leg.state { Some(at) } else { None }).min()
    }

    /// A connection is there.
    pub(super) fn connected(&mut self, connection: ConnectionId, peer: PeerId, now: Instant) -> Connected {
        let Some((place, leg)) = self.find(connection) else { return Connected::Other };
        let relay = &mut self.entries[place];
        if *relay.peer.get_or_insert(peer) != peer {
            return Connected::Wrong(self.wrong_key(connection, now));
        }
        relay.legs[leg].state = State::Up(connection);
        relay.legs[leg].tried = true;
        relay.legs[leg].backoff.reset();
        Connected::Leg(self.news_of(place))
    }

    /// A dial of ours failed. `None` when it was no leg or is no news.
    pub(super) fn failed(&mut self, connection: ConnectionId, reason: String, now: Instant) -> Option<Change> {
        let (place, leg) = self.find(connection)?;
        let relay = &mut self.entries[place];
        relay.legs[leg].wait(self.hurry, now);
        let over = !relay.is_up() && relay.legs.iter().all(|leg| leg.tried);
        (over && matches!(relay.told, Told::Nothing | Told::Up)).then(|| {
            relay.told = Told::Down;
            Change::Down(place, reason)
        })
    }

    /// Another key answered. `None` when this was told already.
    pub(super) fn wrong_key(&mut self, connection: ConnectionId, now: Instant) -> Option<Change> {
        let (place, leg) = self.find(connection)?;
        let relay = &mut self.entries[place];
        relay.legs[leg].wait(self.hurry, now);
        (!relay.is_up() && relay.told != Told::Changed).then(|| {
            relay.told = Told::Changed;
            Change::Changed(place)
        })
    }

    /// A connection is gone; its leg is dialled again soon.
    pub(super) fn closed(&mut self, connection: ConnectionId, now: Instant) -> Option<Change> {
        let (place, leg) = self.find(connection)?;
        let relay = &mut self.entries[place];
        relay.legs[leg].wait(self.hurry, now);
        (!relay.is_up() && relay.told == Told::Up).then(|| {
            relay.told = Told::Down;
            Change::Down(place, "the connection broke".to_owned())
        })
    }

    /// Another way to this relay, learned from itself.
    pub(super) fn learn(&mut self, peer: PeerId, address: Multiaddr, now: Instant) {
        if let Some(relay) = self.entries.iter_mut().find(|relay| relay.peer == Some(peer)) {
            relay.add_legs(&[address], now);
        }
    }

    /// The relay with this key, if it is one of ours.
    pub(super) fn by_peer(&self, peer: PeerId) -> Option<&Relay> {
        self.entries.iter().find(|relay| relay.peer == Some(peer))
    }

    /// Those that are up.
    pub(super) fn up(&self) -> impl Iterator<Item = PeerId> {
        self.entries.iter().filter(|relay| relay.is_up()).filter_map(|relay| relay.peer)
    }

    /// Whether a relay has not yet had its first chance.
    pub(super) fn any_hope(&self) -> bool {
        self.entries.iter().any(|relay| !relay.is_up() && relay.told == Told::Nothing)
    }

    /// The relay and leg that this connection is, or was dialled for.
    fn find(&self, connection: ConnectionId) -> Option<(usize, usize)> {
        self.entries.iter().enumerate().find_map(|(place, relay)| {
            let leg = relay.legs.iter().position(|leg| leg.is(connection))?;
            Some((place, leg))
        })
    }
}

impl Relay {
    /// Whether one leg is connected.
    pub(super) fn is_up(&self) -> bool {
        self.legs.iter().any(|leg| matches!(leg.state, State::Up(_)))
    }

    /// The addresses of its legs, those that are up first.
    pub(super) fn addresses(&self) -> Vec<Multiaddr> {
        let mut legs: Vec<&Leg> = self.legs.iter().collect();
        legs.sort_by_key(|leg| !matches!(leg.state, State::Up(_)));
        legs.into_iter().map(|leg| leg.address.clone()).collect()
    }

    /// How many legs will tell us where they see us, if all come up. WebSocket does not count: it comes up only when the others do not.
    pub(super) fn observers(&self) -> usize {
        self.legs.iter().filter(|leg| !leg.is_last_resort()).count()
    }

    /// Whether a leg over this transport is known.
    pub(super) fn has(&self, transport: Transport) -> bool {
        self.legs.iter().any(|leg| transport_of(&leg.address) == transport)
    }

    fn is(&self, peer: Option<PeerId>, addresses: &[Multiaddr]) -> bool {
        match (self.peer, peer) {
            (Some(mine), Some(other)) => mine == other,
            _ => self.legs.iter().any(|leg| addresses.contains(&leg.address)),
        }
    }

    fn add_legs(&mut self, addresses: &[Multiaddr], now: Instant) {
        for address in addresses {
            if self.legs.len() < MAX_LEGS && !self.legs.iter().any(|leg| leg.address == *address) {
                let mut leg =
                    Leg { address: address.clone(), state: State::Waiting(now), backoff: Backoff::default(), tried: false };
                if leg.is_last_resort() && !self.legs.is_empty() {
                    leg.state = State::Waiting(now + HEAD_START);
                }
                self.legs.push(leg);
            }
        }
    }
}

impl Leg {
    fn is_last_resort(&self) -> bool {
        transport_of(&self.address) == Transport::Websocket
    }

    fn is(&self, connection: ConnectionId) -> bool {
        matches!(self.state, State::Dialling(mine) | State::Up(mine) if mine == connection)
    }

    fn wait(&mut self, hurry: bool, now: Instant) {
        self.tried = true;
        self.state = State::Waiting(now + self.backoff.pause(hurry));
    }
}

fn dial(peer: Option<PeerId>, address: Multiaddr) -> DialOpts {
    match peer {
        Some(peer) => DialOpts::peer_id(peer).addresses(vec![address]).condition(PeerCondition::Always).build(),
        None => DialOpts::unknown_peer_id().address(address).build(),
    }
}

/// A relay given by one address usually also listens on the other transports at the same IP: a hole punch wants QUIC and TCP, and
/// WebSocket may help where neither passes.
pub(super) fn other_leg(known: &[Multiaddr], listening: &[Multiaddr], has: impl Fn(Transport) -> bool) -> Option<Multiaddr> {
    let wanted = [Transport::Quic, Transport::Tcp, Transport::Websocket].into_iter().find(|transport| !has(*transport))?;
    let ip = known.first().and_then(ip_of)?;
    let same =
        listening.iter().find(|address| ip_of(address) == Some(ip) && transport_of(address) == wanted && !is_circuit(address));
    let mut address = same?.clone();
    if end_of(&address).is_some() {
        address.pop();
    }
    Some(address)
}

#[cfg(test)]
mod tests;
