//! Two sessions, the links between them and the people at both ends, in virtual time.
//!
//! Records of one lane of one link arrive in order; lanes and links overtake each other. The host films as soon as a picture is
//! wanted, the viewer decodes, both with a delay. A link may have a narrow place with a buffer before it ([`Narrow`]), which others
//! may share, and packets of it may be lost: their record comes a round trip later, and what follows it in its lane waits for it. Every picture carries its number, and the pair itself checks that each comes
//! exactly once and in order, that chat counts as delivered when the peer was told it and not before, that nothing follows the end, and that
//! a poll never asks for the past twice. A side may send a file too, whose bytes are checked in the same way.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

pub(super) use super::super::path::PathKind;
use super::super::{
    Credit, Event, Full, Input, Lane, Output, Role, Session,
    path::{Carrier, PathId},
};
use crate::protocol::message::{EndReason, Message};

pub(super) const MS: Duration = Duration::from_millis(1);
/// A full packet.
const PACKET: u64 = 1500;
pub(super) const RESUME: Duration = Duration::from_secs(120);

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) rng: StdRng,
    pub(super) host: Side,
    pub(super) viewer: Side,
    /// The size of the pictures.
    pub(super) picture_size: usize,
    /// Whether they keep to their budget.
    pub(super) is_thrifty: bool,
    /// How long the viewer takes to decode one.
    pub(super) decode: Duration,
    /// How long a receiver takes to write a chunk of a file.
    pub(super) disk: Duration,
    /// How long the host takes to make one.
    pub(super) film: Duration,
    /// Pictures made and pictures seen.
    pub(super) filmed: u32,
    pub(super) seen: u32,
    links: BTreeMap<PathId, Link>,
    agenda: BTreeMap<(Instant, u64), Task>,
    tasks: u64,
}

pub(super) struct Side {
    pub(super) session: Session,
    /// The messages told.
    pub(super) messages: Vec<Message>,
    /// How many of them are chat.
    pub(super) chats: u64,
    /// How many chat lines of this side it was told to be delivered.
    pub(super) delivered: u64,
    /// The other events, without pictures, and when they were told.
    pub(super) events: Vec<(Instant, Event)>,
    /// Bytes of a file that it has still to send, that it sent, and that it received.
    pub(super) to_send: u64,
    pub(super) file_sent: u64,
    pub(super) file_received: u64,
    /// Records transmitted, by lane.
    pub(super) transmitted: [usize; 3],
    wake: Option<Instant>,
}

impl Side {
    fn new(role: Role, now: Instant) -> Self {
        let session = Session::new(role, RESUME, now);
        Self {
            session,
            messages: Vec::new(),
            chats: 0,
            delivered: 0,
            events: Vec::new(),
            to_send: 0,
            file_sent: 0,
            file_received: 0,
            transmitted: [0; 3],
            wake: None,
        }
    }

    pub(super) fn ended(&self) -> Option<EndReason> {
        match self.events.last() {
            Some((_, Event::Ended(reason))) => Some(*reason),
            _ => None,
        }
    }

    /// When this was told last.
    pub(super) fn told(&self, event: &Event) -> Option<Instant> {
        self.events.iter().rev().find(|(_, told)| told == event).map(|(at, _)| *at)
    }

    pub(super) fn path(&self) -> Option<PathId> {
        self.session.current_path().map(|(id, ..)| id)
    }
}

struct Link {
    latency: Duration,
    jitter: Duration,
    /// The part of its packets that are lost.
    loss: f64,
    state: State,
    narrow: Option<Narrow>,
    /// When the last record of a lane arrives, so that none overtakes it.
    last: BTreeMap<(bool, Lane), Instant>,
}

/// The narrow place of a link, from host to viewer: a transmitter, and a buffer in front of it that drops nothing.
struct Narrow {
    /// Bytes a second.
    rate: u64,
    /// When everything in the buffer has left.
    free: Instant,
    /// How long each picture took to get through: the bytes before it and its own.
    waits: Vec<Duration>,
    /// The bytes of the pictures.
    bytes: u64,
}

