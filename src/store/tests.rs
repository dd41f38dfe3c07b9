//! The state folder against damage, other users, full and read-only disks, crashes and itself.
//!
//! Permission bits do not stop root, so folders that cannot be written are a file in the folder's place, `/proc`, or a tiny mount.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, thread};

use tempfile::TempDir;

use super::*;

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::at(folder.path().join("state")).expect("a fresh folder");
    (folder, store)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn write(path: &Path, text: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, text).expect("a writable folder");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

fn one_line(error: &StoreError) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn the_identity_is_made_once_and_kept_private() {
    let (_folder, store) = store();
    let key = store.identity().expect("made");
    assert_eq!(store.identity().expect("read").to_bytes(), key.to_bytes());
    assert_eq!(mode(&store.folder), 0o700);
    assert_eq!(mode(&store.path("identity.key")), 0o600);
}

#[test]
fn a_damaged_identity_is_an_error_and_stays_as_it_is() {
    let (_folder, store) = store();
    store.identity().expect("made");
    let path = store.path("identity.key");
    let whole = fs::read(&path).expect("there");
    let mut flipped = whole.clone();
    flipped[20] = if flipped[20] == b'A' { b'B' } else { b'A' };
    let truncations = (0..whole.len()).map(|length| whole[..length].to_vec());
    for damaged in truncations.chain([flipped, b"\0\xff".repeat(50), vec![b'a'; 70_000], [&whole[..], b"x"].concat()]) {
        write(&path, &damaged, 0o600);
        let error = store.identity().expect_err("damaged");
        assert!(one_line(&error).contains("restore it from a backup"), "{error}");
        assert_eq!(fs::read(&path).expect("still there"), damaged);
    }
}

#[test]
fn an_exposed_secret_is_refused_and_not_repaired() {
    let (_folder, store) = store();
    store.identity().expect("made");
    store.save_password_record(b"record").expect("written");
    for exposed in [0o644, 0o640, 0o602, 0o610] {
        for name in ["identity.key", "password.opaque"] {
            fs::set_permissions(store.path(name), fs::Permissions::from_mode(exposed)).expect("our own file");
        }
        let errors = [store.identity().expect_err("exposed"), store.password_record().expect_err("exposed")];
        assert!(errors.iter().all(|error| one_line(error).contains("chmod 600")), "{errors:?}");
        assert_eq!(mode(&store.path("identity.key")), exposed);
    }
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let (_folder, store) = store();
    fs::create_dir(store.path("identity.key")).expect("a folder in its place");
    assert!(one_line(&store.identity().expect_err("a folder")).contains("not a regular file"));
    rustix::fs::mknodat(rustix::fs::CWD, store.path("known_hosts"), rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    assert!(one_line(&store.ledger(KNOWN_HOSTS).expect_err("a pipe")).contains("not a regular file"));
    std::os::unix::fs::symlink("/nowhere/at/all", store.path("password.opaque")).expect("a link");
    store.password_record().expect_err("a link that leads nowhere is not \"no password\"");
}

#[test]
fn a_folder_that_others_can_write_in_is_refused() {
    let (folder, store) = store();
    fs::set_permissions(&store.folder, fs::Permissions::from_mode(0o777)).expect("our own folder");
    assert!(one_line(&Store::at(folder.path().join("state")).expect_err("open to all")).contains("chmod go-w"));
}

#[test]
fn a_folder_that_cannot_be_made_or_written_is_one_line_with_its_path() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    write(&file, "", 0o600);
    for path in [file.clone(), file.join("below"), PathBuf::from("/proc/rs-state")] {
        let text = one_line(&Store::at(&path).expect_err("not a folder"));
        assert!(text.contains(&path.display().to_string()) && text.contains("RS_HOME"), "{text}");
    }
    let store = Store { folder: PathBuf::from("/proc/self") };
    assert!(one_line(&store.identity().expect_err("nothing can be made in /proc")).contains("/proc/self/"));
}

