//! Looking further on behalf of a client: which questions are worth a walk through the directory.
//!
//! A client asks again while nothing is found, so a question that is turned away now comes back. Other relays are never searched for:
//! they walk by themselves, and a question must not run in circles. Bounded: [`AT_A_TIME`] walks, [`PER_PEER`] for one client, and none
//! for a place that was searched in vain within [`PAUSE`].
//!
//! Sans-IO: the caller brings the time and runs the queries.

use std::{collections::VecDeque, time::Duration};

use libp2p::{
    PeerId,
    kad::{QueryId, RecordKey},
};
use tokio::time::Instant;

/// Walks at a time.
const AT_A_TIME: usize = 64;
/// Of these for one client.
const PER_PEER: usize = 4;
/// How long a walk in vain is remembered, and how many of them.
const PAUSE: Duration = Duration::from_secs(5);
const REMEMBERED: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Searches {
    open: Vec<Search>,
    over: VecDeque<(RecordKey, Instant)>,
}

#[derive(Debug)]
struct Search {
    query: QueryId,
    asker: PeerId,
    key: RecordKey,
}

impl Searches {
    /// Whether to search for this key now. If so, call [`Self::started`].
    pub(super) fn is_wanted(&mut self, asker: PeerId, key: &RecordKey, now: Instant) -> bool {
        while self.over.front().is_some_and(|(_, at)| *at + PAUSE <= now) {
            self.over.pop_front();
        }
        self.open.len() < AT_A_TIME
            && self.open.iter().filter(|search| search.asker == asker).count() < PER_PEER
            && !self.open.iter().any(|search| search.key == *key)
            && !self.over.iter().any(|(over, _)| over == key)
    }

    /// The walk has begun.
    pub(super) fn started(&mut self, query: QueryId, asker: PeerId, key: RecordKey) {
        self.open.push(Search { query, asker, key });
    }

    /// Whether this query is one of ours.
    pub(super) fn has(&self, query: QueryId) -> bool {
        self.open.iter().any(|search| search.query == query)
    }

    /// A walk has ended.
    pub(super) fn ended(&mut self, query: QueryId, now: Instant) {
        let Some(at) = self.open.iter().position(|search| search.query == query) else { return };
        let search = self.open.swap_remove(at);
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back((search.key, now));
    }
}

#[cfg(test)]
mod tests {
    use libp2p::kad::{self, store::MemoryStore};

    use super::*;

    /// Query IDs come only from Kademlia itself.
    struct Queries(kad::Behaviour<MemoryStore>);

    impl Queries {
        fn new() -> Self {
            let local = PeerId::random();
            Self(kad::Behaviour::new(local, MemoryStore::new(local)))
        }

        fn next(&mut self) -> QueryId {
            self.0.get_record(key(0))
        }
    }

    fn key(number: usize) -> RecordKey {
        RecordKey::new(&number.to_be_bytes())
    }

    #[test]
    fn the_same_question_is_searched_once_and_in_vain_only_after_a_pause() {
        let (mut searches, mut queries, now, asker) = (Searches::default(), Queries::new(), Instant::now(), PeerId::random());
        assert!(searches.is_wanted(asker, &key(1), now));
        let query = queries.next();
        searches.started(query, asker, key(1));
        assert!(searches.has(query) && !searches.is_wanted(PeerId::random(), &key(1), now));
        searches.ended(query, now);
        assert!(!searches.has(query) && !searches.is_wanted(asker, &key(1), now));
        assert!(searches.is_wanted(asker, &key(1), now + PAUSE));
    }

    #[test]
    fn one_client_leaves_room_for_others_and_all_together_are_bounded() {
        let (mut searches, mut queries, now, greedy) = (Searches::default(), Queries::new(), Instant::now(), PeerId::random());
        let mut ask = |asker, number| {
            let wanted = searches.is_wanted(asker, &key(number), now);
            if wanted {
                searches.started(queries.next(), asker, key(number));
            }
            wanted
        };
        assert_eq!((0..100).filter(|number| ask(greedy, *number)).count(), PER_PEER);
        assert_eq!((100..1000).filter(|number| ask(PeerId::random(), *number)).count(), AT_A_TIME - PER_PEER);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut searches, mut queries, now) = (Searches::default(), Queries::new(), Instant::now());
        for number in 0..2 * REMEMBERED {
            let query = queries.next();
            searches.started(query, PeerId::random(), key(number));
            searches.ended(query, now);
        }
        assert_eq!(searches.over.len(), REMEMBERED);
    }
}
