//! `rs relay`: the meeting point. Circuits with explicit limits, the directory, address observation.
//!
//! A relay is trusted with nothing, and trusts nobody: every record is checked before it is stored, whoever brings it. A host brings
//! only its own record. Other relays (those we joined, and those that joined us) bring any; a new record is passed on to all of them,
//! and the rule that only a newer one counts ends the round.
//!
//! A peer that comes back from a new IP address has left the old one: its older connections over the same transport are closed, or
//! circuits would still be routed to where it was.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    num::NonZeroU32,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ed25519_dalek::SigningKey;
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, connection_limits, identify, identity,
    kad::{self, store::RecordStore},
    ping, relay,
    swarm::{ConnectionId, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    RelayAddress, Transport,
    address::{self, DEFAULT_PORT, ip_of, transport_of},
    behaviour::{self, IDENTIFY, KAD},
    directory::{self, Places},
    relays::Relays,
    transport::{self, Patience},
};
use crate::protocol::id::{HostId, PeerKey};

/// Hosts that may hold a reservation, and connections of one that may (QUIC, TCP, one more while roaming).
const RESERVATIONS: usize = 10_000;
const RESERVATIONS_PER_PEER: usize = 3;
const RESERVATION_LIFETIME: Duration = Duration::from_secs(3600);

/// Circuits at a time, in all and from one peer; how long one may live. Their bytes are not limited (0): a session is screens.
const CIRCUITS: usize = 2_000;
const CIRCUITS_PER_PEER: usize = 16;
const CIRCUIT_LIFETIME: Duration = Duration::from_secs(24 * 3600);
const CIRCUIT_BYTES: u64 = 0;

/// Reservations and circuits asked for: so many at once, then one per interval. A whole office may sit behind one IP address.
const PER_PEER: (u32, Duration) = (60, Duration::from_secs(10));
const PER_IP: (u32, Duration) = (600, Duration::from_secs(1));

/// Connections: handshakes under way, established, and of one peer.
const MAX_PENDING: u32 = 512;
const MAX_ESTABLISHED: u32 = 20_000;
const MAX_PER_PEER: u32 = 16;

/// Records kept, and how often expired ones are swept out.
const RECORDS: usize = 20_000;
const SWEEP: Duration = Duration::from_secs(60);

/// Slow checks (20 ms of CPU each) under way, and other relays known.
const CHECKS: usize = 64;
const FELLOWS: usize = 64;

/// Clients keep their connections alive; the relay only notices when one is dead.
const QUIC_IDLE: Duration = Duration::from_secs(10);
const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(5);
const PING_INTERVAL: Duration = Duration::from_secs(60);

/// How to start.
pub struct Config {
    /// Our identity: the address survives a restart with it.
    pub identity: SigningKey,
    /// Where to listen; empty: port 4001 on every interface, QUIC and TCP, and WebSocket on 443 where that is allowed.
    pub listen: Vec<Multiaddr>,
    /// Other relays to share the directory with, each with `/p2p/…`.
    pub join: Vec<Multiaddr>,
}

/// A running relay; dropping it stops it.
#[derive(Debug)]
pub struct Relay {
    task: AbortHandle,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts it on the current tokio runtime. Tells every listen address (with `/p2p/…`) on the channel as it comes up.
///
/// # Errors
/// In one line: an address that cannot be listened on, and what to do.
pub async fn start(config: Config) -> anyhow::Result<(Relay, mpsc::Receiver<Multiaddr>)> {
    let mut swarm = swarm(&config.identity)?;
    if config.listen.is_empty() {
        behaviour::listen_everywhere(&mut swarm, DEFAULT_PORT)?;
        behaviour::listen_for_the_web(&mut swarm)?;
    } else {
        behaviour::listen(&mut swarm, &config.listen)?;
    }
    let mut fellows = Relays::default();
    for address in config.join {
        let (key, bare) = address::split(&address);
        anyhow::ensure!(key.is_some(), "{address} does not name the relay's key; copy the address that it prints, with /p2p/…");
        let added = fellows.add(RelayAddress { addresses: vec![bare], key }, false, Instant::now());
        anyhow::ensure!(added.is_some(), "too many relays to join; name at most sixteen");
    }
    let (addresses, receiver) = mpsc::channel(super::QUEUE);
    let task = tokio::spawn(Task::new(swarm, fellows, addresses).run()).abort_handle();
    Ok((Relay { task }, receiver))
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    limits: connection_limits::Behaviour,
    relay: relay::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    kad: kad::Behaviour<kad::store::MemoryStore>,
}

fn swarm(identity: &SigningKey) -> anyhow::Result<Swarm<Behaviour>> {
    let keypair = behaviour::keypair(identity)?;
    let transport = transport::stack(&keypair, Patience { idle: QUIC_IDLE, keep_alive: QUIC_KEEP_ALIVE })?;
    Ok(Swarm::new(transport, parts(&keypair), keypair.public().to_peer_id(), behaviour::swarm_config()))
}

fn parts(keypair: &identity::Keypair) -> Behaviour {
    let local = keypair.public().to_peer_id();
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(MAX_PENDING))
        .with_max_established(Some(MAX_ESTABLISHED))
        .with_max_established_per_peer(Some(MAX_PER_PEER));
    let mut kad = kad::Config::new(KAD);
    kad.set_query_timeout(behaviour::QUERY)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_max_packet_size(2 * directory::MAX_RECORD)
        .set_periodic_bootstrap_interval(None)
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_provider_publication_interval(None);
    let store = kad::store::MemoryStoreConfig {
        max_records: RECORDS,
        max_value_bytes: directory::MAX_RECORD + 1,
        max_providers_per_key: 1,
        max_provided_keys: 1,
    };
    let mut kad = kad::Behaviour::with_config(local, kad::store::MemoryStore::with_config(local, store), kad);
    kad.set_mode(Some(kad::Mode::Server));
    Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        relay: relay::Behaviour::new(local, circuits()),
        identify: identify::Behaviour::new(identify::Config::new(IDENTIFY.to_owned(), keypair.public())),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
        kad,
    }
}

