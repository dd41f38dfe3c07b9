//! The viewer's window.

use crate::{
    desktop::Notebook,
    support::{
        display::{Display, keysym},
        image::Image,
        machine::{Host, Viewer},
        process::Process,
        until, until_true,
    },
};

/// A host with a notebook on its screen, and a supporter who sees it in a window.
struct Scene {
    // The viewer goes before the displays.
    viewer: Viewer,
    host: Host,
    notebook: Notebook,
    desk: Display,
    machine: Display,
    _manager: Process,
    window: u32,
}

/// The host's screen in pixels.
const SIZE: (u16, u16) = (640, 480);

impl Scene {
    fn start() -> Self {
        let machine = Display::start(SIZE.0, SIZE.1);
        let notebook = Notebook::on(&machine);
        let desk = Display::start(1200, 900);
        let manager = desk.run_window_manager();
        let mut host = Host::on(&machine, "");
        let viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, "");
        host.accept();
        viewer.is_in_session();
        let window = desk.window(&host.id);
        Self { viewer, host, notebook, desk, machine, _manager: manager, window }
    }

    /// The upper part of the host's screen, where the notebook is. The pointer, which the window draws too, is kept below it.
    fn shown(&self) -> Image {
        self.machine.picture().part(0, 0, SIZE.0.into(), 400)
    }

    /// Where the host's screen begins on the supporter's, once its picture is there.
    #[track_caller]
    fn origin(&self) -> (i16, i16) {
        self.desk.point(1, 1);
        self.machine.point(600, 450);
        let (x, y) = until("the window shows the host's screen, pixel for pixel", || self.desk.picture().find(&self.shown()));
        let small = |length| i16::try_from(length).expect("a screen is small");
        (small(x), small(y))
    }
}

#[test]
fn the_window_shows_the_hosts_screen_to_the_pixel_under_its_id() {
    let scene = Scene::start();
    scene.origin();
    let title = scene.desk.title(scene.window);
    assert!(title.contains(&scene.host.id), "{title}");
    let _logo = scene.machine.run("xlogo", &["-geometry", "100x100+500+20"]);
    scene.machine.window("xlogo");
    scene.origin();
}

#[test]
fn typing_and_clicking_in_the_window_reaches_the_host() {
    let scene = Scene::start();
    let (x, y) = scene.origin();
    scene.desk.focus(scene.window);
    scene.desk.click(x + 150, y + 200, 1);
    until_true("the host's pointer follows", || scene.machine.pointer() == (150, 200));
    scene.desk.type_text("Typed in the window: (1+1)=2!\n");
    scene.notebook.has("Typed in the window: (1+1)=2!\n");
    until_true("nothing stays held", || scene.machine.held_keys().is_empty() && !scene.machine.holds_a_button());
}

#[test]
fn a_window_that_loses_the_keyboard_lets_go_of_every_key() {
    let scene = Scene::start();
    scene.origin();
    scene.desk.focus(scene.window);
    scene.desk.press(scene.desk.keycode(keysym::SHIFT));
    until_true("the key is held on the host", || !scene.machine.held_keys().is_empty());
    let _other = scene.desk.run("xterm", &["-T", "another window"]);
    scene.desk.focus(scene.desk.window("another window"));
    until_true("the key is up on the host", || scene.machine.held_keys().is_empty());
    scene.desk.release(scene.desk.keycode(keysym::SHIFT));
}

#[test]
fn the_persons_mouse_lets_go_of_what_the_viewer_holds() {
    let scene = Scene::start();
    scene.origin();
    scene.desk.focus(scene.window);
    scene.desk.press(scene.desk.keycode(keysym::CONTROL));
    until_true("the key is held on the host", || !scene.machine.held_keys().is_empty());
    scene.machine.person().sweep(3, 2, 10);
    until_true("the key is up on the host", || scene.machine.held_keys().is_empty());
    scene.viewer.rs.expect_where("control", |event| event["holder"] == "local");
    scene.desk.release(scene.desk.keycode(keysym::CONTROL));
}

#[test]
fn closing_the_window_leaves_the_session() {
    let mut scene = Scene::start();
    scene.origin();
    scene.desk.close(scene.window);
    assert_eq!(scene.host.rs.expect("session-ended")["reason"], "viewer-left");
    assert_eq!(scene.viewer.rs.ended().code, Some(0));
}

#[test]
fn the_window_tells_that_the_session_is_over() {
    let mut scene = Scene::start();
    scene.origin();
    scene.host.rs.send("end");
    assert_eq!(scene.viewer.rs.expect("session-ended")["reason"], "host-ended");
}
