//! The directory's records: which are taken, and to whom they are passed on.
//!
//! Every record is checked before it is stored, whoever brings it. A host brings only its own record. Other relays (those we joined,
//! and those that joined us) bring any; a new record is passed on to all of them, and the rule that only a newer one counts ends the
//! round.

use std::{collections::HashSet, sync::Arc, time::Duration};

use libp2p::{
    PeerId, identify,
    kad::{self, store::RecordStore},
    relay,
};
use tokio::task::JoinSet;

use super::{
    limits::{CHECKS, FELLOWS},
    metrics::{Metrics, Refusal},
    swarm::Directory,
};
use crate::{
    net::{
        address,
        behaviour::KAD,
        directory::{self, Places},
    },
    protocol::id::{HostId, PeerKey},
};

/// What is known about records and their bringers; the records themselves are in the [`Directory`].
pub(super) struct Records {
    /// All relays that speak the directory's protocol with us.
    fellows: HashSet<PeerId>,
    places: Places,
    checks: JoinSet<Checked>,
    metrics: Arc<Metrics>,
}

/// A record that the slow check is for.
pub(super) struct Checked {
    source: PeerId,
    record: kad::Record,
    key: PeerKey,
    place: [u8; 32],
}

impl Records {
    pub(super) fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        Self { fellows: HashSet::new(), places: Places::new(most), checks: JoinSet::new(), metrics }
    }

    /// A peer says what it is.
    pub(super) fn on_identified(&mut self, peer: PeerId, info: &identify::Info) {
        if is_fellow(info) && self.fellows.len() < FELLOWS {
            self.fellows.insert(peer);
        }
    }

    /// A peer is gone.
    pub(super) fn on_gone(&mut self, peer: &PeerId) {
        self.fellows.remove(peer);
    }

    /// A peer brings a record: the quick checks; then the slow one, unless this key was seen before.
    pub(super) fn on_brought(&mut self, source: PeerId, record: kad::Record, kad: &mut Directory) {
        let Ok(opened) = directory::open(&record.value, directory::unix_seconds()) else {
            return self.refuse(Refusal::Invalid);
        };
        let own = address::key_of(&source) == Some(opened.key);
        if !own && !self.fellows.contains(&source) {
            return self.refuse(Refusal::Foreign);
        }
        let key = opened.key;
        match self.places.get(&key) {
            Some(place) => self.on_checked(Checked { source, record, key, place }, kad),
            None if self.checks.len() < CHECKS => {
                self.checks.spawn_blocking(move || Checked { source, record, key, place: directory::place(HostId::of(&key)) });
            }
            // This one comes again.
            None => self.refuse(Refusal::Busy),
        }
    }

    /// The next record whose slow check is done; `None` when none is under way.
    pub(super) async fn checked(&mut self) -> Option<Checked> {
        loop {
            if let Ok(checked) = self.checks.join_next().await? {
                return Some(checked);
            }
        }
    }

    /// Stores a record that stands, and passes it on.
    pub(super) fn on_checked(&mut self, Checked { source, record, key, place }: Checked, kad: &mut Directory) {
        self.places.insert(key, place);
        let now = directory::unix_seconds();
        let Ok(opened) = directory::open(&record.value, now) else { return self.refuse(Refusal::Invalid) };
        if record.key.as_ref() != place {
            return self.refuse(Refusal::Invalid);
        }
        if !is_news(kad, &record.key, opened.sequence, now) {
            return self.refuse(Refusal::Old);
        }
        let expires = Some(std::time::Instant::now() + Duration::from_secs(opened.expires.saturating_sub(now)));
        let record = kad::Record { publisher: None, expires, ..record };
        let new = kad.store_mut().get(&record.key).is_none();
        if let Err(error) = kad.store_mut().put(record.clone()) {
            tracing::warn!(%error, "the directory is full");
            return self.refuse(Refusal::Full);
        }
        if new {
            self.metrics.records.inc();
        }
        for fellow in self.fellows.iter().filter(|fellow| **fellow != source) {
            kad.put_record_to(record.clone(), std::iter::once(*fellow), kad::Quorum::One);
        }
    }

    /// Takes expired records out.
    pub(super) fn sweep(&self, kad: &mut Directory) {
        let now = std::time::Instant::now();
        let mut left = 0;
        kad.store_mut().retain(|_, record| {
            let stays = !record.is_expired(now);
            left += i64::from(stays);
            stays
        });
        self.metrics.records.set(left);
    }

    fn refuse(&self, why: Refusal) {
        tracing::debug!(why = why.name(), "a record is refused");
        self.metrics.refused(why);
    }
}

fn is_news(kad: &mut Directory, key: &kad::RecordKey, sequence: u64, now: u64) -> bool {
    let stored = kad.store_mut().get(key).map(|record| directory::open(&record.value, now));
    !matches!(stored, Some(Ok(stored)) if stored.sequence >= sequence)
}

/// Whether this is a relay of our kind.
fn is_fellow(info: &identify::Info) -> bool {
    info.protocols.contains(&KAD) && info.protocols.contains(&relay::HOP_PROTOCOL_NAME)
}
