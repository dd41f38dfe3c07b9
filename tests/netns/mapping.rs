//! A node tells its kind of NAT, with one relay that listens as `rs relay` does by default.

use ed25519_dalek::SigningKey;
use rs::net::{
    address,
    nat::{Kind as Found, Mapping},
    node::{self, Part},
};

use super::{
    lab::{Lab, PORT, RELAY, public, wanted},
    nat::Kind,
    support::machine::{Home, strings},
};

/// What a node behind this kind of NAT finds out.
fn found(kind: Kind) -> Mapping {
    let lab = Lab::new(kind, Kind::Public);
    let home = Home::new();
    let relay = lab.relay.rs(&home, "relay --json").go();
    let at = |port: u16| format!("/ip4/{RELAY}/udp/{port}/quic-v1/p2p/");
    let listens = |addresses: &[String], port| addresses.iter().any(|address| address.starts_with(&at(port)));
    let ready = relay.expect_where("ready", |ready| {
        let addresses = strings(&ready["addresses"]);
        listens(&addresses, 443) && listens(&addresses, 4001)
    });
    let addresses = strings(&ready["addresses"]);
    let relay = addresses.iter().find(|address| address.starts_with(&at(4001))).expect("it is there");
    let relay = address::relay(relay).expect("an address");
    lab.host.end.inside(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listen = vec![format!("/ip4/0.0.0.0/udp/{PORT}/quic-v1").parse().expect("an address")];
            let identity = SigningKey::from_bytes(&[7; 32]);
            let config = node::Config { identity, part: Part::Viewer, listen, lan: false, port_mapping: false, trace: None };
            let (node, _events) = node::start(config).await.expect("it starts");
            node.use_relay(relay).await.expect("it runs");
            node.mapping().await.expect("it answers")
        })
    })
}

#[test]
fn one_relay_is_enough_to_tell_the_kind_of_nat() {
    if !wanted() {
        return;
    }
    let outside = |port| format!("{}:{port}", public(1).0).parse().expect("an address");
    for (nat, kind, external) in [
        (Kind::Public, Found::None, Some(outside(PORT))),
        (Kind::Cone, Found::Preserving, Some(outside(PORT))),
        (Kind::Shifted, Found::Independent, Some(outside(30001))),
        (Kind::Symmetric, Found::Symmetric, None),
        (Kind::NoUdp, Found::Unknown, None),
    ] {
        let found = found(nat);
        assert_eq!(found.kind, kind, "{nat:?}: {found:?}");
        if let Some(external) = external {
            assert_eq!(found.external, [external], "{nat:?}");
        }
    }
}
