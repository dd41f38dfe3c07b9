//! The bare ID on a network without a relay: two machines (network namespaces) on a cable, and nothing else.

use std::process::{Command, Stdio};

use crate::support::{
    machine::{Home, Host, Viewer},
    process::{Process, installed},
    rs::{Start, binary},
    until_true,
};

/// A machine with a network card of its own.
struct Machine(Process);

impl Machine {
    /// `None` where this user may not make one.
    fn new() -> Option<Self> {
        if !installed("unshare") || !installed("nsenter") || !installed("ip") || !succeeds("unshare", &["--net", "true"]) {
            return None;
        }
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "3600"]).stdin(Stdio::null());
        let machine = Self(Process::start(&mut command));
        let own = std::fs::read_link("/proc/self/ns/net").expect("Linux has namespaces");
        until_true("the machine is apart", || {
            std::fs::read_link(format!("/proc/{}/ns/net", machine.0.id())).is_ok_and(|apart| apart != own)
        });
        Some(machine)
    }

    /// The arguments with which `nsenter` runs something here.
    fn enter(&self) -> Vec<String> {
        vec!["--net".into(), "--target".into(), self.0.id().to_string(), "--".into()]
    }

    fn ip(&self, line: &str) {
        let done = Command::new("nsenter").args(self.enter()).arg("ip").args(line.split_whitespace()).status();
        assert!(done.expect("nsenter runs").success(), "ip {line}");
    }

    /// `rs` on this machine, with default addresses to listen on.
    fn rs(&self, home: &Home, line: &str) -> Start {
        let mut arguments = self.enter();
        arguments.push(binary().to_str().expect("a plain path").to_owned());
        arguments.extend(line.split_whitespace().map(str::to_owned));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Start::program(home.path(), "nsenter", &arguments)
    }
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Two machines and a cable between them.
fn network() -> Option<(Machine, Machine)> {
    let (left, right) = (Machine::new()?, Machine::new()?);
    left.ip(&format!("link add cable type veth peer name cable netns {}", right.0.id()));
    for (machine, address) in [(&left, "10.77.0.1/24"), (&right, "10.77.0.2/24")] {
        machine.ip("link set lo up");
        machine.ip(&format!("address add {address} dev cable"));
        machine.ip("link set cable up");
    }
    Some((left, right))
}

#[test]
fn the_bare_id_is_found_on_the_local_network_without_a_relay() {
    let Some((left, right)) = network() else {
        eprintln!("skipped: this user cannot make network namespaces (root can)");
        return;
    };
    let home = Home::new();
    let start = left.rs(&home, "host --json --capture pattern --panel none");
    let mut host = Host::started(home, start);

    let home = Home::new();
    let start = right.rs(&home, &format!("connect --json --password-stdin --view none {}", host.id));
    let mut viewer = Viewer::started(home, start, &host.password);
    host.accept();
    assert_eq!(viewer.rs.expect("connected")["path"]["kind"], "lan");
    viewer.rs.expect("granted");
    viewer.screenshot();
}
