//! Ports of the router: asked for, kept while we listen, and given back at the end.
//!
//! Many home routers open a port to the machine that asks (PCP, NAT-PMP, UPnP). What arrives there then arrives here, whoever sends it: a
//! symmetric NAT with such a port is as good as a forwarded one. `portmapper` speaks the three protocols and renews; here is the policy:
//!
//! - One port for QUIC and one for TCP, for the first IPv4 address that others could reach. Nothing is asked for loopback.
//! - All three are probed at once. Of those that answer, PCP, NAT-PMP, UPnP are asked for a port in this order; the first that opens one
//!   is kept.
//! - No router answered: again after [`FIRST_PAUSE`], which doubles up to [`LAST_PAUSE`], and at once when our addresses change. One round
//!   is three small packets and at most [`ATTEMPT`] for each protocol. It is no news for anybody, so the log has it at `debug`.
//! - [`PortMap::close`] gives the ports back, within [`RELEASE`]. A router that does not hear it forgets them by itself within two hours;
//!   so it does with a port that it opened in the very moment of the end.

use std::{collections::BTreeSet, net::SocketAddrV4, num::NonZeroU16, time::Duration};

use futures::future::join_all;
use libp2p::{Multiaddr, multiaddr::Protocol};
use portmapper::{Client, ProbeError, ProbeOutput};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    Transport,
    address::{ip_of, is_circuit, port_of, transport_of},
};

/// How long one protocol may take to answer its probe, and then to open a port.
const ATTEMPT: Duration = Duration::from_secs(3);

/// Pauses between rounds without success.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LAST_PAUSE: Duration = Duration::from_secs(30 * 60);

/// A change of addresses comes in pieces; this long after the last one it is over.
const SETTLE: Duration = Duration::from_millis(100);

/// How long the end waits for the router.
const RELEASE: Duration = Duration::from_millis(700);

/// What a router answered to a probe.
type Probed = Result<ProbeOutput, ProbeError>;

/// What we ask ports for.
const TRANSPORTS: [Transport; 2] = [Transport::Quic, Transport::Tcp];

/// A port was opened, moved or lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Others reach us there no longer.
    pub(super) lost: Option<Multiaddr>,
    /// Others reach us there.
    pub(super) opened: Option<Multiaddr>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct PortMap {
    listening: BTreeSet<Multiaddr>,
    wanted: watch::Sender<BTreeSet<Multiaddr>>,
    changes: mpsc::Receiver<Change>,
    keepers: Vec<JoinHandle<()>>,
}

impl PortMap {
    /// Asks for ports as soon as there is something to ask for; never when it is not enabled.
    pub(super) fn new(enabled: bool) -> Self {
        let (wanted, listening) = watch::channel(BTreeSet::new());
        let (tell, changes) = mpsc::channel(TRANSPORTS.len());
        let keeper = |transport| {
            let keeper = Keeper { transport, tell: tell.clone(), client: None, told: None };
            tokio::spawn(keeper.run(listening.clone()))
        };
        let keepers = if enabled { TRANSPORTS.map(keeper).into() } else { Vec::new() };
        Self { listening: BTreeSet::new(), wanted, changes, keepers }
    }

    /// We listen here.
    pub(super) fn listening(&mut self, address: &Multiaddr) {
        if is_mappable(address) && self.listening.insert(address.clone()) {
            self.wanted.send_replace(self.listening.clone());
        }
    }

    /// We listen there no longer.
    pub(super) fn not_listening(&mut self, address: &Multiaddr) {
        if self.listening.remove(address) {
            self.wanted.send_replace(self.listening.clone());
        }
    }

    /// The next change; `None` when there will be none.
    pub(super) async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }

    /// Gives the ports back.
    pub(super) async fn close(self) {
        drop((self.wanted, self.changes));
        join_all(self.keepers).await;
    }
}

/// One port of the router.
struct Keeper {
    transport: Transport,
    tell: mpsc::Sender<Change>,
    client: Option<Client>,
    told: Option<Multiaddr>,
}

impl Keeper {
    async fn run(mut self, mut wanted: watch::Receiver<BTreeSet<Multiaddr>>) {
        loop {
            let port = port_for(&wanted.borrow_and_update(), self.transport);
            let changed = match port {
                Some(port) => tokio::select! {
                    changed = wanted.changed() => changed,
                    () = self.keep(port) => Ok(()),
                },
                None => wanted.changed().await,
            };
            self.release().await;
            if changed.is_err() {
                return;
            }
        }
    }

