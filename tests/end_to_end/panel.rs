//! The host's panel: only the person's hands press anything in it, it never leaves a session unseen, and the frame is there as long as
//! somebody sees the screen.

use std::process::{Command, Stdio};

use crate::support::{
    display::{Display, keysym},
    image::{Colour, Image},
    machine::{Home, Host, Viewer, on_loopback, strings},
    process::Process,
    rs::Rs,
    until, until_true,
};

/// The colour of the button that goes on, and of the frame of somebody who only sees.
const ACCENT: Colour = [0x1f, 0x6f, 0xd6];
/// The colour of what ends, and of the frame of somebody who drives.
const ALERT: Colour = [0xd6, 0x45, 0x1f];

/// Where the panel ends: it leaves room for a task bar on these displays, which are 768 pixels high.
const BOTTOM: i32 = 768 - 34;
/// What the Enter key of a keypad gives.
const KEYPAD_ENTER: u32 = 0xff8d;

/// A host with a panel on this display.
fn host_on(display: &Display) -> Host {
    let home = Home::new();
    let start = on_loopback(&home, "host --json --no-lan --panel window").on(display).env("RS_THEME", "light");
    Host::started(home, start)
}

/// Where the last (lowest) block of this colour in the panel is on the screen: its middle.
fn button(display: &Display, colour: Colour) -> Option<(i16, i16)> {
    let panel = display.find_window("rs-panel")?;
    let place = display.geometry(panel)?;
    let (x, y) = lowest(&display.picture_of(panel)?, colour)?;
    // It grows and moves with what it shows: a place and a picture of different moments do not belong together, and a click while it
    // is on its way to its size and place would miss.
    let (left, top, width, height) = display.geometry(panel).filter(|now| *now == place)?;
    let is_settled = display.wanted_size(panel)? == (width.into(), height.into()) && i32::from(top) + i32::from(height) == BOTTOM;
    if !is_settled {
        return None;
    }
    Some((left + i16::try_from(x).ok()?, top + i16::try_from(y).ok()?))
}

/// A button is 34 pixels high, with no text at its left edge: the lowest patch of 8 by 26 pixels of nothing but its colour. An edge that
/// is drawn around a button under the pointer has no such patch.
fn lowest(picture: &Image, colour: Colour) -> Option<(usize, usize)> {
    let is_patch = |x: usize, y: usize| (0..26).all(|row| (0..8).all(|column| picture.at(x + column, y - row) == colour));
    let places = (25..picture.height).rev().flat_map(|y| (0..picture.width.saturating_sub(8)).map(move |x| (x, y)));
    places.into_iter().find(|(x, y)| is_patch(*x, *y)).map(|(x, y)| (x + 4, y - 13))
}

/// Where *Take control back* or *Give control* is, and *End* in the same row, once the panel shows who drives. (Above that row is the mark,
/// which is [`ACCENT`] while nobody does.)
fn controls(display: &Display, is_driven: bool) -> ((i16, i16), (i16, i16)) {
    until("the panel shows who drives", || {
        let (accent, end) = (button(display, ACCENT)?, button(display, ALERT)?);
        let is_in_row = (accent.1 - end.1).abs() <= 3;
        let (left, ..) = display.geometry(display.find_window("rs-panel")?)?;
        (is_in_row == is_driven).then_some(((left + 60, end.1), end))
    })
}

/// A display with a window manager, a host with a panel there, and a viewer that was let in.
fn session() -> (Display, Process, Host, Viewer) {
    let display = Display::start(1024, 768);
    let manager = display.run_window_manager();
    let mut host = host_on(&display);
    let viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    host.accept();
    viewer.is_in_session();
    (display, manager, host, viewer)
}

/// The process that shows the host's panel.
fn panel_of(host: &mut Host) -> Option<String> {
    child_of(&mut host.rs)
}

fn child_of(rs: &mut Rs) -> Option<String> {
    let children = Command::new("pgrep").args(["-P", &rs.process().id().to_string()]).output().expect("pgrep runs").stdout;
    String::from_utf8_lossy(&children).lines().next().map(str::to_owned)
}

/// Clicks with the person's own mouse.
fn click(display: &Display, (x, y): (i16, i16)) {
    display.point(x, y);
    display.person().click(1);
}

fn wait_for_button(display: &Display, colour: Colour) -> (i16, i16) {
    until("the panel has a button to press", || button(display, colour))
}

