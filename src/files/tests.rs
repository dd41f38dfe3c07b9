//! Partial files that grow old, and files that change under the sender's hands.

use super::*;

const TAG: &str = "00c0ffee";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn folder() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::open(dir.path()).expect("it is there");
    (dir, folder)
}

fn names(dir: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir.path()).expect("a folder").map(|entry| entry.expect("a file").file_name()).collect();
    names.sort();
    names.into_iter().map(|name| name.into_string().expect("text")).collect()
}

#[test]
fn old_partial_files_are_removed_and_nothing_else_is() {
    let (dir, folder) = folder();
    let mut kept = folder.partial("kept", TAG, 10).expect("made");
    kept.write(0, b"abc").expect("written");
    let (held, others) = (folder.partial("held", TAG, 10).expect("made"), [".a.rs-part", ".b.tooshort.rs-part", "c.txt", ".d"]);
    others.iter().for_each(|name| fs::write(dir.path().join(name), "theirs").expect("written"));
    let not_a_file = dir.path().join(name::part("folder", TAG));
    fs::create_dir(&not_a_file).expect("made");
    #[cfg(unix)]
    std::os::unix::fs::symlink("c.txt", dir.path().join(name::part("link", TAG))).expect("made");
    kept.close();
    let all = names(&dir);

    let now = SystemTime::now();
    for time in [now + 29 * DAY, now - 100 * DAY] {
        folder.sweep(time);
        assert_eq!(names(&dir), all);
    }
    folder.sweep(now + 31 * DAY);
    let expected: Vec<_> = all.into_iter().filter(|name| *name != name::part("kept", TAG)).collect();
    assert_eq!(names(&dir), expected, "one is a session's, the others are none");
    drop(held);
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_not_taken_for_what_was_offered() {
    let (dir, _) = folder();
    let path = dir.path().join("log");
    let opened = || {
        fs::write(&path, "0123456789").expect("written");
        let mut source = Source::open(&path).expect("a file");
        assert_eq!(source.read(4).expect("it is there"), b"0123");
        source
    };
    let rest = |mut source: Source| {
        loop {
            match source.read(4) {
                Ok(bytes) if bytes.is_empty() => break Ok(source.hash()),
                Ok(_) => {}
                Err(reason) => break Err(reason),
            }
        }
    };
    let grows = opened();
    fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(b"more")).expect("written");
    assert!(rest(grows).is_err_and(|reason| reason.contains("changed while it was sent; send it again")));
    let shrinks = opened();
    fs::write(&path, "01234").expect("written");
    assert!(rest(shrinks).is_err_and(|reason| reason.contains("changed while it was sent")));
    let vanishes = opened();
    fs::remove_file(&path).expect("removed");
    assert_eq!(rest(vanishes), Ok(*blake3::hash(b"0123456789").as_bytes()), "it is open, so all of it is there");
}

#[cfg(unix)]
#[test]
fn a_name_that_is_none_is_told_as_what_it_is() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let (dir, _) = folder();
    let long = "x".repeat(255);
    for (name, why) in [
        (OsStr::from_bytes(b"caf\xe9"), "its name is not UTF-8"),
        (OsStr::new(&long), "longer than 200 bytes"),
        (OsStr::new("a\nb"), "control characters"),
        (OsStr::new("a\\b"), "a backslash in it"),
        (OsStr::new("NUL.txt"), "of a device on Windows"),
        (OsStr::new("a."), "ends with a dot"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, "").expect("written");
        let reason = Source::open(&path).expect_err("it is none");
        assert!(reason.contains(why) && reason.ends_with("; rename it"), "{reason}");
    }
}