fn circuits() -> relay::Config {
    let config = relay::Config {
        max_reservations: RESERVATIONS,
        max_reservations_per_peer: RESERVATIONS_PER_PEER,
        reservation_duration: RESERVATION_LIFETIME,
        reservation_rate_limiters: Vec::new(),
        max_circuits: CIRCUITS,
        max_circuits_per_peer: CIRCUITS_PER_PEER,
        max_circuit_duration: CIRCUIT_LIFETIME,
        max_circuit_bytes: CIRCUIT_BYTES,
        circuit_src_rate_limiters: Vec::new(),
    };
    let limit = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    config
        .reservation_rate_per_peer(limit(PER_PEER.0), PER_PEER.1)
        .reservation_rate_per_ip(limit(PER_IP.0), PER_IP.1)
        .circuit_src_per_peer(limit(PER_PEER.0), PER_PEER.1)
        .circuit_src_per_ip(limit(PER_IP.0), PER_IP.1)
}

/// A record that the slow check is for.
struct Checked {
    source: PeerId,
    record: kad::Record,
    key: PeerKey,
    place: [u8; 32],
}

struct Task {
    swarm: Swarm<Behaviour>,
    addresses: mpsc::Sender<Multiaddr>,
    /// Relays that we join, and all that speak the directory's protocol with us.
    joined: Relays,
    fellows: HashSet<PeerId>,
    origins: HashMap<PeerId, Vec<Origin>>,
    places: Places,
    checks: JoinSet<Checked>,
}

/// Where a peer's connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    connection: ConnectionId,
    ip: IpAddr,
    transport: Transport,
}

impl Task {
    fn new(swarm: Swarm<Behaviour>, joined: Relays, addresses: mpsc::Sender<Multiaddr>) -> Self {
        let places = Places::new(RECORDS);
        Self { swarm, addresses, joined, fellows: HashSet::new(), origins: HashMap::new(), places, checks: JoinSet::new() }
    }

    async fn run(mut self) {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            for leg in self.joined.due(Instant::now()) {
                self.dial(leg);
            }
            let wake = self.joined.next_due();
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(checked) = self.checks.join_next() => if let Ok(checked) = checked { self.on_checked(checked) },
                _ = sweep.tick() => {
                    let now = std::time::Instant::now();
                    self.swarm.behaviour_mut().kad.store_mut().retain(|_, record| !record.is_expired(now));
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    fn dial(&mut self, options: DialOpts) {
        let connection = options.connection_id();
        if let Err(error) = self.swarm.dial(options) {
            self.joined.failed(connection, error.to_string(), Instant::now());
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.swarm.remove_external_address(&address),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.joined.connected(connection_id, peer_id, Instant::now());
                self.on_origin(peer_id, connection_id, endpoint.get_remote_address());
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, .. } => {
                self.joined.closed(connection_id, Instant::now());
                if let Some(origins) = self.origins.get_mut(&peer_id) {
                    origins.retain(|origin| origin.connection != connection_id);
                }
                if num_established == 0 {
                    self.origins.remove(&peer_id);
                    self.fellows.remove(&peer_id);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                tracing::debug!(%error, "a relay to join does not answer");
                self.joined.failed(connection_id, error.to_string(), Instant::now());
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }))
                if is_fellow(&info) && self.fellows.len() < FELLOWS =>
            {
                self.fellows.insert(peer_id);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Kad(kad::Event::InboundRequest {
                request: kad::InboundRequest::PutRecord { source, record: Some(record), .. },
            })) => self.on_record(source, record),
            _ => {}
        }
    }

