//! `rs host`: shares this machine's screen with whoever knows the password and is let in by its user.
//!
//! One loop owns everything that changes: who knocks, who is in, what the password is, what the face shows. The [`door`] runs
//! the handshakes, a [`session`] task each session; both talk to the loop over bounded channels.

mod door;
mod face;
mod password;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::io::AsyncWriteExt;
use libp2p::Multiaddr;
use rand::rngs::OsRng;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use self::{
    door::{Admitted, Door, DoorEvent, Knock},
    password::Secret,
};
use super::{
    Failure, control_socket,
    control_socket::{Asked, Reply, Request},
    display_name,
    driver::OpenLane,
    packets, peer_key, relays,
};
use crate::{
    cli::{ExitCode, HostArgs, PasswordKind},
    desktop::capture::{Capture, Options},
    net::{self, Event, Node, Purpose, Stream, Transport},
    protocol::{
        auth::{Authenticated, DenyReason, SessionId},
        id::HostId,
        lane::{self, Lane},
        link::Link,
        message::EndReason,
        session::path::{PathId, PathKind},
    },
    store::Store,
    ui::{
        self, HostSeat,
        event::{HostAction, HostEvent, Reach},
    },
};

/// How long things that come one by one may go on coming before they are told together.
pub(super) const SETTLE: Duration = Duration::from_millis(100);
/// How long the peer may take to open a lane it began.
const LANE: Duration = Duration::from_secs(10);
/// How long sessions may take to tell their viewers that the host quits.
const CLOSING: Duration = Duration::from_secs(5);
/// How many sessions may run at once where nobody is asked (`--yes`).
const SESSIONS: usize = 8;

/// Hosts until the user quits.
///
/// # Errors
/// No usable screen, a state folder that cannot be used, or no network.
pub async fn run(args: HostArgs) -> Result<(), Failure> {
    let face = face::Face::choose(&args)?;
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
    let node_config = net::node::Config { identity, part: net::node::Part::Host, listen, lan: !args.net.no_lan };
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
    let shown = face.run(HostSeat { events: told, actions });
    let link = Link { id, key, relays: relays.texts() };
    let mut host = Host {
        id,
        link,
        screen,
        yes: args.yes,
        lan: !args.net.no_lan,
        resume: config.resume(),
        door,
        secret,
        store,
        relays,
        node,
        face: events,
        addresses: BTreeSet::new(),
        reserved: BTreeSet::new(),
        reach: None,
        told: None,
        paths: BTreeMap::new(),
        knocks: VecDeque::new(),
        sessions: BTreeMap::new(),
        running: JoinSet::new(),
    };
    tracing::info!(name = display_name(None), "hosting");
    host.live(network, door_events, asked, acted).await;
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
    yes: bool,
    lan: bool,
    resume: Duration,
    door: Arc<Door>,
    secret: Secret,
    store: Store,
    relays: relays::Relays,
    node: Node,
    face: mpsc::Sender<HostEvent>,
    addresses: BTreeSet<Multiaddr>,
    reserved: BTreeSet<Multiaddr>,
    reach: Option<Reach>,
    /// The addresses that [`HostEvent::Ready`] was last told with.
    told: Option<BTreeSet<Multiaddr>>,
    paths: BTreeMap<PathId, (PathKind, Transport)>,
    /// Who waits for the user's word; the first one is being asked about.
    knocks: VecDeque<Knock>,
    sessions: BTreeMap<SessionId, Live>,
    /// The sessions' tasks; each gives its session when it is over.
    running: JoinSet<SessionId>,
}

/// A running session, as the loop sees it.
struct Live {
    auth: Arc<Authenticated>,
    /// The number of the password that let it in.
    epoch: u64,
    commands: mpsc::Sender<session::Command>,
}

