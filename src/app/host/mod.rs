//! `rs host`: shares this machine's screen with whoever knows the password and is let in by its user.
//!
//! One loop owns everything that changes: who knocks, who is in, what the password is, what the face shows. The [`door`] runs
//! the handshakes, a [`session`] task each session; both talk to the loop over bounded channels.

mod command;
mod consent;
mod door;
mod face;
mod figures;
mod gathering;
mod helm;
mod lanes;
mod network;
mod panel;
mod password;
mod pointing;
mod probes;
mod session;
mod shown;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use libp2p::Multiaddr;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, timeout},
};

use self::{
    command::Command,
    consent::withdrawn,
    door::{Admitted, Door, DoorEvent, Knock},
    lanes::Lanes,
    password::Secret,
    probes::Probes,
};
use super::{
    Failure, control_socket,
    control_socket::{Asked, Reply, Request},
    files::{Files, Place},
    log::{About, HostName, Recorder, ViewerName},
    outlet::Outlet,
    peer_key, relays,
};
use crate::{
    cli::{ExitCode, HostArgs, PasswordKind},
    desktop::capture::{Capture, Options},
    net::{self, Event, Node, Purpose, Transport},
    protocol::{
        auth::{Authenticated, DenyReason, SessionId},
        id::HostId,
        link::Link,
        message::EndReason,
        session::path::{PathId, PathKind},
    },
    store::Store,
    ui::{
        self, HostSeat,
        event::{HostAction, HostEvent, OwnPassword, Reach, Side, Summary, Viewer},
    },
};

/// How long things that come one by one may go on coming before they are told together.
pub(super) const SETTLE: Duration = Duration::from_millis(100);
/// How long a session may take to take what it is told; then it is stuck and ended from outside.
const REACTION: Duration = Duration::from_secs(1);
/// How long sessions may take to tell their viewers that the host quits.
const CLOSING: Duration = Duration::from_secs(5);
/// How many sessions may run at once where nobody is asked (`--yes`).
const SESSIONS: usize = 8;

/// Hosts until the user quits.
///
/// # Errors
/// No usable screen, a state folder that cannot be used, or no network.
pub async fn run(args: HostArgs) -> Result<(), Failure> {
    let faces = face::Faces::choose(&args)?;
    if args.yes && args.password == PasswordKind::None {
        return Err(Failure::new(ExitCode::Usage, "--password none with --yes would let anybody in; leave one of them out"));
    }
    let store = Store::open()?;
    let _lock = store.lock_host()?;
    let config = store.config()?;
    let identity = store.identity()?;
    let screen = Options { backend: args.capture, display: args.display, ..Options::default() };
    check_screen(&screen)?;

    let key = peer_key(&identity);
    let id = tokio::task::block_in_place(|| HostId::of(&key));
    let offered = args.offered();
    let (knocks, door_events) = mpsc::channel(door::WAITING);
    let door = Arc::new(Door::new(identity.clone(), id, store.clone(), offered, knocks));
    let secret = Secret::open(args.password, &store, &door)?;

    let relays = relays::gather(&args.net.relay, &config, &[], &store)?;
    let listen = relays::listen(&args.net.listen, &config)?;
    let (lan, port_mapping) = (!args.net.no_lan, !args.net.no_port_mapping);
    let node_config = net::node::Config { identity, part: net::node::Part::Host, listen, lan, port_mapping, trace: None };
    let (node, network) = net::node::start(node_config).await.map_err(|error| Failure::other(format!("{error:#}")))?;
    let (requests, asked) = mpsc::channel(1);
    control_socket::serve(&store.control_socket(), requests).map_err(|error| {
        Failure::other(format!(
            "the local socket {} cannot be made ({error}); use a shorter RS_HOME",
            store.control_socket().display()
        ))
    })?;
    for relay in relays.addresses() {
        node.use_relay(relay).await?;
    }

    let (events, told) = mpsc::channel(ui::QUEUE);
    let (actions, acted) = mpsc::channel(ui::QUEUE);
    let (panics, panicked) = mpsc::channel(1);
    let shown = faces.run(HostSeat { events: told, actions });
    let link = Link { id, key, relays: relays.texts() };
    let mut host = Host {
        id,
        link,
        screen,
        lossless: args.lossless,
        files: Place { takes_all: true, ..Place::new(args.files, config.files.clone()) },
        yes: args.yes,
        lan,
        resume: config.resume(),
        hand_back: args.hand_back.or(config.hand_back).filter(|seconds| *seconds > 0).map(Duration::from_secs),
        consent_pause: config.consent_pause(),
        panics,
        door,
        secret,
        store,
        relays,
        probes: Probes::new(node.clone(), !args.net.no_probing),
        node,
        face: events.clone(),
        outlet: Outlet::new(events),
        addresses: BTreeSet::new(),
        reserved: BTreeSet::new(),
        reach: None,
        told: None,
        paths: BTreeMap::new(),
        knocks: VecDeque::new(),
        asked: None,
        patience: Instant::now(),
        sessions: BTreeMap::new(),
        running: JoinSet::new(),
    };
    tracing::info!(id = %host.id, "hosting");
    host.live(network, door_events, asked, acted, panicked).await;
    host.close().await;
    drop(host);
    // The face shows the last events and gives the terminal back.
    let _ = timeout(Duration::from_secs(3), shown).await;
    Ok(())
}

