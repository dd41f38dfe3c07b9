//! The real node: a task that owns the libp2p `Swarm` and answers the seam of [`crate::net`].
//!
//! The task waits for a command, a swarm event or the next deadline, whichever comes first, and never for the reader of its events:
//! while [`QUEUE`] of them wait it stops taking news from the network, so a flood is held back at the sockets. What is decided is
//! decided in the parts beside this file (relays, dials, presence, lookups, paths, roaming); here they are only connected to libp2p.

mod events;

use std::collections::{HashMap, VecDeque};

use ed25519_dalek::SigningKey;
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, kad,
    multiaddr::Protocol,
    swarm::dial_opts::{DialOpts, PeerCondition},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Command, Event, Node, Purpose, QUEUE, RelayAddress, Stream,
    behaviour::{self, Behaviour},
    dials::{Dials, Failure},
    directory,
    lookups::Lookups,
    nat::Nat,
    paths::Paths,
    portmap::PortMap,
    presence::{Presence, Todo},
    relays::Relays,
    roaming::{self, Roaming},
    trace::Trace,
    transport::Sockets,
};
use crate::protocol::{
    id::{HostId, PeerKey},
    session::path::PathId,
};

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Reserves at relays, publishes itself, takes inbound streams.
    Host,
    /// Dials.
    Viewer,
}

/// How to start.
pub struct Config {
    /// Our identity.
    pub identity: SigningKey,
    /// Host or viewer.
    pub part: Part,
    /// Where to listen; empty: every interface, QUIC and TCP, free ports.
    pub listen: Vec<Multiaddr>,
    /// Whether to use mDNS.
    pub lan: bool,
    /// Whether to ask the router for ports.
    pub port_mapping: bool,
    /// Who wants to know what becomes of every address that is tried.
    pub trace: Option<mpsc::Sender<Trace>>,
}

/// Starts the task on the current tokio runtime.
///
/// # Errors
/// In one line: an address that cannot be listened on, and what to do.
pub async fn start(config: Config) -> anyhow::Result<(Node, mpsc::Receiver<Event>)> {
    let sockets = Sockets::default();
    let mut swarm = behaviour::swarm(&config.identity, config.lan, config.trace, &sockets)?;
    let listeners = match config.listen.is_empty() {
        true => behaviour::listen_everywhere(&mut swarm, 0)?,
        false => behaviour::listen(&mut swarm, &config.listen)?,
    };
    let settled = behaviour::settle(&mut swarm, listeners).await;
    let presence = match config.part {
        Part::Host => Some(presence(config.identity).await?),
        Part::Viewer => None,
    };
    let (commands, from_above) = mpsc::channel(QUEUE);
    let (to_above, events) = mpsc::channel(QUEUE);
    let mut task = Task::new(swarm, presence, PortMap::new(config.port_mapping), from_above, to_above);
    settled.into_iter().for_each(|event| task.on_swarm_event(event));
    task.roaming.settled();
    tokio::spawn(task.run());
    Ok((Node { commands, sockets }, events))
}

async fn presence(identity: SigningKey) -> anyhow::Result<Presence> {
    let key = PeerKey(identity.verifying_key().to_bytes());
    let id = tokio::task::spawn_blocking(move || HostId::of(&key)).await?;
    Ok(Presence::new(identity, directory::place(id)))
}

struct Task {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    backlog: VecDeque<Event>,
    relays: Relays,
    dials: Dials,
    lookups: Lookups,
    paths: Paths,
    port_map: PortMap,
    nat: Nat,
    roaming: Roaming,
    presence: Option<Presence>,
    /// Where we are reachable, as it was told.
    reserved: HashMap<PeerId, Multiaddr>,
}