impl Host {
    /// Until the user quits.
    async fn live(
        &mut self,
        mut network: mpsc::Receiver<Event>,
        mut door: mpsc::Receiver<DoorEvent>,
        mut asked: mpsc::Receiver<Asked>,
        mut acted: mpsc::Receiver<HostAction>,
    ) {
        let interrupted = super::interrupted();
        tokio::pin!(interrupted);
        let mut lanes = JoinSet::new();
        let settle = tokio::time::sleep(SETTLE);
        tokio::pin!(settle);
        let mut settling = true;
        loop {
            tokio::select! {
                () = &mut interrupted => return,
                Some(action) = acted.recv() => {
                    if self.act(action).await {
                        return;
                    }
                }
                Some(event) = door.recv() => match event {
                    DoorEvent::Knock(knock) => self.knock(knock).await,
                    DoorEvent::Admitted(admitted) => self.admit(*admitted),
                },
                Some((request, reply)) = asked.recv() => {
                    let Request::Rotate { permanent, own, keep_sessions } = request;
                    let answer = match self.rotate(permanent, own.as_deref(), keep_sessions).await {
                        Ok(password) => Reply::Rotated(password),
                        Err(failure) => Reply::Failed(failure.text),
                    };
                    let _ = reply.send(answer);
                }
                event = network.recv() => {
                    let Some(event) = event else { return };
                    if let Event::Inbound { path, purpose: Purpose::Lane, stream, .. } = event {
                        let sessions = self.sessions.values().map(|live| Arc::clone(&live.auth)).collect();
                        lanes.spawn(timeout(LANE, open_lane(path, stream, sessions)));
                    } else if self.network(event).await && !settling {
                        settle.as_mut().reset(tokio::time::Instant::now() + SETTLE);
                        settling = true;
                    }
                }
                Some(lane) = lanes.join_next() => {
                    if let Ok(Ok(Some((path, session, lane, open)))) = lane {
                        self.lane(path, session, lane, open).await;
                    }
                }
                Some(session) = self.running.join_next() => {
                    if let Ok(session) = session {
                        self.ended(session).await;
                    }
                }
                () = &mut settle, if settling => {
                    settling = false;
                    self.tell_ready().await;
                }
            }
            self.withdraw_knocks().await;
        }
    }

    /// The user did something. True: quit.
    async fn act(&mut self, action: HostAction) -> bool {
        match action {
            HostAction::Accept => self.answer(true).await,
            HostAction::Deny => self.answer(false).await,
            HostAction::Chat(text) => self.command(|| session::Command::Chat(text.clone())).await,
            HostAction::Allow(permissions) => self.command(|| session::Command::Allow(permissions.clone())).await,
            HostAction::Revoke(permissions) => self.command(|| session::Command::Revoke(permissions.clone())).await,
            HostAction::End => self.command(|| session::Command::End(EndReason::HostEnded)).await,
            HostAction::Rotate => {
                if let Err(failure) = self.rotate(false, None, false).await {
                    self.warn(failure.text).await;
                }
            }
            HostAction::Quit => return true,
        }
        false
    }

    /// Somebody proved the password: ask the user, one at a time.
    async fn knock(&mut self, knock: Knock) {
        // A person looks after one visitor at a time: a question must never slip under the keys of a running chat.
        let room = if self.yes { self.sessions.len() < SESSIONS } else { self.sessions.is_empty() };
        if !room || self.knocks.len() >= door::WAITING {
            let _ = knock.answer.send(Err(DenyReason::Full));
            return;
        }
        if self.yes {
            let _ = knock.answer.send(Ok(knock.wants));
            return;
        }
        self.knocks.push_back(knock);
        if self.knocks.len() == 1 {
            self.ask().await;
        }
    }

    async fn ask(&self) {
        if let Some(knock) = self.knocks.front() {
            let (session, viewer, wants) = (knock.session.clone(), knock.viewer.clone(), knock.wants);
            self.tell(HostEvent::Request { session, viewer, wants }).await;
        }
    }

    /// Questions whose viewer left are no questions any more.
    async fn withdraw_knocks(&mut self) {
        while let Some(knock) = self.knocks.front()
            && knock.answer.is_closed()
        {
            let text = format!("{} is no longer waiting", knock.viewer.name);
            self.knocks.pop_front();
            self.warn(text).await;
            self.ask().await;
        }
    }

    async fn answer(&mut self, yes: bool) {
        let Some(knock) = self.knocks.pop_front() else {
            return self.warn("nobody is asking to come in".to_owned()).await;
        };
        let _ = knock.answer.send(if yes { Ok(knock.wants) } else { Err(DenyReason::User) });
        if yes {
            for other in self.knocks.drain(..) {
                let _ = other.answer.send(Err(DenyReason::Full));
            }
        }
        self.ask().await;
    }

    /// Somebody is in: their lanes come next.
    fn admit(&mut self, admitted: Admitted) {
        let Admitted { session: name, auth, viewer, epoch } = admitted;
        let (commands, told) = mpsc::channel(64);
        let (id, auth) = (auth.session, Arc::new(auth));
        let start = session::Start {
            name,
            auth: Arc::clone(&auth),
            viewer,
            screen: self.screen.clone(),
            resume: self.resume,
            commands: told,
            face: self.face.clone(),
            node: self.node.clone(),
        };
        self.sessions.insert(id, Live { auth, epoch, commands });
        self.running.spawn(async move {
            session::run(start).await;
            id
        });
    }

