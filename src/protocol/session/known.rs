//! What a session knows of itself: questions that change nothing.

use std::time::Duration;

use super::{
    LinkEstimate, Session,
    path::{Path, PathId, PathKind},
};
use crate::protocol::stats::Spread;

impl Session {
    /// Whether the session has ended and has nothing left to transmit: the peer knows, or cannot be told.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.has_ended() && self.outbox.is_empty() && self.outputs.is_empty()
    }

    /// The path in use, if any, and its smoothed round trip, once measured.
    #[must_use]
    pub fn current_path(&self) -> Option<(PathId, PathKind, Option<Duration>)> {
        let id = self.current?;
        self.paths.get(&id).map(|path| (id, path.kind, path.rtt()))
    }

    /// What is known of the link of the path in use; the viewer knows what the host told it last.
    #[must_use]
    pub fn link(&self) -> LinkEstimate {
        self.current.and_then(|id| self.paths.get(&id)).map(Path::link).unwrap_or_default()
    }

    /// Host: how long pictures took to arrive whole on the path in use.
    #[must_use]
    pub fn wire(&self) -> Option<Spread> {
        self.current.and_then(|id| self.paths.get(&id)).and_then(|path| path.estimate.wire())
    }
}