impl Task {
    fn new(
        swarm: Swarm<Behaviour>,
        presence: Option<Presence>,
        port_map: PortMap,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            swarm,
            commands,
            events,
            backlog: VecDeque::new(),
            relays: Relays::default(),
            dials: Dials::default(),
            lookups: Lookups::default(),
            paths: Paths::default(),
            port_map,
            nat: Nat::default(),
            roaming: Roaming::default(),
            presence,
            reserved: HashMap::new(),
        }
    }

    async fn run(mut self) {
        let events = self.events.clone();
        loop {
            self.do_what_is_due();
            let wake = self.next_due();
            tokio::select! {
                permit = events.reserve(), if !self.backlog.is_empty() => match (permit, self.backlog.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return,
                },
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.swarm.select_next_some(), if self.backlog.len() < QUEUE => self.on_swarm_event(event),
                Some(change) = self.port_map.next() => self.on_port_change(change),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let presence = self.presence.as_ref().and_then(Presence::next_due);
        let lookups = self.lookups.next_due(Instant::now());
        let timers = [self.relays.next_due(), self.dials.next_due(), lookups, self.nat.next_due(), self.roaming.next_due()];
        timers.into_iter().flatten().chain(presence).min()
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if let Some(change) = self.roaming.due(now) {
            self.relays.moved(change == roaming::Change::Went, now);
            self.tell(Event::Moved);
        }
        for leg in self.relays.due(now) {
            self.dial(leg);
        }
        while let Some((relay, address)) = self.nat.due(now) {
            let probe = DialOpts::peer_id(relay).addresses(vec![address.clone()]).condition(PeerCondition::Always).build();
            self.nat.probing(probe.connection_id(), address);
            self.dial(probe);
        }
        self.dials.expire(now);
        self.lookups.expire(now);
        self.run_lookups();
        let todo =
            self.presence.as_mut().map(|presence| presence.due(&self.relays, now, directory::unix_millis())).unwrap_or_default();
        for todo in todo {
            self.on_todo(todo);
        }
    }

    fn tell(&mut self, event: Event) {
        self.backlog.push_back(event);
    }

    // -- commands

    fn on_command(&mut self, command: Command) {
        match command {
            Command::UseRelay(relay) => self.use_relay(relay),
            Command::Hurry(hurry) => self.relays.hurry(hurry, Instant::now()),
            Command::LookUp(id, done) => self.lookups.start(id, done, Instant::now()),
            Command::Dial { key, addresses, done } => self.dial_peer(key, addresses, done),
            Command::Open { path, purpose, done } => self.open(path, purpose, done),
            Command::Keep(path, keep) => {
                if let Some((peer, connection)) = self.paths.connection(path) {
                    self.swarm.behaviour_mut().streams.keep(peer, connection, keep);
                }
            }
            Command::Close(path) => {
                if let Some((_, connection)) = self.paths.connection(path) {
                    self.swarm.close_connection(connection);
                }
            }
            Command::AskTime(relay, done) => self.ask_time(relay, done),
            Command::Mapping(done) => self.nat.ask(done, Instant::now()),
            Command::Stop(done) => {
                let closing = std::mem::replace(&mut self.port_map, PortMap::new(false)).close();
                tokio::spawn(async move {
                    closing.await;
                    let _ = done.send(());
                });
            }
        }
    }

    fn use_relay(&mut self, relay: RelayAddress) {
        match self.relays.add(relay.clone(), false, Instant::now()) {
            Some(place) => {
                let news = self.relays.news_of(place);
                self.on_change(news);
            }
            None => self.tell(Event::RelayDown { relay, reason: "too many relays, or a damaged address; name fewer".to_owned() }),
        }
    }

    fn run_lookups(&mut self) {
        if self.relays.up().next().is_some() {
            let kad = &mut self.swarm.behaviour_mut().kad;
            self.lookups.run(Instant::now(), |place| kad.get_record(kad::RecordKey::new(&place)));
        } else if !self.relays.any_hope() {
            self.lookups.give_up();
        }
    }

    fn dial_peer(&mut self, key: Option<PeerKey>, addresses: Vec<Multiaddr>, done: oneshot::Sender<Result<(), String>>) {
        let wanted = self.dials.start(key, addresses, done, Instant::now());
        for options in wanted.now {
            self.dial(options);
        }
        for relay in wanted.relays {
            let Some(peer) = relay.key.and_then(|key| super::address::peer_of(&key)) else { continue };
            match self.relays.add(relay, true, Instant::now()) {
                None => self.dials.relay_down(peer),
                Some(place) if self.relays.get(place).is_up() => self.dial_circuits(peer),
                Some(_) => {}
            }
        }
    }

    fn dial_circuits(&mut self, relay: PeerId) {
        for options in self.dials.relay_up(relay) {
            self.dial(options);
        }
    }

    fn open(&mut self, path: PathId, purpose: Purpose, done: oneshot::Sender<Result<Stream, String>>) {
        match self.paths.connection(path) {
            Some((peer, connection)) => self.swarm.behaviour_mut().streams.open(peer, connection, purpose, done),
            None => {
                let _ = done.send(Err("the path is gone; try another one".to_owned()));
            }
        }
    }

    fn ask_time(&mut self, relay: PeerKey, done: oneshot::Sender<Result<Stream, String>>) {
        let leg = super::address::peer_of(&relay).and_then(|peer| Some((peer, self.paths.oldest_leg(peer)?)));
        match leg {
            Some((peer, leg)) => self.swarm.behaviour_mut().streams.open(peer, leg, Purpose::Clock, done),
            None => {
                let _ = done.send(Err("the relay is not connected".to_owned()));
            }
        }
    }

    fn dial(&mut self, options: DialOpts) {
        let connection = options.connection_id();
        self.swarm.behaviour_mut().candidates.invite(connection);
        self.swarm.behaviour_mut().trace.ours(connection);
        if let Err(error) = self.swarm.dial(options) {
            self.on_dial_failed(connection, Failure::of(&error));
        }
    }

    // -- what is due for a host

    fn on_todo(&mut self, todo: Todo) {
        match todo {
            Todo::Reserve(relay) => self.reserve(relay),
            Todo::Publish(record, relays) => {
                let Some(presence) = &self.presence else { return };
                let record = kad::Record::new(presence.place().to_vec(), record);
                for relay in relays {
                    self.swarm.behaviour_mut().kad.put_record_to(record.clone(), std::iter::once(relay), kad::Quorum::One);
                }
            }
            Todo::Check => {
                let Some(presence) = &self.presence else { return };
                let place = kad::RecordKey::new(&presence.place());
                self.swarm.behaviour_mut().kad.get_record(place);
            }
        }
    }

    fn reserve(&mut self, relay: PeerId) {
        let address = self.relay_address(relay).map(|address| address.with(Protocol::P2pCircuit));
        let listener = address.and_then(|address| self.swarm.listen_on(address).ok());
        let Some(presence) = &mut self.presence else { return };
        match listener {
            Some(listener) => presence.asked(relay, listener),
            None => presence.failed(relay, self.relays.is_hurried(), Instant::now()),
        }
    }

    /// Where a relay is, with its `/p2p/…`.
    fn relay_address(&self, relay: PeerId) -> Option<Multiaddr> {
        self.relays.by_peer(relay)?.addresses().into_iter().next()?.with_p2p(relay).ok()
    }
}
