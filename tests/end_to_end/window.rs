//! The viewer's window.

use crate::{
    scene::Scene,
    support::{display::keysym, until_true},
};

#[test]
fn the_window_shows_the_hosts_screen_to_the_pixel_under_its_id() {
    let scene = Scene::start("");
    scene.origin();
    let title = scene.desk.title(scene.window);
    assert!(title.contains(&scene.host.id), "{title}");
    let _logo = scene.machine.run("xlogo", &["-geometry", "100x100+500+20"]);
    scene.machine.window("xlogo");
    scene.origin();
}

#[test]
fn typing_and_clicking_in_the_window_reaches_the_host() {
    let scene = Scene::start("");
    let (x, y) = scene.origin();
    scene.desk.click(x + 150, y + 200, 1);
    until_true("the host's pointer follows", || scene.machine.pointer() == (150, 200));
    scene.desk.type_text("Typed in the window: (1+1)=2!\n");
    scene.notebook.has("Typed in the window: (1+1)=2!\n");
    until_true("nothing stays held", || scene.machine.held_keys().is_empty() && !scene.machine.holds_a_button());
}

#[test]
fn a_window_that_loses_the_keyboard_lets_go_of_every_key() {
    let scene = Scene::start("");
    scene.origin();
    scene.desk.press(scene.desk.keycode(keysym::SHIFT));
    until_true("the key is held on the host", || !scene.machine.held_keys().is_empty());
    let _other = scene.desk.run("xterm", &["-T", "another window"]);
    scene.desk.focus(scene.desk.window("another window"));
    until_true("the key is up on the host", || scene.machine.held_keys().is_empty());
    scene.desk.release(scene.desk.keycode(keysym::SHIFT));
}

#[test]
fn the_persons_mouse_lets_go_of_what_the_viewer_holds() {
    let scene = Scene::start("");
    scene.origin();
    scene.desk.press(scene.desk.keycode(keysym::CONTROL));
    until_true("the key is held on the host", || !scene.machine.held_keys().is_empty());
    scene.machine.person().sweep(3, 2, 10);
    until_true("the key is up on the host", || scene.machine.held_keys().is_empty());
    scene.viewer.rs.expect_where("control", |event| event["holder"] == "local");
    scene.desk.release(scene.desk.keycode(keysym::CONTROL));
}

#[test]
fn closing_the_window_leaves_the_session() {
    let mut scene = Scene::start("");
    scene.origin();
    scene.desk.close(scene.window);
    assert_eq!(scene.host.rs.expect("session-ended")["reason"], "viewer-left");
    assert_eq!(scene.viewer.rs.ended().code, Some(0));
}

#[test]
fn the_window_tells_that_the_session_is_over() {
    let mut scene = Scene::start("");
    scene.origin();
    scene.host.rs.send("end");
    assert_eq!(scene.viewer.rs.expect("session-ended")["reason"], "host-ended");
}
