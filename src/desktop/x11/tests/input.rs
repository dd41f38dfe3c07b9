//! Keys, text and the person at the machine.

use super::*;
use crate::desktop::takeover::Act;

/// The keys and buttons that injected input holds.
fn held(display: &Display) -> Vec<u8> {
    let mut held = Vec::new();
    for (id, kind) in devices(display).unwrap() {
        if kind == Kind::Injected {
            for class in display.x.xinput_query_device_state(id.try_into().unwrap()).unwrap().reply().unwrap().classes {
                let bits = match class.data {
                    InputStateData::Key(state) => state.keys,
                    InputStateData::Button(state) => state.buttons,
                    _ => continue,
                };
                held.extend((0..=u8::MAX).filter(|code| bits[usize::from(code / 8)] >> (code % 8) & 1 == 1));
            }
        }
    }
    held
}

fn await_held(display: &Display, wanted: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    while held(display) != wanted {
        assert!(Instant::now() < deadline, "held: {:?}, wanted: {wanted:?}", held(display));
        std::thread::yield_now();
    }
}

#[test]
fn halt_and_the_end_let_go_of_keys_and_buttons() {
    let server = Xvfb::start("640x480x24");
    let display = server.display();
    let inject = Inject::start(server.options(Backend::X11), mpsc::channel(1).0).unwrap();
    let press = || {
        inject.send(InputEvent::Key { key: Key(0xe1), down: true });
        inject.send(InputEvent::Button { button: Button::Forward, down: true });
    };
    press();
    await_held(&display, &[9, 50]);
    inject.halt();
    await_held(&display, &[]);
    press();
    await_held(&display, &[9, 50]);
    drop(inject);
    assert!(held(&display).is_empty());
}

#[test]
fn what_a_crashed_program_held_is_released_at_the_start() {
    let server = Xvfb::start("640x480x24");
    let display = server.display();
    display.x.xtest_fake_input(x11rb::protocol::xproto::KEY_PRESS_EVENT, 50, 0, display.root, 0, 0, 0).unwrap();
    display.x.xtest_fake_input(x11rb::protocol::xproto::BUTTON_PRESS_EVENT, 1, 0, display.root, 0, 0, 0).unwrap();
    display.x.sync().unwrap();
    await_held(&display, &[1, 50]);
    let _injector = X11Injector::open(&server.options(Backend::X11)).unwrap();
    assert!(held(&display).is_empty());
}

/// Types into a real xterm and returns what arrived in the file.
fn type_into_xterm(server: &Xvfb, text: &str, prepare: &[InputEvent]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (file, ready) = (folder.path().join("typed"), folder.path().join("ready"));
    let script = format!("touch {}; exec cat > {}", ready.display(), file.display());
    let _terminal = server.run("xterm", &["-u8", "-e", "sh", "-c", &script]);
    await_file(&ready, |_| true);
    focus_terminal(&server.display());
    let inject = Inject::start(server.options(Backend::X11), mpsc::channel(1).0).unwrap();
    prepare.iter().for_each(|event| inject.send(event.clone()));
    inject.send(InputEvent::Text(format!("{text}\n")));
    await_file(&file, |content| content.ends_with('\n') && content.len() >= text.len())
}

/// Without a window manager nobody focuses a new window.
fn focus_terminal(display: &Display) {
    let window = *display.x.query_tree(display.root).unwrap().reply().unwrap().children.last().unwrap();
    let parent = x11rb::protocol::xproto::InputFocus::POINTER_ROOT;
    let deadline = Instant::now() + PATIENCE;
    while display.x.set_input_focus(parent, window, x11rb::CURRENT_TIME).unwrap().check().is_err() {
        assert!(Instant::now() < deadline, "the window is not shown");
    }
}

