//! Sessions from their events to the page, without a network.

use std::{fs, time::Duration};

use tempfile::TempDir;

use super::*;
use crate::{
    protocol::{
        auth::SessionId,
        message::{EndReason, Holder},
        permission::Permissions,
    },
    ui::event::{HostEvent, PathInfo, Summary, Transfer, TransferState, ViewerEvent},
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
    ];
    for mut event in told {
        assert!(recorder.host(&mut event).is_none());
    }
    let mut end = HostEvent::SessionEnded { session, reason: EndReason::ViewerLeft, seconds: 61, summary: Summary::default() };
    assert!(recorder.host(&mut end).is_none());
    end
}

fn log(store: &Store) -> Vec<Past> {
    sessions(store).expect("it can be read")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_recorded_from_its_events_and_its_page_is_told() {
    let (_folder, store) = store();
    let HostEvent::SessionEnded { summary: Summary { log: Some(file), .. }, .. } = host_session(&store, "anna@desk") else {
        panic!("the end has a page")
    };
    let past = log(&store);
    assert_eq!(past.len(), 1);
    let text = page::text(&past[0].records);
    for line in [
        "anna@desk (key 0a0b0c0d) was here\nSession 1b1b1b1b",
        "may: view, point, mouse, keyboard, clipboard, files.",
        "Path: direct, quic.",
        "The viewer may now: view.",
        "a.txt (5 bytes) was received, BLAKE3 b1a4e3.",
        "finished after 1 minute: the viewer left. Transferred: 0 bytes of picture. Chat lines: 0 from the host, 1 from the viewer.",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert_eq!((text.matches("Path").count(), past[0].records.len()), (1, 7), "what did not change is not told again:\n{text}");
    let page = fs::read_to_string(file).expect("the page is there");
    assert!(page.contains("b1a4e3") && !page.contains("a secret") && !past[0].lines.concat().contains("a secret"));
    let line = past[0].line();
    assert!(line.contains("  1b1b1b1b  host    anna@desk (key 0a0b0c0d) was here; 1 minute, the viewer left"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_calls_itself_is_text_and_nothing_else() {
    let (_folder, store) = store();
    let HostEvent::SessionEnded { summary: Summary { log: Some(file), .. }, .. } =
        host_session(&store, "<script>alert('&\"')</script>\u{1b}[2J\n\u{202e}")
    else {
        panic!("the end has a page")
    };
    let page = fs::read_to_string(file).expect("the page is there");
    assert!(page.contains("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"), "{page}");
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
    assert!(!log(&store)[0].line().contains(['\u{1b}', '\u{202e}', '\n']));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_in_one_folder_stay_apart_and_one_without_an_end_says_so() {
    let (_folder, store) = store();
    let mut viewer = Recorder::start(&store, about(Side::Viewer, "anna@desk"));
    assert!(viewer.viewer(&mut ViewerEvent::Granted { permissions: Permissions::all() }).is_none());
    host_session(&store, "anna@desk");
    drop(viewer);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while log(&store).iter().map(|past| past.records.len()).sum::<usize>() < 9 {
        assert!(std::time::Instant::now() < deadline, "the viewer's records come");
        tokio::task::yield_now().await;
    }
    let sessions = log(&store);
    let of = |side| sessions.iter().find(|past| past.records[0].side == side).expect("there");
    assert!(of(Side::Viewer).line().contains("You were at Anna (9339-2522-7420-3124); no end recorded"));
    assert!(page::text(&of(Side::Viewer).records).contains("Path: relayed, tcp."));
    assert_eq!(page::end(&of(Side::Host).records).map(|(seconds, ..)| seconds), Some(61));
    assert_eq!(store.journal().expect("there").verify().expect("read"), Ok(9));

    let number = |which: &str| find(&sessions, which).map(|(number, _)| number).map_err(|failure| failure.text);
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
