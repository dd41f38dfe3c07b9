//! Against the stock transport and against itself, over the loopback interface.

use std::{
    future::poll_fn,
    net::UdpSocket,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use futures::{
    AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt,
    future::{Either, join_all, select, try_join},
};
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::{
        Endpoint, StreamMuxer,
        muxing::{StreamMuxerBox, StreamMuxerEvent, SubstreamBox},
        transport::{Boxed, DialOpts, ListenerId, PortUse, Transport as _, TransportEvent},
    },
    identity::Keypair,
    swarm::{self, DialError, SwarmEvent, dummy},
};

use super::{Config, Congestion, Transport, address};

type Node = Boxed<(PeerId, StreamMuxerBox)>;
type Upgrade = <Node as libp2p::core::Transport>::ListenerUpgrade;

const V4: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
const MIB: usize = 1 << 20;

fn config(keypair: &Keypair) -> Config {
    Config::new(keypair, Duration::from_secs(5), Duration::from_secs(1))
}

fn boxed(transport: Transport) -> Node {
    transport.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))).boxed()
}

fn ours() -> (PeerId, Node) {
    let keypair = Keypair::generate_ed25519();
    (keypair.public().to_peer_id(), boxed(Transport::new(config(&keypair)).unwrap()))
}

fn stock() -> (PeerId, Node) {
    let keypair = Keypair::generate_ed25519();
    let transport = libp2p::quic::tokio::Transport::new(libp2p::quic::Config::new(&keypair));
    (keypair.public().to_peer_id(), transport.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))).boxed())
}

async fn event(node: &mut Node) -> TransportEvent<Upgrade, std::io::Error> {
    poll_fn(|context| Pin::new(&mut *node).poll(context)).await
}

async fn listen(node: &mut Node, address: &str) -> (ListenerId, Multiaddr) {
    let id = ListenerId::next();
    node.listen_on(id, address.parse().unwrap()).unwrap();
    match event(node).await {
        TransportEvent::NewAddress { listener_id, listen_addr } if listener_id == id => (id, listen_addr),
        other => panic!("no address: {other:?}"),
    }
}

async fn incoming(node: &mut Node) -> (Upgrade, Multiaddr) {
    loop {
        match event(node).await {
            TransportEvent::Incoming { upgrade, send_back_addr, .. } => return (upgrade, send_back_addr),
            TransportEvent::NewAddress { .. } => {}
            other => panic!("nobody came: {other:?}"),
        }
    }
}

fn options(port_use: PortUse) -> DialOpts {
    DialOpts { role: Endpoint::Dialer, port_use }
}

/// Both ends of a new connection: the dialler's, the listener's, and where the listener saw the dialler.
async fn connect(
    dialler: &mut Node,
    listener: &mut Node,
    address: &Multiaddr,
    options: DialOpts,
) -> ((PeerId, StreamMuxerBox), (PeerId, StreamMuxerBox), Multiaddr) {
    let dial = dialler.dial(address.clone(), options).unwrap();
    let accept = async {
        let (upgrade, from) = incoming(listener).await;
        Ok((upgrade.await?, from))
    };
    let (there, (here, from)) = try_join(dial, accept).await.unwrap();
    (there, here, from)
}

async fn open(muxer: &mut StreamMuxerBox) -> SubstreamBox {
    poll_fn(|context| Pin::new(&mut *muxer).poll_outbound(context)).await.unwrap()
}

/// Sends back what comes, on every stream.
async fn echo(mut muxer: StreamMuxerBox) {
    while let Ok(stream) = poll_fn(|context| Pin::new(&mut muxer).poll_inbound(context)).await {
        tokio::spawn(async move {
            let (reader, mut writer) = stream.split();
            if futures::io::copy(reader, &mut writer).await.is_ok() {
                let _ = writer.close().await;
            }
        });
    }
}

/// Sends `bytes` and reads until the end.
async fn round_trip(stream: SubstreamBox, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = stream.split();
    let mut back = Vec::new();
    let send = async {
        writer.write_all(bytes).await?;
        writer.close().await
    };
    try_join(send, reader.read_to_end(&mut back)).await.unwrap();
    back
}

