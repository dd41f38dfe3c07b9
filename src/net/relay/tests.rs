//! A relay on loopback with real nodes: its end, its metrics, limited circuits, its fellows, and relays and peers that lie.

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _, future::join_all};
use libp2p::{
    kad::{self, store::RecordStore as _},
    swarm::SwarmEvent,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::*;
use crate::{
    net::{
        Event, Listing, Node, Purpose, Stream, directory,
        node::{self, Part},
        tests::{DEADLINE, identity, key, loopback},
    },
    protocol::{id::HostId, session::path::PathKind},
};

/// A relay, and the addresses at which it listens.
async fn relay(limits: Limits) -> (Relay, Vec<Multiaddr>) {
    relay_that_joins(9, Vec::new(), limits).await
}

async fn relay_that_joins(seed: u8, join: Vec<Multiaddr>, limits: Limits) -> (Relay, Vec<Multiaddr>) {
    let metrics = Some("127.0.0.1:0".parse().unwrap());
    let config = Config { identity: identity(seed), listen: loopback(), join, limits, metrics };
    let (relay, mut told) = start(config).await.unwrap();
    let mut addresses = Vec::new();
    while addresses.len() < 2 {
        addresses.push(timeout(DEADLINE, told.recv()).await.unwrap().unwrap());
    }
    (relay, addresses)
}

/// A node that uses the relay.
struct Client {
    node: Node,
    events: mpsc::Receiver<Event>,
}

impl Client {
    async fn start(seed: u8, part: Part, relay: &[Multiaddr]) -> Self {
        let config =
            node::Config { identity: identity(seed), part, listen: loopback(), lan: false, port_mapping: false, trace: None };
        let (node, events) = node::start(config).await.unwrap();
        let addresses = relay.iter().map(|address| address::split(address).1).collect();
        node.use_relay(RelayAddress { addresses, key: None }).await.unwrap();
        Self { node, events }
    }

    /// Uses one more relay.
    async fn also(self, relay: &[Multiaddr]) -> Self {
        let addresses = relay.iter().map(|address| address::split(address).1).collect();
        self.node.use_relay(RelayAddress { addresses, key: None }).await.unwrap();
        self
    }

    /// The listings of the host with this seed, and how long it took.
    async fn listings(&self, host: u8) -> Vec<Listing> {
        let start = Instant::now();
        let listings = self.node.look_up(HostId::of(&key(host))).await.unwrap();
        println!("looked up in {} ms", start.elapsed().as_millis());
        listings
    }

    async fn wait<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = wanted(self.events.recv().await.expect("the node runs")) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, found).await.expect("what is waited for comes")
    }

    async fn reserved(&mut self) {
        self.wait(|event| matches!(event, Event::Reserved(_)).then_some(())).await;
    }

    /// A stream to the host through the relay, and only through it.
    async fn stream(&mut self, host: u8, relay: &Multiaddr) -> Stream {
        self.wait(|event| matches!(event, Event::RelayUp { .. }).then_some(())).await;
        self.node.dial(Some(key(host)), vec![address::circuit(relay, key(host))]).await.unwrap();
        let relayed = self.wait(|event| match event {
            Event::PathUp { path, kind: PathKind::Relayed, .. } => Some(path),
            _ => None,
        });
        let path = relayed.await;
        self.node.keep(path, true).await;
        self.node.open(path, Purpose::Lane).await.unwrap()
    }
}

#[tokio::test]
async fn hosts_see_at_once_that_the_relay_stops() {
    let (relay, addresses) = relay(Limits::default()).await;
    let mut host = Client::start(1, Part::Host, &addresses).await;
    host.reserved().await;
    let lost = host.wait(|event| matches!(event, Event::ReservationLost(_)).then_some(()));
    tokio::join!(relay.stop(), lost);
}

