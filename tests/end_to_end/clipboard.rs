//! What is copied at one side can be pasted at the other, if the host's user permits it.

use std::{
    fs,
    process::Stdio,
    thread::{self, JoinHandle},
    time::Instant,
};

use serde_json::json;
use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        xproto::{
            ConnectionExt as _, CreateWindowAux, EventMask, PropMode, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent,
            SelectionRequestEvent, WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::support::{
    display::Display,
    machine::{Home, Host, Viewer, session},
    process::Process,
    until_true,
};

/// Copies the file at this display, as a program there would. It is there to be pasted as long as the process lives.
fn copy_file(display: &Display, file: &std::path::Path, target: &str) -> Process {
    display.run("xclip", &["-quiet", "-selection", "clipboard", "-in", "-target", target, file.to_str().expect("a path")])
}

fn copy(display: &Display, home: &Home, text: &str) -> Process {
    let file = home.file("copied.txt");
    fs::write(&file, text).expect("writable");
    copy_file(display, &file, "UTF8_STRING")
}

/// What a program at this display would paste.
fn pasted(display: &Display, target: &str) -> Vec<u8> {
    let mut xclip = display.command("xclip");
    xclip.args(["-selection", "clipboard", "-out", "-target", target]).stdout(Stdio::piped());
    xclip.output().expect("xclip runs").stdout
}

#[track_caller]
fn has(display: &Display, text: &str) {
    until_true(&format!("{text:?} can be pasted"), || pasted(display, "UTF8_STRING") == text.as_bytes());
}

/// The pixels of a PNG, as RGBA.
fn pixels(png: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    reader.next_frame(&mut pixels).ok()?;
    Some(pixels)
}

fn write_png(file: &std::path::Path, side: u16) -> Vec<u8> {
    let rgba: Vec<u8> =
        (0..u32::from(side) * u32::from(side)).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let mut encoder = png::Encoder::new(fs::File::create(file).expect("writable"), side.into(), side.into());
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header().expect("a header").write_image_data(&rgba).expect("written");
    rgba
}

#[test]
fn what_is_copied_at_one_side_is_pasted_at_the_other_both_text_and_images() {
    let (machine, desk, home) = (Display::start(640, 480), Display::start(800, 600), Home::new());
    let _before = copy(&desk, &home, "copied before the session");
    let mut host = Host::on(&machine, "");
    let viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, "");
    host.accept();
    viewer.is_in_session();

    let begun = Instant::now();
    let _text = copy(&desk, &home, "Grüße, мир 你好\nsecond line");
    has(&machine, "Grüße, мир 你好\nsecond line");
    println!("text from a program to a program, two runs of xclip included: {:?}", begun.elapsed());
    host.rs.expect_where("clipboard", |event| event["from"] == "viewer" && event["kind"] == "text");
    viewer.rs.expect_where("clipboard", |event| event["from"] == "viewer" && event["kind"] == "text");

    let _text = copy(&machine, &home, "and back");
    has(&desk, "and back");

    let file = home.file("picture.png");
    let rgba = write_png(&file, 300);
    let _image = copy_file(&machine, &file, "image/png");
    until_true("the picture can be pasted", || pixels(&pasted(&desk, "image/png")).is_some_and(|pasted| pasted == rgba));
    let kinds: Vec<_> = host.rs.seen("clipboard").iter().map(|event| (event["from"].clone(), event["kind"].clone())).collect();
    let expected = [("viewer", "text"), ("host", "text"), ("host", "image")].map(|(from, kind)| (json!(from), json!(kind)));
    assert_eq!(kinds, expected, "each copy travelled once, and nothing came back");
}

