//! `rs relay`: the meeting point. Circuits with explicit limits, the directory, address observation.
//!
//! A relay is trusted with nothing, and trusts nobody. Its parts:
//!
//! | part | what it is |
//! |---|---|
//! | [`limits`] | every number, with its unit and reason |
//! | `swarm` | libp2p put together |
//! | `task` | the loop that owns it, and the end |
//! | `dht` | the directory as libp2p keeps it, and who asked for what is not there |
//! | `records`, `quota` | which records are taken, and how many from one address |
//! | `searches` | looking further on behalf of a client |
//! | `shaper`, `shaped` | bandwidth: who may read how much when, and the streams that obey |
//! | `metrics`, `http` | the counters, and the page that shows them |

mod dht;
mod http;
pub mod limits;
mod metrics;
mod quota;
mod records;
mod searches;
mod shaped;
mod shaper;
mod swarm;
mod task;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use ed25519_dalek::SigningKey;
use libp2p::Multiaddr;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use self::{
    limits::{CLOSING, LINGER, Limits},
    metrics::Metrics,
    shaped::{Gate, Meter},
    task::Task,
};
use super::{
    QUEUE, RelayAddress,
    address::{self, DEFAULT_PORT},
    behaviour,
    relays::Relays,
};

/// How to start.
pub struct Config {
    /// Our identity: the address survives a restart with it.
    pub identity: SigningKey,
    /// Where to listen; empty: port 4001 on every interface, QUIC and TCP, and WebSocket and QUIC on 443 where that is allowed.
    pub listen: Vec<Multiaddr>,
    /// Other relays to share the directory with, each with `/p2p/…`.
    pub join: Vec<Multiaddr>,
    /// How much it may do.
    pub limits: Limits,
    /// Where to show the metrics; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
}

/// A running relay; dropping it stops it at once, without a word to its clients.
#[derive(Debug)]
pub struct Relay {
    stop: oneshot::Sender<()>,
    task: AbortOnDropHandle<()>,
    metrics: Option<SocketAddr>,
    _helpers: Vec<AbortOnDropHandle<()>>,
}

impl Relay {
    /// Where the metrics are shown.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Stops: takes nobody in any more and closes every connection, so that clients see the loss at once. Takes two seconds at most.
    pub async fn stop(self) {
        // A task that ended already has nothing left to close.
        let _ = self.stop.send(());
        let _ = timeout(CLOSING + 2 * LINGER, self.task).await;
    }
}

/// Starts it on the current tokio runtime. Tells every listen address (with `/p2p/…`) on the channel as it comes up.
///
/// # Errors
/// In one line: an address that cannot be listened on, and what to do.
pub async fn start(config: Config) -> anyhow::Result<(Relay, mpsc::Receiver<Multiaddr>)> {
    let joined = joined(config.join)?;
    let metrics = Arc::new(Metrics::new());
    let mut helpers = Vec::new();
    let page = match config.metrics {
        Some(address) => {
            let listener = TcpListener::bind(address).await;
            let listener =
                listener.with_context(|| format!("cannot show metrics on {address}; give another port with --metrics"))?;
            let page = listener.local_addr()?;
            helpers.push(helper(tokio::spawn(http::serve(listener, Arc::clone(&metrics)))));
            Some(page)
        }
        None => None,
    };
    let gate = Gate::new(&config.limits).map(Arc::new);
    if let Some(gate) = &gate {
        helpers.push(helper(tokio::spawn(Arc::clone(gate).run())));
    }
    let meter = (gate.is_some() || page.is_some()).then(|| Meter::new(gate, &metrics));
    let mut swarm = swarm::swarm(&config.identity, &config.limits, meter)?;
    if config.listen.is_empty() {
        behaviour::listen_everywhere(&mut swarm, DEFAULT_PORT)?;
        behaviour::listen_for_the_web(&mut swarm)?;
    } else {
        behaviour::listen(&mut swarm, &config.listen)?;
    }
    let (addresses, receiver) = mpsc::channel(QUEUE);
    let (stop, stopped) = oneshot::channel();
    let task = Task::new(swarm, joined, addresses, config.limits.records(), metrics);
    let task = helper(tokio::spawn(task.run(stopped)));
    Ok((Relay { stop, task, metrics: page, _helpers: helpers }, receiver))
}

fn joined(addresses: Vec<Multiaddr>) -> anyhow::Result<Relays> {
    let mut joined = Relays::default();
    for address in addresses {
        let (key, bare) = address::split(&address);
        anyhow::ensure!(key.is_some(), "{address} does not name the relay's key; copy the address that it prints, with /p2p/…");
        let added = joined.add(RelayAddress { addresses: vec![bare], key }, false, Instant::now());
        anyhow::ensure!(added.is_some(), "too many relays to join; name at most sixteen");
    }
    Ok(joined)
}

fn helper(task: JoinHandle<()>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(task)
}
