//! What `rs doctor` finds behind each kind of NAT, and what it tells of a hole punch.

use serde_json::Value;

use super::{
    lab::{Lab, Machine, wanted},
    nat::Kind,
    session::{self, fixed},
    support::{
        machine::{Home, Relay},
        rs::{Rs, Start},
    },
};

/// The relay of these tests: everywhere on its own ports, as an operator would start it. QUIC on two ports tells kinds of NAT.
fn relay(machine: &Machine) -> Relay {
    let home = Home::new();
    let rs = machine.rs(&home, "relay --json").go();
    let wanted = |ready: &Value| {
        let addresses = super::support::machine::strings(&ready["addresses"]);
        ["/udp/4001/", "/tcp/4001/", "/udp/443/", "/tcp/443/"].iter().all(|port| {
            addresses.iter().any(|address| address.starts_with(&format!("/ip4/{}/", super::lab::RELAY)) && address.contains(port))
        })
    };
    let ready = rs.expect_where("ready", wanted);
    Relay { rs, home, addresses: super::support::machine::strings(&ready["addresses"]) }
}

/// A doctor at the viewer's side, who names the relay by its address alone.
fn visit(lab: &Lab, line: &str) -> (Rs, Option<i32>) {
    let home = Home::new();
    let line =
        format!("doctor --json --no-lan --no-port-mapping --capture pattern {} --relay {} {line}", fixed(), super::lab::RELAY);
    let start: Start = lab.viewer.end.rs(&home, &line);
    let mut rs = start.go();
    let code = rs.ended().code;
    (rs, code)
}

#[track_caller]
fn finding(rs: &Rs, topic: &str) -> Value {
    rs.seen("finding").into_iter().find(|finding| finding["topic"] == topic).expect("each topic has a finding")
}

/// The transports over which the relay answered.
fn up(rs: &Rs) -> Vec<String> {
    let legs = finding(rs, "relay")["facts"]["legs"].as_array().cloned().unwrap_or_default();
    let up = legs.iter().filter(|leg| leg["result"] == "up");
    let mut up: Vec<_> = up.filter_map(|leg| leg["transport"].as_str().map(str::to_owned)).collect();
    up.sort();
    up.dedup();
    up
}

#[test]
fn each_kind_of_network_is_told() {
    if !wanted() {
        return;
    }
    for (kind, transports, udp, mapping, expect) in [
        (Kind::Public, &["quic", "tcp", "websocket"][..], "passes", "none", "direct-with-most"),
        (Kind::Cone, &["quic", "tcp", "websocket"], "passes", "preserving", "direct-with-most"),
        (Kind::Shifted, &["quic", "tcp", "websocket"], "passes", "independent", "direct-with-most"),
        (Kind::Symmetric, &["quic", "tcp", "websocket"], "passes", "symmetric", "direct-with-some"),
        (Kind::NoUdp, &["tcp", "websocket"], "blocked", "unknown", "direct-with-some"),
        (Kind::Only443, &["websocket"], "blocked", "unknown", "relayed-only"),
    ] {
        let lab = Lab::new(Kind::Public, kind);
        let _relay = relay(&lab.relay);
        let (rs, code) = visit(&lab, "");
        assert_eq!((up(&rs), code), (transports.iter().map(ToString::to_string).collect(), Some(0)), "{kind:?}");
        assert_eq!(finding(&rs, "udp")["facts"]["udp"], udp, "{kind:?}");
        assert_eq!(finding(&rs, "nat")["facts"]["mapping"], mapping, "{kind:?}");
        assert_eq!(rs.expect("doctor-done")["expect"], expect, "{kind:?}");
    }
}

/// What a doctor tells of the way between these two kinds: the path's kind, its words, and all candidates.
fn traced(host: Kind, viewer: Kind) -> (Value, String, Vec<Value>) {
    let lab = Lab::new(host, viewer);
    let relay = relay(&lab.relay);
    let reachable: Vec<String> = relay.addresses.iter().filter(|at| at.contains(super::lab::RELAY)).cloned().collect();
    let host = session::host(&lab.host.end, &reachable, &fixed());
    let (rs, code) = visit(&lab, &host.id);
    assert_eq!(code, Some(0));
    let text = finding(&rs, "path")["text"].as_str().unwrap_or_default().to_owned();
    (rs.expect("doctor-done")["path"]["kind"].clone(), text, rs.seen("candidate"))
}

fn punched<'a>(candidates: &'a [Value], result: &str) -> Vec<&'a str> {
    let right = candidates.iter().filter(|candidate| candidate["way"] != "dialled" && candidate["result"] == result);
    right.filter_map(|candidate| candidate["remote"].as_str()).collect()
}

#[test]
fn a_hole_punch_that_works_is_in_the_table() {
    if wanted() {
        let (kind, text, candidates) = traced(Kind::Cone, Kind::Cone);
        assert_eq!((kind.as_str(), text.starts_with("direct")), (Some("direct"), true), "{candidates:?}");
        let through = punched(&candidates, "connected");
        assert!(through.iter().any(|remote| remote.starts_with("/ip4/203.0.113.2/")), "{candidates:?}");
    }
}

#[test]
fn a_hole_punch_that_cannot_work_is_explained() {
    if wanted() {
        let (kind, text, candidates) = traced(Kind::Symmetric, Kind::Symmetric);
        assert_eq!(kind, "relayed", "{candidates:?}");
        assert!(text.contains("our router takes another port for each destination"), "{text}");
        assert!(punched(&candidates, "connected").is_empty() && !candidates.is_empty(), "{candidates:?}");
        assert!(candidates.iter().any(|candidate| candidate["way"] == "punched"), "it was tried: {candidates:?}");
    }
}
