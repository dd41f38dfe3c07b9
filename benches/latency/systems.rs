//! The systems under test, each set up on displays of its own.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;

use crate::{
    flip::Change,
    kit::process::{Display, Program, require, wait_for},
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
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Floor, Self::Rs, Self::Tigervnc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Rs => "rs",
            Self::Tigervnc => "TigerVNC",
        }
    }

    /// The programs of others that it needs.
    pub(crate) fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Floor => &["Xvfb"],
            Self::Rs => &["Xvfb", "openbox"],
            Self::Tigervnc => &["Xvfb", "openbox", "X0tigervnc", "xtigervncviewer"],
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
            Kind::Rs | Kind::Tigervnc => {
                let viewer = Display::managed(VIEWER_SCREEN, &logs)?;
                let ends = if kind == Kind::Rs { rs(&host, &viewer, &logs) } else { tigervnc(&host, &viewer, &logs) };
                (Some(ends.with_context(|| format!("{} did not start", kind.name()))?), Some(viewer))
            }
        };
        Ok(Self { kind, ends, viewer, host, logs })
    }

    /// Shows a fresh flip window on the host.
    pub(crate) fn flip(&self, change: Change) -> anyhow::Result<Program> {
        let mut command = self.host.command(std::env::current_exe()?);
        command.args(["flip", if change == Change::Small { "small" } else { "full" }]);
        let mut flip = Program::start(command, &self.logs)?;
        flip.line().context("the flip window did not get the focus")?;
        Ok(flip)
    }

    /// Presses the key `presses` times; a lost press is `None`.
    pub(crate) fn round(&self, change: Change, presses: usize) -> anyhow::Result<Vec<Option<Duration>>> {
        let _flip = self.flip(change)?;
        let probe = match &self.viewer {
            None => Probe::of_screen(&self.host.name)?,
            Some(viewer) => Probe::of_window(Some(&viewer.name))?,
        };
        probe.wait_until_dark()?;
        (0..presses).map(|_| probe.press()).collect()
    }

    /// Processor time so far: of the host's program, the host's X server and the viewer's program.
    pub(crate) fn processor_times(&self) -> anyhow::Result<Option<[Duration; 3]>> {
        let Some((host, viewer)) = &self.ends else { return Ok(None) };
        Ok(Some([host.processor_time()?, self.host.processor_time()?, viewer.processor_time()?]))
    }
}

fn tigervnc(host: &Display, viewer: &Display, logs: &Path) -> anyhow::Result<(Program, Program)> {
    let address = (Ipv4Addr::LOCALHOST, free_port()?);
    let mut command = host.command("X0tigervnc");
    command.args(["-SecurityTypes", "None", "-localhost", "-rfbport", &address.1.to_string()]);
    let server = Program::start(command, logs)?;
    wait_for("X0tigervnc's port", || Ok(TcpStream::connect(address).ok()))?;
    let mut command = viewer.command("xtigervncviewer");
    command.args(["-SecurityTypes", "None", "-RemoteResize=0", &format!("{}::{}", address.0, address.1)]);
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
