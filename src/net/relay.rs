//! `rs relay`: the meeting point. Circuits with explicit limits, the directory, address observation.

use ed25519_dalek::SigningKey;
use libp2p::Multiaddr;
use tokio::sync::mpsc;

/// How to start.
pub struct Config {
    /// Our identity: the address survives a restart with it.
    pub identity: SigningKey,
    /// Where to listen; empty: port 4001 on every interface, QUIC and TCP.
    pub listen: Vec<Multiaddr>,
    /// Other relays to share the directory with, each with `/p2p/…`.
    pub join: Vec<Multiaddr>,
}

/// A running relay; dropping it stops it.
pub struct Relay;

/// Starts it on the current tokio runtime. Tells every listen address (with `/p2p/…`) on the channel as it comes up.
///
/// # Errors
/// In one line: an address that cannot be listened on, and what to do.
pub async fn start(_config: Config) -> anyhow::Result<(Relay, mpsc::Receiver<Multiaddr>)> {
    unimplemented!()
}