#[test]
fn an_injected_click_says_no_yes_and_the_persons_own_says_no_and_then_yes() {
    let display = Display::start(1024, 768);
    let _manager = display.run_window_manager();
    let host = host_on(&display);
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    host.rs.expect("request");
    let allow = wait_for_button(&display, ACCENT);
    // Deny is at the other end of the same row.
    let panel = display.window("rs-panel");
    let (left, ..) = display.geometry(panel).expect("it is there");

    display.click(allow.0, allow.1, 1);
    // The panel takes clicks in their order: had the first one counted, the second would come too late.
    click(&display, (left + 60, allow.1));
    assert_eq!(viewer.rs.ended().code, Some(5), "the person said no");
    assert!(host.rs.seen("session-started").is_empty());
    until_true("the panel asks no more", || button(&display, ACCENT).is_none());

    // No is the answer to this question, not to the next one.
    let viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    host.rs.expect("request");
    click(&display, wait_for_button(&display, ACCENT));
    viewer.is_in_session();
}

#[test]
fn the_viewer_presses_nothing_in_the_panel_and_the_frame_lasts_as_long_as_the_session() {
    let display = Display::start(1024, 768);
    let _manager = display.run_window_manager();
    let host = host_on(&display);
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    host.rs.expect("request");
    click(&display, wait_for_button(&display, ACCENT));
    viewer.is_in_session();
    let edges = [(2, 300), (1021, 300), (500, 2), (500, 765)];
    until_true("the frame says who drives", || edges.iter().all(|(x, y)| display.pixel(*x, *y) == ALERT));

    // The viewer: on End, and on what is in its place a moment later.
    let (take, end) = controls(&display, true);
    viewer.rs.send(&format!("click {} {}", end.0, end.1));
    viewer.rs.send("move 200 200");
    until_true("the viewer's input was done", || display.pointer() == (200, 200));
    // Another program.
    display.click(end.0, end.1, 1);

    // The person takes control, and gives it by the panel: all clicks before came before this one.
    click(&display, take);
    host.rs.expect_where("control", |event| event["holder"] == "local");
    until_true("the frame says that nobody drives", || edges.iter().all(|(x, y)| display.pixel(*x, *y) == ACCENT));
    let (give, _) = controls(&display, false);
    click(&display, give);
    host.rs.expect_where("control", |event| event["holder"] == "remote");
    assert!(host.rs.seen("session-ended").is_empty());

    // Now the person ends it.
    click(&display, wait_for_button(&display, ALERT));
    host.rs.expect("session-ended");
    until_true("the frame is gone", || edges.iter().all(|(x, y)| ![ALERT, ACCENT].contains(&display.pixel(*x, *y))));
}

#[test]
fn by_itself_a_host_shows_its_panel_where_there_is_a_display_and_words_beside_it() {
    let display = Display::start(1024, 768);
    let _manager = display.run_window_manager();
    let homes = [Home::new(), Home::new()];
    let mut with = on_loopback(&homes[0], "host --no-lan").on(&display).go();
    let mut without = on_loopback(&homes[1], "host --no-lan --capture pattern").go();
    for host in [&mut with, &mut without] {
        until_true("it says that it is ready", || host.stdout().contains("Ready."));
    }
    display.window("rs-panel");
    assert!(child_of(&mut without).is_none(), "where there is nothing to show it on there is no panel");
    with.send("quit");
    assert_eq!(with.ended().code, Some(0));
    until_true("the panel goes with its host", || display.find_window("rs-panel").is_none());
}

#[test]
fn a_panel_that_is_killed_or_loses_its_window_comes_back_with_the_session() {
    let (display, _manager, mut host, _viewer) = session();
    wait_for_button(&display, ALERT);
    let first = panel_of(&mut host).expect("the panel is the host's child");
    assert!(Command::new("kill").args(["-KILL", &first]).status().expect("kill runs").success());
    until_true("another panel runs", || panel_of(&mut host).is_some_and(|now| now != first));
    until_true("it shows the session", || button(&display, ALERT).is_some());
    assert!(host.rs.seen("session-ended").is_empty());
    until_true("and the frame", || display.pixel(2, 300) == ALERT);

    // A program takes its window away: it says so, and ends.
    let second = panel_of(&mut host).expect("it runs");
    display.destroy(display.window("rs-panel"));
    until_true("a third panel runs", || panel_of(&mut host).is_some_and(|now| now != second));
    until_true("it shows the session, too", || button(&display, ALERT).is_some());
    assert!(host.rs.seen("session-ended").is_empty());
    let said = host.rs.stderr();
    assert!(said.contains("destroyed the panel's window") && !said.contains("panicked"), "{said}");
}

