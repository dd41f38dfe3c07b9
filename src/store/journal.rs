//! The session log's files: the folder `log` with records in `000001.jsonl`, `000002.jsonl` and so on, the signed end of them in `head`, and
//! a page for people about each session.
//!
//! - Records are only ever appended, chained and signed ([`crate::protocol::journal`]), under the state folder's lock: several sessions and
//!   processes share one chain. They are on the disk before the head is, and the head before [`Journal::append`] returns.
//! - Only what the head covers is the log. Bytes behind it come from a write that did not end (power cut, full disk) or from somebody
//!   else; they show in [`Journal::verify`], and the next record takes their place.
//! - A record is chained to what the head says, not to what the file happens to hold. So what somebody changed keeps showing, however much is
//!   written after it. A head that is missing or not ours is an error, and nothing is written until a person looked at it.
//! - A file that has [`FULL`] bytes is followed by the next one, in the same chain. None is ever removed.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use ed25519_dalek::SigningKey;
use serde::Serialize;

use super::{Access, Store, StoreError, file};
use crate::protocol::journal::{Head, MAX_LINE, Tip};

/// A file of records this long is followed by another one: some thousand sessions.
const FULL: u64 = 4 << 20;
/// The longest head, in bytes.
const MAX_HEAD: u64 = 1024;

