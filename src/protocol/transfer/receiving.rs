//! The receiver's end: what was offered, what is wanted of it, and what of it is here.
//!
//! Each call puts out [`Step`]s, for the disk, the peer and the user; drain them with [`Receiving::poll`]. The disk does its steps in
//! order and reports [`Receiving::opened`], [`Receiving::written`], [`Receiving::finished`] or [`Receiving::failed`].

use std::collections::{BTreeMap, VecDeque};

use super::{Chunk, FileMessage, Hash, MAX_TRANSFERS, Offer, name, reason};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Tell the peer.
    Send(FileMessage),
    /// Tell the user how a transfer stands now.
    Tell(Report),
    /// Open the partial file with this name, or make one; at most so many bytes count.
    Open(u32, String, u64),
    /// Write these bytes here; anything behind them goes. Then one chunk is taken.
    Write(u32, u64, Vec<u8>),
    /// Everything is there: check it, give it its name.
    Finish(u32, Hash),
    /// Close it and keep it as it is.
    Close(u32),
    /// A chunk is taken, without the disk.
    Taken,
}

/// How a transfer stands, for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The sender's number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Those that the receiver has.
    pub done: u64,
    /// The state.
    pub state: State,
    /// The request that it answers.
    pub fetch: Option<u32>,
}

impl Report {
    pub(super) fn new(offer: &Offer, done: u64, state: State) -> Self {
        Self { number: offer.number, name: offer.name.clone(), size: offer.size, done, state, fetch: offer.fetch }
    }
}

/// Its state. The last three are its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// They are asked.
    Offered,
    /// It goes.
    Running,
    /// It is here.
    Done,
    /// It failed.
    Failed(String),
    /// It was not wanted, or no longer.
    Refused(String),
}

#[derive(Debug)]
struct File {
    offer: Offer,
    phase: Phase,
    /// Bytes on the disk.
    written: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Offered,
    Opening,
    /// The next byte wanted; before the first one came, 0 will do as well.
    Open {
        next: u64,
        fresh: bool,
    },
    Finishing,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Receiving {
    /// The highest number offered.
    last: u32,
    files: BTreeMap<u32, File>,
    steps: VecDeque<Step>,
}

impl Receiving {
    /// The peer offers a file. Whether the user should be asked.
    pub fn offered(&mut self, offer: Offer) -> bool {
        let number = offer.number;
        let why_not = if number <= self.last {
            Err("its number was used before")
        } else if self.files.len() >= MAX_TRANSFERS {
            Err("too many files are waiting; try again later")
        } else {
            name::check(&offer.name)
        };
        self.last = self.last.max(number);
        match why_not {
            Ok(()) => {
                self.steps.push_back(Step::Tell(Report::new(&offer, 0, State::Offered)));
                self.files.insert(number, File { offer, phase: Phase::Offered, written: 0 });
                true
            }
            Err(text) => {
                self.refuse_message(number, text);
                false
            }
        }
    }

    /// The user wants it. Whether it was waiting for that.
    pub fn accept(&mut self, number: u32) -> bool {
        let Some(file) = self.files.get_mut(&number).filter(|file| file.phase == Phase::Offered) else { return false };
        file.phase = Phase::Opening;
        self.steps.push_back(Step::Open(number, file.offer.name.clone(), file.offer.size));
        true
    }

    /// It is not wanted, or no longer. Whether there was one.
    pub fn refuse(&mut self, number: u32, text: &str) -> bool {
        let known = self.files.contains_key(&number);
        if known {
            self.refuse_message(number, text);
            self.end(number, State::Refused(reason(text)));
        }
        known
    }

    /// None of them is wanted any more.
    pub fn refuse_all(&mut self, text: &str) {
        let numbers: Vec<u32> = self.files.keys().copied().collect();
        numbers.into_iter().for_each(|number| _ = self.refuse(number, text));
    }

    /// The sender gives up.
    pub fn stopped(&mut self, number: u32, text: &str) {
        if self.files.contains_key(&number) {
            self.end(number, State::Failed(format!("the sender stopped: {text}")));
        }
    }

    /// A chunk came in. False: no honest peer sends that.
    pub fn chunk(&mut self, bytes: &[u8]) -> bool {
        let Some(chunk) = Chunk::decode(bytes) else { return false };
        let (Chunk::Data { number, .. } | Chunk::Done { number, .. }) = chunk;
        let Some(file) = self.files.get_mut(&number) else {
            // What was refused a moment ago may still come.
            self.steps.push_back(Step::Taken);
            return true;
        };
        match (chunk, &mut file.phase) {
            (Chunk::Data { offset, bytes, .. }, Phase::Open { next, fresh })
                if (offset == *next || *fresh && offset == 0)
                    && !bytes.is_empty()
                    && bytes.len() as u64 <= file.offer.size.saturating_sub(offset) =>
            {
                (*next, *fresh) = (offset + bytes.len() as u64, false);
                self.steps.push_back(Step::Write(number, offset, bytes.to_vec()));
            }
            (Chunk::Done { hash, .. }, Phase::Open { next, .. }) if *next == file.offer.size => {
                file.phase = Phase::Finishing;
                self.steps.extend([Step::Finish(number, hash), Step::Taken]);
            }
            _ => {
                self.steps.push_back(Step::Taken);
                self.failed(number, "the sender sent other bytes than it offered");
            }
        }
        true
    }

    // What the disk says.

    /// The partial file is open: so many bytes of it are here, with this hash.
    pub fn opened(&mut self, number: u32, offset: u64, prefix: Hash) {
        let Some(file) = self.files.get_mut(&number).filter(|file| file.phase == Phase::Opening) else { return };
        file.phase = Phase::Open { next: offset, fresh: true };
        file.written = offset;
        self.steps.push_back(Step::Send(FileMessage::Accept { number, offset, prefix }));
        self.steps.push_back(Step::Tell(Report::new(&file.offer, offset, State::Running)));
    }

    /// Up to here it is written.
    pub fn written(&mut self, number: u32, end: u64) {
        if let Some(file) = self.files.get_mut(&number) {
            file.written = end;
            self.steps.push_back(Step::Tell(Report::new(&file.offer, end, State::Running)));
        }
    }

    /// It is whole and has its name.
    pub fn finished(&mut self, number: u32) {
        if self.files.contains_key(&number) {
            self.steps.push_back(Step::Send(FileMessage::Verified { number }));
            self.end(number, State::Done);
        }
    }

    /// The disk refused, or the file is not what it should be.
    pub fn failed(&mut self, number: u32, text: &str) {
        if self.files.contains_key(&number) {
            self.refuse_message(number, text);
            self.end(number, State::Failed(reason(text)));
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    fn refuse_message(&mut self, number: u32, text: &str) {
        self.steps.push_back(Step::Send(FileMessage::Refuse { number, reason: reason(text) }));
    }

    fn end(&mut self, number: u32, state: State) {
        let Some(file) = self.files.remove(&number) else { return };
        if file.phase != Phase::Offered {
            self.steps.push_back(Step::Close(number));
        }
        self.steps.push_back(Step::Tell(Report::new(&file.offer, file.written, state)));
    }
}
