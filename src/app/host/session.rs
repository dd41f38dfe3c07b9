//! One session at the host: the driver, the screen ([`picture`]), the pointer and keyboard, and the person who always wins.
//!
//! Permissions are enforced here, where the action happens, and end here when their time is over. Who drives is for the [`Helm`]: the
//! person at the machine takes control at the first touch, before this task hears of it. Held keys are let go whenever the session
//! stalls, ends, loses control or a permission.

mod clipboard;
mod files;
mod permissions;
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
    helm::{Helm, News},
    pointing::Pointing,
    shown::Shown,
};
use crate::{
    app::{
        chat::Chat,
        clipboard::{Part, Sharing},
        driver::Driver,
        files::Files,
        outlet::Outlet,
    },
    desktop::{
        Backend,
        capture::{Capture, CaptureEvent, Options},
    },
    net::{Node, Transport},
    protocol::{
        grants::Grants,
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
    /// How long the person must be quiet until the viewer has control again; `None`: only their word gives it.
    pub(super) hand_back: Option<Duration>,
    /// The number of the password that let it in.
    pub(super) epoch: u64,
    /// Takes that number when the person pressed the combination that ends everything.
    pub(super) panics: mpsc::Sender<u64>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) face: Outlet<HostEvent>,
    pub(super) node: Node,
}

