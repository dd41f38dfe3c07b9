//! One session at the host: the driver, the screen, the pointer and keyboard, and the person who always wins.
//!
//! Permissions are enforced here, where the action happens. Control goes to the person at the machine at their first nudge and
//! comes back only by their word. Held keys are let go whenever the session stalls, ends or loses control.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::SETTLE;
use crate::{
    app::driver::{Driver, OpenLane},
    desktop::{
        capture::{Capture, CaptureEvent, Options},
        inject::Inject,
        takeover::{Nudge, Takeover},
    },
    net::{Node, Transport},
    protocol::{
        auth::Authenticated,
        input::InputEvent,
        message::{EndReason, Holder, Message},
        permission::{Permission, Permissions},
        session::{
            Event, Lane, Role,
            path::{PathId, PathKind},
        },
    },
    ui::event::{HostEvent, Side, Viewer},
};

/// How long an admitted viewer may take to open its lanes.
const FIRST_LANES: Duration = Duration::from_secs(20);

/// What the host tells a session.
pub(super) enum Command {
    /// A lane was opened on a path.
    Lane { path: PathId, kind: PathKind, transport: Transport, lane: Lane, open: OpenLane },
    /// The path's connection is gone.
    PathDown(PathId),
    /// The user says something.
    Chat(String),
    /// The user gives permissions; what was granted already gives control back.
    Allow(Vec<Permission>),
    /// The user takes permissions away.
    Revoke(Vec<Permission>),
    /// The session is over.
    End(EndReason),
}

/// What a session is started with.
pub(super) struct Start {
    pub(super) name: String,
    pub(super) auth: Arc<Authenticated>,
    pub(super) viewer: Viewer,
    pub(super) screen: Options,
    pub(super) resume: Duration,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) face: mpsc::Sender<HostEvent>,
    pub(super) node: Node,
}

/// Lives a session from the first lane to the end.
pub(super) async fn run(start: Start) {
    let Start { name, auth, viewer, screen, resume, mut commands, face, node } = start;
    let mut lanes = Lanes::default();
    let first = tokio::time::timeout(FIRST_LANES, async {
        loop {
            match commands.recv().await? {
                Command::Lane { path, kind, transport, lane, open } => {
                    if let Some(pair) = lanes.add(path, kind, transport, lane, open) {
                        return Some(pair);
                    }
                }
                Command::End(_) => return None,
                Command::PathDown(_) | Command::Chat(_) | Command::Allow(_) | Command::Revoke(_) => {}
            }
        }
    });
    let Ok(Some(pair)) = first.await else {
        let text = format!("{} left before the session began", viewer.name);
        let _ = face.send(HostEvent::Warning { text }).await;
        return;
    };
    let permissions = auth.permissions;
    let started = HostEvent::SessionStarted { session: name.clone(), viewer: viewer.clone(), permissions };
    let _ = face.send(started).await;

    let (captured, captures) = mpsc::channel(64);
    let (nudged, nudges) = mpsc::channel(4);
    let mut session = HostSession {
        name,
        viewer: viewer.name,
        face,
        node,
        driver: Driver::new(Role::Host, resume),
        permissions,
        holder: if permissions.may_control() { Holder::Remote } else { Holder::Local },
        capture: None,
        inject: None,
        takeover: None,
        pointed: None,
        transports: BTreeMap::new(),
        begun: Instant::now(),
    };
    session.open_desktop(screen, captured, nudged).await;
    session.attach(pair).await;
    session.announce().await;
    let reason = session.live(lanes, commands, captures, nudges).await;
    session.finish(reason).await;
}

/// A path with both lanes open.
struct Pair {
    path: PathId,
    kind: PathKind,
    transport: Transport,
    control: OpenLane,
    video: OpenLane,
}

/// Lanes that wait for their partner; a path has two.
#[derive(Default)]
struct Lanes {
    waiting: BTreeMap<PathId, (Lane, OpenLane)>,
}

impl Lanes {
    fn add(&mut self, path: PathId, kind: PathKind, transport: Transport, lane: Lane, open: OpenLane) -> Option<Pair> {
        let (control, video) = match (self.waiting.remove(&path), lane) {
            (Some((Lane::Video, video)), Lane::Control) => (open, video),
            (Some((Lane::Control, control)), Lane::Video) => (control, open),
            // The first of the two, or the same one again: the newer one counts.
            (_, lane) => {
                self.waiting.insert(path, (lane, open));
                return None;
            }
        };
        Some(Pair { path, kind, transport, control, video })
    }
}

