//! The overlay laid out without a window: what is to be read in it, that nothing of it is cut off, and what a click or a key does.

use std::path::PathBuf;

use egui::{Context, Event, Key, Modifiers, PointerButton, Pos2, RawInput, Rect, Shape, epaint::ClippedShape, vec2};

use super::{
    desk::{Desk, Scene},
    *,
};
use crate::{
    protocol::{
        message::{EndReason, Holder},
        permission::{Permission, Permissions},
    },
    ui::event::{Known, PathInfo, Side as Who, Summary, Timer, Transfer, TransferState},
};

const WIDE: (f32, f32) = (960.0, 600.0);
const VIEW: View = View { actual_size: false, full_screen: false };

/// An overlay, the session it is of, and the user's hands.
struct Rig {
    context: Context,
    desk: Desk,
    status: Status,
    scene: Scene,
    size: (f32, f32),
    wishes: Vec<Wish>,
}

impl Rig {
    fn new(events: &[ViewerEvent]) -> Self {
        let context = Context::default();
        look::dress(&context);
        let mut rig = Self {
            context,
            desk: Desk::new(Duration::from_secs(120), false, KeyboardMode::Auto),
            status: Status::new("9339-2522-7420-3124".to_owned(), None),
            scene: Scene::default(),
            size: WIDE,
            wishes: Vec::new(),
        };
        events.iter().for_each(|event| rig.follow(event));
        rig
    }

    /// In a session, with everything permitted.
    fn running() -> Self {
        let path = PathInfo { kind: "direct".to_owned(), transport: "quic".to_owned() };
        let connected = ViewerEvent::Connected { id: "9339-2522-7420-3124".to_owned(), path };
        Self::new(&[connected, ViewerEvent::Granted { permissions: Permissions::all() }, ViewerEvent::Picture { exact: true }])
    }

    fn follow(&mut self, event: &ViewerEvent) {
        self.status.follow(event, Instant::now());
        self.desk.follow(event, Instant::now());
    }

    fn with(mut self, scene: Scene) -> Self {
        if let Some(side) = scene.side {
            self.desk.open(Some(side));
        }
        self.scene = scene;
        self
    }

    /// One turn with these events.
    fn turn(&mut self, events: Vec<Event>) -> Vec<ClippedShape> {
        let screen_rect = Some(Rect::from_min_size(Pos2::ZERO, vec2(self.size.0, self.size.1)));
        let input = RawInput { screen_rect, events, ..Default::default() };
        let (desk, wishes) = (&mut self.desk, &mut self.wishes);
        let output = self.context.run_ui(input, |ui| desk.show(ui, self.scene, &self.status, VIEW, wishes));
        output.shapes
    }

    /// What is to be read, and where.
    fn texts(&mut self) -> Vec<(String, Rect)> {
        self.turn(Vec::new());
        let (shapes, mut found) = (self.turn(Vec::new()), Vec::new());
        for ClippedShape { clip_rect, shape } in shapes {
            each(&shape, &mut |text, rect| {
                // Half a point is rounding.
                assert!(clip_rect.expand(0.5).contains_rect(rect), "\"{text}\" at {rect} is cut off by {clip_rect}");
                let all = Rect::from_min_size(Pos2::ZERO, vec2(self.size.0, self.size.1));
                assert!(all.contains_rect(rect), "\"{text}\" at {rect} is outside of {all}");
                found.push((text.to_owned(), rect));
            });
        }
        found
    }

    /// All of it in one line.
    fn reads(&mut self) -> String {
        self.texts().into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(" | ")
    }

    /// Clicks on what has this label, and gives what was asked for by that.
    #[track_caller]
    fn click(&mut self, label: &str) -> Vec<Wish> {
        let texts = self.texts();
        let Some((_, rect)) = texts.iter().find(|(text, _)| text.starts_with(label)) else { panic!("no {label} in {texts:?}") };
        self.press(rect.center());
        std::mem::take(&mut self.wishes)
    }

    fn press(&mut self, pos: Pos2) {
        let button = |pressed| Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE };
        self.turn(vec![Event::PointerMoved(pos)]);
        self.turn(vec![button(true)]);
        self.turn(vec![button(false)]);
    }

    /// Types a text, and Enter, in one turn.
    fn say(&mut self, text: &str) -> Vec<Wish> {
        let enter = Event::Key { key: Key::Enter, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::NONE };
        self.turn(vec![Event::Text(text.to_owned()), enter]);
        std::mem::take(&mut self.wishes)
    }
}