#[test]
fn nothing_is_shared_before_it_is_permitted_nor_after() {
    let (machine, home) = (Display::start(640, 480), Home::new());
    let mut host = Host::on(&machine, "--allow control");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    viewer.rs.send("copy nobody wants this");
    viewer.rs.expect_where("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("allow clipboard")));
    let _secret = copy(&machine, &home, "copied before it was permitted");
    has(&machine, "copied before it was permitted");

    host.rs.send("allow clipboard");
    viewer.rs.expect_where("permissions", |event| event["permissions"].to_string().contains("clipboard"));
    let _open = copy(&machine, &home, "copied after");
    viewer.rs.expect_where("clipboard", |event| event["from"] == "host" && event["bytes"] == 12);
    let file = home.file("pasted.txt");
    viewer.rs.send(&format!("paste {}", file.display()));
    viewer.rs.expect("pasted");
    assert_eq!(fs::read_to_string(&file).expect("saved"), "copied after");

    host.rs.send("revoke clipboard");
    viewer.rs.expect_where("permissions", |event| !event["permissions"].to_string().contains("clipboard"));
    viewer.rs.send("copy too late");
    viewer.rs.expect_where("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("allow clipboard")));
    has(&machine, "copied after");
    assert_eq!(viewer.rs.seen("clipboard").len(), 1, "what was copied before and after stayed where it was");
}

/// A program that copied this password, until another one copies something. A manager of passwords marks it as a secret.
fn copy_password(display: &Display, password: &'static str, is_marked: bool) -> JoinHandle<()> {
    let (connection, screen) = RustConnection::connect(Some(display.name())).expect("a display");
    let atom = |name: &str| connection.intern_atom(false, name.as_bytes()).expect("sent").reply().expect("an atom").atom;
    let (clipboard, text, hint) = (atom("CLIPBOARD"), atom("UTF8_STRING"), atom("x-kde-passwordManagerHint"));
    let (window, root) = (connection.generate_id().expect("an identifier"), connection.setup().roots[screen].root);
    let aux = CreateWindowAux::new();
    let class = WindowClass::INPUT_ONLY;
    connection.create_window(0, window, root, 0, 0, 1, 1, 0, class, x11rb::COPY_FROM_PARENT, &aux).expect("sent");
    connection.set_selection_owner(window, clipboard, x11rb::CURRENT_TIME).expect("sent").check().expect("it is ours");
    let give = move |connection: &RustConnection, request: SelectionRequestEvent| {
        let value = match request.target {
            target if target == text => Some(password),
            target if target == hint && is_marked => Some("secret"),
            _ => None,
        };
        if let Some(value) = value {
            let (window, property) = (request.requestor, request.property);
            connection.change_property8(PropMode::REPLACE, window, property, request.target, value.as_bytes()).expect("sent");
        }
        let answer = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: value.map_or(x11rb::NONE, |_| request.property),
        };
        connection.send_event(false, request.requestor, EventMask::NO_EVENT, answer).expect("sent");
        connection.flush().expect("sent");
    };
    thread::spawn(move || {
        loop {
            match connection.wait_for_event() {
                Ok(Event::SelectionRequest(request)) => give(&connection, request),
                Ok(Event::SelectionClear(_)) | Err(_) => return,
                Ok(_) => {}
            }
        }
    })
}

#[test]
fn a_secret_of_a_password_manager_stays_where_it_was_copied() {
    let (machine, home) = (Display::start(640, 480), Home::new());
    let host = Host::on(&machine, "--yes");
    let viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    viewer.rs.expect_where("control", |_| true);

    let _plain = copy_password(&machine, "no secret", false);
    viewer.rs.expect_where("clipboard", |event| event["from"] == "host" && event["bytes"] == 9);
    let _secret = copy_password(&machine, "correct horse", true);
    host.rs.expect_where("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("marks it as a secret")));
    has(&machine, "correct horse");
    let _open = copy(&machine, &home, "open");
    viewer.rs.expect_where("clipboard", |event| event["from"] == "host" && event["bytes"] == 4);
    assert_eq!(viewer.rs.seen("clipboard").len(), 2, "nothing came of the secret");
    assert!(viewer.rs.seen("warning").is_empty(), "nor was it told");
}

#[test]
fn what_one_viewer_copies_never_reaches_another() {
    let (machine, home) = (Display::start(640, 480), Home::new());
    let host = Host::on(&machine, "--yes");
    let visit = || {
        let viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
        viewer.rs.expect_where("control", |_| true);
        viewer
    };
    let (mut one, other) = (visit(), visit());
    one.rs.send("copy for the host alone");
    has(&machine, "for the host alone");
    one.rs.expect_where("clipboard", |event| event["from"] == "viewer");
    // What comes later passes the same way: had the first leaked, it would have come before.
    let _own = copy(&machine, &home, "for everybody");
    for viewer in [&one, &other] {
        viewer.rs.expect_where("clipboard", |event| event["from"] == "host" && event["bytes"] == 13);
    }
    assert_eq!(other.rs.seen("clipboard").len(), 1);
    assert_eq!(one.rs.seen("clipboard").len(), 2);
}