/// The session log.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    folder: PathBuf,
    key: SigningKey,
    full: u64,
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
        Ok(Journal { store: self.clone(), folder, key: self.identity()?, full: FULL })
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
        if head.length >= self.full {
            head = Head { file: head.file + 1, length: 0, ..head };
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
        file::replace(&self.folder.join("head"), head.sign(&self.key).as_bytes())
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

    /// Every line of the log as it is, first to last; what cannot be a line is left out.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(&self, mut each: impl FnMut(&str)) -> Result<(), StoreError> {
        for number in 1.. {
            let path = self.records(number);
            let Some(mut lines) = Lines::open(&path)? else { break };
            while let Some((line, _)) = lines.next()? {
                if let Ok(line) = std::str::from_utf8(line) {
                    each(line);
                }
            }
        }
        Ok(())
    }

    /// Checks all of it. The number of records, or the first thing that is wrong.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn verify(&self) -> Result<Result<u64, Tampered>, StoreError> {
        // Nobody writes meanwhile.
        let _lock = self.store.lock()?;
        let head = match self.head() {
            Ok(head) => head,
            Err(StoreError::Damaged { path, reason, .. }) => return Ok(Err(Tampered { file: path, line: 1, what: reason })),
            Err(error) => return Err(error),
        };
        let mut tip = Tip::NONE;
        // A log without a record has no file.
        let files = if head == NEW { 0 } else { head.file };
        for number in 1..=files {
            if let Err(tampered) = self.verify_file(number, &head, &mut tip)? {
                return Ok(Err(tampered));
            }
        }
        let more = self.records(files + 1);
        if more.exists() {
            return Ok(Err(Tampered { file: more, line: 1, what: "this file was added: the log ends before it".to_owned() }));
        }
        Ok(Ok(tip.count))
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
            return match self.records(1).exists() {
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
const NEW: Head = Head { tip: Tip::NONE, file: 1, length: 0 };

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
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, thread};

    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;

    fn journal() -> (TempDir, Journal) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path().join("state")).expect("a fresh folder");
        let journal = store.journal().expect("a fresh log");
        (folder, journal)
    }

    fn write(journal: &Journal, count: u64) {
        (0..count).for_each(|number| journal.append(&[json!({ "word": number })]).expect("there is room"));
    }

    fn lines(journal: &Journal) -> Vec<String> {
        let mut lines = Vec::new();
        journal.read(|line| lines.push(line.to_owned())).expect("it can be read");
        lines
    }

    fn tampered(journal: &Journal) -> Tampered {
        journal.verify().expect("it can be read").expect_err("it was changed")
    }

    #[test]
    fn records_are_kept_in_order_and_private() {
        let (_folder, journal) = journal();
        assert_eq!(journal.verify().expect("read"), Ok(0));
        journal.append(&[json!({ "word": "a" }), json!({ "word": "b" })]).expect("written");
        write(&journal, 1);
        let words: Vec<Value> = lines(&journal)
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["record"]["word"].clone())
            .collect();
        assert_eq!(words, [json!("a"), json!("b"), json!(0)]);
        assert_eq!(journal.verify().expect("read"), Ok(3));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&journal.folder), 0o700);
        for name in ["000001.jsonl", "head"] {
            assert_eq!(mode(&journal.folder.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn a_full_file_is_followed_by_the_next_one_in_the_same_chain() {
        let (_folder, mut journal) = journal();
        journal.full = 1000;
        write(&journal, 40);
        assert!(journal.records(3).exists());
        assert_eq!((lines(&journal).len(), journal.verify().expect("read")), (40, Ok(40)));
        let second = journal.records(2);
        let kept = fs::read(&second).expect("there");
        fs::remove_file(&second).expect("removed");
        assert_eq!(tampered(&journal).to_string(), format!("{}, line 1: this file was removed", second.display()));
        for cut in [1, 2] {
            fs::write(&second, &kept[..kept.len() - cut]).expect("written");
            assert_eq!(tampered(&journal).file, second);
        }
        fs::write(&second, &kept).expect("written");
        fs::write(journal.records(9), &kept).expect("written");
        assert_eq!(journal.verify().expect("read"), Ok(40), "a file that follows nothing is not read");
    }

    #[test]
    fn whatever_is_done_to_a_file_is_named_by_its_line() {
        let (_folder, journal) = journal();
        write(&journal, 5);
        let path = journal.records(1);
        let whole = fs::read_to_string(&path).expect("there");
        let line = |number: usize| whole.lines().nth(number).expect("there");
        let without = |number: usize| whole.replacen(&format!("{}\n", line(number)), "", 1);
        let cases = [
            (whole.replacen("\"word\":1", "\"word\":9", 1), 3, "the record before this one was changed"),
            (whole.replacen("\"word\":4", "\"word\":9", 1), 5, "this record was changed"),
            (without(1), 2, "record 3 stands where record 2 should"),
            (without(4), 5, "the log ends here after 4 of 5 records"),
            (String::new(), 1, "the log ends here after 0 of 5 records"),
            (whole.clone() + line(4) + "\n", 6, "this was added behind the last record"),
            (whole.clone() + "{", 6, "this was added behind the last record"),
            (whole.trim_end().to_owned(), 5, "the end of this line was changed"),
            (whole.replacen("{", "(", 1), 1, "this is not a record"),
        ];
        for (changed, line, what) in cases {
            fs::write(&path, changed).expect("written");
            let found = tampered(&journal);
            assert_eq!((found.line, &found.file), (line, &path), "{found}");
            assert!(found.what.contains(what), "{found}");
        }
        fs::write(&path, whole).expect("written");
        assert_eq!(journal.verify().expect("read"), Ok(5));
    }

    #[test]
    fn what_was_changed_keeps_showing_whatever_is_written_after_it() {
        let (_folder, journal) = journal();
        write(&journal, 3);
        let path = journal.records(1);
        let whole = fs::read_to_string(&path).expect("there");
        for changed in
            [whole.replacen("\"word\":2", "\"word\":7", 1), whole.lines().take(2).map(|line| format!("{line}\n")).collect()]
        {
            fs::write(&path, changed).expect("written");
            write(&journal, 2);
            tampered(&journal);
        }
    }

    #[test]
    fn the_remains_of_a_write_that_did_not_end_give_way_to_the_next_record() {
        let (_folder, journal) = journal();
        write(&journal, 2);
        let path = journal.records(1);
        let whole = fs::read_to_string(&path).expect("there");
        for remains in ["{\"number\":3,", "{\"number\":3}\n{\"num"] {
            fs::write(&path, format!("{whole}{remains}")).expect("written");
            assert_eq!(tampered(&journal).line, 3);
        }
        write(&journal, 1);
        assert_eq!(journal.verify().expect("read"), Ok(3));
    }

    #[test]
    fn a_head_that_is_not_ours_is_told_and_nothing_is_written() {
        let (folder, journal) = journal();
        write(&journal, 2);
        let (head, records) = (journal.folder.join("head"), journal.records(1));
        let (signed, kept) = (fs::read(&head).expect("there"), fs::read(&records).expect("there"));
        let other = Store::at(folder.path().join("other")).expect("a fresh folder").journal().expect("a fresh log");
        write(&other, 2);
        let forged = fs::read(other.folder.join("head")).expect("there");
        for text in [Some(forged), Some(b"x".to_vec()), None] {
            match text {
                Some(text) => fs::write(&head, text).expect("written"),
                None => fs::remove_file(&head).expect("removed"),
            }
            assert_eq!(tampered(&journal).file, head);
            let refused = journal.append(&[json!({})]).expect_err("damaged").to_string();
            assert!(refused.contains("move the folder"), "{refused}");
            assert_eq!(fs::read(&records).expect("there"), kept);
        }
        fs::write(&head, signed).expect("written");
        write(&journal, 1);
        assert_eq!(journal.verify().expect("read"), Ok(3));
    }

    #[test]
    fn many_may_write_at_once() {
        let (_folder, journal) = journal();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| write(&journal.store.journal().expect("the same log"), 10));
            }
        });
        assert_eq!(journal.verify().expect("read"), Ok(40));
    }

    #[test]
    fn a_log_that_cannot_be_written_says_so_and_stays_whole() {
        let (_folder, journal) = journal();
        write(&journal, 1);
        let error = journal.append(&[json!({ "word": "x".repeat(MAX_LINE) })]).expect_err("too long").to_string();
        assert!(error.contains("too long"), "{error}");
        let fresh = journal.folder.join("head.new");
        fs::create_dir_all(fresh.join("in the way")).expect("made");
        journal.append(&[json!({})]).expect_err("the head cannot be written");
        fs::remove_dir_all(fresh).expect("removed");
        assert_eq!(tampered(&journal).line, 2, "behind the head");
        write(&journal, 1);
        assert_eq!(journal.verify().expect("read"), Ok(2));
    }
}