/// Who dials whom and that streams work both ways.
async fn converse((dialler_id, mut dialler): (PeerId, Node), (listener_id, mut listener): (PeerId, Node), address: &str) {
    let (_, address) = listen(&mut listener, address).await;
    for _ in 0..2 {
        let ((there, mut out), (here, mut back), _) = connect(&mut dialler, &mut listener, &address, options(PortUse::Reuse)).await;
        assert_eq!((there, here), (listener_id, dialler_id));

        let mut stream = open(&mut out).await;
        stream.write_all(b"there").await.unwrap();
        let mut other = accept(&mut back).await;
        other.write_all(b"and back").await.unwrap();
        other.close().await.unwrap();
        stream.close().await.unwrap();
        let (mut heard, mut answer) = (String::new(), String::new());
        other.read_to_string(&mut heard).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!((heard.as_str(), answer.as_str()), ("there", "and back"));

        tokio::spawn(echo(out));
        let stream = open(&mut back).await;
        assert_eq!(round_trip(stream, b"the other way").await, b"the other way");
    }
}

async fn accept(muxer: &mut StreamMuxerBox) -> SubstreamBox {
    poll_fn(|context| Pin::new(&mut *muxer).poll_inbound(context)).await.unwrap()
}

#[tokio::test]
async fn we_dial_the_stock_transport() {
    converse(ours(), stock(), V4).await;
}

#[tokio::test]
async fn the_stock_transport_dials_us() {
    converse(stock(), ours(), V4).await;
}

#[tokio::test]
async fn we_dial_ourselves_over_ipv6() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("no IPv6 here");
        return;
    }
    converse(ours(), ours(), "/ip6/::1/udp/0/quic-v1").await;
}

#[tokio::test]
async fn many_mebibytes_on_many_streams() {
    for congestion in [Congestion::Bbr, Congestion::Cubic] {
        let keypair = Keypair::generate_ed25519();
        let mut dialler = boxed(Transport::new(Config { congestion, ..config(&keypair) }).unwrap());
        let (_, mut listener) = ours();
        let (_, address) = listen(&mut listener, V4).await;
        let ((_, mut muxer), (_, other), _) = connect(&mut dialler, &mut listener, &address, options(PortUse::Reuse)).await;
        tokio::spawn(echo(other));
        let mut trips = Vec::new();
        for number in 0..4_u8 {
            let stream = open(&mut muxer).await;
            trips.push(async move {
                let bytes: Vec<u8> = (0..MIB).map(|at| (at / 251) as u8 ^ number).collect();
                assert!(round_trip(stream, &bytes).await == bytes, "stream {number} has other bytes");
            });
        }
        join_all(trips).await;
    }
}

#[tokio::test]
async fn the_wrong_peer_is_refused() {
    let (_, mut listener) = ours();
    let (_, address) = listen(&mut listener, V4).await;
    let (id, dialler) = ours();
    let mut swarm = Swarm::new(dialler, dummy::Behaviour, id, swarm::Config::with_tokio_executor());
    let expected = Keypair::generate_ed25519().public().to_peer_id();
    swarm.dial(address.with_p2p(expected).unwrap()).unwrap();
    let mut serve = pin!(async {
        let (upgrade, _) = incoming(&mut listener).await;
        let _connection = upgrade.await;
        std::future::pending::<()>().await
    });
    let error = loop {
        match select(swarm.next(), &mut serve).await {
            Either::Left((Some(SwarmEvent::OutgoingConnectionError { error, .. }), _)) => break error,
            Either::Left((Some(SwarmEvent::ConnectionEstablished { .. }), _)) => panic!("connected to somebody else"),
            _ => {}
        }
    };
    assert!(matches!(error, DialError::WrongPeerId { .. }), "{error:?}");
}

