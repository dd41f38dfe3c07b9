//! Addresses and keys.

use libp2p::{Multiaddr, PeerId, identity, multiaddr::Protocol};

use crate::protocol::id::PeerKey;

/// The libp2p peer ID of a key.
#[must_use]
pub fn peer_id(key: PeerKey) -> Option<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(&key.0).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// The Ed25519 key inside a peer ID; others have none.
#[must_use]
pub fn peer_key(peer: &PeerId) -> Option<PeerKey> {
    let key = identity::PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    Some(PeerKey(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The address with `/p2p/KEY` at its end.
#[must_use]
pub fn with_key(address: &Multiaddr, key: PeerKey) -> Multiaddr {
    match peer_id(key) {
        Some(peer) => split(address).1.with(Protocol::P2p(peer)),
        None => address.clone(),
    }
}

/// The address without `/p2p/…` at its end, and the key it named.
#[must_use]
pub fn split(address: &Multiaddr) -> (Option<PeerKey>, Multiaddr) {
    let mut bare = address.clone();
    match bare.pop() {
        Some(Protocol::P2p(peer)) => (peer_key(&peer), bare),
        _ => (None, address.clone()),
    }
}

/// The way to `host` through the relay at `relay` (which ends in `/p2p/…`).
#[must_use]
pub fn circuit(relay: &Multiaddr, host: PeerKey) -> Multiaddr {
    let circuit = relay.clone().with(Protocol::P2pCircuit);
    match peer_id(host) {
        Some(peer) => circuit.with(Protocol::P2p(peer)),
        None => circuit,
    }
}
