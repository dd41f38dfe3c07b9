//! The rig itself: what the other tests build on must be true.

use std::{process::Command, time::Duration};

use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        xinput::{ConnectionExt as _, Device, EventMask, XIEventMask},
    },
    rust_connection::RustConnection,
};

use crate::support::{display::Display, image::Image, machine::Home, rs::Start, until, until_true};

/// The devices that raw events come from, as `rs` sees them: (kind, source).
struct RawEvents(RustConnection);

impl RawEvents {
    fn of(display: &Display) -> Self {
        let (connection, screen) = RustConnection::connect(Some(display.name())).expect("a display");
        connection.xinput_xi_query_version(2, 2).expect("takes requests").reply().expect("XInput 2");
        let mask = XIEventMask::RAW_MOTION | XIEventMask::RAW_BUTTON_PRESS | XIEventMask::RAW_KEY_PRESS;
        let masks = [EventMask { deviceid: Device::ALL_MASTER.into(), mask: vec![mask] }];
        let root = connection.setup().roots[screen].root;
        connection.xinput_xi_select_events(root, &masks).expect("takes requests").check().expect("raw events");
        Self(connection)
    }

    fn next(&self) -> (&'static str, u16) {
        until("a raw event", || match self.0.poll_for_event().expect("the display lives")? {
            Event::XinputRawMotion(event) => Some(("motion", event.sourceid)),
            Event::XinputRawButtonPress(event) => Some(("button", event.sourceid)),
            Event::XinputRawKeyPress(event) => Some(("key", event.sourceid)),
            _ => None,
        })
    }
}

#[test]
fn the_person_at_a_display_has_devices_of_their_own() {
    let display = Display::start(320, 240);
    let events = RawEvents::of(&display);
    let person = display.person();
    let key = display.keycode(u32::from('a'));

    person.nudge(7, 5);
    assert_eq!(events.next(), ("motion", person.mouse().into()));
    person.click(1);
    assert_eq!(events.next(), ("button", person.mouse().into()));
    person.tap(key);
    assert_eq!(events.next(), ("key", person.keyboard().into()));

    display.press(key);
    display.release(key);
    let (kind, source) = events.next();
    assert_eq!(kind, "key");
    assert_ne!(source, u16::from(person.keyboard()), "XTEST has a device of its own");
}

#[test]
fn the_persons_mouse_moves_the_pointer_by_what_it_was_moved() {
    let display = Display::start(320, 240);
    display.point(100, 100);
    display.person().sweep(2, 1, 10);
    until_true("the pointer moved", || display.pointer() == (120, 110));
}

#[test]
fn typed_text_arrives_in_the_window_that_has_the_keyboard() {
    let display = Display::start(800, 600);
    let _manager = display.run_window_manager();
    let home = Home::new();
    let file = home.file("typed");
    let _terminal = display.run("xterm", &["-T", "typing", "-e", &format!("exec cat > {}", file.display())]);
    let window = display.window("typing");
    display.focus(window);
    display.type_text("Hello, World! (42)\n");
    until_true("the text is there", || std::fs::read_to_string(&file).is_ok_and(|text| text == "Hello, World! (42)\n"));
    assert!(display.held_keys().is_empty());
}

#[test]
fn a_screen_changes_its_size_and_its_picture_is_read_back() {
    let display = Display::start(640, 480);
    let status = display.command("xsetroot").args(["-solid", "#204060"]).status().expect("xsetroot runs");
    assert!(status.success());
    until_true("the background is painted", || display.pixel(10, 10) == [0x20, 0x40, 0x60]);
    display.resize(400, 300);
    let picture = display.picture();
    assert_eq!((picture.width, picture.height), (400, 300));

    let home = Home::new();
    let file = home.file("picture.png");
    picture.write(&file).expect("a PNG file");
    assert!(Image::read(&file).expect("the same file") == picture);
}

#[test]
fn a_picture_is_found_in_another_one() {
    let mut needle = Image::filled(3, 2, [1, 2, 3]);
    needle.pixels[5] = [9, 9, 9];
    let mut hay = Image::filled(20, 10, [1, 2, 3]);
    hay.draw(&needle, 11, 4);
    assert_eq!(hay.find(&needle), Some((11, 4)));
    assert!(hay.part(11, 4, 3, 2) == needle);
    assert_eq!(needle.find(&hay), None);
}

#[test]
fn events_are_found_in_the_order_they_were_asked_for() {
    let home = Home::new();
    let script =
        r#"printf '{"event":"a","n":1}\n{"event":"b"}\n{"event":"a","n":2}\nplain\n'; read line; echo "$line" >&2; exit 7"#;
    let mut rs = Start::program(home.path(), "sh", &["-c", script]).go();
    assert!(rs.wait_for("a", Duration::from_secs(10), |event| event["n"] == 2).is_some());
    rs.expect("b");
    assert!(rs.wait_for("a", Duration::ZERO, |_| true).is_none(), "passed over");
    assert_eq!(rs.seen("a").len(), 2);
    rs.send("to stderr");
    let ended = rs.ended();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(7), "to stderr\n"));
    assert_eq!(rs.other_output(), "plain\n");
}

#[test]
fn a_dropped_process_is_gone() {
    let home = Home::new();
    let mut rs = Start::program(home.path(), "sleep", &["60"]).go();
    let id = rs.process().id();
    drop(rs);
    let alive = Command::new("kill").args(["-0", &id.to_string()]).output().expect("kill runs").status.success();
    assert!(!alive);
}
