//! The session: two sides, several paths, exactly-once control messages, a picture that never queues.
//!
//! **The law: one mutation, then drain [`Session::poll_output`] until [`Output::Timeout`], then the next mutation.** Mutations are
//! all methods with a `now`. Nothing here reads a clock, waits or sends.
//!
//! Beneath each path and lane there is a reliable, ordered, encrypted stream of whole records ([`record`] is their specification).
//! A path can die at any time, also without a word, and take with it what was under way. Above that, the rules are:
//!
//! - *Attach.* Each side's first words on a path say what it has. So everything before was carried by other paths, and the path
//!   can be used from here on.
//! - *Choice.* One side decides: the viewer nominates a path, with a rising epoch, and the host follows ([`path`]). The others
//!   stay open as warm backups.
//! - *Replay.* What becomes the path in use carries everything again that was not acknowledged: each path has a contiguous run
//!   of messages that starts at or below what the peer wants next. The peer drops what it has, so everything arrives exactly
//!   once and in order without a buffer for reordering; a gap can only be a broken peer.
//! - *Acknowledgements* ride on messages, or go alone after a moment or some messages ([`acks`]); once more on every switch,
//!   since the last ones may have been lost with the old path.
//! - *Pictures* are asked for one at a time ([`Event::WantPicture`]) while the path in use has credit ([`pictures`]), each with the
//!   bytes that its link can take now ([`estimate`]). The viewer reports when each arrived, and the host what it makes of that.
//! - *Chunks* of files take what pictures leave of the link, in both directions ([`bulk`]).
//! - *Stall.* When no path is left the session stalls; a path within the resume time resumes it, else it is lost.
//! - *End.* `End` is the last message of the side that ends. It is transmitted until it is acknowledged
//!   ([`Session::is_drained`]) or the caller has had enough. Afterwards nothing is told, and only `End`, acknowledgements and pongs go out.
//! - *Violations* end the session with [`EndReason::ProtocolError`], and the peer is told. Whatever it sends, memory is bounded:
//!   by the outbox ([`outbox`]), the credit ([`pictures`], [`bulk`]), [`MAX_PATHS`], and what one mutation puts out.

mod acks;
mod bulk;
mod estimate;
mod io;
mod known;
mod outbox;
pub mod path;
mod pictures;
mod receive;
mod record;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use acks::Acks;
use bulk::Bulk;
pub use bulk::MAX_CHUNK;
use estimate::{Item, micros};
use io::Violation;
pub use io::{Credit, Event, Full, Input, Lane, LinkEstimate, Output, Role};
use outbox::Outbox;
use path::{Path, PathId};
use pictures::{Incoming, Outgoing};
use record::{MAX_PICTURE, Record};

use super::message::{EndReason, Message};

/// The most paths of a session. When it has as many, a new one takes the place of a dead one, or of the farthest, oldest one that
/// is not in use. (Never refused: the two sides may differ in what they hold for dead, and a path is good for nothing unless
/// both take it. If the other side still uses what was forgotten here, it gets no answer there and goes elsewhere.)
pub const MAX_PATHS: usize = 8;

/// One session, one side.
pub struct Session {
    role: Role,
    /// The beginning of our clock, for the times that the peer is told.
    begun: Instant,
    resume: Duration,
    phase: Phase,
    paths: BTreeMap<PathId, Path>,
    current: Option<PathId>,
    /// When `current` last changed.
    switched: Instant,
    /// Viewer: the last nomination.
    epoch: u64,
    outbox: Outbox,
    acks: Acks,
    /// Host: pictures to the viewer.
    outgoing: Outgoing,
    /// Viewer: pictures from the host.
    incoming: Incoming,
    /// Chunks of files, both ways.
    bulk: Bulk,
    /// Host: when there may be credit for a picture, if nothing else happens.
    credit_at: Option<Instant>,
    outputs: VecDeque<Output>,
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There was no path yet.
    Opening(Instant),
    /// A path is in use.
    Attached,
    /// All paths died.
    Stalled(Instant),
    /// Over.
    Ended,
}

impl Session {
    /// A session without a path yet. `resume` is how long it may be without one.
    #[must_use]
    pub fn new(role: Role, resume: Duration, now: Instant) -> Self {
        Self {
            role,
            begun: now,
            resume,
            phase: Phase::Opening(now),
            paths: BTreeMap::new(),
            current: None,
            switched: now,
            epoch: 0,
            outbox: Outbox::default(),
            acks: Acks::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            bulk: Bulk::default(),
            credit_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input, then wants [`Session::poll_output`] drained.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::PathUp(id, kind, carrier) => self.add_path(id, Path::new(kind, carrier, now)),
            Input::PathDown(id) => {
                if self.paths.remove(&id).is_some() {
                    self.doubt_others(now, id);
                }
            }
            Input::Received { path, lane, record } => {
                if let Err(violation) = self.receive(now, path, lane, record) {
                    tracing::debug!(%violation, "the session ends");
                    self.close(EndReason::ProtocolError);
                }
            }
            Input::Timeout => {}
        }
        self.advance(now);
    }

