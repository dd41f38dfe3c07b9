//! Chunks of files on their way, in both directions: each arrives exactly once and in order.
//!
//! - Chunks are numbered by the session, kept by the sender until the receiver has *taken* them (they are on its disk), and replayed
//!   on a new path. What carries them needs to know nothing about paths.
//! - A chunk is asked for only when the path in use has room ([`super::estimate`]): files get the whole link beside a still screen, and a
//!   fifth of it beside a film. They queue for 20 ms at most, so a word or a picture never waits long behind one, on a link of any rate.
//! - Two reports, as for pictures: *reached* at once and on the same path, which tells what the link is like; *taken* when there is
//!   room again, which is the back-pressure of a slow disk.
//! - Bounded by [`MAX_IN_FLIGHT`] bytes and [`MAX_CHUNKS`] at both sides; a sender that does not keep to that breaks the protocol.

use std::{collections::VecDeque, time::Instant};

use super::{Event, Output, Record, Session, Violation, estimate::Item, path, path::PathId, record};
use crate::protocol::lane::MAX_BULK;

/// The longest chunk, in bytes: with the fields around it, it fills the longest record of its lane.
pub const MAX_CHUNK: usize = MAX_BULK - 16;
/// The most bytes of chunks that are sent and not taken.
pub(super) const MAX_IN_FLIGHT: usize = 8 << 20;
/// The most chunks that are sent and not taken.
pub(super) const MAX_CHUNKS: usize = 4096;
/// So many chunks are reported taken together, while more wait to be.
const TAKEN_EVERY: u64 = 8;

/// Both directions of one side.
#[derive(Default)]
pub(super) struct Bulk {
    /// The caller has something to send.
    ready: bool,
    /// A chunk was asked for.
    wanted: bool,
    /// Chunks `first..first + unacknowledged.len()`; those below `sent` have been transmitted on some path.
    first: u64,
    sent: u64,
    unacknowledged: VecDeque<Vec<u8>>,
    bytes: usize,
    /// When there may be room, if nothing else happens.
    pub(super) due: Option<Instant>,
    /// What comes in: chunks `taken..next` are with the caller.
    next: u64,
    taken: u64,
    sizes: VecDeque<usize>,
    held: usize,
    /// The peer must be told what is taken.
    tell: bool,
}

impl Bulk {
    fn want(&mut self) -> bool {
        let asks = self.ready && !self.wanted && self.bytes + MAX_CHUNK <= MAX_IN_FLIGHT && self.unacknowledged.len() < MAX_CHUNKS;
        self.wanted |= asks;
        asks
    }

    fn take(&mut self, next: u64) -> Option<(u64, &[u8])> {
        let number = next.max(self.first);
        let chunk = self.unacknowledged.get(usize::try_from(number - self.first).ok()?)?;
        self.sent = self.sent.max(number + 1);
        Some((number, chunk))
    }

    /// Forgets everything below `next`: the peer has it.
    fn acknowledge(&mut self, next: u64) -> Result<(), Violation> {
        if next > self.sent {
            return Err(Violation("a chunk was taken before it was sent"));
        }
        while self.first < next {
            let taken = self.unacknowledged.pop_front().expect("first <= sent <= first + unacknowledged.len()");
            self.bytes -= taken.len();
            self.first += 1;
        }
        Ok(())
    }

    /// Whether this chunk is new; otherwise it has come before, on another path.
    fn accept(&mut self, number: u64, size: usize) -> Result<bool, Violation> {
        if number < self.next {
            self.tell = true;
            return Ok(false);
        }
        if number > self.next {
            return Err(Violation("a chunk is missing"));
        }
        if self.sizes.len() >= MAX_CHUNKS || self.held + size > MAX_IN_FLIGHT {
            return Err(Violation("more chunks than there is room for"));
        }
        self.next += 1;
        self.held += size;
        self.sizes.push_back(size);
        Ok(true)
    }

    fn finish_oldest(&mut self) {
        let Some(size) = self.sizes.pop_front() else { return };
        self.held -= size;
        self.taken += 1;
        self.tell |= self.sizes.is_empty() || self.taken.is_multiple_of(TAKEN_EVERY);
    }

    /// Where a path that becomes the current one starts. On it, what is taken is told again: the last word may be lost.
    pub(super) fn switch(&mut self) -> u64 {
        self.tell = self.taken > 0;
        self.first
    }

    /// Forgets everything: nobody wants it any more.
    pub(super) fn clear(&mut self) {
        *self = Self { first: self.sent, sent: self.sent, next: self.next, taken: self.next, ..Self::default() };
    }
}

impl Session {
    /// Whether there is a chunk to send: then [`Event::WantBulk`] follows when the path has room for one.
    pub fn bulk_ready(&mut self, now: Instant, ready: bool) {
        if self.bulk.ready != ready {
            (self.bulk.ready, self.bulk.wanted) = (ready, false);
            self.advance(now);
        }
    }

    /// Sends a chunk of at most as many bytes as [`Event::WantBulk`] said.
    pub fn send_bulk(&mut self, now: Instant, chunk: Vec<u8>) {
        debug_assert!(chunk.len() <= MAX_CHUNK, "a chunk has its bounds");
        if !self.has_ended() {
            self.bulk.wanted = false;
            self.bulk.bytes += chunk.len();
            self.bulk.unacknowledged.push_back(chunk);
            self.advance(now);
        }
    }

    /// The oldest chunk told is taken: there is room for another one.
    pub fn bulk_done(&mut self, now: Instant) {
        if !self.has_ended() {
            self.bulk.finish_oldest();
            self.advance(now);
        }
    }

    /// Bytes of chunks that were sent and are not taken.
    #[must_use]
    pub fn bulk_under_way(&self) -> usize {
        self.bulk.bytes
    }

    pub(super) fn receive_chunk(&mut self, now: Instant, id: PathId, number: u64, payload: &[u8]) -> Result<(), Violation> {
        if self.has_ended() {
            return Ok(());
        }
        self.transmit(id, &Record::Reached { chunk: number, at: self.clock(now) });
        if self.bulk.accept(number, payload.len())? {
            self.tell(Event::Bulk(payload.to_vec()));
        }
        Ok(())
    }

    pub(super) fn chunks_taken(&mut self, below: u64) -> Result<(), Violation> {
        self.bulk.acknowledge(below)
    }

    pub(super) fn transmit_bulk(&mut self, now: Instant) {
        self.bulk.due = None;
        if self.has_ended() {
            return;
        }
        let Some((id, path)) = path::current(self.current, &mut self.paths) else { return };
        if std::mem::take(&mut self.bulk.tell) {
            self.outputs.push_back(record::transmit(id, &Record::Taken { below: self.bulk.taken }));
        }
        while let Some(room) = path.estimate.bulk_room(now) {
            if let Some((number, payload)) = self.bulk.take(path.bulk_next) {
                path.bulk_next = number + 1;
                path.estimate.sent(now, Item::Chunk(number), payload.len());
                self.outputs.push_back(record::transmit(id, &Record::Chunk { number, payload }));
            } else {
                if self.bulk.want() {
                    let bytes = usize::try_from(room).unwrap_or(MAX_CHUNK).min(MAX_CHUNK);
                    self.outputs.push_back(Output::Event(Event::WantBulk(bytes)));
                }
                return;
            }
        }
        let has_more = self.bulk.ready || self.bulk.take(path.bulk_next).is_some();
        self.bulk.due = path.estimate.next_bulk(now).filter(|_| has_more);
    }
}
