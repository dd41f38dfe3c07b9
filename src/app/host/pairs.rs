//! Open lanes of a session that become paths: a path has two.

use std::collections::BTreeMap;

use crate::{
    app::driver::OpenLane,
    net::Transport,
    protocol::session::{
        Lane, MAX_PATHS,
        path::{PathId, PathKind},
    },
};

/// A path with both lanes open.
pub(super) struct Pair {
    pub(super) path: PathId,
    pub(super) kind: PathKind,
    pub(super) transport: Transport,
    pub(super) control: OpenLane,
    pub(super) video: OpenLane,
}

/// Lanes that wait for their partner; a path has two.
#[derive(Default)]
pub(super) struct Pairs {
    waiting: BTreeMap<PathId, (Lane, OpenLane)>,
}

impl Pairs {
    /// The pair that this lane completes, if it does.
    pub(super) fn add(&mut self, path: PathId, kind: PathKind, transport: Transport, lane: Lane, open: OpenLane) -> Option<Pair> {
        let (control, video) = match (self.waiting.remove(&path), lane) {
            (Some((Lane::Video, video)), Lane::Control) => (open, video),
            (Some((Lane::Control, control)), Lane::Video) => (control, open),
            // The first of the two, or the same one again: the newer one counts.
            (_, lane) => {
                if self.waiting.len() < MAX_PATHS {
                    self.waiting.insert(path, (lane, open));
                }
                return None;
            }
        };
        Some(Pair { path, kind, transport, control, video })
    }

    /// The path is gone.
    pub(super) fn forget(&mut self, path: PathId) {
        self.waiting.remove(&path);
    }
}
