//! Turns what faces are told into records, on a thread of its own: a slow or full disk holds up no session. It is told once, as a warning,
//! and what could not be written is tried again with the next record.
//!
//! Nothing waits for the disk but the end of the session, for two seconds at most: its page is there when its user is told where.

use std::{
    path::PathBuf,
    sync::mpsc::{self, Receiver, Sender, SyncSender},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    page,
    record::{HostName, Record, ViewerName, Volume, What, now},
};
use crate::{
    protocol::{
        auth::SessionId,
        message::{EndReason, Holder},
        permission::Permissions,
    },
    store::Store,
    ui::event::{HostEvent, PathInfo, Side, Summary, Transfer, TransferState, ViewerEvent},
};

/// The most records that wait for the disk; more are counted and left out.
const WAITING: usize = 1024;
/// How long the end of a session waits for the disk.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// Whose session it is.
pub(in crate::app) struct About {
    pub(in crate::app) session: SessionId,
    /// Whose log this is.
    pub(in crate::app) side: Side,
    pub(in crate::app) host: HostName,
    pub(in crate::app) viewer: ViewerName,
    /// The path at the beginning, where nobody is told of it later.
    pub(in crate::app) path: Option<PathInfo>,
}

/// Keeps the log of one session.
pub(in crate::app) struct Recorder {
    about: About,
    queue: SyncSender<Job>,
    trouble: oneshot::Receiver<String>,
    path: Option<PathInfo>,
    holder: Option<Holder>,
    stalled: Option<Instant>,
    host_lines: u64,
    viewer_lines: u64,
    left_out: u64,
}

enum Job {
    Record(Record),
    /// The last one: answered with where the page is, if there is one.
    End(Record, Sender<Option<PathBuf>>),
}

impl Recorder {
    /// Starts its thread.
    pub(in crate::app) fn start(store: &Store, about: About) -> Self {
        let (queue, jobs) = mpsc::sync_channel(WAITING);
        let (troubles, trouble) = oneshot::channel();
        let store = store.clone();
        if let Err(error) = thread::Builder::new().name("log".to_owned()).spawn(move || write(&store, &jobs, troubles)) {
            tracing::warn!(%error, "nothing of this session is logged: its thread cannot be started");
        }
        let (path, holder, stalled) = (None, None, None);
        Self { about, queue, trouble, path, holder, stalled, host_lines: 0, viewer_lines: 0, left_out: 0 }
    }

    /// Records what the host's faces are told. A warning, if there is one.
    pub(in crate::app) fn host(&mut self, event: &mut HostEvent) -> Option<HostEvent> {
        match event {
            HostEvent::SessionStarted { permissions, .. } => self.started(*permissions),
            HostEvent::Path { kind, transport, .. } => self.path(PathInfo { kind: kind.clone(), transport: transport.clone() }),
            HostEvent::Chat { from, .. } => self.chat(*from),
            HostEvent::Control { holder, .. } => self.control(*holder),
            HostEvent::Permissions { permissions, timers, .. } => {
                self.note(What::Permissions { permissions: *permissions, timers: timers.clone() });
            }
            HostEvent::File { transfer, .. } => self.file(transfer),
            HostEvent::Clipboard { from, copied, .. } => self.note(What::Clipboard { from: *from, copied: *copied }),
            HostEvent::Stalled { .. } => self.stalled(),
            HostEvent::Resumed { .. } => self.resumed(),
            HostEvent::SessionEnded { reason, seconds, summary, .. } => self.ended(*reason, *seconds, summary),
            _ => {}
        }
        self.trouble().map(|text| HostEvent::Warning { text })
    }

    /// Records what the viewer's faces are told. A warning, if there is one.
    pub(in crate::app) fn viewer(&mut self, event: &mut ViewerEvent) -> Option<ViewerEvent> {
        match event {
            ViewerEvent::Granted { permissions } => self.started(*permissions),
            ViewerEvent::Path { path, .. } => self.path(path.clone()),
            ViewerEvent::Chat { from, .. } => self.chat(*from),
            ViewerEvent::Control { holder } => self.control(*holder),
            ViewerEvent::Permissions { permissions, timers } => {
                self.note(What::Permissions { permissions: *permissions, timers: timers.clone() });
            }
            ViewerEvent::File(transfer) => self.file(transfer),
            ViewerEvent::Clipboard { from, copied } => self.note(What::Clipboard { from: *from, copied: *copied }),
            ViewerEvent::Stalled => self.stalled(),
            ViewerEvent::Resumed => self.resumed(),
            ViewerEvent::SessionEnded { reason, seconds, summary } => self.ended(*reason, *seconds, summary),
            _ => {}
        }
        self.trouble().map(|text| ViewerEvent::Warning { text })
    }

