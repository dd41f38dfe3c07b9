//! The keyboard types what was meant: every pair of the viewer's and the host's layouts, from the key to the saved file.

use std::{fs, path::PathBuf, time::Instant};

use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        xproto::{ConnectionExt as _, CreateWindowAux, EventMask, KeyButMask, WindowClass},
    },
    rust_connection::RustConnection,
};

use crate::{
    desktop::Notebook,
    scene::Scene,
    support::{
        display::{Display, keysym},
        image::{Colour, Image},
        machine::{Home, Host, session},
        process::Process,
        until, until_true,
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

/// Waits until what was typed is in the notebook, and returns the newest line.
#[track_caller]
fn line(scene: &Scene, number: usize) -> String {
    let text = || scene.notebook.text();
    until_true(&format!("line {number} is there: {:?}", text()), || text().matches('\n').count() > number);
    text().lines().nth(number).unwrap_or_default().to_owned()
}

/// A window that writes down every key that it gets.
struct KeyLog {
    connection: RustConnection,
    seen: Vec<Seen>,
}

/// A key event: down or up, what is on the key, whether Shift was held.
type Seen = (bool, u32, bool);

impl KeyLog {
    /// Opens one on this display and gives it the keyboard.
    fn on(display: &Display) -> Self {
        let (connection, screen) = RustConnection::connect(Some(display.name())).expect("a display");
        let (root, window) = (connection.setup().roots[screen].root, connection.generate_id().expect("an identifier"));
        let wanted = CreateWindowAux::new().event_mask(EventMask::KEY_PRESS | EventMask::KEY_RELEASE);
        let (class, visual) = (WindowClass::INPUT_OUTPUT, x11rb::COPY_FROM_PARENT);
        connection.create_window(0, window, root, 300, 300, 100, 100, 0, class, visual, &wanted).expect("takes requests");
        connection.map_window(window).expect("takes requests").check().expect("the window is there");
        display.focus(window);
        Self { connection, seen: Vec::new() }
    }

    /// Waits until enough was seen, and returns all of it.
    #[track_caller]
    fn until(&mut self, what: &str, is_enough: impl Fn(&[Seen]) -> bool) -> &[Seen] {
        until_true(what, || {
            while let Some(event) = self.connection.poll_for_event().expect("the display answers") {
                let (down, event) = match event {
                    Event::KeyPress(event) => (true, event),
                    Event::KeyRelease(event) => (false, event),
                    _ => continue,
                };
                let keysyms = self.connection.get_keyboard_mapping(event.detail, 1).expect("takes requests").reply();
                self.seen.push((down, keysyms.expect("a keyboard").keysyms[0], event.state.contains(KeyButMask::SHIFT)));
            }
            is_enough(&self.seen)
        });
        &self.seen
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
        assert_eq!(line(&scene, number), text, "{at_viewer} -> ru without Latin letters");
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
    assert_eq!(line(&scene, 0), "HELLO");
    tap(keysym::CAPS_LOCK);
    type_by_layout(&scene.desk, "hello");
    assert_eq!(line(&scene, 1), "hello");
    tap(keysym::NUM_LOCK);
    [79, 84, 81].into_iter().for_each(|keypad| scene.desk.type_key((keypad, 0))); // 7, 5, 9
    tap(keysym::RETURN);
    assert_eq!(line(&scene, 2), "759");
    tap(keysym::NUM_LOCK);
    // One that another key stands in for, whose Shift is let go meanwhile: a German / is Shift and 7.
    let mut keys = KeyLog::on(&scene.machine);
    let is_slash = |(down, key, shift): &&Seen| *down && *key == u32::from('/') && !shift;
    scene.desk.press(scene.desk.keycode(keysym::SHIFT));
    let (slash, _) = scene.desk.key_of_character('/').expect("a key");
    scene.desk.press(slash);
    keys.until("it repeats", |seen| seen.iter().filter(is_slash).count() > 3);
    scene.desk.release(slash);
    scene.desk.release(scene.desk.keycode(keysym::SHIFT));
    until_true("nothing is held", || scene.machine.held_keys().is_empty());
    tap(keysym::RETURN);
    // The end of the Return before may come into the log, too.
    let seen = keys.until("Return", |seen| seen.ends_with(&[(true, keysym::RETURN, false), (false, keysym::RETURN, false)]));
    let others = seen.iter().filter(|(down, key, _)| *down && *key != u32::from('/'));
    let others: Vec<u32> = others.map(|(_, key, _)| *key).collect();
    assert_eq!(others, [keysym::SHIFT, keysym::SHIFT, keysym::RETURN], "{seen:x?}");
}

#[test]
fn the_hosts_locks_are_as_they_were_when_the_viewer_drives_no_more() {
    let mut scene = Scene::start("");
    let (found, viewers) = ((false, true), (true, false));
    tap(&scene.machine, keysym::NUM_LOCK);
    until_true("the host has its locks", || scene.machine.locks() == found);
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
    until_true("the window knows", || !scene.desk.title(scene.window).contains("you are in control"));
    scene.host.rs.send("allow control");
    scene.drives();
    drives(&scene);
    scene.desk.close(scene.window);
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
        assert_eq!(line(&scene, number), "\u{1a}\u{1}", "{host}");
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
    assert_eq!(line(&scene, 0), "zyöä");
    assert!(scene.host.rs.seen("warning").is_empty() && scene.viewer.rs.seen("warning").is_empty());
}

/// The toolbar's menu "Keys", by the middle of its button in the supporter's window.
fn keys_button(window: &Image) -> Option<(i16, i16)> {
    const END: Colour = [0xd6, 0x45, 0x1f];
    const BUTTON: Colour = [0xe9, 0xec, 0xf0];
    // Buttons lie in one row; near its upper edge there are no letters.
    let row = window.pixels.iter().position(|pixel| *pixel == END)? / window.width + 3;
    let pixels = &window.pixels[row * window.width..][..window.width];
    let mut end = 0;
    let mut buttons = pixels.chunk_by(|left, right| left == right).filter_map(|run| {
        end += run.len();
        (run[0] == BUTTON && run.len() > 20).then_some(end - run.len() / 2)
    });
    let small = |length| i16::try_from(length).expect("a window is small");
    Some((small(buttons.nth(1)?), small(row + 10)))
}

/// Each sends just its keys, whatever the supporter's own desktop would do with them.
#[test]
fn special_keys_of_the_toolbar_arrive_as_they_are_and_none_stays_held() {
    /// From the button to the first item of its menu, and from one to the next.
    const ROW: i16 = 35;
    const MENU: Colour = [0xfb, 0xfb, 0xfc];
    let (ctrl, alt) = (keysym::CONTROL, keysym::ALT);
    let special: [&[u32]; 7] = [
        &[ctrl, alt, 0xffff], // Delete
        &[ctrl, alt, 0xff08], // Backspace
        &[ctrl, 0xff1b],      // Escape
        &[alt, 0xff09],       // Tab
        &[alt, 0xffc1],       // F4
        &[0xffeb],            // Super
        &[0xff61],            // Print
    ];
    let scene = Scene::start("");
    let (left, top) = scene.origin();
    scene.desk.chord(&[ctrl, alt, u32::from('t')]);
    let picture = || scene.desk.picture_of(scene.window).expect("the window is there");
    let (x, y) = until("the toolbar", || keys_button(&picture()));
    let (x, y) = (left + x, top + y);
    until_true("nothing of the chord is held", || scene.machine.held_keys().is_empty());
    let mut keys = KeyLog::on(&scene.machine);
    let has_menu = || scene.desk.pixel(x, y + ROW + ROW / 2) == MENU;
    let mut wanted: Vec<Seen> = Vec::new();
    for (row, combination) in (1..).zip(special) {
        scene.desk.click(x, y, 1);
        until_true("the menu", has_menu);
        scene.desk.click(x, y + row * ROW, 1);
        until_true("the menu is gone", || !has_menu());
        wanted.extend(combination.iter().map(|key| (true, *key, false)));
        wanted.extend(combination.iter().rev().map(|key| (false, *key, false)));
        let seen = keys.until(&format!("item {row}"), |seen| seen.len() >= wanted.len());
        assert_eq!(seen, wanted, "{seen:x?}");
    }
    assert!(scene.machine.held_keys().is_empty());
}

#[test]
fn what_the_host_cannot_type_is_told_once_and_nothing_else_is_lost() {
    let scene = Scene::start("");
    // No key is free to borrow.
    let (connection, _) = RustConnection::connect(Some(scene.machine.name())).expect("a display");
    let all = connection.get_keyboard_mapping(9, 247).expect("takes requests").reply().expect("a keyboard");
    for (keycode, keysyms) in (9..=u8::MAX).zip(all.keysyms.chunks_exact(all.keysyms_per_keycode.into())) {
        if keysyms.iter().all(|keysym| *keysym == x11rb::NO_SYMBOL) {
            connection
                .change_keyboard_mapping(1, keycode, 1, &[keysym::CAPS_LOCK])
                .expect("takes requests")
                .check()
                .expect("a key");
        }
    }
    lay_out(&scene.desk, "de");
    type_by_layout(&scene.desk, "Straße, öfter");
    type_by_layout(&scene.desk, "grün");
    scene.notebook.has("Strae, fter\ngrn\n");
    let warnings =
        scene.viewer.rs.expect_where("warning", |warning| warning["text"].as_str().is_some_and(|text| text.contains('ß')));
    assert!(warnings["text"].as_str().is_some_and(|text| text.contains("keyboard cannot give")), "{warnings}");
    assert_eq!(scene.viewer.rs.seen("warning").len(), 1, "once");
    until_true("nothing is held", || scene.machine.held_keys().is_empty());
}
