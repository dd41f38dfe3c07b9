//! The driver: a [`Session`] and the streams that carry it.
//!
//! A path is attached when all its lanes are open. Each lane has a task that reads, opens and hands in whole records, and one
//! that seals and writes. The session decides; nothing is decided here. A lane that ends, breaks or cannot take more
//! takes its whole path down.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::packets;
use crate::{
    net::Stream,
    protocol::{
        lane::{Opener, Sealer},
        message::{EndReason, Message},
        session::{
            Event, Full, Input, Lane, LinkEstimate, Output, Role, Session,
            path::{Carrier, PathId, PathKind},
        },
        stats::{Samples, Spread},
    },
};

/// A path has one of each.
const LANES: usize = Lane::ALL.len();
/// Records that may wait for a lane's writer. The session's own bounds are below it, so a full queue is a dead path.
const WRITE_QUEUE: usize = 2048;
/// Records read but not yet handled, all lanes together.
const READ_QUEUE: usize = 64;
/// How long an ended session may take to tell its peer.
const LINGER: Duration = Duration::from_secs(2);
/// How long the network may take to send what it was given.
const FLIGHT: Duration = Duration::from_millis(100);

/// An open lane on its way to [`Driver::attach`].
pub(super) struct OpenLane {
    pub(super) stream: Stream,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

/// The open lanes of a path, in the order of [`Lane::ALL`].
pub(super) type OpenPath = [OpenLane; LANES];

/// A session with its streams.
pub(super) struct Driver {
    session: Session,
    links: BTreeMap<PathId, Link>,
    inbound: mpsc::Receiver<Inbound>,
    inbound_sender: mpsc::Sender<Inbound>,
    pending: VecDeque<Event>,
    /// When pictures were made that no path was given yet.
    unsent: VecDeque<Instant>,
    /// How long pictures waited until a path took them.
    queue: Arc<Mutex<Samples>>,
    wake: Option<Instant>,
}

/// The writers and readers of a path.
struct Link {
    writers: [mpsc::Sender<Outgoing>; LANES],
    readers: Vec<AbortHandle>,
    writing: JoinSet<()>,
}

/// A record to write.
struct Outgoing {
    record: Vec<u8>,
    /// When the picture in it was made, if it goes out for the first time.
    made: Option<Instant>,
}

impl Link {
    /// Waits until all that was queued is with the network.
    async fn written_out(mut self) {
        let (closed, _) = mpsc::channel(1);
        self.writers = std::array::from_fn(|_| closed.clone());
        while self.writing.join_next().await.is_some() {}
    }
}

impl Drop for Link {
    /// Readers stop at once; writers end by themselves when their queue is closed and written out.
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
        self.writing.detach_all();
    }
}

enum Inbound {
    Record(PathId, Lane, Vec<u8>),
    Closed(PathId),
}

impl Driver {
    /// A session without a path; it ends as lost when none came for `resume`.
    pub(super) fn new(role: Role, resume: Duration) -> Self {
        let (inbound_sender, inbound) = mpsc::channel(READ_QUEUE);
        let session = Session::new(role, resume, Instant::now());
        let mut driver = Self {
            session,
            links: BTreeMap::new(),
            inbound,
            inbound_sender,
            pending: VecDeque::new(),
            unsent: VecDeque::new(),
            queue: Arc::default(),
            wake: None,
        };
        driver.drain();
        driver
    }

    /// Starts to use a path.
    pub(super) fn attach(&mut self, path: PathId, kind: PathKind, carrier: Carrier, lanes: OpenPath) {
        let (mut readers, mut writing) = (Vec::new(), JoinSet::new());
        let mut names = Lane::ALL.into_iter();
        let writers = lanes.map(|open| {
            let lane = names.next().expect("as many names as lanes");
            let (queue, records) = mpsc::channel(WRITE_QUEUE);
            let (reader, writer) = open.stream.split();
            readers.push(tokio::spawn(read(reader, open.opener, path, lane, self.inbound_sender.clone())).abort_handle());
            writing.spawn(write(writer, open.sealer, path, records, self.inbound_sender.clone(), Arc::clone(&self.queue)));
            queue
        });
        self.links.insert(path, Link { writers, readers, writing });
        self.input(Input::PathUp(path, kind, carrier));
    }

    /// Whether this path is attached.
    pub(super) fn has(&self, path: PathId) -> bool {
        self.links.contains_key(&path)
    }

    /// Whether any path is attached.
    pub(super) fn is_attached(&self) -> bool {
        !self.links.is_empty()
    }

    /// The path's connection is gone.
    pub(super) fn path_down(&mut self, path: PathId) {
        if self.links.remove(&path).is_some() {
            self.input(Input::PathDown(path));
        }
    }

    /// Sends a control message.
    pub(super) fn send(&mut self, message: Message) -> Result<(), Full> {
        let sent = self.session.send(Instant::now(), message);
        self.drain();
        sent
    }

    /// Host: sends a picture that was made then, against one [`Event::WantPicture`].
    pub(super) fn send_picture(&mut self, picture: Vec<u8>, made: Instant) {
        self.unsent.push_back(made);
        self.session.send_picture(Instant::now(), picture);
        self.drain();
    }