#[tokio::test]
async fn a_dial_reuses_the_listening_port_and_only_on_request() {
    let ((_, mut dialler), (_, mut listener)) = (ours(), ours());
    let (_, address) = listen(&mut listener, V4).await;
    let reuse = options(PortUse::Reuse);

    let (.., first) = connect(&mut dialler, &mut listener, &address, reuse).await;
    let (.., second) = connect(&mut dialler, &mut listener, &address, reuse).await;
    assert_eq!(first, second, "without a listener, dials share a socket");

    let (_, own) = listen(&mut dialler, V4).await;
    let _second_listener = listen(&mut dialler, V4).await;
    let (.., seen) = connect(&mut dialler, &mut listener, &address, reuse).await;
    assert_eq!(seen, own, "the oldest listener's port");
    let as_listener = DialOpts { role: Endpoint::Listener, port_use: PortUse::Reuse };
    let (.., seen) = connect(&mut dialler, &mut listener, &address, as_listener).await;
    assert_eq!(seen, own, "DCUtR's dial is like any other");

    let (.., seen) = connect(&mut dialler, &mut listener, &address, options(PortUse::New)).await;
    assert!(seen != own && seen != first, "a new port on request");
}

#[tokio::test]
async fn a_dial_leaves_from_the_socket_that_was_handed_in_for_it() {
    let (keypair, (_, mut listener)) = (Keypair::generate_ed25519(), ours());
    let (config, reuse) = (config(&keypair), options(PortUse::Reuse));
    let sockets = config.sockets.clone();
    let mut dialler = boxed(Transport::new(config).unwrap());
    let (_, address) = listen(&mut listener, V4).await;
    let (_, own) = listen(&mut dialler, V4).await;
    let remote = address::socket_of(&address).unwrap();
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();

    let handed_in = socket();
    let port = address::multiaddr_of(handed_in.local_addr().unwrap());
    let adopted = sockets.adopt(handed_in, remote);
    let (.., seen) = connect(&mut dialler, &mut listener, &address, reuse).await;
    assert_eq!(seen, port);
    let (.., seen) = connect(&mut dialler, &mut listener, &address, reuse).await;
    assert_eq!(seen, own, "only once");
    drop(adopted);

    drop(sockets.adopt(socket(), remote));
    let _other = sockets.adopt(socket(), "127.0.0.1:9".parse().unwrap());
    let (.., seen) = connect(&mut dialler, &mut listener, &address, reuse).await;
    assert_eq!(seen, own, "too late, and for another address");
}

#[tokio::test]
async fn the_listening_socket_is_known_for_as_long_as_it_listens() {
    let config = config(&Keypair::generate_ed25519());
    let sockets = config.sockets.clone();
    let mut node = boxed(Transport::new(config).unwrap());
    let there = "127.0.0.1:9".parse().unwrap();
    assert!(sockets.towards(there).is_none());
    let (id, address) = listen(&mut node, V4).await;
    let own = address::socket_of(&address).unwrap();
    assert_eq!(sockets.towards(there).unwrap().local_addr().unwrap(), own);
    assert!(sockets.towards("192.0.2.1:9".parse().unwrap()).is_none(), "nothing leaves the loopback address");
    node.remove_listener(id);
    assert!(sockets.towards(there).is_none());
}

/// What draws no answer is told by what does: a first packet of an unknown version, sent after it.
#[tokio::test]
async fn a_port_probe_draws_no_answer() {
    let (_, mut listener) = ours();
    let (_, address) = listen(&mut listener, V4).await;
    let sender = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut unknown = vec![0; 1200];
    unknown[..5].copy_from_slice(&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a]);
    for packet in [&b"\x04rs1 and sixteen more"[..20], &unknown] {
        sender.send_to(packet, address::socket_of(&address).unwrap()).await.unwrap();
    }
    let mut answer = [0; 1500];
    sender.recv_from(&mut answer).await.unwrap();
    assert_eq!((answer[0] & 0x80, &answer[1..5]), (0x80, &[0; 4][..]), "version negotiation");
}

#[tokio::test]
async fn a_wildcard_listener_has_addresses_and_dials_from_its_port() {
    let ((_, mut dialler), (_, mut listener)) = (ours(), ours());
    let (_, address) = listen(&mut listener, V4).await;
    let (_, own) = listen(&mut dialler, "/ip4/0.0.0.0/udp/0/quic-v1").await;
    let own = address::socket_of(&own).unwrap();
    assert!(!own.ip().is_unspecified() && own.port() != 0);
    let (.., seen) = connect(&mut dialler, &mut listener, &address, options(PortUse::Reuse)).await;
    assert_eq!(address::socket_of(&seen).unwrap().port(), own.port());
}

