//! Every screen: several monitors, monitors that come, go and change, unusual depths, very large ones, and moving pointers.

use std::{fs, process::Stdio};

use serde_json::{Value, json};

use crate::support::{
    display::{Display, keysym},
    image::{Colour, Image},
    machine::{Home, Host, Viewer, on_loopback, session},
    process::Process,
    until, until_true,
};

/// A desktop of two monitors of the same size side by side, each with a picture of its own.
struct Desk {
    display: Display,
    _logos: [Process; 2],
}

const SIDE: (u16, u16) = (400, 300);

impl Desk {
    fn start() -> Self {
        let display = Display::start(2 * SIDE.0, SIDE.1);
        display.set_monitor("*left", (0, 0, SIDE.0, SIDE.1), "screen");
        display.set_monitor("right", (SIDE.0, 0, SIDE.0, SIDE.1), "none");
        let logo = |geometry: &str, colour: &str| display.run("xlogo", &["-geometry", geometry, "-bg", colour]);
        let logos = [logo("100x100+20+30", "#204060"), logo("150x150+600+100", "#806020")];
        until_true("both logos are there", || {
            (display.pixel(70, 35), display.pixel(675, 105)) == ([0x20, 0x40, 0x60], [0x80, 0x60, 0x20])
        });
        Self { display, _logos: logos }
    }

    fn left(&self) -> Image {
        self.display.picture().part(0, 0, SIDE.0.into(), SIDE.1.into())
    }

    fn right(&self) -> Image {
        self.display.picture().part(SIDE.0.into(), 0, SIDE.0.into(), SIDE.1.into())
    }
}

/// Waits until both sides say that this is shown.
#[track_caller]
fn shows(host: &Host, viewer: &Viewer, shown: &Value) -> Value {
    host.rs.expect_where("screens", |event| event["shown"] == *shown);
    viewer.rs.expect_where("screens", |event| event["shown"] == *shown)
}

fn names(event: &Value) -> Vec<&str> {
    event["screens"].as_array().expect("a list").iter().filter_map(|screen| screen["name"].as_str()).collect()
}

#[test]
fn the_viewer_switches_between_monitors_live_and_clicks_where_it_looks() {
    let desk = Desk::start();
    let mut host = Host::on(&desk.display, "");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    let all = shows(&host, &viewer, &json!("all"));
    assert_eq!(names(&all), ["left", "right"]);
    assert_eq!((&all["screens"][1]["x"], &all["screens"][0]["primary"]), (&json!(400), &json!(true)));
    until_true("all is seen", || viewer.screenshot() == desk.display.picture());

    viewer.rs.send("screen 1");
    shows(&host, &viewer, &json!(1));
    until_true("the right one is seen", || viewer.screenshot() == desk.right());
    viewer.rs.send("move 10 20");
    until_true("the pointer is on the right one", || desk.display.pointer() == (410, 20));

    viewer.rs.send("screen 0");
    shows(&host, &viewer, &json!(0));
    until_true("the left one is seen", || viewer.screenshot() == desk.left());
    viewer.rs.send("move 399 299");
    until_true("the pointer is on the left one", || desk.display.pointer() == (399, 299));

    for (shown, place) in [(json!(1), (405, 6)), (json!("all"), (5, 6)), (json!(0), (5, 6))] {
        viewer.rs.send("screen next");
        shows(&host, &viewer, &shown);
        viewer.rs.send("move 5 6");
        until_true("the pointer follows", || desk.display.pointer() == place);
        viewer.rs.send("move 50 60");
    }
    viewer.rs.send("screens");
    assert_eq!(viewer.rs.expect("screens")["shown"], 0);
    viewer.rs.send("screen 2");
    assert!(viewer.rs.expect("warning")["text"].as_str().is_some_and(|text| text.contains("no screen 2")));
}

#[test]
fn monitors_that_look_the_same_are_not_confused() {
    let display = Display::start(2 * SIDE.0, SIDE.1);
    display.set_monitor("*left", (0, 0, SIDE.0, SIDE.1), "screen");
    display.set_monitor("right", (SIDE.0, 0, SIDE.0, SIDE.1), "none");
    let mut host = Host::on(&display, "");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    for (screen, place) in [(0, (3, 4)), (1, (403, 4)), (0, (3, 4))] {
        viewer.rs.send(&format!("screen {screen}"));
        shows(&host, &viewer, &json!(screen));
        viewer.rs.send("move 3 4");
        until_true("the pointer is on the one that is shown", || display.pointer() == place);
    }
}

