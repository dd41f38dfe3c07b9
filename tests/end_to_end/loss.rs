//! A host or viewer that dies without a word.

use crate::support::{
    machine::{Home, Host, Viewer, on_loopback, session},
    rs::Start,
};

/// A state folder with a resume time that a test can wait for.
fn impatient() -> Home {
    let home = Home::new();
    home.configure("resume_seconds = 1");
    home
}

#[test]
fn a_session_whose_host_died_is_lost_after_the_resume_time() {
    let mut host = Host::pattern("");
    let mut viewer = Viewer::at(impatient(), &host.direct("tcp"), &host.password, "");
    host.accept();
    viewer.is_in_session();
    host.rs.process().kill();
    viewer.rs.expect("stalled");
    assert_eq!(viewer.rs.expect("session-ended")["reason"], "lost");
    let ended = viewer.rs.ended();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
}

#[test]
fn a_session_whose_host_was_started_anew_is_not_waited_for() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    host.rs.process().kill();
    viewer.rs.expect("stalled");
    let listen = host.listen.iter().find(|address| address.contains("/tcp/")).and_then(|address| address.split("/p2p/").next());
    let again = Start::new(host.home.path(), "host --json --no-lan --capture pattern --panel none --listen");
    let again = again.arg(listen.expect("it listens on TCP")).go();
    again.expect("ready");
    assert_eq!(viewer.rs.expect("session-ended")["reason"], "lost");
    let ended = viewer.rs.ended();
    assert_eq!(ended.code, Some(6));
    assert!(ended.stderr.contains("no longer knows this session"), "{}", ended.stderr);
}

#[test]
fn a_session_whose_viewer_died_is_lost_after_the_resume_time() {
    let home = impatient();
    let start = on_loopback(&home, "host --json --no-lan --yes --capture pattern --panel none");
    let host = Host::started(home, start);
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    viewer.is_in_session();
    viewer.rs.process().kill();
    assert_eq!(host.rs.expect("session-ended")["reason"], "lost");
}

#[test]
fn a_viewer_notices_that_its_host_is_gone_and_can_leave() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    host.rs.process().kill();
    viewer.rs.expect("stalled");
    viewer.rs.send("quit");
    let ended = viewer.rs.ended();
    assert!(matches!(ended.code, Some(0 | 6)), "{}", ended.stderr);
}

#[test]
fn a_host_outlives_a_viewer_that_dies() {
    let mut host = Host::pattern("");
    let target = host.direct("quic-v1");
    let mut viewer = session(&mut host, &target, "");
    viewer.rs.process().kill();
    host.rs.send("end");
    assert_eq!(host.rs.expect("session-ended")["reason"], "host-ended");
    host.follow_password();
    session(&mut host, &target, "");
}
