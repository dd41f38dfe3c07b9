//! The person at the machine, who wins: silence that hands control back, the combination that ends everything, and how quickly a
//! touch stops the viewer.

use std::{
    thread,
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        xinput::{ConnectionExt as _, Device, EventMask, XIEventMask},
    },
    rust_connection::RustConnection,
};

use crate::support::{
    display::Display,
    machine::{Host, session},
    rs::Rs,
};

/// Control, Alt, Shift, Escape: the left ones, as keysyms.
const PANIC: [u32; 4] = [0xffe3, 0xffe9, 0xffe1, 0xff1b];

#[test]
fn silence_hands_control_back_where_the_host_wants_it() {
    let display = Display::start(640, 480);
    let mut host = Host::on(&display, "--hand-back 1");
    let target = host.direct("tcp");
    let viewer = session(&mut host, &target, "");
    display.person().sweep(3, 2, 10);
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("control", |event| event["holder"] == "local");
        side.expect_where("control", |event| event["holder"] == "remote");
    }
    host.rs.send("take");
    host.rs.expect_where("control", |event| event["holder"] == "local");
    display.person().nudge(9, 9);
    assert!(
        host.rs.wait_for("control", Duration::from_millis(1500), |_| true).is_none(),
        "what was taken with a word is given with a word"
    );
}

#[test]
fn the_panic_keys_end_every_session_whatever_has_the_keyboard_and_the_password_with_it() {
    let display = Display::start(640, 480);
    // Also where the viewer may only see, and while a program holds on to the keyboard.
    for line in ["", "--view-only"] {
        let mut host = Host::on(&display, line);
        let target = host.direct("tcp");
        let mut viewer = session(&mut host, &target, "");
        let (grabber, screen) = RustConnection::connect(Some(display.name())).expect("a display");
        let root = grabber.setup().roots[screen].root;
        let mode = x11rb::protocol::xproto::GrabMode::ASYNC;
        x11rb::protocol::xproto::grab_keyboard(&grabber, true, root, x11rb::CURRENT_TIME, mode, mode)
            .expect("takes requests")
            .reply()
            .expect("a grab");
        display.person().chord(&PANIC.map(|keysym| display.keycode(keysym)));
        for side in [&host.rs, &viewer.rs] {
            assert_eq!(side.expect("session-ended")["reason"], "host-ended");
        }
        let used = host.password.clone();
        host.follow_password();
        assert_ne!(host.password, used);
        viewer.rs.ended();
        assert!(host.rs.runs(), "the host waits for the next viewer");
        assert_eq!(host.rs.seen("password-rotated").len(), 1, "once");
    }
}

#[test]
fn the_viewer_cannot_press_the_panic_keys() {
    let display = Display::start(640, 480);
    let mut host = Host::on(&display, "");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    viewer.rs.send("key ctrl+alt+shift+escape");
    viewer.rs.send("chat marker");
    host.rs.expect("chat");
    assert!(host.rs.seen("session-ended").is_empty() && host.rs.seen("control").iter().all(|event| event["holder"] != "local"));
}

/// Motions as the X server passes them on: when, and whether they were injected.
struct Motions {
    connection: RustConnection,
    mouse: u16,
}

impl Motions {
    fn of(display: &Display) -> Self {
        let (connection, screen) = RustConnection::connect(Some(display.name())).expect("a display");
        connection.xinput_xi_query_version(2, 2).expect("takes requests").reply().expect("XInput 2");
        let masks = [EventMask { deviceid: Device::ALL_MASTER.into(), mask: vec![XIEventMask::RAW_MOTION] }];
        let root = connection.setup().roots[screen].root;
        connection.xinput_xi_select_events(root, &masks).expect("takes requests").check().expect("raw events");
        Self { connection, mouse: display.person().mouse().into() }
    }

    /// From the person's first motion to the last injected one after it; nothing comes any more after 200 ms without any.
    fn injected_after_the_person(&self) -> Duration {
        let (mut person, mut last, mut heard) = (None, None, Instant::now());
        while person.is_none() || heard.elapsed() < Duration::from_millis(200) {
            match self.connection.poll_for_event().expect("the display lives") {
                Some(Event::XinputRawMotion(event)) => {
                    heard = Instant::now();
                    if event.sourceid == self.mouse {
                        person = person.or(Some(heard));
                    } else if person.is_some() {
                        last = Some(heard);
                    }
                }
                Some(_) => {}
                None => thread::sleep(Duration::from_micros(50)),
            }
        }
        person.zip(last).map_or(Duration::ZERO, |(person, last)| last - person)
    }
}

#[expect(clippy::print_stdout, reason = "figures to read")]
fn percentiles(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    println!("{what}: p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms (N = {})", at(50), at(99), at(100), times.len());
}

/// The viewer moves the pointer without a pause, a thousand times a second; the person moves the mouse once.
#[test]
#[ignore = "measures for a minute; run it alone, with --no-capture"]
fn how_long_a_touch_takes_to_stop_the_viewer() {
    const TIMES: usize = 100;
    let display = Display::start(800, 600);
    let mut host = Host::on(&display, "");
    let target = host.direct("quic-v1");
    let mut viewer = session(&mut host, &target, "");
    let motions = Motions::of(&display);
    let (mut stopped, mut host_told, mut viewer_told) = (Vec::new(), Vec::new(), Vec::new());
    let give = |host: &mut Host, viewer: &Rs| {
        host.rs.send("allow control");
        for side in [&host.rs, viewer] {
            side.expect_where("control", |event| event["holder"] == "remote");
        }
        // As long as the keys that gave control count for nothing.
        thread::sleep(Duration::from_millis(350));
    };
    for _ in 0..TIMES {
        let (stop, stopping) = std::sync::mpsc::channel::<()>();
        thread::scope(|scope| {
            let rs = &mut viewer.rs;
            let driving = scope.spawn(move || {
                let mut step = 0;
                while stopping.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                    step += 1;
                    rs.send(&format!("move {} {}", 100 + step % 500, 100 + step % 300));
                    thread::sleep(Duration::from_millis(1));
                }
            });
            thread::sleep(Duration::from_millis(150));
            while motions.connection.poll_for_event().expect("the display lives").is_some() {}
            let moved = Instant::now();
            display.person().nudge(9, 9);
            host.rs.expect_where("control", |event| event["holder"] == "local");
            host_told.push(moved.elapsed());
            stopped.push(motions.injected_after_the_person());
            drop(stop);
            driving.join().expect("no panic");
        });
        viewer.rs.expect_where("control", |event| event["holder"] == "local");
        give(&mut host, &viewer.rs);
        let moved = Instant::now();
        display.person().nudge(9, 9);
        viewer.rs.expect_where("control", |event| event["holder"] == "local");
        viewer_told.push(moved.elapsed());
        give(&mut host, &viewer.rs);
    }
    percentiles("from the person's motion to the last injected one", stopped);
    percentiles("until the host's face was told", host_told);
    percentiles("until the viewer's face was told", viewer_told);
}
