//! Two machines behind one NAT, and a network without internet.

use super::{
    lab::{Machine, PORT, RELAY, internet, plug, public, router, wanted},
    nat::Kind,
    session::{self, Way, fixed, way_of},
    support::machine::{Home, Host, Viewer},
};

/// One router with two machines behind it.
struct Shared {
    host: Machine,
    viewer: Machine,
    router: Machine,
    relay: Machine,
    _internet: Machine,
}

impl Shared {
    fn new() -> Self {
        let (internet, relay) = internet();
        let router = router(&internet, "side1", public(1), "10.1.0.1");
        internet.address("side1", &format!("{}/24", public(1).1), None);
        router.filter(&Kind::Cone.ruleset(public(1).0, ""));
        let (host, viewer) = (Machine::new(), Machine::new());
        plug(&router, &host, "10.1.0", 2);
        plug(&router, &viewer, "10.1.0", 3);
        Self { host, viewer, router, relay, _internet: internet }
    }

    /// Keeps the two from talking to each other, as a guest network does.
    fn isolate(&self) {
        self.router.run("for port in port2 port3; do ip link set $port type bridge_slave isolated on; done");
    }

    /// Lets them meet at the router's public address: a forwarded port that works from inside too.
    fn hairpin(&self) {
        self.router.filter(&format!(
            "table ip hairpin {{
                chain inbound {{ type nat hook prerouting priority -110;
                    iifname lan ip daddr {} meta l4proto {{ tcp, udp }} th dport {PORT} dnat to 10.1.0.2; }}
                chain outbound {{ type nat hook postrouting priority 90;
                    oifname lan ip saddr 10.1.0.0/24 masquerade; }}
            }}",
            public(1).0
        ));
    }

    #[track_caller]
    fn way(&self, expected: Way) -> Way {
        let relay = session::relay(&self.relay, &[&format!("/ip4/{RELAY}")]);
        let mut host = session::host(&self.host, &relay.addresses, &fixed());
        let mut viewer = session::viewer(&self.viewer, &relay.addresses, &host, &fixed());
        way_of(&mut host, &mut viewer, expected)
    }
}

#[test]
fn behind_one_nat_they_meet_on_the_local_network() {
    if wanted() {
        assert_eq!(Shared::new().way(Way::Lan), Way::Lan);
    }
}

#[test]
fn in_a_guest_network_without_hairpin_they_are_relayed() {
    if wanted() {
        let shared = Shared::new();
        shared.isolate();
        assert_eq!(shared.way(Way::Relayed), Way::Relayed);
    }
}

#[test]
fn in_a_guest_network_with_hairpin_they_are_direct() {
    if wanted() {
        let shared = Shared::new();
        shared.isolate();
        shared.hairpin();
        assert_eq!(shared.way(Way::Direct), Way::Direct);
    }
}

#[test]
fn without_internet_and_relay_the_local_network_is_enough() {
    if !wanted() {
        return;
    }
    let (left, right) = (Machine::new(), Machine::new());
    left.cable("lan", &right, "lan");
    left.address("lan", "10.77.0.1/24", None);
    right.address("lan", "10.77.0.2/24", None);
    let home = Home::new();
    let start = left.rs(&home, "host --json --yes --capture pattern --panel none");
    let mut host = Host::started(home, start);
    let home = Home::new();
    let start = right.rs(&home, &format!("connect --json --password-stdin --view none {}", host.id));
    let mut viewer = Viewer::started(home, start, &host.password);
    assert_eq!(way_of(&mut host, &mut viewer, Way::Lan), Way::Lan);
}
