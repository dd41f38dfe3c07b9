//! A host's presence: a reservation at each relay, and the signed listing that leads there.
//!
//! A reservation is asked for once the relay has told what address it sees us at (a hole punch needs it), at the latest after
//! [`OBSERVE`]; a session in need does not wait as long. When it ends it is asked for again, with backoff, for ever; soon, if it was
//! held. The listing is published to every relay that holds a reservation, at once when that set grows and every [`REPUBLISH`]. Relays
//! check a listing after they took it, so we ask for it back: only a relay that hands out our listing counts as reserved.
//!
//! Sans-IO: the caller brings the time and does what [`Presence::due`] says.

use std::{collections::HashMap, time::Duration};

use ed25519_dalek::SigningKey;
use libp2p::{Multiaddr, PeerId, core::transport::ListenerId};
use tokio::time::Instant;

use super::{
    directory,
    relays::{Backoff, Relays},
};

/// How long to wait for the observed addresses before reserving.
const OBSERVE: Duration = Duration::from_millis(1500);

/// While a session waits for it. A leg that a firewall stops never tells anything.
const HURRIED_OBSERVE: Duration = Duration::from_millis(200);

/// How often the listing is renewed; it is valid for ten minutes.
const REPUBLISH: Duration = Duration::from_secs(180);

/// How long until an incomplete publication is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How soon, how often and how many times we ask for our listing back.
const FIRST_CHECK: Duration = Duration::from_millis(100);
const NEXT_CHECK: Duration = Duration::from_millis(400);
const CHECKS: u32 = 6;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// Ask this relay for a reservation; then call [`Presence::asked`] or [`Presence::failed`].
    Reserve(PeerId),
    /// Store this record at these relays.
    Publish(Vec<u8>, Vec<PeerId>),
    /// Ask the directory for our own record; then call [`Presence::stored`].
    Check,
}

#[derive(Debug)]
struct Reservation {
    state: State,
    backoff: Backoff,
    observations: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting(Instant),
    Asked(ListenerId),
    /// The relay holds our reservation, not yet our listing.
    Granted(ListenerId),
    Reserved(ListenerId),
}

/// See the module.
pub(super) struct Presence {
    identity: SigningKey,
    place: [u8; 32],
    reservations: HashMap<PeerId, Reservation>,
    sequence: u64,
    record: Vec<u8>,
    publish_at: Option<Instant>,
    check_at: Option<Instant>,
    checks: u32,
}

impl Presence {
    /// Nowhere yet. `place` is where our ID's record belongs.
    pub(super) fn new(identity: SigningKey, place: [u8; 32]) -> Self {
        let reservations = HashMap::new();
        Self { identity, place, reservations, sequence: 0, record: Vec::new(), publish_at: None, check_at: None, checks: 0 }
    }

    /// Where our record belongs.
    pub(super) fn place(&self) -> [u8; 32] {
        self.place
    }

    /// A relay is connected.
    pub(super) fn relay_up(&mut self, relay: PeerId, hurry: bool, now: Instant) {
        let at = now + if hurry { HURRIED_OBSERVE } else { OBSERVE };
        let waiting = Reservation { state: State::Waiting(at), backoff: Backoff::default(), observations: 0 };
        let reservation = self.reservations.entry(relay).or_insert(waiting);
        // What is left from before it was down waits for nothing now.
        if let State::Waiting(_) = reservation.state {
            (reservation.state, reservation.observations) = (State::Waiting(at), 0);
        }
    }

    /// A relay told where it sees us, on one of its `legs` connections.
    pub(super) fn observed(&mut self, relay: PeerId, legs: usize, now: Instant) {
        let Some(reservation) = self.reservations.get_mut(&relay) else { return };
        reservation.observations += 1;
        if let State::Waiting(at) = &mut reservation.state
            && reservation.observations == legs
        {
            *at = now.min(*at);
        }
    }

    /// The reservation was asked for; it stands and falls with this listener.
    pub(super) fn asked(&mut self, relay: PeerId, listener: ListenerId) {
        if let Some(reservation) = self.reservations.get_mut(&relay) {
            reservation.state = State::Asked(listener);
        }
    }

    /// It could not even be asked for.
    pub(super) fn failed(&mut self, relay: PeerId, hurry: bool, now: Instant) {
        if let Some(reservation) = self.reservations.get_mut(&relay) {
            reservation.state = State::Waiting(now + reservation.backoff.pause(hurry));
        }
    }

