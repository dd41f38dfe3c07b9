//! The real window on a virtual display: pixels are read back from the screen, keys and clicks are those of XTEST. The window
//! runs in a child process (this test binary again), because an event loop wants a main thread and a `DISPLAY` of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use winit::platform::x11::EventLoopBuilderExtX11;
use x11rb::{
    connection::Connection,
    protocol::{
        xproto::{ConnectionExt as _, ImageFormat, InputFocus, Window as XWindow},
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
};

use super::*;
use crate::{
    protocol::permission::Permissions,
    ui::{QUEUE, event::PathInfo},
    video::frame::{Damage, Frame},
};

const SIZE: Size = Size { width: 320, height: 200 };
/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ended with the test, also a failed one.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn quarters() -> Frame {
    let mut frame = Frame::new(SIZE);
    for y in 0..SIZE.height {
        for x in 0..SIZE.width {
            let colour =
                [[10, 20, 200, 0], [10, 200, 20, 0], [200, 20, 10, 0], [90, 90, 90, 0]][usize::from(y / 100 * 2 + x / 160)];
            frame.row_mut(x, y, 1).copy_from_slice(&colour);
        }
    }
    frame
}

/// The child: shows a picture, paints its last quarter white after the first key, and says what was done, also by egui.
#[test]
#[ignore = "runs inside the_window_shows_pictures_and_takes_input"]
fn face_under_test() {
    tracing_subscriber::fmt().with_env_filter("rs::ui::soft=trace").with_writer(std::io::stdout).init();
    let ((events, told), (actions, mut acted)) = (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
    let picture = Picture::default();
    let seat = ViewerSeat { events: told, actions, picture: picture.clone() };
    let path = PathInfo { kind: "direct".to_owned(), transport: "quic".to_owned() };
    events.try_send(ViewerEvent::Connected { id: "9339-2522-7420-3124".to_owned(), path }).expect("room");
    events.try_send(ViewerEvent::Granted { permissions: Permissions::all() }).expect("room");
    let show = |change: &dyn Fn(&mut Frame)| {
        picture.update(|state| {
            change(&mut state.frame);
            state.damage = Damage::full(SIZE);
            state.shown = true;
        });
    };
    show(&|frame| *frame = quarters());
    let other = picture.clone();
    let listener = thread::spawn(move || {
        while let Some(action) = acted.blocking_recv() {
            println!("{action:?}");
            if matches!(action, ViewerAction::Input(InputEvent::Press { .. })) {
                other.update(|state| {
                    (150..200).for_each(|y| state.frame.row_mut(200, y, 120).fill(255));
                    state.damage.add(crate::video::frame::Rect { x: 200, y: 150, width: 120, height: 50 });
                });
            }
        }
    });
    let mut builder = EventLoop::with_user_event();
    builder.with_x11().with_any_thread(true);
    run_on(seat, Options::default(), builder).expect("a display");
    drop(events);
    listener.join().expect("no panic");
    println!("closed");
}

fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        thread::yield_now();
    }
}

fn find_window(x: &RustConnection, root: XWindow) -> Option<XWindow> {
    let children = x.query_tree(root).ok()?.reply().ok()?.children;
    children.into_iter().find(|window| {
        let shape = x.get_geometry(*window).ok().and_then(|cookie| cookie.reply().ok());
        shape.is_some_and(|shape| (shape.width, shape.height) == (SIZE.width, SIZE.height))
    })
}

fn pixel(x: &RustConnection, window: XWindow, at: (i16, i16)) -> Option<[u8; 3]> {
    let image = x.get_image(ImageFormat::Z_PIXMAP, window, at.0, at.1, 1, 1, u32::MAX).ok()?.reply().ok()?;
    image.data[..3].try_into().ok()
}

