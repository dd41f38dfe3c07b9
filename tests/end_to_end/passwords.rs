//! Rotation, permanent passwords, no password.

use serde_json::Value;

use crate::support::{
    machine::{Home, Host, Viewer, session},
    rs::Start,
};

/// Runs `rs rotate-password` in this folder and returns the password it tells.
#[track_caller]
fn rotate(home: &Home, line: &str) -> String {
    let mut rs = Start::new(home.path(), &format!("rotate-password --json {line}")).go();
    let told = rs.expect("password-rotated");
    let ended = rs.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    text(&told["password"])
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn a_rotated_password_is_dead_at_once_and_so_are_its_sessions() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    let old = host.password.clone();

    let new = rotate(&host.home, "");
    assert_ne!(new, old);
    assert_eq!(host.rs.expect("password-rotated")["password"], new.as_str());
    for side in [&host.rs, &viewer.rs] {
        assert_eq!(side.expect("session-ended")["reason"], "password-rotated");
    }
    viewer.rs.ended();

    let mut late = Viewer::headless(&target, &old, "");
    assert_eq!(late.rs.ended().code, Some(4));
    host.password = new;
    session(&mut host, &target, "");
}

#[test]
fn sessions_may_outlive_a_rotation_that_says_so() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    let new = rotate(&host.home, "--keep-sessions");
    assert_eq!(host.rs.expect("password-rotated")["password"], new.as_str());
    viewer.rs.send("chat still here");
    assert_eq!(host.rs.expect("chat")["text"], "still here");
    assert!(viewer.rs.seen("session-ended").is_empty());
}

#[test]
fn the_hosts_person_rotates_by_a_line() {
    let mut host = Host::pattern("");
    let old = host.password.clone();
    host.rs.send("rotate");
    host.follow_password();
    assert_ne!(host.password, old);
    let target = host.direct("tcp");
    assert_eq!(Viewer::headless(&target, &old, "").rs.ended().code, Some(4));
    session(&mut host, &target, "");
}

#[test]
fn a_permanent_password_opens_one_session_after_the_other() {
    let mut host = Host::pattern("--yes");
    let target = host.direct("quic-v1");
    host.password = rotate(&host.home, "--permanent");
    assert_eq!(host.password.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4]);
    for _ in 0..2 {
        let mut viewer = Viewer::headless(&target, &host.password, "");
        viewer.is_in_session();
        viewer.rs.send("quit");
        assert_eq!(viewer.rs.ended().code, Some(0));
        host.rs.expect("session-ended");
    }
}

#[test]
fn a_permanent_password_outlives_the_host() {
    let home = Home::new();
    let password = rotate(&home, "--permanent");
    let line = "host --json --no-lan --yes --password permanent --capture pattern --panel none --listen /ip4/127.0.0.1/tcp/0";
    let start = Start::new(home.path(), line).arg("--listen").arg("/ip4/127.0.0.1/udp/0/quic-v1");
    let host = Host::started(home, start);
    assert_eq!(host.password, "", "only its record is kept, so it cannot be shown");
    assert_eq!(Viewer::headless(&host.direct("tcp"), "wrong-wrong-wrong", "").rs.ended().code, Some(4));
    Viewer::headless(&host.direct("tcp"), &password, "").rs.expect("granted");
}

#[test]
fn a_host_without_a_password_asks_its_person() {
    let mut host = Host::pattern("--password none");
    assert_eq!(host.password, "");
    let target = host.direct("tcp");
    session(&mut host, &target, "");
}

#[test]
fn no_password_and_nobody_asked_is_refused_at_the_start() {
    let home = Home::new();
    let mut rs = Start::new(home.path(), "host --json --no-lan --capture pattern --panel none --password none --yes").go();
    let ended = rs.ended();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn a_password_may_come_from_a_file_or_the_environment() {
    let host = Host::pattern("--yes --password permanent");
    let password = rotate(&host.home, "--permanent");
    let home = Home::new();
    let file = home.file("password");
    std::fs::write(&file, format!("{password}\n")).expect("a file");
    let line = format!("connect --json --no-lan --view none --password-file {}", file.display());
    let from_file = Start::new(home.path(), &line).arg(host.direct("tcp")).go();
    from_file.expect("control");
    drop(from_file);

    let from_environment =
        Start::new(home.path(), "connect --json --no-lan --view none").arg(host.direct("tcp")).env("RS_PASSWORD", &password).go();
    from_environment.expect("granted");
}
