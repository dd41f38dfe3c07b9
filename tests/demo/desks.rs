//! The two desks of the demo: the machine of the person who needs help, and the supporter's.

use std::{fs, path::PathBuf, process::Command};

use crate::support::{
    display::Display,
    image::{Colour, Image},
    machine::Home,
    process::{Process, missing},
    until, until_true,
};

/// The machine's screen in pixels; it fits into the supporter's, one pixel for one.
const MACHINE: (u16, u16) = (1120, 700);
/// The supporter's screen in pixels, when it is a private one.
const SUPPORTER: (u16, u16) = (1280, 850);

/// A directory listing in colours, as anybody's terminal shows, and a prompt.
const LISTING: &str = "cd /usr/share && printf '\\033[1;32mgrandma@kitchen\\033[0m:\\033[1;34m/usr/share\\033[0m$ ls -l\\n' \
     && ls -l --color=always --time-style=long-iso | head -n 17 \
     && printf '\\033[1;32mgrandma@kitchen\\033[0m:\\033[1;34m/usr/share\\033[0m$ ' && exec sleep 3600";

/// The editor's background.
const PAPER: Colour = [0xff; 3];

/// What the letter says before help comes.
const LETTER: &str = "Dear supporter,\n\nthe printer says PC LOAD LETTER again.\nWhat does that even mean?\n\n";

/// A machine that somebody works at: a terminal, an editor with a letter in it, a clock.
pub(crate) struct Machine {
    _programs: Vec<Process>,
    /// Its screen.
    pub(crate) display: Display,
    letter: PathBuf,
    editor: u32,
    _home: Home,
}

impl Machine {
    /// Turns it on and waits until all is there.
    pub(crate) fn start() -> Self {
        let home = Home::new();
        let letter = home.file("letter.txt");
        fs::write(&letter, LETTER).expect("a letter can be written");
        let display = Display::start(MACHINE.0, MACHINE.1);
        let mut programs = vec![display.run_window_manager()];
        paint(&display, "#2b4c6f");
        let font = ["-fa", "DejaVu Sans Mono", "-fs", "9", "-bg", "#10161f", "-fg", "#d8dee9"];
        let place = ["-T", "terminal", "-geometry", "78x20+24+12", "-e", LISTING];
        programs.push(display.run("xterm", &[&font[..], &place[..]].concat()));
        programs.push(display.run("xclock", &["-geometry", "84x84+662+12", "-bg", "#eceff4", "-hd", "#2e3440", "-hl", "#2e3440"]));
        programs.push(Process::start(editor(&display, &home).arg(&letter)));
        let editor = display.window("letter.txt");
        display.place(editor, 60, 330, 640, 330); // left of where the panel comes
        display.window("terminal");
        display.window("xclock");
        display.focus(editor);
        let machine = Self { _programs: programs, display, letter, editor, _home: home };
        let (x, y) = machine.editor();
        until_true("the editor shows its paper", || machine.display.pixel(x, y) == PAPER);
        machine
    }

    /// A place in the editor right of and below all text: a click there leaves the cursor at the letter's end, even when the
    /// window manager hands the click on only after the first keys.
    pub(crate) fn editor(&self) -> (i16, i16) {
        let (x, y, width, height) = self.display.geometry(self.editor).expect("a window that stays open");
        (x + i16::try_from(width * 9 / 10).unwrap_or(0), y + i16::try_from(height * 2 / 3).unwrap_or(0))
    }

    /// A part of the screen that does not change by itself, and where it is.
    fn still_part(&self) -> (Image, (usize, usize)) {
        let (x, y, width, height) = (60, 150, 300, 120); // below the toolbar that greets the supporter
        (self.display.picture().part(x, y, width, height), (x, y))
    }

    /// Waits until the saved letter has this text in it.
    pub(crate) fn letter_has(&self, text: &str) {
        until_true("the letter has what the supporter typed", || {
            fs::read_to_string(&self.letter).is_ok_and(|letter| letter.contains(text))
        });
    }
}

/// An editor that keeps its settings to itself and does not look for another one that runs.
fn editor(display: &Display, home: &Home) -> Command {
    let mut editor = display.command("featherpad");
    editor
        .arg("--standalone")
        .arg("+")
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path());
    editor.env("QT_QPA_PLATFORM", "xcb").env_remove("DBUS_SESSION_BUS_ADDRESS");
    editor
}

/// Whether the window fits one pixel for one, with a window manager's frame around it.
fn has_room(display: &Display) -> bool {
    let (width, height) = display.size();
    width > MACHINE.0 + 40 && height > MACHINE.1 + 80
}

fn paint(display: &Display, colour: &str) {
    let painted = display.command("xsetroot").args(["-solid", colour]).status();
    assert!(painted.is_ok_and(|status| status.success()), "{}", missing("xsetroot"));
}

/// Where the supporter sits: at the display of whoever runs the demo, or at a private one.
pub(crate) struct Supporter {
    _manager: Option<Process>,
    /// Their screen.
    pub(crate) display: Display,
}

impl Supporter {
    /// Sits down.
    pub(crate) fn start() -> Self {
        if let Some(display) = Display::of_this_person().filter(has_room) {
            return Self { _manager: None, display };
        }
        let display = Display::start(SUPPORTER.0, SUPPORTER.1);
        let manager = display.run_window_manager();
        paint(&display, "#3b3f46");
        Self { _manager: Some(manager), display }
    }

    /// Where the machine's screen begins on this one, once the window shows its picture pixel for pixel.
    pub(crate) fn sees(&self, machine: &Machine, window: u32) -> (i16, i16) {
        until("the window shows the machine's screen", || {
            let (part, (x, y)) = machine.still_part();
            let (found_x, found_y) = self.display.picture_of(window)?.find(&part)?;
            // Only now: the window takes its size, and with it its place, when the first picture is there.
            let (left, top, ..) = self.display.geometry(window)?;
            let inside = |found: usize, start: usize| i16::try_from(found.checked_sub(start)?).ok();
            Some((left + inside(found_x, x)?, top + inside(found_y, y)?))
        })
    }

    /// Types into the window, and only there.
    pub(crate) fn types(&self, window: u32, text: &str) {
        for line in text.split_inclusive('\n') {
            self.display.focus(window);
            self.display.type_text(line);
        }
    }

    /// What the supporter has before their eyes: the whole private screen, or only the window on somebody's own.
    pub(crate) fn picture(&self, window: u32) -> Image {
        if self.display.is_private() {
            return self.display.picture();
        }
        self.display.picture_of(window).unwrap_or_else(|| Image::filled(1, 1, FRAME))
    }
}

/// The colour between the two screens.
const FRAME: Colour = [0x14, 0x16, 0x1a];
/// Pixels around each screen.
const MARGIN: usize = 24;

/// Both screens side by side.
pub(crate) fn side_by_side(left: &Image, right: &Image) -> Image {
    let height = left.height.max(right.height);
    let mut both = Image::filled(left.width + right.width + 3 * MARGIN, height + 2 * MARGIN, FRAME);
    both.draw(left, MARGIN, MARGIN + (height - left.height) / 2);
    both.draw(right, left.width + 2 * MARGIN, MARGIN + (height - right.height) / 2);
    both
}
