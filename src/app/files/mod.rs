//! Files in a session, at either side: what the transfers want ([`crate::protocol::transfer`]) is done by the [`disk`] and the driver, and what
//! becomes of it is told.
//!
//! After each call, [`Files::news`] has what the user should know. Progress is told at most every [`INTERVAL`] for each file.

mod disk;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    time::{Duration, Instant},
};

use data_encoding::HEXLOWER;

use self::disk::{Disk, Job, Reply};
use super::driver::Driver;
use crate::{
    protocol::{
        id::PeerKey,
        message::{EndReason, Message},
        transfer::{
            FileMessage, MAX_TRANSFERS,
            receiving::{self, Receiving, Report, State},
            sending::{self, Sending},
        },
    },
    ui::event::{Side, Transfer, TransferState},
};

/// Between two words about a file that goes.
const INTERVAL: Duration = Duration::from_millis(200);
/// The most words to the peer that wait for room in the session; more only come from a peer that floods us.
const MAX_UNSENT: usize = 4 * MAX_TRANSFERS;

/// The most files that wait to be offered; more are not sent.
const MAX_WAITING: usize = 10_000;

/// Where files go and what names they have.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The folder for what is received and fetched.
    pub(super) folder: PathBuf,
    /// Whether everything offered is taken, without asking.
    pub(super) takes_all: bool,
    /// Another name for what is received.
    pub(super) save_as: Option<String>,
    /// Another name for what is sent.
    pub(super) send_as: Option<String>,
}

impl Place {
    /// The folder that was given, else the configured one, else `rs` among the user's downloads.
    pub(super) fn new(given: Option<PathBuf>, configured: Option<PathBuf>) -> Self {
        let usual = || {
            let dirs = directories::UserDirs::new()?;
            Some(dirs.download_dir().unwrap_or(dirs.home_dir()).join("rs"))
        };
        let takes_all = given.is_some();
        let folder = given.or(configured).or_else(usual).unwrap_or_else(|| PathBuf::from("rs"));
        Self { folder, takes_all, save_as: None, send_as: None }
    }
}

/// The files of one session.
pub(super) struct Files {
    side: Side,
    takes_all: bool,
    send_as: Option<String>,
    receiving: Receiving,
    sending: Sending,
    disk: Disk,
    /// Files of ours that wait until they can be offered, and how many the disk opens for that or because they are fetched.
    waiting: VecDeque<PathBuf>,
    opening: usize,
    /// Requests of ours.
    fetches: BTreeMap<u32, String>,
    fetched: u32,
    unsent: VecDeque<FileMessage>,
    /// What was told last of those that are not over, and when.
    told: BTreeMap<(bool, u32), (Transfer, Instant)>,
    news: VecDeque<Transfer>,
    arrived: (u32, u64),
}

impl Files {
    /// Nothing yet, between this side and a peer.
    pub(super) fn new(side: Side, peer: PeerKey, place: Place) -> Self {
        let Place { folder, takes_all, save_as, send_as } = place;
        Self {
            side,
            takes_all,
            send_as,
            receiving: Receiving::default(),
            sending: Sending::default(),
            disk: Disk::new(folder, HEXLOWER.encode(&peer.0[..4]), save_as),
            waiting: VecDeque::new(),
            opening: 0,
            fetches: BTreeMap::new(),
            fetched: 0,
            unsent: VecDeque::new(),
            told: BTreeMap::new(),
            news: VecDeque::new(),
            arrived: (0, 0),
        }
    }

    // What the user does.

    /// Offers these, as many at once as may be unfinished.
    pub(super) fn send(&mut self, paths: Vec<PathBuf>) {
        for path in paths {
            if self.waiting.len() < MAX_WAITING {
                self.waiting.push_back(path);
            } else {
                let reason = "too many files wait already; send it later, or pack them into one".to_owned();
                self.tell_lost(self.side, path.display().to_string(), TransferState::Failed, reason);
            }
        }
        self.open_next();
    }

    /// Asks the host for a file below its folder.
    pub(super) fn fetch(&mut self, path: String, driver: &mut Driver) {
        self.fetched += 1;
        self.fetches.insert(self.fetched, path.clone());
        self.word(FileMessage::Fetch { number: self.fetched, path }, driver);
    }

    /// Takes what is offered. Whether it was.
    pub(super) fn save(&mut self, number: u32, driver: &mut Driver) -> bool {
        let known = self.receiving.accept(number);
        self.pump(driver);
        known
    }

    /// Sends away what is offered or comes. Whether there was one.
    pub(super) fn refuse(&mut self, number: u32, driver: &mut Driver) -> bool {
        let known = self.receiving.refuse(number, "it is not wanted");
        self.pump(driver);
        known
    }

    /// Gives up a file that is sent, else one that is received. Whether there was one.
    pub(super) fn cancel(&mut self, number: u32, driver: &mut Driver) -> bool {
        let known = self.sending.stop(number, "it was cancelled") || self.receiving.refuse(number, "it was cancelled");
        self.pump(driver);
        known
    }

