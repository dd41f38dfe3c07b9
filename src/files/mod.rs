//! Files on the disk: [`Folder`] is where they are received and fetched from, [`Partial`] one that is on its way in, [`Source`] one
//! on its way out.
//!
//! - Nothing leaves the folder: it is opened once, and every name is resolved below it by `cap-std`, whatever links are in the way.
//! - A partial file is `.NAME.TAG.rs-part`, where the tag stands for the sender; it is locked, so that two sessions never write into one.
//!   A session that lost its network lets go of the lock: the sender may come back as another session and go on there ([`PATIENCE`]).
//!   It is kept on every error, and found again by name and tag. Whether it is the same file the sender says, who compares the hash
//!   of what is there.
//! - One that nobody came back for in [`KEPT`] is removed when the folder is opened again: what has such a name, is a regular file and
//!   no session's.
//! - A whole file is on the disk (`fsync`) and verified before it gets its name. The name is taken by making an empty file there, which
//!   fails when anything has it already; then it is `NAME (2)`, and so on. So nothing is ever written over.
//! - Why something fails is told of "it": people see the name before it.
//! - Only regular files are sent: no links, no folders, no pipes or devices. Received ones are mode 0600.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

#[cfg(unix)]
use cap_std::fs::OpenOptionsExt;
use cap_std::{
    ambient_authority,
    fs::{Dir, OpenOptions},
};

use crate::protocol::transfer::{
    Hash,
    name::{self, PART},
};

/// How long a partial file waits for its sender, from its last byte on.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many names or partial files are tried before it is given up.
const TRIES: u32 = 1000;
/// How long a partial file is waited for that another session has: until that one has noticed that its sender is gone.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// So much is hashed at a time.
const PIECE: usize = 256 << 10;

/// Where files are received, and fetched from.
#[derive(Clone, Debug)]
pub struct Folder {
    dir: Arc<Dir>,
    path: PathBuf,
}

impl Folder {
    /// This folder, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made or opened: why, and what to do.
    pub fn open(path: &Path) -> Result<Self, String> {
        let describe =
            |error| format!("the folder {} cannot be used for files ({error}); give another one with --files", path.display());
        fs::create_dir_all(path).map_err(describe)?;
        let path = path.canonicalize().map_err(describe)?;
        let dir = Dir::open_ambient_dir(&path, ambient_authority()).map_err(describe)?;
        Ok(Self { dir: Arc::new(dir), path })
    }

    /// Removes the partial files that are older than [`KEPT`] at this time. What cannot be looked at stays.
    pub fn sweep(&self, now: SystemTime) {
        let names = self.dir.entries().into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        for part in names.filter(|name| name::is_part(name)) {
            let mut options = OpenOptions::new();
            options.read(true).write(true);
            #[cfg(unix)]
            options.custom_flags(FLAGS);
            let Ok(file) = self.dir.open_with(&part, &options).map(cap_std::fs::File::into_std) else { continue };
            let last = file.metadata().ok().filter(fs::Metadata::is_file).and_then(|about| about.modified().ok());
            let is_old = last.and_then(|last| now.duration_since(last).ok()).is_some_and(|age| age > KEPT);
            if is_old && file.try_lock().is_ok() && self.dir.remove_file(&part).is_ok() {
                tracing::info!("a partial file that nobody came back for is removed");
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The partial file of this name and sender, or a new one. One that is longer than `size` starts over.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn partial(&self, name: &str, tag: &str, size: u64) -> Result<Partial, String> {
        for tried in 0..TRIES {
            let part = name::part(&name::next(name, tried), tag);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true);
            #[cfg(unix)]
            options.mode(0o600).custom_flags(FLAGS);
            let file = self.dir.open_with(&part, &options).map_err(|error| self.trouble(&error))?.into_std();
            if !file.metadata().is_ok_and(|about| about.is_file()) {
                return Err(format!("{part} in {} is not a file; remove it", self.path.display()));
            }
            let deadline = Instant::now() + PATIENCE;
            while tried == 0 && file.try_lock().is_err() && Instant::now() < deadline {
                std::thread::sleep(LOOK);
            }
            if file.try_lock().is_ok() {
                let mut partial = Partial {
                    folder: self.clone(),
                    file,
                    part,
                    name: name.to_owned(),
                    hasher: blake3::Hasher::new(),
                    at: 0,
                    is_ours: true,
                };
                partial.resume(size).map_err(|error| self.trouble(&error))?;
                return Ok(partial);
            }
        }
        Err("it is received too often at once".to_owned())
    }

    /// A file below it, for somebody who asks for it by its path.
    ///
    /// # Errors
    /// There is none, or it is none that can be sent: why.
    pub fn source(&self, path: &str) -> Result<Source, String> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        options.custom_flags(FLAGS);
        let is_inside = Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let is_ours = path.ends_with(PART);
        let opened =
            if is_inside && !is_ours { self.dir.open_with(path, &options) } else { Err(io::ErrorKind::InvalidInput.into()) };
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("there is no {path} in {}, the folder that is shared", self.path.display()),
            _ => format!("{path} is not a file below {}, the only folder that is shared", self.path.display()),
        })?;
        Source::new(file.into_std(), Path::new(path))
    }

    fn trouble(&self, error: &io::Error) -> String {
        let place = self.path.display();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("the disk with {place} is full; free some space and send it again, it goes on where it stopped")
            }
            _ => format!("it cannot be written in {place} ({error})"),
        }
    }
}