impl Narrow {
    /// When the last of these bytes has left.
    fn leave(&mut self, now: Instant, bytes: u64) -> Instant {
        self.free = self.free.max(now) + Duration::from_nanos(bytes * 1_000_000_000 / self.rate);
        self.free
    }
}

enum State {
    Up,
    /// Carries nothing any more, and nobody is told.
    Blackhole,
    /// Keeps what it is given until it thaws.
    Frozen(Vec<(Role, Lane, Vec<u8>)>),
}

enum Task {
    Arrive {
        path: PathId,
        to: Role,
        lane: Lane,
        record: Vec<u8>,
    },
    Film(Credit),
    Decoded,
    /// A chunk is on this side's disk.
    Written(Role),
    /// A packet of a stranger, one of a window that is always under way.
    Stranger(PathId),
}

impl Pair {
    pub(super) fn new(seed: u64) -> Self {
        let now = Instant::now();
        Self {
            now,
            rng: StdRng::seed_from_u64(seed),
            host: Side::new(Role::Host, now),
            viewer: Side::new(Role::Viewer, now),
            picture_size: 100,
            is_thrifty: false,
            decode: 3 * MS,
            film: 20 * MS,
            disk: MS,
            filmed: 0,
            seen: 0,
            links: BTreeMap::new(),
            agenda: BTreeMap::new(),
            tasks: 0,
        }
    }

    /// A pair with one path, attached.
    pub(super) fn connected(kind: PathKind, latency: Duration) -> (Self, PathId) {
        let mut pair = Self::new(0);
        let path = pair.add_path(kind, latency, Duration::ZERO);
        pair.run(latency * 4 + MS);
        (pair, path)
    }

