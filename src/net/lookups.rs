//! Directory look-ups: a query at every connected relay, patience for relays that are still being dialled, and the slow check of
//! what came back, away from the swarm.

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

/// Look-ups at a time, and records considered for one.
const MAX_LOOKUPS: usize = 32;
const MAX_RECORDS: usize = 16;

#[derive(Debug)]
struct Lookup {
    id: HostId,
    place: [u8; 32],
    done: oneshot::Sender<Vec<Listing>>,
    deadline: Instant,
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
        let lookup = Lookup { id, place: directory::place(id), done, deadline, query: None, records: Vec::new() };
        if self.open.len() < MAX_LOOKUPS {
            self.open.push(lookup);
        } else {
            lookup.answer();
        }
    }

    /// Runs those that wait: `query` asks the connected relays for a place.
    pub(super) fn run(&mut self, mut query: impl FnMut([u8; 32]) -> QueryId) {
        for lookup in self.open.iter_mut().filter(|lookup| lookup.query.is_none()) {
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

    /// A query is over. With nothing found and a relay still being dialled, the look-up waits for that one.
    pub(super) fn finished(&mut self, query: QueryId, hope: bool) {
        let Some(at) = self.open.iter().position(|lookup| lookup.query == Some(query)) else { return };
        if hope && self.open[at].records.is_empty() {
            self.open[at].query = None;
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

    /// When [`Self::expire`] has something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.open.iter().map(|lookup| lookup.deadline).min()
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