/// Lives a session from the first lane to the end.
pub(super) async fn run(start: Start) {
    let Start { name, viewer, permissions, screen, lossless, files, resume, hand_back, epoch, panics, mut commands, face, node } =
        start;
    let mut face = face;
    let mut lanes = Gathering::default();
    // What the person does meanwhile counts: the viewer is told of an end, and a permission that was taken is not there.
    let mut early = Vec::new();
    let first = tokio::time::timeout(FIRST_LANES, async {
        loop {
            match commands.recv().await? {
                Command::Lane { path, kind, transport, lane, open } => {
                    if let Some(opened) = lanes.add(path, kind, transport, lane, open) {
                        return Some(opened);
                    }
                }
                Command::PathDown(path) => lanes.forget(path),
                command => early.push(command),
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
    let (news, told) = mpsc::channel(4);
    let part = if screen.backend == Backend::Pattern { Part::Nowhere } else { Part::Desktop };
    let (untyped, untypable) = mpsc::channel(1);
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
        clipboard: Sharing::new(Side::Host, part),
        grants: Grants::new(permissions),
        helm: Helm::new(hand_back),
        pointing: Pointing::default(),
        panic: (epoch, panics),
        untyped,
        capture: None,
        shown: None,
        transports: BTreeMap::new(),
        begun: Instant::now(),
    };
    session.open_screen(captured);
    session.watch(news);
    session.open_hands();
    session.clipboard.permit(permissions.contains(Permission::Clipboard));
    session.helm.begin();
    session.attach(opened).await;
    session.announce();
    early.into_iter().for_each(|command| session.command(command));
    let reason = session.live(lanes, commands, captures, told, untypable).await;
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
    clipboard: Sharing,
    grants: Grants,
    helm: Helm,
    pointing: Pointing,
    /// What to tell whom when the person presses the combination that ends everything.
    panic: (u64, mpsc::Sender<u64>),
    untyped: mpsc::Sender<char>,
    capture: Option<Capture>,
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

    /// Watches for the person: for one who takes control back, and also in a session that only shows, for one who ends everything.
    fn watch(&mut self, news: mpsc::Sender<News>) {
        if let Err(error) = tokio::task::block_in_place(|| self.helm.watch(self.screen.clone(), news)) {
            self.warn(format!(
                "your mouse and keyboard will not take control back, nor end everything ({error}); type: take, or end"
            ));
        }
    }

    /// Opens pointer and keyboard, once the viewer may drive. What cannot be opened is told.
    fn open_hands(&mut self) {
        if self.grants.permissions().may_control()
            && let Err(error) = tokio::task::block_in_place(|| self.helm.open_hands(self.screen.clone(), self.untyped.clone()))
        {
            self.warn(format!("{} can only watch: {error}", self.viewer));
        }
    }

    /// Tells the viewer where it stands.
    fn announce(&mut self) {
        self.announce_permissions();
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
        mut news: mpsc::Receiver<News>,
        mut untypable: mpsc::Receiver<char>,
    ) -> EndReason {
        loop {
            let now = Instant::now();
            let due = [self.grants.due(), self.helm.due(), self.pointing.due(now)].into_iter().flatten().min();
            // The person at the machine comes first, the picture last.
            tokio::select! {
                biased;
                Some(news) = news.recv() => self.person(news),
                () = tokio::time::sleep_until(due.unwrap_or(now).into()), if due.is_some() => self.in_time(),
                Some(character) = untypable.recv() => drop(self.driver.send(Message::Untyped(character))),
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
                reply = self.files.next() => self.files.replied(reply, &mut self.driver),
                Some(captured) = captures.recv() => self.captured(captured),
                copied = self.clipboard.next() => self.clipboard.follow(copied, &mut self.driver),
            }
            self.tell_files();
            self.tell_copied();
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
            Command::Allow(permissions, lasting) => self.allow(&permissions, lasting),
            Command::TakeControl => self.take_control(),
            Command::GiveControl if self.grants.permissions().may_control() => self.give_control(),
            Command::GiveControl => self.allow(&[Permission::Mouse, Permission::Keyboard], None),
            Command::Revoke(permissions) => {
                self.grants.revoke(&permissions);
                self.changed_permissions();
            }
            Command::Pause(is_paused) => {
                if self.grants.pause(is_paused) {
                    self.changed_permissions();
                }
            }
            // Nothing that came before is done any more.
            Command::End(reason) => {
                self.helm.take();
                self.driver.end(reason);
            }
        }
    }

    /// What the watcher's thread has done already.
    fn person(&mut self, news: News) {
        match news {
            News::Taken => self.announce_holder(),
            News::Panic => {
                let (epoch, panics) = &self.panic;
                // One that waits already is for all sessions.
                let _ = panics.try_send(*epoch);
                self.driver.end(EndReason::HostEnded);
            }
        }
    }

    /// Something is due: a permission has ended, the person was quiet for long enough, or the face may be told where the viewer points.
    fn in_time(&mut self) {
        let now = Instant::now();
        if self.grants.expire(now) {
            self.changed_permissions();
        }
        if self.helm.settle(now) {
            self.announce_holder();
        }
        if let Some(at) = self.pointing.news(now) {
            self.tell(HostEvent::Pointer { session: self.name.clone(), at });
        }
    }

    /// The viewer points there, if it may and does not drive the pointer itself; else nowhere.
    fn point(&mut self, at: Option<(u16, u16)>) {
        let permissions = self.grants.permissions();
        let drives = self.helm.holder() == Holder::Remote && permissions.contains(Permission::Mouse);
        self.pointing.point(at.filter(|_| permissions.contains(Permission::Point) && !drives));
    }

    fn event(&mut self, event: Event) -> Option<EndReason> {
        match event {
            Event::Message(Message::Input(input)) => self.input(input),
            Event::Message(Message::ShowScreen(choice)) => self.show(choice),
            Event::Message(Message::Aim(view)) => self.shown.iter_mut().for_each(|shown| shown.aim(view)),
            Event::Message(Message::Chat(text)) => {
                self.tell_chat(Side::Viewer, text);
            }
            Event::Message(Message::Clipboard(message)) => self.clipboard.receive(message, &mut self.driver),
            Event::Message(Message::Point { x, y }) => {
                if let Some(place) = self.shown.as_ref().and_then(|shown| shown.pointed_at(x, y)) {
                    self.point(Some(place));
                }
            }
            Event::Message(Message::PointAway) => self.point(None),
            Event::Delivered(number) => self.tell(HostEvent::ChatDelivered { session: self.name.clone(), number }),
            Event::Message(Message::Lossless(wish)) => self.wish_lossless(wish),
            Event::Message(Message::AskStats) => self.answer_figures(),
            Event::Message(Message::File(message)) => self.file_message(message),
            Event::Bulk(chunk) => self.files.chunk(&chunk, &mut self.driver),
            Event::WantBulk(room) => self.files.want(room, &mut self.driver),
            // The session lets only a viewer's messages through.
            Event::Message(_) | Event::Picture(_) => {}
            Event::WantPicture(Credit { bytes, rate }) => {
                if let Some(capture) = &self.capture {
                    capture.want_picture(Budget { bytes: usize::try_from(bytes).ok(), rate });
                }
            }
            Event::PathChanged(path, kind) => self.path_changed(path, kind),
            Event::Stalled => {
                self.helm.halt();
                self.point(None);
                self.files.paused(true);
                self.tell(HostEvent::Stalled { session: self.name.clone(), viewer: self.viewer.clone() });
            }
            Event::Resumed => {
                self.files.paused(false);
                // What was told of timers may have waited for the path.
                if self.grants.due().is_some() {
                    self.announce_permissions();
                }
                self.tell(HostEvent::Resumed { session: self.name.clone(), viewer: self.viewer.clone() });
            }
            Event::Ended(reason) => return Some(reason),
        }
        None
    }

    fn input(&mut self, input: InputEvent) {
        let needed = if input.is_keyboard() { Permission::Keyboard } else { Permission::Mouse };
        if self.helm.holder() == Holder::Remote
            && self.grants.permissions().contains(needed)
            && let Some(input) = self.shown.as_mut().and_then(|shown| shown.aimed(input))
        {
            self.helm.act(input);
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
        self.helm.take();
        let seconds = self.begun.elapsed().as_secs();
        let (files, file_bytes) = self.files.arrived();
        let summary = Summary { picture_bytes: self.figures.picture_bytes(), files, file_bytes, ..Summary::default() };
        self.tell(HostEvent::SessionEnded { session: self.name.clone(), reason, seconds, summary });
        let (capture, helm) = (self.capture.take(), self.helm);
        // Their threads are waited for.
        tokio::task::block_in_place(|| drop((helm, capture)));
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
