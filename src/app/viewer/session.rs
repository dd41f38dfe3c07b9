//! One session at the viewer: the driver, the decode thread, the faces, and redialling when the network goes.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use libp2p::Multiaddr;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Faces,
    connect::{Change, Network, open_lanes},
    decode::{Decode, Decoded},
    shown::{News, Shown},
    upgrade::{Todo, Upgrade},
};
use crate::{
    app::{
        Failure,
        driver::{Driver, OpenLane},
        exit_code, path_info,
    },
    cli::ExitCode,
    net::{Node, Purpose, address},
    protocol::{
        auth::Authenticated,
        id::PeerKey,
        message::{EndReason, Message},
        permission::{Permission, Permissions},
        session::{
            Event, MAX_PATHS, Role,
            path::{PathId, PathKind},
        },
    },
    ui::{
        event::{PathInfo, Side, Stats, ViewerAction, ViewerEvent},
        picture::Picture,
        screenshot,
    },
    video::decoder::DecodeError,
};

/// A path whose lanes are open, or why they are not.
type Opened = (PathId, Result<(OpenLane, OpenLane), String>);

/// Between two attempts to reach the host again: growing by a quarter from the first to the last. A relay takes one a second for ever.
const FIRST_REDIAL: Duration = Duration::from_millis(200);
const LAST_REDIAL: Duration = Duration::from_secs(1);
/// How long a path that came up may take to be used, before the host is dialled once more.
const LANES: Duration = Duration::from_secs(5);

/// What a session is started with.
pub(super) struct Start {
    pub(super) auth: Authenticated,
    pub(super) network: Network,
    pub(super) path: PathId,
    /// The path that the faces were told of.
    pub(super) shown_path: Option<PathInfo>,
    pub(super) resume: Duration,
    /// Whether ports may be probed for a direct path.
    pub(super) probing: bool,
    pub(super) picture: Picture,
    pub(super) faces: Faces,
    /// What the users of the faces do.
    pub(super) actions: [Option<mpsc::Receiver<ViewerAction>>; 2],
    /// Save the first picture here and leave.
    pub(super) screenshot: Option<PathBuf>,
    pub(super) begun: Instant,
}

/// A running session.
pub(super) struct Session {
    auth: std::sync::Arc<Authenticated>,
    network: Network,
    driver: Driver,
    decode: Decode,
    picture: Picture,
    shown: Shown,
    faces: Faces,
    actions: [Option<mpsc::Receiver<ViewerAction>>; 2],
    /// Lanes on their way.
    opening: JoinSet<Opened>,
    redial: Option<tokio::task::AbortHandle>,
    upgrade: Upgrade,
    /// While the session is relayed.
    port_probe: Option<AbortOnDropHandle<()>>,
    /// No path: what the user does now would come as a surprise later, so it is not sent.
    stalled: bool,
    /// Files that wait for the first picture.
    screenshots: Vec<PathBuf>,
    /// `--screenshot`: leave after the first one, with its result.
    leave_after_screenshot: bool,
    failure: Option<Failure>,
    permissions: Permissions,
    shown_path: Option<PathInfo>,
    stats: Stats,
    decode_time: Duration,
    begun: Instant,
    started: Instant,
}

impl Session {
    /// Takes the first path and opens its lanes.
    pub(super) fn start(start: Start) -> Result<Self, Failure> {
        let Start { auth, network, path, shown_path, resume, probing, picture, faces, actions, screenshot, begun } = start;
        let decode = Decode::start(picture.clone()).map_err(Failure::other)?;
        let mut session = Self {
            permissions: auth.permissions,
            auth: std::sync::Arc::new(auth),
            network,
            driver: Driver::new(Role::Viewer, resume),
            decode,
            picture,
            shown: Shown::default(),
            faces,
            actions,
            opening: JoinSet::new(),
            redial: None,
            upgrade: Upgrade::new(probing),
            port_probe: None,
            stalled: false,
            leave_after_screenshot: screenshot.is_some(),
            screenshots: screenshot.into_iter().collect(),
            failure: None,
            shown_path,
            stats: Stats::default(),
            decode_time: Duration::ZERO,
            begun,
            started: Instant::now(),
        };
        session.open(path);
        // Other paths that came up meanwhile are backups.
        let others: Vec<_> =
            session.network.paths.iter().filter(|(_, known)| known.key == session.auth.peer).map(|(path, _)| *path).collect();
        others.into_iter().filter(|other| *other != path).for_each(|other| session.open(other));
        Ok(session)
    }

