//! The viewer in a terminal: a pseudo-terminal of util-linux' `script`, behind which the test answers and understands as a terminal
//! with kitty's graphics does.

use std::{
    io::{Read, Write},
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use data_encoding::BASE64;

use crate::{
    desktop::Notebook,
    support::{
        PATIENCE,
        display::Display,
        image::Image,
        machine::{Home, Host},
        process::Process,
        rs::binary,
        until_true,
    },
};

/// Cells of the window, and pixels of a cell: the picture above the status line is the host's screen, pixel for pixel.
const WINDOW: (usize, usize) = (80, 26);
const CELL: (usize, usize) = (8, 16);
const SCREEN: (u16, u16) = (640, 400);

/// What a terminal answers to `rs`: graphics, a cell's size, its attributes.
const ABILITIES: &[u8] = b"\x1b_Gi=31;OK\x1b\\\x1b[6;16;8t\x1b[?62;22c";

/// `rs connect --view terminal` in a terminal.
struct Terminal {
    process: Process,
    keyboard: Arc<Mutex<ChildStdin>>,
    seen: Arc<Mutex<Seen>>,
    _home: Home,
}

/// What the terminal shows, and all it was sent.
struct Seen {
    bytes: Vec<u8>,
    /// How much of it is understood.
    read: usize,
    picture: Image,
    frames: usize,
}

impl Terminal {
    fn start(host: &Host) -> Self {
        let home = Home::new();
        let (target, program) = (host.direct("tcp"), binary());
        let shell = format!(
            "stty cols {} rows {}; exec {} connect --no-lan --view terminal --listen /ip4/127.0.0.1/tcp/0 {target}",
            WINDOW.0,
            WINDOW.1,
            program.display()
        );
        let mut command = Command::new("script");
        command.args(["-qefc", &shell, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("RS_HOME", home.path()).env("RS_PASSWORD", &host.password).env("TERM", "xterm-kitty").env_remove("DISPLAY");
        let mut process = Process::start(&mut command);
        let keyboard = Arc::new(Mutex::new(process.child().stdin.take().expect("it was piped")));
        let mut screen = process.child().stdout.take().expect("it was piped");
        let picture = Image::filled(SCREEN.0.into(), SCREEN.1.into(), [0; 3]);
        let seen = Arc::new(Mutex::new(Seen { bytes: Vec::new(), read: 0, picture, frames: 0 }));
        let (shown, answers) = (seen.clone(), keyboard.clone());
        thread::spawn(move || {
            let mut bytes = [0; 1 << 16];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let answer = lock(&shown).take(&bytes[..count]);
                let _ = lock(&answers).write_all(&answer);
            }
        });
        Self { process, keyboard, seen, _home: home }
    }

    fn types(&self, bytes: &[u8]) {
        lock(&self.keyboard).write_all(bytes).expect("the terminal is there");
    }

    fn has(&self, text: &str) -> bool {
        String::from_utf8_lossy(&lock(&self.seen).bytes).contains(text)
    }

    /// The upper part of what it shows; the pointer is kept below it.
    fn shows(&self, wanted: &Image) -> bool {
        lock(&self.seen).picture.part(0, 0, wanted.width, wanted.height) == *wanted
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// Follows what is sent, as far as it is whole, and gives the answers.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.bytes.extend_from_slice(bytes);
        let mut answers = Vec::new();
        loop {
            let rest = String::from_utf8_lossy(&self.bytes[self.read..]).into_owned();
            let (Some(start), Some(end)) = (rest.find("\x1b[?2026h"), rest.find("\x1b[5n")) else { break };
            self.draw(&rest[start..end]);
            self.frames += 1;
            self.read += end + 4;
            answers.extend_from_slice(b"\x1b[0n");
        }
        if self.read == 0 && self.bytes.windows(3).any(|window| window == b"\x1b[c") {
            self.read = self.bytes.len();
            answers.extend_from_slice(ABILITIES);
        } else if self.bytes.ends_with(b"\x1b[?1049l\x1b[c") {
            answers.extend_from_slice(b"\x1b[?62;22c");
        }
        answers
    }

    /// Draws the images of a frame.
    fn draw(&mut self, frame: &str) {
        let (mut place, mut head, mut data) = ((0, 0), String::new(), Vec::new());
        for sequence in frame.split('\x1b') {
            if let Some((row, column)) = sequence.strip_prefix('[').and_then(|at| at.split_once('H')?.0.split_once(';')) {
                let number = |text: &str| text.parse::<usize>().expect("a place") - 1;
                place = (number(column), number(row));
            }
            let Some((control, payload)) = sequence.strip_prefix("_G").and_then(|command| command.split_once(';')) else {
                continue;
            };
            if head.is_empty() {
                control.clone_into(&mut head);
            }
            data.extend(BASE64.decode(payload.as_bytes()).expect("base64"));
            if control.ends_with("m=0") {
                self.place(&std::mem::take(&mut head), place, &std::mem::take(&mut data));
            }
        }
    }

    fn place(&mut self, head: &str, place: (usize, usize), data: &[u8]) {
        let side = |key: &str| head.split(',').find_map(|pair| pair.strip_prefix(key)?.parse::<usize>().ok()).expect("a size");
        let mut rgb = Vec::new();
        flate2::read::ZlibDecoder::new(data).read_to_end(&mut rgb).expect("zlib");
        let (width, height) = (side("s="), side("v="));
        let tile = Image { width, height, pixels: rgb.as_chunks::<3>().0.to_vec() };
        self.picture.draw(&tile, place.0 * CELL.0, place.1 * CELL.1);
    }
}

#[test]
fn the_terminal_shows_the_hosts_screen_to_the_pixel_and_drives_it() {
    let machine = Display::start(SCREEN.0, SCREEN.1);
    let notebook = Notebook::on(&machine);
    machine.point(620, 390);
    let mut host = Host::on(&machine, "");
    let mut terminal = Terminal::start(&host);
    host.accept();
    let shown = || machine.picture().part(0, 0, SCREEN.0.into(), 360);
    until_true("the terminal shows the host's screen, pixel for pixel", || terminal.shows(&shown()));
    assert!(terminal.has(&host.id) && terminal.has("you are in control"), "the status line");

    terminal.types(b"\x1b[<0;26;10M\x1b[<0;26;10m");
    until_true("the host's pointer is in the middle of the cell", || machine.pointer() == (204, 152));
    terminal.types(b"Typed in a terminal\r");
    notebook.has("Typed in a terminal\n");
    until_true("nothing stays held", || machine.held_keys().is_empty() && !machine.holds_a_button());

    host.rs.send("chat \x1b[2J\x1b]0;gotcha\x07hello");
    until_true("chat is told", || terminal.has("]0;gotcha"));
    assert!(!terminal.has("\x1b]0;gotcha"), "a host cannot set the title");

    terminal.types(b"\x1dq");
    assert_eq!(host.rs.expect("session-ended")["reason"], "viewer-left");
    assert_eq!(terminal.process.wait(PATIENCE).and_then(|status| status.code()), Some(0));
    assert!(terminal.has("\x1b_Ga=d,d=A,q=2\x1b\\") && terminal.has("\x1b[?1003l") && terminal.has("\x1b[?1049l"), "put back");
    until_true("the end is told where it stays", || terminal.has("The session is finished after"));
}

#[test]
fn a_terminal_that_is_told_to_end_is_put_back() {
    let mut host = Host::pattern("");
    let mut terminal = Terminal::start(&host);
    host.accept();
    until_true("a picture is shown", || lock(&terminal.seen).frames > 0);
    let group = terminal.process.id();
    let children = std::fs::read_to_string(format!("/proc/{group}/task/{group}/children")).expect("the process runs");
    let child = children.trim().parse().ok().and_then(rustix::process::Pid::from_raw).expect("one child");
    rustix::process::kill_process(child, rustix::process::Signal::TERM).expect("it runs");
    assert_eq!(host.rs.expect("session-ended")["reason"], "viewer-left");
    until_true("put back", || terminal.has("\x1b[?1049l"));
    assert!(terminal.process.wait(PATIENCE).is_some());
}
