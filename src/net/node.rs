//! The real node: a task that owns the libp2p `Swarm` and answers the seam of [`crate::net`].

use ed25519_dalek::SigningKey;
use libp2p::Multiaddr;
use tokio::sync::mpsc;

use super::{Event, Node};

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Reserves at relays, publishes itself, takes inbound streams.
    Host,
    /// Dials.
    Viewer,
}

/// How to start.
pub struct Config {
    /// Our identity.
    pub identity: SigningKey,
    /// Host or viewer.
    pub part: Part,
    /// Where to listen; empty: every interface, QUIC and TCP, free ports.
    pub listen: Vec<Multiaddr>,
    /// Whether to use mDNS.
    pub lan: bool,
}

/// Starts the task on the current tokio runtime.
///
/// # Errors
/// In one line: an address that cannot be listened on, and what to do.
pub async fn start(_config: Config) -> anyhow::Result<(Node, mpsc::Receiver<Event>)> {
    unimplemented!()
}
