//! One session at the host: the driver, the screen ([`picture`]), the pointer and keyboard, and the person who always wins.
//!
//! Permissions are enforced here, where the action happens. Control goes to the person at the machine at their first nudge and
//! comes back only by their word. Held keys are let go whenever the session stalls, ends or loses control.

mod files;
mod picture;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    command::Command,
    figures::Figures,
    gathering::{Gathering, Opened},
    shown::Shown,
};
use crate::{
    app::{chat::Chat, driver::Driver, files::Files, outlet::Outlet},
    desktop::{
        capture::{Capture, CaptureEvent, Options},
        inject::Inject,
        takeover::{Nudge, Takeover},
    },
    net::{Node, Transport},
    protocol::{
        input::InputEvent,
        message::{EndReason, Holder, Message},
        permission::{Permission, Permissions},
        session::{
            Credit, Event, Role,
            path::{PathId, PathKind},
        },
    },
    ui::event::{HostEvent, Side, Summary, Viewer},
    video::budget::Budget,
};

/// The keys that give control away are let go within this time.
const GIVING: Duration = Duration::from_millis(300);
/// How long an admitted viewer may take to open its lanes.
const FIRST_LANES: Duration = Duration::from_secs(20);

/// What a session is started with.
pub(super) struct Start {
    pub(super) name: String,
    pub(super) viewer: Viewer,
    /// What the viewer may do at the start.
    pub(super) permissions: Permissions,
    pub(super) screen: Options,
    /// Whether every picture is exact at once, whatever the viewer wishes.
    pub(super) lossless: bool,
    pub(super) files: Files,
    pub(super) resume: Duration,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) face: mpsc::Sender<HostEvent>,
    pub(super) node: Node,
}

/// Lives a session from the first lane to the end.
pub(super) async fn run(start: Start) {
    let Start { name, viewer, permissions, screen, lossless, files, resume, mut commands, face, node } = start;
    let mut face = Outlet::new(face);
    let mut lanes = Gathering::default();
    let first = tokio::time::timeout(FIRST_LANES, async {
        loop {
            match commands.recv().await? {
                Command::Lane { path, kind, transport, lane, open } => {
                    if let Some(opened) = lanes.add(path, kind, transport, lane, open) {
                        return Some(opened);
                    }
                }
                Command::End(_) => return None,
                Command::PathDown(path) => lanes.forget(path),
                Command::Chat(_) | Command::Allow(_) | Command::GiveControl | Command::TakeControl | Command::Revoke(_) => {}
                Command::Stats | Command::Send(_) | Command::Cancel(_) => {}
            }
        }
    });
    let Ok(Some(opened)) = first.await else {
        let text = format!("{} left before the session began", viewer.name);
        face.tell(HostEvent::Warning { text });
        return face.finish().await;
    };
    face.tell(HostEvent::SessionStarted { session: name.clone(), viewer: viewer.clone(), permissions });

    let (captured, captures) = mpsc::channel(64);
    let (nudged, nudges) = mpsc::channel(4);
    let mut session = HostSession {
        name,
        viewer: viewer.name,
        face,
        node,
        driver: Driver::new(Role::Host, resume),
        screen,
        lossless,
        files,
        figures: Figures::default(),
        chat: Chat::default(),
        permissions,
        holder: Holder::Local,
        capture: None,
        inject: None,
        takeover: None,
        nudged,
        given: None,
        shown: None,
        transports: BTreeMap::new(),
        begun: Instant::now(),
    };
    session.open_screen(captured);
    session.open_hands();
    if session.inject.is_some() {
        session.holder = Holder::Remote;
    }
    session.attach(opened).await;
    session.announce();
    let reason = session.live(lanes, commands, captures, nudges).await;
    session.finish(reason).await;
}

struct HostSession {
    name: String,
    viewer: String,
    face: Outlet<HostEvent>,
    node: Node,
    driver: Driver,
    screen: Options,
    lossless: bool,
    files: Files,
    figures: Figures,
    chat: Chat,
    permissions: Permissions,
    holder: Holder,
    capture: Option<Capture>,
    inject: Option<Inject>,
    takeover: Option<Takeover>,
    nudged: mpsc::Sender<Nudge>,
    /// When the person gave control away.
    given: Option<Instant>,
    /// What the viewer sees, once the screen is open.
    shown: Option<Shown>,
    transports: BTreeMap<PathId, Transport>,
    begun: Instant,
}

impl HostSession {
    /// Opens the screen; without one the session ends at once.
    fn open_screen(&mut self, captured: mpsc::Sender<CaptureEvent>) {
        let failed = captured.clone();
        match tokio::task::block_in_place(|| Capture::start(self.screen.clone(), captured)) {
            Ok((capture, view)) => {
                capture.set_lossless(self.lossless);
                (self.capture, self.shown) = (Some(capture), Some(Shown::new(view)));
            }
            Err(error) => drop(failed.try_send(CaptureEvent::Failed(error))),
        }
        self.pause_unless_permitted();
    }

