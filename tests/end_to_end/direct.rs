//! A whole session over a given address: consent, picture, input, chat, permissions, the end.

use serde_json::json;

use crate::support::{
    image::{Colour, Image},
    machine::{Host, Viewer, session, strings},
    until, until_true,
};

/// The test picture's size.
const SIZE: (usize, usize) = (1280, 720);
/// All that a viewer may do.
const EVERYTHING: [&str; 6] = ["view", "point", "mouse", "keyboard", "clipboard", "files"];
/// The cross that the test picture draws at its pointer; nothing else has this colour.
const CROSS: Colour = [255, 0, 255];

/// The line of the test picture that tells the text typed last.
fn typed_line(picture: &Image) -> Image {
    picture.part(0, 664, SIZE.0, SIZE.1 - 664)
}

fn pointer_is_at(picture: &Image, x: usize, y: usize) -> bool {
    picture.at(x, y) == CROSS
}

fn a_whole_session_over(transport: &str, carrier: &str) {
    let mut host = Host::pattern("");
    let mut viewer = Viewer::headless(&host.direct(transport), &host.password, "");

    let request = host.accept();
    assert_eq!(request["wants"], json!(EVERYTHING));
    assert_eq!((&request["pause"], request["code"].as_str().map(str::len)), (&json!(0), Some(7)));
    assert_eq!(request["viewer"]["known"], false);
    let connected = viewer.rs.expect("connected");
    assert_eq!(connected["id"], host.id.as_str());
    assert_eq!(connected["path"]["transport"], carrier);
    assert_ne!(connected["path"]["kind"], "relayed");
    viewer.rs.expect_where("waiting", |waiting| waiting["code"] == request["code"]);
    assert_eq!(viewer.rs.expect("granted")["permissions"], json!(EVERYTHING));
    let started = host.rs.expect("session-started");
    assert_eq!(started["session"], request["session"]);
    assert_eq!(started["viewer"], request["viewer"]);

    let first = viewer.screenshot();
    assert_eq!((first.width, first.height), SIZE);
    until_true("the picture moves", || viewer.screenshot() != first);

    viewer.rs.send("click 300 200");
    let before = until("the click shows", || Some(viewer.screenshot()).filter(|picture| pointer_is_at(picture, 300, 200)));
    viewer.rs.send("type Hello, host");
    until_true("the text shows", || typed_line(&viewer.screenshot()) != typed_line(&before));

    viewer.rs.send("chat can you see me?");
    let said = host.rs.expect("chat");
    assert_eq!((&said["from"], &said["text"]), (&json!("viewer"), &json!("can you see me?")));
    host.rs.send("chat yes, grüß dich");
    let said = viewer.rs.expect_where("chat", |said| said["from"] == "host");
    assert_eq!(said["text"], "yes, grüß dich");

    viewer.rs.send("stats");
    let stats = viewer.rs.expect("stats");
    assert_eq!((&stats["width"], &stats["height"]), (&json!(SIZE.0), &json!(SIZE.1)));
    assert!(stats["frames"].as_u64() > Some(0) && stats["picture_bytes"].as_u64() > Some(0), "{stats}");

    host.rs.send("end");
    for side in [&host.rs, &viewer.rs] {
        let ended = side.expect("session-ended");
        assert_eq!(ended["reason"], "host-ended");
        assert!(ended["seconds"].is_u64(), "{ended}");
    }
    assert_eq!(viewer.rs.ended().code, Some(0));
    assert!(host.rs.runs(), "the host waits for the next viewer");
}

#[test]
fn a_whole_session_over_tcp() {
    a_whole_session_over("tcp", "tcp");
}

#[test]
fn a_whole_session_over_quic() {
    a_whole_session_over("quic-v1", "quic");
}

#[test]
fn the_id_and_the_password_have_the_form_that_people_read_out() {
    let host = Host::pattern("");
    let shape = |text: &str| text.split('-').map(str::len).collect::<Vec<_>>();
    assert_eq!(shape(&host.id), [4, 4, 4, 4]);
    assert!(host.id.chars().all(|sign| sign.is_ascii_digit() || sign == '-'));
    assert_eq!(shape(&host.password), [4, 4]);
    assert!(host.password.chars().all(|sign| sign == '-' || "0123456789abcdefghjkmnpqrstvwxyz".contains(sign)));
    assert!(host.link.starts_with(&format!("rs://{}?", host.id.replace('-', ""))));
    assert!(!host.link.contains(&host.password));
}

#[test]
fn a_viewer_that_leaves_at_once_says_so() {
    let mut host = Host::pattern("--yes");
    for _ in 0..3 {
        let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
        viewer.rs.send("quit");
        assert_eq!(host.rs.expect("session-ended")["reason"], "viewer-left");
        host.follow_password();
    }
}

#[test]
fn an_id_may_be_typed_with_spaces_or_nothing_between_the_digits() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp").replacen('-', " ", 2).replacen('-', "", 1);
    session(&mut host, &target, "");
}

