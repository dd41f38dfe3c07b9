//! The keyboard types what was meant: every pair of the viewer's and the host's layouts, from the key to the saved file.

use std::{fs, path::PathBuf, time::Instant};

use crate::{
    desktop::Notebook,
    support::{
        display::{Display, keysym},
        machine::{Home, Host, Viewer, session},
        process::Process,
        until_true,
    },
};

/// Layouts, each with a text whose characters its keys give, by Shift, AltGr and dead keys too.
const LAYOUTS: [(&str, &str); 5] = [
    ("us", "Hello, World! [x]{y} @#~ \\|/ (1+1)=2; 'a' \"b\" <c>"),
    ("de", "Grüße, Ö@€ß {[]}\\~ zY ê É `^' (1+1)=2; \"µ|<>\""),
    ("fr", "L'été à Noël: çùè @#€ ê 1234 {[|]} âÛ, §!"),
    ("ru", "Привет, Мир! Ёжик № 42; \"ъЩ\" (а/б)."),
    ("es", "¿Qué? ¡Sí! Ñandú @#€ ç [x]{y} à ü -_"),
];

/// What dead keys compose: the character, the dead key's keysym (keysymdef.h) and what is pressed after it.
const COMPOSED: [(char, u32, char); 15] = [
    ('é', 0xfe51, 'e'),
    ('É', 0xfe51, 'E'),
    ('í', 0xfe51, 'i'),
    ('ú', 0xfe51, 'u'),
    ('à', 0xfe50, 'a'),
    ('è', 0xfe50, 'e'),
    ('`', 0xfe50, ' '),
    ('ê', 0xfe52, 'e'),
    ('â', 0xfe52, 'a'),
    ('û', 0xfe52, 'u'),
    ('Û', 0xfe52, 'U'),
    ('^', 0xfe52, ' '),
    ('ë', 0xfe57, 'e'),
    ('ü', 0xfe57, 'u'),
    ('ö', 0xfe57, 'o'),
];

/// An editor with a file open, as people write in: each saved by Ctrl+S.
struct Editor {
    _program: Process,
    _home: Home,
    file: PathBuf,
}

impl Editor {
    fn on(display: &Display) -> Self {
        let home = Home::new();
        let file = home.file("letter.txt");
        fs::write(&file, "").expect("writable");
        let mut program = display.command("featherpad");
        // Its settings are its own, and it does not look for another one that runs.
        program.args(["--standalone"]).arg(&file).env_remove("DBUS_SESSION_BUS_ADDRESS").env("QT_QPA_PLATFORM", "xcb");
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"] {
            program.env(name, home.path());
        }
        let program = Process::start(&mut program);
        display.focus(display.window("letter.txt"));
        Self { _program: program, _home: home, file }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap_or_default()
    }
}

/// A host with a notebook on its screen, and a supporter with a window on theirs.
struct Scene {
    // The viewer goes before the displays.
    viewer: Viewer,
    host: Host,
    notebook: Notebook,
    desk: Display,
    machine: Display,
    _manager: Process,
}

impl Scene {
    fn start(line: &str) -> Self {
        let machine = Display::start(640, 480);
        let notebook = Notebook::on(&machine);
        let desk = Display::start(800, 600);
        let manager = desk.run_window_manager();
        let mut host = Host::on(&machine, "");
        let viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, line);
        host.accept();
        viewer.is_in_session();
        let window = desk.window(&host.id);
        desk.focus(window);
        // Its page before the session takes keys too.
        until_true("the window drives", || desk.title(window).contains("you are in control"));
        Self { viewer, host, notebook, desk, machine, _manager: manager }
    }

    /// Waits until what was typed is in the file, and returns the newest line.
    #[track_caller]
    fn line(&self, number: usize) -> String {
        until_true(&format!("line {number} is there: {:?}", self.notebook.text()), || {
            self.notebook.text().matches('\n').count() > number
        });
        self.notebook.text().lines().nth(number).unwrap_or_default().to_owned()
    }
}

