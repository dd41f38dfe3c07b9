//! Paths: the connections that a session can use.

use serde::Serialize;

/// One connection to the peer, for as long as it lives. Never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u64);

/// How near a path is, worst first: the order is the tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// Through a relay.
    Relayed,
    /// Straight to the peer, over the internet.
    Direct,
    /// Straight to the peer, at a loopback, private or link-local address.
    Lan,
}