    /// Until it ends: why.
    pub(super) async fn live(mut self) -> Result<EndReason, Failure> {
        self.network.node.hurry(true).await;
        let interrupted = crate::app::interrupted();
        tokio::pin!(interrupted);
        let mut leaving = false;
        self.leave_if_blind();
        let reason = loop {
            let [first, second] = &mut self.actions;
            let upgrade = self.upgrade.next_due();
            tokio::select! {
                biased;
                () = &mut interrupted, if !leaving => {
                    leaving = true;
                    self.faces.close_window();
                    self.driver.end(EndReason::ViewerLeft);
                }
                () = self.faces.flush(), if self.faces.is_waiting() => {}
                action = next(first) => self.act(action),
                action = next(second) => self.act(action),
                event = self.driver.next() => {
                    if let Some(reason) = self.event(event) {
                        break reason;
                    }
                }
                decoded = self.decode.done.recv() => match decoded {
                    Some(decoded) => self.decoded(decoded),
                    // The thread is gone, and it said why if it could.
                    None => self.driver.end(EndReason::ProtocolError),
                },
                Some(event) = self.network.events.recv() => match self.network.follow(event, self.auth.peer) {
                    Some(Change::Up(path, kind)) => self.path_up(path, kind),
                    Some(Change::Down(path)) => self.driver.path_down(path),
                    Some(Change::Moved) => self.moved(),
                    None => {}
                },
                Some(opened) = self.opening.join_next() => self.opened(opened.ok()).await,
                () = tokio::time::sleep_until(upgrade.unwrap_or_else(Instant::now).into()), if upgrade.is_some() => {
                    self.seek_direct_path().await;
                }
            }
        };
        self.finish(reason).await
    }

    fn path_up(&mut self, path: PathId, kind: PathKind) {
        if self.stalled || !self.upgrade.is_probe(path, kind) {
            self.open(path);
        }
    }

    /// We are in another network: what was dialled from the old one is not waited for.
    fn moved(&mut self) {
        self.upgrade.moved(Instant::now());
        if let Some(redial) = self.redial.take() {
            redial.abort();
            self.redial();
        }
    }

