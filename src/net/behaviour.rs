//! The libp2p parts of a node, put together: behaviours, and every limit in one place.

use std::{io, num::NonZeroU8, time::Duration};

use ed25519_dalek::SigningKey;
use futures::StreamExt;
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, connection_limits,
    core::{transport::ListenerId, upgrade::Version},
    dcutr, identify, identity, kad, mdns, ping, relay,
    swarm::{self, NetworkBehaviour, SwarmEvent, behaviour::toggle::Toggle},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    Purpose,
    address::WEB_PORT,
    candidates, punches, streams,
    trace::{self, Trace},
    transport::{self, Patience, Sockets},
};

/// The directory's protocol: not the public IPFS network.
pub(super) const KAD: StreamProtocol = StreamProtocol::new("/rs/kad/1");

/// What identify calls us.
pub(super) const IDENTIFY: &str = "/rs/1";

/// A connection that nobody keeps alive is closed after this long. Long, because the last bytes of a closed stream may still be on
/// their way.
const IDLE: Duration = Duration::from_secs(90);

/// QUIC gives a silent connection up after this long: a change of network is noticed within seconds.
const QUIC_IDLE: Duration = Duration::from_secs(5);
const QUIC_KEEP_ALIVE: Duration = Duration::from_millis(1500);

/// TCP tells nothing by itself. A connection whose ping fails is closed.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long listeners may take to tell their first address, and how long a silence means that they told all.
const SETTLE: Duration = Duration::from_millis(500);
const QUIET: Duration = Duration::from_millis(20);

/// A directory query is over after this long.
pub(super) const QUERY: Duration = Duration::from_secs(8);

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(super) candidates: candidates::Behaviour,
    punches: punches::Behaviour,
    /// Behind the door: it sees what is dialled indeed.
    pub(super) trace: trace::Behaviour,
    pub(super) streams: streams::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    relay: relay::client::Behaviour,
    dcutr: dcutr::Behaviour,
    pub(super) kad: kad::Behaviour<kad::store::MemoryStore>,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

/// A swarm that listens nowhere yet.
pub(super) fn swarm(
    identity: &SigningKey,
    lan: bool,
    trace: Option<mpsc::Sender<Trace>>,
    sockets: &Sockets,
) -> anyhow::Result<Swarm<Behaviour>> {
    let keypair = keypair(identity)?;
    let stack = transport::stack(&keypair, Patience { idle: QUIC_IDLE, keep_alive: QUIC_KEEP_ALIVE }, sockets)?;
    let (transport, relay) = transport::with_circuits(&keypair, stack)?;
    Ok(Swarm::new(transport, behaviour(&keypair, relay, lan, trace), keypair.public().to_peer_id(), swarm_config()))
}

/// Our identity in libp2p's form.
pub(super) fn keypair(identity: &SigningKey) -> anyhow::Result<identity::Keypair> {
    Ok(identity::Keypair::ed25519_from_bytes(identity.to_bytes())?)
}

pub(super) fn swarm_config() -> swarm::Config {
    swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE)
        // Each stream has one protocol to offer: the first words go with the offer, and not a round trip later.
        .with_substream_upgrade_protocol_override(Version::V1Lazy)
        .with_dial_concurrency_factor(NonZeroU8::new(16).expect("16 is not zero"))
        .with_max_negotiating_inbound_streams(32)
}

/// Listens on every address; one that fails is an error in one line.
pub(super) fn listen<B: NetworkBehaviour>(swarm: &mut Swarm<B>, addresses: &[Multiaddr]) -> anyhow::Result<Vec<ListenerId>> {
    let listen = |address: &Multiaddr| swarm.listen_on(address.clone()).map_err(|error| cannot_listen(address, &error.to_string()));
    addresses.iter().map(listen).collect()
}