    /// The peer may not send and fetch any more.
    pub(super) fn forbid(&mut self, driver: &mut Driver) {
        self.receiving.refuse_all(NOT_ALLOWED);
        self.sending.stop_fetched(NOT_ALLOWED);
        self.pump(driver);
    }

    // What comes in.

    /// The peer says this. `allowed`: it may send and fetch. One that breaks the protocol ends the session.
    pub(super) fn message(&mut self, message: FileMessage, allowed: bool, driver: &mut Driver) {
        let is_fine = match message {
            FileMessage::Offer(offer) if !allowed => {
                self.word(FileMessage::Refuse { number: offer.number, reason: NOT_ALLOWED.to_owned() }, driver);
                true
            }
            FileMessage::Offer(offer) => {
                let (number, fetch) = (offer.number, offer.fetch);
                let is_ours = fetch.is_some_and(|fetch| self.fetches.remove(&fetch).is_some());
                if self.receiving.offered(offer) && (self.takes_all || is_ours) {
                    self.receiving.accept(number);
                }
                true
            }
            FileMessage::Accept { number, offset, prefix } => self.sending.accepted(number, offset, prefix),
            FileMessage::Refuse { number, reason } => {
                self.sending.refused(number, &reason);
                true
            }
            FileMessage::Stop { number, reason } => {
                self.receiving.stopped(number, &reason);
                true
            }
            FileMessage::Verified { number } => self.sending.verified(number),
            FileMessage::Fetch { number, .. } if !allowed || self.sending.room() <= self.opening => {
                let reason = if allowed { "too many files are under way; try again later" } else { NOT_ALLOWED };
                self.word(FileMessage::NoFetch { number, reason: reason.to_owned() }, driver);
                true
            }
            FileMessage::Fetch { number, path } => {
                self.opening += 1;
                self.disk.give(Job::Fetch(number, path));
                true
            }
            FileMessage::NoFetch { number, reason } => {
                if let Some(path) = self.fetches.remove(&number) {
                    self.tell_lost(self.peer(), path, TransferState::Refused, reason);
                }
                true
            }
        };
        self.judge(is_fine, driver);
    }

    /// A chunk came in. A peer that breaks the protocol ends the session.
    pub(super) fn chunk(&mut self, bytes: &[u8], driver: &mut Driver) {
        let is_fine = self.receiving.chunk(bytes);
        self.judge(is_fine, driver);
    }

    /// There is room for a chunk.
    pub(super) fn want(&mut self, room: usize, driver: &mut Driver) {
        if let Some(chunk) = self.sending.chunk(room, driver.bulk_under_way()) {
            driver.send_bulk(chunk);
        }
        self.pump(driver);
    }

    /// The disk's next answer. Cancel-safe.
    pub(super) async fn next(&mut self) -> Reply {
        self.disk.next().await
    }

    /// The disk answered.
    pub(super) fn replied(&mut self, reply: Reply, driver: &mut Driver) {
        if let Reply::Source(..) = reply {
            self.opening -= 1;
        }
        match reply {
            Reply::Source(Ok(source), fetch) => {
                let name = self.send_as.clone().unwrap_or_else(|| source.name.clone());
                let number = self.sending.offer(name, source.size, fetch);
                self.disk.give(Job::Hold(number, source));
            }
            Reply::Source(Err((_, reason)), Some(number)) => {
                let reason = crate::protocol::transfer::reason(&reason);
                self.word(FileMessage::NoFetch { number, reason }, driver);
            }
            Reply::Source(Err((path, reason)), None) => {
                self.tell_lost(self.side, path.display().to_string(), TransferState::Failed, reason);
            }
            Reply::Opened(number, (offset, prefix)) => self.receiving.opened(number, offset, prefix),
            Reply::Wrote(number, written) => {
                driver.bulk_done();
                match written {
                    Ok(end) => self.receiving.written(number, end),
                    Err(reason) => self.receiving.failed(number, &reason),
                }
            }
            Reply::Finished(number, file, hash) => {
                if let Some((told, _)) = self.told.get_mut(&(false, number)) {
                    (told.file, told.blake3) = (Some(file), Some(HEXLOWER.encode(&hash)));
                }
                self.receiving.finished(number);
            }
            Reply::NotReceived(number, reason) => self.receiving.failed(number, &reason),
            Reply::Begins(number, at) => self.sending.checked(number, at),
            Reply::Read(number, bytes) => self.sending.read(number, &bytes),
            Reply::End(number, hash) => {
                if let Some((told, _)) = self.told.get_mut(&(true, number)) {
                    told.blake3 = Some(HEXLOWER.encode(&hash));
                }
                self.sending.ended(number, hash);
            }
            Reply::NotSent(number, reason) => self.sending.failed(number, &reason),
        }
        self.pump(driver);
    }

