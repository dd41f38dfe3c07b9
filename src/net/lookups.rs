//! Directory look-ups: a query at every connected relay, patience for relays that are still being dialled or that search among their
//! fellows, and the slow check of what came back, away from the swarm.
//!
//! A relay that does not know a host answers so at once and searches: whoever asks again a moment later gets what it found. So a
//! look-up asks [`ROUNDS`] times before it says that nobody knows.

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

/// How often relays are asked, and the first pause between two rounds; each pause is twice the one before.
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
    ask_at: Instant,
    rounds: u32,
    query: Option<QueryId>,
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
        let lookup = Lookup { id, place, done, deadline, ask_at: now, rounds: 0, query: None, records: Vec::new() };
        if self.open.len() < MAX_LOOKUPS {
            self.open.push(lookup);
        } else {
            lookup.answer();
        }
    }

    /// Runs those whose time has come: `query` asks the connected relays for a place.
    pub(super) fn run(&mut self, now: Instant, mut query: impl FnMut([u8; 32]) -> QueryId) {
        for lookup in self.open.iter_mut().filter(|lookup| lookup.query.is_none() && lookup.ask_at <= now) {
            lookup.query = Some(query(lookup.place));
        }
    }

    /// A relay answered with a record that holds so far.
    pub(super) fn found(&mut self, query: QueryId, record: Record, now: Instant) {
        if let Some(lookup) = self.open.iter_mut().find(|lookup| lookup.query == Some(query)) {
            lookup.deadline = lookup.deadline.min(now + GRACE);
            if lookup.records.len() < MAX_RECORDS && !lookup.records.contains(&record) {
                lookup.records.push(record);
            }
        }
    }

    /// A query is over. With nothing found the relays are asked once more, or one that is still being dialled.
    pub(super) fn finished(&mut self, query: QueryId, hope: bool, now: Instant) {
        let Some(at) = self.open.iter().position(|lookup| lookup.query == Some(query)) else { return };
        let lookup = &mut self.open[at];
        lookup.rounds += 1;
        if lookup.records.is_empty() && (hope || lookup.rounds < ROUNDS) {
            lookup.query = None;
            lookup.ask_at = now + PAUSE * 2_u32.pow(lookup.rounds.min(ROUNDS) - 1);
        } else {
            self.open.swap_remove(at).answer();
        }
    }

    /// No relay is left to ask: answers those that wait for one.
    pub(super) fn give_up(&mut self) {
        for lookup in self.open.extract_if(.., |lookup| lookup.query.is_none()) {
            lookup.answer();
        }
    }

    /// When [`Self::run`] or [`Self::expire`] has something next. What is due already waits for a relay.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let asks = self.open.iter().filter(|lookup| lookup.query.is_none() && lookup.ask_at > now).map(|lookup| lookup.ask_at);
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

    #[test]
    fn relays_are_asked_again_with_growing_pauses_before_nobody_knows() {
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
            lookups.finished(query.expect("it is due"), false, now);
            if answer.try_recv().is_ok() {
                break;
            }
            now = lookups.next_due(now).expect("it is under way");
        }
        assert_eq!((asked, now - start), (ROUNDS, PAUSE * (1 + 2 + 4 + 8)));
        assert_eq!(lookups.next_due(now), None);
    }
}