/// What the relay's page of metrics says.
async fn page(relay: &Relay) -> String {
    let mut page = TcpStream::connect(relay.metrics().unwrap()).await.unwrap();
    page.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").await.unwrap();
    let mut text = String::new();
    timeout(DEADLINE, page.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

fn value(page: &str, name: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{page}")).parse().unwrap()
}

#[tokio::test]
async fn the_metrics_tell_what_is_there() {
    let (relay, addresses) = relay(Limits::default()).await;
    let mut host = Client::start(1, Part::Host, &addresses).await;
    host.reserved().await;
    let text = page(&relay).await;
    let value = |name: &str| value(&text, name);
    assert!((1..=3).contains(&value("rs_relay_reservations")), "{text}");
    assert_eq!(value("rs_relay_records"), 1);
    assert_eq!(value("rs_relay_circuits"), 0);
    assert!(value("rs_relay_received_bytes_total") > 0);
    assert!(value("rs_relay_streams") > 0);
}

#[tokio::test]
async fn limited_circuits_share_the_total() {
    let (_relay, addresses) = relay(Limits { bandwidth: 1_000_000, ..Limits::default() }).await;
    let mut host = Client::start(1, Part::Host, &addresses).await;
    host.reserved().await;
    let mut readers = Vec::new();
    for seed in [2, 3] {
        let mut viewer = Client::start(seed, Part::Viewer, &addresses).await;
        let mut stream = viewer.stream(1, &addresses[0]).await;
        // Streams are told to the other side with their first bytes.
        stream.write_all(b"x").await.unwrap();
        stream.flush().await.unwrap();
        let mut outgoing = host.wait(|event| if let Event::Inbound { stream, .. } = event { Some(stream) } else { None }).await;
        tokio::spawn(async move { while outgoing.write_all(&[7; 16 * 1024]).await.is_ok() {} });
        readers.push((viewer, stream));
    }
    // Past the free bursts, what the sockets hold and the wait for the second: from here both are hungry.
    let counts = [0, 0].map(|_: u8| Arc::new(std::sync::atomic::AtomicU64::new(0)));
    let tasks: Vec<_> =
        readers.into_iter().zip(counts.clone()).map(|((viewer, stream), count)| read(viewer, stream, count)).collect();
    let _tasks: Vec<_> = tasks.into_iter().map(|task| AbortOnDropHandle::new(tokio::spawn(task))).collect();
    let read = || [0, 1].map(|stream: usize| counts[stream].load(std::sync::atomic::Ordering::Relaxed));
    let reached = async |least: [u64; 2]| {
        while read().iter().zip(least).any(|(have, least)| *have < least) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, reached([600_000; 2])).await.unwrap();
    let before = read();
    timeout(DEADLINE, reached(before.map(|bytes| bytes + 500_000))).await.unwrap();
    let after = read();
    // When the slower one has 500 kB more, the faster one has not much more than that.
    assert!(after.iter().zip(before).all(|(after, before)| after - before < 1_000_000), "{before:?} to {after:?}");
}

async fn read(_viewer: Client, mut stream: Stream, count: Arc<std::sync::atomic::AtomicU64>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        count.fetch_add(read as u64, std::sync::atomic::Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_relay_that_came_later_finds_what_it_was_never_given() {
    let (_first, first) = relay(Limits::default()).await;
    let mut host = Client::start(1, Part::Host, &first).await;
    host.reserved().await;
    let (_second, second) = relay_that_joins(8, vec![first[0].clone()], Limits::default()).await;
    let viewer = Client::start(2, Part::Viewer, &second).await;
    // Its first question may come before the relays have met.
    let found = async {
        loop {
            let listings = viewer.listings(1).await;
            if !listings.is_empty() {
                return listings;
            }
        }
    };
    assert_eq!(timeout(DEADLINE, found).await.unwrap()[0].key, key(1));
}

/// A relay that hands out what it was given, without a look at it.
async fn liar(record: Vec<u8>, host: u8) -> (AbortOnDropHandle<()>, Vec<Multiaddr>) {
    let mut swarm = swarm::swarm(&identity(66), &Limits::default(), None).unwrap();
    let place = directory::place(HostId::of(&key(host)));
    swarm.behaviour_mut().kad.store_mut().put(kad::Record::new(place.to_vec(), record)).unwrap();
    behaviour::listen(&mut swarm, &loopback()).unwrap();
    let mut addresses = Vec::new();
    while addresses.len() < 2 {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            swarm.add_external_address(address.clone());
            addresses.push(address.with_p2p(*swarm.local_peer_id()).unwrap());
        }
    }
    let serving = async move {
        loop {
            swarm.select_next_some().await;
        }
    };
    (helper(tokio::spawn(serving)), addresses)
}

#[tokio::test]
async fn a_relay_that_lies_fools_nobody_and_hides_nothing_that_another_one_knows() {
    let (_relay, honest) = relay(Limits::default()).await;
    let mut host = Client::start(1, Part::Host, &honest).await;
    host.reserved().await;
    let now = directory::unix_seconds();
    let newest = u64::MAX;
    let mut unsigned = directory::sign(&identity(1), newest, now, &honest);
    unsigned[40] ^= 1;
    let lies = [
        ("another host's", directory::sign(&identity(2), newest, now, &honest)),
        ("unsigned", unsigned),
        ("expired", directory::sign(&identity(1), newest, now - directory::LIFETIME, &honest)),
        ("junk", vec![7; 300]),
    ];
    let honest = &honest;
    let tries = (0_u8..).zip(lies).map(|(number, (what, lie))| async move {
        let (_liar, liar) = liar(lie, 1).await;
        let alone = Client::start(20 + number, Part::Viewer, &liar).await;
        let both = Client::start(30 + number, Part::Viewer, &liar).await.also(honest).await;
        let (alone, both) = tokio::join!(alone.listings(1), both.listings(1));
        assert_eq!(alone, [], "{what}");
        assert_eq!(both.iter().map(|listing| listing.key).collect::<Vec<_>>(), [key(1)], "{what}");
    });
    join_all(tries).await;
}

#[tokio::test]
async fn an_older_record_does_not_win_over_a_newer_one() {
    let (_relay, honest) = relay(Limits::default()).await;
    let mut host = Client::start(1, Part::Host, &honest).await;
    host.reserved().await;
    let nowhere = address::with_key(&"/ip4/192.0.2.1/tcp/4001".parse().unwrap(), key(9));
    let (_liar, liar) = liar(directory::sign(&identity(1), 1, directory::unix_seconds(), std::slice::from_ref(&nowhere)), 1).await;
    let viewer = Client::start(2, Part::Viewer, &liar).await.also(&honest).await;
    let found = async {
        // The first answer may be the old one while the honest relay is still being dialled: ask until both are there.
        loop {
            let listings = viewer.listings(1).await;
            if !listings[0].relays.contains(&nowhere) {
                return;
            }
        }
    };
    timeout(DEADLINE, found).await.expect("the newer one wins");
}

#[tokio::test]
async fn a_relay_that_accepts_and_never_speaks_only_delays() {
    let (_relay, honest) = relay(Limits::default()).await;
    let mut host = Client::start(1, Part::Host, &honest).await;
    host.reserved().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stalling = format!("/ip4/127.0.0.1/tcp/{}", silent.local_addr().unwrap().port()).parse().unwrap();
    let viewer = Client::start(2, Part::Viewer, &[stalling]).await.also(&honest).await;
    assert_eq!(viewer.listings(1).await[0].key, key(1));
}

#[tokio::test]
async fn a_flood_of_junk_records_is_refused_and_an_honest_host_still_gets_in() {
    const FLOOD: u64 = 2000;
    let (relay, addresses) = relay(Limits::default()).await;
    let mut flooder = swarm::swarm(&identity(50), &Limits::default(), None).unwrap();
    let peer = address::peer_of(&address::split(&addresses[0]).0.unwrap()).unwrap();
    flooder.dial(addresses[0].clone()).unwrap();
    while !flooder.is_connected(&peer) {
        flooder.select_next_some().await;
    }
    for number in 0..FLOOD {
        let junk = vec![7; 200];
        let record = kad::Record::new(number.to_be_bytes().to_vec(), junk);
        flooder.behaviour_mut().kad.put_record_to(record, std::iter::once(peer), kad::Quorum::One);
    }
    let _flooding = helper(tokio::spawn(async move {
        loop {
            flooder.select_next_some().await;
        }
    }));
    let mut host = Client::start(1, Part::Host, &addresses).await;
    host.reserved().await;
    assert_eq!(value(&page(&relay).await, "rs_relay_records"), 1, "the host's own, and nothing else");
}
