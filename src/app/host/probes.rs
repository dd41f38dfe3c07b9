//! Port probing at the host's side: only the viewer of a running session may ask for it, rarely, and one at a time.
//!
//! A probe makes this machine send some 1500 packets to an address that the viewer names (see [`Node::probe`]). So a stranger's wish is
//! dropped unread, and the next one is heard [`PAUSE`] after the last, whoever asks.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    net::{Node, Stream},
    protocol::id::PeerKey,
};

/// From one probe to the next.
const PAUSE: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Probes {
    node: Node,
    allowed: bool,
    last: Option<Instant>,
    running: Option<AbortOnDropHandle<()>>,
}

impl Probes {
    /// None are answered unless they are allowed.
    pub(super) fn new(node: Node, allowed: bool) -> Self {
        Self { node, allowed, last: None, running: None }
    }

    /// A viewer asks for one: `in_session`, if it has a session here that is relayed.
    pub(super) fn answer(&mut self, key: PeerKey, stream: Stream, in_session: bool) {
        if !self.allowed || !in_session || self.last.is_some_and(|last| last.elapsed() < PAUSE) {
            tracing::debug!(in_session, "a port probe that is not answered");
            return;
        }
        self.last = Some(Instant::now());
        let node = self.node.clone();
        self.running = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(reason) = node.probe(key, stream).await {
                tracing::debug!(reason, "no direct path by probing ports");
            }
        })));
    }
}