#[tokio::test]
async fn a_dead_address_ends_in_an_error() {
    let (_, mut dialler) = ours();
    // Bound, so that nobody else gets it, and silent.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = address::multiaddr_of(silent.local_addr().unwrap());
    let error = dialler.dial(address, options(PortUse::Reuse)).unwrap().await.unwrap_err();
    assert!(error.to_string().contains("no answer within 5 s"), "{error}");
}

#[tokio::test]
async fn addresses_that_cannot_be_dialled_are_refused_at_once() {
    let (_, mut dialler) = ours();
    for text in ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/0.0.0.0/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/1"] {
        assert!(dialler.dial(text.parse().unwrap(), options(PortUse::Reuse)).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_removed_listener_says_so_and_its_connections_live_on() {
    let ((_, mut dialler), (_, mut listener)) = (ours(), ours());
    let (id, address) = listen(&mut listener, V4).await;
    let ((_, mut muxer), (_, other), _) = connect(&mut dialler, &mut listener, &address, options(PortUse::Reuse)).await;
    tokio::spawn(echo(other));

    assert!(listener.remove_listener(id));
    assert!(!listener.remove_listener(id));
    match event(&mut listener).await {
        TransportEvent::ListenerClosed { listener_id, reason: Ok(()) } => assert_eq!(listener_id, id),
        other => panic!("not closed: {other:?}"),
    }
    let stream = open(&mut muxer).await;
    assert_eq!(round_trip(stream, b"still here").await, b"still here");

    let mut dial = dialler.dial(address, options(PortUse::New)).unwrap();
    let stranger = poll_fn(|context| match Pin::new(&mut listener).poll(context) {
        Poll::Ready(event) => panic!("a removed listener speaks: {event:?}"),
        Poll::Pending => dial.poll_unpin(context),
    });
    assert!(stranger.await.is_err(), "a removed listener took a connection");
}

#[tokio::test]
async fn removing_a_listener_wakes_the_transport() {
    let (_, mut node) = ours();
    let (id, _) = listen(&mut node, V4).await;
    let node = std::sync::Arc::new(std::sync::Mutex::new(node));
    let waiting = std::sync::Arc::clone(&node);
    let (asleep, is_asleep) = tokio::sync::oneshot::channel();
    let mut asleep = Some(asleep);
    let task = tokio::spawn(poll_fn(move |context| {
        let polled = Pin::new(&mut *waiting.lock().unwrap()).poll(context);
        if polled.is_pending()
            && let Some(asleep) = asleep.take()
        {
            asleep.send(()).unwrap();
        }
        polled
    }));
    is_asleep.await.unwrap();
    assert!(node.lock().unwrap().remove_listener(id));
    assert!(matches!(task.await.unwrap(), TransportEvent::ListenerClosed { .. }));
}

#[tokio::test]
async fn garbage_does_no_harm() {
    let (id, mut listener) = ours();
    let (_, address) = listen(&mut listener, V4).await;
    let socket = address::socket_of(&address).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in 0..600_usize {
        // Short and long headers, version 1 and unknown ones, of every length.
        let mut bytes: Vec<u8> = (0..length * 2).map(|at| (at * 37 + length * 11) as u8).collect();
        if length % 3 == 0 && length > 2 {
            bytes[..5].copy_from_slice(&[0xc0 | (length as u8 & 0x3f), 0, 0, 0, 1]);
        }
        sender.send_to(&bytes, socket).unwrap();
    }
    let (dialler_id, mut dialler) = stock();
    let ((there, _out), (here, _back), _) = connect(&mut dialler, &mut listener, &address, options(PortUse::Reuse)).await;
    assert_eq!((there, here), (id, dialler_id));
}

#[tokio::test]
async fn handshakes_under_way_are_bounded() {
    let keypair = Keypair::generate_ed25519();
    let mut listener = boxed(Transport::new(Config { handshakes: 2, ..config(&keypair) }).unwrap());
    let (_, address) = listen(&mut listener, V4).await;
    let dial = || {
        let (_, mut dialler) = stock();
        let dial = dialler.dial(address.clone(), options(PortUse::Reuse)).unwrap();
        tokio::spawn(async move { (dial.await.map(|(peer, _)| peer), dialler).0 })
    };
    // The first two come in, the second after it showed its address; nobody works on them.
    let (_first, _second) = (dial(), dial());
    let (upgrade, _) = incoming(&mut listener).await;
    let waiting = incoming(&mut listener).await;
    let mut third = dial();
    let refused = poll_fn(|context| match Pin::new(&mut listener).poll(context) {
        Poll::Ready(event) => panic!("one too many: {event:?}"),
        Poll::Pending => third.poll_unpin(context),
    });
    assert!(refused.await.unwrap().is_err(), "the third must be refused");

    drop((upgrade, waiting));
    let fourth = dial();
    let (upgrade, _) = incoming(&mut listener).await;
    let _connection = upgrade.await.unwrap();
    assert_eq!(fourth.await.unwrap().unwrap(), keypair.public().to_peer_id());
}

#[tokio::test]
async fn a_connection_survives_the_clients_new_address() {
    let keypair = Keypair::generate_ed25519();
    let mut transport = Transport::new(config(&keypair)).unwrap();
    let (_, mut listener) = ours();
    let (_, address) = listen(&mut listener, V4).await;
    let dial = transport.dial(address, options(PortUse::Reuse)).unwrap();
    let accepted = async {
        let (upgrade, from) = incoming(&mut listener).await;
        Ok((upgrade.await.unwrap(), from))
    };
    let ((_, out), ((_, mut back), before)) = try_join(dial, accepted).await.unwrap();
    let mut out = StreamMuxerBox::new(out);
    let mut stream = open(&mut out).await;
    stream.write_all(b"before").await.unwrap();
    let mut other = accept(&mut back).await;
    let mut heard = [0; 6];
    other.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"before");

    let moved = UdpSocket::bind("127.0.0.1:0").unwrap();
    let after = address::multiaddr_of(moved.local_addr().unwrap());
    assert_ne!(before, after);
    transport.shared[0].as_ref().unwrap().rebind(moved).unwrap();

    stream.write_all(b" after").await.unwrap();
    other.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b" after");
    other.write_all(b"answer").await.unwrap();
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"answer");
    match poll_fn(|context| Pin::new(&mut back).poll(context)).await.unwrap() {
        StreamMuxerEvent::AddressChange(address) => assert_eq!(address, after),
    }
}