    /// The connection is interrupted, or back.
    pub(super) fn paused(&mut self, paused: bool) {
        if paused {
            self.disk.give(Job::Release);
        }
        let (from, to) =
            if paused { (TransferState::Running, TransferState::Paused) } else { (TransferState::Paused, TransferState::Running) };
        for (transfer, _) in self.told.values_mut().filter(|(transfer, _)| transfer.state == from) {
            transfer.state = to;
            self.news.push_back(transfer.clone());
        }
    }

    // What follows.

    /// What the user should know.
    pub(super) fn news(&mut self) -> Option<Transfer> {
        self.news.pop_front()
    }

    /// How many files arrived whole, and their bytes.
    pub(super) fn arrived(&self) -> (u32, u64) {
        self.arrived
    }

    fn open_next(&mut self) {
        while self.sending.room() > self.opening
            && let Some(path) = self.waiting.pop_front()
        {
            self.opening += 1;
            self.disk.give(Job::Source(path));
        }
    }

    fn judge(&mut self, is_fine: bool, driver: &mut Driver) {
        if !is_fine {
            driver.end(EndReason::ProtocolError);
        }
        self.pump(driver);
    }

    fn pump(&mut self, driver: &mut Driver) {
        while let Some(step) = self.receiving.poll() {
            match step {
                receiving::Step::Send(message) => self.word(message, driver),
                receiving::Step::Tell(report) => self.tell(false, report),
                receiving::Step::Open(number, name, size) => self.disk.give(Job::Open(number, name, size)),
                receiving::Step::Write(number, offset, bytes) => self.disk.give(Job::Write(number, offset, bytes)),
                receiving::Step::Finish(number, hash) => self.disk.give(Job::Finish(number, hash)),
                receiving::Step::Close(number) => self.disk.give(Job::CloseIncoming(number)),
                receiving::Step::Taken => driver.bulk_done(),
            }
        }
        while let Some(step) = self.sending.poll() {
            match step {
                sending::Step::Send(message) => self.word(message, driver),
                sending::Step::Tell(report) => self.tell(true, report),
                sending::Step::Check(number, offset, prefix) => self.disk.give(Job::Check(number, offset, prefix)),
                sending::Step::Read(number) => self.disk.give(Job::Read(number)),
                sending::Step::Close(number) => self.disk.give(Job::CloseOutgoing(number)),
            }
        }
        while let Some(message) = self.unsent.pop_front() {
            if driver.send(Message::File(message.clone())).is_err() {
                self.unsent.push_front(message);
                break;
            }
        }
        self.open_next();
        driver.bulk_ready(self.sending.is_ready());
    }

    fn word(&mut self, message: FileMessage, driver: &mut Driver) {
        if !self.unsent.is_empty() || driver.send(Message::File(message.clone())).is_err() {
            self.unsent.push_back(message);
            self.unsent.truncate(MAX_UNSENT);
        }
    }

    fn peer(&self) -> Side {
        if self.side == Side::Host { Side::Viewer } else { Side::Host }
    }

    fn tell(&mut self, ours: bool, report: Report) {
        let Report { number, name, size, done, state, .. } = report;
        let from = if ours { self.side } else { self.peer() };
        let (state, reason) = match state {
            State::Offered => (TransferState::Offered, None),
            State::Running => (TransferState::Running, None),
            State::Done => (TransferState::Done, None),
            State::Failed(reason) => (TransferState::Failed, Some(reason)),
            State::Refused(reason) => (TransferState::Refused, Some(reason)),
        };
        let (key, now) = ((ours, number), Instant::now());
        let before = self.told.remove(&key);
        if let Some((before, at)) = &before
            && before.state == state
            && now < *at + INTERVAL
        {
            let entry = (Transfer { done, ..before.clone() }, *at);
            self.told.insert(key, entry);
            return;
        }
        let (file, blake3) = before.map(|(before, _)| (before.file, before.blake3)).unwrap_or_default();
        let blake3 = blake3.filter(|_| state == TransferState::Done);
        let transfer = Transfer { number, from, name, size, done, state, file, blake3: blake3.clone(), reason };
        match state {
            TransferState::Done => self.arrived = (self.arrived.0 + 1, self.arrived.1 + size),
            TransferState::Failed | TransferState::Refused => {}
            _ => drop(self.told.insert(key, (transfer.clone(), now))),
        }
        self.news.push_back(transfer);
    }

    /// A file that never became a transfer.
    fn tell_lost(&mut self, from: Side, name: String, state: TransferState, reason: String) {
        let reason = Some(reason);
        self.news.push_back(Transfer { number: 0, from, name, size: 0, done: 0, state, file: None, blake3: None, reason });
    }
}

/// What a peer without the permission hears.
const NOT_ALLOWED: &str = "the host's user does not allow files; ask them to type: allow files";
