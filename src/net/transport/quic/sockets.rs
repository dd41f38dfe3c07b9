//! The transport's sockets, for who opens a NAT without QUIC: those that listen, to send from, and one that a dial shall leave from.

use std::{
    collections::HashMap,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// A handle to the sockets of one transport.
#[derive(Clone, Debug, Default)]
pub struct Sockets(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    /// Oldest first; gone when their listener is.
    listening: Vec<Weak<UdpSocket>>,
    /// By whom they are for.
    adopted: HashMap<SocketAddr, UdpSocket>,
}

/// A socket waits for its dial for as long as this lives.
#[must_use]
#[derive(Debug)]
pub(in crate::net) struct Adopted<'a> {
    sockets: &'a Sockets,
    remote: SocketAddr,
}

impl Sockets {
    /// The socket that dials to this address leave from. To send only: what comes is QUIC's.
    pub(in crate::net) fn towards(&self, remote: SocketAddr) -> Option<Arc<UdpSocket>> {
        let reaches = |socket: &Arc<UdpSocket>| socket.local_addr().is_ok_and(|local| reaches(local, remote));
        self.lock().listening.iter().filter_map(Weak::upgrade).find(reaches)
    }

    /// The next dial to exactly this address leaves from this socket, if it comes in time.
    pub(in crate::net) fn adopt(&self, socket: UdpSocket, remote: SocketAddr) -> Adopted<'_> {
        self.lock().adopted.insert(remote, socket);
        Adopted { sockets: self, remote }
    }

    /// This socket listens, until nobody else holds it.
    pub(super) fn listens(&self, socket: &Arc<UdpSocket>) {
        let mut shared = self.lock();
        shared.listening.retain(|socket| socket.strong_count() > 0);
        shared.listening.push(Arc::downgrade(socket));
    }

    /// The socket that a dial to this address leaves from, if there is one for it.
    pub(super) fn take(&self, remote: SocketAddr) -> Option<UdpSocket> {
        self.lock().adopted.remove(&remote)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Adopted<'_> {
    fn drop(&mut self) {
        self.sockets.take(self.remote);
    }
}

/// Whether packets from a socket can get there: one on the loopback address stays inside, the others do not go there.
pub(super) fn reaches(local: SocketAddr, remote: SocketAddr) -> bool {
    let (local, remote) = (local.ip(), remote.ip());
    local.is_ipv4() == remote.is_ipv4() && (local.is_unspecified() || local.is_loopback() == remote.is_loopback())
}