#[test]
fn the_password_record_comes_back_as_it_was_and_can_be_removed() {
    let (_folder, store) = store();
    assert_eq!(store.password_record().expect("no file is fine"), None);
    store.save_password_record(&[0, 255, 10]).expect("written");
    assert_eq!(store.password_record().expect("read"), Some(vec![0, 255, 10]));
    assert_eq!(mode(&store.path("password.opaque")), 0o600);
    store.remove_password_record().expect("removed");
    store.remove_password_record().expect("removed already");
    assert_eq!(store.password_record().expect("no file is fine"), None);
    write(&store.path("password.opaque"), "", 0o600);
    assert!(one_line(&store.password_record().expect_err("cut off")).contains("rotate-password"));
}

#[test]
fn a_pin_never_changes() {
    let (_folder, store) = store();
    assert_eq!(store.pinned_relay("a.example:4001").expect("no file is fine"), None);
    store.pin_relay("a.example:4001", PeerKey([1; 32])).expect("pinned");
    store.pin_relay("a.example:4001", PeerKey([1; 32])).expect("the same again");
    store.pin_relay("b.example:4001", PeerKey([1; 32])).expect("one relay may have two names");
    let error = store.pin_relay("a.example:4001", PeerKey([2; 32])).expect_err("another key");
    assert!(one_line(&error).contains("known_relays"), "{error}");
    assert_eq!(store.pinned_relay("a.example:4001").expect("read"), Some(PeerKey([1; 32])));
    assert_eq!(store.pinned_relay("b.example:4001").expect("read"), Some(PeerKey([1; 32])));
}

#[test]
fn a_host_is_pinned_under_its_id() {
    let (_folder, store) = store();
    let id: HostId = "9339-2522-7420-3124".parse().expect("a good ID");
    assert_eq!(store.pinned_host(id).expect("no file is fine"), None);
    store.pin_host(id, PeerKey([1; 32])).expect("pinned");
    assert_eq!(store.pinned_host(id).expect("read"), Some(PeerKey([1; 32])));
    assert!(one_line(&store.pin_host(id, PeerKey([2; 32])).expect_err("another key")).contains("9339-2522-7420-3124"));
}

#[test]
fn a_viewer_is_known_by_its_key() {
    let (_folder, store) = store();
    store.remember_viewer(PeerKey([1; 32]), "Anna\n\u{1b}[2J of the shop").expect("written");
    store.remember_viewer(PeerKey([2; 32]), "").expect("a name is not needed");
    let known = store.known_viewer(PeerKey([1; 32])).expect("read").expect("known");
    assert_eq!((known.name.as_str(), known.since), ("Anna[2J of the shop", today()));
    assert_eq!(store.known_viewer(PeerKey([2; 32])).expect("read").expect("known").name, "");
    assert_eq!(store.known_viewer(PeerKey([3; 32])).expect("read"), None);
}

#[test]
fn a_huge_binary_or_garbled_list_is_an_error_and_stays_as_it_is() {
    let (_folder, store) = store();
    let path = store.path(KNOWN_RELAYS);
    for (bad, told) in [(vec![b'#'; 2 << 20], "too long"), (vec![0xff, 0xfe], "not text"), (b"#\n\nhello\n".to_vec(), "line 3")] {
        write(&path, &bad, 0o644);
        assert!(one_line(&store.pinned_relay("a").expect_err("bad")).contains(told));
        store.pin_relay("a", PeerKey([1; 32])).expect_err("bad");
        assert_eq!(fs::read(&path).expect("still there"), bad);
    }
}

#[test]
fn a_list_that_is_full_is_not_written_longer_than_it_can_be_read() {
    let (_folder, store) = store();
    write(&store.path(KNOWN_RELAYS), "#".repeat(usize::try_from(MAX_TEXT).expect("small") - 10), 0o600);
    assert!(one_line(&store.pin_relay("a", PeerKey([1; 32])).expect_err("full")).contains("full"));
    store.pinned_relay("a").expect("it can still be read");
}