    /// Sends a control message. While the session stalls it waits for a path. After the end it goes nowhere.
    ///
    /// # Errors
    /// [`Full`]: try again when the peer has acknowledged something, or shorten it. Droppable messages are dropped instead.
    pub fn send(&mut self, now: Instant, message: Message) -> Result<(), Full> {
        debug_assert!(message.may_come_from(self.role), "{message:?} is not for this side to send");
        if self.has_ended() {
            return Ok(());
        }
        if let Message::End(reason) = message {
            self.close(reason);
        } else if message.is_valid() {
            self.outbox.push(message)?;
        } else {
            return Err(Full);
        }
        self.advance(now);
        Ok(())
    }

    /// Host: sends a picture; uses up the credit of one [`Event::WantPicture`]. One that is too long for any record
    /// (64 MiB) ends the session: the codec's stream cannot go on without it.
    pub fn send_picture(&mut self, now: Instant, picture: Vec<u8>) {
        if self.has_ended() {
            return;
        }
        if picture.len() > MAX_PICTURE {
            self.close(EndReason::ScreenLost);
        } else {
            self.outgoing.push(picture);
        }
        self.advance(now);
    }

    /// Viewer: the oldest picture told is decoded.
    pub fn picture_done(&mut self, now: Instant) {
        if !self.has_ended() && self.incoming.finish_oldest() {
            self.acks.urgent = true;
            self.advance(now);
        }
    }

    /// Ends the session and tells the peer if a path is left. [`Event::Ended`] follows. Keep feeding the session until
    /// [`Session::is_drained`], for as long as you care.
    pub fn end(&mut self, now: Instant, reason: EndReason) {
        self.close(reason);
        self.advance(now);
    }