    pub(super) fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Host => &mut self.host,
            Role::Viewer => &mut self.viewer,
        }
    }

    pub(super) fn add_path(&mut self, kind: PathKind, latency: Duration, jitter: Duration) -> PathId {
        self.add_path_over(Carrier::Quic, kind, latency, jitter)
    }

    pub(super) fn add_path_over(&mut self, carrier: Carrier, kind: PathKind, latency: Duration, jitter: Duration) -> PathId {
        let id = PathId(self.tasks);
        self.tasks += 1;
        self.links.insert(id, Link { latency, jitter, loss: 0.0, state: State::Up, narrow: None, last: BTreeMap::new() });
        self.input(Role::Host, Input::PathUp(id, kind, carrier));
        self.input(Role::Viewer, Input::PathUp(id, kind, carrier));
        id
    }

    /// From now on the path has a narrow place of so many bytes a second.
    pub(super) fn narrow(&mut self, id: PathId, rate: u64) {
        let now = self.now;
        let link = self.links.get_mut(&id).expect("a path of this pair");
        let narrow = link.narrow.get_or_insert(Narrow { rate, free: now, waits: Vec::new(), bytes: 0 });
        // What waits leaves at the new rate.
        let rest = narrow.free.saturating_duration_since(now).as_nanos() * u128::from(narrow.rate) / u128::from(rate);
        (narrow.rate, narrow.free) = (rate, now + Duration::from_nanos(u64::try_from(rest).expect("not for ever")));
    }

    /// From now on this part of the path's packets is lost, and sent again a round trip and a quarter later.
    pub(super) fn lose(&mut self, id: PathId, loss: f64) {
        self.links.get_mut(&id).expect("a path of this pair").loss = loss;
    }

    /// What became of the pictures in the narrow place since the last time.
    pub(super) fn carried(&mut self, id: PathId) -> (u64, Vec<Duration>) {
        let narrow = self.links.get_mut(&id).and_then(|link| link.narrow.as_mut()).expect("a narrow path of this pair");
        (std::mem::take(&mut narrow.bytes), std::mem::take(&mut narrow.waits))
    }

    /// A stranger's transfer goes through the narrow place too: a window of so many bytes, always under way.
    pub(super) fn share(&mut self, id: PathId, window: u64) {
        for _ in 0..window / PACKET {
            self.plan(self.now, Task::Stranger(id));
        }
    }

    /// It is over.
    pub(super) fn share_no_more(&mut self) {
        self.agenda.retain(|_, task| !matches!(task, Task::Stranger(_)));
    }

    /// From now on, what is given to this path is lost, and so is what is under way.
    pub(super) fn blackhole(&mut self, id: PathId) {
        self.agenda.retain(|_, task| !matches!(task, Task::Arrive { path, .. } if *path == id));
        self.links.get_mut(&id).expect("a path of this pair").state = State::Blackhole;
    }

    /// From now on, what arrives is kept back.
    pub(super) fn freeze(&mut self, id: PathId) {
        let link = self.links.get_mut(&id).expect("a path of this pair");
        if let State::Up = link.state {
            link.state = State::Frozen(Vec::new());
        }
    }

    pub(super) fn thaw(&mut self, id: PathId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let State::Frozen(_) = link.state {
            let State::Frozen(kept) = std::mem::replace(&mut link.state, State::Up) else { return };
            let at = self.now;
            for (to, lane, record) in kept {
                self.plan(at, Task::Arrive { path: id, to, lane, record });
            }
        }
    }

    /// The connection breaks; both sides are told.
    pub(super) fn cut(&mut self, id: PathId) {
        self.blackhole(id);
        self.links.remove(&id);
        self.input(Role::Host, Input::PathDown(id));
        self.input(Role::Viewer, Input::PathDown(id));
    }

    pub(super) fn send(&mut self, from: Role, message: Message) -> Result<(), Full> {
        let now = self.now;
        let sent = self.side(from).session.send(now, message);
        self.drain(from);
        sent
    }

    /// Begins to send a file of so many bytes, or of so many more.
    pub(super) fn send_file(&mut self, from: Role, bytes: u64) {
        let now = self.now;
        let side = self.side(from);
        side.to_send += bytes;
        side.session.bulk_ready(now, true);
        self.drain(from);
    }

    pub(super) fn end(&mut self, from: Role, reason: EndReason) {
        let now = self.now;
        self.side(from).session.end(now, reason);
        self.drain(from);
    }

    pub(super) fn input(&mut self, to: Role, input: Input<'_>) {
        let now = self.now;
        self.side(to).session.handle_input(now, input);
        self.drain(to);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = until;
    }

    fn next(&self) -> Option<Instant> {
        let planned = self.agenda.keys().next().map(|(at, _)| *at);
        planned.into_iter().chain(self.host.wake).chain(self.viewer.wake).min()
    }

    fn step(&mut self) {
        for role in [Role::Host, Role::Viewer] {
            if self.side(role).wake.is_some_and(|at| at <= self.now) {
                self.input(role, Input::Timeout);
                let next = self.side(role).wake;
                assert!(next.is_none_or(|at| at > self.now), "{role:?} is awake for ever");
            }
        }
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let task = entry.remove();
            self.perform(task);
        }
    }

    fn perform(&mut self, task: Task) {
        let now = self.now;
        match task {
            Task::Arrive { path, to, lane, record } => match self.links.get_mut(&path).map(|link| &mut link.state) {
                Some(State::Up) => self.input(to, Input::Received { path, lane, record: &record }),
                Some(State::Frozen(kept)) => kept.push((to, lane, record)),
                Some(State::Blackhole) | None => {}
            },
            Task::Stranger(id) => {
                let Some(link) = self.links.get_mut(&id) else { return };
                let round_trip = 2 * link.latency;
                let Some(narrow) = &mut link.narrow else { return };
                let back = narrow.leave(now, PACKET) + round_trip;
                self.plan(back, Task::Stranger(id));
            }
            Task::Film(credit) => {
                let budget = if self.is_thrifty { credit.bytes as usize } else { usize::MAX };
                let mut picture = vec![0; self.picture_size.min(budget).max(4)];
                picture[..4].copy_from_slice(&self.filmed.to_be_bytes());
                self.filmed += 1;
                self.host.session.send_picture(now, picture);
                self.drain(Role::Host);
            }
            Task::Written(role) => {
                self.side(role).session.bulk_done(now);
                self.drain(role);
            }
            Task::Decoded => {
                self.viewer.session.picture_done(now);
                self.drain(Role::Viewer);
            }
        }
    }

    fn drain(&mut self, role: Role) {
        loop {
            match self.side(role).session.poll_output() {
                Output::Timeout(at) => break self.side(role).wake = at,
                Output::Transmit { path, lane, record } => self.carry(role, path, lane, record),
                Output::Event(event) => self.tell(role, event),
            }
        }
    }

    fn carry(&mut self, from: Role, path: PathId, lane: Lane, record: Vec<u8>) {
        self.side(from).transmitted[lane as usize] += 1;
        let (now, jitter, luck) = (self.now, self.rng.gen_range(0.0..1.0), self.rng.gen_range(0.0..1.0));
        let Some(link) = self.links.get_mut(&path) else { return };
        if let State::Blackhole = link.state {
            return;
        }
        let last = link.last.entry((from == Role::Host, lane)).or_insert(now);
        let sent = match &mut link.narrow {
            Some(narrow) if from == Role::Host => {
                let left = narrow.leave(now, record.len() as u64);
                if lane == Lane::Video {
                    narrow.waits.push(left - now);
                    narrow.bytes += record.len() as u64;
                }
                left
            }
            _ => now,
        };
        let packets = i32::try_from((record.len() as u64).div_ceil(PACKET)).unwrap_or(i32::MAX);
        let again = if luck < 1.0 - (1.0 - link.loss).powi(packets) { link.latency * 5 / 2 } else { Duration::ZERO };
        let at = (sent + link.latency + link.jitter.mul_f32(jitter) + again).max(*last);
        *last = at;
        self.plan(at, Task::Arrive { path, to: from.peer(), lane, record });
    }

    fn tell(&mut self, role: Role, event: Event) {
        let now = self.now;
        assert_eq!(self.side(role).ended(), None, "{event:?} after the end");
        match event {
            Event::Message(message) => {
                self.side(role).chats += u64::from(matches!(message, Message::Chat(_)));
                self.side(role).messages.push(message);
            }
            Event::Delivered(count) => {
                let arrived = self.side(role.peer()).chats;
                let before = std::mem::replace(&mut self.side(role).delivered, count);
                assert!(before < count && count <= arrived, "{count} delivered after {before}, {arrived} arrived");
            }
            Event::WantPicture(credit) => self.plan(now + self.film, Task::Film(credit)),
            Event::Picture(picture) => {
                assert_eq!(picture[..4], self.seen.to_be_bytes(), "each picture once and in order");
                self.seen += 1;
                self.plan(now + self.decode, Task::Decoded);
            }
            Event::WantBulk(bytes) => {
                let side = self.side(role);
                let bytes = side.to_send.min(bytes as u64);
                let chunk = (side.file_sent..side.file_sent + bytes).map(|at| (at % 251) as u8).collect();
                (side.file_sent, side.to_send) = (side.file_sent + bytes, side.to_send - bytes);
                side.session.send_bulk(now, chunk);
                let more = side.to_send > 0;
                side.session.bulk_ready(now, more);
            }
            Event::Bulk(chunk) => {
                let side = self.side(role);
                let at = side.file_received;
                assert!((at..).zip(&chunk).all(|(at, byte)| (at % 251) as u8 == *byte), "each byte once and in order");
                side.file_received += chunk.len() as u64;
                self.plan(now + self.disk, Task::Written(role));
            }
            other => self.side(role).events.push((now, other)),
        }
    }

    fn plan(&mut self, at: Instant, task: Task) {
        self.tasks += 1;
        self.agenda.insert((at, self.tasks), task);
    }
}