#[test]
fn what_is_revoked_does_nothing_until_it_is_allowed_again() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    viewer.rs.send("move 100 120");
    let before = until("the pointer shows", || Some(viewer.screenshot()).filter(|picture| pointer_is_at(picture, 100, 120)));

    host.rs.send("revoke mouse");
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("permissions", |event| {
            strings(&event["permissions"]) == ["view", "point", "keyboard", "clipboard", "files"]
        });
    }
    viewer.rs.send("move 700 300");
    viewer.rs.send("click 700 300");
    viewer.rs.send("type behind the click");
    let after = until("the text shows", || Some(viewer.screenshot()).filter(|now| typed_line(now) != typed_line(&before)));
    assert!(pointer_is_at(&after, 100, 120), "the pointer must not have moved");

    host.rs.send("allow mouse");
    viewer.rs.expect_where("permissions", |event| strings(&event["permissions"]) == EVERYTHING);
    viewer.rs.send("move 700 300");
    until_true("the pointer moves again", || pointer_is_at(&viewer.screenshot(), 700, 300));
}

#[test]
fn a_view_only_session_shows_and_drives_nothing() {
    for (host_line, viewer_line) in [("--view-only", ""), ("", "--view-only"), ("--allow view", "")] {
        let mut host = Host::pattern(host_line);
        let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, viewer_line);
        assert_eq!(host.accept()["wants"], json!(["view"]), "{host_line} {viewer_line}");
        assert_eq!(viewer.rs.expect("granted")["permissions"], json!(["view"]));
        let before = viewer.screenshot();
        viewer.rs.send("move 700 300");
        viewer.rs.send("type nothing");
        viewer.rs.send("chat marker");
        host.rs.expect("chat");
        let later = until("a later picture", || Some(viewer.screenshot()).filter(|picture| *picture != before));
        assert!(!pointer_is_at(&later, 700, 300) && typed_line(&later) == typed_line(&before));
    }
}

#[test]
fn whoever_is_denied_is_told_so() {
    let mut host = Host::pattern("");
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    host.rs.expect("request");
    host.rs.send("deny");
    let ended = viewer.rs.ended();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(host.rs.seen("session-started").is_empty());
}

#[test]
fn a_viewer_that_leaves_ends_the_session_and_the_one_time_password() {
    let mut host = Host::pattern("");
    let target = host.direct("quic-v1");
    let mut viewer = session(&mut host, &target, "");
    let used = host.password.clone();
    viewer.rs.send("quit");
    assert_eq!(viewer.rs.ended().code, Some(0));
    assert_eq!(viewer.rs.expect("session-ended")["reason"], "viewer-left");
    assert_eq!(host.rs.expect("session-ended")["reason"], "viewer-left");
    host.follow_password();
    assert_ne!(host.password, used);
    session(&mut host, &target, "");
}

#[test]
fn a_host_that_quits_ends_the_session_and_itself() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    host.rs.send("quit");
    assert_eq!(viewer.rs.expect("session-ended")["reason"], "host-quit");
    assert_eq!(viewer.rs.ended().code, Some(0));
    assert_eq!(host.rs.ended().code, Some(0));
}

#[test]
fn ctrl_c_ends_a_host_as_quit_does() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let viewer = session(&mut host, &target, "");
    host.rs.process().interrupt();
    assert_eq!(viewer.rs.expect("session-ended")["reason"], "host-quit");
    host.rs.ended();
}

#[test]
fn a_screenshot_needs_no_window_and_ends_by_itself() {
    let host = Host::pattern("--yes");
    let file = host.home.file("first.png");
    let mut viewer = Viewer::screenshot_to(&file, &host.direct("tcp"), &host.password);
    viewer.rs.expect("screenshot");
    let ended = viewer.rs.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let picture = Image::read(&file).expect("a whole PNG file");
    assert_eq!((picture.width, picture.height), SIZE);
    assert!(!host.rs.seen("session-started").is_empty(), "--yes lets in whoever knows the password");
}

#[test]
fn a_second_viewer_does_not_disturb_a_session() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut first = session(&mut host, &target, "");
    let mut second = Viewer::headless(&target, "aaaa-aaaa", "");
    assert_ne!(second.rs.ended().code, Some(0));
    first.rs.send("chat still here");
    assert_eq!(host.rs.expect("chat")["text"], "still here");
}

#[test]
fn wrong_lines_on_stdin_are_answered_and_end_nothing() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    for line in
        ["fly", "move", "move 1", "move -1 99999999", "click a b", "key ctrl+nonsense", "scroll x", "allow", "\u{7f}\u{1b}[2J"]
    {
        viewer.rs.send(line);
        viewer.rs.expect("warning");
    }
    for line in ["fly", "allow flying", "revoke", "accept now"] {
        host.rs.send(line);
        host.rs.expect("warning");
    }
    viewer.rs.send(&format!("screenshot {}/no/such/folder/x.png", viewer.home.path().display()));
    viewer.rs.expect("warning");
    viewer.rs.send("chat still here");
    assert_eq!(host.rs.expect("chat")["text"], "still here");
}
