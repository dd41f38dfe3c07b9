//! The systems under test, each set up on displays of its own.

use std::{
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    flip::Change,
    kit::process::{Display, Program, free_port, require, wait_for, x11vnc},
    probe::Probe,
};

const HOST_SCREEN: &str = "1280x800x24";
const VIEWER_SCREEN: &str = "1400x900x24";
const RS: &str = env!("CARGO_BIN_EXE_rs");

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// X alone
    Floor,
    /// Our own
    Rs,
    /// X0tigervnc and its viewer
    Tigervnc,
    /// x11vnc with TigerVNC's viewer
    X11vnc,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Floor, Self::Rs, Self::Tigervnc, Self::X11vnc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Rs => "rs",
            Self::Tigervnc => "TigerVNC",
            Self::X11vnc => "x11vnc",
        }
    }

    /// The programs of others that it needs.
    pub(crate) fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Floor => &["Xvfb"],
            Self::Rs => &["Xvfb", "openbox"],
            Self::Tigervnc => &["Xvfb", "openbox", "X0tigervnc", "xtigervncviewer"],
            Self::X11vnc => &["Xvfb", "openbox", "x11vnc", "xtigervncviewer"],
        }
    }
}

/// A system that runs. Fields are dropped in order: programs before their displays.
pub(crate) struct System {
    pub(crate) kind: Kind,
    /// The host's and the viewer's program; the floor has none.
    ends: Option<(Program, Program)>,
    viewer: Option<Display>,
    host: Display,
    logs: PathBuf,
}

impl System {
    /// Starts displays, host and viewer. `folder` takes logs and state.
    pub(crate) fn start(kind: Kind, folder: &Path) -> anyhow::Result<Self> {
        require(kind.needs())?;
        let logs = folder.join(kind.name());
        std::fs::create_dir_all(&logs)?;
        let host = Display::bare(HOST_SCREEN, &logs)?;
        let (ends, viewer) = match kind {
            Kind::Floor => (None, None),
            Kind::Rs | Kind::Tigervnc | Kind::X11vnc => {
                let viewer = Display::managed(VIEWER_SCREEN, &logs)?;
                let ends = if kind == Kind::Rs { rs(&host, &viewer, &logs) } else { vnc(kind, &host, &viewer, &logs) };
                (Some(ends.with_context(|| format!("{} did not start", kind.name()))?), Some(viewer))
            }
        };
        Ok(Self { kind, ends, viewer, host, logs })
    }

    /// Shows a fresh flip window on the host.
    pub(crate) fn flip(&self, change: Change, rate: Option<u32>) -> anyhow::Result<Program> {
        let mut command = self.host.command(std::env::current_exe()?);
        command.args(["flip", change.name()]).args(rate.map(|rate| format!("--rate={rate}")));
        let mut flip = Program::start(command, &self.logs)?;
        flip.line().context("the flip window did not get the focus")?;
        Ok(flip)
    }

    /// Presses the key `presses` times; a lost press is `None`.
    pub(crate) fn round(&self, change: Change, presses: usize) -> anyhow::Result<Vec<Option<Duration>>> {
        let _flip = self.flip(change, None)?;
        let probe = self.probe()?;
        probe.wait_until_dark()?;
        (0..presses).map(|_| probe.press()).collect()
    }

    /// Offers `rate` pictures a second: how many are shown, and what that costs.
    pub(crate) fn rate(&self, change: Change, rate: u32, window: Duration) -> anyhow::Result<Rate> {
        let _flip = self.flip(change, Some(rate))?;
        let probe = self.probe()?;
        // The first pictures come while the system still adapts.
        probe.changes(Duration::from_secs(1))?;
        let (before, start) = (self.processor_times()?, Instant::now());
        let changes = probe.changes(window)?;
        let (after, elapsed) = (self.processor_times()?, start.elapsed());
        let share = |(before, after): ([Duration; 3], [Duration; 3])| share(before, after, elapsed);
        Ok(Rate { shown: f64::from(changes) / elapsed.as_secs_f64(), processor: before.zip(after).map(share) })
    }

    fn probe(&self) -> anyhow::Result<Probe> {
        match &self.viewer {
            None => Probe::of_screen(&self.host.name),
            Some(viewer) => Probe::of_window(Some(&viewer.name)),
        }
    }

    /// Processor time so far: of the host's program, the host's X server and the viewer's program.
    pub(crate) fn processor_times(&self) -> anyhow::Result<Option<[Duration; 3]>> {
        let Some((host, viewer)) = &self.ends else { return Ok(None) };
        Ok(Some([host.processor_time()?, self.host.processor_time()?, viewer.processor_time()?]))
    }
}

/// Percent of a core.
pub(crate) fn share(before: [Duration; 3], after: [Duration; 3], elapsed: Duration) -> [f64; 3] {
    std::array::from_fn(|of| 100.0 * (after[of] - before[of]).div_duration_f64(elapsed))
}

/// Pictures shown a second, and percent of a core: host, host's X server, viewer.
pub(crate) struct Rate {
    pub(crate) shown: f64,
    pub(crate) processor: Option<[f64; 3]>,
}

/// One of the VNC servers, with TigerVNC's viewer; all of it by default, but for what it would ask.
fn vnc(kind: Kind, host: &Display, viewer: &Display, logs: &Path) -> anyhow::Result<(Program, Program)> {
    let port = free_port()?;
    let command = match kind {
        Kind::X11vnc => x11vnc(host, port),
        _ => {
            let mut command = host.command("X0tigervnc");
            command.args(["-SecurityTypes", "None", "-localhost", "-rfbport", &port.to_string()]);
            command
        }
    };
    let server = Program::start(command, logs)?;
    wait_for("the VNC server's port", || Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()))?;
    let mut command = viewer.command("xtigervncviewer");
    command.args(["-SecurityTypes", "None", "-RemoteResize=0", &format!("127.0.0.1::{port}")]);
    Ok((server, Program::start(command, logs)?))
}

fn rs(host: &Display, viewer: &Display, logs: &Path) -> anyhow::Result<(Program, Program)> {
    let mut host = Program::start(rs_host(host, logs, &["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"]), logs)?;
    let ready = host.event("ready")?;
    let target = format!("{}@{}", text(&ready["id"])?, text(&ready["listen"][0])?);
    let mut command = rs_command(Some(viewer), &logs.join("viewer-home"));
    command.args(["connect", &target, "--no-lan", "--password-stdin", "--view", "window", "--json"]);
    let mut viewer = Program::start(command, logs)?;
    viewer.say(text(&ready["password"])?)?;
    viewer.event("granted")?;
    Ok((host, viewer))
}

/// `rs host`, everybody welcome who has the password.
pub(crate) fn rs_host(display: &Display, folder: &Path, more: &[&str]) -> Command {
    let mut command = rs_command(Some(display), &folder.join("host-home"));
    command.args(["host", "--no-lan", "--yes", "--panel", "none", "--json"]).args(more);
    command
}

/// `rs` with a state folder of its own and none of the user's settings.
pub(crate) fn rs_command(display: Option<&Display>, home: &Path) -> Command {
    let mut command = display.map_or_else(|| Command::new(RS), |display| display.command(RS));
    command.env("RS_HOME", home).env_remove("RS_RELAY").env_remove("RS_PASSWORD");
    command
}

/// A JSON string.
pub(crate) fn text(value: &serde_json::Value) -> anyhow::Result<&str> {
    value.as_str().with_context(|| format!("rs told {value} where a text belongs"))
}