#[test]
fn the_config_is_optional_and_its_mistakes_are_named() {
    let (_folder, store) = store();
    assert_eq!(store.config().expect("no file is fine"), Config::default());
    write(&store.path("config.toml"), "name = \"Anna\"\n", 0o644);
    assert_eq!(store.config().expect("good").name.as_deref(), Some("Anna"));
    write(&store.path("config.toml"), "nam = \"Anna\"\n", 0o644);
    let text = one_line(&store.config().expect_err("misspelt"));
    assert!(text.contains("config.toml has a mistake in line 1") && text.contains("nam"), "{text}");
}

#[test]
fn there_is_one_host_at_a_time() {
    let (_folder, store) = store();
    let lock = store.lock_host().expect("free");
    assert!(one_line(&store.lock_host().expect_err("taken")).contains("rs host runs already"));
    drop(lock);
    store.lock_host().expect("free again");
}

#[test]
fn what_a_crash_left_behind_is_neither_read_nor_in_the_way() {
    let (_folder, store) = store();
    for name in ["identity.key.new", "password.opaque.new", "known_relays.new"] {
        write(&store.path(name), "half a fi", 0o644);
    }
    assert_eq!(store.password_record().expect("none"), None);
    store.identity().expect("made");
    store.save_password_record(b"record").expect("written");
    store.pin_relay("a", PeerKey([1; 32])).expect("pinned");
    assert_eq!(mode(&store.path("identity.key")), 0o600);
    let left =
        fs::read_dir(&store.folder).expect("there").flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(".new"));
    assert_eq!(left.count(), 0);
}

#[test]
fn many_writers_at_once_lose_nothing_and_agree_on_one_identity() {
    let (_folder, store) = store();
    let writers: Vec<_> = (0..8u8)
        .map(|writer| {
            let store = Store::at(&store.folder).expect("one more process");
            thread::spawn(move || {
                for number in 0..8 {
                    store.pin_relay(&format!("{writer}-{number}"), PeerKey([writer; 32])).expect("pinned");
                }
                store.identity().expect("made or read").to_bytes()
            })
        })
        .collect();
    let mut identities: Vec<_> = writers.into_iter().map(|writer| writer.join().expect("no panic")).collect();
    identities.dedup();
    assert_eq!(identities.len(), 1);
    for (writer, number) in (0..8u8).flat_map(|writer| (0..8).map(move |number| (writer, number))) {
        assert_eq!(store.pinned_relay(&format!("{writer}-{number}")).expect("read"), Some(PeerKey([writer; 32])));
    }
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(_disk) = TinyDisk::mount(folder.path()) else { return eprintln!("skipped: only root may mount a tiny disk") };
    let store = Store::at(folder.path().join("state")).expect("room for a folder");
    store.save_password_record(b"the old record").expect("room for that");
    let text = one_line(&store.save_password_record(&[1; 300_000]).expect_err("no room"));
    assert!(text.contains("free some space"), "{text}");
    assert_eq!(store.password_record().expect("read"), Some(b"the old record".to_vec()));
    store.save_password_record(b"the new record").expect("what was half written is gone");
}

#[test]
fn a_read_only_disk_is_told_but_can_be_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = TinyDisk::mount(folder.path()) else { return eprintln!("skipped: only root may mount a tiny disk") };
    let store = Store::at(folder.path().join("state")).expect("room for a folder");
    let key = store.identity().expect("made");
    disk.make_read_only();
    assert_eq!(Store::at(&store.folder).expect("it is there").identity().expect("read").to_bytes(), key.to_bytes());
    let text = one_line(&store.save_password_record(b"record").expect_err("read-only"));
    assert!(text.contains("make it writable"), "{text}");
}

/// A disk of 64 KiB, mounted while it lives.
struct TinyDisk<'a>(&'a Path);

impl<'a> TinyDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        mount(&["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs"], at).then_some(Self(at))
    }

    fn make_read_only(&self) {
        assert!(mount(&["-o", "remount,ro"], self.0), "root may do that");
    }
}

impl Drop for TinyDisk<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg(self.0).status().ok();
    }
}

fn mount(options: &[&str], at: &Path) -> bool {
    Command::new("mount").args(options).arg(at).output().is_ok_and(|output| output.status.success())
}