#[test]
fn a_monitor_that_goes_while_it_is_seen_gives_way_to_the_primary_one() {
    let desk = Desk::start();
    let mut host = Host::on(&desk.display, "");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    viewer.rs.send("screen 1");
    shows(&host, &viewer, &json!(1));
    until_true("the right one is seen", || viewer.screenshot() == desk.right());
    desk.display.xrandr(&["--delmonitor", "right"]);
    assert_eq!(names(&shows(&host, &viewer, &json!(0))), ["left"]);
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("right is gone")));
    }
    until_true("the left one is seen", || viewer.screenshot() == desk.left());
    viewer.rs.send("move 7 8");
    until_true("the pointer is on the left one", || desk.display.pointer() == (7, 8));
}

#[test]
fn a_monitor_that_is_turned_while_it_is_seen_is_followed() {
    let display = Display::start(600, 600);
    display.resize(600, 400);
    let mut host = Host::on(&display, "");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    viewer.rs.send("screen 0");
    shows(&host, &viewer, &json!(0));
    // As clients see it, the sides of a turned monitor are swapped, and the picture is upright.
    for (width, height) in [(400, 600), (600, 400)] {
        display.resize(width, height);
        let event = viewer.rs.expect_where("screens", |event| event["screens"][0]["width"] == width);
        assert_eq!((&event["shown"], &event["screens"][0]["height"]), (&json!(0), &json!(height)));
        until_true("it is seen as it stands", || viewer.screenshot() == display.picture());
        viewer.rs.send(&format!("move {} {}", width - 1, height - 1));
        let corner = (width.cast_signed() - 1, height.cast_signed() - 1);
        until_true("the pointer reaches its corner", || display.pointer() == corner);
    }
}

#[test]
fn a_monitor_that_comes_is_offered_and_shown() {
    let desk = Desk::start();
    let mut host = Host::on(&desk.display, "");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    desk.display.xrandr(&["--delmonitor", "right"]);
    viewer.rs.expect_where("screens", |event| names(event) == ["left"]);
    desk.display.set_monitor("new", (500, 50, 300, 200), "none");
    viewer.rs.expect_where("screens", |event| names(event) == ["left", "new"] && event["shown"] == "all");
    viewer.rs.send("screen 1");
    shows(&host, &viewer, &json!(1));
    until_true("it is seen", || viewer.screenshot() == desk.display.picture().part(500, 50, 300, 200));
    viewer.rs.send("move 1 2");
    until_true("the pointer is on it", || desk.display.pointer() == (501, 52));
}

