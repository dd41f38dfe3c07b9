//! The directory: how a host's ID leads to its key and its relays.
//!
//! A host publishes a signed record at its relays, which keep it in a Kademlia store. Nobody in between is trusted: a record counts
//! only when its signature holds, it is not expired, and its key hashes to the ID it is stored under. Relays check that before they
//! store, clients after they ask. The newer sequence wins.
//!
//! On the wire: `key (32) ‖ signature (64) ‖ body`, the signature being over `"rs-directory-v1:" ‖ body`, and the body postcard of
//! [`Body`]. Stored under `SHA-256("rs-directory-v1" ‖ the 16 digits)`. Expiry and sequence are the host's; a clock that is wrong by
//! up to [`SKEW`] is forgiven.

use std::{
    collections::{HashMap, VecDeque},
    time::{SystemTime, UNIX_EPOCH},
};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Listing, address::end_of};
use crate::protocol::id::{HostId, PeerKey};

/// How long a record is valid after it was signed, in seconds.
pub(super) const LIFETIME: u64 = 600;

/// How far ahead of ours the clock of a host may be, in seconds.
pub(super) const SKEW: u64 = 300;

/// The longest record, in bytes.
pub(super) const MAX_RECORD: usize = 2048;

/// Relay addresses in a record.
const MAX_RELAYS: usize = 8;

/// The longest relay address, in bytes.
const MAX_ADDRESS: usize = 200;

const CONTEXT: &[u8] = b"rs-directory-v1:";
const HEAD: usize = 32 + 64;

/// The signed part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    sequence: u64,
    /// Unix seconds.
    expires: u64,
    /// Multiaddrs in binary, each with `/p2p/…`.
    relays: Vec<Vec<u8>>,
}

/// A record whose signature holds and that is not expired. Whether its key hashes to an ID is yet to be asked: that takes 20 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: PeerKey,
    pub(super) sequence: u64,
    pub(super) expires: u64,
    pub(super) relays: Vec<Multiaddr>,
}

/// Why a record does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("it is too long")]
    Oversized,
    #[error("it cannot be read")]
    Junk,
    #[error("its signature does not hold")]
    Forged,
    #[error("it is expired, or valid for too long")]
    Expired,
}

/// Where the record of a host is stored.
pub(super) fn place(id: HostId) -> [u8; 32] {
    Sha256::new().chain_update(b"rs-directory-v1").chain_update(id.digits()).finalize().into()
}

/// Signs a record at `now` (Unix seconds). Takes the first eight usable relays.
pub(super) fn sign(identity: &SigningKey, sequence: u64, now: u64, relays: &[Multiaddr]) -> Vec<u8> {
    let usable =
        relays.iter().filter(|relay| end_of(relay).is_some()).map(Multiaddr::to_vec).filter(|bytes| bytes.len() <= MAX_ADDRESS);
    let body = Body { sequence, expires: now.saturating_add(LIFETIME), relays: usable.take(MAX_RELAYS).collect() };
    let body = postcard::to_allocvec(&body).expect("numbers and bytes always serialise");
    let signature = identity.sign(&[CONTEXT, &body].concat());
    [identity.verifying_key().as_bytes().as_slice(), &signature.to_bytes(), &body].concat()
}

/// Opens a record at `now` (Unix seconds).
pub(super) fn open(bytes: &[u8], now: u64) -> Result<Record, Invalid> {
    if bytes.len() > MAX_RECORD {
        return Err(Invalid::Oversized);
    }
    let (head, body) = bytes.split_at_checked(HEAD).ok_or(Invalid::Junk)?;
    let (key, signature) = head.split_at(32);
    let key: [u8; 32] = key.try_into().map_err(|_| Invalid::Junk)?;
    let verifying = VerifyingKey::from_bytes(&key).map_err(|_| Invalid::Forged)?;
    let signature = Signature::from_slice(signature).map_err(|_| Invalid::Forged)?;
    verifying.verify_strict(&[CONTEXT, body].concat(), &signature).map_err(|_| Invalid::Forged)?;

    let body: Body = postcard::from_bytes(body).map_err(|_| Invalid::Junk)?;
    if body.expires <= now || body.expires > now.saturating_add(LIFETIME + SKEW) {
        return Err(Invalid::Expired);
    }
    if body.relays.len() > MAX_RELAYS || body.relays.iter().any(|relay| relay.len() > MAX_ADDRESS) {
        return Err(Invalid::Oversized);
    }
    let relays = body.relays.into_iter().map(relay).collect::<Result<_, _>>()?;
    Ok(Record { key: PeerKey(key), sequence: body.sequence, expires: body.expires, relays })
}

/// The sequence of a record that was opened before.
pub(super) fn sequence(bytes: &[u8]) -> Option<u64> {
    postcard::take_from_bytes(bytes.get(HEAD..)?).ok().map(|(sequence, _)| sequence)
}