fn each(shape: &Shape, found: &mut impl FnMut(&str, Rect)) {
    match shape {
        Shape::Vec(shapes) => shapes.iter().for_each(|shape| each(shape, found)),
        Shape::Text(text) if !text.galley.text().is_empty() => found(text.galley.text(), text.visual_bounding_rect()),
        _ => {}
    }
}

fn page() -> Scene {
    Scene { page: true, ..Scene::default() }
}

fn side(side: Side) -> Scene {
    Scene { side: Some(side), ..Scene::default() }
}

fn bar() -> Scene {
    Scene { bar: true, ..Scene::default() }
}

fn chat(from: Who, number: u64, text: &str) -> ViewerEvent {
    ViewerEvent::Chat { from, number, at: "2026-11-23T12:34:56+01:00".to_owned(), text: text.to_owned() }
}

#[test]
fn areas_that_meet_become_one() {
    let area = |x, width| Area { x, y: 0, width, height: 10 };
    let found = [area(0, 10), area(30, 10), area(20, 5), area(8, 14)].into_iter().fold(Vec::new(), apart);
    assert_eq!(found, [area(30, 10), area(0, 25)]);
}

#[test]
fn each_page_says_where_the_session_is_and_what_to_do() {
    let log = Some(PathBuf::from("/home/anna/.local/state/rs/log/2026-11-24-5b57a868-viewer.html"));
    let summary = Summary { picture_bytes: 1_500_000, files: 1, file_bytes: 3000, log };
    let ended = ViewerEvent::SessionEnded { reason: EndReason::HostEnded, seconds: 725, summary };
    let pages: [(&[ViewerEvent], &[&str]); 6] = [
        (&[], &["Connecting to 9339-2522-7420-3124", "Cancel"]),
        (&[ViewerEvent::PasswordWanted { wrong: None }], &["Password of 9339", "reads it out", "Connect", "Cancel"]),
        (&[ViewerEvent::PasswordWanted { wrong: Some("that was wrong".to_owned()) }], &["That was wrong.", "Connect"]),
        (&[ViewerEvent::Waiting { code: Some("123 456".to_owned()) }], &["Waiting to be let in", "123 456", "Cancel"]),
        (
            &[ViewerEvent::Failed { text: "the host's user said no".to_owned() }],
            &["No session", "The host's user said no.", "Close"],
        ),
        (
            &[ended],
            &[
                "The session is finished — 12 minutes",
                "The host's user ended it.",
                "1.5 MB of picture",
                "/home/anna/",
                "Copy its path",
                "Close",
            ],
        ),
    ];
    for (events, parts) in pages {
        for size in [WIDE, (640.0, 480.0), (360.0, 400.0)] {
            let mut rig = Rig::new(events).with(page());
            rig.size = size;
            let read = rig.reads();
            assert!(parts.iter().all(|part| read.contains(part)), "{parts:?} in {read}");
        }
    }
    let mut rig = Rig::running().with(page());
    rig.follow(&ViewerEvent::Stalled);
    let read = rig.reads();
    assert!(read.contains("The connection is gone") && (read.contains("for 2:00") || read.contains("for 1:59")), "{read}");
}

fn wanted(hosts: &[(&str, Option<&str>)], wrong: Option<&str>) -> ViewerEvent {
    let known = |(id, name): &(&str, Option<&str>)| Known {
        id: (*id).to_owned(),
        name: name.map(str::to_owned),
        last: "2026-11-23 12:00".to_owned(),
    };
    ViewerEvent::HostWanted { hosts: hosts.iter().map(known).collect(), wrong: wrong.map(str::to_owned) }
}

#[test]
fn a_host_is_chosen_by_a_click_by_the_arrows_or_by_what_is_typed() {
    const HOSTS: &[(&str, Option<&str>)] =
        &[("1111-2222-3333-4444", Some("Anna")), ("5555-6666-7777-8888", None), ("9999-0000-1111-2222", Some("Bert"))];
    let asked = || Rig::new(&[wanted(HOSTS, None)]).with(page());
    let visit = |host: &str| vec![Wish::Act(ViewerAction::Visit(host.to_owned()))];
    let mut rig = asked();
    let read = rig.reads();
    assert!(["Which machine?", "Anna", "5555-6666-7777-8888", "2026-11-23 12:00"].iter().all(|part| read.contains(part)), "{read}");
    assert_eq!(rig.click("Bert"), visit(HOSTS[2].0));
    let key = |key| Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::NONE };
    for (keys, typed, chosen) in [
        (&[][..], "", HOSTS[0].0),
        (&[Key::ArrowDown], "", HOSTS[1].0),
        (&[Key::ArrowDown, Key::ArrowDown, Key::ArrowDown, Key::ArrowUp], "", HOSTS[1].0),
        (&[], "be", HOSTS[2].0),
        (&[], "1212-1212-1212-1212@10.0.0.1:7000 ", "1212-1212-1212-1212@10.0.0.1:7000"),
    ] {
        let mut rig = asked();
        rig.reads();
        rig.turn(Vec::new()); // a field holds the arrows from its second turn on
        keys.iter().for_each(|pressed| drop(rig.turn(vec![key(*pressed)])));
        assert_eq!(rig.say(typed), visit(chosen), "{keys:?} {typed}");
        assert!(rig.say("more").is_empty(), "until an answer came");
    }
    let mut rig = asked();
    rig.follow(&wanted(HOSTS, Some("nobody has that name")));
    assert!(rig.reads().contains("Nobody has that name."));
    let mut rig = Rig::new(&[wanted(&[], None)]).with(page());
    rig.reads();
    assert!(rig.say("").is_empty(), "nobody was named");
    assert_eq!(rig.say("5555-6666-7777-8888"), visit("5555-6666-7777-8888"));
}

