//! The network seam: commands in, events out, over bounded channels. [`node`] answers it with libp2p.
//!
//! The rest of `rs` sees peers (Ed25519 public keys), paths (one per connection, direct or relayed) and streams on a path of its
//! own choice. Everything above this seam encrypts and authenticates by itself: nothing here is trusted.

pub mod address;
mod behaviour;
mod candidates;
pub mod clock;
mod dials;
mod directory;
mod lookups;
pub mod nat;
pub mod node;
mod paths;
mod portmap;
mod presence;
mod probing;
mod punches;
pub mod relay;
mod relays;
mod roaming;
mod streams;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod transport;

use std::pin::Pin;

use futures::io::{AsyncRead, AsyncWrite};
use libp2p::Multiaddr;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::protocol::{
    id::{HostId, PeerKey},
    session::path::{Carrier, PathId, PathKind},
};

/// Events and commands that may wait in a channel.
pub const QUEUE: usize = 256;

/// What carries a path (for a relayed one: what carries our leg to the relay).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// QUIC over UDP.
    Quic,
    /// TCP with noise and yamux.
    Tcp,
    /// WebSocket over TCP.
    Websocket,
}

/// What a stream is for. Each is a libp2p protocol name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// `/rs/auth/1`: one authentication handshake.
    Auth,
    /// `/rs/lane/1`: one lane of an authenticated session.
    Lane,
    /// `/rs/clock/1`: a relay's time. Only relays answer.
    Clock,
    /// `/rs/probe/1`: both look for a way through a symmetric NAT; see [`Node::probe`].
    Probe,
}

impl Transport {
    /// The word used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
            Self::Websocket => "websocket",
        }
    }

    /// What it means for a session.
    #[must_use]
    pub fn carrier(self) -> Carrier {
        match self {
            Self::Quic => Carrier::Quic,
            Self::Tcp | Self::Websocket => Carrier::Tcp,
        }
    }
}

/// A byte stream between the two peers of a path.
pub trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

/// A byte stream, whatever is under it.
pub type Stream = Pin<Box<dyn Io>>;

/// Where a relay is: with its key (`…/p2p/…`) or without (learned at first contact).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    /// Addresses to dial, without `/p2p/…`: usually a QUIC and a TCP one.
    pub addresses: Vec<Multiaddr>,
    /// The relay's key, where it is known.
    pub key: Option<PeerKey>,
}

/// What the directory tells about a host; checked already: signature, ID, expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The host's key; it hashes to the ID asked for.
    pub key: PeerKey,
    /// Relays where it holds a reservation, each with `/p2p/…`.
    pub relays: Vec<Multiaddr>,
}

/// What can be asked of the node.
pub enum Command {
    /// Connect to this relay and stay connected, with backoff; as a host also reserve and publish there. The same relay twice is one.
    UseRelay(RelayAddress),
    /// A session depends on the relays (true): one that is gone is dialled again every second, without growing pauses. Or no longer.
    Hurry(bool),
    /// Ask the directory of every connected relay for a host. Answers with all valid listings, newest first; empty when none is known.
    LookUp(HostId, oneshot::Sender<Vec<Listing>>),
    /// Dial these addresses at once (circuit addresses among them). Every success becomes an [`Event::PathUp`]; when all fail,
    /// the answer is the reason in words for a person.
    Dial {
        /// Who must answer, where it is known; `None` takes whoever answers.
        key: Option<PeerKey>,
        /// Where.
        addresses: Vec<Multiaddr>,
        /// Ok as soon as one is connected; Err when all failed.
        done: oneshot::Sender<Result<(), String>>,
    },
    /// Open a stream on exactly this path. The peer hears of it with the first bytes that are written.
    Open {
        /// Which path.
        path: PathId,
        /// What for.
        purpose: Purpose,
        /// The stream, or why not.
        done: oneshot::Sender<Result<Stream, String>>,
    },
    /// Keep this path's connection alive (true) or let it idle out (false).
    Keep(PathId, bool),
    /// Close this path's connection.
    Close(PathId),
    /// Tell what our NAT does to UDP ports. Answers within three seconds with what is known then; asks a relay at a second port if needed.
    Mapping(oneshot::Sender<nat::Mapping>),
    /// The end is near: give the router its ports back. Answers when that is done, within a second.
    Stop(oneshot::Sender<()>),
    /// Open a stream to a relay that we are connected to, for its time.
    AskTime(PeerKey, oneshot::Sender<Result<Stream, String>>),
}

