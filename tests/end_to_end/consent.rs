//! Whom the host's user lets in, to what, and for how long.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    machine::{Home, Host, Viewer, on_loopback, session, strings},
    until_true,
};

/// A host that shows the test picture, with this state folder.
fn host_at(home: Home) -> Host {
    let start = on_loopback(&home, "host --json --no-lan --capture pattern --panel none");
    Host::started(home, start)
}

#[test]
fn somebody_who_never_let_anybody_in_has_time_to_think_but_a_no_is_taken_at_once() {
    let mut host = host_at(Home::empty());
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    assert_eq!(host.accept()["pause"], 10);
    let warning = host.rs.expect("warning");
    assert!(warning["text"].as_str().is_some_and(|text| text.contains("a yes is taken in")), "{warning}");
    host.rs.send("deny");
    host.rs.expect("request-over");
    assert_eq!(viewer.rs.ended().code, Some(5));
    assert!(host.rs.seen("session-started").is_empty());
}

#[test]
fn the_pause_ends_and_the_next_stranger_is_only_called_new() {
    let home = Home::empty();
    home.configure("consent_pause = 3");
    let mut host = host_at(home);
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    assert_eq!(host.accept()["pause"], 3);
    host.rs.expect("warning");
    until_true("a yes is taken", || {
        host.rs.send("accept");
        host.rs.wait_for("session-started", Duration::from_millis(200), |_| true).is_some()
    });
    viewer.rs.send("quit");
    host.follow_password();
    let _next = Viewer::headless(&host.direct("tcp"), &host.password, "");
    let request = host.rs.expect("request");
    assert_eq!((&request["pause"], &request["viewer"]["known"]), (&json!(0), &json!(false)));
}

#[test]
fn whoever_leaves_before_the_answer_is_asked_about_no_more() {
    let host = Host::pattern("");
    let viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    let request = host.rs.expect("request");
    drop(viewer);
    assert_eq!(host.rs.expect("request-over")["session"], request["session"]);
}

#[test]
fn who_ends_or_narrows_right_after_the_yes_means_it() {
    let mut host = Host::pattern("");
    for line in ["end", "revoke mouse keyboard"] {
        let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
        host.accept();
        viewer.rs.expect("granted");
        host.rs.send(line); // its lanes are on their way
        if line == "end" {
            assert_eq!(viewer.rs.expect("session-ended")["reason"], "host-ended");
            assert_eq!(viewer.rs.ended().code, Some(0));
            host.follow_password();
        } else {
            let told = viewer.rs.expect_where("permissions", |told| !strings(&told["permissions"]).contains(&"mouse".to_owned()));
            assert!(!strings(&told["permissions"]).contains(&"keyboard".to_owned()), "{told}");
        }
    }
}

#[test]
fn a_narrower_yes_lets_in_for_this_only_and_who_may_point_does_not_drive() {
    let mut host = Host::pattern("");
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    host.rs.expect("request");
    host.rs.send("accept point");
    assert_eq!(viewer.rs.expect("granted")["permissions"], json!(["view", "point"]));
    assert_eq!(host.rs.expect("session-started")["permissions"], json!(["view", "point"]));
    let before = viewer.screenshot();

    viewer.rs.send("point 300 200");
    assert_eq!(host.rs.expect("pointer")["at"], json!([300, 200]));
    viewer.rs.send("point away");
    assert_eq!(host.rs.expect("pointer")["at"], json!(null));

    viewer.rs.send("click 300 200");
    host.rs.send("revoke point");
    viewer.rs.expect_where("permissions", |event| strings(&event["permissions"]) == ["view"]);
    viewer.rs.send("point 500 100");
    viewer.rs.send("chat marker");
    host.rs.expect("chat");
    assert_eq!(host.rs.seen("pointer").len(), 2, "who may not point is not shown");
    let line = |picture: &crate::support::image::Image| picture.part(0, 664, 1280, 56);
    assert!(line(&viewer.screenshot()) == line(&before), "the click was not done");
}

#[test]
fn a_permission_for_a_while_ends_by_itself_on_both_sides() {
    let mut host = Host::pattern("--allow view");
    let target = host.direct("tcp");
    let viewer = session(&mut host, &target, "");
    host.rs.send("allow control for 2s");
    host.rs.send("allow files for 1h");
    for side in [&host.rs, &viewer.rs] {
        let told = side.expect_where("permissions", |event| strings(&event["permissions"]).contains(&"files".to_owned()));
        assert_eq!(strings(&told["permissions"]), ["view", "mouse", "keyboard", "files"]);
        let timers: Vec<_> = told["timers"].as_array().into_iter().flatten().collect();
        assert_eq!(timers.iter().map(|timer| &timer["permission"]).collect::<Vec<_>>(), ["mouse", "keyboard", "files"]);
        assert!(timers[0]["seconds"].as_u64() <= Some(2) && timers[2]["seconds"].as_u64() > Some(3500), "{timers:?}");
    }
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("control", |event| event["holder"] == "remote");
        side.expect_where("permissions", |event| strings(&event["permissions"]) == ["view", "files"]);
        side.expect_where("control", |event| event["holder"] == "local");
    }
}

#[test]
fn chat_counts_as_delivered_when_the_other_side_has_it() {
    let mut host = Host::pattern("");
    let target = host.direct("quic-v1");
    let mut viewer = session(&mut host, &target, "");
    for (number, text) in ["one", "zwei", "три"].into_iter().enumerate() {
        viewer.rs.send(&format!("chat {text}"));
        host.rs.send(&format!("chat {text}"));
        for (side, own) in [(&host.rs, "host"), (&viewer.rs, "viewer")] {
            side.expect_where("chat", |said| said["from"] == own && said["number"] == number + 1);
            side.expect_where("chat-delivered", |event| event["number"] == number + 1);
        }
    }
}