/// Opens the screen once, so that a host nobody could see says so at once.
fn check_screen(screen: &Options) -> Result<(), Failure> {
    let (events, _told) = mpsc::channel(8);
    tokio::task::block_in_place(|| Capture::start(screen.clone(), events))
        .map(drop)
        .map_err(|error| Failure::new(ExitCode::NoScreen, error))
}

struct Host {
    id: HostId,
    link: Link,
    screen: Options,
    /// Whether every picture is exact at once.
    lossless: bool,
    files: Place,
    yes: bool,
    lan: bool,
    resume: Duration,
    /// How long a person who took control must be quiet until the viewer has it again.
    hand_back: Option<Duration>,
    /// How long the first yes of all on this machine is not taken.
    consent_pause: Duration,
    /// For the sessions: the person pressed the combination that ends everything.
    panics: mpsc::Sender<u64>,
    door: Arc<Door>,
    secret: Secret,
    store: Store,
    relays: relays::Relays,
    probes: Probes,
    node: Node,
    /// For the sessions.
    face: mpsc::Sender<HostEvent>,
    outlet: Outlet<HostEvent>,
    addresses: BTreeSet<Multiaddr>,
    reserved: BTreeSet<Multiaddr>,
    reach: Option<Reach>,
    /// The addresses that [`HostEvent::Ready`] was last told with.
    told: Option<BTreeSet<Multiaddr>>,
    paths: BTreeMap<PathId, (PathKind, Transport)>,
    /// Who waits for the user's word; the first one is being asked about.
    knocks: VecDeque<Knock>,
    /// The session that the user is being asked about.
    asked: Option<String>,
    /// When a yes to that is taken.
    patience: Instant,
    sessions: BTreeMap<SessionId, Live>,
    /// The sessions' tasks.
    running: JoinSet<()>,
}

/// A running session, as the loop sees it.
struct Live {
    name: String,
    viewer: String,
    auth: Arc<Authenticated>,
    task: AbortHandle,
    begun: Instant,
    /// The number of the password that let it in.
    epoch: u64,
    commands: mpsc::Sender<Command>,
}