/// What the node tells.
pub enum Event {
    /// Others can reach this node here (with `/p2p/…`).
    Listening(Multiaddr),
    /// This listen address is gone.
    NotListening(Multiaddr),
    /// Connected to a relay; its key is known now (pin it).
    RelayUp {
        /// The relay as it was given.
        relay: RelayAddress,
        /// Its key.
        key: PeerKey,
    },
    /// A relay went away or cannot be reached, and why; the node keeps trying.
    RelayDown {
        /// The relay as it was given.
        relay: RelayAddress,
        /// For a person, in one line.
        reason: String,
    },
    /// The relay answered with another key than the one given; it is not used.
    RelayChanged(RelayAddress),
    /// Host: this relay holds our reservation and our listing: peers can reach us by the bare ID. With the relay's `/p2p/…`.
    Reserved(Multiaddr),
    /// Host: that reservation is lost; the node tries to get it back.
    ReservationLost(Multiaddr),
    /// Our own addresses changed: what is not connected is being dialled again.
    Moved,
    /// A peer announced itself on the LAN.
    Discovered {
        /// Its key.
        key: PeerKey,
        /// Where it is.
        address: Multiaddr,
    },
    /// A path to a peer is there.
    PathUp {
        /// Its name from now on.
        path: PathId,
        /// Whose key proved itself.
        key: PeerKey,
        /// How near.
        kind: PathKind,
        /// What carries it.
        transport: Transport,
        /// The other end, for `--json` diagnostics at debug level only.
        address: Multiaddr,
    },
    /// That path is gone.
    PathDown(PathId),
    /// The peer opened a stream.
    Inbound {
        /// On which path.
        path: PathId,
        /// Whose.
        key: PeerKey,
        /// What for.
        purpose: Purpose,
        /// The stream.
        stream: Stream,
    },
}

/// A running node. Clones talk to the same one; when all are dropped it stops.
#[derive(Clone, Debug)]
pub struct Node {
    commands: mpsc::Sender<Command>,
    sockets: transport::Sockets,
}

/// The node has stopped.
#[derive(Debug, thiserror::Error)]
#[error("the network stopped")]
pub struct Stopped;

impl Node {
    /// Starts using a relay.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn use_relay(&self, relay: RelayAddress) -> Result<(), Stopped> {
        self.send(Command::UseRelay(relay)).await
    }

    /// Whether a session depends on the relays; see [`Command::Hurry`].
    pub async fn hurry(&self, hurry: bool) {
        let _ = self.send(Command::Hurry(hurry)).await;
    }

    /// Asks the directory; see [`Command::LookUp`].
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn look_up(&self, id: HostId) -> Result<Vec<Listing>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::LookUp(id, reply)).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Dials; see [`Command::Dial`].
    ///
    /// # Errors
    /// In words for a person: nobody answered, or the node has stopped.
    pub async fn dial(&self, key: Option<PeerKey>, addresses: Vec<Multiaddr>) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        self.send(Command::Dial { key, addresses, done }).await.map_err(|stopped| stopped.to_string())?;
        answer.await.map_err(|_| Stopped.to_string())?
    }

    /// Opens a stream on this path.
    ///
    /// # Errors
    /// In words for a person: the path is gone, or the peer does not speak `rs`.
    pub async fn open(&self, path: PathId, purpose: Purpose) -> Result<Stream, String> {
        let (done, answer) = oneshot::channel();
        self.send(Command::Open { path, purpose, done }).await.map_err(|stopped| stopped.to_string())?;
        answer.await.map_err(|_| Stopped.to_string())?
    }

    /// Keeps a path's connection alive, or lets it idle out.
    pub async fn keep(&self, path: PathId, keep: bool) {
        let _ = self.send(Command::Keep(path, keep)).await;
    }

    /// Closes a path's connection.
    pub async fn close(&self, path: PathId) {
        let _ = self.send(Command::Close(path)).await;
    }

    /// What our NAT does to UDP ports; see [`Command::Mapping`]. A relay must be in use.
    ///
    /// # Errors
    /// The node has stopped, or too many ask at once.
    pub async fn mapping(&self) -> Result<nat::Mapping, Stopped> {
        let (done, answer) = oneshot::channel();
        self.send(Command::Mapping(done)).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Seeks a direct path to the peer of this stream ([`Purpose::Probe`]) by probing ports; both ends must call it. Sends up to 1500
    /// packets to addresses that the peer names: only for one that is trusted so far, and not often. What is found is an
    /// [`Event::PathUp`]. Takes half a minute at most; stops when dropped.
    ///
    /// # Errors
    /// Why none was found, for the log.
    pub async fn probe(&self, key: PeerKey, stream: Stream) -> Result<(), String> {
        probing::run(self, &self.sockets, key, stream).await
    }

    /// Gives back what was borrowed from the router; to be called before the process ends. Takes a second at most.
    pub async fn stop(&self) {
        let (done, answer) = oneshot::channel();
        if self.send(Command::Stop(done)).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// Compares our clock with a relay's. The relay must be up.
    ///
    /// # Errors
    /// In words for a person: the relay is not connected, or does not tell its time.
    pub async fn clock(&self, relay: PeerKey) -> Result<clock::Reading, String> {
        let (done, answer) = oneshot::channel();
        self.send(Command::AskTime(relay, done)).await.map_err(|stopped| stopped.to_string())?;
        clock::read(answer.await.map_err(|_| Stopped.to_string())??).await
    }

    async fn send(&self, command: Command) -> Result<(), Stopped> {
        self.commands.send(command).await.map_err(|_| Stopped)
    }
}