struct HostSession {
    name: String,
    viewer: String,
    face: mpsc::Sender<HostEvent>,
    node: Node,
    driver: Driver,
    permissions: Permissions,
    holder: Holder,
    capture: Option<Capture>,
    inject: Option<Inject>,
    takeover: Option<Takeover>,
    /// Where the viewer's last motion put the pointer.
    pointed: Option<(u16, u16)>,
    transports: BTreeMap<PathId, Transport>,
    begun: Instant,
}

impl HostSession {
    /// Opens screen, input and takeover. What cannot be opened is told; without a screen the session ends at once.
    async fn open_desktop(&mut self, screen: Options, captured: mpsc::Sender<CaptureEvent>, nudged: mpsc::Sender<Nudge>) {
        let failed = captured.clone();
        let may_control = self.permissions.may_control();
        let (capture, inject, takeover) = tokio::task::block_in_place(|| {
            let capture = Capture::start(screen.clone(), captured);
            (capture, may_control.then(|| Inject::start(screen.clone())), may_control.then(|| Takeover::start(screen, nudged)))
        });
        match capture {
            Ok((capture, _)) => self.capture = Some(capture),
            Err(error) => {
                let _ = failed.try_send(CaptureEvent::Failed(error));
            }
        }
        match inject.transpose() {
            Ok(inject) => self.inject = inject,
            Err(error) => self.warn(format!("{} can only watch: {error}", self.viewer)).await,
        }
        match takeover.transpose() {
            Ok(takeover) => self.takeover = takeover,
            Err(error) => self.warn(format!("moving your mouse will not take control back ({error}); type: revoke control")).await,
        }
    }

    /// Tells the viewer where it stands.
    async fn announce(&mut self) {
        let _ = self.driver.send(Message::Permissions(self.permissions));
        let _ = self.driver.send(Message::Control(self.holder));
        let control = HostEvent::Control { session: self.name.clone(), holder: self.holder };
        self.tell(control).await;
    }

    /// Until it ends.
    async fn live(
        &mut self,
        mut lanes: Lanes,
        mut commands: mpsc::Receiver<Command>,
        mut captures: mpsc::Receiver<CaptureEvent>,
        mut nudges: mpsc::Receiver<Nudge>,
    ) -> EndReason {
        loop {
            // The person at the machine comes first, the picture last.
            tokio::select! {
                biased;
                Some(Nudge) = nudges.recv() => self.take_control().await,
                command = commands.recv() => match command {
                    Some(Command::Lane { path, kind, transport, lane, open }) => {
                        if let Some(pair) = lanes.add(path, kind, transport, lane, open) {
                            self.attach(pair).await;
                        }
                    }
                    Some(command) => self.command(command).await,
                    None => self.driver.end(EndReason::HostQuit),
                },
                event = self.driver.next() => {
                    if let Some(reason) = self.event(event).await {
                        return reason;
                    }
                }
                Some(captured) = captures.recv() => self.captured(captured).await,
            }
        }
    }

