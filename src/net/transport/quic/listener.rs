//! One listening socket: its addresses, and who comes in.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::{FutureExt, future::BoxFuture};
use if_watch::{IfEvent, tokio::IfWatcher};
use libp2p::core::transport::{self, ListenerId, TransportEvent};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    Error, Transport,
    address::multiaddr_of,
    connection,
    settings::{HANDSHAKE, TURNED_AWAY},
    sockets,
};

type Event = TransportEvent<<Transport as transport::Transport>::ListenerUpgrade, Error>;

/// Open until [`Listener::close`] or its end is polled.
pub(super) struct Listener {
    id: ListenerId,
    endpoint: quinn::Endpoint,
    /// The endpoint's, once more: known to others for as long as we listen.
    _socket: Arc<UdpSocket>,
    local: SocketAddr,
    /// The one address of a listener that is not on a wildcard, until it is reported.
    fixed: Option<SocketAddr>,
    /// Tells the addresses of a wildcard listener.
    watcher: Option<IfWatcher>,
    accept: BoxFuture<'static, Option<quinn::Incoming>>,
    /// Shared with the other listeners.
    handshakes: Arc<Semaphore>,
    max_handshakes: usize,
}

impl Listener {
    pub(super) fn new(
        id: ListenerId,
        endpoint: quinn::Endpoint,
        socket: Arc<UdpSocket>,
        handshakes: Arc<Semaphore>,
        max_handshakes: usize,
    ) -> Result<Self, Error> {
        let local = endpoint.local_addr()?;
        let (fixed, watcher) = match local.ip().is_unspecified() {
            true => (None, Some(IfWatcher::new()?)),
            false => (Some(local), None),
        };
        let accept = accept(&endpoint);
        Ok(Self { id, endpoint, _socket: socket, local, fixed, watcher, accept, handshakes, max_handshakes })
    }

    pub(super) fn id(&self) -> ListenerId {
        self.id
    }

    pub(super) fn endpoint(&self) -> &quinn::Endpoint {
        &self.endpoint
    }

    /// Whether packets from this socket can get there.
    pub(super) fn reaches(&self, remote: SocketAddr) -> bool {
        sockets::reaches(self.local, remote)
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if let Some(address) = self.fixed.take() {
            return Poll::Ready(TransportEvent::NewAddress { listener_id: self.id, listen_addr: multiaddr_of(address) });
        }
        if let Poll::Ready(event) = self.poll_addresses(context) {
            return Poll::Ready(event);
        }
        self.poll_incoming(context)
    }

    /// Nobody comes in any more; who is in stays, and so does the socket until the last one leaves.
    pub(super) fn close(self) {
        self.endpoint.set_server_config(None);
        while let Some(Some(incoming)) = self.endpoint.accept().now_or_never() {
            incoming.refuse();
        }
    }

    fn poll_addresses(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        while let Some(watcher) = &mut self.watcher {
            match ready!(watcher.poll_if_event(context)) {
                Ok(IfEvent::Up(net)) if self.is_of_family(net.addr()) => {
                    return Poll::Ready(TransportEvent::NewAddress { listener_id: self.id, listen_addr: self.at(net.addr()) });
                }
                Ok(IfEvent::Down(net)) if self.is_of_family(net.addr()) => {
                    return Poll::Ready(TransportEvent::AddressExpired { listener_id: self.id, listen_addr: self.at(net.addr()) });
                }
                Ok(_) => {}
                Err(error) => {
                    // It does not recover, and would say so forever. The socket goes on.
                    self.watcher = None;
                    return Poll::Ready(TransportEvent::ListenerError { listener_id: self.id, error: error.into() });
                }
            }
        }
        Poll::Pending
    }

    fn poll_incoming(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        for _ in 0..TURNED_AWAY {
            let Some(incoming) = ready!(self.accept.poll_unpin(context)) else {
                return Poll::Ready(TransportEvent::ListenerClosed { listener_id: self.id, reason: Ok(()) });
            };
            self.accept = accept(&self.endpoint);
            if let Some(event) = self.incoming(incoming) {
                return Poll::Ready(event);
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn incoming(&self, incoming: quinn::Incoming) -> Option<Event> {
        let remote = incoming.remote_address();
        let local = incoming.local_ip().map_or(self.local, |ip| SocketAddr::new(ip, self.local.port()));
        let (incoming, permit) = self.admit(incoming)?;
        let connecting =
            incoming.accept().inspect_err(|error| tracing::debug!(%remote, %error, "a handshake ended at once")).ok()?;
        Some(TransportEvent::Incoming {
            listener_id: self.id,
            upgrade: connection::accept(connecting, Instant::now() + HANDSHAKE, permit),
            local_addr: multiaddr_of(local),
            send_back_addr: multiaddr_of(remote),
        })
    }

    /// One of the handshakes under way, or turned away: the sender of a first packet can write any address into it, so when many are
    /// under way, it must answer from there first.
    fn admit(&self, incoming: quinn::Incoming) -> Option<(quinn::Incoming, OwnedSemaphorePermit)> {
        let free = self.handshakes.available_permits();
        if free > 0 && free <= self.max_handshakes / 2 && incoming.may_retry() {
            if let Err(error) = incoming.retry() {
                error.into_incoming().refuse();
            }
            return None;
        }
        match Arc::clone(&self.handshakes).try_acquire_owned() {
            Ok(permit) => Some((incoming, permit)),
            Err(_) => {
                incoming.refuse();
                None
            }
        }
    }

    fn is_of_family(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.local.is_ipv4()
    }

    fn at(&self, ip: IpAddr) -> libp2p::Multiaddr {
        multiaddr_of(SocketAddr::new(ip, self.local.port()))
    }
}

fn accept(endpoint: &quinn::Endpoint) -> BoxFuture<'static, Option<quinn::Incoming>> {
    let endpoint = endpoint.clone();
    async move { endpoint.accept().await }.boxed()
}