    /// Whether there is a chunk of a file to send.
    pub(super) fn bulk_ready(&mut self, ready: bool) {
        self.session.bulk_ready(Instant::now(), ready);
        self.drain();
    }

    /// Sends a chunk of a file, against one [`Event::WantBulk`].
    pub(super) fn send_bulk(&mut self, chunk: Vec<u8>) {
        self.session.send_bulk(Instant::now(), chunk);
        self.drain();
    }

    /// Bytes of files that were sent and are not taken.
    pub(super) fn bulk_under_way(&self) -> usize {
        self.session.bulk_under_way()
    }

    /// The oldest chunk of a file is taken.
    pub(super) fn bulk_done(&mut self) {
        self.session.bulk_done(Instant::now());
        self.drain();
    }

    /// Viewer: the oldest picture is decoded.
    pub(super) fn picture_done(&mut self) {
        self.session.picture_done(Instant::now());
        self.drain();
    }

    /// Ends the session.
    pub(super) fn end(&mut self, reason: EndReason) {
        self.session.end(Instant::now(), reason);
        self.drain();
    }

    /// The path in use, and its round trip once measured.
    pub(super) fn current_path(&self) -> Option<(PathId, PathKind, Option<Duration>)> {
        self.session.current_path()
    }

    /// What is known of its link.
    pub(super) fn link(&self) -> LinkEstimate {
        self.session.link()
    }

    /// Host: how long pictures waited until their path took the first byte, and how long they were on their way then.
    pub(super) fn queue_and_wire(&self) -> (Option<Spread>, Option<Spread>) {
        (lock(&self.queue).spread(), self.session.wire())
    }

    /// The next event. Cancel-safe.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return event;
            }
            self.step().await;
        }
    }

    /// After the end: gives the peer a moment to hear of it, and what was written a moment to leave the machine.
    pub(super) async fn linger(&mut self) {
        let drained = async {
            while self.is_attached() && !self.session.is_drained() {
                self.step().await;
            }
            for link in std::mem::take(&mut self.links).into_values() {
                link.written_out().await;
            }
        };
        if tokio::time::timeout(LINGER, drained).await.is_ok() {
            tokio::time::sleep(FLIGHT).await;
        }
    }

    /// Waits for one thing from outside and handles it.
    async fn step(&mut self) {
        let wake = self.wake;
        let timeout = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            inbound = self.inbound.recv() => match inbound {
                Some(Inbound::Record(path, lane, record)) if self.has(path) => {
                    self.input(Input::Received { path, lane, record: &record });
                }
                Some(Inbound::Closed(path)) => self.path_down(path),
                Some(Inbound::Record(..)) | None => {}
            },
            () = timeout => self.input(Input::Timeout),
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.session.handle_input(Instant::now(), input);
        self.drain();
    }

    /// The session's law: after each mutation everything it wants is done.
    fn drain(&mut self) {
        let mut dead = Vec::new();
        self.wake = loop {
            match self.session.poll_output() {
                Output::Timeout(at) => break at,
                Output::Event(event) => {
                    // What follows on another path was made for the one before: its time says nothing of a queue.
                    if matches!(event, Event::PathChanged(..) | Event::Ended(_)) {
                        self.unsent.clear();
                    }
                    self.pending.push_back(event);
                }
                Output::Transmit { path, lane, record } => {
                    let made = if lane == Lane::Video { self.unsent.pop_front() } else { None };
                    let Some(link) = self.links.get(&path) else { continue };
                    if link.writers[lane as usize].try_send(Outgoing { record, made }).is_err() {
                        dead.push(path);
                    }
                }
            }
        };
        dead.into_iter().for_each(|path| self.path_down(path));
    }
}

async fn read(mut stream: ReadHalf<Stream>, mut opener: Opener, path: PathId, lane: Lane, inbound: mpsc::Sender<Inbound>) {
    while let Ok(Some(packet)) = packets::read(&mut stream, usize::from(u16::MAX)).await {
        match opener.open(&packet) {
            Ok(None) => {}
            Ok(Some(record)) => {
                if inbound.send(Inbound::Record(path, lane, record)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(?lane, %error, "a lane is closed");
                break;
            }
        }
    }
    let _ = inbound.send(Inbound::Closed(path)).await;
}

async fn write(
    mut stream: WriteHalf<Stream>,
    mut sealer: Sealer,
    path: PathId,
    mut records: mpsc::Receiver<Outgoing>,
    inbound: mpsc::Sender<Inbound>,
    queue: Arc<Mutex<Samples>>,
) {
    let mut sealed = Vec::new();
    while let Some(Outgoing { record, made }) = records.recv().await {
        made.into_iter().for_each(|made| lock(&queue).add(made.elapsed()));
        sealed.clear();
        let written = match sealer.seal(&record, &mut sealed) {
            Err(error) => Err(std::io::Error::other(error)),
            Ok(()) => match stream.write_all(&sealed).await {
                // What waits already goes out in the same flush.
                Ok(()) if records.is_empty() => stream.flush().await,
                other => other,
            },
        };
        if written.is_err() {
            let _ = inbound.send(Inbound::Closed(path)).await;
            return;
        }
    }
    let _ = stream.close().await;
}

/// No thread panics while it holds it.
fn lock(queue: &Mutex<Samples>) -> MutexGuard<'_, Samples> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
