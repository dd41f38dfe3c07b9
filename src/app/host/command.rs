//! What the host and its faces tell a running session.

use std::{path::PathBuf, time::Duration};

use crate::{
    app::driver::OpenLane,
    net::Transport,
    protocol::{
        message::EndReason,
        permission::Permission,
        session::{
            Lane,
            path::{PathId, PathKind},
        },
    },
};

/// What the host tells a session.
pub(super) enum Command {
    /// A lane was opened on a path.
    Lane { path: PathId, kind: PathKind, transport: Transport, lane: Lane, open: OpenLane },
    /// The path's connection is gone.
    PathDown(PathId),
    /// The user says something.
    Chat(String),
    /// The user sends files.
    Send(Vec<PathBuf>),
    /// The user gives up a file.
    Cancel(u32),
    /// The user wants to see the figures.
    Stats,
    /// The user gives permissions, for good or for a while; what was granted already gives control back.
    Allow(Vec<Permission>, Option<Duration>),
    /// The user lets the viewer drive (again).
    GiveControl,
    /// The user drives.
    TakeControl,
    /// The user takes permissions away.
    Revoke(Vec<Permission>),
    /// Nothing is allowed for now; or what was, is again.
    Pause(bool),
    /// The session is over.
    End(EndReason),
}
