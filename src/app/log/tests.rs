//! Sessions from their events to the page, without a network.

use std::{fs, time::Duration};

use tempfile::TempDir;

use super::{record::What, *};
use crate::{
    protocol::{
        auth::SessionId,
        message::{EndReason, Holder},
        permission::Permissions,
    },
    ui::event::{HostEvent, PathInfo, Side, Summary, Transfer, TransferState, ViewerEvent},
};

const SESSION: SessionId = SessionId([0x1b; 16]);

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::at(folder.path().join("state")).expect("a fresh folder");
    (folder, store)
}

fn about(side: Side, viewer: &str) -> About {
    About {
        session: SESSION,
        side,
        host: HostName { id: "9339-2522-7420-3124".to_owned(), name: Some("Anna".to_owned()) },
        viewer: ViewerName { name: viewer.to_owned(), key: "0a0b0c0d".to_owned() },
        path: (side == Side::Viewer).then(|| PathInfo { kind: "relayed".to_owned(), transport: "tcp".to_owned() }),
    }
}

fn transfer(name: &str, state: TransferState) -> Transfer {
    Transfer {
        number: 1,
        from: Side::Viewer,
        name: name.to_owned(),
        size: 5,
        done: 5,
        state,
        file: None,
        blake3: Some("b1a4e3".to_owned()),
        reason: None,
    }
}

/// What the host's faces are told in a session; the last event as they get it.
fn host_session(store: &Store, viewer: &str) -> HostEvent {
    let (session, who) =
        ("s1".to_owned(), crate::ui::event::Viewer { name: viewer.to_owned(), key: String::new(), known: false, since: None });
    let mut recorder = Recorder::start(store, about(Side::Host, viewer));
    let path =
        || HostEvent::Path { session: session.clone(), kind: "direct".to_owned(), transport: "quic".to_owned(), rtt_ms: Some(7) };
    let control = |holder| HostEvent::Control { session: session.clone(), holder };
    let file = |state| HostEvent::File { session: session.clone(), transfer: transfer("a.txt", state) };
    let told = [
        HostEvent::SessionStarted { session: session.clone(), viewer: who, permissions: Permissions::all() },
        path(),
        path(),
        control(Holder::Remote),
        HostEvent::Permissions { session: session.clone(), permissions: Permissions::view_only(), timers: Vec::new() },
        control(Holder::Local),
        HostEvent::Chat { session: session.clone(), from: Side::Viewer, number: 1, at: String::new(), text: "a secret".to_owned() },
        file(TransferState::Running),
        file(TransferState::Done),
        HostEvent::Stalled { session: session.clone(), viewer: viewer.to_owned() },
        HostEvent::Resumed { session: session.clone(), viewer: viewer.to_owned() },
    ];
    for mut event in told {
        assert!(recorder.host(&mut event).is_none());
    }
    let mut end = HostEvent::SessionEnded { session, reason: EndReason::ViewerLeft, seconds: 61, summary: Summary::default() };
    assert!(recorder.host(&mut end).is_none());
    end
}

/// What `rs log` prints.
fn listed(store: &Store) -> String {
    let mut out = Vec::new();
    list(&store.journal().expect("a log"), &mut out).expect("it can be read");
    String::from_utf8(out).expect("text")
}

