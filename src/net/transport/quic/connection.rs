//! One connection: the handshake, then substreams.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{
    FutureExt,
    future::BoxFuture,
    io::{AsyncRead, AsyncWrite},
};
use libp2p::{
    PeerId,
    core::muxing::{StreamMuxer, StreamMuxerEvent},
};
use quinn::rustls::pki_types::CertificateDer;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use super::{Error, address::multiaddr_of, settings::HANDSHAKE};

/// rustls wants a name. libp2p's servers have none and do not look at it.
const SERVER_NAME: &str = "l";

type Handshake = BoxFuture<'static, Result<(PeerId, Connection), Error>>;
type Opening = BoxFuture<'static, Result<(quinn::SendStream, quinn::RecvStream), quinn::ConnectionError>>;

/// A connection to a peer that proved its ID. Dropped, it closes.
pub(crate) struct Connection {
    connection: quinn::Connection,
    /// As last reported.
    remote: SocketAddr,
    inbound: Option<Opening>,
    outbound: Option<Opening>,
}

/// A substream. Dropped without an error it ends as if closed, as in the stock transport.
pub(crate) struct Stream {
    send: quinn::SendStream,
    receive: quinn::RecvStream,
    closed: bool,
}

/// Dials when first polled.
pub(super) fn dial(endpoint: quinn::Endpoint, config: quinn::ClientConfig, remote: SocketAddr) -> Handshake {
    async move {
        let deadline = Instant::now() + HANDSHAKE;
        handshake(endpoint.connect_with(config, remote, SERVER_NAME)?, deadline).await
    }
    .boxed()
}

/// The rest of an incoming handshake. It counts as one until it is done or dropped.
pub(super) fn accept(connecting: quinn::Connecting, deadline: Instant, permit: OwnedSemaphorePermit) -> Handshake {
    async move {
        let result = handshake(connecting, deadline).await;
        drop(permit);
        result
    }
    .boxed()
}

async fn handshake(connecting: quinn::Connecting, deadline: Instant) -> Result<(PeerId, Connection), Error> {
    let connection = timeout_at(deadline, connecting).await.map_err(|_| Error::HandshakeTimedOut)??;
    let peer = peer_of(&connection).ok_or(Error::NoCertificate)?;
    let remote = connection.remote_address();
    Ok((peer, Connection { connection, remote, inbound: None, outbound: None }))
}

/// TLS has verified the certificate; this reads the ID from it.
fn peer_of(connection: &quinn::Connection) -> Option<PeerId> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let certificate = libp2p_tls::certificate::parse(chain.first()?).ok()?;
    Some(certificate.peer_id())
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = Error;

    fn poll_inbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        let this = &mut *self;
        let connection = &this.connection;
        let opening = this.inbound.get_or_insert_with(|| {
            let connection = connection.clone();
            async move { connection.accept_bi().await }.boxed()
        });
        let streams = ready!(opening.poll_unpin(context));
        this.inbound = None;
        Poll::Ready(Ok(Stream::new(streams?)))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        let this = &mut *self;
        let connection = &this.connection;
        let opening = this.outbound.get_or_insert_with(|| {
            let connection = connection.clone();
            async move { connection.open_bi().await }.boxed()
        });
        let streams = ready!(opening.poll_unpin(context));
        this.outbound = None;
        Poll::Ready(Ok(Stream::new(streams?)))
    }

    /// Says that the peer has another address now. `quinn` does not wake us for that: it is noticed with the next event of the
    /// connection, which is soon enough for what is only told to others.
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Error>> {
        let remote = self.connection.remote_address();
        if remote == self.remote {
            return Poll::Pending;
        }
        self.remote = remote;
        Poll::Ready(Ok(StreamMuxerEvent::AddressChange(multiaddr_of(remote))))
    }

    /// The peer is told by the endpoint, which outlives us for that long.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.connection.close(0_u32.into(), &[]);
        Poll::Ready(Ok(()))
    }
}

impl Stream {
    fn new((send, receive): (quinn::SendStream, quinn::RecvStream)) -> Self {
        Self { send, receive, closed: false }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.receive.poll_read(context, buffer).map_err(Into::into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send).poll_write(context, bytes).map_err(Into::into)
    }

    /// What is written is sent as fast as the peer allows; there is nothing to push.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Marks the end; does not wait until the peer has it. May be called again.
    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            self.closed = true;
            self.send.finish().map_err(io::Error::from)?;
        }
        Poll::Ready(Ok(()))
    }
}