impl Host {
    /// Until the user quits.
    async fn live(
        &mut self,
        mut network: mpsc::Receiver<Event>,
        mut door: mpsc::Receiver<DoorEvent>,
        mut asked: mpsc::Receiver<Asked>,
        mut acted: mpsc::Receiver<HostAction>,
        mut panicked: mpsc::Receiver<u64>,
    ) {
        let interrupted = super::interrupted();
        tokio::pin!(interrupted);
        let mut lanes = Lanes::default();
        let settle = tokio::time::sleep(SETTLE);
        tokio::pin!(settle);
        let mut settling = true;
        loop {
            // People first, strangers last. Who was let in is known before their lanes come.
            tokio::select! {
                biased;
                () = &mut interrupted => return,
                Some(epoch) = panicked.recv() => self.panic(epoch).await,
                Some(action) = acted.recv() => {
                    if self.act(action).await {
                        return;
                    }
                }
                Some((request, reply)) = asked.recv() => {
                    let Request::Rotate { permanent, own, keep_sessions } = request;
                    let answer = match self.rotate(permanent, own.as_deref(), keep_sessions).await {
                        Ok(password) => Reply::Rotated(password),
                        Err(failure) => Reply::Failed(failure.text),
                    };
                    let _ = reply.send(answer);
                }
                Some(ended) = self.running.join_next_with_id() => self.ended(ended).await,
                () = self.outlet.flush(), if self.outlet.is_waiting() => {}
                Some(event) = door.recv() => match event {
                    DoorEvent::Knock(knock) => self.knock(knock),
                    DoorEvent::Admitted(admitted) => self.admit(*admitted).await,
                },
                () = withdrawn(self.knocks.front_mut()) => self.withdraw(),
                () = &mut settle, if settling => {
                    settling = false;
                    self.tell_ready();
                }
                Some(opened) = lanes.next() => self.lane(opened).await,
                event = network.recv() => {
                    let Some(event) = event else { return };
                    if let Event::Inbound { path, key, purpose: Purpose::Lane, stream } = event {
                        let theirs = self.sessions.values().filter(|live| live.auth.peer == key && !live.commands.is_closed());
                        lanes.open(path, stream, theirs.map(|live| Arc::clone(&live.auth)).collect());
                    } else if self.network(event).await && !settling {
                        settle.as_mut().reset(Instant::now() + SETTLE);
                        settling = true;
                    }
                }
            }
        }
    }

    /// The user did something. True: quit.
    async fn act(&mut self, action: HostAction) -> bool {
        match action {
            HostAction::Accept(only) => self.answer(Ok(only)),
            HostAction::Deny => self.answer(Err(DenyReason::User)),
            HostAction::Chat(text) => self.command(|| Command::Chat(text.clone())).await,
            HostAction::Send(_) if self.sessions.is_empty() => self.warn("nobody is connected who could get a file".to_owned()),
            HostAction::Send(paths) => self.command(|| Command::Send(paths.clone())).await,
            HostAction::Cancel(number) => self.command(|| Command::Cancel(number)).await,
            HostAction::Stats if self.sessions.is_empty() => self.warn("there is no session that could have figures".to_owned()),
            HostAction::Stats => self.command(|| Command::Stats).await,
            HostAction::Allow(permissions, lasting) => self.command(|| Command::Allow(permissions.clone(), lasting)).await,
            HostAction::TakeControl => self.command(|| Command::TakeControl).await,
            HostAction::GiveControl => self.command(|| Command::GiveControl).await,
            HostAction::Revoke(permissions) => self.command(|| Command::Revoke(permissions.clone())).await,
            HostAction::Pause(is_paused) => self.pause(is_paused).await,
            HostAction::End => self.command(|| Command::End(EndReason::HostEnded)).await,
            HostAction::Rotate => self.change_password(false, None).await,
            HostAction::OwnPassword(OwnPassword(own)) => self.change_password(true, Some(&own)).await,
            HostAction::Quit => return true,
        }
        false
    }

    /// Somebody is in: their lanes come next. Unless the password was changed since: then they never were.
    async fn admit(&mut self, admitted: Admitted) {
        let Admitted { session: name, auth, viewer, epoch } = admitted;
        if epoch != self.secret.epoch() {
            return self.warn(format!("{} came with the old password and was not let in", viewer.name));
        }
        if !self.yes {
            self.send_away(DenyReason::Full);
        }
        let (commands, told) = mpsc::channel(64);
        let (id, auth) = (auth.session, Arc::new(auth));
        let task = self.running.spawn(session::run(session::Start {
            name: name.clone(),
            viewer: viewer.clone(),
            permissions: auth.permissions,
            screen: self.screen.clone(),
            lossless: self.lossless,
            files: Files::new(Side::Host, auth.peer, self.files.clone()),
            resume: self.resume,
            hand_back: self.hand_back,
            epoch,
            panics: self.panics.clone(),
            commands: told,
            face: self.recorded(auth.session, &viewer),
            node: self.node.clone(),
        }));
        let live = Live { name, viewer: viewer.name, auth, task, begun: Instant::now(), epoch, commands };
        self.sessions.insert(id, live);
        self.node.hurry(true).await;
    }