/// What `rs log NUMBER` prints.
fn shown(store: &Store, number: u64, as_json: bool) -> String {
    let mut out = Vec::new();
    show(&store.journal().expect("a log"), number, as_json, &mut out).expect("it can be read");
    String::from_utf8(out).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_recorded_from_its_events_and_its_page_is_told() {
    let (_folder, store) = store();
    let HostEvent::SessionEnded { summary: Summary { log: Some(file), .. }, .. } = host_session(&store, "anna@desk") else {
        panic!("the end has a page")
    };
    let text = shown(&store, 1, false);
    for line in [
        "anna@desk (key 0a0b0c0d) was here\nSession 1b1b1b1b",
        "may: view, point, mouse, keyboard, clipboard, files.",
        "Path: direct, quic.",
        "The viewer may now: view.",
        "a.txt (5 bytes) was received, BLAKE3 b1a4e3.",
        "The connection was interrupted.",
        "It was back after 0 seconds.",
        "finished after 1 minute: the viewer left. Transferred: 0 bytes of picture. Chat lines: 0 from the host, 1 from the viewer.",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    let lines = shown(&store, 1, true);
    assert_eq!((text.matches("Path").count(), lines.lines().count()), (1, 9), "what did not change is not told again:\n{text}");
    let page = fs::read_to_string(file).expect("the page is there");
    assert!(page.contains("b1a4e3") && !page.contains("a secret") && !lines.contains("a secret"));
    let line = listed(&store);
    assert_eq!(line.lines().count(), 1);
    assert!(line.contains("  1b1b1b1b  host    anna@desk (key 0a0b0c0d) was here; 1 minute, the viewer left"), "{line}");
}

/// Ends of lines, of JSON and of elements, escape sequences, and what turns the text beside it around.
const HOSTILE: &str =
    "<script>alert('&\"')</script>\",\"what\":\"ended\"}\r\n{\u{1b}[2J\u{9b}31m\u{202e}gpj\u{2066}\u{61c}\u{2028}\0";

/// Nothing in it does more than to be read.
#[track_caller]
fn assert_tame(text: &str) {
    let wild = |it: char| (it.is_control() && it != '\n') || "\u{202e}\u{2066}\u{61c}\u{2028}".contains(it);
    assert!(!text.contains(wild), "{text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_calls_itself_or_a_file_is_text_and_nothing_else() {
    let (_folder, store) = store();
    let mut recorder = Recorder::start(&store, about(Side::Host, HOSTILE));
    let viewer = crate::ui::event::Viewer { name: HOSTILE.to_owned(), key: HOSTILE.to_owned(), known: false, since: None };
    let mut bad = transfer(HOSTILE, TransferState::Failed);
    (bad.file, bad.blake3, bad.reason) = (Some(HOSTILE.into()), Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
    let named = || HOSTILE.to_owned();
    let done = Transfer { state: TransferState::Done, ..bad.clone() };
    let refused = Transfer { state: TransferState::Refused, ..bad.clone() };
    let mut told = vec![
        HostEvent::SessionStarted { session: named(), viewer: viewer.clone(), permissions: Permissions::all() },
        HostEvent::Path { session: named(), kind: named(), transport: named(), rtt_ms: None },
    ];
    told.extend([bad, done, refused].map(|transfer| HostEvent::File { session: named(), transfer }));
    let summary = Summary::default();
    told.push(HostEvent::SessionEnded { session: named(), reason: EndReason::ViewerLeft, seconds: 1, summary });
    for event in &mut told {
        assert!(recorder.host(event).is_none());
    }
    let Some(HostEvent::SessionEnded { summary: Summary { log: Some(file), .. }, .. }) = told.pop() else { panic!("a page") };
    Refusals::new(store.clone()).note("abcdef01".to_owned(), &viewer, Refusal::Denied);
    until_records(&store, 7).await;

    let page = fs::read_to_string(file).expect("the page is there");
    assert!(page.contains("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"), "{page}");
    assert!(!page.contains("<script"));
    assert_tame(&page);
    let list = listed(&store);
    assert_eq!(list.lines().count(), 2, "{list}");
    assert_tame(&list);
    for (number, records) in [(1, 6), (2, 1)] {
        let (text, json) = (shown(&store, number, false), shown(&store, number, true));
        assert_eq!(text.lines().count(), 3 + records, "a line for each record, below the heading: {text}");
        assert_eq!(json.lines().count(), records, "{json}");
        assert_tame(&text);
        assert_tame(&json);
        let first: serde_json::Value = serde_json::from_str(json.lines().next().expect("one")).expect("JSON");
        assert_eq!(first["record"]["viewer"]["name"], HOSTILE, "JSON has it as it is");
    }
}

/// Waits until as many records are written: those who write them are waited for by nobody.
async fn until_records(store: &Store, count: u64) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while store.journal().expect("a log").verify().expect("read").expect("whole").records < count {
        assert!(std::time::Instant::now() < deadline, "the records come");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_not_come_in_is_listed_and_is_no_session() {
    let (_folder, store) = store();
    let viewer = crate::ui::event::Viewer { name: "eve@cafe".to_owned(), key: "0e0e0e0e".to_owned(), known: false, since: None };
    Refusals::new(store.clone()).note("abcdef01".to_owned(), &viewer, Refusal::WrongPassword);
    until_records(&store, 1).await;
    host_session(&store, "anna@desk");
    let list = listed(&store);
    assert!(list.contains("  abcdef01  host    eve@cafe (key 0e0e0e0e) did not come in; the password was wrong\n"), "{list}");
    let text = shown(&store, 1, false);
    assert!(text.ends_with("eve@cafe (key 0e0e0e0e) did not come in to this machine: the password was wrong.\n"), "{text}");
    let mut out = Vec::new();
    verify(&store.journal().expect("a log"), &mut out).expect("whole");
    assert_eq!(String::from_utf8_lossy(&out), "10 records of 1 session, nothing was changed.\n");
}

/// A record of a session, as somebody else could have written it.
fn record(session: u32, what: What) -> Record {
    Record { session: format!("{session:08x}"), side: Side::Host, at: "2026-11-24T01:02:03+01:00".to_owned(), what }
}

#[test]
fn sessions_are_told_in_their_order_however_many_there_are_and_few_are_kept() {
    let mut sessions = Sessions::default();
    let ended = |session| {
        let summary = record::Volume::default();
        record(session, What::Ended { reason: EndReason::ViewerLeft, seconds: 1, summary })
    };
    let started = |session| {
        let About { host, viewer, .. } = about(Side::Host, "anna@desk");
        record(session, What::Started { host, viewer, permissions: Permissions::all() })
    };
    let mut told = Vec::new();
    // The first one has no end, the others overlap.
    assert!(sessions.follow(&started(0)).1);
    for session in 1..3000 {
        assert!(sessions.follow(&started(session)).1);
        if session > 1 {
            let (past, is_new) = sessions.follow(&ended(session - 1));
            assert_eq!((past.number, is_new), (u64::from(session), false));
        }
        told.extend(std::iter::from_fn(|| sessions.done()));
    }
    assert!(told.len() >= 1900, "{} are told before the end of the log", told.len());
    told.extend(sessions.rest());
    assert!(told.iter().map(|past| past.number).eq(1..=3000));
    assert!(told[0].line().ends_with("no end recorded") && told[1].line().ends_with("1 second, the viewer left"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_in_one_folder_stay_apart_and_one_without_an_end_says_so() {
    let (_folder, store) = store();
    let mut viewer = Recorder::start(&store, about(Side::Viewer, "anna@desk"));
    assert!(viewer.viewer(&mut ViewerEvent::Granted { permissions: Permissions::all() }).is_none());
    host_session(&store, "anna@desk");
    drop(viewer);
    until_records(&store, 11).await;
    let list = listed(&store);
    let place = |side: &str| list.lines().find(|line| line.contains(side)).and_then(|line| line.trim_start().split_once(' '));
    let number = |side: &str| place(side).and_then(|(number, _)| number.parse().ok()).expect("a number");
    assert!(list.contains("You were at Anna (9339-2522-7420-3124); no end recorded"), "{list}");
    let viewers = shown(&store, number("  viewer  "), false);
    assert!(viewers.contains("Path: relayed, tcp.") && viewers.ends_with(page::UNENDED), "{viewers}");
    assert!(shown(&store, number("  host  "), false).contains("finished after 1 minute"));

    let journal = store.journal().expect("there");
    let number = |which: &str| find(&journal, which).map_err(|failure| failure.text);
    assert_eq!((number("1"), number("2")), (Ok(1), Ok(2)));
    assert!(number("1b1b1b1b").is_err_and(|text| text.contains("give the number")));
    assert!(number("7").is_err_and(|text| text.contains("no session 7")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_is_one_warning_and_the_session_goes_on() {
    let (folder, store) = store();
    fs::write(folder.path().join("state/log"), "in the way").expect("written");
    let mut recorder = Recorder::start(&store, about(Side::Viewer, "anna@desk"));
    let mut warnings = Vec::new();
    let mut tell = |mut event| {
        warnings.extend(recorder.viewer(&mut event));
        event
    };
    tell(ViewerEvent::Granted { permissions: Permissions::all() });
    tell(ViewerEvent::Control { holder: Holder::Remote });
    let summary = Summary::default();
    let ended = tell(ViewerEvent::SessionEnded { reason: EndReason::ViewerLeft, seconds: 1, summary });
    assert!(matches!(ended, ViewerEvent::SessionEnded { summary: Summary { log: None, .. }, .. }));
    let [ViewerEvent::Warning { text }] = warnings.as_slice() else { panic!("one warning: {warnings:?}") };
    assert!(text.contains("this session is not logged as it should be: ") && text.contains("a file is in the way"), "{text}");
}
