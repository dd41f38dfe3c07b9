//! A host whose key changed is not talked to.

use std::fs;

use crate::support::machine::{Host, Viewer};

/// Visits a host once, so that its key is pinned in the viewer's folder; gives the folder back.
#[track_caller]
fn visit(viewer: Option<Viewer>, host: &mut Host) -> Viewer {
    let target = host.direct("tcp");
    let home = viewer.map(|viewer| viewer.home).unwrap_or_else(crate::support::machine::Home::new);
    let mut viewer = Viewer::at(home, &target, &host.password, "");
    host.accept();
    viewer.is_in_session();
    viewer.rs.send("quit");
    assert_eq!(viewer.rs.ended().code, Some(0));
    viewer
}

#[test]
fn a_host_with_another_key_than_before_is_a_hard_stop() {
    // Two keys with one ID cannot be made, so the pins of two hosts are swapped instead.
    let (mut one, mut other) = (Host::pattern(""), Host::pattern(""));
    let viewer = visit(None, &mut one);
    let viewer = visit(Some(viewer), &mut other);
    let file = viewer.home.file("known_hosts");
    let pins = fs::read_to_string(&file).expect("pins were written");
    let key_of = |host: &Host| {
        let digits = host.id.replace('-', "");
        let line = pins.lines().find(|line| line.replace('-', "").contains(&digits)).expect("a line with the ID");
        line.split_whitespace().next().expect("the key comes first").to_owned()
    };
    let (key, other_key) = (key_of(&one), key_of(&other));
    let swapped = pins.replace(&key, "\0").replace(&other_key, &key).replace('\0', &other_key);
    fs::write(&file, &swapped).expect("pins are edited by hand");

    let (target, sessions) = (one.direct("tcp"), one.rs.seen("session-started").len());
    one.follow_password();
    let mut viewer = Viewer::at(viewer.home, &target, &one.password, "");
    let ended = viewer.rs.ended();
    assert_eq!(ended.code, Some(8), "{}", ended.stderr);
    assert!(ended.stderr.contains("known_hosts"), "it tells where the pin is: {}", ended.stderr);
    assert_eq!(fs::read_to_string(&file).expect("pins"), swapped, "nothing is repaired behind the person's back");
    assert_eq!(one.rs.seen("session-started").len(), sessions);
    assert_eq!(one.rs.seen("request").len(), sessions, "the host's person is not asked");
}

#[test]
fn a_viewer_is_known_at_its_second_visit() {
    let mut host = Host::pattern("");
    let viewer = visit(None, &mut host);
    host.follow_password();
    let viewer = Viewer::at(viewer.home, &host.direct("tcp"), &host.password, "");
    assert_eq!(host.accept()["viewer"]["known"], true);
    viewer.rs.expect("granted");
}

#[test]
fn an_id_that_another_host_answers_for_is_not_believed() {
    let (host, other) = (Host::pattern(""), Host::pattern(""));
    let impostor = host.direct("tcp").replace(&host.id, &other.id);
    let mut viewer = Viewer::headless(&impostor, &other.password, "");
    let code = viewer.rs.ended().code;
    assert!(matches!(code, Some(3 | 4 | 8)), "exit code {code:?}");
    assert!(host.rs.seen("request").is_empty() && other.rs.seen("request").is_empty());
}