#[test]
fn a_page_is_in_the_middle_at_once_whatever_was_there_before() {
    let mut rig = Rig::running().with(page());
    rig.reads();
    let summary = Summary { picture_bytes: 1, files: 0, file_bytes: 0, log: Some(PathBuf::from("/home/anna/a.html")) };
    rig.follow(&ViewerEvent::SessionEnded { reason: EndReason::HostEnded, seconds: 725, summary });
    rig.turn(Vec::new());
    let [area] = laid_out(&rig.context, 0.0)[..] else { panic!("one page") };
    let (above, below) = (area.y, 600 - area.y - area.height);
    assert!((above - below).abs() <= 2, "{area:?}");
}

#[test]
fn a_password_typed_at_once_is_taken_and_hidden() {
    let mut rig = Rig::new(&[ViewerEvent::PasswordWanted { wrong: None }]).with(page());
    assert!(!rig.reads().contains("Waiting"));
    rig.turn(vec![Event::Text("abcd".to_owned())]);
    assert!(!rig.reads().contains("abcd"));
    let wishes = rig.say("-efgh");
    assert!(matches!(&wishes[..], [Wish::Act(ViewerAction::Password(secret))] if secret.0.as_str() == "abcd-efgh"));
    let again = rig.say("more");
    assert!(again.is_empty(), "until an answer came");
}

#[test]
fn the_chat_shows_both_sides_their_time_and_what_arrived() {
    let mut rig = Rig::running().with(side(Side::Chat));
    assert!(rig.reads().contains("and by nobody else"));
    let said = rig.say("hello there");
    assert_eq!(said, [Wish::Act(ViewerAction::Chat("hello there".to_owned()))]);
    assert_eq!(rig.say("again"), [Wish::Act(ViewerAction::Chat("again".to_owned()))], "the line keeps the keyboard");
    [chat(Who::Viewer, 1, "hello there"), chat(Who::Host, 1, "and back, see https://example.org/x")]
        .iter()
        .for_each(|e| rig.follow(e));
    let read = rig.reads();
    assert!(
        read.contains("hello there") && read.contains("and back, see https://example.org/x") && read.contains("Copy link"),
        "{read}"
    );
    assert!(read.contains("12:34") && !read.contains("12:34 ✔"), "{read}");
    rig.follow(&ViewerEvent::ChatDelivered { number: 1 });
    assert!(rig.reads().contains("12:34 ✔"));
    let texts = rig.texts();
    let left =
        |part: &str| texts.iter().find(|(text, _)| text.starts_with(part)).map(|(_, rect)| rect.left()).expect("it is there");
    assert!(left("hello there") > left("and back") + 40.0, "our own words are at the right");
}

#[test]
fn a_long_line_of_the_chat_is_wrapped_not_cut_off() {
    let mut rig = Rig::running().with(side(Side::Chat));
    let long = "the quick brown fox jumps over the lazy dog ".repeat(6);
    [chat(Who::Viewer, 1, long.trim()), chat(Who::Host, 1, long.trim()), chat(Who::Host, 2, &"x".repeat(120))]
        .iter()
        .for_each(|event| rig.follow(event));
    rig.size.1 = 900.0;
    assert_eq!(rig.reads().matches("lazy dog").count(), 12);
}