    async fn attach(&mut self, pair: Pair) {
        self.node.keep(pair.path, true).await;
        self.transports.insert(pair.path, pair.transport);
        self.driver.attach(pair.path, pair.kind, pair.control, pair.video);
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Lane { .. } => {}
            Command::PathDown(path) => {
                self.transports.remove(&path);
                self.driver.path_down(path);
            }
            Command::Chat(text) => {
                if self.driver.send(Message::Chat(text.clone())).is_err() {
                    return self.warn(format!("{} cannot be reached now; say it again later", self.viewer)).await;
                }
                self.tell(HostEvent::Chat { session: self.name.clone(), from: Side::Host, text }).await;
            }
            Command::Allow(permissions) => self.allow(permissions).await,
            Command::Revoke(permissions) => {
                permissions.iter().for_each(|permission| self.permissions.remove(*permission));
                // Whoever may not see must not act blindly.
                if !self.permissions.contains(Permission::View) {
                    self.permissions = Permissions::NONE;
                }
                self.changed_permissions().await;
            }
            Command::End(reason) => self.driver.end(reason),
        }
    }

    async fn allow(&mut self, permissions: Vec<Permission>) {
        permissions.iter().for_each(|permission| self.permissions.insert(*permission));
        if self.permissions.may_control() {
            self.permissions.insert(Permission::View);
        }
        self.changed_permissions().await;
        let driving = permissions.iter().any(|permission| *permission != Permission::View);
        if driving && self.inject.is_some() {
            self.set_holder(Holder::Remote).await;
        }
    }

    async fn changed_permissions(&mut self) {
        let _ = self.driver.send(Message::Permissions(self.permissions));
        self.tell(HostEvent::Permissions { session: self.name.clone(), permissions: self.permissions }).await;
        self.halt();
        if !self.permissions.may_control() {
            self.set_holder(Holder::Local).await;
        }
        if let Some(capture) = &self.capture {
            capture.pause(!self.permissions.contains(Permission::View));
        }
    }

    /// The person moved the mouse.
    async fn take_control(&mut self) {
        if self.holder == Holder::Remote {
            self.halt();
            self.set_holder(Holder::Local).await;
        }
    }

    async fn set_holder(&mut self, holder: Holder) {
        if self.holder != holder {
            self.holder = holder;
            let _ = self.driver.send(Message::Control(holder));
            self.tell(HostEvent::Control { session: self.name.clone(), holder }).await;
        }
    }

    /// Lets go of everything the viewer holds.
    fn halt(&self) {
        if let Some(inject) = &self.inject {
            inject.halt();
        }
    }

    async fn event(&mut self, event: Event) -> Option<EndReason> {
        match event {
            Event::Message(Message::Input(input)) => self.input(input),
            Event::Message(Message::Chat(text)) => {
                self.tell(HostEvent::Chat { session: self.name.clone(), from: Side::Viewer, text }).await;
            }
            // The session lets only a viewer's messages through.
            Event::Message(_) | Event::Picture(_) => {}
            Event::WantPicture => {
                if let Some(capture) = &self.capture {
                    capture.want_picture();
                }
            }
            Event::PathChanged(path, kind) => self.path_changed(path, kind).await,
            Event::Stalled => {
                self.halt();
                self.warn(format!("the connection to {} is interrupted; waiting for it to come back", self.viewer)).await;
            }
            Event::Resumed => self.warn(format!("{} is connected again", self.viewer)).await,
            Event::Ended(reason) => return Some(reason),
        }
        None
    }

    fn input(&mut self, input: InputEvent) {
        let needed = if input.is_keyboard() { Permission::Keyboard } else { Permission::Mouse };
        if self.holder == Holder::Remote
            && self.permissions.contains(needed)
            && let Some(inject) = &self.inject
        {
            if let InputEvent::Motion { x, y } = input {
                self.pointed = Some((x, y));
            }
            inject.send(input);
        }
    }

    async fn path_changed(&mut self, path: PathId, kind: PathKind) {
        let Some(transport) = self.transports.get(&path) else { return };
        let rtt_ms = self.driver.current_path().and_then(|(_, _, rtt)| rtt).and_then(|rtt| u64::try_from(rtt.as_millis()).ok());
        let event = HostEvent::Path {
            session: self.name.clone(),
            kind: kind.name().to_owned(),
            transport: transport.name().to_owned(),
            rtt_ms,
        };
        self.tell(event).await;
    }

    async fn captured(&mut self, captured: CaptureEvent) {
        let may_see = self.permissions.contains(Permission::View);
        match captured {
            // Even when the permission went meanwhile: it was taken before that, and the codec's stream has no holes.
            CaptureEvent::Picture(picture) => self.driver.send_picture(picture),
            CaptureEvent::CursorShape(shape) if may_see => drop(self.driver.send(Message::CursorShape(shape))),
            // The echo of the viewer's own motion is no news to it.
            CaptureEvent::CursorPosition { x, y } if may_see && self.pointed != Some((x, y)) => {
                drop(self.driver.send(Message::CursorPosition { x, y }));
            }
            CaptureEvent::CursorShape(_) | CaptureEvent::CursorPosition { .. } => {}
            CaptureEvent::Failed(error) => {
                self.warn(format!("the screen can no longer be shared: {error}")).await;
                self.driver.end(EndReason::ScreenLost);
            }
        }
    }

    async fn finish(mut self, reason: EndReason) {
        self.halt();
        self.capture = None;
        self.inject = None;
        self.takeover = None;
        let seconds = self.begun.elapsed().as_secs();
        let ended = HostEvent::SessionEnded { session: self.name.clone(), reason, seconds };
        self.tell(ended).await;
        let (node, paths) = (self.node.clone(), std::mem::take(&mut self.transports));
        self.driver.linger().await;
        // The peer reads the last words before it sees the connection idle out.
        tokio::time::sleep(SETTLE).await;
        for path in paths.into_keys() {
            node.keep(path, false).await;
        }
    }

    async fn warn(&self, text: String) {
        self.tell(HostEvent::Warning { text }).await;
    }

    async fn tell(&self, event: HostEvent) {
        let _ = self.face.send(event).await;
    }
}