    /// Opens pointer, keyboard and the watcher for the person, once the viewer may drive. What cannot be opened is told.
    fn open_hands(&mut self) {
        if !self.permissions.may_control() {
            return;
        }
        if self.takeover.is_none() {
            match tokio::task::block_in_place(|| Takeover::start(self.screen.clone(), self.nudged.clone())) {
                Ok(takeover) => self.takeover = Some(takeover),
                Err(error) => {
                    self.warn(format!("moving your mouse will not take control back ({error}); type: revoke control"));
                }
            }
        }
        if self.inject.is_none() {
            match tokio::task::block_in_place(|| Inject::start(self.screen.clone())) {
                Ok(inject) => self.inject = Some(inject),
                Err(error) => self.warn(format!("{} can only watch: {error}", self.viewer)),
            }
        }
    }

    /// Tells the viewer where it stands.
    fn announce(&mut self) {
        let _ = self.driver.send(Message::Permissions(self.permissions));
        self.announce_screens();
        self.announce_holder();
    }

    fn announce_screens(&mut self) {
        let Some(screens) = self.shown.as_ref().map(Shown::screens) else { return };
        let _ = self.driver.send(Message::Screens(screens.clone()));
        self.tell(HostEvent::Screens { session: self.name.clone(), screens: screens.into() });
    }

    /// Until it ends.
    async fn live(
        &mut self,
        mut lanes: Gathering,
        mut commands: mpsc::Receiver<Command>,
        mut captures: mpsc::Receiver<CaptureEvent>,
        mut nudges: mpsc::Receiver<Nudge>,
    ) -> EndReason {
        loop {
            // The person at the machine comes first, the picture last.
            tokio::select! {
                biased;
                Some(Nudge) = nudges.recv() => self.take_control(),
                () = self.face.flush(), if self.face.is_waiting() => {}
                command = commands.recv() => match command {
                    Some(Command::Lane { path, kind, transport, lane, open }) => {
                        if let Some(opened) = lanes.add(path, kind, transport, lane, open) {
                            self.attach(opened).await;
                        }
                    }
                    Some(Command::PathDown(path)) => {
                        lanes.forget(path);
                        self.transports.remove(&path);
                        self.driver.path_down(path);
                    }
                    Some(command) => self.command(command),
                    None => self.driver.end(EndReason::HostQuit),
                },
                event = self.driver.next() => {
                    if let Some(reason) = self.event(event) {
                        return reason;
                    }
                }
                reply = self.files.next() => {
                    self.files.replied(reply, &mut self.driver);
                    self.tell_files();
                }
                Some(captured) = captures.recv() => self.captured(captured),
            }
        }
    }