#[test]
fn the_toolbar_says_who_drives_what_is_permitted_and_for_how_long() {
    let mut rig = Rig::running().with(bar());
    let read = rig.reads();
    for part in ["View", "Keys", "Chat", "Files", "Screenshot", "exact", "you drive", "End"] {
        assert!(read.contains(part), "{part} in {read}");
    }
    let (mut permissions, timers) = (Permissions::all(), vec![Timer { permission: Permission::Mouse, seconds: 90 }]);
    permissions.remove(Permission::Files);
    rig.follow(&ViewerEvent::Permissions { permissions, timers });
    assert!(rig.click("you drive").is_empty());
    let read = rig.reads();
    assert!(read.contains("Use the mouse  1:30") || read.contains("Use the mouse  1:29"), "{read}");
    assert!(read.contains("– | Send and fetch files") && read.contains("✔ | Type"), "{read}");
    rig.follow(&ViewerEvent::Control { holder: Holder::Local });
    assert!(rig.reads().contains("they drive"));
}

#[test]
fn the_toolbar_does_what_its_buttons_say() {
    let mut rig = Rig::running().with(bar());
    assert_eq!(rig.click("Chat"), [Wish::Side(Some(Side::Chat))]);
    assert_eq!(rig.click("Screenshot"), [Wish::Screenshot]);
    assert!(rig.click("Keys").is_empty());
    assert_eq!(rig.click("Ctrl+Alt+Del"), [Wish::Input(crate::ui::keymap::combo("ctrl+alt+Delete").expect("a combination"))]);
    assert!(rig.click("Keys").is_empty() && rig.click("Keys type").is_empty());
    assert_eq!(rig.click("By position"), [Wish::Keyboard(KeyboardMode::Physical)]);
    assert!(rig.click("View").is_empty());
    assert_eq!(rig.click("Full screen"), [Wish::FullScreen]);
    assert!(rig.click("End").is_empty(), "once is not enough");
    assert_eq!(rig.click("End now?"), [Wish::Leave]);
}

#[test]
fn a_narrow_toolbar_takes_several_rows() {
    for width in [640.0, 400.0, 320.0] {
        let mut rig = Rig::running().with(bar());
        rig.size = (width, 480.0);
        assert!(rig.reads().contains("End"));
    }
}

#[test]
fn a_transfer_is_offered_shown_and_told() {
    let transfer = |state, done, reason: Option<&str>| {
        ViewerEvent::File(Transfer {
            number: 3,
            from: Who::Host,
            name: "a report with quite a long name that does not fit.pdf".to_owned(),
            size: 2000,
            done,
            state,
            file: None,
            blake3: None,
            reason: reason.map(str::to_owned),
        })
    };
    let mut rig = Rig::running().with(side(Side::Files));
    assert!(rig.reads().contains("No file is on its way"));
    rig.follow(&transfer(TransferState::Offered, 0, None));
    assert_eq!(rig.click("Save"), [Wish::Act(ViewerAction::Save(3))]);
    rig.follow(&transfer(TransferState::Running, 1000, None));
    assert!(rig.reads().contains("1.0 kB of 2.0 kB, on its way"));
    assert_eq!(rig.click("Cancel"), [Wish::Act(ViewerAction::Cancel(3))]);
    rig.follow(&transfer(TransferState::Done, 2000, None));
    assert!(rig.reads().contains("✔ 2.0 kB, verified"));
    rig.follow(&transfer(TransferState::Failed, 1000, Some("the disk is full")));
    assert!(rig.reads().contains("the disk is full"));
    rig.follow(&ViewerEvent::Permissions { permissions: Permissions::NONE, timers: Vec::new() });
    assert!(rig.reads().contains("has not allowed files"));
}

#[test]
fn a_file_that_hovers_is_told_where_it_may_go() {
    let mut rig = Rig::running().with(Scene { target: true, ..Scene::default() });
    assert!(rig.reads().contains("Drop to send"));
    rig.follow(&ViewerEvent::Permissions { permissions: Permissions::NONE, timers: Vec::new() });
    assert!(rig.reads().contains("has not allowed files"));
}

#[test]
fn what_is_composed_is_shown_while_it_is_not_done() {
    let mut rig = Rig::running().with(Scene { composing: true, ..Scene::default() });
    rig.desk.composed = "nihon".to_owned();
    assert!(rig.reads().contains("nihon"));
    rig.scene = Scene::default();
    assert!(!rig.reads().contains("nihon"));
}

#[test]
fn the_pointer_is_the_hosts_where_nothing_is_shown_and_where_a_page_has_gone() {
    let mut rig = Rig::running().with(page());
    let middle = Area { x: 480, y: 300, width: 1, height: 1 };
    let mut covered = |scene| {
        rig.scene = scene;
        rig.turn(Vec::new()); // egui measures what it sees for the first time
        rig.turn(Vec::new());
        laid_out(&rig.context, 0.0).iter().any(|area| area.intersection(middle).is_some())
    };
    assert_eq!([page(), bar(), Scene::default(), page(), bar()].map(&mut covered), [true, false, false, true, false]);
}
