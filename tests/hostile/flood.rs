//! More connections, streams and records than anybody needs: memory stays bounded, and those who mean well are served meanwhile.

use std::{
    future::poll_fn,
    net::{SocketAddr, TcpStream},
    pin::Pin,
    time::Instant,
};

use futures::{AsyncWriteExt, StreamExt, future::join_all};
use libp2p::{
    Multiaddr, PeerId, SwarmBuilder, Transport,
    core::{
        Endpoint,
        muxing::{StreamMuxer, StreamMuxerBox},
        transport::{Boxed, DialOpts, PortUse},
        upgrade::Version,
    },
    identity, kad,
    multiaddr::Protocol,
    noise,
    swarm::SwarmEvent,
    tcp, yamux,
};
use tokio::runtime::Runtime;

use super::{
    Honest,
    support::{
        machine::{Host, session},
        process::Process,
        until_true,
    },
};

/// Far more than floods of this size take, and far less than they would take without bounds.
const ROOM: u64 = 64 << 20;

const CONNECTIONS: usize = 40;
/// On each connection; yamux lets 256 wait.
const STREAMS: usize = 200;
/// A relay has places for 512.
const HANDSHAKES: usize = 400;
const RECORDS: u64 = 5000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// The address without the key.
fn bare(address: &str) -> Multiaddr {
    let address: Multiaddr = address.parse().expect("an address");
    address.into_iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
}

/// A connection of somebody new, with nothing above the multiplexer.
async fn connection(address: &Multiaddr) -> StreamMuxerBox {
    const DIAL: DialOpts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    let security = noise::Config::new(&identity::Keypair::generate_ed25519()).expect("a key");
    let transport =
        tcp::tokio::Transport::default().upgrade(Version::V1).authenticate(security).multiplex(yamux::Config::default());
    let mut transport: Boxed<(PeerId, StreamMuxerBox)> = transport.boxed();
    transport.dial(address.clone(), DIAL).expect("an address for TCP").await.expect("it answers").1
}

/// Opens streams that begin to name a protocol and never do. They stay as long as the other side and the runtime let them.
async fn half_open(address: &Multiaddr) {
    let mut muxer = connection(address).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let stream = poll_fn(|context| {
            let _ = Pin::new(&mut muxer).poll(context)?;
            Pin::new(&mut muxer).poll_outbound(context)
        });
        streams.push(stream.await.expect("it takes streams"));
    }
    // A write only hands over to the multiplexer, which is driven below.
    let begun = join_all(streams.iter_mut().map(async |stream| stream.write_all(b"\x13/multistream/1.0.0\n\x40").await)).await;
    assert!(begun.iter().all(Result::is_ok));
    tokio::spawn(async move {
        let _streams = streams;
        poll_fn(|context| Pin::new(&mut muxer).poll(context)).await.map(drop)
    });
}

/// Streams of many strangers at once, and TCP connections that say nothing.
fn flood(runtime: &Runtime, address: &str, handshakes: usize) -> Vec<TcpStream> {
    let address = bare(address);
    let port = address.iter().find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None });
    let target = SocketAddr::from(([127, 0, 0, 1], port.expect("TCP")));
    runtime.block_on(async {
        for _ in 0..CONNECTIONS {
            half_open(&address).await;
        }
    });
    (0..handshakes).map(|_| TcpStream::connect(target).expect("the kernel takes it")).collect()
}

/// Its memory grew by less than [`ROOM`].
fn stays_small(what: &str, process: &Process, before: u64) {
    let after = process.memory();
    eprintln!("{what}: {} KiB before, {} KiB after", before >> 10, after >> 10);
    assert!(after < before + ROOM);
}

#[test]
fn a_relay_full_of_half_open_streams_and_handshakes_serves_others() {
    let mut honest = Honest::start();
    let (runtime, before) = (runtime(), honest.relay.rs.process().memory());
    let address = honest.relay.address("tcp").to_owned();
    let _held = flood(&runtime, &address, HANDSHAKES);
    until_true("streams are half open", || honest.metric("rs_relay_streams") > 1000);

    let start = Instant::now();
    let option = format!("--relay {address}");
    let mut host = Host::pattern(&option);
    host.is_reachable_by_id();
    let id = host.id.clone();
    session(&mut host, &id, &option);
    eprintln!("{} streams half open: in session after {} ms", CONNECTIONS * STREAMS, start.elapsed().as_millis());
    stays_small("relay, streams and handshakes", honest.relay.rs.process(), before);
}

#[test]
fn a_host_full_of_half_open_streams_takes_its_viewer() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let (runtime, before) = (runtime(), host.rs.process().memory());
    let address = target.split_once('@').expect("ID@ADDRESS").1.to_owned();
    // Few enough to leave the host some of its places for handshakes.
    let _held = flood(&runtime, &address, 32);

    let start = Instant::now();
    session(&mut host, &target, "");
    eprintln!("{} streams half open: in session after {} ms", CONNECTIONS * STREAMS, start.elapsed().as_millis());
    stays_small("host, streams and handshakes", host.rs.process(), before);
}

#[test]
fn a_relay_under_junk_records_refuses_them_and_takes_a_hosts() {
    let mut honest = Honest::start();
    let (runtime, before) = (runtime(), honest.relay.rs.process().memory());
    let address: Multiaddr = honest.relay.address("tcp").parse().expect("an address");
    runtime.spawn(send_junk(address.clone()));

    let refused = || honest.metric(r#"rs_relay_records_refused_total{reason="invalid"}"#);
    until_true("junk arrives", || refused() > 0);
    let start = Instant::now();
    let option = format!("--relay {address}");
    let mut host = Host::pattern(&option);
    host.is_reachable_by_id();
    eprintln!("published after {} ms, {} of {RECORDS} records refused by then", start.elapsed().as_millis(), refused());
    let id = host.id.clone();
    session(&mut host, &id, &option);
    until_true("all were refused", || refused() == RECORDS);
    assert_eq!(honest.metric("rs_relay_records"), 1, "the host's own, and nothing else");
    stays_small("relay, junk records", honest.relay.rs.process(), before);
}

/// Records of 1 KiB under as many keys.
async fn send_junk(address: Multiaddr) {
    let Some(Protocol::P2p(relay)) = address.iter().last() else { panic!("it names its key") };
    let behaviour = |keypair: &identity::Keypair| {
        let local = keypair.public().to_peer_id();
        let config = kad::Config::new(libp2p::StreamProtocol::new("/rs/kad/1"));
        kad::Behaviour::with_config(local, kad::store::MemoryStore::new(local), config)
    };
    let builder = SwarmBuilder::with_new_identity().with_tokio();
    let builder = builder.with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default).expect("TCP");
    let mut swarm = builder.with_behaviour(behaviour).expect("a behaviour").build();
    swarm.dial(address).expect("it dials");
    while !swarm.is_connected(&relay) {
        swarm.select_next_some().await;
    }
    let mut left = RECORDS;
    let mut under_way = 0;
    loop {
        // A few at a time: a query that waits too long is given up.
        while left > 0 && under_way < 16 {
            let record = kad::Record::new(left.to_be_bytes().to_vec(), vec![7; 1024]);
            swarm.behaviour_mut().put_record_to(record, std::iter::once(relay), kad::Quorum::One);
            (left, under_way) = (left - 1, under_way + 1);
        }
        if let SwarmEvent::Behaviour(kad::Event::OutboundQueryProgressed { result, .. }) = swarm.select_next_some().await {
            under_way -= usize::from(matches!(result, kad::QueryResult::PutRecord(_)));
        }
    }
}