    fn started(&mut self, permissions: Permissions) {
        let (host, viewer) = (self.about.host.clone(), self.about.viewer.clone());
        self.note(What::Started { host, viewer, permissions });
        self.about.path.take().into_iter().for_each(|path| self.path(path));
    }

    fn path(&mut self, path: PathInfo) {
        if self.path.replace(path.clone()) != Some(path.clone()) {
            self.note(What::Path(path));
        }
    }

    fn stalled(&mut self) {
        self.stalled = Some(Instant::now());
        self.note(What::Stalled);
    }

    fn resumed(&mut self) {
        if let Some(since) = self.stalled.take() {
            self.note(What::Resumed { seconds: since.elapsed().as_secs() });
        }
    }

    fn control(&mut self, holder: Holder) {
        if self.holder.replace(holder) != Some(holder) {
            self.note(What::Control { holder });
        }
    }

    fn chat(&mut self, from: Side) {
        match from {
            Side::Host => self.host_lines += 1,
            Side::Viewer => self.viewer_lines += 1,
        }
    }

    /// Only what became of it.
    fn file(&mut self, transfer: &Transfer) {
        if matches!(transfer.state, TransferState::Done | TransferState::Failed | TransferState::Refused) {
            self.note(What::File(transfer.clone()));
        }
    }

    fn ended(&mut self, reason: EndReason, seconds: u64, told: &mut Summary) {
        let Self { host_lines, viewer_lines, left_out, .. } = *self;
        let Summary { picture_bytes, files, file_bytes, .. } = *told;
        let summary = Volume { picture_bytes, files, file_bytes, host_lines, viewer_lines, left_out };
        let record = self.record(What::Ended { reason, seconds, summary });
        let (answer, saved) = mpsc::channel();
        told.log = tokio::task::block_in_place(|| {
            self.queue.try_send(Job::End(record, answer)).ok().and_then(|()| saved.recv_timeout(LAST_WRITE).ok().flatten())
        });
    }

    fn note(&mut self, what: What) {
        let record = self.record(what);
        if self.queue.try_send(Job::Record(record)).is_err() {
            self.left_out += 1;
        }
    }

    fn record(&self, what: What) -> Record {
        let About { session, side, .. } = &self.about;
        let [a, b, c, d, ..] = session.0;
        Record { session: format!("{a:02x}{b:02x}{c:02x}{d:02x}"), side: *side, at: now(), what }
    }

    fn trouble(&mut self) -> Option<String> {
        self.trouble.try_recv().ok()
    }
}

/// Writes records in the order they come, several at once where they come quicker than the disk takes them.
fn write(store: &Store, jobs: &Receiver<Job>, trouble: oneshot::Sender<String>) {
    let (mut unwritten, mut session, mut trouble) = (Vec::new(), Vec::new(), Some(trouble));
    // Once a session.
    let mut warn = |error: String| {
        let text = format!("this session is not logged as it should be: {error}");
        trouble.take().into_iter().for_each(|trouble| drop(trouble.send(text.clone())));
    };
    while let Ok(first) = jobs.recv() {
        let mut end = None;
        for job in std::iter::once(first).chain(jobs.try_iter().take(WAITING)) {
            let record = match job {
                Job::Record(record) => record,
                Job::End(record, answer) => {
                    end = Some(answer);
                    record
                }
            };
            if session.len() < page::MAX_RECORDS {
                session.push(record.clone());
            }
            unwritten.push(record);
        }
        match store.journal().and_then(|journal| journal.append(&unwritten).map(|()| journal)) {
            Ok(journal) => {
                unwritten.clear();
                if let Some(answer) = end {
                    let page = journal.save_page(&page::name(&session), &page::html(&session));
                    let _ = answer.send(page.map_err(|error| warn(error.to_string())).ok());
                }
            }
            Err(error) => {
                warn(error.to_string());
                unwritten.truncate(WAITING);
            }
        }
    }
}
