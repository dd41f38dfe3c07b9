//! Those who asked a host to come in and did not: a record for each.
//!
//! Anybody can knock, so this is bounded: [`BURST`] records at once and one more each [`REFILL`]. Of the others the next record says how
//! many they were. Else a stranger could fill the log until the sessions in it have to go.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::record::{Record, Refusal, ViewerName, What, now};
use crate::{
    store::Store,
    ui::event::{Side, Viewer},
};

/// Records at once.
const BURST: u32 = 20;
/// How soon there may be one more.
const REFILL: Duration = Duration::from_secs(180);

/// See the module.
pub(in crate::app) struct Refusals {
    store: Store,
    budget: Mutex<Budget>,
}

impl Refusals {
    /// In this state folder's log.
    pub(in crate::app) fn new(store: Store) -> Self {
        Self { store, budget: Mutex::new(Budget::new(Instant::now())) }
    }

    /// Records that somebody did not come in, under this name. Nothing waits for the disk.
    pub(in crate::app) fn note(&self, name: String, viewer: &Viewer, why: Refusal) {
        let budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        let Some(left_out) = budget else { return };
        let viewer = ViewerName { name: viewer.name.clone(), key: viewer.key.clone() };
        let record = Record { session: name, side: Side::Host, at: now(), what: What::Refused { viewer, why, left_out } };
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = store.journal().and_then(|journal| journal.append(&[record])) {
                tracing::warn!(%error, "that somebody did not come in is not in the log");
            }
        });
    }
}

/// How many records there may be.
struct Budget {
    /// Records that may be written at once.
    left: u32,
    /// Since when one more is on its way.
    since: Instant,
    left_out: u64,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { left: BURST, since: now, left_out: 0 }
    }

    /// For one more record: how many were left out before it; `None`: this one is, too.
    fn take(&mut self, now: Instant) -> Option<u64> {
        while self.left < BURST && now.saturating_duration_since(self.since) >= REFILL {
            (self.left, self.since) = (self.left + 1, self.since + REFILL);
        }
        if self.left == 0 {
            self.left_out += 1;
            return None;
        }
        if self.left == BURST {
            self.since = now;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_few_records_and_its_number() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let told = |budget: &mut Budget, at, count: u32| (0..count).filter(|_| budget.take(at).is_some()).count();
        assert_eq!(told(&mut budget, start + REFILL * 9, 1000), 20);
        assert_eq!(budget.take(start + REFILL * 10), Some(980));
        assert_eq!(budget.take(start + REFILL * 11 - Duration::from_millis(1)), None);
        assert_eq!(budget.take(start + REFILL * 11), Some(1));
        assert_eq!(told(&mut budget, start + REFILL * 1000, 1000), 20, "no more, however long nobody came");
    }
}
