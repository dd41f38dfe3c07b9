//! `just demo`: somebody helps somebody, before your eyes.
//!
//! It turns on a machine with real programs on a private virtual display, runs a relay, `rs host` on that machine and
//! `rs connect` at the supporter's desk, and plays both people: they click and type on their displays, nothing else. Each step is
//! told in plain words and checked; at the end there is a picture of both screens. Nothing is left running, however it ends.
//!
//! The supporter's window opens on your own display if it is an X display with room for it, else on a second private one.

mod desks;
#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    io::{Write, stdout},
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Instant,
};

use desks::{Machine, Supporter, side_by_side};
use serde_json::Value;
use support::{
    Interrupted,
    display::keysym,
    machine::{Home, Host, Relay, Viewer, on_loopback, strings},
    process::keep_from_terminal,
    rs::{Start, binary},
    until_true,
};
use tokio::signal::unix::{SignalKind, signal};

/// Steps that are told.
const STEPS: usize = 9;

fn main() -> ExitCode {
    panic::set_hook(Box::new(|_| ())); // the reason is told below, in one line
    keep_from_terminal();
    thread::spawn(interrupt_on_signal);
    match panic::catch_unwind(show) {
        Ok(picture) => {
            say(&format!("\nBoth screens: {}", picture.display()));
            ExitCode::SUCCESS
        }
        Err(reason) if reason.is::<Interrupted>() => {
            say("\nStopped; everything is cleaned up.");
            ExitCode::from(130)
        }
        Err(reason) => {
            let text = reason.downcast_ref::<String>().map(String::as_str).or_else(|| reason.downcast_ref::<&str>().copied());
            let _ = writeln!(std::io::stderr(), "demo: {}", text.unwrap_or("stopped for an unknown reason"));
            ExitCode::FAILURE
        }
    }
}

/// Ends the demo, with everything cleaned up, on Ctrl-C and its kin.
fn interrupt_on_signal() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for signals");
    runtime.block_on(async {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [mut interrupt, mut terminate, mut hang_up] = kinds.map(|kind| signal(kind).expect("signals can be waited for"));
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
            _ = hang_up.recv() => (),
        }
    });
    support::interrupt();
}

/// The whole story; the path of the picture.
fn show() -> PathBuf {
    let story = Story { start: Instant::now() };
    binary(); // told at once when it is not built

    story.step(1, "A machine is turned on: a terminal, an editor with a letter in it, a clock.");
    let machine = Machine::start();

    story.step(2, "A relay is started. It helps the two find each other, and can read nothing of what they say.");
    let relay = Relay::start();

    story.step(3, "The person who needs help runs `rs host` and reads out what it shows.");
    let mut host = host(&machine, &relay);
    story.detail(&format!("ID {}, password {}", host.id, host.password));

    story.step(4, "The supporter runs `rs connect` with the bare ID and types the password.");
    let supporter = Supporter::start();
    let mut viewer = viewer(&supporter, &host, &relay);
    let request = host.accept();
    story.detail(&format!(
        "The person is asked, sees that \"{}\" wants {}, and says yes.",
        word(&request["viewer"]["name"]),
        list(&request["wants"])
    ));
    let connected = viewer.rs.expect("connected");
    viewer.is_in_session();
    story.detail(&format!("Connected: {} over {}.", word(&connected["path"]["kind"]), word(&connected["path"]["transport"])));

    story.step(5, "The supporter sees the screen, clicks into the editor, types and saves.");
    let window = supporter.display.window(&host.id);
    help(&supporter, &machine, window);
    story.detail("The letter on the machine's disk has the words.");

    story.step(6, "Both chat.");
    chat(&story, &mut host, &mut viewer);

    story.step(7, "The person moves the mouse: control is theirs at once. Then they give it back.");
    take_over(&story, &machine, &mut host, &viewer);
    let picture = picture(&machine, &supporter, window);

    story.step(8, "The person runs `rs rotate-password`. The old password is dead at once, and the session with it.");
    let old = rotate(&mut host, &viewer);
    let code = Viewer::headless(&host.id, &old, &format!("--relay {}", relay.address("tcp"))).rs.ended().code;
    assert_eq!(code, Some(4), "the old password must be refused");
    story.detail("A visitor with the old password is refused (exit code 4).");

    story.step(9, "The person ends `rs host`. From now on nobody can connect.");
    host.rs.send("quit");
    assert_eq!(host.rs.ended().code, Some(0), "a host that is told to quit ends well");
    story.detail(&format!("All of this took {:.0} s.", story.start.elapsed().as_secs_f32()));
    picture
}