    /// Without an external address the relay would not offer itself: every listen address is one.
    fn on_listening(&mut self, address: Multiaddr) {
        self.swarm.add_external_address(address.clone());
        let local = *self.swarm.local_peer_id();
        // A reader that does not read loses news, not the relay.
        let _ = self.addresses.try_send(address.with_p2p(local).unwrap_or_else(|address| address));
    }

    fn on_origin(&mut self, peer: PeerId, connection: ConnectionId, address: &Multiaddr) {
        let Some(ip) = ip_of(address) else { return };
        let origin = Origin { connection, ip, transport: transport_of(address) };
        let origins = self.origins.entry(peer).or_default();
        for left in origins.extract_if(.., |old| has_moved(old, &origin)) {
            tracing::debug!("a peer came back from another address; its old connection is closed");
            self.swarm.close_connection(left.connection);
        }
        origins.push(origin);
    }

    // -- the directory

    /// The quick checks; then the slow one, unless this key was seen before.
    fn on_record(&mut self, source: PeerId, record: kad::Record) {
        let Ok(opened) = directory::open(&record.value, unix_seconds()) else {
            tracing::debug!("a record is refused");
            return;
        };
        let own = address::key_of(&source) == Some(opened.key);
        if !own && !self.fellows.contains(&source) {
            tracing::debug!("a peer brought somebody else's record; refused");
            return;
        }
        let key = opened.key;
        match self.places.get(&key) {
            Some(place) => self.on_checked(Checked { source, record, key, place }),
            None if self.checks.len() < CHECKS => {
                self.checks.spawn_blocking(move || Checked { source, record, key, place: directory::place(HostId::of(&key)) });
            }
            None => tracing::debug!("too many new hosts at once; this one comes again"),
        }
    }

    fn on_checked(&mut self, Checked { source, record, key, place }: Checked) {
        self.places.insert(key, place);
        let now = unix_seconds();
        let Ok(opened) = directory::open(&record.value, now) else { return };
        if record.key.as_ref() != place || !self.is_news(&record.key, opened.sequence, now) {
            return;
        }
        let expires = Some(std::time::Instant::now() + Duration::from_secs(opened.expires.saturating_sub(now)));
        let record = kad::Record { publisher: None, expires, ..record };
        let kad = &mut self.swarm.behaviour_mut().kad;
        if let Err(error) = kad.store_mut().put(record.clone()) {
            tracing::warn!(%error, "the directory is full");
            return;
        }
        for fellow in self.fellows.iter().filter(|fellow| **fellow != source) {
            kad.put_record_to(record.clone(), std::iter::once(*fellow), kad::Quorum::One);
        }
    }

    fn is_news(&mut self, key: &kad::RecordKey, sequence: u64, now: u64) -> bool {
        let stored = self.swarm.behaviour_mut().kad.store_mut().get(key).map(|record| directory::open(&record.value, now));
        !matches!(stored, Some(Ok(stored)) if stored.sequence >= sequence)
    }
}

/// Whether this is a relay of our kind.
fn is_fellow(info: &identify::Info) -> bool {
    info.protocols.contains(&KAD) && info.protocols.contains(&relay::HOP_PROTOCOL_NAME)
}

/// Whether a new connection shows that its peer has left the old one's address. IPv4 and IPv6, QUIC and TCP may well differ.
fn has_moved(old: &Origin, new: &Origin) -> bool {
    old.transport == new.transport && old.ip.is_ipv4() == new.ip.is_ipv4() && old.ip != new.ip
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(ip: &str, transport: Transport) -> Origin {
        Origin { connection: ConnectionId::new_unchecked(0), ip: ip.parse().unwrap(), transport }
    }

    #[test]
    fn a_new_address_over_the_same_transport_and_family_means_that_the_peer_moved() {
        let old = origin("192.0.2.1", Transport::Quic);
        assert!(has_moved(&old, &origin("192.0.2.2", Transport::Quic)));
        assert!(!has_moved(&old, &origin("192.0.2.1", Transport::Quic)));
        assert!(!has_moved(&old, &origin("192.0.2.2", Transport::Tcp)));
        assert!(!has_moved(&old, &origin("2001:db8::1", Transport::Quic)));
    }
}
