//! Open lanes of a session that become paths: a path has one of each.

use std::collections::BTreeMap;

use crate::{
    app::driver::{OpenLane, OpenPath},
    net::Transport,
    protocol::session::{
        Lane, MAX_PATHS,
        path::{PathId, PathKind},
    },
};

/// A path with all lanes open.
pub(super) struct Opened {
    pub(super) path: PathId,
    pub(super) kind: PathKind,
    pub(super) transport: Transport,
    pub(super) lanes: OpenPath,
}

/// Lanes that wait for the others of their path.
#[derive(Default)]
pub(super) struct Gathering {
    waiting: BTreeMap<PathId, [Option<OpenLane>; Lane::ALL.len()]>,
}

impl Gathering {
    /// The path that this lane completes, if it does. The same lane again: the newer one counts.
    pub(super) fn add(&mut self, path: PathId, kind: PathKind, transport: Transport, lane: Lane, open: OpenLane) -> Option<Opened> {
        if self.waiting.len() >= MAX_PATHS && !self.waiting.contains_key(&path) {
            return None;
        }
        let gathered = self.waiting.entry(path).or_default();
        gathered[lane as usize] = Some(open);
        if gathered.iter().any(Option::is_none) {
            return None;
        }
        let lanes = self.waiting.remove(&path)?.map(|lane| lane.expect("all are there"));
        Some(Opened { path, kind, transport, lanes })
    }

    /// The path is gone.
    pub(super) fn forget(&mut self, path: PathId) {
        self.waiting.remove(&path);
    }
}