/// No link is followed at the end of a path, and no pipe waited for.
#[cfg(unix)]
const FLAGS: i32 = rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK).bits() as i32;

/// A file on its way in.
#[derive(Debug)]
pub struct Partial {
    folder: Folder,
    file: File,
    part: String,
    name: String,
    hasher: blake3::Hasher,
    at: u64,
    /// Whether we have its lock.
    is_ours: bool,
}

impl Partial {
    fn resume(&mut self, size: u64) -> io::Result<()> {
        if self.file.metadata()?.len() > size {
            return self.cut(0);
        }
        self.at = hash(&mut self.file, &mut self.hasher, u64::MAX)?;
        Ok(())
    }

    fn cut(&mut self, at: u64) -> io::Result<()> {
        debug_assert_eq!(at, 0, "only from the beginning");
        self.hasher.reset();
        self.at = at;
        self.file.set_len(at)?;
        self.file.seek(io::SeekFrom::Start(at)).map(drop)
    }

    /// So many bytes are here, with this hash.
    #[must_use]
    pub fn here(&self) -> (u64, Hash) {
        (self.at, *self.hasher.finalize().as_bytes())
    }

    /// Writes these behind the others, or over all of them at 0. Up to where it is written then.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<u64, String> {
        self.take_back()?;
        let written = (|| {
            match offset {
                _ if offset == self.at => {}
                0 => self.cut(0)?,
                _ => return Err(io::Error::other("a part is missing")),
            }
            self.file.write_all(bytes)
        })();
        if let Err(error) = written {
            // What is not hashed is not there: the next try must find both alike.
            let _ = self.file.set_len(self.at);
            return Err(self.folder.trouble(&error));
        }
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        Ok(self.at)
    }

    /// Lets another session go on with it.
    pub fn release(&mut self) {
        self.is_ours = self.is_ours && self.file.unlock().is_err();
    }

    /// Takes it back, unless another session has it or had it.
    fn take_back(&mut self) -> Result<(), String> {
        if !self.is_ours {
            let is_as_it_was = || self.file.metadata().is_ok_and(|about| about.len() == self.at);
            self.is_ours = self.file.try_lock().is_ok() && is_as_it_was();
        }
        if self.is_ours { Ok(()) } else { Err("it goes on in another session".to_owned()) }
    }

    /// Leaves it for another try; one without a byte goes.
    pub fn close(self) {
        if self.at == 0 && self.is_ours {
            let _ = self.folder.dir.remove_file(&self.part);
        }
    }

    /// Verifies it and gives it its name: where it is then.
    ///
    /// # Errors
    /// It is another file than was sent (then it is removed), or the disk refuses.
    pub fn finish(mut self, hash: Hash) -> Result<PathBuf, String> {
        self.take_back()?;
        let Folder { dir, path } = &self.folder;
        if self.hasher.finalize() != hash {
            let _ = dir.remove_file(&self.part);
            return Err("what arrived is not what was sent; send it again".to_owned());
        }
        let describe = |error: io::Error| self.folder.trouble(&error);
        self.file.sync_all().map_err(describe)?;
        for tried in 0..TRIES {
            let name = name::next(&self.name, tried);
            match dir.open_with(&name, OpenOptions::new().write(true).create_new(true)) {
                Ok(_) => {
                    dir.rename(&self.part, dir, &name).map_err(describe)?;
                    return Ok(path.join(name));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(describe(error)),
            }
        }
        Err(format!("its name is taken a thousand times already; clear {}", path.display()))
    }
}

