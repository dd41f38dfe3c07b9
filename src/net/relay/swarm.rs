//! libp2p put together for a relay.

use ed25519_dalek::SigningKey;
use libp2p::{PeerId, Swarm, connection_limits, identify, identity, kad, ping, relay, swarm::NetworkBehaviour};

use super::{
    dht::Directory,
    limits::{BOOTSTRAP, COPIES, Limits, PING_INTERVAL, QUIC_IDLE, QUIC_KEEP_ALIVE},
    shaped::{self, Meter},
};
use crate::net::{
    Purpose,
    behaviour::{self, IDENTIFY, KAD},
    directory, streams,
    transport::{self, Patience, Sockets},
};

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    relay: relay::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(super) kad: Directory,
    streams: streams::Behaviour,
}

/// A swarm that listens nowhere yet. With a meter every stream is counted, and shaped where there is a limit.
pub(super) fn swarm(identity: &SigningKey, limits: &Limits, meter: Option<Meter>) -> anyhow::Result<Swarm<Behaviour>> {
    let keypair = behaviour::keypair(identity)?;
    let transport = transport::stack(&keypair, Patience { idle: QUIC_IDLE, keep_alive: QUIC_KEEP_ALIVE }, &Sockets::default())?;
    let transport = match meter {
        Some(meter) => shaped::transport(transport, meter),
        None => transport,
    };
    Ok(Swarm::new(transport, parts(&keypair, limits), keypair.public().to_peer_id(), behaviour::swarm_config()))
}

fn parts(keypair: &identity::Keypair, limits: &Limits) -> Behaviour {
    let local = keypair.public().to_peer_id();
    Behaviour {
        limits: connection_limits::Behaviour::new(limits.connections()),
        relay: relay::Behaviour::new(local, limits.relay()),
        identify: identify::Behaviour::new(identify::Config::new(IDENTIFY.to_owned(), keypair.public())),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
        kad: directory(local, limits.records()),
        streams: streams::Behaviour::new(&[Purpose::Clock]),
    }
}

/// The directory's Kademlia, with room for so many records.
pub(super) fn directory(local: PeerId, max_records: usize) -> Directory {
    let mut config = kad::Config::new(KAD);
    config
        .set_query_timeout(behaviour::QUERY)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_max_packet_size(2 * directory::MAX_RECORD)
        .set_replication_factor(COPIES)
        .set_caching(kad::Caching::Disabled)
        .set_periodic_bootstrap_interval(Some(BOOTSTRAP))
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_provider_publication_interval(None);
    let store = kad::store::MemoryStoreConfig {
        max_records,
        max_value_bytes: directory::MAX_RECORD + 1,
        max_providers_per_key: 1,
        max_provided_keys: 1,
    };
    Directory::new(local, kad::store::MemoryStore::with_config(local, store), config)
}