    /// Uses a path. One that is in use stays as it is, whoever knows its first packets.
    async fn attach(&mut self, opened: Opened) {
        if self.driver.has(opened.path) {
            return;
        }
        self.node.keep(opened.path, true).await;
        self.transports.insert(opened.path, opened.transport);
        self.driver.attach(opened.path, opened.kind, opened.transport.carrier(), opened.lanes);
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Lane { .. } | Command::PathDown(_) => {}
            Command::Chat(text) => {
                if self.driver.send(Message::Chat(text.clone())).is_err() {
                    return self.warn(format!("{} cannot be reached now; say it again later", self.viewer));
                }
                self.tell_chat(Side::Host, text);
            }
            Command::Send(paths) => self.files.send(paths),
            Command::Cancel(number) => self.cancel_file(number),
            Command::Stats => self.tell_figures(),
            Command::Allow(permissions) => self.allow(&permissions),
            Command::TakeControl => {
                self.given = None;
                self.take_control();
            }
            Command::GiveControl if self.permissions.may_control() => self.give_control(),
            Command::GiveControl => self.allow(&[Permission::Mouse, Permission::Keyboard]),
            Command::Revoke(permissions) => {
                permissions.iter().for_each(|permission| self.permissions.remove(*permission));
                self.permissions = self.permissions.without_blind();
                self.changed_permissions();
            }
            Command::End(reason) => {
                // Nothing that came before is done any more.
                self.halt();
                self.holder = Holder::Local;
                self.driver.end(reason);
            }
        }
    }

    fn allow(&mut self, permissions: &[Permission]) {
        permissions.iter().for_each(|permission| self.permissions.insert(*permission));
        self.permissions = self.permissions.with_view();
        self.changed_permissions();
        if permissions.iter().any(|permission| matches!(permission, Permission::Mouse | Permission::Keyboard)) {
            self.give_control();
        }
    }

    fn give_control(&mut self) {
        self.open_hands();
        if self.inject.is_some() {
            self.given = Some(Instant::now());
            self.set_holder(Holder::Remote);
        }
    }

    fn changed_permissions(&mut self) {
        self.halt();
        self.pause_unless_permitted();
        self.forbid_files_unless_permitted();
        let _ = self.driver.send(Message::Permissions(self.permissions));
        self.tell(HostEvent::Permissions { session: self.name.clone(), permissions: self.permissions, timers: Vec::new() });
        if !self.permissions.may_control() {
            self.set_holder(Holder::Local);
        }
    }

    /// The screen is looked at only for a viewer that may see it.
    fn pause_unless_permitted(&self) {
        if let Some(capture) = &self.capture {
            capture.pause(!self.permissions.contains(Permission::View));
        }
    }

    /// The person moved the mouse. Not counted are the keys with which they gave control away.
    fn take_control(&mut self) {
        let just_given = self.given.is_some_and(|given| given.elapsed() < GIVING);
        if self.holder == Holder::Remote && !just_given {
            self.halt();
            self.set_holder(Holder::Local);
        }
    }

    fn set_holder(&mut self, holder: Holder) {
        if self.holder != holder {
            self.holder = holder;
            self.announce_holder();
        }
    }

    fn announce_holder(&mut self) {
        let _ = self.driver.send(Message::Control(self.holder));
        self.tell(HostEvent::Control { session: self.name.clone(), holder: self.holder });
    }

    /// Lets go of everything the viewer holds.
    fn halt(&self) {
        if let Some(inject) = &self.inject {
            inject.halt();
        }
    }

    fn event(&mut self, event: Event) -> Option<EndReason> {
        match event {
            Event::Message(Message::Input(input)) => self.input(input),
            Event::Message(Message::ShowScreen(choice)) => self.show(choice),
            Event::Message(Message::Aim(view)) => self.shown.iter_mut().for_each(|shown| shown.aim(view)),
            Event::Message(Message::Chat(text)) => {
                self.tell_chat(Side::Viewer, text);
            }
            Event::Message(Message::Lossless(wish)) => self.wish_lossless(wish),
            Event::Message(Message::AskStats) => self.answer_figures(),
            Event::Message(Message::File(message)) => self.file_message(message),
            Event::Bulk(chunk) => self.file_chunk(&chunk),
            Event::WantBulk(room) => {
                self.files.want(room, &mut self.driver);
                self.tell_files();
            }
            // The session lets only a viewer's messages through.
            Event::Message(_) | Event::Picture(_) => {}
            Event::WantPicture(Credit { bytes, rate }) => {
                if let Some(capture) = &self.capture {
                    capture.want_picture(Budget { bytes: usize::try_from(bytes).ok(), rate });
                }
            }
            Event::PathChanged(path, kind) => self.path_changed(path, kind),
            Event::Stalled => {
                self.halt();
                self.pause_files(true);
                self.warn(format!("the connection to {} is interrupted; waiting for it to come back", self.viewer));
            }
            Event::Resumed => {
                self.pause_files(false);
                self.warn(format!("{} is connected again", self.viewer));
            }
            Event::Ended(reason) => return Some(reason),
        }
        None
    }

    fn input(&mut self, input: InputEvent) {
        let needed = if input.is_keyboard() { Permission::Keyboard } else { Permission::Mouse };
        if self.holder == Holder::Remote
            && self.permissions.contains(needed)
            && let Some(inject) = &self.inject
            && let Some(input) = self.shown.as_mut().and_then(|shown| shown.aimed(input))
        {
            inject.send(input);
        }
    }

    fn rtt_ms(&self) -> Option<u64> {
        let (_, _, rtt) = self.driver.current_path()?;
        u64::try_from(rtt?.as_millis()).ok()
    }

    fn path_changed(&mut self, path: PathId, kind: PathKind) {
        let Some(transport) = self.transports.get(&path) else { return };
        let rtt_ms = self.rtt_ms();
        let event = HostEvent::Path {
            session: self.name.clone(),
            kind: kind.name().to_owned(),
            transport: transport.name().to_owned(),
            rtt_ms,
        };
        self.tell(event);
    }

    async fn finish(mut self, reason: EndReason) {
        self.halt();
        let seconds = self.begun.elapsed().as_secs();
        let (files, file_bytes) = self.files.arrived();
        let summary = Summary { picture_bytes: self.figures.picture_bytes(), files, file_bytes, ..Summary::default() };
        self.tell(HostEvent::SessionEnded { session: self.name.clone(), reason, seconds, summary });
        let (capture, inject, takeover) = (self.capture.take(), self.inject.take(), self.takeover.take());
        // Their threads are waited for.
        tokio::task::block_in_place(|| drop((inject, capture, takeover)));
        tokio::join!(self.driver.linger(), self.face.finish());
        for path in self.transports.into_keys() {
            self.node.keep(path, false).await;
        }
    }

    fn tell_chat(&mut self, from: Side, text: String) {
        let (number, at) = self.chat.next(from);
        self.tell(HostEvent::Chat { session: self.name.clone(), from, number, at, text });
    }

    fn warn(&mut self, text: String) {
        self.tell(HostEvent::Warning { text });
    }

    fn tell(&mut self, event: HostEvent) {
        self.face.tell(event);
    }
}
