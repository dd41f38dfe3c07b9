//! Files both ways, through the real binary: whole, verified, resumed, and never anywhere but in their folder.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use rand::{RngCore, SeedableRng, rngs::StdRng};
use serde_json::Value;

use crate::support::{
    machine::{Home, Host, Viewer, on_loopback, session},
    rs::{Ended, Rs},
};

const MEGABYTE: usize = 1 << 20;

fn noise(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    StdRng::seed_from_u64(size as u64).fill_bytes(&mut bytes);
    bytes
}

/// A host with this folder for files, that lets everybody in.
fn host(folder: &Path) -> Host {
    Host::pattern(&format!("--yes --files {}", folder.display()))
}

#[track_caller]
fn file(rs: &Rs, state: &str, name: &str) -> Value {
    rs.expect_where("file", |file| file["state"] == state && file["name"] == name)
}

/// `rs cp` with these paths. The host has another password afterwards.
#[track_caller]
fn cp(host: &mut Host, home: &Home, paths: &[&str]) -> Ended {
    let start = on_loopback(home, "cp --json --password-stdin --no-lan");
    let mut rs = paths.iter().fold(start, |start, path| start.arg(path)).go();
    rs.send(&host.password);
    let ended = rs.ended();
    host.follow_password();
    ended
}

#[test]
fn files_go_both_ways_and_are_verified() {
    let (home, bytes) = (Home::new(), noise(3 * MEGABYTE + 7));
    let (here, there) = (home.file("viewer"), home.file("host"));
    let mut host = host(&there);
    let viewer_line = format!("--files {}", here.display());
    let mut viewer = Viewer::headless(&host.direct("quic-v1"), &host.password, &viewer_line);
    viewer.is_in_session();

    let (named, empty) = (home.file("größe (1).bin"), home.file("empty"));
    fs::write(&named, &bytes).expect("written");
    fs::set_permissions(&named, fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::write(&empty, "").expect("written");
    viewer.rs.send(&format!("send \"{}\" {}", named.display(), empty.display()));
    let done = file(&viewer.rs, "done", "größe (1).bin");
    let arrived = file(&host.rs, "done", "größe (1).bin");
    let hash = blake3::hash(&bytes).to_hex().to_string();
    assert_eq!((&done["blake3"], &arrived["blake3"]), (&Value::from(hash.clone()), &Value::from(hash)));
    assert_eq!((&arrived["from"], &arrived["done"]), (&Value::from("viewer"), &Value::from(bytes.len())));
    file(&host.rs, "done", "empty");
    assert!(fs::read(there.join("größe (1).bin")).expect("it is there") == bytes);
    assert!(fs::read(there.join("empty")).expect("it is there").is_empty());
    let mode = fs::metadata(there.join("größe (1).bin")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o111, 0, "nothing that comes can be run");

    // The other way, and the same name twice.
    for name in ["größe (1).bin", "größe (1) (2).bin"] {
        host.rs.send(&format!("send \"{}\"", named.display()));
        file(&host.rs, "done", "größe (1).bin");
        assert_eq!(file(&viewer.rs, "done", "größe (1).bin")["file"], here.join(name).to_str().expect("text"));
        assert!(fs::read(here.join(name)).expect("it is there") == bytes);
    }
    let left = fs::read_dir(&there).expect("a folder").count();
    assert_eq!(left, 2, "nothing partial is left");
    host.rs.send("end");
    for side in [&host.rs, &viewer.rs] {
        let summary = &side.expect("session-ended")["summary"];
        assert_eq!((summary["files"].as_u64(), summary["file_bytes"].as_u64()), (Some(4), Some(3 * bytes.len() as u64)));
    }
}

#[test]
fn what_is_no_plain_file_is_not_sent_and_what_is_not_asked_for_waits() {
    let home = Home::new();
    let mut host = host(&home.file("host"));
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    viewer.is_in_session();
    let (plain, link) = (home.file("plain"), home.file("link"));
    fs::write(&plain, "text").expect("written");
    symlink(&plain, &link).expect("a link");
    for (path, why) in [
        (link, "is a link"),
        (home.path().to_owned(), "is a folder"),
        ("/dev/null".into(), "not a regular file"),
        (home.file("no"), "cannot be read"),
    ] {
        viewer.rs.send(&format!("send {}", path.display()));
        let failed = viewer.rs.expect_where("file", |file| file["state"] == "failed");
        assert!(failed["reason"].as_str().is_some_and(|reason| reason.contains(why)), "{failed}");
    }
    host.rs.send(&format!("send {}", plain.display()));
    let offered = file(&viewer.rs, "offered", "plain");
    viewer.rs.send(&format!("refuse {}", offered["number"]));
    file(&host.rs, "refused", "plain");
}

#[test]
fn without_the_permission_nothing_is_received_or_fetched() {
    let home = Home::new();
    let mut host = Host::pattern(&format!("--files {}", home.file("host").display()));
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    let plain = home.file("plain");
    fs::write(&plain, "text").expect("written");
    host.rs.send("revoke files");
    viewer.rs.expect("permissions");
    viewer.rs.send(&format!("send {}", plain.display()));
    let refused = file(&viewer.rs, "refused", "plain");
    assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains("allow files")), "{refused}");
    viewer.rs.send("fetch plain");
    file(&viewer.rs, "refused", "plain");
    host.rs.send("allow files");
    viewer.rs.expect("permissions");
    viewer.rs.send(&format!("send {}", plain.display()));
    file(&viewer.rs, "done", "plain");
}

