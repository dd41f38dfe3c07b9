//! Files that are dragged onto the supporter's window, as a file manager does it (XDND, version 5).

use std::{fs, path::Path};

use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        xproto::{
            Atom, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, SELECTION_NOTIFY_EVENT,
            SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::support::{
    display::Display,
    image::Colour,
    machine::{Home, Host, Viewer},
    until, until_true,
};

/// The edge of the place to drop at.
const ACCENT: Colour = [0x1f, 0x6f, 0xd6];

/// Something that is dragged over a window.
struct Drag {
    x: RustConnection,
    source: Window,
    target: Window,
    data: String,
}

impl Drag {
    /// This file comes to the window, and rests there until the window knows what it is.
    fn over(display: &Display, target: Window, file: &Path) -> Self {
        let (x, screen) = RustConnection::connect(Some(display.name())).expect("a display");
        let root = x.setup().roots[screen].root;
        let source = x.generate_id().expect("a number");
        let (class, none) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
        x.create_window(0, source, root, 0, 0, 1, 1, 0, class, 0, &none).expect("takes requests").check().expect("a window");
        let path = file.to_str().expect("a path").replace('%', "%25").replace(' ', "%20").replace('ö', "%C3%B6");
        let drag = Self { x, source, target, data: format!("file://{path}\r\n") };
        let selection = drag.atom("XdndSelection");
        drag.x.set_selection_owner(source, selection, x11rb::CURRENT_TIME).expect("takes requests").check().expect("ours");
        drag.tell("XdndEnter", [5 << 24, drag.atom("text/uri-list"), 0, 0]);
        drag.tell("XdndPosition", [0, 300 << 16 | 300, x11rb::CURRENT_TIME, drag.atom("XdndActionCopy")]);
        let (mut accepted, mut asked) = (false, false);
        until_true("the window knows what comes", || {
            match drag.x.poll_for_event().expect("the display lives") {
                Some(Event::SelectionRequest(request)) => {
                    drag.give(&request);
                    asked = true;
                }
                Some(Event::ClientMessage(told)) if told.type_ == drag.atom("XdndStatus") => {
                    accepted |= told.data.as_data32()[1] & 1 == 1;
                }
                _ => {}
            }
            accepted && asked
        });
        drag
    }

    /// The button is let go.
    fn drop(self) {
        self.tell("XdndDrop", [0, x11rb::CURRENT_TIME, 0, 0]);
        let finished = self.atom("XdndFinished");
        until("it has taken it", || match self.x.poll_for_event().expect("the display lives")? {
            Event::ClientMessage(told) if told.type_ == finished => Some(()),
            _ => None,
        });
    }

    fn give(&self, request: &SelectionRequestEvent) {
        let SelectionRequestEvent { time, requestor, selection, target, property, .. } = *request;
        let written = self.x.change_property8(PropMode::REPLACE, requestor, property, target, self.data.as_bytes());
        written.expect("takes requests").check().expect("the window is there");
        let answer = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time,
            requestor,
            selection,
            target,
            property,
        };
        let sent = self.x.send_event(false, requestor, EventMask::NO_EVENT, answer);
        sent.expect("takes requests").check().expect("the window is there");
    }

    fn tell(&self, what: &str, [first, second, third, fourth]: [u32; 4]) {
        let data = [self.source, first, second, third, fourth];
        let message = ClientMessageEvent::new(32, self.target, self.atom(what), data);
        let sent = self.x.send_event(false, self.target, EventMask::NO_EVENT, message);
        sent.expect("takes requests").check().expect("the window is there");
    }

    fn atom(&self, name: &str) -> Atom {
        self.x.intern_atom(false, name.as_bytes()).expect("takes requests").reply().expect("atoms are cheap").atom
    }
}

#[test]
fn a_file_that_is_dropped_on_the_window_arrives_and_a_folder_is_told_what_to_do() {
    let home = Home::new();
    let (there, file) = (home.file("host"), home.file("größe 100%.txt"));
    fs::write(&file, "dropped").expect("written");
    let mut host = Host::pattern(&format!("--files {}", there.display()));
    let desk = Display::start(1100, 700);
    let _manager = desk.run_window_manager();
    let viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, "");
    let window = desk.window(&host.id);
    host.accept();
    viewer.is_in_session();
    until_true("the picture", || desk.title(window).contains("you are in control"));

    let before = desk.picture_of(window).expect("the window is there").count(ACCENT);
    let drag = Drag::over(&desk, window, &file);
    until_true("it says where", || desk.picture_of(window).is_some_and(|picture| picture.count(ACCENT) > before + 500));
    drag.drop();
    let arrived = host.rs.expect_where("file", |file| file["state"] == "done");
    assert_eq!(arrived["name"], "größe 100%.txt");
    assert_eq!(fs::read_to_string(there.join("größe 100%.txt")).expect("it is there"), "dropped");

    Drag::over(&desk, window, home.path()).drop();
    let refused = viewer.rs.expect_where("file", |file| file["state"] == "failed");
    assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains("folder; pack it")), "{refused}");
}
