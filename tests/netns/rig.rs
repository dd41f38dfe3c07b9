//! What the other tests stand on: a NAT does to ports what its name says, as the relay sees it.

use super::{
    lab::{Lab, Machine, RELAY, wanted},
    nat::Kind,
    session::{self, fixed},
};

/// The legs of a host behind this kind of NAT to the relay's TCP ports 443 and 4001: the port they leave from, and the one they
/// arrive from.
fn legs(kind: Kind) -> [(u16, u16); 2] {
    let lab = Lab::new(kind, Kind::Public);
    let relay = session::relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
    let _host = session::host(&lab.host.end, &relay.addresses, &fixed());
    [443, 4001].map(|port| {
        let end = format!("{RELAY}:{port}");
        (other_port(&lab.host.end, &end), other_port(&lab.relay, &end))
    })
}

/// The port of the connection on this machine whose other end is `end`.
fn other_port(machine: &Machine, end: &str) -> u16 {
    let connections = machine.output(&["ss", "-tnH", "state", "established"]);
    let line = connections.lines().find(|line| line.split_whitespace().any(|word| word == end));
    let other = line.and_then(|line| line.split_whitespace().find(|word| word.contains(':') && *word != end));
    let port = other.and_then(|address| address.rsplit(':').next()?.parse().ok());
    port.unwrap_or_else(|| panic!("no connection with {end}:\n{connections}"))
}

#[test]
fn a_cone_keeps_the_port() {
    if wanted() {
        for (inside, outside) in legs(Kind::Cone) {
            assert_eq!(inside, outside);
        }
    }
}

#[test]
fn a_symmetric_nat_takes_another_port_for_each_destination() {
    if wanted() {
        let [(inside, one), (_, other)] = legs(Kind::Symmetric);
        assert!(one != inside && one != other, "{inside} {one} {other}");
    }
}