/// Gives a display this layout, as a person does in the settings.
#[track_caller]
fn lay_out(display: &Display, layout: &str) {
    let status = display.command("setxkbmap").args(["-layout", layout]).status().expect("setxkbmap runs");
    assert!(status.success(), "setxkbmap {layout}");
}

/// Types as a person does whose keys are labelled with this display's layout.
#[track_caller]
fn type_by_layout(display: &Display, text: &str) {
    for character in text.chars() {
        if let Some(key) = display.key_of_character(character) {
            display.type_key(key);
            continue;
        }
        let composed = COMPOSED.iter().filter(|(composed, ..)| *composed == character);
        let mut keys = composed.filter_map(|(_, dead, base)| {
            Some([display.key_at_any_level(|keysym| keysym.raw() == *dead)?, display.key_of_character(*base)?])
        });
        keys.next().unwrap_or_else(|| panic!("no key for {character:?}")).into_iter().for_each(|key| display.type_key(key));
    }
    tap(display, keysym::RETURN);
}

/// Presses and releases the key that has this keysym without Shift.
fn tap(display: &Display, keysym: u32) {
    display.type_key((display.keycode(keysym), 0));
}

/// Types each viewer's text under each host's layout in one session, into an editor, and says how many are in the saved file. Then into a
/// terminal whose layout has no Latin letter at all.
#[test]
fn every_layout_types_its_text_on_every_other() {
    let scene = Scene::start("");
    let editor = Editor::on(&scene.machine);
    let (mut number, mut wrong) = (0, Vec::new());
    let begun = Instant::now();
    for (on_host, _) in LAYOUTS {
        // As people have it who write Cyrillic: with Latin letters behind it, or no shortcut would work at the host itself.
        lay_out(&scene.machine, if on_host == "ru" { "ru,us" } else { on_host });
        for (at_viewer, text) in LAYOUTS {
            lay_out(&scene.desk, at_viewer);
            type_by_layout(&scene.desk, text);
            chord(&scene.desk, 's');
            until_true(&format!("line {number} is saved: {:?}", editor.text()), || editor.text().matches('\n').count() > number);
            let line = editor.text().lines().nth(number).unwrap_or_default().to_owned();
            if line != text {
                wrong.push(format!("{at_viewer} -> {on_host}: {line:?} is not {text:?}"));
            }
            number += 1;
        }
    }
    println!("keyboard matrix: {}/{number} in {:.1} s", number - wrong.len(), begun.elapsed().as_secs_f32());
    assert!(wrong.is_empty(), "{wrong:#?}");
    scene.machine.focus(scene.machine.window("notebook"));
    lay_out(&scene.machine, "ru");
    for (number, (at_viewer, text)) in LAYOUTS.into_iter().enumerate() {
        lay_out(&scene.desk, at_viewer);
        type_by_layout(&scene.desk, text);
        assert_eq!(scene.line(number), text, "{at_viewer} -> ru without Latin letters");
    }
    until_true("nothing stays held", || scene.machine.held_keys().is_empty());
}

/// Ctrl and the key that is labelled with this letter, as by the layout of this display or, where it has none, as on a US keyboard.
fn chord(display: &Display, letter: char) {
    const US_S: u8 = 39;
    let key = display.key_of_character(letter).unwrap_or((US_S, 0));
    display.press(display.keycode(keysym::CONTROL));
    display.type_key(key);
    display.release(display.keycode(keysym::CONTROL));
}

