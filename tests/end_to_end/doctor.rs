//! `rs doctor`: what it finds out, in JSON and in words, and how it ends.

use serde_json::Value;

use crate::support::{
    display::Display,
    machine::{Home, Host, Relay, on_loopback},
    rs::{Ended, Rs, Start},
};

/// A doctor that has ended.
struct Visit {
    rs: Rs,
    ended: Ended,
}

impl Visit {
    fn of(start: Start) -> Self {
        let mut rs = start.go();
        let ended = rs.ended();
        Self { rs, ended }
    }

    fn json(line: &str) -> Self {
        let home = Home::new();
        Self::of(on_loopback(&home, &format!("doctor --json --no-lan --no-port-mapping --capture pattern {line}")))
    }

    /// The one finding about this.
    #[track_caller]
    fn finding(&self, topic: &str) -> Value {
        let found: Vec<_> = self.rs.seen("finding").into_iter().filter(|finding| finding["topic"] == topic).collect();
        let [finding] = &found[..] else { panic!("one finding about {topic}: {found:?}") };
        finding.clone()
    }

    #[track_caller]
    fn done(&self) -> Value {
        let done = self.rs.seen("doctor-done");
        assert_eq!((done.len(), self.rs.other_output().as_str()), (1, ""), "every line is JSON, and one is the last");
        done[0].clone()
    }
}

/// A port of loopback where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").to_string()
}

#[test]
fn without_a_relay_that_is_the_finding() {
    let visit = Visit::json("");
    let relay = visit.finding("relay");
    assert!(relay["verdict"] == "bad" && relay["advice"].as_str().is_some_and(|advice| advice.contains("--relay")), "{relay}");
    assert_eq!((visit.done()["expect"].as_str(), visit.ended.code), (Some("local-only"), Some(3)));
    assert_eq!(visit.finding("screen")["facts"]["width"], 1280);
    assert_eq!(visit.finding("lan")["facts"]["state"], "off");
}

#[test]
fn a_relay_is_tried_by_every_transport_and_tells_the_time() {
    let relay = Relay::start();
    let visit = Visit::json(&format!("--relay {}", relay.address("tcp")));
    let told = visit.finding("relay");
    let legs = told["facts"]["legs"].as_array().expect("a list").clone();
    let up = |transport: &str| legs.iter().any(|leg| leg["transport"] == transport && leg["result"] == "up" && leg["ms"].is_u64());
    assert!(told["verdict"] == "good" && up("tcp") && up("quic"), "QUIC is learned from the relay: {told}");
    assert_eq!(visit.finding("udp")["facts"]["udp"], "passes");
    assert_eq!(visit.finding("nat")["facts"]["mapping"], "none", "it is seen at its own address");
    let clock = visit.finding("clock");
    assert!(clock["verdict"] == "good" && clock["facts"]["relay_ahead_ms"].is_i64(), "{clock}");
    let done = visit.done();
    assert_eq!(
        (done["expect"].as_str(), done["reachable"].as_bool()),
        (Some("direct-with-some"), Some(true)),
        "loopback says nothing of other networks"
    );
    assert!(visit.ended.code == Some(0) && visit.ended.stderr.is_empty(), "{}", visit.ended.stderr);
}

#[test]
fn a_relay_that_is_not_there_is_told_with_the_reason_of_each_transport() {
    let visit = Visit::json(&format!("--relay {}", nobody()));
    let relay = visit.finding("relay");
    let legs = relay["facts"]["legs"].as_array().expect("a list").clone();
    let tcp = legs.iter().find(|leg| leg["transport"] == "tcp").expect("it was tried");
    assert!(tcp["result"] == "down" && tcp["reason"] == "nothing listens there", "{relay}");
    assert!(legs.iter().any(|leg| leg["transport"] == "quic") && legs.iter().any(|leg| leg["transport"] == "websocket"), "{relay}");
    assert_eq!((relay["verdict"].as_str(), visit.ended.code), (Some("bad"), Some(3)));
    assert_eq!(visit.ended.stderr.lines().filter(|line| line.starts_with("rs: ")).count(), 1);
}

#[test]
fn the_way_to_a_host_is_traced_without_asking_anybody() {
    let relay = Relay::start();
    let host = Host::pattern(&format!("--relay {}", relay.address("tcp")));
    host.is_reachable_by_id();
    let visit = Visit::json(&format!("--relay {} {}", relay.address("tcp"), host.id));
    assert_eq!(visit.finding("directory")["verdict"], "good");
    let candidates = visit.rs.seen("candidate");
    let circuit = |candidate: &Value| candidate["remote"].as_str().is_some_and(|remote| remote.contains("/p2p-circuit/"));
    assert!(candidates.iter().any(|candidate| circuit(candidate) && candidate["result"] == "connected"), "{candidates:?}");
    let done = visit.done();
    assert!(done["path"]["kind"].is_string() && visit.ended.code == Some(0), "{done}");
    assert!(host.rs.seen("request").is_empty(), "nobody was asked");
}

#[test]
fn an_address_that_is_given_with_the_id_is_enough() {
    let host = Host::pattern("");
    let visit = Visit::json(&host.direct("quic-v1"));
    let candidates = visit.rs.seen("candidate");
    let [candidate] = &candidates[..] else { panic!("one address, one pair: {candidates:?}") };
    assert!(candidate["way"] == "dialled" && candidate["result"] == "connected" && candidate["ms"].is_u64(), "{candidate}");
    assert!(candidate["local"].is_string(), "it left from where we listen: {candidate}");
    assert_eq!((visit.done()["path"]["kind"].as_str(), visit.ended.code), (Some("lan"), Some(0)));
}

#[test]
fn a_host_that_is_not_there_is_unreachable() {
    let relay = Relay::start();
    let visit = Visit::json(&format!("--relay {} 9339-2522-7420-3124", relay.address("tcp")));
    assert_eq!(visit.finding("directory")["verdict"], "bad");
    assert_eq!(visit.finding("path")["verdict"], "bad");
    assert_eq!((visit.done()["reachable"].as_bool(), visit.ended.code), (Some(false), Some(3)));
}

#[test]
fn people_read_one_line_for_each_finding_and_its_advice_below() {
    let home = Home::new();
    let visit = Visit::of(on_loopback(&home, "doctor --no-lan --no-port-mapping"));
    let out = visit.rs.stdout();
    assert!(out.contains("BAD   relay") && out.contains("-> name one with --relay"), "{out}");
    assert!(out.contains("note  screen") && out.contains("this machine can help others, but not be helped"), "{out}");
    assert!(!out.contains('\u{1b}'), "no colours where there is no terminal: {out:?}");
    assert!(
        out.trim_end().ends_with("Connections from here: only on the local network, or at an address that is given with the ID.")
    );
}

#[test]
fn a_real_screen_is_opened_as_a_host_would() {
    let display = Display::start(640, 480);
    let home = Home::new();
    let visit = Visit::of(on_loopback(&home, "doctor --json --no-lan --no-port-mapping").on(&display));
    let screen = visit.finding("screen");
    assert_eq!(
        (screen["verdict"].as_str(), &screen["facts"]["width"], &screen["facts"]["input_fault"]),
        (Some("good"), &640.into(), &Value::Null)
    );
}
