//! The state folder: the identity, the password record, and whom we know. `RS_HOME`, else the platform's data folder of `rs`.
//!
//! - `identity.key` and `password.opaque` are secrets: mode 0600, and refused when other users may read them.
//! - A secret that is damaged, exposed or unreadable is an error that says what to do. It is never replaced, repaired or `chmod`-ed
//!   behind its owner's back. Only [`Store::save_password_record`] replaces the record, because a person asked for a new password.
//! - A pin is never changed here: another key under a pinned name is an error, and the person removes the line if they trust the new one.
//! - Every write is whole or did not happen; see the `file` module. Two processes may use one folder at once, but only one may be the host.
//! - Every error is one line: what happened, where, and what to do next.
//!
//! | file | content |
//! |---|---|
//! | `identity.key` | the Ed25519 seed and its public key, as text |
//! | `password.opaque` | the record of the permanent password, if there is one |
//! | `known_hosts` | hosts that were visited: key, day, ID |
//! | `hosts` | the same for people: ID, last visit, and what the user calls it |
//! | `known_viewers` | viewers that had a session here: key, day, name |
//! | `known_relays` | relays that were given without their key: key, day, address |
//! | `config.toml` | the user's own settings: [`Config`] |
//! | `log/` | the session log: [`Journal`] |
//! | `control.sock` | through it `rs rotate-password` reaches a running host |
//! | `lock`, `host.lock` | empty; only their locks count |

mod config;
mod file;
mod hosts;
mod journal;
mod ledger;

use std::{
    env, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use crate::protocol::id::{HostId, PeerKey};

pub use config::Config;
use file::Access;
use hosts::Hosts;
pub use hosts::{Host, NameError, is_name};
pub use journal::{Extent, Journal, Tampered};
use ledger::Ledger;

/// The environment variable with the path of the state folder.
pub const VARIABLE: &str = "RS_HOME";

/// The longest secret file, in bytes.
const MAX_SECRET: u64 = 64 << 10;
/// The longest text file, in bytes: some ten thousand peers.
const MAX_TEXT: u64 = 1 << 20;
/// The first word of `identity.key`: its version.
const IDENTITY_FORM: &str = "rs-identity-1";

/// The state folder cannot be used; the text says why and what to do, in one line.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system does not say where the user's files are.
    #[error("no home folder is known for this user; set {VARIABLE} to a folder for the state of rs")]
    NoHome,
    /// The system refused.
    #[error("cannot {doing} {}: {source}; {}", path.display(), advice(source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A secret that others can read.
    #[error("other users of this machine can read {path}; if that did no harm, run `chmod 600 {path}`, otherwise delete it and get a new one", path = .0.display())]
    Exposed(PathBuf),
    /// A folder in which others can replace our files.
    #[error("other users of this machine can write in the folder {path}; run `chmod go-w {path}`, or set {VARIABLE} to another folder", path = .0.display())]
    OpenFolder(PathBuf),
    /// A file that we did not write, or that suffered.
    #[error("{} is damaged ({reason}); {advice}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How we know.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// The configuration has a mistake.
    #[error("{} has a mistake in {reason}; correct it, or delete the file", path.display())]
    Config {
        /// Which file.
        path: PathBuf,
        /// `line N: …`
        reason: String,
    },
    /// Another `rs host` has this folder.
    #[error("rs host runs already with the folder {}; end it first, or set {VARIABLE} to another folder", .0.display())]
    HostRuns(PathBuf),
    /// A pinned name shows another key now.
    #[error("{label} has another key than at its first visit; if you know why, remove its line from {} and try again", path.display())]
    PinnedOtherwise {
        /// The ID or address.
        label: String,
        /// The file with the pin.
        path: PathBuf,
    },
}

