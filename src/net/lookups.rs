//! Directory look-ups: a query at every connected relay, patience for relays that are still being dialled or that search among their
//! fellows, and the slow check of what came back, away from the swarm.
//!
//! A relay that does not know a host says so at once, names the relays that may know more, and searches among them: whoever asks again
//! a moment later gets what it found. So a look-up asks up to [`ROUNDS`] times. A relay that knows no others is asked once.

use std::time::Duration;

use libp2p::kad::QueryId;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Listing, behaviour,
    directory::{self, Record},
};
use crate::protocol::id::HostId;

/// Once a record is there, relays that have not answered get this much longer.
const GRACE: Duration = Duration::from_secs(1);

/// How often relays are asked that search, and the first pause between two rounds; each pause is twice the one before. Three seconds in
/// all: twice what a search among a thousand relays takes (see `docs/DIRECTORY.md`).
const ROUNDS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Look-ups at a time, and records considered for one.
const MAX_LOOKUPS: usize = 32;
const MAX_RECORDS: usize = 16;

#[derive(Debug)]
struct Lookup {
    id: HostId,
    place: [u8; 32],
    done: oneshot::Sender<Vec<Listing>>,
    deadline: Instant,
    /// When the connected relays are asked, anew.
    ask_at: Option<Instant>,
    rounds: u32,
    /// Under way. More than one while a relay that was asked before the others came up does not answer.
    queries: Vec<QueryId>,
    records: Vec<Record>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    open: Vec<Lookup>,
}

impl Lookups {
    /// Takes a look-up in; it runs with the next [`Self::run`].
    pub(super) fn start(&mut self, id: HostId, done: oneshot::Sender<Vec<Listing>>, now: Instant) {
        let deadline = now + behaviour::QUERY;
        let place = directory::place(id);
        let lookup = Lookup { id, place, done, deadline, ask_at: Some(now), rounds: 0, queries: Vec::new(), records: Vec::new() };
        if self.open.len() < MAX_LOOKUPS {
            self.open.push(lookup);
        } else {
            lookup.answer();
        }
    }

    /// Runs those whose time has come: `query` asks the connected relays for a place.
    pub(super) fn run(&mut self, now: Instant, mut query: impl FnMut([u8; 32]) -> QueryId) {
        for lookup in self.open.iter_mut().filter(|lookup| lookup.ask_at.is_some_and(|at| at <= now)) {
            lookup.ask_at = None;
            lookup.queries.push(query(lookup.place));
        }
    }

    /// A relay came up: it is asked too, with whoever else is connected, and without waiting for one that does not answer.
    pub(super) fn relay_up(&mut self, now: Instant) {
        for lookup in &mut self.open {
            lookup.ask_at = Some(now);
        }
    }

    /// A relay answered with a record that holds so far.
    pub(super) fn found(&mut self, query: QueryId, record: Record, now: Instant) {
        if let Some(lookup) = self.open.iter_mut().find(|lookup| lookup.queries.contains(&query)) {
            lookup.deadline = lookup.deadline.min(now + GRACE);
            if lookup.records.len() < MAX_RECORDS && !lookup.records.contains(&record) {
                lookup.records.push(record);
            }
        }
    }

    /// A query is over. When it was the last and nothing was found, the relays are asked once more if one is `searching` or `dialled`.
    pub(super) fn finished(&mut self, query: QueryId, searching: bool, dialled: bool, now: Instant) {
        let Some(at) = self.open.iter().position(|lookup| lookup.queries.contains(&query)) else { return };
        let lookup = &mut self.open[at];
        lookup.queries.retain(|other| *other != query);
        lookup.rounds += 1;
        if !lookup.queries.is_empty() || lookup.ask_at.is_some() {
            return;
        }
        if lookup.records.is_empty() && (dialled || searching && lookup.rounds < ROUNDS) {
            lookup.ask_at = Some(now + PAUSE * 2_u32.pow(lookup.rounds.min(ROUNDS) - 1));
        } else {
            self.open.swap_remove(at).answer();
        }
    }

    /// No relay is left to ask: answers those that wait for one.
    pub(super) fn give_up(&mut self) {
        for lookup in self.open.extract_if(.., |lookup| lookup.queries.is_empty()) {
            lookup.answer();
        }
    }

    /// When [`Self::run`] or [`Self::expire`] has something next. What is due already waits for a relay.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let asks = self.open.iter().filter_map(|lookup| lookup.ask_at).filter(|at| *at > now);
        asks.chain(self.open.iter().map(|lookup| lookup.deadline)).min()
    }

    /// Answers what took long enough, with what is there.
    pub(super) fn expire(&mut self, now: Instant) {
        for lookup in self.open.extract_if(.., |lookup| lookup.deadline <= now) {
            lookup.answer();
        }
    }
}

impl Lookup {
    fn answer(self) {
        if self.records.is_empty() {
            let _ = self.done.send(Vec::new());
            return;
        }
        tokio::task::spawn_blocking(move || {
            let _ = self.done.send(directory::listings(self.id, self.records));
        });
    }
}

#[cfg(test)]
mod tests {
    use libp2p::{
        PeerId,
        kad::{self, store::MemoryStore},
    };

    use super::*;
    use crate::protocol::id::PeerKey;

    /// How often a relay without the record is asked, and for how long.
    fn asked(searching: bool) -> (u32, Duration) {
        let local = PeerId::random();
        let mut kad = kad::Behaviour::new(local, MemoryStore::new(local));
        let (mut lookups, start) = (Lookups::default(), Instant::now());
        let (done, mut answer) = oneshot::channel();
        lookups.start(HostId::of(&PeerKey([7; 32])), done, start);
        let (mut now, mut asked) = (start, 0);
        loop {
            let mut query = None;
            lookups.run(now, |place| *query.insert(kad.get_record(kad::RecordKey::new(&place))));
            asked += 1;
            lookups.finished(query.expect("it is due"), searching, false, now);
            if answer.try_recv().is_ok() {
                assert_eq!(lookups.next_due(now), None);
                return (asked, now - start);
            }
            now = lookups.next_due(now).expect("it is under way");
        }
    }

    #[test]
    fn relays_that_search_are_asked_again_with_growing_pauses() {
        assert_eq!(asked(true), (ROUNDS, PAUSE * (1 + 2 + 4 + 8)));
    }

    #[test]
    fn a_relay_that_comes_up_is_asked_although_another_one_does_not_answer() {
        let local = PeerId::random();
        let mut kad = kad::Behaviour::new(local, MemoryStore::new(local));
        let mut query = || kad.get_record(kad::RecordKey::new(&[7; 32]));
        let (mut lookups, now) = (Lookups::default(), Instant::now());
        let (done, mut answer) = oneshot::channel();
        lookups.start(HostId::of(&PeerKey([7; 32])), done, now);
        let (silent, both) = (query(), query());
        lookups.run(now, |_| silent);
        lookups.relay_up(now);
        lookups.run(now, |_| both);
        lookups.finished(both, false, false, now);
        assert!(answer.try_recv().is_err(), "the first one may still answer");
        lookups.finished(silent, false, false, now);
        assert_eq!(answer.try_recv(), Ok(Vec::new()));
    }

    #[test]
    fn a_relay_that_knows_no_others_is_asked_once() {
        assert_eq!(asked(false), (1, Duration::ZERO));
    }
}