/// Runs a listener of this identity until somebody is connected, then drops it all between two packets, as `kill -9` does.
fn killed_once_connected(keypair: Keypair, address: std::sync::mpsc::Sender<Multiaddr>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let alive = runtime.block_on(async {
        let mut listener = boxed(Transport::new(config(&keypair)).unwrap());
        address.send(listen(&mut listener, V4).await.1).unwrap();
        let (upgrade, _) = incoming(&mut listener).await;
        let (_, mut muxer) = upgrade.await.unwrap();
        let stream = accept(&mut muxer).await;
        (listener, muxer, stream)
    });
    drop(runtime);
    drop(alive);
}

#[tokio::test]
async fn a_connection_to_a_killed_peer_ends_once_it_is_back_at_its_port() {
    let keypair = Keypair::generate_ed25519();
    let (tell, told) = std::sync::mpsc::channel();
    let victim = std::thread::spawn({
        let keypair = keypair.clone();
        move || killed_once_connected(keypair, tell)
    });
    let address = tokio::task::spawn_blocking(move || told.recv().unwrap()).await.unwrap();
    let (_, mut dialler) = ours();
    let (_, mut muxer) = dialler.dial(address.clone(), options(PortUse::Reuse)).unwrap().await.unwrap();
    let mut stream = open(&mut muxer).await;
    stream.write_all(b"hello").await.unwrap();
    tokio::task::spawn_blocking(|| victim.join().unwrap()).await.unwrap();

    let mut restarted = boxed(Transport::new(config(&keypair)).unwrap());
    listen(&mut restarted, &address.to_string()).await;
    let back = std::time::Instant::now();
    stream.write_all(b"are you there").await.unwrap();
    let mut end = pin!(poll_fn(|context| Pin::new(&mut muxer).poll_inbound(context)));
    let error = loop {
        match select(&mut end, pin!(event(&mut restarted))).await {
            Either::Left((ended, _)) => break ended.err().unwrap(),
            Either::Right(_) => {}
        }
    };
    eprintln!("the connection ended {} ms after its peer was back", back.elapsed().as_millis());
    assert!(error.to_string().contains("reset by peer"), "{error}");
}
