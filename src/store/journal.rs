//! The session log's files: the folder `log` with records in `000001.jsonl`, `000002.jsonl` and so on, the signed end of them in `head`, and
//! a page for people about each session.
//!
//! - Records are only ever appended, chained and signed ([`crate::protocol::journal`]), under the state folder's lock: several sessions and
//!   processes share one chain. They are on the disk before the head is, and the head before [`Journal::append`] returns.
//! - Only what the head covers is the log. Bytes behind it come from a write that did not end (power cut, full disk) or from somebody
//!   else; they show in [`Journal::verify`], and the next record takes their place.
//! - A record is chained to what the head says, not to what the file happens to hold. So what somebody changed keeps showing, however much is
//!   written after it. A head that is missing or not ours is an error, and nothing is written until a person looked at it.
//! - A file that has [`FULL`] bytes is followed by the next one, in the same chain. When there are more than `log_megabytes` in
//!   `config.toml` allows, the oldest goes, and older pages with it: the signed head says then where the log begins. A file in which
//!   something was changed never goes, and none behind it, so that this keeps showing.
//! - Files are read line by line: the log may be larger than the memory.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use ed25519_dalek::SigningKey;
use serde::Serialize;

use super::{Access, Store, StoreError, file};
use crate::protocol::journal::{Head, MAX_LINE, Tip};

/// A file of records this long is followed by another one: some thousand sessions.
const FULL: u64 = 4 << 20;
/// The fewest files that are kept: else nothing but the last few sessions might be there.
const FEWEST: u64 = 2;
/// The longest head, in bytes.
const MAX_HEAD: u64 = 1024;

/// The session log.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    folder: PathBuf,
    key: SigningKey,
    full: u64,
    /// The most files that are kept.
    kept: Option<u64>,
}

/// A log in which nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Records that are there.
    pub records: u64,
    /// Older ones that were let go.
    pub gone: u64,
}

/// What somebody did to the log, or a disk.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}, line {line}: {what}", file.display())]
pub struct Tampered {
    /// Where.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u64,
    /// What is wrong there.
    pub what: String,
}

impl Store {
    /// The session log, signed with this folder's identity.
    ///
    /// # Errors
    /// The identity or the log's folder cannot be used.
    pub fn journal(&self) -> Result<Journal, StoreError> {
        let folder = self.path("log");
        file::make_folder(&folder)?;
        // While the configuration has a mistake, nothing goes.
        let kept = self.config().ok().and_then(|config| config.log_bytes()).map(|bytes| (bytes / FULL).max(FEWEST));
        Ok(Journal { store: self.clone(), folder, key: self.identity()?, full: FULL, kept })
    }
}