#[test]
fn the_person_at_the_machine_decides_which_monitor_is_seen() {
    let desk = Desk::start();
    let mut host = Host::on(&desk.display, "--display 1");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    assert_eq!(names(&shows(&host, &viewer, &json!(0))), ["right"]);
    for line in ["screen all", "screen 1", "screen next"] {
        viewer.rs.send(line);
        viewer.rs.expect("warning");
    }
    assert!(viewer.screenshot() == desk.right());

    // Another monitor must not take its place: the person never showed that one.
    desk.display.xrandr(&["--delmonitor", "right"]);
    assert_eq!(viewer.rs.expect("session-ended")["reason"], "screen-lost");
    host.rs.expect_where("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("monitor right is gone")));
}

#[test]
fn a_screen_that_grows_is_followed() {
    let display = Display::that_grows(640, 480);
    let mut host = Host::on(&display, "");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    assert_eq!(viewer.screenshot().width, 640);
    for (width, height) in [(1920, 1080), (800, 600)] {
        display.xrandr(&["--output", "VNC-0", "--mode", &format!("{width}x{height}")]);
        let _logo = display.run("xlogo", &["-geometry", "200x200+400+300"]);
        display.window("xlogo");
        until_true("all of it is seen", || {
            let picture = viewer.screenshot();
            picture.width == width && picture == display.picture()
        });
    }
}

#[test]
fn a_depth_that_cannot_be_shared_is_refused_in_one_line() {
    for (depth, word) in [(8, "8-bit"), (15, "15-bit"), (16, "16-bit"), (30, "30-bit")] {
        let display = Display::of_depth(320, 240, depth);
        let home = Home::new();
        let ended = on_loopback(&home, "host --no-lan --panel none").quiet().on(&display).go().ended();
        assert_eq!(ended.code, Some(7), "{}", ended.stderr);
        let says = |text: &str| ended.stderr.contains(text);
        assert!(ended.stderr.trim_end().lines().count() == 1 && says(word) && says("24-bit"), "{}", ended.stderr);
    }
}

#[test]
fn huge_screens_are_shown_exactly() {
    for (width, screens) in [(3840, 1), (3 * 3840, 3)] {
        let display = Display::start(width, 2160);
        for index in 0..screens {
            let (name, output) = if index == 0 { ("*S0".to_owned(), "screen") } else { (format!("S{index}"), "none") };
            display.set_monitor(&name, (index * 3840, 0, 3840, 2160), output);
        }
        let far = format!("500x500+{}+1500", width - 600);
        let _logo = display.run("xlogo", &["-geometry", &far]);
        display.window("xlogo");
        let mut host = Host::on(&display, "--yes");
        let home = Home::new();
        let file = home.file("picture.png");
        let mut viewer = Viewer::screenshot_to(&file, &host.direct("tcp"), &host.password);
        viewer.rs.expect("screenshot");
        let memory = host.rs.process().memory() >> 20;
        println!("{width}x2160: the host has {memory} MiB");
        viewer.rs.ended();
        assert!(Image::read(&file).expect("a picture") == display.picture());
        let picture = (u64::from(width) * 2160 * 4) >> 20;
        assert!(memory < 150 + 4 * picture, "{memory} MiB are more than a few pictures of {picture} MiB");
    }
}

/// A terminal whose pointer turns red and green, four times a second. The theme is made by `xcursorgen`.
fn blinking_pointer(machine: &Display, home: &Home) -> Process {
    let folder = home.file("blink/cursors");
    fs::create_dir_all(&folder).expect("a folder");
    let mut config = String::new();
    for (name, colour) in [("red", RED), ("green", GREEN)] {
        let file = home.file(&format!("{name}.png"));
        Image::filled(SPOT, SPOT, colour).write(&file).expect("a file");
        config += &format!("{SPOT} 0 0 {} 250\n", file.display());
    }
    let list = home.file("blink.list");
    fs::write(&list, config).expect("a file");
    let mut generator = machine.command("xcursorgen");
    let made = generator.arg(&list).arg(folder.join("xterm")).stdout(Stdio::null()).status().expect("xcursorgen runs");
    assert!(made.success());
    let mut terminal = machine.command("xterm");
    terminal.args(["-T", "blink", "-geometry", "60x20+0+0"]);
    terminal.env("XCURSOR_PATH", home.path()).env("XCURSOR_THEME", "blink").env("XCURSOR_SIZE", SPOT.to_string());
    let terminal = Process::start(&mut terminal);
    machine.window("blink");
    terminal
}

const SPOT: usize = 24;
const RED: Colour = [200, 0, 0];
const GREEN: Colour = [0, 180, 0];

#[test]
fn an_animated_pointer_moves_in_the_window_as_on_the_host() {
    let (machine, home) = (Display::start(640, 480), Home::new());
    let _terminal = blinking_pointer(&machine, &home);
    machine.point(200, 150);
    let desk = Display::start(1200, 900);
    let _manager = desk.run_window_manager();
    desk.point(1190, 890);
    let mut host = Host::on(&machine, "--view-only");
    let viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, "");
    host.accept();
    viewer.is_in_session();
    // Each colour comes again and again: the second time it is no longer sent, but named.
    for colour in [RED, GREEN].repeat(4) {
        until("the pointer has the other colour", || desk.picture().find(&Image::filled(SPOT, SPOT, colour)));
    }
}

#[test]
fn a_chord_shows_the_next_monitor_and_the_title_names_it() {
    let (machine, desk) = (Desk::start(), Display::start(1200, 900));
    let _manager = desk.run_window_manager();
    let mut host = Host::on(&machine.display, "");
    let viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, "");
    host.accept();
    viewer.is_in_session();
    let window = desk.window(&host.id);
    until_true("the title tells", || desk.title(window).contains("both screens"));
    desk.point(1190, 890);
    desk.focus(window);
    for (name, picture) in [("left", machine.left()), ("right", machine.right())] {
        desk.chord(&[keysym::CONTROL, keysym::ALT, u32::from('s')]);
        until_true("the title names it", || desk.title(window).contains(name));
        let upper = picture.part(0, 0, 400, 200); // notes lie over the rest
        until("the window shows it, pixel for pixel", || desk.picture().find(&upper));
    }
    until_true("nothing stays held", || machine.display.held_keys().is_empty());
}

#[test]
fn on_a_display_with_twice_the_pixels_the_picture_stays_exact() {
    let (machine, desk) = (Desk::start(), Display::start(1200, 900));
    let _manager = desk.run_window_manager();
    let mut host = Host::on(&machine.display, "");
    let home = Home::new();
    let start = on_loopback(&home, "connect --json --password-stdin --no-lan").arg(host.direct("tcp")).on(&desk);
    let viewer = Viewer::started(home, start.env("WINIT_X11_SCALE_FACTOR", "2"), &host.password);
    host.accept();
    viewer.is_in_session();
    desk.point(1190, 890);
    let upper = machine.display.picture().part(0, 0, 800, 100); // notes lie over the rest
    until("the window shows it, pixel for pixel", || desk.picture().find(&upper));
}
