//! Relay, host and viewer in a lab, and the path they end up on.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    lab::{Lab, Machine, PORT, RELAY},
    support::{
        machine::{Home, Host, Relay, Viewer, strings},
        rs::Start,
    },
};

/// How long a direct path may take to appear where one is expected: the first punch and, 10 s later, the second; or after 3 s, what NAT
/// this is, and 15 s of probing ports.
const UPGRADE: Duration = Duration::from_secs(25);

/// How long a relayed session is watched where no direct path is expected.
const QUIET: Duration = Duration::from_secs(4);

/// The relay's other port for QUIC.
const SECOND: &str = "/udp/443/quic-v1";

/// On which way a session runs in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the relay.
    Relayed,
    /// From one to the other, over QUIC in the end: TCP is punched too and may be there first.
    Direct,
    /// The same, and no UDP came through.
    DirectTcp,
    /// Over the local network.
    Lan,
}

impl Way {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relayed => "r",
            Self::Direct => "D",
            Self::DirectTcp => "D(tcp)",
            Self::Lan => "L",
        }
    }

    /// The way of a told path.
    fn of(path: &Value) -> Self {
        match (path["kind"].as_str(), path["transport"].as_str()) {
            (Some("lan"), _) => Self::Lan,
            (Some("direct"), Some("tcp")) => Self::DirectTcp,
            (Some("direct"), _) => Self::Direct,
            _ => Self::Relayed,
        }
    }
}

/// Starts the relay on a machine, at these IP addresses (such as `/ip4/192.0.2.2`), for firewalls on TCP 443 too, and on UDP 443 to tell
/// what NAT somebody is behind. That last one is not given out.
#[track_caller]
pub(crate) fn relay(machine: &Machine, at: &[&str]) -> Relay {
    relay_that_joins(machine, at, None)
}

/// The same, a relay that joins another one.
#[track_caller]
pub(crate) fn relay_that_joins(machine: &Machine, at: &[&str], other: Option<&str>) -> Relay {
    relay_at(Home::new(), machine, at, other)
}

/// The same with a state folder that may have been used before.
#[track_caller]
pub(crate) fn relay_at(home: Home, machine: &Machine, at: &[&str], other: Option<&str>) -> Relay {
    let listen: Vec<String> = at
        .iter()
        .flat_map(|ip| {
            let second = format!("{ip}{SECOND}");
            [format!("{ip}/udp/{PORT}/quic-v1"), second, format!("{ip}/tcp/{PORT}"), format!("{ip}/tcp/443")]
        })
        .collect();
    let join: Vec<String> = other.map(str::to_owned).into_iter().collect();
    let start = with(machine.rs(&home, "relay --json"), "--listen", &listen);
    let rs = with(start, "--join", &join).go();
    let ready = rs.expect_where("ready", |ready| strings(&ready["addresses"]).len() >= listen.len());
    let addresses = strings(&ready["addresses"]).into_iter().filter(|address| !address.contains(SECOND)).collect();
    Relay { rs, home, addresses }
}

/// Starts a host on a machine and waits until it is reachable through the relay.
#[track_caller]
pub(crate) fn host(machine: &Machine, relays: &[String], line: &str) -> Host {
    host_at(Home::new(), machine, relays, line)
}

/// The same with a state folder of its own.
#[track_caller]
pub(crate) fn host_at(home: Home, machine: &Machine, relays: &[String], line: &str) -> Host {
    let start = machine.rs(&home, &format!("host --json --yes --no-lan --capture pattern --panel none {line}"));
    let host = Host::started(home, with(start, "--relay", relays));
    host.is_reachable_by_id();
    host
}

/// Starts a viewer of a host on a machine.
#[track_caller]
pub(crate) fn viewer(machine: &Machine, relays: &[String], host: &Host, line: &str) -> Viewer {
    viewer_at(Home::new(), machine, relays, host, line)
}

/// The same with a state folder of its own.
#[track_caller]
pub(crate) fn viewer_at(home: Home, machine: &Machine, relays: &[String], host: &Host, line: &str) -> Viewer {
    let start = machine.rs(&home, &format!("connect --json --password-stdin --no-lan --view none {line} {}", host.id));
    Viewer::started(home, with(start, "--relay", relays), &host.password)
}

/// The arguments for a fixed port on every IPv4 interface.
pub(crate) fn fixed() -> String {
    format!("--listen /ip4/0.0.0.0/udp/{PORT}/quic-v1 --listen /ip4/0.0.0.0/tcp/{PORT}")
}

/// Runs a session in a lab and tells the way it ends up on: once it is the expected one, or after a quiet time.
#[track_caller]
pub(crate) fn way_through(lab: &mut Lab, expected: Way) -> Way {
    let relay = relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
    for side in [&mut lab.host, &mut lab.viewer] {
        if let Some(machine) = side.others.first() {
            let first = host(machine, &relay.addresses, &fixed());
            side.neighbour = Some((first.rs, first.home));
        }
    }
    let mut host = host(&lab.host.end, &relay.addresses, &fixed());
    let mut viewer = viewer(&lab.viewer.end, &relay.addresses, &host, &fixed());
    way_of(&mut host, &mut viewer, expected)
}

/// The way on which a session ends up. It must answer then.
#[track_caller]
pub(crate) fn way_of(host: &mut Host, viewer: &mut Viewer, expected: Way) -> Way {
    let mut way = Way::of(&viewer.rs.expect("connected")["path"]);
    viewer.is_in_session();
    let end = Instant::now() + if expected == Way::Relayed { QUIET } else { UPGRADE };
    while way != expected || expected == Way::Relayed {
        let left = end.saturating_duration_since(Instant::now());
        let Some(path) = viewer.rs.wait_for("path", left, |_| true) else { break };
        way = Way::of(&path);
    }
    viewer.rs.send("chat are you there");
    assert_eq!(host.rs.expect("chat")["text"], "are you there");
    way
}

fn with(start: Start, option: &str, values: &[String]) -> Start {
    values.iter().fold(start, |start, value| start.arg(option).arg(value))
}