#[test]
fn the_window_shows_pictures_and_takes_input() {
    let Ok(server) = Command::new("Xvfb")
        .args("-displayfd 1 -screen 0 800x600x24 -noreset".split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
    else {
        eprintln!("skipped: Xvfb is not installed");
        return;
    };
    let mut server = Ended(server);
    let mut number = String::new();
    BufReader::new(server.0.stdout.take().expect("piped")).read_line(&mut number).expect("Xvfb says its number");
    let display = format!(":{}", number.trim());
    let mut face = Ended(
        Command::new(env::current_exe().expect("known"))
            .args(["--exact", "ui::window::tests::face_under_test", "--ignored", "--nocapture"])
            .env("DISPLAY", &display)
            .env_remove("WAYLAND_DISPLAY")
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts"),
    );
    let said = BufReader::new(face.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut said = said.filter(|line| {
        (line.contains("Input(") && !line.contains("Locks("))
            || ["Quit", "closed", "laid out"].iter().any(|part| line.contains(part))
    });

    let (x, screen) = x11rb::connect(Some(&display)).expect("the display runs");
    let root = x.setup().roots[screen].root;
    let window = until("the window", || find_window(&x, root));
    for (at, colour) in [((10, 10), [10, 20, 200]), ((310, 10), [10, 200, 20]), ((310, 195), [90, 90, 90])] {
        until("the picture", || (pixel(&x, window, at)? == colour).then_some(()));
    }

    let fake = |kind: u8, detail: u8, (px, py): (i16, i16)| {
        x.xtest_fake_input(kind, detail, 0, root, px, py, 0).expect("sent").check().expect("taken")
    };
    x.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).expect("sent").check().expect("focused");
    // From here on there is nothing over the picture: whatever is done, egui does not run.
    fake(6, 0, (41, 50));
    said.find(|line| line.contains("Motion { x: 41, y: 50 }")).expect("it moves");
    let mut expect = |part: &str| {
        // Motion is gathered.
        let other = |line: &String| line.contains("Motion") && !line.contains(part);
        let line = said.by_ref().find(|line| !other(line)).unwrap_or_default();
        assert!(line.contains(part), "expected {part}, got {line}");
    };
    (0..=50_i16).for_each(|step| fake(6, 0, (40 + step % 50, 50 + 2 * (step % 50))));
    expect("Motion { x: 40, y: 50 }");
    fake(4, 1, (0, 0));
    expect("Button { button: Left, down: true }");
    fake(5, 1, (0, 0));
    expect("Button { button: Left, down: false }");
    fake(4, 5, (0, 0));
    expect("Scroll { dx: 0, dy: 1 }");
    // winit 0.30 takes the release of a wheel button for a turn too, where the pointer has no scroll axes (XTEST, VNC servers).
    fake(5, 5, (0, 0));
    expect("Scroll { dx: 0, dy: 1 }");
    fake(2, 38, (0, 0));
    expect("Press { key: Key(4), meaning: Character('a') }");
    fake(3, 38, (0, 0));
    expect("Key { key: Key(4), down: false }");
    until("the change", || (pixel(&x, window, (310, 195))? == [255; 3]).then_some(()));

    // Ctrl+Alt+Q: the host sees the modifiers go down and up, never the Q.
    [37, 64, 24].into_iter().for_each(|code| fake(2, code, (0, 0)));
    expect("Key(224), down: true");
    expect("Key(226), down: true");
    expect("Key(224), down: false");
    expect("Key(226), down: false");
    expect("Quit");
    expect("closed");
    assert!(face.0.wait().expect("ended").success());
}

#[test]
fn a_picture_larger_than_the_monitor_is_shown_at_most_of_it() {
    let monitor = Some(PhysicalSize::new(1000, 1000));
    let wanted = |(width, height), monitor, dense| wanted_size(Size { width, height }, monitor, dense);
    assert_eq!(wanted((640, 480), monitor, 1.0), PhysicalSize::new(640, 480));
    assert_eq!(wanted((2000, 1000), monitor, 1.0), PhysicalSize::new(850, 425));
    assert_eq!(wanted((2000, 1000), None, 1.0), PhysicalSize::new(2000, 1000));
    assert_eq!(wanted((400, 300), monitor, 2.5), PhysicalSize::new(800, 600), "a dense monitor");
    assert_eq!(wanted((640, 480), monitor, 2.0), PhysicalSize::new(640, 480), "without room for a multiple");
}

#[test]
fn a_dropped_file_is_sent_if_files_are_permitted() {
    let (actions, mut acted) = mpsc::channel(QUEUE);
    let mut face = Face::new(Options::default(), Picture::default(), Arc::new(AtomicBool::new(false)), actions);
    let mut drop_one = |face: &mut Face| {
        face.drop_file(PathBuf::from("/tmp/a"));
        assert!(face.hands.flush(&face.actions));
        acted.try_recv().ok()
    };
    assert_eq!(drop_one(&mut face), None, "there is no session yet");
    face.status.follow(&ViewerEvent::Granted { permissions: Permissions::view_only() }, Instant::now());
    assert_eq!(drop_one(&mut face), None);
    assert!(face.status.notes().any(|note| note.contains("has not allowed files")));
    face.status.follow(&ViewerEvent::Permissions { permissions: Permissions::all(), timers: Vec::new() }, Instant::now());
    assert_eq!(drop_one(&mut face), Some(ViewerAction::Send(vec![PathBuf::from("/tmp/a")])));
}