impl StoreError {
    fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        let advice = match path.file_name().and_then(|name| name.to_str()) {
            Some("identity.key") => "restore it from a backup, or delete it to get a new ID",
            Some("password.opaque") => "set a new password with `rs rotate-password --permanent`",
            Some("config.toml") => "correct it, or delete it",
            Some("head") => "look into it with `rs log verify`, then move the folder `log` away to begin a new one",
            _ => "correct it by hand, or delete it to forget what it holds",
        };
        Self::Damaged { path: path.to_owned(), reason: reason.into(), advice }
    }
}

/// What a person can do about an error of the system.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space and try again",
        io::ErrorKind::ReadOnlyFilesystem => "make it writable, or set RS_HOME to a folder that is",
        io::ErrorKind::PermissionDenied => "give your user access to it, or set RS_HOME to another folder",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file is in the way: move it, or set RS_HOME to another folder"
        }
        _ => "check that disk and path, or set RS_HOME to another folder",
    }
}

/// A viewer that had a session here before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The day it came first, `YYYY-MM-DD` in UTC.
    pub since: String,
    /// The name it gave last.
    pub name: String,
}

/// The right to be the host of a state folder; held while it lives.
#[derive(Debug)]
pub struct HostLock {
    _lock: file::Lock,
}

/// The state folder.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The folder in `RS_HOME`, else the platform's; made if it is not there.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub fn open() -> Result<Self, StoreError> {
        match env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            Some(path) => Self::at(path),
            None => Self::at(directories::ProjectDirs::from("", "", "rs").ok_or(StoreError::NoHome)?.data_dir()),
        }
    }

    /// This folder; made (mode 0700) if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or other users may write in it.
    pub fn at(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let folder = std::path::absolute(path).map_err(|error| StoreError::io("find", path, error))?;
        file::make_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Our key. Made and kept on first use.
    ///
    /// # Errors
    /// It is damaged or exposed, or cannot be read or kept.
    pub fn identity(&self) -> Result<SigningKey, StoreError> {
        let path = self.path("identity.key");
        if let Some(key) = read_identity(&path)? {
            return Ok(key);
        }
        let _lock = self.lock()?;
        // Another process may have made it while we waited.
        if let Some(key) = read_identity(&path)? {
            return Ok(key);
        }
        let key = SigningKey::generate(&mut OsRng);
        file::replace(&path, identity_text(&key).as_bytes())?;
        Ok(key)
    }

    /// The right to be this folder's host. It frees itself when it is dropped and when the process dies.
    ///
    /// # Errors
    /// [`StoreError::HostRuns`] if another process has it.
    pub fn lock_host(&self) -> Result<HostLock, StoreError> {
        let lock = file::try_lock(&self.path("host.lock"))?;
        lock.map(|lock| HostLock { _lock: lock }).ok_or_else(|| StoreError::HostRuns(self.folder.clone()))
    }

    /// The record of the permanent password, if there is one.
    ///
    /// # Errors
    /// It is empty or exposed, or cannot be read.
    pub fn password_record(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path("password.opaque");
        match file::read(&path, Access::Owner, MAX_SECRET)? {
            Some(record) if record.is_empty() => Err(StoreError::damaged(&path, "it is empty")),
            record => Ok(record.map(|record| record.to_vec())),
        }
    }

    /// Keeps the record of a new permanent password in the place of any old one.
    ///
    /// # Errors
    /// It cannot be written; the old one is kept.
    pub fn save_password_record(&self, record: &[u8]) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        file::replace(&self.path("password.opaque"), record)
    }

    /// Forgets the permanent password, if there is one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_password_record(&self) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        file::remove(&self.path("password.opaque"))
    }

    /// The key that this host had at the first visit.
    ///
    /// # Errors
    /// `known_hosts` is damaged or cannot be read.
    pub fn pinned_host(&self, id: HostId) -> Result<Option<PeerKey>, StoreError> {
        self.pinned(KNOWN_HOSTS, &id.to_string())
    }

    /// Pins a host's key after a first success. The same again is fine.
    ///
    /// # Errors
    /// [`StoreError::PinnedOtherwise`], or `known_hosts` is damaged or cannot be written.
    pub fn pin_host(&self, id: HostId, key: PeerKey) -> Result<(), StoreError> {
        self.pin(KNOWN_HOSTS, &id.to_string(), key)
    }

    /// The hosts that were visited, last visited first.
    ///
    /// # Errors
    /// The list cannot be read.
    pub fn hosts(&self) -> Result<Vec<Host>, StoreError> {
        Ok(self.read_hosts()?.0)
    }

    /// The host that the user calls so.
    ///
    /// # Errors
    /// The list cannot be read.
    pub fn host_named(&self, name: &str) -> Result<Option<Host>, StoreError> {
        Ok(self.read_hosts()?.by_name(name).cloned())
    }

    /// Remembers that a host was visited now.
    ///
    /// # Errors
    /// The list cannot be read or written.
    pub fn visited(&self, id: HostId) -> Result<(), StoreError> {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.change_hosts(|hosts| hosts.visited(id, now))
    }

    /// Gives a visited host a name; an empty one takes it away.
    ///
    /// # Errors
    /// The list cannot be read or written; inside, the name cannot be given.
    pub fn name_host(&self, id: HostId, name: &str) -> Result<Result<(), NameError>, StoreError> {
        self.change_hosts(|hosts| hosts.name(id, name))
    }

    /// Takes a host from the list; its pin stays. Whether it was there.
    ///
    /// # Errors
    /// The list cannot be read or written.
    pub fn forget_host(&self, id: HostId) -> Result<bool, StoreError> {
        self.change_hosts(|hosts| hosts.take(id).is_some())
    }

    fn read_hosts(&self) -> Result<Hosts, StoreError> {
        Ok(Hosts::parse(&read_text(&self.path(HOSTS))?))
    }

    fn change_hosts<T>(&self, change: impl FnOnce(&mut Hosts) -> T) -> Result<T, StoreError> {
        let _lock = self.lock()?;
        let mut hosts = self.read_hosts()?;
        let result = change(&mut hosts);
        file::replace(&self.path(HOSTS), hosts.render().as_bytes())?;
        Ok(result)
    }

    /// The key that this relay had at first contact.
    ///
    /// # Errors
    /// `known_relays` is damaged or cannot be read.
    pub fn pinned_relay(&self, address: &str) -> Result<Option<PeerKey>, StoreError> {
        self.pinned(KNOWN_RELAYS, &ledger::label(address))
    }

    /// Pins the key of a relay that was given without it. The same again is fine.
    ///
    /// # Errors
    /// [`StoreError::PinnedOtherwise`], or `known_relays` is damaged or cannot be written.
    pub fn pin_relay(&self, address: &str, key: PeerKey) -> Result<(), StoreError> {
        self.pin(KNOWN_RELAYS, &ledger::label(address), key)
    }

    /// What we know of a viewer with this key, if it had a session here.
    ///
    /// # Errors
    /// `known_viewers` is damaged or cannot be read.
    pub fn known_viewer(&self, key: PeerKey) -> Result<Option<Known>, StoreError> {
        let known = self.ledger(KNOWN_VIEWERS)?;
        Ok(known.by_key(&key).map(|entry| Known { since: entry.since.clone(), name: entry.label.clone() }))
    }

    /// Whether any viewer ever had a session here.
    ///
    /// # Errors
    /// `known_viewers` is damaged or cannot be read.
    pub fn has_known_viewers(&self) -> Result<bool, StoreError> {
        Ok(!self.ledger(KNOWN_VIEWERS)?.is_empty())
    }

    /// Remembers a viewer that proved itself, with the name it gave. Control characters are left out, long names cut.
    ///
    /// # Errors
    /// `known_viewers` is damaged or cannot be written.
    pub fn remember_viewer(&self, key: PeerKey, name: &str) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let mut known = self.ledger(KNOWN_VIEWERS)?;
        if known.put(key, &ledger::label(name), today) { self.write_ledger(KNOWN_VIEWERS, &known) } else { Ok(()) }
    }

    /// The user's settings; no file is fine.
    ///
    /// # Errors
    /// It has a mistake (with its line), or cannot be read.
    pub fn config(&self) -> Result<Config, StoreError> {
        let path = self.path("config.toml");
        let text = read_text(&path)?;
        Config::parse(&text).map_err(|reason| StoreError::Config { path, reason })
    }

    /// Where a running host listens for `rs rotate-password`.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.path("control.sock")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn lock(&self) -> Result<file::Lock, StoreError> {
        file::lock(&self.path("lock"))
    }

    fn pinned(&self, name: &str, label: &str) -> Result<Option<PeerKey>, StoreError> {
        Ok(self.ledger(name)?.by_label(label).map(|entry| entry.key))
    }

    fn pin(&self, name: &str, label: &str, key: PeerKey) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let mut pins = self.ledger(name)?;
        match pins.by_label(label) {
            Some(entry) if entry.key == key => Ok(()),
            Some(_) => Err(StoreError::PinnedOtherwise { label: label.to_owned(), path: self.path(name) }),
            None => {
                pins.add(key, label, today());
                self.write_ledger(name, &pins)
            }
        }
    }

    fn ledger(&self, name: &str) -> Result<Ledger, StoreError> {
        let path = self.path(name);
        Ledger::parse(&read_text(&path)?).map_err(|line| StoreError::damaged(&path, format!("line {line} cannot be understood")))
    }

    /// Refuses to write what could not be read again.
    fn write_ledger(&self, name: &str, ledger: &Ledger) -> Result<(), StoreError> {
        let (path, text) = (self.path(name), ledger.render());
        if text.len() as u64 > MAX_TEXT {
            return Err(StoreError::damaged(&path, "it is full"));
        }
        file::replace(&path, text.as_bytes())
    }
}