    async fn seek_direct_path(&mut self) {
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
    fn open(&mut self, path: PathId) {
        // A host that lets paths come up but no lanes must not make us gather them.
        if self.opening.len() >= MAX_PATHS {
            return;
        }
        let (node, auth) = (self.network.node.clone(), std::sync::Arc::clone(&self.auth));
        self.opening.spawn(async move {
            node.keep(path, true).await;
            (path, open_lanes(node, path, &auth).await)
        });
    }

    async fn opened(&mut self, opened: Option<Opened>) {
        let Some((path, lanes)) = opened else { return };
        match (lanes, self.network.paths.get(&path)) {
            (Ok((control, video)), Some(known)) => self.driver.attach(path, known.kind, known.transport.carrier(), control, video),
            (Ok(_), None) => {}
            (Err(reason), _) => {
                tracing::info!(?path, reason, "a path could not be used");
                self.network.node.close(path).await;
            }
        }
        // The first lanes failed: look for another way as after any loss.
        if !self.driver.is_attached() && self.opening.is_empty() {
            self.redial();
        }
    }

    fn event(&mut self, event: Event) -> Option<EndReason> {
        match event {
            Event::Picture(picture) => {
                self.stats.picture_bytes += picture.len() as u64;
                self.decode.push(picture);
            }
            Event::Message(message) => self.message(message),
            Event::PathChanged(path, kind) => {
                self.upgrade.runs_on(kind, Instant::now());
                if kind != PathKind::Relayed {
                    self.port_probe = None;
                }
                if let Some(redial) = self.redial.take() {
                    redial.abort();
                }
                if let Some(known) = self.network.paths.get(&path) {
                    let info = path_info(kind, known.transport);
                    if self.shown_path.replace(info.clone()) != Some(info.clone()) {
                        let rtt_ms = self.rtt_ms();
                        self.faces.tell(&ViewerEvent::Path { path: info, rtt_ms });
                    }
                }
            }
            Event::Stalled => {
                self.stalled = true;
                self.faces.tell(&ViewerEvent::Stalled);
                if let Some(probe) = self.upgrade.give() {
                    self.open(probe);
                }
                self.redial();
            }
            Event::Resumed => {
                self.stalled = false;
                self.faces.tell(&ViewerEvent::Resumed);
            }
            Event::Ended(reason) => return Some(reason),
            Event::WantPicture(_) => {}
        }
        None
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Chat(text) => self.faces.tell(&ViewerEvent::Chat { from: Side::Host, text }),
            Message::Control(holder) => self.faces.tell(&ViewerEvent::Control { holder }),
            Message::Permissions(permissions) => {
                if std::mem::replace(&mut self.permissions, permissions) != permissions {
                    self.faces.tell(&ViewerEvent::Permissions { permissions });
                    self.leave_if_blind();
                }
            }
            Message::CursorShape(shape) => {
                self.shown.new_cursor(&shape);
                self.picture.point_with(shape);
            }
            Message::KnownCursor(number) => match self.shown.known_cursor(number) {
                Some(shape) => self.picture.point_with(shape),
                None => self.driver.end(EndReason::ProtocolError),
            },
            Message::Screens(screens) => {
                let news = self.shown.told(screens);
                self.screens_changed(news);
            }
            Message::CursorPosition { x, y } => self.picture.update(|state| {
                state.pointer = (x, y);
                state.pointer_changed = true;
            }),
            // The session lets only a host's messages through, and the end is an event of its own.
            Message::Input(_) | Message::ShowScreen(_) | Message::Aim(_) | Message::End(_) => {}
        }
    }

    fn act(&mut self, action: Option<ViewerAction>) {
        match action {
            // A face that went away takes us with it, but stdin's end does not: its face keeps the sender.
            None | Some(ViewerAction::Quit) => self.driver.end(EndReason::ViewerLeft),
            Some(ViewerAction::Input(input)) => {
                if !self.stalled && self.driver.send(Message::Input(input)).is_err() {
                    self.warn("the host does not keep up; some input was left out".to_owned());
                }
            }
            Some(ViewerAction::Chat(text)) => match self.driver.send(Message::Chat(text.clone())) {
                Ok(()) => self.faces.tell(&ViewerEvent::Chat { from: Side::Viewer, text }),
                Err(_) => self.warn("the host cannot be reached now; say it again later".to_owned()),
            },
            Some(ViewerAction::Screenshot(file)) => {
                self.screenshots.push(file);
                self.save_screenshots();
            }
            Some(ViewerAction::Screens) => self.tell_screens(),
            Some(ViewerAction::Show(show)) => match self.shown.choose(show) {
                Ok(choice) => drop(self.driver.send(Message::ShowScreen(choice))),
                Err(text) => self.warn(text),
            },
            Some(ViewerAction::Stats) => {
                (self.stats.rtt_ms, self.stats.link) = (self.rtt_ms(), self.driver.link().into());
                self.faces.tell(&ViewerEvent::Stats(self.stats.clone()));
            }
        }
    }

    /// The picture on hand shows something else, or the list is another one.
    fn screens_changed(&mut self, news: Option<News>) {
        let Some(News { aim, lost }) = news else { return };
        aim.into_iter().for_each(|view| drop(self.driver.send(Message::Aim(view))));
        self.tell_screens();
        if let Some(lost) = lost {
            self.warn(format!("the host's screen {lost} is gone; another one is shown"));
        }
    }

