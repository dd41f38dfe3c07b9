//! A whole session over a link with delay: relay and host on one end, the viewer on the other, all real `rs` processes.
//!
//! So every path between viewer and host, relayed or not, has the link's round trip, and times can be given in round trips.

use std::{io::Write, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{
    link::{ADDRESSES, Link, Shape},
    support::{
        machine::{Home, Host, Relay, Viewer, strings},
        rs::{Rs, Start, binary},
    },
};

const VIEWER: usize = 0;
const HOST: usize = 1;
const RELAY_PORT: u16 = 4001;
const HOST_PORT: u16 = 5001;

/// Fields are dropped in order: programs before their network.
pub(crate) struct Scene {
    pub(crate) host: Host,
    pub(crate) relay: Relay,
    link: Link,
}

impl Scene {
    /// With this time from one end to the other and back.
    pub(crate) fn new(round_trip: Duration) -> anyhow::Result<Self> {
        let link = Link::new(Shape { delay: round_trip / 2, ..Shape::default() }, 1)?;
        let home = Home::new();
        let (rs, addresses) = relay(&link, &home);
        let relay = Relay { rs, home, addresses };
        let home = Home::new();
        let line = format!("host --json --yes --no-lan --capture pattern --panel none {} {}", listen(HOST_PORT), known(&relay));
        let start = start(&link, HOST, &home, &line);
        let host = Host::started(home, start);
        host.is_reachable_by_id();
        Ok(Self { host, relay, link })
    }

    /// A viewer that asks by the bare ID.
    pub(crate) fn by_id(&self, home: Home) -> Viewer {
        self.viewer(home, &format!("{} {}", known(&self.relay), self.host.id))
    }

    /// A viewer that asks by the address over this transport, without a relay.
    pub(crate) fn by_address(&self, transport: &str) -> Viewer {
        self.viewer(Home::new(), &self.host.direct(transport))
    }

    fn viewer(&self, home: Home, line: &str) -> Viewer {
        let line = format!("connect --json --password-stdin --no-lan --view none {line}");
        let start = start(&self.link, VIEWER, &home, &line);
        Viewer::started(home, start, &self.host.password)
    }

    /// Ends a session. The next one has the next password.
    pub(crate) fn leave(&mut self, mut viewer: Viewer) {
        viewer.rs.send("quit");
        viewer.rs.ended();
        self.host.follow_password();
    }

    /// Kills the relay and starts it again, at the same addresses and with the same key.
    pub(crate) fn restart_relay(&mut self) {
        self.relay.rs.process().kill();
        (self.relay.rs, _) = relay(&self.link, &self.relay.home);
    }

    /// From now on everything between host and viewer that is not relayed is lost without a word, from whatever port: host and relay share
    /// an address.
    pub(crate) fn cut(&self) -> anyhow::Result<()> {
        for (end, port) in [(VIEWER, "sport"), (HOST, "dport")] {
            let rule = format!("ip saddr {} meta l4proto {{ tcp, udp }} th {port} != {RELAY_PORT} drop", ADDRESSES[1 - end]);
            self.filter(end, &format!("table ip cut {{ chain in {{ type filter hook input priority filter; {rule}; }}; }}"))?;
        }
        Ok(())
    }

    /// The opposite.
    pub(crate) fn mend(&self) -> anyhow::Result<()> {
        [VIEWER, HOST].into_iter().try_for_each(|end| self.filter(end, "delete table ip cut"))
    }

    fn filter(&self, end: usize, ruleset: &str) -> anyhow::Result<()> {
        let mut command = self.link.command(end, Path::new("nft"));
        let mut nft = command.args(["-f", "-"]).stdin(Stdio::piped()).spawn().context("nft is missing: install nftables")?;
        nft.stdin.take().context("stdin is piped")?.write_all(ruleset.as_bytes())?;
        if !nft.wait()?.success() {
            bail!("nft did not take {ruleset}");
        }
        Ok(())
    }
}

/// Figures of a session now.
pub(crate) fn stats(viewer: &mut Viewer) -> Value {
    viewer.rs.send("stats");
    viewer.rs.expect("stats")
}

fn relay(link: &Link, home: &Home) -> (Rs, Vec<String>) {
    let rs = start(link, HOST, home, &format!("relay --json {}", listen(RELAY_PORT))).go();
    let addresses = strings(&rs.expect_where("ready", |ready| strings(&ready["addresses"]).len() == 2)["addresses"]);
    (rs, addresses)
}

fn listen(port: u16) -> String {
    let ip = ADDRESSES[HOST];
    format!("--listen /ip4/{ip}/udp/{port}/quic-v1 --listen /ip4/{ip}/tcp/{port}")
}

fn known(relay: &Relay) -> String {
    relay.addresses.iter().map(|address| format!("--relay {address} ")).collect()
}

fn start(link: &Link, end: usize, home: &Home, line: &str) -> Start {
    let binary = binary();
    let mut arguments = vec!["netns", "exec", link.names()[end], binary.to_str().expect("a plain path")];
    arguments.extend(line.split_whitespace());
    Start::program(home.path(), "ip", &arguments)
}
