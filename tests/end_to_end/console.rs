//! The viewer in a terminal: a pseudo-terminal of util-linux' `script`, behind which the test answers and understands as a terminal
//! with kitty's graphics does.

use std::{
    io::{Read, Write},
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use data_encoding::BASE64;

use crate::{
    desktop::Notebook,
    support::{
        PATIENCE,
        display::Display,
        image::Image,
        machine::{Home, Host},
        process::{Process, processor_time},
        rs::binary,
        until_true,
    },
};

/// Cells of the window, and pixels of a cell: the picture above the status line is the host's screen, pixel for pixel.
const WINDOW: (usize, usize) = (80, 26);
const CELL: (usize, usize) = (8, 16);
/// No window is larger.
const LARGEST: (usize, usize) = (160, 46);
const SCREEN: (u16, u16) = (640, 400);

/// What a terminal answers to `rs`: graphics, a cell's size, its attributes.
const ABILITIES: &[u8] = b"\x1b_Gi=31;OK\x1b\\\x1b[6;16;8t\x1b[?62;22c";

/// The same of one that tells when keys go up, and pixels of the mouse.
const MODERN: &[u8] = b"\x1b_Gi=31;OK\x1b\\\x1b[6;16;8t\x1b[?1016;2$y\x1b[?0u\x1b[?62;22c";

/// `rs connect --view terminal` in a terminal.
struct Terminal {
    process: Process,
    keyboard: Arc<Mutex<ChildStdin>>,
    seen: Arc<Mutex<Seen>>,
    _home: Home,
}

/// What the terminal shows, and all it was sent.
struct Seen {
    abilities: &'static [u8],
    bytes: Vec<u8>,
    /// How much of it is understood.
    read: usize,
    picture: Image,
    frames: usize,
}

impl Terminal {
    fn start(host: &Host) -> Self {
        Self::that_can(host, ABILITIES, WINDOW, |_| ())
    }

    /// One that answers this, of this size; `line` gets the number of the bytes that came, and may take its time.
    fn that_can(
        host: &Host,
        abilities: &'static [u8],
        window: (usize, usize),
        mut line: impl FnMut(usize) + Send + 'static,
    ) -> Self {
        let home = Home::new();
        let (target, program) = (host.direct("tcp"), binary());
        let shell = format!(
            "stty cols {} rows {}; exec {} connect --no-lan --view terminal --listen /ip4/127.0.0.1/tcp/0 {target}",
            window.0,
            window.1,
            program.display()
        );
        let mut command = Command::new("script");
        command.args(["-qefc", &shell, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("RS_HOME", home.path()).env("RS_PASSWORD", &host.password).env("TERM", "xterm-kitty").env_remove("DISPLAY");
        let mut process = Process::start(&mut command);
        let keyboard = Arc::new(Mutex::new(process.child().stdin.take().expect("it was piped")));
        let mut screen = process.child().stdout.take().expect("it was piped");
        let picture = Image::filled(LARGEST.0 * CELL.0, LARGEST.1 * CELL.1, [0; 3]);
        let seen = Arc::new(Mutex::new(Seen { abilities, bytes: Vec::new(), read: 0, picture, frames: 0 }));
        let (shown, answers) = (seen.clone(), keyboard.clone());
        thread::spawn(move || {
            let mut bytes = [0; 1 << 16];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                line(count);
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

    /// The program in it.
    fn program(&self) -> u32 {
        let script = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{script}/task/{script}/children")).expect("the process runs");
        children.trim().parse().expect("one child")
    }

    /// Gives the window another size.
    fn resize(&self, columns: usize, rows: usize) {
        let terminal = format!("/proc/{}/fd/0", self.program());
        let size = format!("stty cols {columns} rows {rows} < {terminal}");
        assert!(Command::new("sh").args(["-c", &size]).status().expect("a shell").success());
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
            answers.extend_from_slice(self.abilities);
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
    let child = i32::try_from(terminal.program()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(child, rustix::process::Signal::TERM).expect("it runs");
    assert_eq!(host.rs.expect("session-ended")["reason"], "viewer-left");
    until_true("put back", || terminal.has("\x1b[?1049l"));
    assert!(terminal.process.wait(PATIENCE).is_some());
}

#[test]
fn what_a_modern_terminal_tells_arrives_and_another_size_is_followed() {
    let machine = Display::start(SCREEN.0, SCREEN.1);
    let notebook = Notebook::on(&machine);
    let mut host = Host::on(&machine, "");
    let terminal = Terminal::that_can(&host, MODERN, WINDOW, |_| ());
    host.accept();
    until_true("a picture is shown, and who drives", || terminal.has("\x1b_Ga=T") && terminal.has("you are in control"));
    until_true("its modes are on", || terminal.has("\x1b[>27u") && terminal.has("\x1b[?1016h"));

    terminal.types(b"\x1b[<35;206;152M");
    until_true("the pointer is at the pixel", || machine.pointer() == (205, 151));
    // Shift and a as a terminal tells them, Return, then pasted lines in pieces.
    terminal.types(b"\x1b[57441u\x1b[97;2;65u\x1b[57441;2:3u\x1b[97;1:3u\x1b[13u\x1b[13;1:3u");
    notebook.has("A\n");
    terminal.types(b"\x1b[200~past");
    terminal.types("ed: \u{fc}\x1b[201~\r".as_bytes());
    notebook.has("A\npasted: \u{fc}\n");
    until_true("nothing stays held", || machine.held_keys().is_empty());
    terminal.types(b"\x1b[D");
    until_true("the key is held", || machine.held_keys().len() == 1);
    terminal.types(b"\x1b[1;1:3D");
    until_true("the key is up", || machine.held_keys().is_empty());

    for (columns, rows) in [(100, 31), (60, 21)] {
        let before = lock(&terminal.seen).bytes.len();
        terminal.resize(columns, rows);
        let status = format!("\x1b[{rows};1H");
        until_true("all is drawn anew, with the status line in the last row", || {
            let seen = lock(&terminal.seen);
            let new = String::from_utf8_lossy(&seen.bytes[before..]);
            new.contains("\x1b[2J") && new.contains(&status) && new.contains("\x1b_Ga=T")
        });
    }
    terminal.types(b"\x1b[93;5u\x1b[113;;113u");
    host.rs.expect("session-ended");
    until_true("its modes are off", || terminal.has("\x1b[<u") && terminal.has("\x1b[?1016l"));
}

/// Measures for the table in docs/BENCHMARKS.md, which has the command.
#[test]
#[ignore = "measures for a minute; run it alone"]
fn what_a_terminal_costs() {
    const KINDS: [(&str, &[u8]); 3] = [
        ("kitty", b"\x1b_Gi=31;OK\x1b\\\x1b[6;16;8t\x1b[?62;22c"),
        ("sixel", b"\x1b[6;16;8t\x1b[?1;0;256S\x1b[?62;4;22c"),
        ("blocks", b"\x1bP1$r0;48:2::1:2:3m\x1b\\\x1b[?62;22c"),
    ];
    const KEYS: usize = 60;
    println!("kind    first KB  still B  key B  moving KB/s  frames/s  CPU %  slow: frames/s  key ms  MB");
    for (kind, abilities) in KINDS {
        let machine = Display::start(1280, 720);
        let notebook = Notebook::on(&machine);
        let mut host = Host::on(&machine, "");
        let terminal = Terminal::that_can(&host, abilities, LARGEST, |_| ());
        host.accept();
        let bytes = || lock(&terminal.seen).bytes.len();
        let frames = || lock(&terminal.seen).frames;
        until_true("a picture is shown", || frames() > 1 && terminal.has("you are in control"));
        let rest = || {
            let mut before = 0;
            while before != bytes() {
                before = bytes();
                thread::sleep(Duration::from_secs(5));
            }
        };
        rest();
        let first = bytes();
        thread::sleep(Duration::from_secs(5));
        let still = bytes() - first;

        let before = bytes();
        for _ in 0..KEYS {
            terminal.types(b"x");
            thread::sleep(Duration::from_millis(150));
        }
        terminal.types(b"\r");
        notebook.has(&format!("{}\n", "x".repeat(KEYS)));
        let typed = (bytes() - before) / KEYS;

        let scroll = "while :; do for line in /usr/include/*.h; do echo $line; sleep 0.01; done; done";
        let _moving = machine.run("xterm", &["-geometry", "140x40+100+60", "-e", scroll]);
        thread::sleep(Duration::from_secs(2));
        let (before, shown, busy, start) = (bytes(), frames(), processor_time(terminal.program()), Instant::now());
        thread::sleep(Duration::from_secs(8));
        let seconds = start.elapsed().as_secs_f64();
        let (moved, shown) = (bytes() - before, frames() - shown);
        let busy = (processor_time(terminal.program()) - busy).as_secs_f64() / seconds * 100.0;
        drop(terminal);
        host.rs.expect("session-ended");

        // The same behind 50 kB/s.
        host.follow_password();
        let terminal = Terminal::that_can(&host, abilities, LARGEST, |count| {
            thread::sleep(Duration::from_secs_f64(count as f64 / 50e3));
        });
        host.accept();
        until_true("a picture is shown", || lock(&terminal.seen).frames > 1);
        let (frames, start) = (lock(&terminal.seen).frames, Instant::now());
        let mut keys = Vec::new();
        while start.elapsed() < Duration::from_secs(20) {
            let (x, y) = (8 * (keys.len() % 100) + 4, 8);
            let sent = Instant::now();
            terminal.types(format!("\x1b[<35;{};1M", keys.len() % 100 + 1).as_bytes());
            until_true("the pointer is there", || machine.pointer() == (x as i16, y));
            keys.push(sent.elapsed());
            thread::sleep(Duration::from_millis(200));
        }
        let rate = (lock(&terminal.seen).frames - frames) as f64 / start.elapsed().as_secs_f64();
        let memory = std::fs::read_to_string(format!("/proc/{}/status", terminal.program())).expect("it runs");
        let memory = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a size").trim().to_owned();
        let slowest = keys.iter().max().expect("some").as_secs_f64() * 1e3;
        println!(
            "{kind:7} {:8.0} {still:8} {typed:6} {:12.0} {:9.1} {busy:6.0} {rate:16.1} {slowest:7.0}  {memory}",
            first as f64 / 1e3,
            moved as f64 / seconds / 1e3,
            shown as f64 / seconds,
        );
    }
}
