//! The bare ID through a relay, and links.

use std::time::Instant;

use crate::support::{
    machine::{Home, Host, Relay, Viewer, on_loopback, session},
    rs::Start,
};

fn by_id_through(transport: &str) {
    let relay = Relay::start();
    let option = format!("--relay {}", relay.address(transport));
    let mut host = Host::pattern(&option);
    host.is_reachable_by_id();
    let id = host.id.clone();
    let mut viewer = session(&mut host, &id, &option);
    let picture = viewer.screenshot();
    assert_eq!((picture.width, picture.height), (1280, 720));
    viewer.rs.send("chat through the relay");
    assert_eq!(host.rs.expect("chat")["text"], "through the relay");
}

#[test]
fn the_bare_id_is_found_through_a_relay_over_tcp() {
    by_id_through("tcp");
}

#[test]
fn the_bare_id_is_found_through_a_relay_over_quic() {
    by_id_through("quic-v1");
}

#[test]
fn a_relay_is_known_by_host_and_port_alone() {
    let relay = Relay::start();
    let port = relay.address("tcp").split('/').nth(4).expect("/ip4/A/tcp/PORT/…");
    let option = format!("--relay 127.0.0.1:{port}");
    let mut host = Host::pattern(&option);
    host.is_reachable_by_id();
    let id = host.id.clone();
    session(&mut host, &id, &option);
}

#[test]
fn the_relay_may_come_from_the_environment() {
    let relay = Relay::start();
    let home = Home::new();
    let line = "host --json --no-lan --capture pattern --panel none";
    let start = on_loopback(&home, line).env("RS_RELAY", relay.address("tcp"));
    let mut host = Host::started(home, start);
    host.is_reachable_by_id();

    let home = Home::new();
    let start = on_loopback(&home, "connect --json --password-stdin --no-lan --view none")
        .arg(&host.id)
        .env("RS_RELAY", relay.address("tcp"));
    let viewer = Viewer::started(home, start, &host.password);
    host.accept();
    viewer.rs.expect("granted");
}

#[test]
fn a_link_has_all_that_is_needed_but_the_password() {
    let relay = Relay::start();
    let mut host = Host::pattern(&format!("--relay {}", relay.address("tcp")));
    host.is_reachable_by_id();
    let link = host.rs.seen("ready").last().and_then(|ready| ready["link"].as_str()).expect("ready has a link").to_owned();
    assert!(link.contains("r="), "{link}");
    session(&mut host, &link, "");
}

#[test]
fn a_host_finds_its_relay_again_after_the_relay_was_restarted() {
    let Relay { mut rs, home, addresses } = Relay::start();
    let address = addresses.iter().find(|address| address.contains("/tcp/")).expect("a relay listens on TCP").clone();
    let option = format!("--relay {address}");
    let mut host = Host::pattern(&option);
    host.is_reachable_by_id();
    rs.process().kill();
    let listen = address.split("/p2p/").next().expect("an address");
    let again = Start::new(home.path(), "relay --json --listen").arg(listen).go();
    let ready = again.expect("ready");
    assert!(
        ready["addresses"].as_array().into_iter().flatten().any(|each| *each == address.as_str()),
        "the key outlives a restart: {ready}"
    );
    host.is_reachable_by_id();
    let id = host.id.clone();
    session(&mut host, &id, &option);
}

#[test]
fn a_session_outlives_the_restart_of_its_relay_that_only_speaks_websocket() {
    let meeting = Home::new();
    let mut relay = Start::new(meeting.path(), "relay --json --listen /ip4/127.0.0.1/tcp/0/ws").go();
    let ready = relay.expect("ready");
    let address = ready["addresses"][0].as_str().expect("an address").to_owned();
    // Over UDP nobody tells them an address for a hole punch here, and over TCP nobody listens: the session stays relayed.
    let udp = "--relay RELAY --listen /ip4/127.0.0.1/udp/0/quic-v1".replace("RELAY", &address);
    let home = Home::new();
    let line = format!("host --json --no-lan --capture pattern --panel none --listen /ip4/127.0.0.2/udp/0/quic-v1 {udp}");
    let start = Start::new(home.path(), &line);
    let mut host = Host::started(home, start);
    host.is_reachable_by_id();
    let home = Home::new();
    let start = Start::new(home.path(), &format!("connect --json --password-stdin --no-lan --view none {udp}")).arg(&host.id);
    let mut viewer = Viewer::started(home, start, &host.password);
    host.accept();
    viewer.is_in_session();
    let connected = viewer.rs.seen("connected");
    let path = &connected.last().expect("it is connected")["path"];
    assert_eq!((&path["kind"], &path["transport"]), (&"relayed".into(), &"websocket".into()), "{path}");

    relay.process().kill();
    viewer.rs.expect("stalled");
    viewer.rs.send("chat said too early is not sent");
    let listen = address.split("/p2p/").next().expect("an address");
    let again = Start::new(meeting.path(), "relay --json --listen").arg(listen).go();
    again.expect("ready");
    let back = Instant::now();
    viewer.rs.expect("resumed");
    eprintln!("resumed {} ms after the relay was back", back.elapsed().as_millis());
    viewer.rs.send("chat still here");
    assert_eq!(host.rs.expect_where("chat", |chat| chat["text"] == "still here")["from"], "viewer");
    viewer.screenshot();
}