#[test]
fn locks_are_in_step_and_a_held_key_repeats_until_it_is_up() {
    let scene = Scene::start("");
    lay_out(&scene.desk, "de");
    let tap = |keysym| tap(&scene.desk, keysym);
    tap(keysym::CAPS_LOCK);
    type_by_layout(&scene.desk, "hello");
    assert_eq!(scene.line(0), "HELLO");
    tap(keysym::CAPS_LOCK);
    type_by_layout(&scene.desk, "hello");
    assert_eq!(scene.line(1), "hello");
    tap(keysym::NUM_LOCK);
    [79, 84, 81].into_iter().for_each(|keypad| scene.desk.type_key((keypad, 0))); // 7, 5, 9
    tap(keysym::RETURN);
    assert_eq!(scene.line(2), "759");
    tap(keysym::NUM_LOCK);
    // One that another key stands in for, whose Shift is let go meanwhile: a German / is Shift and 7.
    scene.desk.press(scene.desk.keycode(keysym::SHIFT));
    let (slash, _) = scene.desk.key_of_character('/').expect("a key");
    scene.desk.press(slash);
    until_true("a key is held on the host", || !scene.machine.held_keys().is_empty());
    std::thread::sleep(std::time::Duration::from_millis(1200)); // X repeats after 660 ms, 25 times a second
    scene.desk.release(slash);
    scene.desk.release(scene.desk.keycode(keysym::SHIFT));
    until_true("nothing is held", || scene.machine.held_keys().is_empty());
    tap(keysym::RETURN);
    let line = scene.line(3);
    assert!(line.len() > 2 && line.chars().all(|character| character == '/'), "{line:?}");
}

#[test]
fn the_hosts_locks_are_as_they_were_when_the_viewer_drives_no_more() {
    let mut scene = Scene::start("");
    let (found, viewers) = ((false, true), (true, false));
    tap(&scene.machine, keysym::NUM_LOCK);
    assert_eq!(scene.machine.locks(), found);
    tap(&scene.desk, keysym::CAPS_LOCK);
    let mut lines = String::new();
    let mut drives = |scene: &Scene| {
        type_by_layout(&scene.desk, "x");
        lines += "X\n";
        scene.notebook.has(&lines);
        assert_eq!(scene.machine.locks(), viewers);
    };
    drives(&scene);
    scene.host.rs.send("take");
    until_true("taking control puts the locks back", || scene.machine.locks() == found);
    scene.host.rs.send("allow control");
    scene.viewer.rs.expect_where("control", |event| event["holder"] == "remote");
    until_true("the window drives", || scene.desk.title(scene.desk.window(&scene.host.id)).contains("you are in control"));
    drives(&scene);
    scene.desk.close(scene.desk.window(&scene.host.id));
    until_true("the end puts the locks back", || scene.machine.locks() == found);
}

#[test]
fn shortcuts_go_to_the_key_with_their_letter() {
    let scene = Scene::start("");
    lay_out(&scene.desk, "de");
    let chord = |letter: char| chord(&scene.desk, letter);
    // In a terminal Ctrl+V takes the next key literally: Ctrl+Z, which is elsewhere on a German keyboard, is written, not obeyed.
    for (number, host) in ["us", "de", "fr"].into_iter().enumerate() {
        lay_out(&scene.machine, host);
        chord('v');
        chord('z');
        chord('v');
        chord('a');
        type_by_layout(&scene.desk, "");
        assert_eq!(scene.line(number), "\u{1a}\u{1}", "{host}");
    }
}

#[test]
fn a_mode_can_be_forced_and_changed() {
    let display = Display::start(640, 480);
    lay_out(&display, "de");
    let notebook = Notebook::on(&display);
    let mut host = Host::on(&display, "");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "--keyboard physical");
    let mut expected = String::new();
    for (mode, typed) in [("", "y"), ("keyboard auto", "z"), ("keyboard physical", "y"), ("keyboard translate", "z")] {
        if !mode.is_empty() {
            viewer.rs.send(mode);
        }
        viewer.rs.send("key z");
        viewer.rs.send("key Return");
        expected += &format!("{typed}\n");
        notebook.has(&expected);
    }
    viewer.rs.send("keyboard loud");
    viewer.rs.expect_where("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("translate")));
}

#[test]
fn in_physical_mode_the_hosts_layout_decides() {
    let scene = Scene::start("--keyboard physical");
    lay_out(&scene.machine, "de");
    lay_out(&scene.desk, "us");
    type_by_layout(&scene.desk, "yz;'");
    assert_eq!(scene.line(0), "zyöä");
    assert!(scene.host.rs.seen("warning").is_empty() && scene.viewer.rs.seen("warning").is_empty());
}