fn host(machine: &Machine, relay: &Relay) -> Host {
    let home = Home::new();
    let start = on_loopback(&home, "host --json --no-lan --panel window").arg("--relay").arg(relay.address("quic-v1"));
    let host = Host::started(home, start.on(&machine.display));
    host.is_reachable_by_id();
    host
}

fn viewer(supporter: &Supporter, host: &Host, relay: &Relay) -> Viewer {
    let home = Home::new();
    let start =
        on_loopback(&home, "connect --json --password-stdin --no-lan --view window").arg("--relay").arg(relay.address("quic-v1"));
    Viewer::started(home, start.arg(&host.id).on(&supporter.display), &host.password)
}

/// What the supporter writes into the letter.
const ADVICE: &str =
    "It wants letter-size paper: open tray 2 and load some.\nThen press Continue. (I can see the tray from here!)\n";

fn help(supporter: &Supporter, machine: &Machine, window: u32) {
    let (left, top) = supporter.sees(machine, window);
    let (x, y) = machine.editor();
    supporter.display.focus(window);
    supporter.display.click(left + x, top + y, 1);
    until_true("the machine's pointer follows", || machine.display.pointer() == (x, y));
    supporter.types(window, ADVICE);
    supporter.display.chord(&[keysym::CONTROL, u32::from('s')]);
    machine.letter_has(ADVICE);
}

fn chat(story: &Story, host: &mut Host, viewer: &mut Viewer) {
    let (question, answer) = ("Do you see the paper tray now?", "Yes! It prints. Thank you!");
    viewer.rs.send(question); // beside a window each line is chat
    assert_eq!(host.rs.expect("chat")["text"], question, "what was said arrives");
    host.rs.send(&format!("chat {answer}"));
    viewer.rs.expect_where("chat", |said| said["text"] == answer);
    story.detail(&format!("supporter: {question}"));
    story.detail(&format!("person:    {answer}"));
}

fn take_over(story: &Story, machine: &Machine, host: &mut Host, viewer: &Viewer) {
    machine.display.person().sweep(4, 2, 20);
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("control", |event| event["holder"] == "local");
    }
    story.detail("Both are told: the person drives.");
    host.rs.send("allow control");
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("control", |event| event["holder"] == "remote");
    }
    story.detail("Both are told: the supporter drives again.");
}

/// Rotates the password as a script would; the old one.
fn rotate(host: &mut Host, viewer: &Viewer) -> String {
    let mut rotation = Start::new(host.home.path(), "rotate-password --json").go();
    let told = rotation.expect("password-rotated");
    assert_eq!(rotation.ended().code, Some(0), "a rotation ends well");
    for side in [&host.rs, &viewer.rs] {
        side.expect_where("session-ended", |ended| ended["reason"] == "password-rotated");
    }
    std::mem::replace(&mut host.password, word(&told["password"]))
}

fn picture(machine: &Machine, supporter: &Supporter, window: u32) -> PathBuf {
    let folder = Path::new("demo-out");
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("the folder {} cannot be made: {error}", folder.display()));
    supporter.sees(machine, window); // the window has caught up
    let file = folder.join("demo.png");
    let both = side_by_side(&machine.display.picture(), &supporter.picture(window));
    both.write(&file).unwrap_or_else(|error| panic!("{} cannot be written: {error}", file.display()));
    fs::canonicalize(&file).unwrap_or(file)
}

/// The telling of the story.
struct Story {
    start: Instant,
}

impl Story {
    fn step(&self, number: usize, text: &str) {
        say(&format!("[{number}/{STEPS}] {text}"));
    }

    fn detail(&self, text: &str) {
        say(&format!("      {text}"));
    }
}

fn say(line: &str) {
    let _ = writeln!(stdout().lock(), "{line}");
}

/// A JSON text without its quotes.
fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> String {
    strings(value).join(", ")
}
