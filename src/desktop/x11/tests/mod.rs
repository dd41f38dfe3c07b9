//! Tests against a real X server: a private Xvfb for each test, on a display number of its own choice.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use x11rb::{
    protocol::{
        Event,
        xfixes::ConnectionExt as _,
        xinput::{ConnectionExt as _, InputStateData},
        xproto::{ConnectionExt as _, CreateGCAux, CreateWindowAux, Rectangle, WindowClass},
        xtest::ConnectionExt as _,
    },
    wrapper::ConnectionExt as _,
};

mod input;
mod screens;

use super::{
    devices::{Kind, devices},
    *,
};
use crate::{
    desktop::{
        Backend, Injector, Screen, Sight,
        capture::Options,
        inject::Inject,
        open_screen,
        pattern::{Desktop, PatternInjector, PatternScreen},
        takeover::Takeover,
    },
    protocol::input::{Button, InputEvent, Key},
    video::frame::{Damage, Frame, Rect},
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Xvfb {
    _server: Process,
    name: String,
}

impl Xvfb {
    fn start(size: &str) -> Self {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", size]);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("install Xvfb: these tests need it");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert!(!number.is_empty(), "Xvfb did not start");
        Self { _server: Process(server), name: format!(":{}", number.trim()) }
    }

    fn options(&self, backend: Backend) -> Options {
        Options { backend, display: None, x_display: Some(self.name.clone()) }
    }

    fn display(&self) -> Display {
        Display::open(Some(&self.name)).unwrap()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Process {
        let mut command = Command::new(program);
        Process(command.env("DISPLAY", &self.name).args(arguments).stderr(Stdio::null()).spawn().unwrap())
    }

    fn finish(&self, program: &str, arguments: &[&str]) {
        let mut process = self.run(program, arguments);
        assert!(process.0.wait().unwrap().success(), "{program} {arguments:?}");
    }
}

/// Fills a rectangle of the root window.
fn fill(display: &Display, rect: Rect, color: u32) {
    let gc = display.x.generate_id().unwrap();
    display.x.create_gc(gc, display.root, &CreateGCAux::new().foreground(color)).unwrap();
    let area = Rectangle { x: rect.x.cast_signed(), y: rect.y.cast_signed(), width: rect.width, height: rect.height };
    display.x.poly_fill_rectangle(display.root, gc, &[area]).unwrap();
    display.x.free_gc(gc).unwrap();
    display.x.sync().unwrap();
}

fn pixel(frame: &Frame, x: u16, y: u16) -> u32 {
    let bytes = frame.row(x, y, 1);
    u32::from_be_bytes([0, bytes[2], bytes[1], bytes[0]])
}

fn covers(damage: &Damage, rect: Rect) -> bool {
    damage.rects().iter().any(|damaged| damaged.union(rect) == *damaged)
}

/// Waits until the screen tells what is wanted.
fn await_sight<T>(screen: &mut dyn Screen, wanted: impl Fn(Sight) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = wanted(screen.wait(Some(PATIENCE)).unwrap()) {
            return found;
        }
    }
    panic!("not seen in time");
}

fn await_damage(screen: &mut dyn Screen) {
    await_sight(screen, |sight| (sight == Sight::Damaged).then_some(()));
}

/// Takes what was told before, such as the first shape.
fn settle(screen: &mut dyn Screen) {
    let deadline = Instant::now() + PATIENCE;
    while screen.wait(Some(Duration::from_millis(50))).unwrap() != Sight::Nothing {
        assert!(Instant::now() < deadline);
    }
}

/// What every screen must do. `draw` changes the rectangle that it returns.
fn conforms(screen: &mut dyn Screen, draw: &mut dyn FnMut() -> Rect) -> Frame {
    let mut frame = Frame::new(crate::video::frame::Size { width: 1, height: 1 });
    let shape = await_sight(screen, |sight| match sight {
        Sight::CursorShape(shape) => Some(shape),
        _ => None,
    });
    assert_eq!(shape.bgra.len(), usize::from(shape.width) * usize::from(shape.height) * 4);
    assert_eq!(screen.grab(&mut frame).unwrap(), Damage::full(screen.view().size), "the first picture is whole");
    assert_eq!(frame.size(), screen.view().size);

    let before = frame.clone();
    let drawn = draw();
    await_damage(screen);
    let damage = screen.grab(&mut frame).unwrap();
    assert!(covers(&damage, drawn), "{damage:?} misses {drawn:?}");
    assert!(frame != before);

    screen.wake()();
    assert_eq!(await_sight(screen, |sight| (sight == Sight::Nothing).then_some(sight)), Sight::Nothing, "woken");
    frame
}

fn conforms_on_x11(backend: Backend) {
    let server = Xvfb::start("800x600x24");
    let painter = server.display();
    let mut screen = open_screen(&server.options(backend)).unwrap();
    let rect = Rect { x: 100, y: 50, width: 20, height: 10 };
    let mut draw = || {
        fill(&painter, rect, 0x12_34_56);
        rect
    };
    let mut frame = conforms(&mut *screen, &mut draw);
    assert_eq!((pixel(&frame, 100, 50), pixel(&frame, 119, 59)), (0x12_34_56, 0x12_34_56));
    assert_ne!(pixel(&frame, 120, 60), 0x12_34_56);

    settle(&mut *screen);
    assert_eq!(screen.wait(Some(Duration::ZERO)).unwrap(), Sight::Nothing, "nothing changed");
    assert!(screen.grab(&mut frame).unwrap().is_empty());

    server.finish("xrandr", &["--newmode", "small", "24", "640", "656", "720", "800", "480", "490", "492", "525"]);
    server.finish("xrandr", &["--addmode", "screen", "small"]);
    server.finish("xrandr", &["--output", "screen", "--mode", "small"]);
    await_damage(&mut *screen);
    let size = Size { width: 640, height: 480 };
    assert_eq!(screen.grab(&mut frame).unwrap(), Damage::full(size));
    assert_eq!((frame.size(), screen.view().size), (size, size));
    fill(&painter, Rect { x: 639, y: 479, width: 1, height: 1 }, 0xff_00_00);
    await_damage(&mut *screen);
    screen.grab(&mut frame).unwrap();
    assert_eq!(pixel(&frame, 639, 479), 0xff_00_00, "fresh pixels after the resize");

    settle(&mut *screen);
    painter.x.xfixes_query_version(5, 0).unwrap().reply().unwrap();
    painter.x.warp_pointer(x11rb::NONE, painter.root, 0, 0, 0, 0, 33, 44).unwrap();
    fill(&painter, rect, 0x65_43_21);
    let place = await_sight(&mut *screen, |sight| match sight {
        Sight::CursorPosition { x, y } => Some((x, y)),
        _ => None,
    });
    assert_eq!(place, (33, 44));
}

#[test]
fn the_x11_screen_conforms() {
    conforms_on_x11(Backend::X11);
}

#[cfg(feature = "scrap")]
#[test]
fn the_scrap_screen_conforms_and_leaves_no_segment_open() {
    conforms_on_x11(Backend::Scrap);
    let me = std::process::id().to_string();
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    assert!(!table.lines().any(|line| line.split_ascii_whitespace().nth(4) == Some(&me)), "{table}");
}

#[test]
fn the_pattern_screen_conforms() {
    let desktop = Desktop::new();
    let mut injector = PatternInjector::new(Arc::clone(&desktop));
    let mut draw = || {
        injector.inject(&InputEvent::Motion { x: 5, y: 200 }).unwrap();
        Rect { x: 0, y: 199, width: 17, height: 3 }
    };
    conforms(&mut PatternScreen::new(desktop), &mut draw);
}

#[test]
fn no_change_is_missed_while_the_pointer_is_asked_for() {
    let server = Xvfb::start("640x480x24");
    let painter = server.display();
    let mut screen = open_screen(&server.options(Backend::X11)).unwrap();
    let mut frame = Frame::new(screen.view().size);
    let rect = Rect { x: 8, y: 8, width: 8, height: 8 };
    for round in 1..=60 {
        // Spreads the changes over the moments at which the screen asks for the pointer.
        let paint = || {
            std::thread::sleep(Duration::from_millis(30) + Duration::from_micros(u64::from(round) * 100));
            fill(&painter, rect, round);
        };
        std::thread::scope(|scope| {
            scope.spawn(paint);
            while pixel(&frame, 8, 8) != round {
                await_damage(&mut *screen);
                screen.grab(&mut frame).unwrap();
            }
        });
    }
}

#[test]
fn the_cursor_of_a_window_is_told() {
    let server = Xvfb::start("640x480x24");
    let mut screen = open_screen(&server.options(Backend::X11)).unwrap();
    settle(&mut *screen);
    server.finish("xsetroot", &["-cursor_name", "watch"]);
    let painter = server.display();
    painter.x.warp_pointer(x11rb::NONE, painter.root, 0, 0, 0, 0, 100, 100).unwrap();
    painter.x.sync().unwrap();
    await_sight(&mut *screen, |sight| match sight {
        Sight::CursorShape(shape) => {
            let is_visible = shape.bgra.chunks_exact(4).any(|pixel| pixel[3] == 255);
            (shape.width > 4 && shape.hot_x < shape.width && is_visible).then_some(())
        }
        _ => None,
    });
}

#[test]
fn a_monitor_is_cropped_and_an_unknown_one_lists_those_there_are() {
    let server = Xvfb::start("800x600x24");
    server.finish("xrandr", &["--setmonitor", "left", "400/100x600/100+0+0", "screen"]);
    server.finish("xrandr", &["--setmonitor", "right", "400/100x600/100+400+0", "none"]);
    let painter = server.display();
    let all = open_screen(&server.options(Backend::X11)).unwrap();
    let index = all.view().screens.iter().position(|screen| screen.x == 400).unwrap();
    let options = Options { display: Some(index), ..server.options(Backend::X11) };
    let mut screen = open_screen(&options).unwrap();
    let mut frame = Frame::new(screen.view().size);
    assert_eq!(screen.view().size, Size { width: 400, height: 600 });
    screen.grab(&mut frame).unwrap();
    fill(&painter, Rect { x: 390, y: 7, width: 20, height: 1 }, 0xab_cd_ef);
    await_damage(&mut *screen);
    let damage = screen.grab(&mut frame).unwrap();
    assert!(covers(&damage, Rect { x: 0, y: 7, width: 10, height: 1 }), "{damage:?}");
    assert_eq!((pixel(&frame, 9, 7), pixel(&frame, 10, 7)), (0xab_cd_ef, 0));

    let (x, y) = screen.view().on_desktop(3, 4);
    let mut injector = X11Injector::open(&options).unwrap();
    injector.inject(&InputEvent::Motion { x, y }).unwrap();
    let pointer = painter.x.query_pointer(painter.root).unwrap().reply().unwrap();
    assert_eq!((pointer.root_x, pointer.root_y), (403, 4));

    let missing = Options { display: Some(9), ..server.options(Backend::X11) };
    let error = open_screen(&missing).err().unwrap().to_string();
    assert!(error.contains("no monitor 9") && error.contains("right, 400x600"), "{error}");
}

#[test]
fn a_server_that_dies_is_an_error() {
    let server = Xvfb::start("640x480x24");
    let mut screen = open_screen(&server.options(Backend::X11)).unwrap();
    settle(&mut *screen);
    drop(server);
    let error = screen.wait(Some(PATIENCE)).unwrap_err();
    assert!(error.0.contains("gone"), "{error}");
    assert!(screen.grab(&mut Frame::new(Size { width: 1, height: 1 })).is_err());
}

#[test]
fn a_display_that_does_not_exist_is_one_plain_line() {
    let options = Options { x_display: Some(":5999".into()), ..Options::default() };
    let error = open_screen(&options).err().unwrap().to_string();
    assert!(error.contains("--capture pattern") && !error.contains('\n'), "{error}");
}

#[test]
fn a_screen_of_another_colour_depth_is_refused() {
    let server = Xvfb::start("640x480x16");
    let error = open_screen(&server.options(Backend::X11)).err().unwrap().to_string();
    assert!(error.contains("16-bit"), "{error}");
}
