//! One session at the viewer: the driver, the decode thread and the faces. Its paths are for [`ways`].

mod clipboard;
mod files;
mod picture;
mod ways;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Faces,
    connect::{Change, Network},
    decode::{Decode, Decoded},
    exact::{Exactness, Shots},
    figures::Figures,
    shown::{News, Shown},
    upgrade::Upgrade,
};
use crate::{
    app::{
        Failure,
        chat::Chat,
        clipboard::{Part, Sharing},
        driver::Driver,
        exit_code,
        files::{Files, Place},
        path_info,
    },
    cli::ExitCode,
    protocol::{
        auth::Authenticated,
        input::KeyboardMode,
        message::{EndReason, Message},
        permission::{Permission, Permissions},
        session::{
            Event, Role,
            path::{PathId, PathKind},
        },
    },
    ui::{
        event::{PathInfo, Side, Summary, ViewerAction, ViewerEvent},
        picture::Picture,
        words,
    },
};
use ways::Opened;

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
    /// Where files go.
    pub(super) files: Place,
    /// Whether the host is asked for nothing but exact pictures.
    pub(super) lossless: bool,
    /// What takes part in sharing what is copied.
    pub(super) clipboard: Part,
    /// How keys are understood at first.
    pub(super) keyboard: KeyboardMode,
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
    /// How often in a row the host did not take them.
    refusals: u32,
    redial: Option<tokio::task::AbortHandle>,
    upgrade: Upgrade,
    /// While the session is relayed.
    port_probe: Option<AbortOnDropHandle<()>>,
    /// No path: what the user does now would come as a surprise later, so it is not sent.
    stalled: bool,
    keyboard: KeyboardMode,
    exactness: Exactness,
    screenshots: Shots,
    /// `--screenshot`: leave after the first one, with its result.
    leave_after_screenshot: bool,
    failure: Option<Failure>,
    permissions: Permissions,
    /// Whether some of them end by themselves.
    timed: bool,
    chat: Chat,
    clipboard: Sharing,
    files: Files,
    shown_path: Option<PathInfo>,
    figures: Figures,
    started: Instant,
}

