//! QUIC for libp2p: a [`Transport`] over `quinn`, with the settings that libp2p's own keeps to itself.
//!
//! - On the wire it is libp2p's QUIC: `/ip4|ip6/…/udp/…/quic-v1`, ALPN `libp2p`, TLS 1.3 with libp2p's certificates, a substream is a
//!   bidirectional stream. It talks to every other implementation; `tests.rs` holds it against the stock one, both ways.
//! - What differs: socket buffers, BBR, windows ([`settings`]), a listener accepts a client whose address changes, and the handshakes
//!   that are under way are bounded.
//! - The peer's ID is what its certificate says. Whether it is the expected one (`/p2p/…`) is the swarm's to check, as with the stock
//!   transport: only so a dial ends in "wrong peer" and not in a TLS alert.
//! - A dial that may reuse a port ([`PortUse::Reuse`]) leaves from the oldest listening socket that can reach the address: the mapping
//!   in the NAT is that socket's, and hole punching lives on it. Without one, such dials share one socket per family.
//!   [`PortUse::New`] takes a new socket each time. Before all that comes a socket that was handed in for this address ([`Sockets`]).
//! - A dial in the listener's role (DCUtR) is a dial like any other, as in the stock transport: both sides dial, and the better of the
//!   two connections is picked above. The specified way, random packets from one side, was measured to lose cases that this one wins.
//! - A listener on a wildcard address follows the interfaces: [`TransportEvent::NewAddress`] and [`TransportEvent::AddressExpired`].
//! - A removed listener takes no new connections; those it has live on.
//! - A peer that was restarted at its port ends the connections of its former life with the first packet that comes on them (a
//!   stateless reset).
//!
//! When our own address changes, nothing here reacts, on purpose: a socket on a wildcard address sends from the new one at once, the
//! peer sees a new path and validates it. `quinn::Endpoint::rebind` would help a socket bound to the address that went away; only a
//! listener on a fixed address is, and that one has lost its reason with the address.
//!
//! Needs a tokio runtime. Everything is bounded: listeners by their owner, handshakes, early data, streams and windows by [`settings`].

mod address;
mod connection;
mod endpoint;
mod error;
mod listener;
mod settings;
mod sockets;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::future::BoxFuture;
use libp2p::{
    Multiaddr, PeerId,
    core::transport::{self, DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
    identity::Keypair,
};
use tokio::sync::Semaphore;

pub use self::sockets::Sockets;
pub(crate) use self::{connection::Connection, error::Error};
use self::{endpoint::Endpoints, listener::Listener};

/// What a new transport is made with.
#[derive(Clone)]
pub(crate) struct Config {
    /// Who we are.
    pub(crate) keypair: Keypair,
    /// A connection is dead after this long without a packet. The smaller one of both ends counts.
    pub(crate) idle: Duration,
    /// A silent connection sends a packet this often. Well below `idle`.
    pub(crate) keep_alive: Duration,
    /// Who decides how fast to send.
    pub(crate) congestion: Congestion,
    /// Asked for as a socket's receive and send buffer, in bytes; the system may give less.
    pub(crate) buffer: usize,
    /// Incoming handshakes under way at a time. Above half of it a peer must first show that it owns its address.
    pub(crate) handshakes: usize,
    /// Where its sockets are known.
    pub(crate) sockets: Sockets,
}

/// Congestion control: `quinn`'s implementations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Congestion {
    /// Follows the measured bandwidth: loss alone does not slow it down. 126 to 173 Mbit/s where CUBIC has 3 to 4 (1 % loss, 40 ms).
    Bbr,
    /// `quinn`'s default: every loss halves the rate, nearly.
    #[allow(dead_code, reason = "the other choice, for comparisons")]
    Cubic,
}