fn relay(bytes: Vec<u8>) -> Result<Multiaddr, Invalid> {
    let address = Multiaddr::try_from(bytes).map_err(|_| Invalid::Junk)?;
    if end_of(&address).is_some() { Ok(address) } else { Err(Invalid::Junk) }
}

/// The listings of `id` among these records, newest first, one per key. Takes 20 ms per record: not for an async task.
pub(super) fn listings(id: HostId, mut records: Vec<Record>) -> Vec<Listing> {
    records.sort_by(|a, b| b.sequence.cmp(&a.sequence).then(b.expires.cmp(&a.expires)));
    let mut listings: Vec<Listing> = Vec::new();
    for record in records {
        let seen = listings.iter().any(|listing| listing.key == record.key);
        if !seen && HostId::of(&record.key) == id {
            listings.push(Listing { key: record.key, relays: record.relays });
        }
    }
    listings
}

/// The places of keys seen before, so that a relay does the slow hash once per host. Bounded: the oldest goes.
pub(super) struct Places {
    known: HashMap<PeerKey, [u8; 32]>,
    order: VecDeque<PeerKey>,
    capacity: usize,
}

impl Places {
    pub(super) fn new(capacity: usize) -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), capacity }
    }

    pub(super) fn get(&self, key: &PeerKey) -> Option<[u8; 32]> {
        self.known.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: PeerKey, place: [u8; 32]) {
        if self.known.insert(key, place).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.capacity {
            let oldest = self.order.pop_front();
            oldest.and_then(|oldest| self.known.remove(&oldest));
        }
    }
}

/// Now, for expiries.
pub(super) fn unix_seconds() -> u64 {
    unix_millis() / 1000
}

/// Now, for sequences.
pub(super) fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::address::with_key;

    const NOW: u64 = 1_800_000_000;

    fn identity(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn key(seed: u8) -> PeerKey {
        PeerKey(identity(seed).verifying_key().to_bytes())
    }

    fn relay_at(port: u16) -> Multiaddr {
        with_key(&format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap(), key(9))
    }

    #[test]
    fn a_signed_record_opens_to_what_was_signed() {
        let record = open(&sign(&identity(1), 7, NOW, &[relay_at(1), relay_at(2)]), NOW).unwrap();
        assert_eq!(sequence(&sign(&identity(1), 7, NOW, &[relay_at(1)])), Some(7));
        assert_eq!(record, Record { key: key(1), sequence: 7, expires: NOW + LIFETIME, relays: vec![relay_at(1), relay_at(2)] });
    }

    #[test]
    fn a_record_signed_by_somebody_else_is_forged() {
        let mut bytes = sign(&identity(1), 7, NOW, &[relay_at(1)]);
        bytes[..32].copy_from_slice(&key(2).0);
        assert_eq!(open(&bytes, NOW), Err(Invalid::Forged));
    }

    #[test]
    fn an_expired_record_and_one_from_a_far_future_do_not_count() {
        let bytes = sign(&identity(1), 7, NOW, &[relay_at(1)]);
        assert_eq!(open(&bytes, NOW + LIFETIME), Err(Invalid::Expired));
        assert_eq!(open(&bytes, NOW - SKEW - 1), Err(Invalid::Expired));
        assert!(open(&bytes, NOW - SKEW).is_ok());
    }

    #[test]
    fn oversized_records_do_not_count_and_are_never_made() {
        assert_eq!(open(&[0; MAX_RECORD + 1], NOW), Err(Invalid::Oversized));
        let many: Vec<_> = (1..100).map(relay_at).collect();
        assert_eq!(open(&sign(&identity(1), 7, NOW, &many), NOW).unwrap().relays.len(), MAX_RELAYS);
    }

    #[test]
    fn listings_are_the_ones_of_the_id_newest_first() {
        let old = open(&sign(&identity(1), 7, NOW, &[relay_at(1)]), NOW).unwrap();
        let new = open(&sign(&identity(1), 8, NOW, &[relay_at(2)]), NOW).unwrap();
        let other = open(&sign(&identity(2), 9, NOW, &[relay_at(3)]), NOW).unwrap();
        let found = listings(HostId::of(&key(1)), vec![old, other, new]);
        assert_eq!(found, [Listing { key: key(1), relays: vec![relay_at(2)] }]);
    }

    #[test]
    fn remembered_places_are_bounded() {
        let mut places = Places::new(2);
        for seed in 1..=3 {
            places.insert(key(seed), [seed; 32]);
        }
        assert_eq!((places.get(&key(1)), places.get(&key(3))), (None, Some([3; 32])));
    }

    proptest! {
        #[test]
        fn junk_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open(&bytes, NOW).is_err());
        }

        #[test]
        fn one_flipped_bit_is_noticed(at in 0usize..150, bit in 0u8..8) {
            let mut bytes = sign(&identity(1), 7, NOW, &[relay_at(1)]);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(open(&bytes, NOW).is_err());
        }
    }
}
