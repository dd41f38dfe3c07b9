//! Port probing: a symmetric NAT against one whose port is known, either way round, and with the flag that turns it off.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::{
    lab::{Lab, RELAY, wanted},
    nat::Kind,
    session::{Way, fixed, host, relay, viewer, way_through},
};

/// Longer than it takes to find a port in 19 of 20 runs.
const WATCHED: Duration = Duration::from_secs(14);

#[track_caller]
fn is_found(host: Kind, viewer: Kind) {
    if wanted() {
        let began = Instant::now();
        let way = way_through(&mut Lab::new(host, viewer), Way::Direct);
        let text = format!("{}-{}: {} after {:.1} s\n", host.letter(), viewer.letter(), way.name(), began.elapsed().as_secs_f32());
        let _ = std::io::stderr().write_all(text.as_bytes());
        assert_eq!(way, Way::Direct, "host {host:?}, viewer {viewer:?}");
    }
}

#[track_caller]
fn stays_relayed(for_host: &str, for_viewer: &str) {
    if wanted() {
        let lab = Lab::new(Kind::Symmetric, Kind::Cone);
        let relay = relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
        let host = host(&lab.host.end, &relay.addresses, &format!("{} {for_host}", fixed()));
        let viewer = viewer(&lab.viewer.end, &relay.addresses, &host, &format!("{} {for_viewer}", fixed()));
        assert_eq!(viewer.rs.expect("connected")["path"]["kind"], "relayed");
        viewer.is_in_session();
        assert_eq!(viewer.rs.wait_for("path", WATCHED, |path| path["kind"] != "relayed"), None);
    }
}

#[test]
fn a_viewer_behind_a_symmetric_nat_is_found() {
    is_found(Kind::Cone, Kind::Symmetric);
}

#[test]
fn a_host_behind_a_symmetric_nat_is_found() {
    is_found(Kind::Symmetric, Kind::Cone);
}

#[test]
fn a_host_that_is_told_not_to_does_not_answer() {
    stays_relayed("--no-probing", "");
}

#[test]
fn a_viewer_that_is_told_not_to_does_not_ask() {
    stays_relayed("", "--no-probing");
}