    /// Has the port opened and follows what becomes of it.
    async fn keep(&mut self, port: NonZeroU16) {
        sleep(SETTLE).await;
        let mut pause = FIRST_PAUSE;
        loop {
            let probed = ways(self.transport).map(|way| {
                let client = Client::new(way);
                let answer = client.probe();
                (client, answer)
            });
            for (client, answer) in probed {
                let client = self.client.insert(client);
                let Some(mut external) = open(client, answer, port).await else { continue };
                pause = FIRST_PAUSE;
                while let Some(address) = { *external.borrow_and_update() } {
                    self.tell(Some(address)).await;
                    if external.changed().await.is_err() {
                        break;
                    }
                }
                self.tell(None).await;
            }
            self.client = None;
            tracing::debug!(transport = self.transport.name(), ?pause, "no router opens a port");
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    async fn tell(&mut self, address: Option<SocketAddrV4>) {
        let opened = address.map(|address| multiaddr_of(address, self.transport));
        if opened != self.told {
            let news = if opened.is_some() { "the router opened a port" } else { "the router's port is closed" };
            tracing::info!(transport = self.transport.name(), "{news}");
            tracing::debug!(?opened);
            let lost = std::mem::replace(&mut self.told, opened.clone());
            // The last news of a node that ends is for nobody.
            let _ = self.tell.send(Change { lost, opened }).await;
        }
    }

    async fn release(&mut self) {
        self.tell(None).await;
        let Some(client) = self.client.take() else { return };
        client.deactivate();
        // The service takes its orders one after the other: when it has answered this one, it has given the port back.
        let _ = timeout(RELEASE, client.probe()).await;
    }
}

/// Each protocol by itself: beside others `portmapper` takes the first that answers a probe, and stays with it when it opens no port.
fn ways(transport: Transport) -> [portmapper::Config; 3] {
    let protocol = if transport == Transport::Quic { portmapper::Protocol::Udp } else { portmapper::Protocol::Tcp };
    let none = portmapper::Config { enable_upnp: false, enable_pcp: false, enable_nat_pmp: false, protocol };
    [
        portmapper::Config { enable_pcp: true, ..none.clone() },
        portmapper::Config { enable_nat_pmp: true, ..none.clone() },
        portmapper::Config { enable_upnp: true, ..none },
    ]
}

/// Where the router opened a port, if it did.
async fn open(
    client: &Client,
    probed: oneshot::Receiver<Probed>,
    port: NonZeroU16,
) -> Option<watch::Receiver<Option<SocketAddrV4>>> {
    let found = timeout(ATTEMPT, probed).await.ok()?.ok()?.ok()?;
    if !(found.pcp || found.nat_pmp || found.upnp) {
        return None;
    }
    client.update_local_port(port);
    let mut external = client.watch_external_address();
    timeout(ATTEMPT, external.wait_for(Option::is_some)).await.ok()?.ok()?;
    Some(external)
}

/// The port to ask for: of the first address with this transport.
fn port_for(listening: &BTreeSet<Multiaddr>, transport: Transport) -> Option<NonZeroU16> {
    let address = listening.iter().find(|address| transport_of(address) == transport)?;
    NonZeroU16::new(port_of(address)?)
}

/// An IPv4 address that a router could send to.
fn is_mappable(address: &Multiaddr) -> bool {
    let reachable = ip_of(address).is_some_and(|ip| ip.is_ipv4() && !ip.is_loopback());
    reachable && !is_circuit(address) && TRANSPORTS.contains(&transport_of(address))
}

fn multiaddr_of(address: SocketAddrV4, transport: Transport) -> Multiaddr {
    let ip = Multiaddr::from(*address.ip());
    match transport {
        Transport::Quic => ip.with(Protocol::Udp(address.port())).with(Protocol::QuicV1),
        Transport::Tcp | Transport::Websocket => ip.with(Protocol::Tcp(address.port())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(listening: &[&str], transport: Transport) -> Option<u16> {
        let listening = listening.iter().map(|text| text.parse().unwrap()).filter(is_mappable).collect();
        port_for(&listening, transport).map(NonZeroU16::get)
    }

    #[test]
    fn a_port_is_asked_for_only_where_a_router_could_send() {
        let lan = ["/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.2/udp/4001/quic-v1", "/ip4/10.0.0.2/tcp/4002"];
        assert_eq!(port(&lan, Transport::Quic), Some(4001));
        assert_eq!(port(&lan, Transport::Tcp), Some(4002));
        for none in ["/ip4/127.0.0.1/udp/1/quic-v1", "/ip6/2001:db8::2/udp/1/quic-v1", "/ip4/10.0.0.2/tcp/443/ws"] {
            assert_eq!(port(&[none], Transport::Quic).or(port(&[none], Transport::Tcp)), None, "{none}");
        }
    }

    #[tokio::test]
    async fn without_leave_there_is_no_task_and_no_news() {
        let mut off = PortMap::new(false);
        off.listening(&"/ip4/10.0.0.2/udp/4001/quic-v1".parse().unwrap());
        assert!(off.keepers.is_empty());
        assert_eq!(off.next().await, None);
    }
}