    /// The relay granted it (or renewed it).
    pub(super) fn granted(&mut self, relay: PeerId, now: Instant) {
        let Some(reservation) = self.reservations.get_mut(&relay) else { return };
        if let State::Asked(listener) = reservation.state {
            reservation.state = State::Granted(listener);
            reservation.backoff.reset();
            self.publish_at = Some(now);
        }
    }

    /// A relay handed out this record for our ID. True when that makes us reachable through it.
    pub(super) fn stored(&mut self, relay: PeerId, record: &[u8]) -> bool {
        let Some(reservation) = self.reservations.get_mut(&relay) else { return false };
        match reservation.state {
            State::Granted(listener) if record == self.record => {
                reservation.state = State::Reserved(listener);
                true
            }
            _ => false,
        }
    }

    /// A listener closed. If it was a reservation's: whose.
    pub(super) fn closed(&mut self, listener: ListenerId, hurry: bool, now: Instant) -> Option<PeerId> {
        let (relay, reservation) =
            self.reservations.iter_mut().find(|(_, reservation)| reservation.listener() == Some(listener))?;
        // One that was held broke with its connection, and another one may be there.
        let soon = hurry || reservation.is_held();
        reservation.state = State::Waiting(now + reservation.backoff.pause(soon));
        self.publish_at = self.publish_at.map(|at| at.min(now + RETRY));
        Some(*relay)
    }

    /// When [`Self::due`] has something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let reservations = self.reservations.values().filter_map(|reservation| match reservation.state {
            State::Waiting(at) => Some(at),
            _ => None,
        });
        reservations.chain(self.publish_at).chain(self.check_at).min()
    }

    /// What is to be done at `now`, `unix` milliseconds after the epoch.
    pub(super) fn due(&mut self, relays: &Relays, now: Instant, unix: u64) -> Vec<Todo> {
        let mut todo = Vec::new();
        // A relay that is down asks for no patience: it starts over when it is up again.
        self.reservations.retain(|relay, reservation| {
            let due = matches!(reservation.state, State::Waiting(at) if at <= now);
            let up = relays.by_peer(*relay).is_some_and(super::relays::Relay::is_up);
            if due && up {
                todo.push(Todo::Reserve(*relay));
            }
            !due || up
        });
        if self.publish_at.is_some_and(|at| at <= now) {
            todo.extend(self.publish(relays, now, unix));
        }
        if self.check_at.is_some_and(|at| at <= now) {
            todo.extend(self.check(now));
        }
        todo
    }

    fn publish(&mut self, relays: &Relays, now: Instant, unix: u64) -> Option<Todo> {
        let holding: Vec<PeerId> =
            self.reservations.iter().filter(|(_, reservation)| reservation.is_held()).map(|(relay, _)| *relay).collect();
        if holding.is_empty() {
            (self.publish_at, self.check_at) = (None, None);
            return None;
        }
        self.sequence = unix.max(self.sequence + 1);
        self.record = directory::sign(&self.identity, self.sequence, unix / 1000, &addresses(relays, &holding));
        (self.publish_at, self.check_at, self.checks) = (Some(now + REPUBLISH), Some(now + FIRST_CHECK), CHECKS);
        Some(Todo::Publish(self.record.clone(), holding))
    }

    fn check(&mut self, now: Instant) -> Option<Todo> {
        let missing = self.reservations.values().any(|reservation| matches!(reservation.state, State::Granted(_)));
        if !missing || self.checks == 0 {
            self.check_at = None;
            if missing {
                self.publish_at = Some(now + RETRY);
            }
            return None;
        }
        self.checks -= 1;
        self.check_at = Some(now + NEXT_CHECK);
        Some(Todo::Check)
    }
}

impl Reservation {
    fn listener(&self) -> Option<ListenerId> {
        match self.state {
            State::Waiting(_) => None,
            State::Asked(listener) | State::Granted(listener) | State::Reserved(listener) => Some(listener),
        }
    }

    fn is_held(&self) -> bool {
        matches!(self.state, State::Granted(_) | State::Reserved(_))
    }
}

/// The relays' addresses with their `/p2p/…`, every relay's first one first: a listing is cut after eight.
fn addresses(relays: &Relays, holding: &[PeerId]) -> Vec<Multiaddr> {
    let mut ranked: Vec<(usize, Multiaddr)> = Vec::new();
    for relay in holding {
        let legs = relays.by_peer(*relay).map(super::relays::Relay::addresses).unwrap_or_default();
        ranked.extend(legs.into_iter().enumerate().filter_map(|(rank, leg)| Some((rank, leg.with_p2p(*relay).ok()?))));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, address)| address).collect()
}