/// A file on its way out.
#[derive(Debug)]
pub struct Source {
    file: File,
    /// Its name, without a folder.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    at: u64,
    /// Two kilobytes: not to be carried about.
    hasher: Box<blake3::Hasher>,
}

impl Source {
    /// A file that the user names.
    ///
    /// # Errors
    /// It is none that can be sent: why, and what to do, of "it".
    pub fn open(path: &Path) -> Result<Self, String> {
        let about = fs::symlink_metadata(path).map_err(|error| unreadable(&error))?;
        if about.is_symlink() {
            return Err("it is a link; send the file that it leads to".to_owned());
        }
        let mut options = fs::OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, FLAGS);
        let file = options.open(path).map_err(|error| unreadable(&error))?;
        Self::new(file, path)
    }

    fn new(file: File, path: &Path) -> Result<Self, String> {
        let about = file.metadata().map_err(|error| unreadable(&error))?;
        if about.is_dir() {
            return Err("it is a folder; pack it into one file, such as with tar or zip, and send that".to_owned());
        }
        if !about.is_file() {
            return Err("it is not a regular file; only those can be sent".to_owned());
        }
        let name = path.file_name().unwrap_or_default().to_str().ok_or("its name is not UTF-8");
        let name = name.and_then(|name| name::check(name).map(|()| name.to_owned()));
        let name = name.map_err(|reason| format!("{reason}; rename it"))?;
        Ok(Self { file, name, size: about.len(), at: 0, hasher: Box::default() })
    }

    /// Where to begin for a receiver that has so many bytes with this hash: behind them, or at 0 if they are others.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn begin(&mut self, offset: u64, prefix: Hash) -> Result<u64, String> {
        let begun = (|| {
            self.file.rewind()?;
            self.hasher.reset();
            self.at = hash(&mut self.file, &mut self.hasher, offset)?;
            if self.at != offset || self.hasher.finalize() != prefix {
                self.file.rewind()?;
                self.hasher.reset();
                self.at = 0;
            }
            Ok(self.at)
        })();
        begun.map_err(|error| unreadable(&error))
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// It cannot be read, or it changed since it was offered.
    pub fn read(&mut self, most: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::with_capacity(most);
        (&mut self.file).take(most as u64).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        self.hasher.update(&bytes);
        self.at += bytes.len() as u64;
        if self.at > self.size || bytes.is_empty() && self.at < self.size {
            return Err("it changed while it was sent; send it again".to_owned());
        }
        Ok(bytes)
    }

    /// The hash of what was read.
    #[must_use]
    pub fn hash(&self) -> Hash {
        *self.hasher.finalize().as_bytes()
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read ({error})")
}

/// Hashes from here, at most so many bytes; how many there were.
fn hash(file: &mut File, hasher: &mut blake3::Hasher, most: u64) -> io::Result<u64> {
    let (mut piece, mut hashed) = (vec![0; PIECE], 0);
    while hashed < most {
        let room = usize::try_from(most - hashed).unwrap_or(PIECE).min(PIECE);
        let count = file.read(&mut piece[..room])?;
        if count == 0 {
            break;
        }
        hasher.update(&piece[..count]);
        hashed += count as u64;
    }
    Ok(hashed)
}
