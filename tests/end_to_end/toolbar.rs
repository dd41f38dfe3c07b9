//! What lies over the picture in the viewer's window: the toolbar, chat beside the picture, and the pages before and after.

use crate::{
    desktop::Notebook,
    support::{
        display::{Display, keysym},
        image::{Colour, Image},
        machine::{Home, Host, Relay, Viewer, on_loopback},
        process::Process,
        until, until_true,
    },
};

/// The button that ends the session.
const END: Colour = [0xd6, 0x45, 0x1f];
/// What goes on, and our own words in the chat.
const ACCENT: Colour = [0x1f, 0x6f, 0xd6];

/// A host with the test picture, and a supporter who sees it in a window that fills a screen.
struct Scene {
    viewer: Viewer,
    host: Host,
    desk: Display,
    _manager: Process,
    window: u32,
}

impl Scene {
    fn start() -> Self {
        Self::of(Host::pattern(""))
    }

    fn of(mut host: Host) -> Self {
        let desk = Display::start(1100, 700);
        let manager = desk.run_window_manager();
        let viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, "");
        let window = desk.window(&host.id);
        host.accept();
        viewer.is_in_session();
        until_true("the picture", || desk.title(window).contains("you are in control"));
        Self { viewer, host, desk, _manager: manager, window }
    }

    fn picture(&self) -> Image {
        self.desk.picture_of(self.window).expect("the window is there")
    }

    /// Where the pointer goes on the supporter's screen for a place in the window.
    fn at(&self, x: usize, y: usize) -> (i16, i16) {
        let (left, top, ..) = self.desk.geometry(self.window).expect("the window is there");
        (left + i16::try_from(x).expect("small"), top + i16::try_from(y).expect("small"))
    }
}

/// The middle of what has this colour, if it is more than a few pixels.
fn middle_of(picture: &Image, colour: Colour) -> Option<(usize, usize)> {
    let found: Vec<usize> = (0..picture.pixels.len()).filter(|at| picture.pixels[*at] == colour).collect();
    let mean = |part: &dyn Fn(usize) -> usize| found.iter().map(|at| part(*at)).sum::<usize>() / found.len().max(1);
    (found.len() > 200).then(|| (mean(&|at| at % picture.width), mean(&|at| at / picture.width)))
}

#[test]
fn the_toolbar_comes_to_a_resting_pointer_goes_by_itself_and_ends_the_session() {
    let mut scene = Scene::start();
    let (x, y) = scene.at(50, 300);
    scene.desk.point(x, y);
    until_true("the greeting is over", || middle_of(&scene.picture(), END).is_none());
    let (x, y) = scene.at(scene.picture().width / 2, 0);
    scene.desk.point(x, y);
    let end = until("the toolbar", || middle_of(&scene.picture(), END));
    let (x, y) = scene.at(end.0, end.1);
    // Once is not enough.
    scene.desk.click(x, y, 1);
    until_true("it asks", || middle_of(&scene.picture(), END).is_some_and(|at| at != end));
    let end = middle_of(&scene.picture(), END).expect("it is there");
    let (x, y) = scene.at(end.0, end.1);
    scene.desk.click(x, y, 1);
    assert_eq!(scene.host.rs.expect("session-ended")["reason"], "viewer-left");
    assert_eq!(scene.viewer.rs.ended().code, Some(0));
}

#[test]
fn a_still_picture_has_its_pointer_back_when_the_greeting_is_over() {
    let machine = Display::start(900, 560);
    let scene = Scene::of(Host::on(&machine, ""));
    until_true("the greeting", || middle_of(&scene.picture(), END).is_some());
    assert_eq!((scene.picture().width, scene.picture().height), (900, 560));
    // Where the page before the session was.
    let (x, y) = scene.at(450, 280);
    scene.desk.point(x, y);
    until_true("the greeting is over", || middle_of(&scene.picture(), END).is_none());
    let (x, y) = scene.at(300, 400);
    scene.desk.click(x, y, 1);
    until_true("the machine's pointer follows", || machine.pointer() == (300, 400));
}

#[test]
fn what_is_typed_at_once_after_the_chat_was_called_arrives_there_and_nothing_of_it_on_the_host() {
    let machine = Display::start(640, 480);
    let notebook = Notebook::on(&machine);
    let mut scene = Scene::of(Host::on(&machine, ""));
    scene.desk.focus(scene.window);
    let chat = [keysym::CONTROL, keysym::ALT, u32::from('c')];
    scene.desk.type_text("before\n");
    notebook.has("before\n");
    // Not a moment between them.
    scene.desk.chord(&chat);
    scene.desk.type_text("Hello there\nand more\n");
    for text in ["Hello there", "and more"] {
        assert_eq!(scene.host.rs.expect("chat")["text"], text);
    }
    scene.desk.chord(&chat);
    scene.desk.type_text("after\n");
    notebook.has("before\nafter\n");
    scene.host.rs.send("chat and back");
    assert_eq!(scene.viewer.rs.expect_where("chat", |chat| chat["from"] == "host")["text"], "and back");
}