    /// A session is over: its secret goes, and with it a one-time password that was used.
    async fn ended(&mut self, session: SessionId) {
        let current = self.sessions.remove(&session).is_some_and(|live| live.epoch == self.secret.epoch());
        if current
            && self.secret.is_one_time()
            && let Err(failure) = self.rotate(false, None, true).await
        {
            self.warn(failure.text).await;
        }
    }

    /// The old password is dead when this returns.
    async fn rotate(&mut self, permanent: bool, own: Option<&str>, keep_sessions: bool) -> Result<String, Failure> {
        let password = self.secret.rotate(permanent, own, &self.store, &self.door)?;
        if !keep_sessions {
            self.command(|| session::Command::End(EndReason::PasswordRotated)).await;
        }
        self.tell(HostEvent::PasswordRotated { password: password.clone() }).await;
        Ok(password)
    }

    /// Tells every session.
    async fn command(&self, command: impl Fn() -> session::Command) {
        for live in self.sessions.values() {
            let _ = live.commands.send(command()).await;
        }
    }

    /// The network did something. True: how others reach us changed.
    async fn network(&mut self, event: Event) -> bool {
        match event {
            Event::Listening(address) => return self.addresses.insert(address),
            Event::NotListening(address) => return self.addresses.remove(&address),
            Event::Reserved(relay) => return self.reserved.insert(relay),
            Event::ReservationLost(relay) => return self.reserved.remove(&relay),
            Event::RelayUp { relay, key } => self.relays.learned(&relay, key, &self.store),
            Event::RelayDown { relay, reason } => {
                let text = format!("the relay {} is out of reach now ({reason}); trying again", self.relays.name(&relay));
                self.warn(text).await;
            }
            Event::RelayChanged(relay) => {
                let text = relays::changed(&self.relays.name(&relay));
                self.warn(text).await;
            }
            Event::Discovered { .. } => {}
            Event::PathUp { path, kind, transport, .. } => {
                self.paths.insert(path, (kind, transport));
            }
            Event::PathDown(path) => {
                self.paths.remove(&path);
                self.command(|| session::Command::PathDown(path)).await;
            }
            Event::Inbound { path, purpose: Purpose::Auth, stream, .. } => self.door.answer(path, stream),
            Event::Inbound { purpose: Purpose::Lane, .. } => {}
        }
        false
    }

    async fn lane(&self, path: PathId, session: SessionId, lane: Lane, open: OpenLane) {
        let (Some(live), Some((kind, transport))) = (self.sessions.get(&session), self.paths.get(&path)) else { return };
        let command = session::Command::Lane { path, kind: *kind, transport: *transport, lane, open };
        let _ = live.commands.send(command).await;
    }

    /// Tells how others reach this host, when that changed.
    async fn tell_ready(&mut self) {
        if self.addresses.is_empty() && self.told.is_none() {
            return;
        }
        if self.told.as_ref() != Some(&self.addresses) {
            self.told = Some(self.addresses.clone());
            self.tell(HostEvent::Ready {
                id: self.id.to_string(),
                password: self.secret.shown(),
                link: self.link.to_string(),
                listen: self.addresses.iter().map(ToString::to_string).collect(),
            })
            .await;
        }
        let reach = if !self.reserved.is_empty() {
            Reach::Relayed
        } else if self.lan {
            Reach::Lan
        } else {
            Reach::Direct
        };
        if self.reach.replace(reach) != Some(reach) {
            self.tell(HostEvent::Reachable { kind: reach }).await;
        }
    }

    /// Ends every session and waits until they said so.
    async fn close(&mut self) {
        self.command(|| session::Command::End(EndReason::HostQuit)).await;
        let _ = timeout(CLOSING, async { while self.running.join_next().await.is_some() {} }).await;
        let _ = std::fs::remove_file(self.store.control_socket());
    }

    async fn warn(&self, text: String) {
        self.tell(HostEvent::Warning { text }).await;
    }

    async fn tell(&self, event: HostEvent) {
        let _ = self.face.send(event).await;
    }
}

/// The host's side of opening a lane; only a session's own peer gets through.
async fn open_lane(
    path: PathId,
    mut stream: Stream,
    sessions: Vec<Arc<Authenticated>>,
) -> Option<(PathId, SessionId, Lane, OpenLane)> {
    let packet = packets::read(&mut stream, crate::protocol::auth::MAX_MESSAGE).await.ok()??;
    let (session, which) = lane::addressed(&packet).ok()?;
    let Some(auth) = sessions.into_iter().find(|auth| auth.session == session) else {
        // Closing tells the viewer at once that this session is over.
        let _ = stream.close().await;
        return None;
    };
    let (answer, sealer, opener) = lane::accept(&auth, &packet, &mut OsRng).ok()?;
    packets::write(&mut stream, &answer).await.ok()?;
    Some((path, session, which, OpenLane { stream, sealer, opener }))
}