#[test]
fn a_killed_sender_goes_on_where_it_was() {
    let (home, state, bytes) = (Home::new(), Home::new(), noise(32 * MEGABYTE));
    let there = home.file("host");
    let mut host = host(&there);
    let large = home.file("large");
    fs::write(&large, &bytes).expect("written");
    let line = format!("connect --json --password-stdin --no-lan --view none {}", host.direct("tcp"));
    let mut begun = on_loopback(&state, &line).go();
    begun.send(&host.password);
    begun.expect("granted");
    begun.send(&format!("send {}", large.display()));
    begun.expect_where("file", |file| file["state"] == "running" && file["done"].as_u64() > Some(4 * MEGABYTE as u64));
    begun.process().kill();
    file(&host.rs, "paused", "large");

    let target = format!("{}:", host.direct("tcp"));
    let ended = cp(&mut host, &state, &[large.to_str().expect("text"), &target]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let again = host.rs.expect_where("file", |file| file["state"] == "running" && file["session"] != "s1");
    assert!(again["done"].as_u64() > Some(4 * MEGABYTE as u64), "{again}");
    assert!(fs::read(there.join("large")).expect("it is there") == bytes);
}

#[test]
fn cp_copies_to_and_from_and_nothing_outside_of_the_folder() {
    let (home, state, bytes) = (Home::new(), Home::new(), noise(MEGABYTE));
    let there = home.file("host");
    fs::create_dir_all(there.join("logs")).expect("a folder");
    let mut host = host(&there);
    let (plain, secret) = (home.file("plain"), home.file("secret"));
    fs::write(&plain, &bytes).expect("written");
    fs::write(&secret, "secret").expect("written");
    symlink(&secret, there.join("escape")).expect("a link");
    symlink(home.path(), there.join("out")).expect("a link");
    let target = host.direct("quic-v1");

    let ended = cp(&mut host, &state, &[plain.to_str().expect("text"), &format!("{target}:renamed")]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    fs::rename(there.join("renamed"), there.join("logs/today")).expect("it arrived under its new name");
    let to = home.file("fetched");
    let ended = cp(&mut host, &state, &[&format!("{target}:logs/today"), to.to_str().expect("text")]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(fs::read(&to).expect("it is here") == bytes);

    for outside in ["../secret", secret.to_str().expect("text"), "escape", "out/secret", "logs", "none"] {
        let ended = cp(&mut host, &state, &[&format!("{target}:{outside}"), home.path().to_str().expect("text")]);
        assert_eq!(ended.code, Some(5), "{outside}: {}", ended.stderr);
        assert!(ended.stderr.contains(there.to_str().expect("text")) || ended.stderr.contains("folder"), "{}", ended.stderr);
    }
    let mut wrong = on_loopback(&state, "cp a b").go();
    assert_eq!(wrong.ended().code, Some(2));
}

#[test]
fn a_full_disk_is_told_and_what_arrived_stays() {
    let (home, state) = (Home::new(), Home::new());
    let small = home.file("small");
    fs::create_dir(&small).expect("a folder");
    let mount =
        |arguments: &[&str]| Command::new("mount").args(arguments).arg(&small).status().is_ok_and(|status| status.success());
    if !mount(&["-t", "tmpfs", "-o", "size=2m", "none"]) {
        return;
    }
    let mut host = host(&small);
    let (large, bytes) = (home.file("large"), noise(4 * MEGABYTE));
    fs::write(&large, &bytes).expect("written");
    let paths = [large.to_str().expect("text").to_owned(), format!("{}:", host.direct("tcp"))];
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let full = cp(&mut host, &state, &paths);
    assert!(full.code == Some(1) && full.stderr.contains("is full") && full.stderr.contains("free some space"), "{}", full.stderr);
    let kept = fs::read_dir(&small).expect("a folder").flatten().next().expect("it is kept").metadata().expect("a file").len();
    assert!(kept > MEGABYTE as u64, "{kept}");
    assert!(mount(&["-o", "remount,size=8m"]));
    let again = cp(&mut host, &state, &paths);
    let whole = fs::read(small.join("large")).is_ok_and(|whole| whole == bytes);
    drop(host);
    let _ = Command::new("umount").arg(&small).status();
    assert!(again.code == Some(0) && whole, "{}", again.stderr);
}

#[test]
fn a_hundred_files_at_once_go_both_ways() {
    const FILES: usize = 100;
    let home = Home::new();
    let (here, there) = (home.file("viewer"), home.file("host"));
    let mut host = host(&there);
    let mut viewer = Viewer::headless(&host.direct("quic-v1"), &host.password, &format!("--files {}", here.display()));
    viewer.is_in_session();
    let paths: Vec<String> = (0..FILES)
        .map(|number| {
            let path = home.file(&format!("n{number}"));
            fs::write(&path, noise(number * 100)).expect("written");
            path.display().to_string()
        })
        .collect();
    let line = format!("send {}", paths.join(" "));
    host.rs.send(&line);
    viewer.rs.send(&line);
    for (rs, folder, from) in [(&host.rs, &there, "viewer"), (&viewer.rs, &here, "host")] {
        let is_done = |file: &Value| file["state"] == "done" && file["from"] == from;
        (0..FILES).for_each(|_| drop(rs.expect_where("file", is_done)));
        for number in 0..FILES {
            let whole = fs::read(folder.join(format!("n{number}")));
            assert!(whole.is_ok_and(|whole| whole == noise(number * 100)), "{number} from the {from}");
        }
    }
}

#[test]
fn what_is_cancelled_or_forbidden_on_its_way_stops_and_goes_on_later() {
    const SIZE: u64 = 256 << 20;
    let home = Home::new();
    let there = home.file("host");
    let mut host = host(&there);
    let mut viewer = Viewer::headless(&host.direct("quic-v1"), &host.password, "");
    viewer.is_in_session();
    let large = home.file("large");
    fs::File::create(&large).and_then(|file| file.set_len(SIZE)).expect("a file of zeros");
    let on_its_way = |viewer: &mut Viewer, host: &Host| {
        viewer.rs.send(&format!("send {}", large.display()));
        let running = host.rs.expect_where("file", |file| file["state"] == "running" && file["done"].as_u64() > Some(0));
        running["number"].clone()
    };
    let why = |file: Value| file["reason"].as_str().unwrap_or_default().to_owned();

    let number = on_its_way(&mut viewer, &host);
    viewer.rs.send(&format!("cancel {number}"));
    assert!(why(file(&viewer.rs, "refused", "large")).contains("cancelled"));
    assert!(why(file(&host.rs, "failed", "large")).contains("the sender stopped: it was cancelled"));

    let number = on_its_way(&mut viewer, &host);
    host.rs.send(&format!("cancel {number}"));
    assert!(why(file(&host.rs, "refused", "large")).contains("cancelled"));
    assert!(why(file(&viewer.rs, "failed", "large")).contains("cancelled"));

    on_its_way(&mut viewer, &host);
    host.rs.send("revoke files");
    assert!(why(file(&viewer.rs, "failed", "large")).contains("allow files"));
    let left: Vec<_> = fs::read_dir(&there).expect("a folder").map(|entry| entry.expect("a file").file_name()).collect();
    assert!(left.len() == 1 && left[0].to_string_lossy().ends_with(".rs-part"), "{left:?}");

    host.rs.send("allow files");
    viewer.rs.expect_where("permissions", |event| event["permissions"].to_string().contains("files"));
    on_its_way(&mut viewer, &host);
    file(&viewer.rs, "done", "large");
    assert_eq!(fs::metadata(there.join("large")).expect("it is there").len(), SIZE);
}