    /// The way to the face, past the log of this session.
    fn recorded(&self, session: SessionId, viewer: &Viewer) -> Outlet<HostEvent> {
        let host = HostName { id: self.id.to_string(), name: None };
        let viewer = ViewerName { name: viewer.name.clone(), key: viewer.key.clone() };
        let mut recorder = Recorder::start(&self.store, About { session, side: Side::Host, host, viewer, path: None });
        Outlet::watched(self.face.clone(), Box::new(move |event| recorder.host(event)))
    }

    /// A session is over: its secret goes, and with it a one-time password that was used.
    async fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, ())| *task);
        let Some(id) = self.sessions.iter().find(|(_, live)| live.task.id() == task).map(|(id, _)| *id) else { return };
        let Some(live) = self.sessions.remove(&id) else { return };
        self.node.hurry(!self.sessions.is_empty()).await;
        if let Err(error) = ended {
            tracing::error!(%error, "a session broke");
            self.warn(format!("the session with {} broke and is over; start rs with RS_LOG=debug to see why", live.viewer));
            let seconds = live.begun.elapsed().as_secs();
            let summary = Summary::default();
            self.tell(HostEvent::SessionEnded { session: live.name, reason: EndReason::Lost, seconds, summary });
        }
        if live.epoch == self.secret.epoch()
            && self.secret.is_one_time()
            && let Err(failure) = self.rotate(false, None, true).await
        {
            self.warn(failure.text);
        }
    }

    /// As the user asked for in a face.
    async fn change_password(&mut self, permanent: bool, own: Option<&str>) {
        if let Err(failure) = self.rotate(permanent, own, false).await {
            self.warn(failure.text);
        }
    }

    /// The old password is dead when this returns, and with it whoever proved it but waits for the user's word.
    async fn rotate(&mut self, permanent: bool, own: Option<&str>, keep_sessions: bool) -> Result<String, Failure> {
        let password = self.secret.rotate(permanent, own, &self.store, &self.door)?;
        self.send_away(DenyReason::PasswordRotated);
        if !keep_sessions {
            self.command(|| Command::End(EndReason::PasswordRotated)).await;
        }
        self.tell(HostEvent::PasswordRotated { password: password.clone() });
        Ok(password)
    }

    /// The person pressed the combination that ends everything: no session goes on, and the password is another one.
    async fn panic(&mut self, epoch: u64) {
        // Each session's watcher saw the keys; the first of them did it for all.
        if epoch < self.secret.epoch() {
            return;
        }
        self.send_away(DenyReason::User);
        self.command(|| Command::End(EndReason::HostEnded)).await;
        match self.rotate(false, None, true).await {
            Ok(_) => self.warn("Ctrl+Alt+Shift+Escape: everything is ended, and the password is a new one".to_owned()),
            Err(failure) => self.warn(format!("Ctrl+Alt+Shift+Escape: everything is ended; {}", failure.text)),
        }
    }

    /// Tells every session. One that does not listen any more is stuck: it is ended from outside.
    async fn command(&self, command: impl Fn() -> Command) {
        for live in self.sessions.values() {
            live.command(command()).await;
        }
    }

    /// Ends every session and waits until they said so.
    async fn close(&mut self) {
        self.send_away(DenyReason::User);
        self.command(|| Command::End(EndReason::HostQuit)).await;
        let _ = timeout(CLOSING, async { while self.running.join_next().await.is_some() {} }).await;
        let _ = std::fs::remove_file(self.store.control_socket());
        self.node.stop().await;
        self.outlet.finish().await;
    }

    fn warn(&mut self, text: String) {
        self.tell(HostEvent::Warning { text });
    }

    fn tell(&mut self, event: HostEvent) {
        self.outlet.tell(event);
    }
}

impl Live {
    async fn command(&self, command: Command) {
        if timeout(REACTION, self.commands.send(command)).await.is_err() {
            self.task.abort();
        }
    }
}