fn await_file(path: &Path, is_done: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match fs::read_to_string(path) {
            Ok(content) if is_done(&content) => return content,
            _ if Instant::now() > deadline => panic!("{}: {:?}", path.display(), fs::read_to_string(path)),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

const TEXT: &str = "Hello, WORLD! {[(<@#$%^&*>)]} 'a' \"b\" ~`|\\ äöüÄÖÜß € é ñ ж Ω 中 → fin";

#[test]
fn text_arrives_whole_with_a_us_layout() {
    let server = Xvfb::start("800x600x24");
    assert_eq!(type_into_xterm(&server, TEXT, &[]), format!("{TEXT}\n"));
}

#[test]
fn text_arrives_whole_with_a_german_layout_and_caps_lock_and_shift_held() {
    let server = Xvfb::start("800x600x24");
    server.finish("setxkbmap", &["de"]);
    let (caps, shift) = (Key(0x39), Key(0xe1));
    let prepare = [(caps, true), (caps, false), (shift, true)].map(|(key, down)| InputEvent::Key { key, down });
    assert_eq!(type_into_xterm(&server, TEXT, &prepare), format!("{TEXT}\n"));
}

#[test]
fn text_arrives_whole_while_another_group_is_active() {
    let server = Xvfb::start("800x600x24");
    server.finish("setxkbmap", &["us,ru"]);
    let display = server.display();
    use x11rb::protocol::{xkb, xkb::ConnectionExt as _, xproto::ModMask};
    display.x.xkb_use_extension(1, 0).unwrap().reply().unwrap();
    let none = ModMask::from(0_u16);
    let group = xkb::Group::from(1_u8);
    display.x.xkb_latch_lock_state(0x100, none, none, true, group, none, false, 0).unwrap().check().unwrap();
    assert_eq!(type_into_xterm(&server, "hello Hello жЖ ы.,", &[]), "hello Hello жЖ ы.,\n");
}

/// Moves, presses or types as a person does: events of a real device, which only libXtst's device calls can make.
fn act_as_person(server: &Xvfb, action: &str) {
    const SCRIPT: &str = r#"
import ctypes, sys
x, xi, xt = (ctypes.CDLL(name) for name in ("libX11.so.6", "libXi.so.6", "libXtst.so.6"))
x.XOpenDisplay.restype = xi.XOpenDevice.restype = ctypes.c_void_p
class Info(ctypes.Structure):
    _fields_ = [("id", ctypes.c_ulong), ("type", ctypes.c_ulong), ("name", ctypes.c_char_p), ("classes", ctypes.c_int), ("use", ctypes.c_int), ("info", ctypes.c_void_p)]
xi.XListInputDevices.restype = ctypes.POINTER(Info)
d = ctypes.c_void_p(x.XOpenDisplay(None))
n = ctypes.c_int()
devices = xi.XListInputDevices(d, ctypes.byref(n))
ids = {devices[i].name.decode(): devices[i].id for i in range(n.value)}
def device(name): return ctypes.c_void_p(xi.XOpenDevice(d, ctypes.c_ulong(ids[name])))
zero = ctypes.c_ulong(0)
if sys.argv[1] == "move":
    mouse = device("Xvfb mouse")
    for place in ((50, 60), (70, 90)):
        xt.XTestFakeDeviceMotionEvent(d, mouse, 0, 0, (ctypes.c_int * 2)(*place), 2, zero)
elif sys.argv[1] == "shake":
    xt.XTestFakeDeviceMotionEvent(d, device("Xvfb mouse"), 1, 0, (ctypes.c_int * 2)(1, 0), 2, zero)
elif sys.argv[1] == "click":
    for down in (1, 0):
        xt.XTestFakeDeviceButtonEvent(d, device("Xvfb mouse"), 1, down, None, 0, zero)
else:
    for down in (1, 0):
        xt.XTestFakeDeviceKeyEvent(d, device("Xvfb keyboard"), 38, down, None, 0, zero)
x.XSync(d, 0)
"#;
    server.finish("python3", &["-c", SCRIPT, action]);
}

#[test]
fn the_person_is_noticed_and_injected_input_is_not() {
    let server = Xvfb::start("640x480x24");
    let (acts, mut nudged) = mpsc::channel(64);
    let takeover = Takeover::start(server.options(Backend::X11), move |act| !acts.try_send(act).is_err_and(is_closed)).unwrap();
    let mut injector = X11Injector::open(&server.options(Backend::X11)).unwrap();
    for event in [
        InputEvent::Motion { x: 10, y: 10 },
        InputEvent::Motion { x: 300, y: 300 },
        InputEvent::Button { button: Button::Left, down: true },
        InputEvent::Button { button: Button::Left, down: false },
        InputEvent::Scroll { dx: 1, dy: -1 },
        InputEvent::Key { key: Key(4), down: true },
        InputEvent::Key { key: Key(4), down: false },
        InputEvent::Text("Aä中".into()),
    ] {
        injector.inject(&event).unwrap();
    }
    for action in ["move", "click", "key"] {
        // Raw events come in order: had the watcher counted injected ones, a nudge would be there before the person acts.
        assert!(nudged.try_recv().is_err(), "nudged before {action}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            act_as_person(&server, action);
            if nudged.try_recv().is_ok() {
                break;
            }
            assert!(Instant::now() < deadline, "{action} was not noticed");
        }
        drain(&mut nudged);
    }
    drop(takeover);
    assert!(nudged.blocking_recv().is_none(), "the watcher has ended");
}

#[test]
fn a_desk_that_shakes_is_not_the_person() {
    let server = Xvfb::start("640x480x24");
    let (acts, mut told) = mpsc::channel(64);
    let _takeover = Takeover::start(server.options(Backend::X11), move |act| !acts.try_send(act).is_err_and(is_closed)).unwrap();
    // Raw events come in order: a shake that counted would be told before the key after it. One alone, for two within a moment count.
    act_as_person(&server, "shake");
    act_as_person(&server, "key");
    assert_eq!(told.blocking_recv(), Some(Act::Touch));
    assert_eq!(told.try_recv().ok(), None);
}

fn is_closed(error: mpsc::error::TrySendError<Act>) -> bool {
    matches!(error, mpsc::error::TrySendError::Closed(_))
}

/// Waits until the watcher has told all that happened.
fn drain(nudged: &mut mpsc::Receiver<Act>) {
    std::thread::sleep(Duration::from_millis(100));
    while nudged.try_recv().is_ok() {}
}

#[test]
fn a_window_that_grabs_the_keyboard_gets_physical_keys() {
    let server = Xvfb::start("640x480x24");
    let display = server.display();
    let window = display.x.generate_id().unwrap();
    let aux = CreateWindowAux::new().event_mask(x11rb::protocol::xproto::EventMask::KEY_PRESS).override_redirect(1);
    display.x.create_window(24, window, display.root, 0, 0, 9, 9, 0, WindowClass::INPUT_OUTPUT, 0, &aux).unwrap();
    display.x.map_window(window).unwrap();
    let parent = x11rb::protocol::xproto::InputFocus::PARENT;
    display.x.set_input_focus(parent, window, x11rb::CURRENT_TIME).unwrap().check().unwrap();
    let mut injector = X11Injector::open(&server.options(Backend::X11)).unwrap();
    // A, 1, Enter, F12, left, keypad 5, right Alt: where a PC's evdev layout has them.
    for (usage, keycode) in [(0x04, 38), (0x1e, 10), (0x28, 36), (0x45, 96), (0x50, 113), (0x5d, 84), (0xe6, 108)] {
        for down in [true, false] {
            injector.inject(&InputEvent::Key { key: Key(usage), down }).unwrap();
        }
        let pressed = loop {
            if let Event::KeyPress(event) = display.x.wait_for_event().unwrap() {
                break event.detail;
            }
        };
        assert_eq!(pressed, keycode, "{usage:#04x}");
    }
    assert!(injector.inject(&InputEvent::Key { key: Key(0xffff), down: true }).is_err());
}
