//! Lanes on their way to their session: few, timed, and only from the peers of running sessions.
//!
//! A stranger's stream is refused before a byte of it is read, so nobody but a session's own peer can take up places here or
//! come with first packets that they recorded.

use std::{sync::Arc, time::Duration};

use rand::rngs::OsRng;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    app::{driver::OpenLane, packets},
    net::Stream,
    protocol::{
        auth::{self, Authenticated, SessionId},
        lane,
        session::{Lane, path::PathId},
    },
};

/// How long the peer may take to open a lane it began.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most lanes on their way at a time: both of some paths for each of some sessions.
const AT_ONCE: usize = 32;

/// A lane for a session.
pub(super) struct Opened {
    pub(super) path: PathId,
    pub(super) session: SessionId,
    pub(super) lane: Lane,
    pub(super) open: OpenLane,
}

/// Lanes on their way.
#[derive(Default)]
pub(super) struct Lanes {
    opening: JoinSet<Option<Opened>>,
}

impl Lanes {
    /// Begins to open a lane of one of these sessions: those of the stream's peer.
    pub(super) fn open(&mut self, path: PathId, stream: Stream, sessions: Vec<Arc<Authenticated>>) {
        if sessions.is_empty() || self.opening.len() >= AT_ONCE {
            tracing::debug!(?path, "a lane of no session, or one too many");
            return;
        }
        self.opening.spawn(async move { timeout(PATIENCE, open(path, stream, sessions)).await.ok().flatten() });
    }

    /// The next lane that is open; `None` when none is on its way. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Opened> {
        while let Some(opened) = self.opening.join_next().await {
            if let Ok(Some(opened)) = opened {
                return Some(opened);
            }
        }
        None
    }
}

/// The host's side of opening a lane.
async fn open(path: PathId, mut stream: Stream, sessions: Vec<Arc<Authenticated>>) -> Option<Opened> {
    let packet = packets::read(&mut stream, auth::MAX_MESSAGE).await.ok()??;
    let (session, which) = lane::addressed(&packet).ok()?;
    let auth = sessions.into_iter().find(|auth| auth.session == session)?;
    let (answer, sealer, opener) = lane::accept(&auth, &packet, &mut OsRng).ok()?;
    drop(auth);
    packets::write(&mut stream, &answer).await.ok()?;
    Some(Opened { path, session, lane: which, open: OpenLane { stream, sealer, opener } })
}