    /// The next thing to do. Call until [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_timeout()))
    }

    // What came in: see [`receive`] for records.

    fn add_path(&mut self, id: PathId, path: Path) {
        if self.paths.contains_key(&id) {
            return;
        }
        if self.paths.len() >= MAX_PATHS
            && let Some(worst) = path::worst(&self.paths, self.current)
        {
            self.paths.remove(&worst);
        }
        self.paths.insert(id, path);
        self.transmit(id, &Record::Attach { control: self.acks.next, picture: self.incoming.wanted() });
        if !self.has_ended() {
            self.transmit(id, &Record::Ping { number: 0 });
        }
    }

    // What follows from it: after every mutation, in this order.

    fn advance(&mut self, now: Instant) {
        self.paths.values_mut().for_each(|path| path.expire(now));
        self.choose_path(now);
        self.give_up(now);
        self.look_around(now);
        self.ping(now);
        self.transmit_messages();
        self.transmit_ack(now);
        self.transmit_pictures(now);
        self.transmit_bulk(now);
    }

    fn look_around(&mut self, now: Instant) {
        if let Some(id) = self.current
            && self.paths.get_mut(&id).is_some_and(|path| path.gets_late(now))
        {
            self.doubt_others(now, id);
        }
    }

    fn doubt_others(&mut self, now: Instant, id: PathId) {
        self.paths.iter_mut().filter(|(other, _)| **other != id).for_each(|(_, path)| path.doubt(now));
    }

    fn choose_path(&mut self, now: Instant) {
        let chosen = match self.role {
            Role::Viewer => path::nominate(&self.paths, self.current, now >= self.switched + path::SETTLE),
            Role::Host => path::follow(&self.paths),
        };
        if chosen == self.current {
            return;
        }
        (self.current, self.switched) = (chosen, now);
        match chosen {
            Some(id) => self.switch_to(id),
            None => self.stall(now),
        }
    }

    fn switch_to(&mut self, id: PathId) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        (path.control_next, path.picture_next) = (self.outbox.first(), self.outgoing.first());
        path.bulk_next = self.bulk.switch();
        let kind = path.kind;
        if self.role == Role::Viewer {
            self.epoch += 1;
            path.epoch = self.epoch;
            self.transmit(id, &Record::Nominate { epoch: self.epoch });
        }
        self.acks.urgent = true;
        if let Phase::Stalled(_) = self.phase {
            self.tell(Event::Resumed);
        }
        if !self.has_ended() {
            self.phase = Phase::Attached;
        }
        self.tell(Event::PathChanged(id, kind));
    }

    fn stall(&mut self, now: Instant) {
        if self.phase == Phase::Attached {
            self.tell(Event::Stalled);
            self.phase = Phase::Stalled(now);
        }
    }

    fn give_up(&mut self, now: Instant) {
        if self.resume_deadline().is_some_and(|deadline| now >= deadline) {
            self.over(EndReason::Lost);
            self.outbox.clear();
        }
    }

    fn ping(&mut self, now: Instant) {
        if self.has_ended() {
            return;
        }
        for (&id, path) in &mut self.paths {
            if let Some(number) = path.ping(now, self.current == Some(id)) {
                self.outputs.push_back(record::transmit(id, &Record::Ping { number }));
            }
        }
    }

    fn transmit_messages(&mut self) {
        let Some((id, path)) = path::current(self.current, &mut self.paths) else { return };
        while let Some((seq, message)) = self.outbox.take(path.control_next) {
            path.control_next = seq + 1;
            let record = Record::Message { seq, ack: self.acks.settle(), message: Cow::Borrowed(message) };
            self.outputs.push_back(record::transmit(id, &record));
        }
    }

    fn transmit_ack(&mut self, now: Instant) {
        let Some(id) = self.current else { return };
        if self.acks.urgent || self.acks.due.is_some_and(|due| due <= now) {
            self.acks.urgent = false;
            let control = self.acks.settle();
            self.transmit(id, &Record::Ack { control, picture: self.incoming.wanted() });
        }
    }

    fn transmit_pictures(&mut self, now: Instant) {
        self.credit_at = None;
        if self.role == Role::Viewer || self.has_ended() {
            return;
        }
        let Some((id, path)) = path::current(self.current, &mut self.paths) else { return };
        let window = pictures::window(path.rtt());
        while let Some((number, payload)) = self.outgoing.take(path.picture_next, window, path.estimate.credit(now).is_some()) {
            path.picture_next = number + 1;
            path.estimate.sent(now, Item::Picture(number), payload.len());
            self.outputs.push_back(record::transmit(id, &Record::Picture { number, payload }));
        }
        self.credit_at = path.estimate.next_credit(now);
        let credit = path.estimate.credit(now).and_then(|credit| self.outgoing.want(window, credit));
        if let Some(credit) = credit {
            self.tell(Event::WantPicture(credit));
        }
    }

    /// Tells the viewer what its link is like.
    fn report_link(&mut self, id: PathId) {
        let Some(path) = self.paths.get(&id).filter(|_| self.role == Role::Host && !self.has_ended()) else { return };
        if let LinkEstimate { rate: Some(rate), queue, .. } = path.link() {
            self.transmit(id, &Record::Link { rate, queue: micros(queue.unwrap_or_default()) });
        }
    }

    /// What our clock shows the peer.
    fn clock(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.begun))
    }

    // Time.

    fn next_timeout(&self) -> Option<Instant> {
        if self.is_drained() {
            return None;
        }
        let deaths = self.paths.values().filter_map(Path::death);
        let pings = self.paths.iter().filter_map(|(id, path)| path.ping_due(self.current == Some(*id)));
        let pings = pings.filter(|_| !self.has_ended());
        let ack = self.acks.due.filter(|_| self.current.is_some());
        let late = self.current.and_then(|id| self.paths.get(&id)?.late_at());
        deaths.chain(late).chain(pings).chain(ack).chain(self.credit_at).chain(self.bulk.due).chain(self.resume_deadline()).min()
    }

    /// When the session is lost if no path comes.
    fn resume_deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Opening(since) | Phase::Stalled(since) => since.checked_add(self.resume),
            Phase::Attached | Phase::Ended => None,
        }
    }

    // The end.

    /// Ends from this side: the peer will be told.
    fn close(&mut self, reason: EndReason) {
        if !self.has_ended() {
            self.outbox.push_end(reason);
            self.over(reason);
        }
    }

    fn over(&mut self, reason: EndReason) {
        self.tell(Event::Ended(reason));
        self.phase = Phase::Ended;
        self.outgoing.clear();
        self.bulk.clear();
    }

    fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    // Outputs.

    fn tell(&mut self, event: Event) {
        if !self.has_ended() {
            self.outputs.push_back(Output::Event(event));
        }
    }

    fn transmit(&mut self, path: PathId, record: &Record<'_>) {
        self.outputs.push_back(record::transmit(path, record));
    }
}
