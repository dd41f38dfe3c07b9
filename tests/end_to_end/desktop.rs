//! A real screen, pointer and keyboard, and the person in front of them.

use std::{fs, path::PathBuf};

use serde_json::json;

use crate::support::{
    display::Display,
    machine::{Home, Host},
    process::Process,
    until, until_true,
};

/// A terminal that writes each line typed into it to a file.
pub(crate) struct Notebook {
    _terminal: Process,
    _home: Home,
    file: PathBuf,
}

impl Notebook {
    /// Opens one in the middle of this display and gives it the keyboard.
    pub(crate) fn on(display: &Display) -> Self {
        let home = Home::new();
        let file = home.file("notes");
        let shell = format!("exec cat > {}", file.display());
        let terminal = display.run("xterm", &["-T", "notebook", "-geometry", "60x12+60+80", "-e", &shell]);
        let window = display.window("notebook");
        display.focus(window);
        until_true("the notebook is open", || file.exists());
        Self { _terminal: terminal, _home: home, file }
    }

    /// Waits until exactly these lines were typed.
    #[track_caller]
    pub(crate) fn has(&self, text: &str) {
        until_true(&format!("the notebook has {text:?}"), || self.text() == text);
    }

    /// What was typed so far.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap_or_default()
    }
}

#[test]
fn the_viewers_picture_is_the_hosts_screen_to_the_pixel() {
    let display = Display::start(800, 600);
    let _notebook = Notebook::on(&display);
    let mut host = Host::on(&display, "");
    let mut viewer = host.session("tcp");
    until_true("both are the same", || viewer.screenshot() == display.picture());
    let _clock = display.run("xlogo", &["-geometry", "200x200+500+300"]);
    display.window("xlogo");
    until_true("both are the same again", || viewer.screenshot() == display.picture());
}

#[test]
fn what_the_viewer_types_and_clicks_arrives_on_the_host() {
    let display = Display::start(800, 600);
    let notebook = Notebook::on(&display);
    let mut host = Host::on(&display, "");
    let mut viewer = host.session("tcp");
    viewer.rs.send("click 200 150");
    until_true("the pointer moved", || display.pointer() == (200, 150));
    viewer.rs.send("type Hello, World! {42} ~ \"quoted\"");
    viewer.rs.send("key Return");
    notebook.has("Hello, World! {42} ~ \"quoted\"\n");
    viewer.rs.send("key shift+a");
    viewer.rs.send("key b");
    viewer.rs.send("key Return");
    notebook.has("Hello, World! {42} ~ \"quoted\"\nAb\n");
    until_true("nothing stays held", || display.held_keys().is_empty() && !display.holds_a_button());
}

#[test]
fn moving_the_mouse_takes_control_back_and_only_the_person_gives_it_again() {
    let display = Display::start(800, 600);
    let notebook = Notebook::on(&display);
    let mut host = Host::on(&display, "");
    let mut viewer = host.session("tcp");
    viewer.rs.send("type before");
    viewer.rs.send("key Return");
    notebook.has("before\n");

    display.person().sweep(3, 2, 10);
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("control", |event| event["holder"] == "local");
    }
    let place = display.pointer();
    viewer.rs.send("type ignored");
    viewer.rs.send("key Return");
    viewer.rs.send("click 700 500");
    viewer.rs.send("chat marker");
    host.rs.expect("chat");

    host.rs.send("allow control");
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("control", |event| event["holder"] == "remote");
    }
    viewer.rs.send("type after");
    viewer.rs.send("key Return");
    notebook.has("before\nafter\n");
    assert_eq!(display.pointer(), place, "the click in between must not have moved the pointer");
}

#[test]
fn a_key_of_the_persons_keyboard_takes_control_too() {
    let display = Display::start(640, 480);
    let mut host = Host::on(&display, "");
    let viewer = host.session("tcp");
    display.person().tap(display.keycode(u32::from('x')));
    viewer.rs.expect_where("control", |event| event["holder"] == "local");
}

#[test]
fn the_viewers_own_input_is_not_taken_for_the_person() {
    let display = Display::start(640, 480);
    let notebook = Notebook::on(&display);
    let mut host = Host::on(&display, "");
    let mut viewer = host.session("tcp");
    for step in 0..50 {
        viewer.rs.send(&format!("move {} {}", 100 + step, 120 + step));
    }
    viewer.rs.send("click 150 150");
    viewer.rs.send("scroll 0 2");
    viewer.rs.send("type all of it");
    viewer.rs.send("key Return");
    notebook.has("all of it\n");
    viewer.rs.send("chat marker");
    host.rs.expect("chat");
    assert!(host.rs.seen("control").iter().all(|event| event["holder"] != "local"), "nobody touched the machine");
}

#[test]
fn a_new_screen_size_is_followed() {
    let display = Display::start(1024, 768);
    let mut host = Host::on(&display, "");
    let mut viewer = host.session("tcp");
    assert_eq!(viewer.screenshot().width, 1024);
    for (width, height) in [(640, 480), (1024, 768), (801, 599)] {
        display.resize(width, height);
        let _logo = display.run("xlogo", &["-geometry", "150x150+200+100"]);
        display.window("xlogo");
        until(&format!("a picture of {width}x{height}"), || {
            let picture = viewer.screenshot();
            ((picture.width, picture.height) == (width.into(), height.into()) && picture == display.picture()).then_some(())
        });
    }
}

#[test]
fn scrap_captures_the_same_picture() {
    let display = Display::start(640, 480);
    let _notebook = Notebook::on(&display);
    let mut host = Host::on(&display, "--capture scrap");
    let mut viewer = host.session("tcp");
    until_true("both are the same", || viewer.screenshot() == display.picture());
}

#[test]
fn a_display_that_dies_ends_the_session_with_its_reason() {
    let display = Display::start(640, 480);
    let mut host = Host::on(&display, "");
    let mut viewer = host.session("tcp");
    viewer.screenshot();
    drop(display);
    assert_eq!(viewer.rs.expect("session-ended")["reason"], json!("screen-lost"));
    viewer.rs.ended();
}