/// A supporter whose window stays open at the end, as without `--json`, and who waits to be let in.
struct Visitor {
    viewer: Viewer,
    host: Host,
    desk: Display,
    _manager: Process,
    window: u32,
}

impl Visitor {
    fn start() -> Self {
        let desk = Display::start(1100, 700);
        let manager = desk.run_window_manager();
        let host = Host::pattern("");
        let home = Home::new();
        let start = on_loopback(&home, "connect --password-stdin --no-lan --view window").arg(host.direct("tcp")).on(&desk);
        let viewer = Viewer::started(home, start, &host.password);
        let window = desk.window(&host.id);
        host.rs.expect("request");
        until_true("the window waits", || desk.title(window).contains("waiting"));
        Self { viewer, host, desk, _manager: manager, window }
    }

    #[track_caller]
    fn reads(&self, part: &str) {
        until_true(&format!("the window's title has {part:?}"), || self.desk.title(self.window).contains(part));
    }
}

#[test]
fn a_refusal_is_told_in_the_window_until_it_is_closed() {
    let mut visitor = Visitor::start();
    visitor.host.rs.send("deny");
    visitor.reads("no session");
    assert!(visitor.viewer.rs.runs());
    visitor.desk.close(visitor.window);
    assert_eq!(visitor.viewer.rs.ended().code, Some(5));
}

#[test]
fn the_end_is_told_in_the_window_until_it_is_closed() {
    let mut visitor = Visitor::start();
    visitor.host.rs.send("accept");
    visitor.reads("you are in control");
    visitor.host.rs.send("end");
    visitor.reads("finished");
    assert!(visitor.viewer.rs.runs());
    visitor.desk.focus(visitor.window);
    visitor.desk.type_text("\n");
    assert_eq!(visitor.viewer.rs.ended().code, Some(0));
}

#[test]
fn who_starts_it_from_a_menu_chooses_the_host_in_the_window() {
    let relay = Relay::start();
    let option = format!("--relay {}", relay.address("tcp"));
    let mut host = Host::pattern(&option);
    host.is_reachable_by_id();
    let desk = Display::start(1100, 700);
    let _manager = desk.run_window_manager();
    let home = Home::new();
    std::fs::write(home.file("hosts"), format!("{} 2026-11-23T10:00:00Z Anna's shop\n", host.id)).expect("a list");
    let start = on_loopback(&home, &format!("connect --no-lan {option}")).env("RS_PASSWORD", &host.password).on(&desk);
    let mut viewer = start.go();
    let window = desk.window("connect — rs");
    desk.focus(window);
    let shows = |colour| desk.picture_of(window).expect("the window is there").count(colour) > 20;
    until_true("the field is there", || shows(ACCENT));
    desk.type_text("nobody\n");
    until_true("it says that nobody has this name", || shows(END));
    desk.chord(&[keysym::CONTROL, u32::from('a')]);
    desk.type_text("shop\n");
    host.accept();
    until_true("the session runs", || desk.title(window).starts_with("Anna's shop") && desk.title(window).contains("in control"));
    desk.close(window);
    assert_eq!(viewer.ended().code, Some(0));
}

#[test]
fn the_password_is_asked_for_in_the_window_and_again_when_it_was_wrong() {
    let desk = Display::start(1100, 700);
    let _manager = desk.run_window_manager();
    let mut host = Host::pattern("");
    let home = Home::new();
    let mut viewer = on_loopback(&home, "connect --no-lan --view window").arg(host.direct("tcp")).on(&desk).go();
    let window = desk.window(&host.id);
    until_true("it asks", || desk.title(window).contains("password"));
    desk.focus(window);
    let shows = |colour| desk.picture_of(window).expect("the window is there").count(colour) > 20;
    until_true("the field is there", || shows(ACCENT));
    desk.type_text("wrong-wrong\n");
    until_true("it says that this was wrong, and asks again", || shows(END) && shows(ACCENT));
    desk.type_text(&host.password);
    desk.type_text("\n");
    host.accept();
    until_true("the session runs", || desk.title(window).contains("in control"));
    desk.close(window);
    assert_eq!(viewer.ended().code, Some(0));
}