/// Listens on every interface, QUIC and TCP. A family that this machine lacks is skipped; none at all is an error.
pub(super) fn listen_everywhere<B: NetworkBehaviour>(swarm: &mut Swarm<B>, port: u16) -> anyhow::Result<Vec<ListenerId>> {
    let addresses = [
        format!("/ip4/0.0.0.0/udp/{port}/quic-v1"),
        format!("/ip4/0.0.0.0/tcp/{port}"),
        format!("/ip6/::/udp/{port}/quic-v1"),
        format!("/ip6/::/tcp/{port}"),
    ];
    let mut failed = None;
    let mut listeners = Vec::new();
    for text in addresses {
        let address: Multiaddr = text.parse()?;
        match swarm.listen_on(address.clone()) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.to_string().starts_with("/ip4") => failed = Some(cannot_listen(&address, &error.to_string())),
            Err(error) => tracing::debug!(%error, "no IPv6 here"),
        }
    }
    match failed {
        Some(error) if port != 0 || listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Takes WebSocket and QUIC at the web's port, where this machine lets us. Without the first, people whose network lets only the web through
/// cannot come; without the second, one relay is not enough to tell what kind of NAT somebody is behind (see [`super::nat`]).
pub(super) fn listen_for_the_web<B: NetworkBehaviour>(swarm: &mut Swarm<B>) -> anyhow::Result<()> {
    let without_tcp = "networks that let only the web through cannot come here";
    let without_udp = "this relay alone cannot tell hosts and viewers their kind of NAT";
    for ip in ["/ip4/0.0.0.0", "/ip6/::"] {
        let addresses = [(format!("{ip}/tcp/{WEB_PORT}/ws"), without_tcp), (format!("{ip}/udp/{WEB_PORT}/quic-v1"), without_udp)];
        for (address, loss) in addresses {
            if let Err(error) = swarm.listen_on(address.parse()?) {
                tracing::warn!("not on {address} ({}): {loss}", first_line(&error.to_string()));
            }
        }
    }
    Ok(())
}

/// Waits until every listener told its addresses, at most [`SETTLE`]: a dial that comes before them leaves from a port that nobody
/// listens on, and a hole punch aimed there fails. Returns what happened meanwhile.
pub(super) async fn settle<B: NetworkBehaviour>(
    swarm: &mut Swarm<B>,
    mut silent: Vec<ListenerId>,
) -> Vec<SwarmEvent<<B as NetworkBehaviour>::ToSwarm>> {
    let end = Instant::now() + SETTLE;
    let mut events = Vec::new();
    loop {
        let patience = if silent.is_empty() { QUIET } else { SETTLE };
        let Ok(event) = timeout_at(end.min(Instant::now() + patience), swarm.select_next_some()).await else { return events };
        if let SwarmEvent::NewListenAddr { listener_id, .. } | SwarmEvent::ListenerClosed { listener_id, .. } = &event {
            silent.retain(|listener| listener != listener_id);
        }
        events.push(event);
    }
}

pub(super) fn cannot_listen(address: &Multiaddr, why: &str) -> anyhow::Error {
    anyhow::anyhow!("cannot listen on {address} ({}); give another address or port with --listen", first_line(why))
}

/// libp2p's errors go on for lines.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn behaviour(
    keypair: &identity::Keypair,
    relay: relay::client::Behaviour,
    lan: bool,
    trace: Option<mpsc::Sender<Trace>>,
) -> Behaviour {
    let local = keypair.public().to_peer_id();
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(64))
        .with_max_pending_outgoing(Some(128))
        .with_max_established_incoming(Some(256))
        .with_max_established_per_peer(Some(16));
    let mut kad = kad::Config::new(KAD);
    kad.set_query_timeout(QUERY)
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_periodic_bootstrap_interval(None)
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_provider_publication_interval(None);
    let mut kad = kad::Behaviour::with_config(local, kad::store::MemoryStore::new(local), kad);
    kad.set_mode(Some(kad::Mode::Client));
    Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        candidates: candidates::Behaviour::default(),
        punches: punches::Behaviour::default(),
        trace: trace::Behaviour::new(trace),
        streams: streams::Behaviour::new(&[Purpose::Auth, Purpose::Lane, Purpose::Probe]),
        // Listen addresses are nobody's business: a hole punch exchanges its own.
        identify: identify::Behaviour::new(
            identify::Config::new(IDENTIFY.to_owned(), keypair.public()).with_hide_listen_addrs(true),
        ),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT)),
        relay,
        dcutr: dcutr::Behaviour::new(local),
        kad,
        mdns: Toggle::from(lan.then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), local)).and_then(mdns_or_without)),
    }
}

fn mdns_or_without(mdns: io::Result<mdns::tokio::Behaviour>) -> Option<mdns::tokio::Behaviour> {
    mdns.inspect_err(|error| tracing::warn!(%error, "hosts on the LAN cannot be found by themselves here")).ok()
}