/// See the head of the module.
pub(crate) struct Transport {
    endpoints: Endpoints,
    /// Oldest first.
    listeners: Vec<Listener>,
    /// Whose turn it is to be polled first.
    turn: usize,
    /// Removed, not yet reported; no more than there were listeners.
    removed: VecDeque<ListenerId>,
    /// For dials without a listener: IPv4, IPv6.
    shared: [Option<quinn::Endpoint>; 2],
    handshakes: Arc<Semaphore>,
    max_handshakes: usize,
    sockets: Sockets,
    waker: Option<Waker>,
}

impl Config {
    /// With the settings that were measured best.
    pub(crate) fn new(keypair: &Keypair, idle: Duration, keep_alive: Duration) -> Self {
        let (buffer, handshakes) = (settings::SOCKET_BUFFER, settings::HANDSHAKES);
        Self {
            keypair: keypair.clone(),
            idle,
            keep_alive,
            congestion: Congestion::Bbr,
            buffer,
            handshakes,
            sockets: Sockets::default(),
        }
    }
}

impl Transport {
    /// Fails when the keypair cannot sign a certificate.
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        Ok(Self {
            endpoints: Endpoints::new(&config)?,
            listeners: Vec::new(),
            turn: 0,
            removed: VecDeque::new(),
            shared: [None, None],
            handshakes: Arc::new(Semaphore::new(config.handshakes)),
            max_handshakes: config.handshakes,
            sockets: config.sockets,
            waker: None,
        })
    }

    /// The endpoint that a dial leaves from.
    fn endpoint_to(&mut self, remote: SocketAddr, port_use: PortUse) -> Result<quinn::Endpoint, Error> {
        if let Some(socket) = self.sockets.take(remote) {
            return self.endpoints.dialling_from(socket);
        }
        if port_use == PortUse::New {
            return self.endpoints.dialling(remote);
        }
        if let Some(listener) = self.listeners.iter().find(|listener| listener.reaches(remote)) {
            return Ok(listener.endpoint().clone());
        }
        let shared = &mut self.shared[usize::from(remote.is_ipv6())];
        match shared {
            Some(endpoint) => Ok(endpoint.clone()),
            None => Ok(shared.insert(self.endpoints.dialling(remote)?).clone()),
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl transport::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = Error;
    type ListenerUpgrade = BoxFuture<'static, Result<Self::Output, Error>>;
    type Dial = BoxFuture<'static, Result<Self::Output, Error>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Error>> {
        let Some(local) = address::socket_of(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let (endpoint, socket) = self.endpoints.listening(local).map_err(TransportError::Other)?;
        self.sockets.listens(&socket);
        let listener = Listener::new(id, endpoint, socket, Arc::clone(&self.handshakes), self.max_handshakes)
            .map_err(TransportError::Other)?;
        self.listeners.push(listener);
        // From now on dials leave from the listener where they can. Connections that use the old socket keep it alive.
        self.shared[usize::from(local.is_ipv6())] = None;
        self.wake();
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let Some(index) = self.listeners.iter().position(|listener| listener.id() == id) else { return false };
        self.listeners.remove(index).close();
        self.removed.push_back(id);
        self.wake();
        true
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<Error>> {
        let remote = match address::socket_of(&address) {
            Some(remote) if remote.port() != 0 && !remote.ip().is_unspecified() => remote,
            _ => return Err(TransportError::MultiaddrNotSupported(address)),
        };
        let endpoint = self.endpoint_to(remote, options.port_use).map_err(TransportError::Other)?;
        Ok(connection::dial(endpoint, self.endpoints.client(), remote))
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, Error>> {
        let this = &mut *self;
        if let Some(listener_id) = this.removed.pop_front() {
            return Poll::Ready(TransportEvent::ListenerClosed { listener_id, reason: Ok(()) });
        }
        let count = this.listeners.len();
        for offset in 0..count {
            let index = (this.turn + offset) % count;
            let Poll::Ready(event) = this.listeners[index].poll(context) else { continue };
            if matches!(event, TransportEvent::ListenerClosed { .. }) {
                this.listeners.remove(index);
            }
            // A busy listener does not starve the others.
            this.turn = index + 1;
            return Poll::Ready(event);
        }
        this.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
