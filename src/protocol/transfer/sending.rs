//! The sender's end: what is offered, and whose turn it is. One file goes at a time, in the order in which they were accepted.
//!
//! Each call puts out [`Step`]s; drain them with [`Sending::poll`]. The disk answers [`Step::Check`] with [`Sending::checked`], and
//! [`Step::Read`] with [`Sending::read`], [`Sending::ended`] or [`Sending::failed`].

use std::collections::{BTreeMap, VecDeque};

use super::{
    Chunk, FileMessage, Hash, MAX_TRANSFERS, OVERHEAD, Offer, reason,
    receiving::{Report, State},
};

/// So many bytes are read from the disk at a time.
pub const BLOCK: usize = 256 << 10;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Tell the peer.
    Send(FileMessage),
    /// Tell the user how a transfer stands now.
    Tell(Report),
    /// Is this the hash of so many bytes at the beginning? Either way, reading begins behind them or at 0.
    Check(u32, u64, Hash),
    /// Read the next [`BLOCK`].
    Read(u32),
    /// Close it.
    Close(u32),
}

#[derive(Debug)]
struct File {
    offer: Offer,
    phase: Phase,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Offered,
    /// The disk compares what the receiver has.
    Checking,
    /// Bytes up to here went out, and these are read.
    Running {
        at: u64,
        read: VecDeque<u8>,
        end: Option<Hash>,
        asked: bool,
    },
    /// Everything went out.
    Sent,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Sending {
    last: u32,
    files: BTreeMap<u32, File>,
    /// Those that are wanted; the first one goes.
    turn: VecDeque<u32>,
    steps: VecDeque<Step>,
}

impl Sending {
    /// How many more files can be offered.
    #[must_use]
    pub fn room(&self) -> usize {
        MAX_TRANSFERS.saturating_sub(self.files.len())
    }

    /// Offers an open file: its number.
    pub fn offer(&mut self, name: String, size: u64, fetch: Option<u32>) -> u32 {
        self.last += 1;
        let offer = Offer { number: self.last, name, size, fetch };
        self.steps.push_back(Step::Send(FileMessage::Offer(offer.clone())));
        self.steps.push_back(Step::Tell(Report::new(&offer, 0, State::Offered)));
        self.files.insert(self.last, File { offer, phase: Phase::Offered });
        self.last
    }

    /// The peer wants it, and has so much of it. False: no honest peer says that.
    pub fn accepted(&mut self, number: u32, offset: u64, prefix: Hash) -> bool {
        // It may have been stopped a moment ago.
        let Some(file) = self.files.get_mut(&number) else { return number <= self.last };
        if file.phase != Phase::Offered || offset > file.offer.size {
            return false;
        }
        file.phase = Phase::Checking;
        self.steps.push_back(Step::Check(number, offset, prefix));
        true
    }

    /// The peer does not want it, or no longer.
    pub fn refused(&mut self, number: u32, text: &str) {
        let Some(file) = self.files.get(&number) else { return };
        let state = if file.phase == Phase::Offered { State::Refused } else { State::Failed };
        self.end(number, state(text.to_owned()));
    }

    /// The peer has it whole. False: no honest peer says that.
    pub fn verified(&mut self, number: u32) -> bool {
        match self.files.get(&number) {
            Some(File { phase: Phase::Sent, .. }) => self.end(number, State::Done),
            Some(_) => return false,
            None => {}
        }
        true
    }

    /// The user gives it up. Whether there was one.
    pub fn stop(&mut self, number: u32, text: &str) -> bool {
        let known = self.files.contains_key(&number);
        if known {
            self.steps.push_back(Step::Send(FileMessage::Stop { number, reason: reason(text) }));
            self.end(number, State::Refused(text.to_owned()));
        }
        known
    }

    /// Those that were asked for are given up.
    pub fn stop_fetched(&mut self, text: &str) {
        let fetched = self.files.iter().filter(|(_, file)| file.offer.fetch.is_some()).map(|(number, _)| *number);
        let numbers: Vec<u32> = fetched.collect();
        numbers.into_iter().for_each(|number| _ = self.stop(number, text));
    }

    // What the disk says.

    /// Reading begins here.
    pub fn checked(&mut self, number: u32, at: u64) {
        let Some(file) = self.files.get_mut(&number).filter(|file| file.phase == Phase::Checking) else { return };
        file.phase = Phase::Running { at, read: VecDeque::new(), end: None, asked: false };
        self.steps.push_back(Step::Tell(Report::new(&file.offer, at, State::Running)));
        self.turn.push_back(number);
        self.read_ahead();
    }

    /// The next bytes.
    pub fn read(&mut self, number: u32, bytes: &[u8]) {
        if let Some(File { phase: Phase::Running { read, asked, .. }, .. }) = self.files.get_mut(&number) {
            read.extend(bytes);
            *asked = false;
            self.read_ahead();
        }
    }

    /// There are no more; this is the hash of all.
    pub fn ended(&mut self, number: u32, hash: Hash) {
        if let Some(File { phase: Phase::Running { end, asked, .. }, .. }) = self.files.get_mut(&number) {
            (*end, *asked) = (Some(hash), false);
        }
    }

    /// It cannot be read any more, or is not what was offered.
    pub fn failed(&mut self, number: u32, text: &str) {
        if self.files.contains_key(&number) {
            self.steps.push_back(Step::Send(FileMessage::Stop { number, reason: reason(text) }));
            self.end(number, State::Failed(text.to_owned()));
        }
    }

    // The bulk lane.

    /// Whether there is a chunk.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let first = self.turn.front().and_then(|number| self.files.get(number));
        matches!(first, Some(File { phase: Phase::Running { read, end, .. }, .. }) if !read.is_empty() || end.is_some())
    }

    /// The next chunk, of at most so many bytes, if there is one. Of those before it, `under_way` are not with the receiver yet.
    pub fn chunk(&mut self, room: usize, under_way: usize) -> Option<Vec<u8>> {
        let number = *self.turn.front()?;
        let File { offer, phase } = self.files.get_mut(&number)?;
        let Phase::Running { at, read, end, .. } = phase else { return None };
        let count = read.len().min(room.saturating_sub(OVERHEAD).max(1));
        if count == 0 {
            let hash = (*end)?;
            *phase = Phase::Sent;
            self.turn.pop_front();
            self.read_ahead();
            return Some(Chunk::Done { number, hash }.encode());
        }
        let bytes: Vec<u8> = read.drain(..count).collect();
        let chunk = Chunk::Data { number, offset: *at, bytes: &bytes }.encode();
        *at += count as u64;
        let report = Report::new(offer, at.saturating_sub(under_way as u64), State::Running);
        self.steps.push_back(Step::Tell(report));
        self.read_ahead();
        Some(chunk)
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// Has the next block read while the one before goes out.
    fn read_ahead(&mut self) {
        let Some(number) = self.turn.front() else { return };
        let Some(File { phase: Phase::Running { read, end, asked, .. }, .. }) = self.files.get_mut(number) else { return };
        if !*asked && end.is_none() && read.len() < BLOCK {
            *asked = true;
            self.steps.push_back(Step::Read(*number));
        }
    }

    fn end(&mut self, number: u32, state: State) {
        let Some(file) = self.files.remove(&number) else { return };
        self.turn.retain(|turn| *turn != number);
        let done = match (&state, &file.phase) {
            (State::Done, _) => file.offer.size,
            (_, Phase::Running { at, .. }) => *at,
            _ => 0,
        };
        self.steps.extend([Step::Close(number), Step::Tell(Report::new(&file.offer, done, state))]);
        self.read_ahead();
    }
}
