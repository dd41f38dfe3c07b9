//! Machines that move or sleep while a session runs: another network, another address in the same one, none for a while.
//!
//! The card is pulled and another one is plugged in somewhere else, so the old address is gone with its routes. Then both sides say
//! something: it must arrive in the session that was there before, without another question to anybody. How long that took from the
//! moment the network was back is printed (docs/NETWORK.md has the table); the bound is far above what it takes.
//!
//! Waiting is the scene here, not a way to be in step: for [`NAP`] every connection of the sleeper is given up by the others.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use super::{
    lab::{Lab, Machine, RELAY, plug, router, wanted},
    nat::Kind,
    session::{self, Way, fixed, way_of},
    support::{
        machine::{Home, Host, Relay, Viewer},
        rs::Rs,
    },
};

/// The longest gap that is still right. It is some tenths of a second; a TCP connection that nobody gives up takes more than a minute.
const BOUND: Duration = Duration::from_secs(10);

/// Longer than any connection outlives its peer's silence: QUIC 5 s, a ping 5 and 5 s.
const NAP: Duration = Duration::from_secs(12);
const LONG_NAP: Duration = Duration::from_secs(30);

/// The network that machines move to.
const ELSEWHERE: (&str, &str) = ("198.18.3.2", "198.18.3.1");

/// Who moves.
#[derive(Clone, Copy, Debug)]
enum Mover {
    Host,
    Viewer,
}

/// A running session and the networks under it.
struct Scene {
    lab: Lab,
    elsewhere: Machine,
    _relay: Relay,
    host: Host,
    viewer: Viewer,
}

impl Scene {
    /// Both sides and the other network are behind this kind of NAT.
    #[track_caller]
    fn new(kind: Kind, way: Way) -> Self {
        Self::between(kind, kind, kind, way)
    }

    /// Each of them is behind a kind of its own.
    #[track_caller]
    fn between(host: Kind, viewer: Kind, kind: Kind, way: Way) -> Self {
        let lab = Lab::new(host, viewer);
        let elsewhere = router(&lab.internet, "side3", ELSEWHERE, "10.3.0.1");
        lab.internet.address("side3", &format!("{}/24", ELSEWHERE.1), None);
        elsewhere.filter(&kind.ruleset(ELSEWHERE.0, "10.3.0.2"));
        let relay = session::relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
        let mut host = session::host(&lab.host.end, &relay.addresses, &fixed());
        // What becomes direct does so by punching, and what is relayed stays so until somebody moves.
        let line = format!("{} --no-probing", fixed());
        let mut viewer = session::viewer(&lab.viewer.end, &relay.addresses, &host, &line);
        assert_eq!(way_of(&mut host, &mut viewer, way), way);
        Self { lab, elsewhere, _relay: relay, host, viewer }
    }

    fn machine(&self, mover: Mover) -> &Machine {
        match mover {
            Mover::Host => &self.lab.host.end,
            Mover::Viewer => &self.lab.viewer.end,
        }
    }

    fn process(&mut self, mover: Mover) -> &mut Rs {
        match mover {
            Mover::Host => &mut self.host.rs,
            Mover::Viewer => &mut self.viewer.rs,
        }
    }

    /// Pulls the card, and plugs another one in elsewhere after a while.
    fn moves_elsewhere(&self, mover: Mover, away: Duration) {
        let machine = self.machine(mover);
        machine.run("ip link delete lan");
        thread::sleep(away);
        plug(&self.elsewhere, machine, "10.3.0", 2);
    }

    /// Takes another address in the same network.
    fn takes_another_address(&self, mover: Mover) {
        let inside = match mover {
            Mover::Host => "10.1.0",
            Mover::Viewer => "10.2.0",
        };
        let machine = self.machine(mover);
        machine.run(&format!("ip address delete {inside}.2/24 dev lan"));
        machine.address("lan", &format!("{inside}.77/24"), Some(&format!("{inside}.1")));
    }

    /// Both sides are heard, in the session that was there before; `since` is when the network was back.
    #[track_caller]
    fn goes_on(&mut self, what: &str, since: Instant) {
        self.viewer.rs.send("chat from afar");
        self.host.rs.send("chat welcome back");
        self.host.rs.expect_where("chat", |chat| chat["text"] == "from afar");
        let first = since.elapsed();
        self.viewer.rs.expect_where("chat", |chat| chat["text"] == "welcome back");
        let both = since.elapsed();
        let stalled = if self.viewer.rs.seen("stalled").is_empty() { "without a stall" } else { "after a stall" };
        let told = format!(
            "{what}: heard {} ms, answered {} ms after the network was back, {stalled}\n",
            first.as_millis(),
            both.as_millis()
        );
        let _ = std::io::stderr().write_all(told.as_bytes());
        assert!(both < BOUND, "{what}: {both:?}");
        assert_eq!(self.host.rs.seen("session-started").len(), 1, "the same session");
        assert_eq!(self.viewer.rs.seen("granted").len(), 1, "nobody was asked again");
        assert!(self.host.rs.seen("session-ended").is_empty());
    }
}

/// Runs a session of this kind, lets somebody move to the other network, and measures.
#[track_caller]
fn elsewhere(mover: Mover, kind: Kind, way: Way, away: Duration) {
    if wanted() {
        let mut scene = Scene::new(kind, way);
        scene.moves_elsewhere(mover, away);
        let what = format!("{mover:?} to another network, {kind:?}, {way:?}, {} s without any", away.as_secs());
        scene.goes_on(&what, Instant::now());
    }
}

