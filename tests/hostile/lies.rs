//! Hosts are found in spite of a hostile relay, or plainly not at all; never a wrong one.

use std::{
    thread,
    time::{Duration, Instant},
};

use rs::store::Store;

use super::{
    Honest,
    relay::{Harm, Hostile},
    support::machine::{Home, Host, Viewer, on_loopback},
};

/// A host that uses both relays, a viewer that knows both, and one that knows the hostile one alone.
fn each_meets_its_relays(harms: &[Harm]) {
    thread::scope(|scope| {
        for harm in harms {
            scope.spawn(|| a_host_is_found_and_only_through_the_honest_relay(*harm));
        }
    });
}

fn a_host_is_found_and_only_through_the_honest_relay(harm: Harm) {
    let (honest, hostile) = (Honest::start(), Hostile::start(harm));
    let (bad, good) = (hostile.address.as_str(), honest.relay.address("tcp"));
    let mut host = Host::pattern(&format!("--relay {bad} --relay {good}"));
    hostile.knows(Store::at(host.home.path()).and_then(|store| store.identity()).expect("the host's key"));
    honest.has_records(1);
    let (alone, (viewer, both)) = thread::scope(|scope| {
        let (id, password) = (host.id.as_str(), host.password.as_str());
        let alone = scope.spawn(|| turned_away(id, password, bad));
        let both = found(id, password, &[bad, good]);
        (alone.join().expect("it is turned away"), both)
    });
    host.accept();
    viewer.is_in_session();
    eprintln!("{harm:?}: found after {} ms; with it alone turned away after {} ms", both.as_millis(), alone.as_millis());
}

/// A viewer that gets to the host, and how long that took.
#[track_caller]
fn found(id: &str, password: &str, relays: &[&str]) -> (Viewer, Duration) {
    let (start, viewer) = (Instant::now(), connect(id, password, relays));
    let connected = viewer.rs.expect("connected");
    assert_eq!(connected["id"], id);
    (viewer, start.elapsed())
}

/// A viewer that does not, and says so; how long that took.
#[track_caller]
fn turned_away(id: &str, password: &str, relay: &str) -> Duration {
    let (start, mut viewer) = (Instant::now(), connect(id, password, &[relay]));
    let ended = viewer.rs.ended();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(viewer.rs.seen("connected").is_empty());
    assert!(ended.stderr.lines().count() == 1 && ended.stderr.contains("no way to"), "one line: {}", ended.stderr);
    start.elapsed()
}

fn connect(id: &str, password: &str, relays: &[&str]) -> Viewer {
    let home = Home::new();
    let start = on_loopback(&home, "connect --json --password-stdin --no-lan --view none").arg(id).quiet();
    let start = relays.iter().fold(start, |start, relay| start.arg("--relay").arg(relay));
    Viewer::started(home, start, password)
}

#[test]
fn records_that_are_no_longer_or_never_were_the_hosts() {
    each_meets_its_relays(&[Harm::Forged, Harm::Expired, Harm::Unsigned]);
}

#[test]
fn records_that_are_old_too_long_or_kept_back() {
    each_meets_its_relays(&[Harm::Older, Harm::Huge, Harm::Nothing]);
}

#[test]
fn silence_and_noise() {
    each_meets_its_relays(&[Harm::Stall, Harm::Garbage]);
}

#[test]
fn circuits_that_are_refused() {
    let (honest, hostile) = (Honest::start(), Hostile::start(Harm::RefuseCircuits));
    let (bad, good) = (hostile.address.as_str(), honest.relay.address("tcp"));
    let (mut host, lone) = (Host::pattern(&format!("--relay {bad} --relay {good}")), Host::pattern(&format!("--relay {bad}")));
    lone.is_reachable_by_id();
    honest.has_records(1);
    // A record names all relays of its host: the viewer need not know them.
    let (viewer, took) = found(&host.id, &host.password, &[bad]);
    host.accept();
    viewer.is_in_session();
    let alone = turned_away(&lone.id, &lone.password, bad);
    eprintln!("circuits refused: found after {} ms; with it alone turned away after {} ms", took.as_millis(), alone.as_millis());
}
