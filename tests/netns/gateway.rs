//! A symmetric NAT whose router opens ports for those who ask: `miniupnpd`, as in many home routers.
//!
//! It refuses to work with the ranges for documentation that the lab lives in. So its public address is another one, which the internet
//! of the lab routes to it.

use super::{
    lab::{Lab, Machine, RELAY, public, wanted},
    nat::Kind,
    session::{self, Way, fixed, way_of},
    support::{machine::Home, process::Process, until_true},
};

/// The other public address of the router. It is never outside the lab.
const OUTSIDE: &str = "11.0.0.2";

/// What the router speaks.
#[derive(Clone, Copy)]
enum Speaks {
    Upnp,
    NatPmpAndPcp,
}

/// A running `miniupnpd`.
struct Gateway {
    _process: Process,
    _files: Home,
}

impl Gateway {
    fn start(internet: &Machine, router: &Machine, number: u8, speaks: Speaks) -> Self {
        internet.run(&format!("ip route add {OUTSIDE} via {}", public(number).0));
        router.filter(
            "table inet filter {
                chain miniupnpd { }
                chain prerouting_miniupnpd { }
                chain postrouting_miniupnpd { }
                chain inbound { type nat hook prerouting priority -110; jump prerouting_miniupnpd; }
            }",
        );
        let (upnp, natpmp, port) = match speaks {
            Speaks::Upnp => ("yes", "no", 1900),
            Speaks::NatPmpAndPcp => ("no", "yes", 5351),
        };
        let files = Home::new();
        let (config, pid) = (files.file("miniupnpd.conf"), files.file("pid"));
        let text = format!(
            "ext_ifname=wan\next_ip={OUTSIDE}\nlistening_ip=lan\nenable_upnp={upnp}\nenable_natpmp={natpmp}\nsecure_mode=yes\n\
             ipv6_disable=yes\nuuid=62ef78da-8b55-4a43-9c93-f5473d7dd551\n\
             allow 1024-65535 10.0.0.0/8 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"
        );
        std::fs::write(&config, text).expect("the folder is ours");
        let [config, pid] = [config, pid].map(|path| path.to_str().expect("a plain path").to_owned());
        let process = router.start(&["miniupnpd", "-d", "-f", &config, "-P", &pid]);
        until_true("the router takes requests", || router.output(&["ss", "-lun"]).contains(&format!(":{port} ")));
        Self { _process: process, _files: files }
    }
}

/// Whether the router has ports open.
fn is_open(router: &Machine) -> bool {
    router.output(&["nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"]).contains("dnat")
}

/// How a session ends up that has no other way to a direct path than an open port.
#[track_caller]
fn way(lab: &Lab, line: &str, expected: Way) -> Way {
    let line = format!("{} --no-probing {line}", fixed());
    let relay = session::relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
    let mut host = session::host(&lab.host.end, &relay.addresses, &line);
    let mut viewer = session::viewer(&lab.viewer.end, &relay.addresses, &host, &line);
    way_of(&mut host, &mut viewer, expected)
}

#[test]
fn a_host_behind_a_symmetric_nat_is_direct_by_upnp() {
    if wanted() {
        let lab = Lab::new(Kind::Symmetric, Kind::Cone);
        let _gateway = Gateway::start(&lab.internet, &lab.host.routers[0], 1, Speaks::Upnp);
        assert_eq!(way(&lab, "", Way::Direct), Way::Direct);
    }
}

#[test]
fn a_host_behind_a_symmetric_nat_is_direct_by_pcp() {
    if wanted() {
        let lab = Lab::new(Kind::Symmetric, Kind::Cone);
        let _gateway = Gateway::start(&lab.internet, &lab.host.routers[0], 1, Speaks::NatPmpAndPcp);
        assert_eq!(way(&lab, "", Way::Direct), Way::Direct);
    }
}

#[test]
fn a_viewer_behind_a_symmetric_nat_is_direct_though_its_port_comes_late() {
    if wanted() {
        let lab = Lab::new(Kind::Cone, Kind::Symmetric);
        let _gateway = Gateway::start(&lab.internet, &lab.viewer.routers[0], 2, Speaks::Upnp);
        assert_eq!(way(&lab, "", Way::Direct), Way::Direct);
    }
}

#[test]
fn two_symmetric_nats_are_direct_when_one_router_opens_a_port() {
    if wanted() {
        let lab = Lab::new(Kind::Symmetric, Kind::Symmetric);
        let _gateway = Gateway::start(&lab.internet, &lab.host.routers[0], 1, Speaks::NatPmpAndPcp);
        assert_eq!(way(&lab, "", Way::Direct), Way::Direct);
    }
}

#[test]
fn nothing_is_asked_of_the_router_when_that_is_not_wanted() {
    if wanted() {
        let lab = Lab::new(Kind::Symmetric, Kind::Cone);
        let _gateway = Gateway::start(&lab.internet, &lab.host.routers[0], 1, Speaks::NatPmpAndPcp);
        assert_eq!(way(&lab, "--no-port-mapping", Way::Relayed), Way::Relayed);
        assert!(!is_open(&lab.host.routers[0]));
    }
}

#[test]
fn a_host_gives_its_ports_back_when_it_ends() {
    if !wanted() {
        return;
    }
    for speaks in [Speaks::Upnp, Speaks::NatPmpAndPcp] {
        let lab = Lab::new(Kind::Symmetric, Kind::Cone);
        let router = &lab.host.routers[0];
        let _gateway = Gateway::start(&lab.internet, router, 1, speaks);
        let relay = session::relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
        let mut host = session::host(&lab.host.end, &relay.addresses, &fixed());
        until_true("the host has a port for QUIC and one for TCP", || {
            host.rs.stderr().matches("the router opened a port").count() == 2
        });
        assert!(is_open(router));
        host.rs.send("quit");
        assert_eq!(host.rs.ended().code, Some(0));
        // A router may be told without an answer.
        until_true("the ports are closed", || !is_open(router));
    }
}
