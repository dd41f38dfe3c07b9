//! The ways of a running session: lanes opened on paths that come up, better paths looked for, and redialling when the network goes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use libp2p::Multiaddr;
use tokio_util::task::AbortOnDropHandle;

use super::Session;
use crate::{
    app::{
        Failure,
        driver::OpenPath,
        viewer::{
            connect::{NoLanes, open_lanes},
            upgrade::Todo,
        },
    },
    cli::ExitCode,
    net::{Node, Purpose, address},
    protocol::{
        id::PeerKey,
        message::EndReason,
        session::{
            MAX_PATHS,
            path::{PathId, PathKind},
        },
    },
};

/// A path whose lanes are open, or why they are not.
pub(super) type Opened = (PathId, Result<OpenPath, NoLanes>);

/// Between two attempts to reach the host again: growing by a quarter from the first to the last. A relay takes one a second for ever.
const FIRST_REDIAL: Duration = Duration::from_millis(200);
const LAST_REDIAL: Duration = Duration::from_secs(1);
/// How long a path that came up may take to be used, before the host is dialled once more.
const LANES: Duration = Duration::from_secs(5);
/// So many refusals in a row, in five seconds at least, and the host does not know the session any more.
const REFUSALS: u32 = 3;
/// How long somebody who leaves at once waits for the lanes to say so.
const LAST_LANES: Duration = Duration::from_secs(2);

impl Session {
    /// Whoever leaves at once says so too, or the host would wait for them to come back: the first lanes may be on their way.
    pub(super) async fn await_first_path(&mut self) {
        let first = async {
            while !self.driver.is_attached()
                && let Some(opened) = self.opening.join_next().await
            {
                self.opened(opened.ok()).await;
            }
        };
        let _ = tokio::time::timeout(LAST_LANES, first).await;
    }

    pub(super) fn path_up(&mut self, path: PathId, kind: PathKind) {
        if self.stalled || !self.upgrade.is_probe(path, kind) {
            self.open(path);
        }
    }

    /// We are in another network: what was dialled from the old one is not waited for.
    pub(super) fn moved(&mut self) {
        self.upgrade.moved(Instant::now());
        if let Some(redial) = self.redial.take() {
            redial.abort();
            self.redial();
        }
    }

    pub(super) async fn seek_direct_path(&mut self) {
        while let Some(todo) = self.upgrade.due(Instant::now()) {
            match todo {
                Todo::Close(path) => self.network.node.close(path).await,
                Todo::ProbePorts => self.probe_ports(),
                Todo::Dial(number) => {
                    let mut circuits: Vec<_> = self.network.ways.iter().filter(|way| address::is_circuit(way)).cloned().collect();
                    if circuits.is_empty() {
                        continue;
                    }
                    let circuit = circuits.swap_remove(number % circuits.len());
                    let (node, key) = (self.network.node.clone(), self.auth.peer);
                    // What comes of it is told as a path.
                    tokio::spawn(async move { node.dial(Some(key), vec![circuit]).await });
                }
            }
        }
    }

    /// What comes of it is told as a path.
    fn probe_ports(&mut self) {
        let Some((path, ..)) = self.driver.current_path() else { return };
        let (node, key) = (self.network.node.clone(), self.auth.peer);
        self.port_probe = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let probed = match node.open(path, Purpose::Probe).await {
                Ok(stream) => node.probe(key, stream).await,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = probed {
                tracing::debug!(reason, "no direct path by probing ports");
            }
        })));
    }

    /// Opens the lanes of a path in the background.
    pub(super) fn open(&mut self, path: PathId) {
        // A host that lets paths come up but no lanes must not make us gather them.
        if self.opening.len() >= MAX_PATHS {
            return;
        }
        let (node, auth) = (self.network.node.clone(), Arc::clone(&self.auth));
        self.opening.spawn(async move {
            node.keep(path, true).await;
            (path, open_lanes(node, path, &auth).await)
        });
    }

    pub(super) async fn opened(&mut self, opened: Option<Opened>) {
        let Some((path, lanes)) = opened else { return };
        match (lanes, self.network.paths.get(&path)) {
            (Ok(lanes), Some(known)) => {
                self.refusals = 0;
                self.driver.attach(path, known.kind, known.transport.carrier(), lanes);
            }
            (Ok(_), None) => {}
            (Err(reason), _) => {
                tracing::info!(?path, %reason, "a path could not be used");
                self.refusals += u32::from(matches!(reason, NoLanes::Refused));
                self.network.node.close(path).await;
            }
        }
        if !self.driver.is_attached() && self.refusals >= REFUSALS {
            return self.forgotten();
        }
        // The first lanes failed: look for another way as after any loss.
        if !self.driver.is_attached() && self.opening.is_empty() {
            self.redial();
        }
    }

    /// The host is there, but not this session: it was ended or restarted meanwhile. No waiting brings it back.
    fn forgotten(&mut self) {
        let text = "the host no longer knows this session: it was ended there, or rs host was started anew; connect again";
        self.failure.get_or_insert_with(|| Failure::new(ExitCode::Lost, text));
        self.driver.end(EndReason::Lost);
    }

    /// Dials every known way again and again until the session resumes or ends. Circuits apart from addresses: a circuit is refused
    /// at once until the host is back at its relay, an address that nobody answers any longer takes its time.
    pub(super) fn redial(&mut self) {
        if self.redial.is_some() {
            return;
        }
        let (node, key) = (self.network.node.clone(), self.auth.peer);
        let (circuits, addresses) = self.network.ways.iter().cloned().partition(address::is_circuit);
        let task = tokio::spawn(async move {
            tokio::join!(again_and_again(&node, key, circuits), again_and_again(&node, key, addresses));
        });
        self.redial = Some(task.abort_handle());
    }
}

async fn again_and_again(node: &Node, key: PeerKey, ways: Vec<Multiaddr>) {
    let mut pause = FIRST_REDIAL;
    while !ways.is_empty() {
        // A success is told as a path that came up; its lanes take a moment.
        let dialled = node.dial(Some(key), ways.clone()).await;
        tokio::time::sleep(if dialled.is_ok() { LANES } else { pause }).await;
        pause = (pause * 5 / 4).min(LAST_REDIAL);
    }
}
