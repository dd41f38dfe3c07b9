//! From `rs connect` to the first whole picture, on loopback: directly by QUIC, directly by TCP, and through a relay.
//!
//! Every connection has a new host and a new viewer: nothing is warm, and every password is fresh.

use std::path::Path;

use anyhow::Context;

use crate::{
    kit::process::{Display, Program, wait_for},
    systems::{rs_command, rs_host, text},
};

const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
const TCP: &str = "/ip4/127.0.0.1/tcp/0";

/// How the viewer finds the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its address.
    Direct(&'static str),
    /// By the bare ID.
    Relayed,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Direct(QUIC), Self::Direct(TCP), Self::Relayed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct(QUIC) => "direct, QUIC",
            Self::Direct(_) => "direct, TCP",
            Self::Relayed => "by ID, relay",
        }
    }
}

/// A screen to share and a relay.
pub(crate) struct Place {
    relay: Program,
    relay_address: String,
    /// The picture: a plain dark screen.
    screen: Display,
}

impl Place {
    /// Starts both.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut command = rs_command(None, &folder.join("relay-home"));
        command.args(["relay", "--listen", QUIC, "--listen", TCP, "--json"]);
        let mut relay = Program::start(command, folder)?;
        let relay_address = text(&relay.event("ready")?["addresses"][0])?.to_owned();
        Ok(Self { relay, relay_address, screen: Display::bare("1280x800x24", folder)? })
    }

    /// Connects once: milliseconds, and the path as the viewer tells it.
    pub(crate) fn connect(&mut self, way: Way, folder: &Path) -> anyhow::Result<(u64, String)> {
        // A relay that died would look like a slow one.
        self.relay.processor_time()?;
        let home = tempfile::tempdir_in(folder)?;
        let network = match way {
            Way::Direct(listen) => ["--listen", listen],
            Way::Relayed => ["--relay", &self.relay_address],
        };
        let mut host = Program::start(rs_host(&self.screen, home.path(), &network), home.path())?;
        let mut ready = host.event("ready")?;
        let target = match way {
            Way::Direct(_) => format!("{}@{}", text(&ready["id"])?, text(&ready["listen"][0])?),
            Way::Relayed => {
                while host.event("reachable")?["kind"] != "relayed" {}
                text(&ready["id"])?.to_owned()
            }
        };
        let mut command = rs_command(None, &home.path().join("viewer-home"));
        command.args(["connect", &target, "--no-lan", "--password-stdin", "--view", "none", "--json"]);
        if way == Way::Relayed {
            command.args(["--relay", &self.relay_address]);
        }
        let mut viewer = Program::start(command, home.path())?;
        viewer.say(text(&ready["password"].take())?)?;
        let path = &viewer.event("connected")?["path"];
        let path = format!("{} {}", text(&path["kind"])?, text(&path["transport"])?);
        let milliseconds = wait_for("the first picture", || {
            viewer.say("stats")?;
            Ok(viewer.event("stats")?["first_picture_ms"].as_u64())
        })
        .with_context(|| format!("{}: {path}", way.name()))?;
        viewer.say("quit")?;
        viewer.wait()?;
        Ok((milliseconds, path))
    }
}
