//! Files of the state folder, safe against crashes, full disks, other users and each other.
//!
//! - A write goes to `NAME.new` (created afresh, mode 0600), is synced, and takes the place of `NAME` by a rename. So `NAME` is always
//!   whole: the old one or the new one. A `NAME.new` that a crash left behind is never read, and removed by the next write.
//! - Writers hold the folder's lock ([`lock`]); readers need none.
//! - A read is bounded, and of a regular file only: neither a huge file nor a pipe can hold `rs` up.
//! - Permission bits are judged on the opened file and never repaired: an exposed secret is lost, and only its owner can say what to do.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::StoreError;

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Its owner only; anything else is [`StoreError::Exposed`].
    Owner,
    /// Anybody.
    Any,
}

/// Makes the folder (mode 0700) if it is not there, and refuses one that other users may write in.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    private::folder(&mut builder);
    builder.create(path).map_err(|error| StoreError::io("make the folder", path, error))?;
    let metadata = fs::metadata(path).map_err(|error| StoreError::io("look at", path, error))?;
    match private::writable_by_others(&metadata) {
        true => Err(StoreError::OpenFolder(path.to_owned())),
        false => Ok(()),
    }
}

/// The whole file, or `None` if there is none.
pub(super) fn read(path: &Path, access: Access, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let failed = |error| StoreError::io("read", path, error);
    // A link that leads nowhere (a stick not plugged in) is not "no file": what it stands for must not be made anew.
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(StoreError::damaged(path, "it is not a regular file"));
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if access == Access::Owner && private::readable_by_others(&metadata) {
        return Err(StoreError::Exposed(path.to_owned()));
    }
    if metadata.len() > limit {
        return Err(StoreError::damaged(path, "it is far too long"));
    }
    // Room for all of it at once: growing would leave copies of a secret in freed memory. One byte more tells a file that grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(StoreError::damaged(path, "it is far too long"));
    }
    Ok(Some(bytes))
}

/// Puts `bytes` in the place of the file, or leaves it untouched. Call it under [`lock`].
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(OsString::from(".new"));
    let fresh = PathBuf::from(fresh);
    let written = forget(&fresh).and_then(|()| write_new(&fresh, bytes)).and_then(|()| fs::rename(&fresh, path));
    if let Err(error) = written {
        // The first error is the one to tell; a leftover does no harm.
        forget(&fresh).ok();
        return Err(StoreError::io("write", path, error));
    }
    sync_folder(path)
}

/// Removes the file, if it is there. Call it under [`lock`].
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    forget(path).map_err(|error| StoreError::io("remove", path, error))?;
    sync_folder(path)
}

/// A lock on a file of the folder, held while this lives; the system lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Waits for the lock. Holders are quick: they read and write one small file.
pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let failed = |error| StoreError::io("lock", path, error);
    let file = lock_file(path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(Lock { _file: file })
}

/// Takes the lock, or returns `None` if another process has it.
pub(super) fn try_lock(path: &Path) -> Result<Option<Lock>, StoreError> {
    let failed = |error| StoreError::io("lock", path, error);
    let file = lock_file(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    private::file(options.write(true).create(true).truncate(false)).open(path)
}

/// For records that are added at the end; made (mode 0600) if it is not there.
pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
    lock_file(path)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = private::file(options.write(true).create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a rename or a removal in the folder of `path` last through a power cut.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    private::sync(folder).map_err(|error| StoreError::io("write", folder, error))
}

#[cfg(unix)]
mod private {
    use std::{
        fs::{DirBuilder, File, Metadata, OpenOptions},
        io,
        os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
        path::Path,
    };

    pub(super) fn folder(builder: &mut DirBuilder) {
        builder.mode(0o700);
    }

    pub(super) fn file(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }

    pub(super) fn readable_by_others(metadata: &Metadata) -> bool {
        metadata.permissions().mode() & 0o077 != 0
    }

    pub(super) fn writable_by_others(metadata: &Metadata) -> bool {
        metadata.permissions().mode() & 0o022 != 0
    }

    pub(super) fn sync(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Windows: the user's profile folder is closed to other users by the ACL that its files inherit.
#[cfg(not(unix))]
mod private {
    use std::{
        fs::{DirBuilder, Metadata, OpenOptions},
        io,
        path::Path,
    };

    pub(super) fn folder(_: &mut DirBuilder) {}

    pub(super) fn file(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn readable_by_others(_: &Metadata) -> bool {
        false
    }

    pub(super) fn writable_by_others(_: &Metadata) -> bool {
        false
    }

    pub(super) fn sync(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