    fn tell_screens(&mut self) {
        if let Some(screens) = self.shown.screens().cloned() {
            self.faces.tell(&ViewerEvent::Screens(screens.into()));
        }
    }

    /// Nobody waits for a picture that the host's user does not show.
    fn leave_if_blind(&mut self) {
        if self.leave_after_screenshot && !self.permissions.contains(Permission::View) {
            let text = "the host's user does not show the screen; ask them to type: allow view";
            self.failure.get_or_insert_with(|| Failure::new(ExitCode::Refused, text));
            self.driver.end(EndReason::ViewerLeft);
        }
    }

    fn decoded(&mut self, decoded: Result<Decoded, DecodeError>) {
        match decoded {
            Ok(Decoded { took, size }) => {
                self.driver.picture_done();
                let news = self.shown.picture_decoded();
                self.screens_changed(news);
                self.stats.frames += 1;
                self.decode_time += took;
                self.stats.decode_ms_mean = self.decode_time.as_secs_f64() * 1e3 / self.stats.frames as f64;
                (self.stats.width, self.stats.height) = (size.width, size.height);
                if self.stats.first_picture_ms.is_none() {
                    self.stats.first_picture_ms = u64::try_from(self.begun.elapsed().as_millis()).ok();
                }
                self.save_screenshots();
            }
            Err(error) => {
                self.warn(error.to_string());
                self.driver.end(EndReason::ProtocolError);
            }
        }
    }

    /// Saves what was asked for, once there is a picture.
    fn save_screenshots(&mut self) {
        if self.screenshots.is_empty() || !self.picture.lock().shown {
            return;
        }
        let frame = self.picture.lock().frame.clone();
        for file in std::mem::take(&mut self.screenshots) {
            match tokio::task::block_in_place(|| screenshot::save(&frame, &file)) {
                Ok(()) => self.faces.tell(&ViewerEvent::Screenshot { file }),
                Err(error) if self.leave_after_screenshot => self.failure = Some(Failure::other(error)),
                Err(error) => self.warn(error.to_string()),
            }
        }
        if self.leave_after_screenshot {
            self.driver.end(EndReason::ViewerLeft);
        }
    }

    /// Dials every known way again and again until the session resumes or ends. Circuits apart from addresses: a circuit is refused
    /// at once until the host is back at its relay, an address that nobody answers any longer takes its time.
    fn redial(&mut self) {
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

    async fn finish(mut self, reason: EndReason) -> Result<EndReason, Failure> {
        if let Some(redial) = self.redial.take() {
            redial.abort();
        }
        let seconds = self.started.elapsed().as_secs();
        self.faces.tell(&ViewerEvent::SessionEnded { reason, seconds });
        let faces = std::mem::take(&mut self.faces);
        tokio::join!(self.driver.linger(), faces.finish());
        let unsaved = self.leave_after_screenshot && !self.screenshots.is_empty();
        if unsaved && reason != EndReason::ViewerLeft && exit_code(reason) == ExitCode::Fine {
            let text = "the session ended before there was a picture to save; connect again";
            self.failure.get_or_insert_with(|| Failure::new(ExitCode::Lost, text));
        }
        self.failure.map_or(Ok(reason), Err)
    }

    fn rtt_ms(&self) -> Option<u64> {
        let (_, _, rtt) = self.driver.current_path()?;
        u64::try_from(rtt?.as_millis()).ok()
    }

    fn warn(&mut self, text: String) {
        self.faces.tell(&ViewerEvent::Warning { text });
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

/// The next action of a face; a face that is not there never acts.
async fn next(actions: &mut Option<mpsc::Receiver<ViewerAction>>) -> Option<ViewerAction> {
    match actions {
        None => std::future::pending().await,
        Some(receiver) => {
            let action = receiver.recv().await;
            if action.is_none() {
                *actions = None;
            }
            action
        }
    }
}