const HOSTS: &str = "hosts";
const KNOWN_HOSTS: &str = "known_hosts";
const KNOWN_VIEWERS: &str = "known_viewers";
const KNOWN_RELAYS: &str = "known_relays";

fn today() -> String {
    ledger::date(SystemTime::now())
}

/// The text of the file; empty if there is none.
fn read_text(path: &Path) -> Result<String, StoreError> {
    let Some(mut bytes) = file::read(path, Access::Any, MAX_TEXT)? else { return Ok(String::new()) };
    String::from_utf8(std::mem::take(&mut *bytes)).map_err(|_| StoreError::damaged(path, "it is not text"))
}

/// `rs-identity-1 SEED PUBLIC`: the public key is there to tell damage from another identity.
fn identity_text(key: &SigningKey) -> Zeroizing<String> {
    let (seed, public) = (Zeroizing::new(key.to_bytes()), key.verifying_key().to_bytes());
    let seed = Zeroizing::new(BASE64URL_NOPAD.encode(&*seed));
    Zeroizing::new(format!("{IDENTITY_FORM} {} {}\n", *seed, BASE64URL_NOPAD.encode(&public)))
}

fn read_identity(path: &Path) -> Result<Option<SigningKey>, StoreError> {
    let Some(bytes) = file::read(path, Access::Owner, MAX_SECRET)? else { return Ok(None) };
    parse_identity(&bytes).map(Some).ok_or_else(|| StoreError::damaged(path, "it is not a whole identity"))
}

fn parse_identity(bytes: &[u8]) -> Option<SigningKey> {
    let mut words = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split(' ');
    let (form, seed, public) = (words.next()?, words.next()?, words.next()?);
    if form != IDENTITY_FORM || words.next().is_some() {
        return None;
    }
    let mut seed_bytes = Zeroizing::new([0; 32]);
    if BASE64URL_NOPAD.decode_len(seed.len()) != Ok(seed_bytes.len()) {
        return None;
    }
    BASE64URL_NOPAD.decode_mut(seed.as_bytes(), &mut *seed_bytes).ok()?;
    let key = SigningKey::from_bytes(&seed_bytes);
    (BASE64URL_NOPAD.encode(key.verifying_key().as_bytes()) == public).then_some(key)
}

#[cfg(all(test, unix))]
mod tests;
