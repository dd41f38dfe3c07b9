//! The session log: both sides write the same session down, and whoever changes a byte of it is found out.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    machine::{Home, Host, Viewer},
    rs::{Ended, Rs, Start},
    until_true,
};

/// `rs log` with these words: what it printed, and how it ended.
#[track_caller]
fn log(home: &Path, words: &str) -> (String, Ended) {
    let mut rs = Start::new(home, &format!("log {words}")).go();
    let ended = rs.ended();
    (rs.stdout(), ended)
}

/// The records of the only session, each without when it was.
#[track_caller]
fn records(home: &Path) -> Vec<Value> {
    let (lines, _) = log(home, "--json");
    lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["record"].clone()).collect()
}

fn only<'a>(records: &'a [Value], what: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["what"] == what).collect()
}

#[track_caller]
fn page(rs: &Rs) -> String {
    let ended = rs.expect("session-ended");
    fs::read_to_string(ended["summary"]["log"].as_str().expect("a page")).expect("the page is there when it is told")
}

#[test]
fn both_sides_write_it_down_and_a_changed_byte_shows() {
    let there = Home::new();
    let mut host = Host::pattern(&format!("--files {}", there.file("files").display()));
    let mut viewer = host.session("quic-v1");
    host.rs.send("allow mouse for 10m");
    viewer.rs.expect("permissions");
    host.rs.send("revoke clipboard");
    viewer.rs.expect("permissions");
    viewer.rs.send("chat a secret");
    host.rs.expect("chat");
    let file = viewer.home.file("notes.txt");
    fs::write(&file, "what was done").expect("written");
    viewer.rs.send(&format!("send {}", file.display()));
    host.rs.expect_where("file", |file| file["state"] == "done");
    viewer.rs.expect_where("file", |file| file["state"] == "done");
    viewer.rs.send("quit");
    viewer.rs.ended();
    let pages = [page(&host.rs), page(&viewer.rs)];

    let homes = [host.home.path(), viewer.home.path()];
    let [at_host, at_viewer] = homes.map(records);
    let hash = blake3::hash(b"what was done").to_hex().to_string();
    for (records, page) in [&at_host, &at_viewer].into_iter().zip(&pages) {
        let [started] = only(records, "started")[..] else { panic!("one beginning: {records:?}") };
        assert_eq!((&started["host"]["id"], &started["session"]), (&json!(host.id), &at_host[0]["session"]), "the same session");
        assert_eq!(started["viewer"], at_host[0]["viewer"], "known by the same name");
        let paths: Vec<_> = only(records, "path").iter().map(|path| (&path["kind"], &path["transport"])).collect();
        assert_eq!(paths, [(&json!("lan"), &json!("quic"))]);
        let changes = only(records, "permissions");
        assert!(changes.iter().any(|change| change["timers"][0]["permission"] == "mouse"), "{changes:?}");
        assert!(!changes.last().expect("some").to_string().contains("clipboard"), "{changes:?}");
        let [file] = only(records, "file")[..] else { panic!("one file: {records:?}") };
        assert_eq!((&file["name"], &file["state"], &file["blake3"]), (&json!("notes.txt"), &json!("done"), &json!(hash)));
        let [ended] = only(records, "ended")[..] else { panic!("one end: {records:?}") };
        assert_eq!((&ended["reason"], &ended["summary"]["viewer_lines"]), (&json!("viewer-left"), &json!(1)));
        assert!(page.contains(&hash) && !page.contains("a secret"));
        assert!(!format!("{records:?}").contains("a secret"));
    }

    for home in homes {
        assert!(log(home, "").0.contains("; "), "a line for the session");
        assert!(log(home, "1").0.contains("notes.txt (13 bytes) was "));
        let (said, ended) = log(home, "verify");
        assert_eq!((ended.code, said.contains("of 1 session, nothing was changed.")), (Some(0), true), "{said}");
        let file = home.join("log/000001.jsonl");
        let whole = fs::read_to_string(&file).expect("the log");
        fs::write(&file, whole.replacen("notes.txt", "motes.txt", 1)).expect("our own file");
        let (_, ended) = log(home, "verify");
        let line = whole.lines().position(|line| line.contains("notes.txt")).expect("a line") + 2;
        let expected = format!("000001.jsonl, line {line}: the record before this one was changed");
        assert_eq!((ended.code, ended.stderr.contains(&expected)), (Some(1), true), "{}", ended.stderr);
    }
}

#[test]
fn a_session_whose_host_was_killed_says_that_no_end_was_recorded() {
    let mut host = Host::pattern("");
    let _viewer = host.session("quic-v1");
    // What the beginning has; then nothing more is written.
    until_true("the beginning is recorded", || {
        let records = records(host.home.path());
        let begun = ["started", "path", "control"].iter().all(|what| !only(&records, what).is_empty());
        begun && log(host.home.path(), "verify").1.code == Some(0)
    });
    host.rs.process().kill();
    assert!(log(host.home.path(), "").0.contains("; no end recorded"));
    let (said, ended) = log(host.home.path(), "verify");
    assert_eq!((ended.code, said.contains("nothing was changed")), (Some(0), true), "{said}{}", ended.stderr);
}

#[test]
fn who_did_not_come_in_is_in_the_hosts_log() {
    let mut host = Host::pattern("");
    let target = host.direct("quic-v1");
    assert_eq!(Viewer::headless(&target, "wrong-guess", "").rs.ended().code, Some(4));
    let mut viewer = Viewer::headless(&target, &host.password, "");
    let request = host.rs.expect("request");
    host.rs.send("deny");
    assert_eq!(viewer.rs.ended().code, Some(5));
    let refused = || -> Vec<Value> { only(&records(host.home.path()), "refused").into_iter().cloned().collect() };
    until_true("both are recorded", || refused().len() == 2);
    let refused = refused();
    let of = |why: &str| refused.iter().find(|refused| refused["why"] == why).unwrap_or_else(|| panic!("{why}: {refused:?}"));
    assert_eq!(of("denied")["session"], request["session"], "as it was asked about");
    assert_eq!((&of("denied")["viewer"]["name"], &of("denied")["left_out"]), (&request["viewer"]["name"], &json!(0)));
    assert!(of("wrong-password")["viewer"]["key"].as_str().is_some_and(|key| key.len() == 8));
    let (list, _) = log(host.home.path(), "");
    assert!(list.contains(" did not come in; the password was wrong") && list.contains("; they were refused"), "{list}");
    let (said, ended) = log(host.home.path(), "verify");
    assert_eq!((ended.code, said.as_str()), (Some(0), "2 records of 0 sessions, nothing was changed.\n"));
}
