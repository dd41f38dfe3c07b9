//! One side can get nothing but TCP 443 out, the other listens there: no hole punch is needed, only that somebody tries.

use super::{
    lab::{Lab, RELAY, wanted},
    nat::Kind,
    session::{self, Way, fixed, way_of},
};

/// The way between these two when every side that can be reached listens on TCP 443 too.
fn assert_direct(host: Kind, viewer: Kind) {
    if !wanted() {
        return;
    }
    let lab = Lab::new(host, viewer);
    let listen = |kind| format!("{}{}", fixed(), if kind == Kind::Only443 { "" } else { " --listen /ip4/0.0.0.0/tcp/443" });
    let relay = session::relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
    let mut at_host = session::host(&lab.host.end, &relay.addresses, &listen(host));
    let mut at_viewer = session::viewer(&lab.viewer.end, &relay.addresses, &at_host, &listen(viewer));
    assert_eq!(way_of(&mut at_host, &mut at_viewer, Way::DirectTcp), Way::DirectTcp, "host {host:?}, viewer {viewer:?}");
}

#[test]
fn a_public_host_on_443_is_reached_directly() {
    assert_direct(Kind::Public, Kind::Only443);
}

#[test]
fn a_host_whose_443_is_forwarded_is_reached_directly() {
    assert_direct(Kind::Forwarded, Kind::Only443);
}

#[test]
fn a_public_viewer_on_443_is_reached_directly() {
    assert_direct(Kind::Only443, Kind::Public);
}

#[test]
fn a_viewer_whose_443_is_forwarded_is_reached_directly() {
    assert_direct(Kind::Only443, Kind::Forwarded);
}