#[test]
fn keys_count_that_the_person_pressed_and_none_that_was_injected_or_sent() {
    let (display, _manager, _host, viewer) = session();
    controls(&display, true);
    let panel = display.window("rs-panel");
    // The field for a message is at the bottom; its hint is grey.
    let (left, top, _, height) = display.geometry(panel).expect("it is there");
    let (field, y) = (left + 20, top + i16::try_from(height).expect("a small window") - 34);
    let is_ink = |at: i16| (-8..8).any(|down| display.pixel(at, y + down).iter().all(|part| *part < 0x50));
    let [a, b, x, enter, keypad_enter] =
        ['a'.into(), 'b'.into(), 'x'.into(), keysym::RETURN, KEYPAD_ENTER].map(|keysym| display.keycode(keysym));
    click(&display, (left + 60, y));
    // Keys can overtake the click: the window manager keeps it back until the window has the keyboard.
    until_true("what the person types is shown", || {
        display.person().tap(a);
        (field..field + 20).any(is_ink)
    });

    // While the person holds a key, programs type "x" and Enter: one on the display, one to the window.
    display.person().press(a);
    for key in [x, keypad_enter] {
        display.press(key);
        display.release(key);
        display.send_key(panel, key);
    }
    display.person().release(a);
    display.person().tap(b);
    display.person().tap(enter);
    let chat = viewer.rs.expect_where("chat", |event| event["from"] == "host");
    let text = chat["text"].as_str().expect("a text");
    let typed = text.strip_suffix('b').expect("no Enter before the person's");
    assert!(!typed.is_empty() && typed.chars().all(|character| character == 'a'), "{text}");
}

#[test]
fn a_viewer_points_with_its_name_and_the_persons_click_goes_through() {
    let display = Display::start(1024, 768);
    let _manager = display.run_window_manager();
    let mut host = host_on(&display);
    let clicked = host.home.file("clicked");
    // A terminal that writes down where it is clicked.
    let shell = format!("stty raw -echo; printf '\\033[?1000h'; exec head -c 6 > {}", clicked.display());
    let _below = display.run("xterm", &["-T", "below", "-geometry", "60x12+60+80", "-e", &shell]);
    display.window("below");
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "--view-only");
    host.accept();
    viewer.is_in_session();
    until_true("the frame is shown", || display.pixel(2, 300) == ACCENT);
    host.rs.send("allow point");
    viewer.rs.expect_where("permissions", |event| strings(&event["permissions"]).contains(&"point".to_owned()));

    let is_at = |x: i16, y: i16| display.pixel(x + 4, y + 9) == ACCENT;
    viewer.rs.send("point 500 400");
    until_true("the arrow is shown", || is_at(500, 400));
    viewer.rs.send("point 200 150");
    until_true("it moves", || is_at(200, 150) && !is_at(500, 400));
    until_true("a click on it goes to what is below", || {
        click(&display, (204, 159));
        std::fs::metadata(&clicked).is_ok_and(|file| file.len() == 6)
    });
    until_true("it goes by itself", || !is_at(200, 150));
    viewer.rs.send("point 500 400");
    until_true("it comes back", || is_at(500, 400));
    viewer.rs.send("point away");
    until_true("it goes by the viewer's word", || !is_at(500, 400));

    // At the right edge of the screen the name is left of the arrow.
    viewer.rs.send("point 1010 400");
    until_true("the arrow points to the right", || display.pixel(1010 - 4, 400 + 9) == ACCENT);
    let is_board = |x: i16| (0..10).all(|dx| display.pixel(x + dx, 400 + 16) == ACCENT);
    until_true("the name is wholly on the screen", || (960..985).any(is_board));
}

#[test]
fn a_panel_that_cannot_be_shown_pauses_the_session_until_it_can() {
    let (display, _manager, mut host, viewer) = session();
    // It is started again at once three times, and then given up for a while.
    until_true("the session is paused", || {
        if let Some(panel) = panel_of(&mut host) {
            // It may be gone already.
            Command::new("kill").args(["-KILL", &panel]).stderr(Stdio::null()).status().expect("kill runs");
        }
        host.rs.seen("permissions").iter().any(|event| strings(&event["permissions"]).is_empty())
    });
    viewer.rs.expect_where("permissions", |event| strings(&event["permissions"]).is_empty());
    viewer.rs.expect_where("control", |event| event["holder"] == "local");
    viewer.rs.expect_where("chat", |event| event["from"] == "host");
    host.rs.expect_where("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("allow view")));
    assert!(host.rs.seen("session-ended").is_empty());

    // Another one comes and stays: what was allowed is allowed again, and the person drives.
    viewer.rs.expect_where("permissions", |event| strings(&event["permissions"]).len() == 6);
    assert_eq!(host.rs.seen("control").last().expect("it was told")["holder"], "local");
    until_true("the frame is shown", || display.pixel(2, 300) == ACCENT);
}
