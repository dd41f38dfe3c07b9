//! The link of the network benchmarks: what it does to packets (its own tests), and that it carries them between two namespaces.

#[path = "support/link.rs"]
mod link;

use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
    time::{Duration, Instant},
};

use link::{ADDRESSES, Link, Shape, possible};

const PATIENCE: Duration = Duration::from_secs(40);

fn socket(link: &Link, end: usize) -> UdpSocket {
    let socket =
        link.inside(end, move || UdpSocket::bind((ADDRESSES[end], 0))).expect("the namespace").expect("an address of its own");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

#[test]
fn what_goes_through_the_link_and_back_is_delayed_twice() {
    if !possible() {
        return;
    }
    let delay = Duration::from_millis(30);
    let link = Link::new(Shape { delay, ..Shape::default() }, 1).expect("a link");
    let (near, far) = (socket(&link, 0), socket(&link, 1));
    let (start, mut buffer) = (Instant::now(), [0; 16]);
    near.send_to(b"there", far.local_addr().expect("bound")).expect("sent");
    let (length, from): (usize, SocketAddr) = far.recv_from(&mut buffer).expect("it came");
    assert_eq!((&buffer[..length], from), (&b"there"[..], near.local_addr().expect("bound")));
    far.send_to(b"back", from).expect("sent");
    let length = near.recv(&mut buffer).expect("it came back");
    assert_eq!(&buffer[..length], b"back");
    assert!(start.elapsed() >= 2 * delay, "{:?} there and back", start.elapsed());
    let [there, back] = link.finish().expect("the link held");
    assert!(there.carried >= 1 && back.carried >= 1, "{there:?}, {back:?}");
}

#[test]
fn what_is_lost_is_not_carried_and_the_namespaces_go_with_the_link() {
    if !possible() {
        return;
    }
    let link = Link::new(Shape { loss: 1.0, ..Shape::default() }, 1).expect("a link");
    let (near, far) = (socket(&link, 0), socket(&link, 1));
    near.send_to(b"lost", far.local_addr().expect("bound")).expect("sent");
    let names = link.names().map(str::to_owned);
    let [there, _] = link.finish().expect("the link held");
    assert!(there.lost >= 1 && there.carried == 0, "{there:?}");
    assert!(names.iter().all(|name| !Path::new("/run/netns").join(name).exists()), "the namespaces are still there");
}
