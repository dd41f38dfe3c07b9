//! A host or viewer that dies without a word.

use crate::support::machine::{Host, session};

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
