//! Machines, cables and routers.
//!
//! A machine is a network namespace without a name: it lives as long as the process inside it, and that process (`cat`) ends when
//! this one does, however it ends. So nothing is left behind, and labs cannot meet: each has its own machines, and all use the same
//! addresses. Those of the "internet" come from the ranges for documentation.
//!
//! ```text
//!            host's side                    internet                  viewer's side
//! 10.1.0.2 host -- [router] -- 203.0.113.2 -- router -- 198.51.100.2 -- [router] -- viewer 10.2.0.2
//!                                               |
//!                                      192.0.2.2 relay
//! ```

use std::{
    cell::Cell,
    io::Write,
    os::fd::AsFd,
    panic::resume_unwind,
    process::{Command, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    nat::Kind,
    support::{
        machine::Home,
        process::Process,
        rs::{Rs, Start, binary},
        until_true,
    },
};

/// Where the relay is.
pub(crate) const RELAY: &str = "192.0.2.2";
pub(crate) const RELAY_V6: &str = "2001:db8:3::2";

/// The port on which every `rs` in a lab listens, so that NATs have something to preserve.
pub(crate) const PORT: u16 = 4001;

/// Whether labs are wanted. Fails in one line where they cannot be had.
#[track_caller]
pub(crate) fn wanted() -> bool {
    if std::env::var_os("NETNS_TESTS").is_some_and(|value| value == "skip") {
        let _ = std::io::stderr().write_all(b"skipped: NETNS_TESTS=skip is in the environment\n");
        return false;
    }
    let may = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    assert!(may, "these tests make network namespaces: run them as root, or leave them out with NETNS_TESTS=skip");
    true
}

/// A machine with network cards of its own.
pub(crate) struct Machine(Process);

impl Machine {
    pub(crate) fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let machine = Self(Process::start(&mut command));
        let own = std::fs::read_link("/proc/self/ns/net").expect("Linux has namespaces");
        until_true("the machine is apart", || {
            std::fs::read_link(format!("/proc/{}/ns/net", machine.0.id())).is_ok_and(|apart| apart != own)
        });
        machine.run("ip link set lo up; echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
        machine
    }

    /// Runs a shell script here, which must succeed.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) {
        self.feed(&["sh", "-ec", script], "");
    }

    /// What a program prints here.
    #[track_caller]
    pub(crate) fn output(&self, program: &[&str]) -> String {
        self.feed(program, "")
    }

    /// Loads an nft ruleset.
    #[track_caller]
    pub(crate) fn filter(&self, ruleset: &str) {
        self.feed(&["nft", "-f", "-"], ruleset);
    }

    /// Makes it pass on what is not for itself, and never advise a shorter way (that would lead around its NAT).
    pub(crate) fn forward(&self) {
        self.run("for card in all default; do echo 0 > /proc/sys/net/ipv4/conf/$card/send_redirects; done");
        self.run("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    }

    /// Lays a cable to another machine; each end has a name, is up, and has no address yet.
    #[track_caller]
    pub(crate) fn cable(&self, name: &str, other: &Self, other_name: &str) {
        self.run(&format!("ip link add {name} type veth peer name {other_name} netns {}; ip link set {name} up", other.0.id()));
        other.run(&format!("ip link set {other_name} up"));
    }

    /// Gives a card an address, and says which gateway leads everywhere else.
    #[track_caller]
    pub(crate) fn address(&self, card: &str, address: &str, gateway: Option<&str>) {
        let family = if address.contains(':') { "-6" } else { "-4" };
        let nodad = if address.contains(':') { "nodad" } else { "" };
        self.run(&format!("ip {family} address add {address} dev {card} {nodad}"));
        if let Some(gateway) = gateway {
            self.run(&format!("ip {family} route add default via {gateway}"));
        }
    }

    /// The IPv4 address of its card `wan`.
    #[track_caller]
    pub(crate) fn public(&self) -> String {
        let told = self.output(&["ip", "-4", "-br", "address", "show", "dev", "wan"]);
        let address = told.split_whitespace().nth(2).and_then(|address| address.split('/').next());
        address.expect("it has an address").to_owned()
    }

    /// `rs` with the words of `line` on this machine.
    pub(crate) fn rs(&self, home: &Home, line: &str) -> Start {
        let enter = self.enter();
        let binary = binary();
        let mut arguments: Vec<&str> = enter.iter().map(String::as_str).collect();
        arguments.push(binary.to_str().expect("a plain path"));
        arguments.extend(line.split_whitespace());
        Start::program(home.path(), "nsenter", &arguments)
    }

    /// Starts a program here that runs until it is dropped.
    #[track_caller]
    pub(crate) fn start(&self, program: &[&str]) -> Process {
        let mut command = Command::new("nsenter");
        command.args(self.enter()).args(program).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Process::start(&mut command)
    }

    /// Runs code of this process here, on a thread of its own.
    #[track_caller]
    pub(crate) fn inside<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        let here = std::fs::File::open(format!("/proc/{}/ns/net", self.0.id())).expect("the machine is there");
        let enter = || {
            move_into_link_name_space(here.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
            run()
        };
        thread::scope(|scope| scope.spawn(enter).join().unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// The arguments with which `nsenter` becomes something here.
    fn enter(&self) -> [String; 2] {
        [format!("--net=/proc/{}/ns/net", self.0.id()), "--".to_owned()]
    }

    #[track_caller]
    fn feed(&self, program: &[&str], input: &str) -> String {
        let mut command = Command::new("nsenter");
        command.args(self.enter()).args(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("nsenter starts (package util-linux)");
        child.stdin.take().expect("it was piped").write_all(input.as_bytes()).expect("it reads its input");
        let output = child.wait_with_output().expect("a child can be waited for");
        assert!(output.status.success(), "{program:?}: {}{input}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// One side of the internet: a machine and the routers before it.
pub(crate) struct Side {
    /// A second `rs` that was behind the router first, and its machine.
    pub(crate) neighbour: Option<(Rs, Home)>,
    /// The machine in question.
    pub(crate) end: Machine,
    /// More machines on its network.
    pub(crate) others: Vec<Machine>,
    /// From the outermost to the innermost.
    pub(crate) routers: Vec<Machine>,
}

/// The outside of a side: its own public address, and the internet router's address on that cable.
pub(crate) fn public(number: u8) -> (&'static str, &'static str) {
    if number == 1 { ("203.0.113.2", "203.0.113.1") } else { ("198.51.100.2", "198.51.100.1") }
}

impl Side {
    fn new(internet: &Machine, number: u8, kind: Kind) -> Self {
        let (outside, gateway) = public(number);
        let card = format!("side{number}");
        let (end, mut others, mut routers) = (Machine::new(), Vec::new(), Vec::new());
        let inside = format!("10.{number}.0");
        match kind {
            Kind::Public => {
                internet.cable(&card, &end, "wan");
                end.address("wan", &format!("{outside}/24"), Some(gateway));
            }
            Kind::Double => {
                let carrier = router(internet, &card, (outside, gateway), &format!("100.64.{number}.1"));
                let between = (&*format!("100.64.{number}.2"), &*format!("100.64.{number}.1"));
                let home = router(&carrier, "port2", between, &format!("{inside}.1"));
                carrier.run("ip link set port2 master lan");
                carrier.filter(&Kind::Cone.ruleset(outside, ""));
                home.filter(&Kind::Cone.ruleset(between.0, ""));
                plug(&home, &end, &inside, 2);
                routers.extend([carrier, home]);
            }
            _ => {
                let home = router(internet, &card, (outside, gateway), &format!("{inside}.1"));
                home.filter(&kind.ruleset(outside, &format!("{inside}.2")));
                plug(&home, &end, &inside, 2);
                if kind == Kind::Conflict {
                    others.push(Machine::new());
                    plug(&home, &others[0], &inside, 3);
                }
                routers.push(home);
            }
        }
        Self { neighbour: None, end, others, routers }
    }
}

/// A router between `outer` and a network of its own, a bridge called `lan`.
pub(crate) fn router(outer: &Machine, card: &str, (outside, gateway): (&str, &str), inside: &str) -> Machine {
    let router = Machine::new();
    router.forward();
    // A switch, and no more: where the kernel shows bridged packets to the NAT, it turns them round before they are routed.
    router.run("off=/proc/sys/net/bridge/bridge-nf-call-iptables; if [ -e $off ]; then echo 0 > $off; fi");
    router.run("ip link add lan type bridge; ip link set lan up");
    router.address("lan", &format!("{inside}/24"), None);
    outer.cable(card, &router, "wan");
    router.address("wan", &format!("{outside}/24"), Some(gateway));
    router
}

/// Connects a machine to a router's network, as its address `last`.
pub(crate) fn plug(router: &Machine, machine: &Machine, inside: &str, last: u8) {
    let port = format!("port{last}");
    router.cable(&port, machine, "lan");
    router.run(&format!("ip link set {port} master lan"));
    machine.address("lan", &format!("{inside}.{last}/24"), Some(&format!("{inside}.1")));
}

/// An internet with a relay and two sides.
pub(crate) struct Lab {
    pub(crate) host: Side,
    pub(crate) viewer: Side,
    pub(crate) relay: Machine,
    pub(crate) internet: Machine,
}

impl Lab {
    /// The host is behind one kind of NAT, the viewer behind another.
    #[track_caller]
    pub(crate) fn new(host: Kind, viewer: Kind) -> Self {
        let (internet, relay) = internet();
        let (host, viewer) = (Side::new(&internet, 1, host), Side::new(&internet, 2, viewer));
        internet.address("side1", &format!("{}/24", public(1).1), None);
        internet.address("side2", &format!("{}/24", public(2).1), None);
        Self { host, viewer, relay, internet }
    }
}

/// The middle of it, and a machine for the relay.
pub(crate) fn internet() -> (Machine, Machine) {
    let (internet, relay) = (Machine::new(), Machine::new());
    internet.forward();
    internet.cable("middle", &relay, "wan");
    internet.address("middle", "192.0.2.1/24", None);
    internet.address("middle", "2001:db8:3::1/64", None);
    relay.address("wan", &format!("{RELAY}/24"), Some("192.0.2.1"));
    relay.address("wan", &format!("{RELAY_V6}/64"), Some("2001:db8:3::1"));
    (internet, relay)
}

/// Any number of machines, each with a public address of its own, from the range for benchmarks.
pub(crate) struct Internet {
    middle: Machine,
    machines: Cell<u8>,
}

impl Internet {
    pub(crate) fn new() -> Self {
        let middle = Machine::new();
        middle.forward();
        Self { middle, machines: Cell::new(0) }
    }

    /// One more machine, in a network of its own.
    #[track_caller]
    pub(crate) fn machine(&self) -> Machine {
        let number = self.machines.get() + 1;
        self.machines.set(number);
        let (machine, card) = (Machine::new(), format!("net{number}"));
        self.middle.cable(&card, &machine, "wan");
        self.middle.address(&card, &format!("198.18.{number}.1/24"), None);
        machine.address("wan", &format!("198.18.{number}.2/24"), Some(&format!("198.18.{number}.1")));
        machine
    }
}
