//! A relay on loopback with real nodes: its end, its metrics, and limited circuits.

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::*;
use crate::{
    net::{
        Event, Node, Purpose, Stream,
        node::{self, Part},
        tests::{DEADLINE, identity, key, loopback},
    },
    protocol::session::path::PathKind,
};

/// A relay, and the addresses at which it listens.
async fn relay(limits: Limits) -> (Relay, Vec<Multiaddr>) {
    let metrics = Some("127.0.0.1:0".parse().unwrap());
    let config = Config { identity: identity(9), listen: loopback(), join: Vec::new(), limits, metrics };
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

#[tokio::test]
async fn the_metrics_tell_what_is_there() {
    let (relay, addresses) = relay(Limits::default()).await;
    let mut host = Client::start(1, Part::Host, &addresses).await;
    host.reserved().await;
    let mut page = TcpStream::connect(relay.metrics().unwrap()).await.unwrap();
    page.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").await.unwrap();
    let mut text = String::new();
    timeout(DEADLINE, page.read_to_string(&mut text)).await.unwrap().unwrap();
    let value = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    };
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