impl Session {
    /// Takes the first path and opens its lanes.
    pub(super) fn start(start: Start) -> Result<Self, Failure> {
        let Start {
            auth,
            network,
            path,
            shown_path,
            resume,
            probing,
            picture,
            faces,
            actions,
            files,
            lossless,
            clipboard,
            keyboard,
            screenshot,
            begun,
        } = start;
        let decode = Decode::start(picture.clone()).map_err(Failure::other)?;
        let mut session = Self {
            permissions: auth.permissions,
            timed: false,
            chat: Chat::default(),
            clipboard: Sharing::new(Side::Viewer, clipboard),
            files: Files::new(Side::Viewer, auth.peer, files),
            auth: std::sync::Arc::new(auth),
            network,
            driver: Driver::new(Role::Viewer, resume),
            decode,
            picture,
            shown: Shown::default(),
            faces,
            actions,
            opening: JoinSet::new(),
            refusals: 0,
            redial: None,
            upgrade: Upgrade::new(probing),
            port_probe: None,
            stalled: false,
            keyboard,
            leave_after_screenshot: screenshot.is_some(),
            exactness: Exactness::default(),
            screenshots: Shots::default(),
            failure: None,
            shown_path,
            figures: Figures::new(begun),
            started: Instant::now(),
        };
        screenshot.into_iter().for_each(|file| session.screenshots.add(file));
        if lossless {
            // The first of all messages.
            let _ = session.driver.send(Message::Lossless(true));
        }
        session.clipboard.permit(session.permissions.contains(Permission::Clipboard));
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
            let due = [self.exactness.due(), self.screenshots.due(), self.figures.due()].into_iter().flatten().min();
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
                reply = self.files.next() => self.files.replied(reply, &mut self.driver),
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
                copied = self.clipboard.next() => self.clipboard.follow(copied, &mut self.driver),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => self.in_time(),
            }
            self.tell_files();
            self.tell_copied();
        };
        self.finish(reason).await
    }

    fn event(&mut self, event: Event) -> Option<EndReason> {
        match event {
            Event::Picture(picture) => {
                self.figures.received(picture.len() as u64, Instant::now());
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
                self.files.paused(true);
                self.faces.tell(&ViewerEvent::Stalled);
                if let Some(probe) = self.upgrade.give() {
                    self.open(probe);
                }
                self.redial();
            }
            Event::Resumed => {
                self.stalled = false;
                self.files.paused(false);
                self.faces.tell(&ViewerEvent::Resumed);
            }
            Event::Bulk(chunk) => self.files.chunk(&chunk, &mut self.driver),
            Event::WantBulk(room) => self.files.want(room, &mut self.driver),
            Event::Ended(reason) => return Some(reason),
            Event::Delivered(number) => self.faces.tell(&ViewerEvent::ChatDelivered { number }),
            Event::WantPicture(_) => {}
        }
        None
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Chat(text) => self.tell_chat(Side::Host, text),
            Message::Control(holder) => self.faces.tell(&ViewerEvent::Control { holder }),
            Message::Permissions(permissions, timers) => {
                // What was granted was told, and it has no timers: those that are told later always change something.
                let is_news = std::mem::replace(&mut self.timed, !timers.is_empty()) || !timers.is_empty();
                if std::mem::replace(&mut self.permissions, permissions) != permissions || is_news {
                    self.faces.tell(&ViewerEvent::Permissions { permissions, timers });
                    self.clipboard.permit(permissions.contains(Permission::Clipboard));
                    self.leave_if_blind();
                }
            }
            Message::Clipboard(message) => self.clipboard.receive(message, &mut self.driver),
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
            Message::File(message) => self.files.message(message, true, &mut self.driver),
            Message::Stats(stats) => {
                self.figures.answered(&stats);
                self.tell_figures();
            }
            Message::CursorPosition { x, y } => self.picture.update(|state| {
                state.pointer = (x, y);
                state.pointer_changed = true;
            }),
            Message::Untyped(character) => self.warn(format!(
                "the host's keyboard cannot give \"{}\"; what is missing may be more than this: look at what was typed",
                words::plain(&character.to_string())
            )),
            // The session lets only a host's messages through, and the end is an event of its own.
            Message::Input(_) | Message::ShowScreen(_) | Message::Aim(_) | Message::End(_) => {}
            Message::Point { .. } | Message::PointAway => {}
            Message::Lossless(_) | Message::AskStats => {}
        }
    }

    fn act(&mut self, action: Option<ViewerAction>) {
        match action {
            // A face that went away takes us with it, but stdin's end does not: its face keeps the sender.
            None | Some(ViewerAction::Quit) => self.driver.end(EndReason::ViewerLeft),
            Some(ViewerAction::Input(input)) => {
                let Some(input) = input.in_mode(self.keyboard).filter(|_| !self.stalled) else { return };
                if self.driver.send(Message::Input(input)).is_err() {
                    self.warn("the host does not keep up; some input was left out".to_owned());
                }
            }
            Some(ViewerAction::Keyboard(mode)) => self.keyboard = mode,
            Some(ViewerAction::Point { x, y }) => self.point(Message::Point { x, y }),
            Some(ViewerAction::PointAway) => self.point(Message::PointAway),
            Some(ViewerAction::Chat(text)) => match self.driver.send(Message::Chat(text.clone())) {
                Ok(()) => self.tell_chat(Side::Viewer, text),
                Err(_) => self.warn("the host cannot be reached now; say it again later".to_owned()),
            },
            Some(ViewerAction::Screenshot(file)) => {
                self.screenshots.add(file);
                self.save_screenshots();
            }
            Some(ViewerAction::Copy(text)) => self.clipboard.offer(text, &mut self.driver),
            Some(ViewerAction::Paste(file)) => self.paste(&file),
            Some(action @ (ViewerAction::Send(_) | ViewerAction::Fetch(_))) => self.file_action(action),
            Some(action @ (ViewerAction::Save(_) | ViewerAction::Refuse(_) | ViewerAction::Cancel(_))) => self.file_action(action),
            Some(ViewerAction::Screens) => self.tell_screens(),
            Some(ViewerAction::Show(show)) => match self.shown.choose(show) {
                Ok(choice) => drop(self.driver.send(Message::ShowScreen(choice))),
                Err(text) => self.warn(text),
            },
            Some(ViewerAction::Lossless(lossless)) => {
                if self.driver.send(Message::Lossless(lossless)).is_err() {
                    self.warn("the host cannot be reached now; try again later".to_owned());
                }
            }
            Some(ViewerAction::Visit(_) | ViewerAction::Password(_)) => {}
            Some(ViewerAction::Stats) => {
                self.figures.asked(Instant::now());
                if self.stalled || self.driver.send(Message::AskStats).is_err() {
                    self.tell_figures();
                }
            }
        }
    }

    /// Where we point now; while there is no path it would come as a surprise later.
    fn point(&mut self, message: Message) {
        if !self.stalled && self.permissions.contains(Permission::Point) {
            let _ = self.driver.send(message);
        }
    }

    async fn finish(mut self, reason: EndReason) -> Result<EndReason, Failure> {
        if reason == EndReason::ViewerLeft {
            self.await_first_path().await;
        }
        if let Some(redial) = self.redial.take() {
            redial.abort();
        }
        let seconds = self.started.elapsed().as_secs();
        let (files, file_bytes) = self.files.arrived();
        let summary = Summary { picture_bytes: self.figures.picture_bytes(), files, file_bytes, ..Summary::default() };
        self.faces.tell(&ViewerEvent::SessionEnded { reason, seconds, summary });
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

    fn tell_chat(&mut self, from: Side, text: String) {
        let (number, at) = self.chat.next(from);
        self.faces.tell(&ViewerEvent::Chat { from, number, at, text });
    }

    fn warn(&mut self, text: String) {
        self.faces.tell(&ViewerEvent::Warning { text });
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