#[track_caller]
fn another_address(mover: Mover, kind: Kind, way: Way) {
    if wanted() {
        let mut scene = Scene::new(kind, way);
        scene.takes_another_address(mover);
        scene.goes_on(&format!("{mover:?} to another address, {kind:?}, {way:?}"), Instant::now());
    }
}

#[track_caller]
fn sleep(mover: Mover, kind: Kind, way: Way, length: Duration) {
    if wanted() {
        let mut scene = Scene::new(kind, way);
        scene.process(mover).process().suspend();
        thread::sleep(length);
        scene.process(mover).process().wake();
        scene.goes_on(&format!("{mover:?} slept {} s, {kind:?}, {way:?}", length.as_secs()), Instant::now());
    }
}

#[test]
fn a_relayed_host_moves() {
    elsewhere(Mover::Host, Kind::Symmetric, Way::Relayed, Duration::ZERO);
}

#[test]
fn a_relayed_viewer_moves() {
    elsewhere(Mover::Viewer, Kind::Symmetric, Way::Relayed, Duration::ZERO);
}

#[test]
fn a_host_moves_that_is_relayed_over_tcp_alone() {
    elsewhere(Mover::Host, Kind::Only443, Way::Relayed, Duration::ZERO);
}

#[test]
fn a_viewer_moves_that_is_relayed_over_tcp_alone() {
    elsewhere(Mover::Viewer, Kind::Only443, Way::Relayed, Duration::ZERO);
}

#[test]
fn a_direct_host_moves() {
    elsewhere(Mover::Host, Kind::Cone, Way::Direct, Duration::ZERO);
}

#[test]
fn a_direct_viewer_moves() {
    elsewhere(Mover::Viewer, Kind::Cone, Way::Direct, Duration::ZERO);
}

#[test]
fn a_host_is_without_network_for_a_moment() {
    elsewhere(Mover::Host, Kind::Symmetric, Way::Relayed, Duration::from_secs(3));
}

#[test]
fn a_viewer_is_without_network_for_a_while() {
    elsewhere(Mover::Viewer, Kind::Cone, Way::Direct, NAP);
}

#[test]
fn a_relayed_host_takes_another_address_behind_the_same_router() {
    another_address(Mover::Host, Kind::Only443, Way::Relayed);
}

#[test]
fn a_direct_viewer_takes_another_address_behind_the_same_router() {
    another_address(Mover::Viewer, Kind::Cone, Way::Direct);
}

#[test]
fn a_relayed_host_sleeps() {
    sleep(Mover::Host, Kind::Symmetric, Way::Relayed, NAP);
}

#[test]
fn a_direct_viewer_sleeps() {
    sleep(Mover::Viewer, Kind::Cone, Way::Direct, NAP);
}

#[test]
#[ignore = "more than a minute: just netns"]
fn a_host_sleeps_half_a_minute() {
    sleep(Mover::Host, Kind::Only443, Way::Relayed, LONG_NAP);
    sleep(Mover::Host, Kind::Cone, Way::Direct, LONG_NAP);
}

#[test]
#[ignore = "more than a minute: just netns"]
fn a_viewer_sleeps_half_a_minute() {
    sleep(Mover::Viewer, Kind::Only443, Way::Relayed, LONG_NAP);
    sleep(Mover::Viewer, Kind::Cone, Way::Direct, LONG_NAP);
}

#[test]
fn a_relayed_session_becomes_direct_where_its_machine_moves_to() {
    if !wanted() {
        return;
    }
    let mut scene = Scene::between(Kind::Cone, Kind::Symmetric, Kind::Cone, Way::Relayed);
    scene.moves_elsewhere(Mover::Viewer, Duration::ZERO);
    let back = Instant::now();
    scene.goes_on("Viewer from Symmetric to Cone", back);
    scene.viewer.rs.expect_where("path", |path| path["kind"] == "direct");
    tell(&format!("direct {} ms after the network was back", back.elapsed().as_millis()));
    scene.goes_on("still", Instant::now());
}

#[test]
fn a_network_that_stays_away_ends_the_session_on_both_sides_with_the_reason() {
    if !wanted() {
        return;
    }
    let lab = Lab::new(Kind::Cone, Kind::Cone);
    let relay = session::relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
    let [hosts, viewers] = [Home::new(), Home::new()];
    for home in [&hosts, &viewers] {
        home.configure("resume_seconds = 2");
    }
    let mut host = session::host_at(hosts, &lab.host.end, &relay.addresses, &fixed());
    let mut viewer = session::viewer_at(viewers, &lab.viewer.end, &relay.addresses, &host, &fixed());
    assert_eq!(way_of(&mut host, &mut viewer, Way::Direct), Way::Direct);

    lab.viewer.end.run("ip link delete lan");
    viewer.rs.expect("stalled");
    for side in [&host.rs, &viewer.rs] {
        assert_eq!(side.expect("session-ended")["reason"], "lost");
    }
    let ended = viewer.rs.ended();
    assert!(ended.code.is_some_and(|code| code != 0), "a script must know");
    assert!(ended.stderr.contains("the connection to the host was lost and did not come back"), "{}", ended.stderr);
    assert!(host.rs.runs(), "the host waits for the next viewer");
}

fn tell(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
