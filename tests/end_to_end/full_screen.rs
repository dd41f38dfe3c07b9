//! The viewer's window in full screen.

use crate::support::{
    display::{Display, keysym},
    machine::{Host, Viewer},
    until_true,
};

const FULL_SCREEN: [u32; 3] = [keysym::CONTROL, keysym::ALT, b'f' as u32];
/// What the window manager closes a window by.
const CLOSE: [u32; 2] = [keysym::ALT, keysym::F4];

#[test]
fn in_full_screen_the_desktops_shortcuts_are_the_hosts_and_outside_of_it_the_desktops() {
    let machine = Display::start(640, 480);
    let _manager_there = machine.run_window_manager();
    let _windows = ["first", "second"].map(|title| {
        let window = machine.run("xterm", &["-T", title]);
        machine.focus(machine.window(title));
        window
    });
    let desk = Display::start(1100, 700);
    let _manager_here = desk.run_window_manager();
    let mut host = Host::on(&machine, "");
    let mut viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, "");
    host.accept();
    let window = desk.window(&host.id);
    until_true("the picture", || desk.title(window).contains("you are in control"));
    desk.focus(window);

    desk.chord(&FULL_SCREEN);
    until_true("the window fills the screen", || desk.geometry(window) == Some((0, 0, 1100, 700)));
    until_true("the keyboard is the window's", || desk.keyboard_is_grabbed());
    desk.chord(&CLOSE);
    until_true("the host's window manager closes its window", || machine.find_window("second").is_none());
    assert!(viewer.rs.runs() && desk.geometry(window) == Some((0, 0, 1100, 700)));

    // Whatever takes the focus has the keyboard.
    let other = desk.run("xterm", &["-T", "other"]);
    desk.focus(desk.window("other"));
    until_true("the keyboard is free", || !desk.keyboard_is_grabbed());
    drop(other);
    desk.focus(window);
    until_true("the keyboard is the window's again", || desk.keyboard_is_grabbed());

    desk.chord(&FULL_SCREEN);
    until_true("the keyboard is free", || !desk.keyboard_is_grabbed());
    desk.chord(&CLOSE);
    assert_eq!(host.rs.expect("session-ended")["reason"], "viewer-left");
    assert_eq!(viewer.rs.ended().code, Some(0));
    assert!(machine.find_window("first").is_some(), "this one was not for the host");
}
