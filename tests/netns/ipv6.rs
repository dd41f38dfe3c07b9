//! IPv6 on both sides and on one. There is no NAT then, but a firewall that drops what nobody inside asked for.

use super::{
    lab::{Lab, Machine, PORT, RELAY, RELAY_V6, internet, wanted},
    nat::Kind,
    session::{self, Way, fixed, way_of},
};

/// A machine with an IPv6 address and nothing else, behind a firewall.
struct V6 {
    end: Machine,
    _firewall: Machine,
}

impl V6 {
    fn new(internet: &Machine, number: u8) -> Self {
        let (end, firewall) = (Machine::new(), Machine::new());
        firewall.forward();
        let (card, between, inside) = (format!("v6side{number}"), format!("2001:db8:f{number}:"), format!("2001:db8:{number}:"));
        internet.cable(&card, &firewall, "wan");
        internet.address(&card, &format!("{between}:1/64"), None);
        internet.run(&format!("ip -6 route add {inside}:/64 via {between}:2"));
        firewall.address("wan", &format!("{between}:2/64"), Some(&format!("{between}:1")));
        firewall.cable("lan", &end, "lan");
        firewall.address("lan", &format!("{inside}:1/64"), None);
        end.address("lan", &format!("{inside}:2/64"), Some(&format!("{inside}:1")));
        firewall.filter(
            "table ip6 filter { chain through { type filter hook forward priority filter; policy drop;
                ct state established,related accept; iifname lan accept; }; }",
        );
        Self { end, _firewall: firewall }
    }
}

fn listen() -> String {
    format!("--listen /ip6/::/udp/{PORT}/quic-v1 --listen /ip6/::/tcp/{PORT}")
}

#[test]
fn ipv6_on_both_sides_is_direct() {
    if !wanted() {
        return;
    }
    let (internet, relay) = internet();
    let (left, right) = (V6::new(&internet, 1), V6::new(&internet, 2));
    let relay = session::relay(&relay, &[&format!("/ip6/{RELAY_V6}")]);
    let mut host = session::host(&left.end, &relay.addresses, &listen());
    let mut viewer = session::viewer(&right.end, &relay.addresses, &host, &listen());
    assert_eq!(way_of(&mut host, &mut viewer, Way::Direct), Way::Direct);
}

#[test]
fn ipv6_on_one_side_only_is_relayed() {
    if !wanted() {
        return;
    }
    let lab = Lab::new(Kind::Public, Kind::Cone);
    let left = V6::new(&lab.internet, 4);
    let relay = session::relay(&lab.relay, &[&format!("/ip4/{RELAY}"), &format!("/ip6/{RELAY_V6}")]);
    let (v6, v4): (Vec<_>, Vec<_>) = relay.addresses.iter().cloned().partition(|address| address.starts_with("/ip6/"));
    let mut host = session::host(&left.end, &v6, &listen());
    let mut viewer = session::viewer(&lab.viewer.end, &v4, &host, &fixed());
    assert_eq!(way_of(&mut host, &mut viewer, Way::Relayed), Way::Relayed);
}
