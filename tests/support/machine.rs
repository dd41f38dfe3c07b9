//! The three parts of every scene: a relay, a host with what it tells when it is ready, and a viewer that knows the password.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    display::Display,
    rs::{Rs, Start},
};

/// Any free port of the loopback interface, over TCP and over QUIC.
const LOOPBACK: [&str; 2] = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];

/// A state folder of its own: an identity, a password record, known hosts. Gone when dropped.
pub(crate) struct Home(TempDir);

impl Home {
    /// A new one, in which the first yes of all is taken at once.
    pub(crate) fn new() -> Self {
        let home = Self::empty();
        home.configure("consent_pause = 0");
        home
    }

    /// A new, empty one: that of somebody who never let anybody in.
    pub(crate) fn empty() -> Self {
        Self(tempfile::Builder::new().prefix("rs-test-").tempdir().expect("a temporary folder"))
    }

    /// Adds a line to the configuration.
    pub(crate) fn configure(&self, line: &str) {
        let file = self.file("config.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(file, format!("{text}{line}\n")).expect("a configuration");
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in it, or one to be made there.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// How to start a part: as a line of arguments, listening on the loopback interface only.
pub(crate) fn on_loopback(home: &Home, line: &str) -> Start {
    LOOPBACK.iter().fold(Start::new(home.path(), line), |start, address| start.arg("--listen").arg(address))
}

/// A running relay.
pub(crate) struct Relay {
    /// The process.
    pub(crate) rs: Rs,
    /// Its state folder.
    pub(crate) home: Home,
    /// Where it can be reached, with its key.
    pub(crate) addresses: Vec<String>,
}

impl Relay {
    /// Starts one on loopback and waits until it is ready.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let home = Home::new();
        let rs = on_loopback(&home, "relay --json").go();
        let ready = rs.expect_where("ready", |ready| LOOPBACK.len() <= strings(&ready["addresses"]).len());
        Self { rs, home, addresses: strings(&ready["addresses"]) }
    }

    /// The address that `--relay` takes, over this transport (`tcp` or `quic-v1`).
    #[track_caller]
    pub(crate) fn address(&self, transport: &str) -> &str {
        one_of(&self.addresses, transport)
    }
}

/// A running host.
pub(crate) struct Host {
    /// The process.
    pub(crate) rs: Rs,
    /// Its state folder.
    pub(crate) home: Home,
    /// `dddd-dddd-dddd-dddd`.
    pub(crate) id: String,
    /// The password it showed last; empty when there is none to show.
    pub(crate) password: String,
    /// `rs://…`.
    pub(crate) link: String,
    /// Where it listens, with its key.
    pub(crate) listen: Vec<String>,
}

impl Host {
    /// A host that shows the test picture; `line` is added to its arguments.
    #[track_caller]
    pub(crate) fn pattern(line: &str) -> Self {
        let home = Home::new();
        let start = on_loopback(&home, &format!("host --json --no-lan --capture pattern --panel none {line}"));
        Self::started(home, start)
    }

    /// A host that shares a real display.
    #[track_caller]
    pub(crate) fn on(display: &Display, line: &str) -> Self {
        let home = Home::new();
        let start = on_loopback(&home, &format!("host --json --no-lan --panel none {line}")).on(display);
        Self::started(home, start)
    }

    /// Starts it and waits until it listens everywhere it was told to.
    #[track_caller]
    pub(crate) fn started(home: Home, start: Start) -> Self {
        let rs = start.go();
        let ready = rs.expect_where("ready", |ready| LOOPBACK.len() <= strings(&ready["listen"]).len());
        let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
        Self { id: text("id"), password: text("password"), link: text("link"), listen: strings(&ready["listen"]), rs, home }
    }

    /// `ID@MULTIADDR` over this transport (`tcp` or `quic-v1`).
    #[track_caller]
    pub(crate) fn direct(&self, transport: &str) -> String {
        format!("{}@{}", self.id, one_of(&self.listen, transport))
    }

    /// A session with a new viewer over this transport.
    #[track_caller]
    pub(crate) fn session(&mut self, transport: &str) -> Viewer {
        let target = self.direct(transport);
        session(self, &target, "")
    }

    /// Waits until the bare ID works: a relay holds its reservation.
    #[track_caller]
    pub(crate) fn is_reachable_by_id(&self) {
        self.rs.expect_where("reachable", |event| event["kind"] == "relayed");
    }

    /// Waits for a request and lets it in.
    #[track_caller]
    pub(crate) fn accept(&mut self) -> Value {
        let request = self.rs.expect("request");
        self.rs.send("accept");
        request
    }

    /// The password that is shown after a change.
    #[track_caller]
    pub(crate) fn follow_password(&mut self) {
        let event = self.rs.expect("password-rotated");
        event["password"].as_str().expect("a password is text").clone_into(&mut self.password);
    }
}

/// A running viewer.
pub(crate) struct Viewer {
    /// The process.
    pub(crate) rs: Rs,
    /// Its state folder.
    pub(crate) home: Home,
}

impl Viewer {
    /// A viewer without a window, a new client of `target`; `line` is added to its arguments.
    #[track_caller]
    pub(crate) fn headless(target: &str, password: &str, line: &str) -> Self {
        Self::at(Home::new(), target, password, line)
    }

    /// The same with a state folder that may have been used before.
    #[track_caller]
    pub(crate) fn at(home: Home, target: &str, password: &str, line: &str) -> Self {
        let start = on_loopback(&home, &format!("connect --json --password-stdin --no-lan --view none {line}")).arg(target);
        Self::started(home, start, password)
    }

    /// A viewer with a window on this display.
    #[track_caller]
    pub(crate) fn window(display: &Display, target: &str, password: &str, line: &str) -> Self {
        let home = Home::new();
        let start =
            on_loopback(&home, &format!("connect --json --password-stdin --no-lan --view window {line}")).arg(target).on(display);
        Self::started(home, start, password)
    }

    /// Starts it and hands it the password.
    #[track_caller]
    pub(crate) fn started(home: Home, start: Start, password: &str) -> Self {
        let mut rs = start.go();
        rs.send(password);
        Self { rs, home }
    }

    /// Waits until the session runs: the host tells who drives when its side is complete.
    #[track_caller]
    pub(crate) fn is_in_session(&self) {
        self.rs.expect("granted");
        self.rs.expect("control");
    }

    /// A viewer that saves the first picture to `file`, and ends.
    #[track_caller]
    pub(crate) fn screenshot_to(file: &Path, target: &str, password: &str) -> Self {
        let home = Home::new();
        let start = on_loopback(&home, "connect --json --password-stdin --no-lan").arg("--screenshot").arg(file).arg(target);
        Self::started(home, start, password)
    }

    /// Saves the picture it has, and reads it.
    #[track_caller]
    pub(crate) fn screenshot(&mut self) -> super::image::Image {
        let file = self.home.file("screenshot.png");
        self.rs.send(&format!("screenshot {}", file.display()));
        let told = self.rs.expect("screenshot");
        assert_eq!(told["file"], file.to_str().expect("a plain path"));
        super::image::Image::read(&file).expect("a told screenshot is whole")
    }
}

/// A running session: picture, input and takeover are up on both sides.
#[track_caller]
pub(crate) fn session(host: &mut Host, target: &str, line: &str) -> Viewer {
    let viewer = Viewer::headless(target, &host.password, line);
    host.accept();
    viewer.is_in_session();
    viewer
}

/// The permissions, holders or addresses in a JSON list.
pub(crate) fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

#[track_caller]
fn one_of<'a>(addresses: &'a [String], transport: &str) -> &'a str {
    let found = addresses.iter().find(|address| address.split('/').any(|part| part == transport));
    found.unwrap_or_else(|| panic!("none of {addresses:?} is for {transport}"))
}
