//! Files that people asked for: there whole, or not at all.

use std::{
    fs::{self, File},
    io::{self, BufWriter},
    path::Path,
    process,
};

/// Writes `file` by `write`; one that is there already is replaced in one step.
///
/// # Errors
/// It cannot be written; nothing is left behind.
pub fn save(file: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let name = file.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this is not the name of a file"))?;
    let unfinished = file.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), process::id()));
    let saved = (|| {
        let mut out = BufWriter::new(File::create(&unfinished)?);
        write(&mut out)?;
        out.into_inner()?.sync_all()?;
        fs::rename(&unfinished, file)
    })();
    if saved.is_err() {
        // It may not even have been made; the error that counts is the one before.
        let _ = fs::remove_file(&unfinished);
    }
    saved
}
