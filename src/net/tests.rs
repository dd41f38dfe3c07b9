//! Real nodes and relays on loopback: what the seam promises, over real sockets.

use std::{
    net::UdpSocket as StdUdp,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ed25519_dalek::SigningKey;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Swarm, kad,
    swarm::{SwarmEvent, dial_opts::DialOpts},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, UdpSocket},
    sync::mpsc,
    time::timeout,
};

use super::{
    Event, Node, Purpose, RelayAddress, Stream, Transport, address,
    behaviour::{self, Behaviour, BehaviourEvent},
    directory,
    node::{self, Part},
    relay,
};
use crate::protocol::{
    id::{HostId, PeerKey},
    session::path::{PathId, PathKind},
};

pub(super) const DEADLINE: Duration = Duration::from_secs(20);

pub(super) fn identity(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(super) fn key(seed: u8) -> PeerKey {
    PeerKey(identity(seed).verifying_key().to_bytes())
}

pub(super) fn loopback() -> Vec<Multiaddr> {
    ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"].map(|text| text.parse().unwrap()).to_vec()
}

/// A node and what it told so far.
struct Running {
    node: Node,
    events: mpsc::Receiver<Event>,
    listening: Vec<Multiaddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Path {
    path: PathId,
    key: PeerKey,
    kind: PathKind,
    transport: Transport,
}

impl Running {
    async fn start(seed: u8, part: Part) -> Self {
        let config =
            node::Config { identity: identity(seed), part, listen: loopback(), lan: false, port_mapping: false, trace: None };
        let (node, events) = node::start(config).await.unwrap();
        let mut running = Self { node, events, listening: Vec::new() };
        while running.listening.len() < 2 {
            let address = running.wait("a listen address", |event| match event {
                Event::Listening(address) => Some(address),
                _ => None,
            });
            let address = address.await;
            running.listening.push(address);
        }
        running
    }

    /// The next event that `wanted` takes; others are passed over.
    async fn wait<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the node runs");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("{what} did not come"))
    }

    async fn path(&mut self, wanted: impl Fn(&Path) -> bool) -> Path {
        let up = |event| match event {
            Event::PathUp { path, key, kind, transport, .. } => {
                let path = Path { path, key, kind, transport };
                wanted(&path).then_some(path)
            }
            _ => None,
        };
        self.wait("a path", up).await
    }

    async fn inbound(&mut self) -> (PathId, PeerKey, Purpose, Stream) {
        let inbound = |event| match event {
            Event::Inbound { path, key, purpose, stream } => Some((path, key, purpose, stream)),
            _ => None,
        };
        self.wait("a stream", inbound).await
    }

    async fn reserved(&mut self) -> Multiaddr {
        self.wait("a reservation", |event| if let Event::Reserved(relay) = event { Some(relay) } else { None }).await
    }

    async fn relay_up(&mut self) -> PeerKey {
        self.wait("a relay", |event| if let Event::RelayUp { key, .. } = event { Some(key) } else { None }).await
    }

    fn at(&self, transport: Transport) -> Vec<Multiaddr> {
        self.listening.iter().filter(|address| address::transport_of(address) == transport).cloned().collect()
    }
}

fn relay_at(seed: u8, listen: Vec<Multiaddr>, join: Vec<Multiaddr>) -> relay::Config {
    relay::Config { identity: identity(seed), listen, join, limits: relay::limits::Limits::default(), metrics: None }
}

/// A relay on loopback, and where it is.
struct Meeting {
    relay: relay::Relay,
    addresses: Vec<Multiaddr>,
    _more: mpsc::Receiver<Multiaddr>,
}

impl Meeting {
    async fn start(seed: u8, listen: Vec<Multiaddr>, join: Vec<Multiaddr>) -> Self {
        let (relay, mut more) = relay::start(relay_at(seed, listen, join)).await.unwrap();
        let mut addresses = Vec::new();
        while addresses.len() < 2 {
            addresses.push(timeout(DEADLINE, more.recv()).await.unwrap().unwrap());
        }
        Self { relay, addresses, _more: more }
    }

    fn address(&self) -> RelayAddress {
        RelayAddress { addresses: self.bare(), key: None }
    }

    fn bare(&self) -> Vec<Multiaddr> {
        self.addresses.iter().map(|address| address::split(address).1).collect()
    }
}

/// Both ends say something and hear the other.
/// Opens a stream and talks on it both ways. On which path it came in, from whom, and what for.
async fn talk(here: &Running, path: PathId, purpose: Purpose, there: &mut Running) -> (PathId, PeerKey, Purpose) {
    let mut outbound = here.node.open(path, purpose).await.unwrap();
    outbound.write_all(b"hello").await.unwrap();
    outbound.flush().await.unwrap();
    let (path, from, purpose, mut inbound) = there.inbound().await;
    let mut heard = [0; 5];
    timeout(DEADLINE, inbound.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, b"hello");
    inbound.write_all(b"world").await.unwrap();
    inbound.flush().await.unwrap();
    timeout(DEADLINE, outbound.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, b"world");
    (path, from, purpose)
}

async fn a_direct_path_carries_streams_both_ways(transport: Transport) {
    let (mut host, mut viewer) = (Running::start(1, Part::Host).await, Running::start(2, Part::Viewer).await);
    viewer.node.dial(Some(key(1)), host.at(transport)).await.unwrap();
    let out = viewer.path(|_| true).await;
    let back = host.path(|_| true).await;
    assert_eq!((out.key, out.kind, out.transport), (key(1), PathKind::Lan, transport));
    assert_eq!((back.key, back.transport), (key(2), transport));

    assert_eq!(talk(&viewer, out.path, Purpose::Auth, &mut host).await, (back.path, key(2), Purpose::Auth));
    assert_eq!(talk(&host, back.path, Purpose::Lane, &mut viewer).await, (out.path, key(1), Purpose::Lane));

    viewer.node.close(out.path).await;
    host.wait("the end", |event| matches!(event, Event::PathDown(path) if path == back.path).then_some(())).await;
    assert!(host.node.open(back.path, Purpose::Lane).await.is_err());
}

#[tokio::test]
async fn quic_carries_streams_both_ways() {
    a_direct_path_carries_streams_both_ways(Transport::Quic).await;
}

#[tokio::test]
async fn tcp_carries_streams_both_ways() {
    a_direct_path_carries_streams_both_ways(Transport::Tcp).await;
}

#[tokio::test]
async fn a_host_is_found_by_its_id_reached_through_the_relay_and_then_directly() {
    let meeting = Meeting::start(9, loopback(), Vec::new()).await;
    let mut host = Running::start(1, Part::Host).await;
    host.node.use_relay(meeting.address()).await.unwrap();
    assert_eq!(host.relay_up().await, key(9));
    host.reserved().await;

    let mut viewer = Running::start(2, Part::Viewer).await;
    viewer.node.use_relay(meeting.address()).await.unwrap();
    let listings = viewer.node.look_up(HostId::of(&key(1))).await.unwrap();
    assert_eq!(listings.len(), 1);
    assert_eq!(listings[0].key, key(1));

    let circuits = listings[0].relays.iter().map(|relay| address::circuit(relay, key(1))).collect();
    viewer.node.dial(Some(key(1)), circuits).await.unwrap();
    let relayed = viewer.path(|path| path.kind == PathKind::Relayed).await;
    let (_, from, _) = talk(&viewer, relayed.path, Purpose::Auth, &mut host).await;
    assert_eq!(from, key(2));

    // The hole punch makes a second, direct path.
    let direct = viewer.path(|path| path.kind == PathKind::Lan).await;
    assert_eq!(direct.key, key(1));
    talk(&viewer, direct.path, Purpose::Lane, &mut host).await;
}

#[tokio::test]
async fn a_relay_that_only_speaks_websocket_is_enough() {
    let web = ["/ip4/127.0.0.1/tcp/0/ws"; 2].map(|text| text.parse().unwrap()).to_vec();
    let meeting = Meeting::start(9, web, Vec::new()).await;
    let mut host = Running::start(1, Part::Host).await;
    host.node.use_relay(meeting.address()).await.unwrap();
    host.reserved().await;

    let mut viewer = Running::start(2, Part::Viewer).await;
    viewer.node.use_relay(meeting.address()).await.unwrap();
    let listings = viewer.node.look_up(HostId::of(&key(1))).await.unwrap();
    let circuits = listings[0].relays.iter().map(|relay| address::circuit(relay, key(1))).collect();
    viewer.node.dial(Some(key(1)), circuits).await.unwrap();
    let relayed = viewer.path(|path| path.kind == PathKind::Relayed).await;
    assert_eq!(relayed.transport, Transport::Websocket);
    talk(&viewer, relayed.path, Purpose::Auth, &mut host).await;
}

#[tokio::test]
async fn an_id_that_no_relay_knows_has_no_listing() {
    let meeting = Meeting::start(9, loopback(), Vec::new()).await;
    let viewer = Running::start(2, Part::Viewer).await;
    assert!(viewer.node.look_up(HostId::of(&key(1))).await.unwrap().is_empty());
    viewer.node.use_relay(meeting.address()).await.unwrap();
    assert!(viewer.node.look_up(HostId::of(&key(1))).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_reservation_comes_back_with_the_relay() {
    let meeting = Meeting::start(9, loopback(), Vec::new()).await;
    let mut host = Running::start(1, Part::Host).await;
    host.node.use_relay(meeting.address()).await.unwrap();
    host.reserved().await;
    let same_ports = meeting.bare();
    drop(meeting);
    host.wait("the loss", |event| matches!(event, Event::ReservationLost(_)).then_some(())).await;
    let _meeting = restart(9, same_ports).await;
    host.reserved().await;
}

/// The old sockets are freed a moment after the relay is dropped.
async fn restart(seed: u8, listen: Vec<Multiaddr>) -> Meeting {
    let free = async {
        loop {
            match relay::start(relay_at(seed, listen.clone(), Vec::new())).await {
                Ok((relay, more)) => return Meeting { relay, addresses: listen.clone(), _more: more },
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(DEADLINE, free).await.unwrap()
}

#[tokio::test]
async fn a_relay_with_another_key_is_told_and_not_used() {
    let meeting = Meeting::start(9, loopback(), Vec::new()).await;
    let mut host = Running::start(1, Part::Host).await;
    let wrong = RelayAddress { key: Some(key(8)), ..meeting.address() };
    host.node.use_relay(wrong.clone()).await.unwrap();
    let told = host.wait("the warning", |event| match event {
        Event::RelayChanged(relay) => Some(relay),
        Event::RelayUp { .. } => panic!("it was used"),
        _ => None,
    });
    assert_eq!(told.await, wrong);
}

#[tokio::test]
async fn relays_that_joined_share_the_directory() {
    let first = Meeting::start(9, loopback(), Vec::new()).await;
    let second = Meeting::start(8, loopback(), vec![first.addresses[0].clone()]).await;
    let mut viewer = Running::start(2, Part::Viewer).await;
    viewer.node.use_relay(first.address()).await.unwrap();
    viewer.relay_up().await;
    let mut host = Running::start(1, Part::Host).await;
    host.node.use_relay(second.address()).await.unwrap();
    host.reserved().await;
    let found = async {
        while viewer.node.look_up(HostId::of(&key(1))).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, found).await.expect("the record came over");
}

/// A peer that speaks the directory's protocol without the node's manners.
struct Rogue(Swarm<Behaviour>, PeerId);

impl Rogue {
    async fn at(meeting: &Meeting) -> Self {
        let mut swarm = behaviour::swarm(&identity(5), false, None, &Default::default()).unwrap();
        let relay = address::peer_of(&key(9)).unwrap();
        let dial = DialOpts::peer_id(relay).addresses(meeting.bare()).build();
        swarm.behaviour_mut().candidates.invite(dial.connection_id());
        swarm.dial(dial).unwrap();
        swarm.behaviour_mut().kad.add_address(&relay, meeting.bare().remove(0));
        let mut rogue = Self(swarm, relay);
        rogue.wait(|event| matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(())).await;
        rogue
    }

    async fn wait<T>(&mut self, mut wanted: impl FnMut(SwarmEvent<BehaviourEvent>) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = wanted(self.0.select_next_some().await) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, found).await.unwrap()
    }

    /// Sends a record and waits until the relay took note of it.
    async fn put(&mut self, place: [u8; 32], value: Vec<u8>) {
        let record = kad::Record::new(place.to_vec(), value);
        let relay = std::iter::once(self.1);
        let query = self.0.behaviour_mut().kad.put_record_to(record, relay, kad::Quorum::One);
        self.wait(|event| ended(&event, query)).await;
    }

    /// Whether the relay hands out a record.
    async fn has(&mut self, place: [u8; 32]) -> bool {
        let query = self.0.behaviour_mut().kad.get_record(kad::RecordKey::new(&place));
        let mut found = false;
        let over = self.wait(|event| {
            found |= is_found(&event);
            ended(&event, query)
        });
        over.await;
        found
    }
}

fn ended(event: &SwarmEvent<BehaviourEvent>, query: kad::QueryId) -> Option<()> {
    let SwarmEvent::Behaviour(BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed { id, step, .. })) = event else {
        return None;
    };
    (*id == query && step.last).then_some(())
}

fn is_found(event: &SwarmEvent<BehaviourEvent>) -> bool {
    use kad::{Event::OutboundQueryProgressed, GetRecordOk::FoundRecord, QueryResult::GetRecord};
    let SwarmEvent::Behaviour(BehaviourEvent::Kad(OutboundQueryProgressed { result, .. })) = event else { return false };
    matches!(result, GetRecord(Ok(FoundRecord(_))))
}

#[tokio::test]
async fn the_relay_stores_a_hosts_own_record_and_no_other() {
    let meeting = Meeting::start(9, loopback(), Vec::new()).await;
    let mut rogue = Rogue::at(&meeting).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let [own, other] = [5, 1].map(|seed| directory::place(HostId::of(&key(seed))));
    let record = |seed, at| directory::sign(&identity(seed), 1, at, &meeting.addresses);

    rogue.put(own, record(5, now)).await;
    let stored = async { while !rogue.has(own).await {} };
    timeout(DEADLINE, stored).await.expect("its own record is stored");

    let mut forged = record(5, now);
    forged[..32].copy_from_slice(&key(1).0);
    for refused in [b"junk".to_vec(), forged, record(5, now), record(1, now), record(1, now - 3600), vec![0; 1 << 11]] {
        rogue.put(other, refused).await;
        assert!(!rogue.has(other).await);
    }
}

#[tokio::test]
async fn garbage_on_every_port_leaves_all_well() {
    let meeting = Meeting::start(9, loopback(), Vec::new()).await;
    let mut host = Running::start(1, Part::Host).await;
    for address in meeting.addresses.iter().chain(&host.listening) {
        throw_garbage(address).await;
    }
    host.node.use_relay(meeting.address()).await.unwrap();
    host.reserved().await;
    let viewer = Running::start(2, Part::Viewer).await;
    for transport in [Transport::Quic, Transport::Tcp] {
        viewer.node.dial(Some(key(1)), host.at(transport)).await.unwrap();
    }
    drop(meeting.relay);
}

async fn throw_garbage(address: &Multiaddr) {
    let target = ("127.0.0.1", address::port_of(address).unwrap());
    let junk: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    if address::transport_of(address) == Transport::Quic {
        let socket = UdpSocket::from_std(nonblocking(StdUdp::bind("127.0.0.1:0").unwrap())).unwrap();
        for length in [0, 1, 20, 1200, 1400] {
            socket.send_to(&junk[..length], target).await.unwrap();
        }
    } else {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(target).await.unwrap();
            // The other end may hang up at the first wrong byte.
            let _ = stream.write_all(&junk).await;
        }
    }
}

fn nonblocking(socket: StdUdp) -> StdUdp {
    socket.set_nonblocking(true).unwrap();
    socket
}

#[tokio::test]
async fn a_dial_that_fails_says_why() {
    let viewer = Running::start(2, Part::Viewer).await;
    let host = Running::start(1, Part::Host).await;
    let wrong = viewer.node.dial(Some(key(7)), host.at(Transport::Tcp).iter().map(|at| address::split(at).1).collect()).await;
    assert!(wrong.unwrap_err().contains("somebody else"));
    let nothing = viewer.node.dial(Some(key(7)), vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()]).await;
    assert!(nothing.unwrap_err().contains("nothing listens"));
    assert!(viewer.node.dial(Some(key(7)), Vec::new()).await.is_err());
    let meeting = Meeting::start(9, loopback(), Vec::new()).await;
    let circuit = address::circuit(&meeting.addresses[1], key(7));
    assert!(viewer.node.dial(Some(key(7)), vec![circuit]).await.unwrap_err().contains("not connected to its relay"));
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_is_an_error_that_names_it() {
    let taken = Running::start(1, Part::Host).await;
    let listen = taken.at(Transport::Quic).iter().map(|at| address::split(at).1).collect::<Vec<_>>();
    let config = node::Config {
        identity: identity(2),
        part: Part::Viewer,
        listen: listen.clone(),
        lan: false,
        port_mapping: false,
        trace: None,
    };
    let Err(error) = node::start(config).await else { panic!("it listens twice") };
    let text = error.to_string();
    assert!(text.contains(&listen[0].to_string()) && text.contains("--listen") && !text.contains('\n'), "{text}");
}