impl Journal {
    /// Appends records, all or none. They outlast a power cut once this returns.
    ///
    /// # Errors
    /// They cannot be written, or the head is damaged: nothing was changed.
    pub fn append<R: Serialize>(&self, records: &[R]) -> Result<(), StoreError> {
        let _lock = self.store.lock()?;
        let mut head = self.head()?;
        let first = head.first;
        if head.length >= self.full {
            head = self.without_oldest(Head { file: head.file + 1, length: 0, ..head })?;
        }
        let path = self.records(head.file);
        let failed = |error| StoreError::io("write", &path, error);
        let mut text = String::new();
        for record in records {
            text += &head.tip.add(record).map_err(|error| failed(error.into()))?;
            text.push('\n');
        }
        let mut file = file::open_to_append(&path).map_err(failed)?;
        let before = head.length;
        // What lies behind the head was never part of the log. A file that is too short stays so, and shows.
        let length = file.metadata().map_err(failed)?.len();
        if length > before {
            file.set_len(before).map_err(failed)?;
        }
        let written = file.seek(SeekFrom::End(0)).and_then(|at| {
            head.length = at + text.len() as u64;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all())
        });
        if let Err(error) = written {
            // The first error is the one to tell.
            file.set_len(before.min(length)).ok();
            return Err(failed(error));
        }
        if before == 0 {
            file::sync_folder(&path)?;
        }
        file::replace(&self.folder.join("head"), head.sign(&self.key).as_bytes())?;
        if head.first > first {
            self.remove_before(head.first);
        }
        Ok(())
    }

    /// The head of a log that has no more files than are kept, as far as those that go are as they were written.
    fn without_oldest(&self, mut head: Head) -> Result<Head, StoreError> {
        while let Some(kept) = self.kept
            && u64::from(head.file - head.first) >= kept
        {
            let mut tip = head.before;
            if !self.follows(head.first, &mut tip, u64::MAX)? || !self.follows(head.first + 1, &mut tip.clone(), 1)? {
                break;
            }
            head = Head { first: head.first + 1, before: tip, ..head };
        }
        Ok(head)
    }

    /// Whether a file is there and its first `most` lines go on from `tip`, which is behind them then.
    fn follows(&self, number: u32, tip: &mut Tip, most: u64) -> Result<bool, StoreError> {
        let Some(mut lines) = Lines::open(&self.records(number))? else { return Ok(false) };
        let mut read = 0;
        while read < most
            && let Some((line, is_whole)) = lines.next()?
        {
            read += 1;
            if !is_whole || tip.follow(line).is_err() {
                return Ok(false);
            }
        }
        Ok(read > 0)
    }

    /// Removes the files before this one, and pages that are older than their last record. What cannot be removed now goes the next time.
    fn remove_before(&self, first: u32) {
        let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified());
        if let Some(until) = first.checked_sub(1).and_then(|last| changed(&self.records(last)).ok()) {
            self.remove_pages(until);
        }
        (1..first).rev().map(|number| self.records(number)).take_while(|path| path.exists()).for_each(|path| {
            fs::remove_file(path).ok();
        });
    }

    fn remove_pages(&self, until: SystemTime) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let is_page = entry.path().extension().is_some_and(|extension| extension == "html");
            let is_old = entry.metadata().and_then(|about| about.modified()).is_ok_and(|changed| changed <= until);
            if is_page && is_old {
                fs::remove_file(entry.path()).ok();
            }
        }
    }

    /// Puts a page about a session beside the records.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_page(&self, name: &str, page: &str) -> Result<PathBuf, StoreError> {
        let _lock = self.store.lock()?;
        let path = self.folder.join(name);
        file::replace(&path, page.as_bytes())?;
        Ok(path)
    }

    /// Hands over every line of the log as it is, first to last, one at a time; what cannot be a line is left out.
    ///
    /// # Errors
    /// A file cannot be read, or `each` fails.
    pub fn read<E: From<StoreError>>(&self, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let first = self.head().map_or_else(|_| self.lowest(), |head| head.first);
        for number in first.. {
            let Some(mut lines) = Lines::open(&self.records(number))? else { break };
            while let Some((line, _)) = lines.next()? {
                if let Ok(line) = std::str::from_utf8(line) {
                    each(line)?;
                }
            }
        }
        Ok(())
    }

    /// The number of the first file that is there: also a log without a head that counts can be read.
    fn lowest(&self) -> u32 {
        let number = |name: &std::ffi::OsStr| name.to_str()?.strip_suffix(".jsonl")?.parse().ok();
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| number(&entry.file_name())).min().unwrap_or(1)
    }

    /// Checks all of it: how much it is, or the first thing that is wrong.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn verify(&self) -> Result<Result<Extent, Tampered>, StoreError> {
        // Nobody writes meanwhile.
        let _lock = self.store.lock()?;
        let head = match self.head() {
            Ok(head) => head,
            Err(StoreError::Damaged { path, reason, .. }) => return Ok(Err(Tampered { file: path, line: 1, what: reason })),
            Err(error) => return Err(error),
        };
        let mut tip = head.before;
        // A log without a record has no file.
        let files = if head == NEW { 0 } else { head.file };
        for number in head.first..=files {
            if let Err(tampered) = self.verify_file(number, &head, &mut tip)? {
                return Ok(Err(tampered));
            }
        }
        let more = self.records(files + 1);
        if more.exists() {
            return Ok(Err(Tampered { file: more, line: 1, what: "this file was added: the log ends before it".to_owned() }));
        }
        let gone = head.before.count;
        Ok(Ok(Extent { records: tip.count.saturating_sub(gone), gone }))
    }

    fn verify_file(&self, number: u32, head: &Head, tip: &mut Tip) -> Result<Result<(), Tampered>, StoreError> {
        let path = self.records(number);
        let tampered = |line, what: &str| Ok(Err(Tampered { file: path.clone(), line, what: what.to_owned() }));
        let Some(mut lines) = Lines::open(&path)? else { return tampered(1, "this file was removed") };
        let mut line = 0;
        while let Some((bytes, is_whole)) = lines.next()? {
            line += 1;
            if *tip == head.tip {
                let what = "this was added behind the last record, or rs was stopped while it wrote: the log ends before it";
                return tampered(line, what);
            }
            if let Err(fault) = tip.follow(bytes) {
                return tampered(line, &fault.to_string());
            }
            if !is_whole {
                return tampered(line, "the end of this line was changed");
            }
            if *tip == head.tip && number != head.file {
                return tampered(line, "the log ends in another file");
            }
        }
        let (count, of) = (tip.count, head.tip.count);
        match *tip == head.tip || number < head.file {
            true => Ok(Ok(())),
            false if count == of => tampered(line, "this record was changed"),
            false => tampered(line + 1, &format!("the log ends here after {count} of {of} records: the rest was removed")),
        }
    }

    /// The signed end of the log.
    fn head(&self) -> Result<Head, StoreError> {
        let path = self.folder.join("head");
        let text = file::read(&path, Access::Any, MAX_HEAD)?;
        let Some(text) = text else {
            return match self.records(self.lowest()).exists() {
                true => Err(StoreError::damaged(&path, "it was removed, and with it what says where the log ends")),
                false => Ok(NEW),
            };
        };
        let head = std::str::from_utf8(&text).ok().and_then(|text| Head::verify(text, &self.key.verifying_key()));
        head.ok_or_else(|| StoreError::damaged(&path, "it was not signed with the identity of this folder, or was changed"))
    }

    fn records(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:06}.jsonl"))
    }
}

/// Where a log begins.
const NEW: Head = Head { first: 1, before: Tip::NONE, tip: Tip::NONE, file: 1, length: 0 };

/// Lines of a file, one at a time and none without bounds.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    /// `None`: there is no such file.
    fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        match OpenOptions::new().read(true).open(path) {
            Ok(file) => Ok(Some(Self { path: path.to_owned(), reader: BufReader::new(file), line: Vec::new() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", path, error)),
        }
    }

    /// The next line without its end, and whether it had one. One that is too long comes in pieces, none of which is a record.
    fn next(&mut self) -> Result<Option<(&[u8], bool)>, StoreError> {
        self.line.clear();
        let read = self.reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.line);
        if read.map_err(|error| StoreError::io("read", &self.path, error))? == 0 {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\n");
        Ok(Some((line.unwrap_or(&self.line), line.is_some())))
    }
}

#[cfg(all(test, unix))]
mod tests;
