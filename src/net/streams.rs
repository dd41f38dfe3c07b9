//! Streams on a connection of our choice.
//!
//! libp2p-stream opens a stream on any connection of a peer and hides which one an inbound stream came on. A session has a relayed
//! and a direct connection side by side and must know, so this behaviour opens on a given `ConnectionId` and reports inbound
//! streams with theirs. It also keeps a connection alive for as long as somebody above wants it: an idle session must not be closed
//! by the swarm's idle timeout. At most [`MAX_INBOUND`] inbound streams of a connection are open at a time; more are reset.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures::{
    future::{Ready, ready},
    io::{AsyncRead, AsyncWrite},
};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    core::{Endpoint, InboundUpgrade, UpgradeInfo, transport::PortUse, upgrade::ReadyUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
        StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Purpose, Stream};

/// Inbound streams of one connection that may be open at a time: a session needs five (three lanes, a handshake, a port probe).
const MAX_INBOUND: usize = 16;

/// Requests for outbound streams of one connection that may wait.
const MAX_WAITING: usize = 32;

const AUTH: StreamProtocol = StreamProtocol::new("/rs/auth/1");
const LANE: StreamProtocol = StreamProtocol::new("/rs/lane/1");
const CLOCK: StreamProtocol = StreamProtocol::new("/rs/clock/1");
const PROBE: StreamProtocol = StreamProtocol::new("/rs/probe/1");

const GONE: &str = "the path is gone; try another one";

fn protocol(purpose: Purpose) -> StreamProtocol {
    match purpose {
        Purpose::Auth => AUTH,
        Purpose::Lane => LANE,
        Purpose::Clock => CLOCK,
        Purpose::Probe => PROBE,
    }
}

/// The peer opened a stream.
pub(super) struct Inbound {
    pub(super) connection: ConnectionId,
    pub(super) purpose: Purpose,
    pub(super) stream: Stream,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbound({:?} on {:?})", self.purpose, self.connection)
    }
}

/// The behaviour; see the module.
pub(super) struct Behaviour {
    serves: &'static [Purpose],
    actions: VecDeque<ToSwarm<Inbound, In>>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// Takes inbound streams for these purposes.
    pub(super) fn new(serves: &'static [Purpose]) -> Self {
        Self { serves, actions: VecDeque::new(), waker: None }
    }

    /// Opens a stream on exactly this connection.
    pub(super) fn open(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        purpose: Purpose,
        done: oneshot::Sender<Result<Stream, String>>,
    ) {
        self.notify(peer, connection, In::Open(purpose, Reply(Some(done))));
    }

    /// Keeps this connection alive, or lets it idle out.
    pub(super) fn keep(&mut self, peer: PeerId, connection: ConnectionId, keep: bool) {
        self.notify(peer, connection, In::Keep(keep));
    }

    fn notify(&mut self, peer_id: PeerId, connection: ConnectionId, event: In) {
        self.actions.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(connection), event });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Inbound;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.serves))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.serves))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, connection: ConnectionId, (purpose, stream): THandlerOutEvent<Self>) {
        self.actions.push_back(ToSwarm::GenerateEvent(Inbound { connection, purpose, stream: stream.0 }));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(action) = self.actions.pop_front() {
            return Poll::Ready(action);
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Who asked for a stream. Answers even when the connection dies with the request in it.
pub(super) struct Reply(Option<oneshot::Sender<Result<Stream, String>>>);

impl Reply {
    fn send(mut self, answer: Result<Stream, String>) {
        if let Some(done) = self.0.take() {
            let _ = done.send(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            let _ = done.send(Err(GONE.to_owned()));
        }
    }
}

/// From the behaviour to one connection's handler.
pub(super) enum In {
    Open(Purpose, Reply),
    Keep(bool),
}

impl fmt::Debug for In {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(purpose, _) => write!(f, "Open({purpose:?})"),
            Self::Keep(keep) => write!(f, "Keep({keep})"),
        }
    }
}

/// An inbound stream on its way to the behaviour.
pub(super) struct Opened(Stream);

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

/// One connection's handler.
pub(super) struct Handler {
    serves: &'static [Purpose],
    keep: bool,
    wanted: VecDeque<(Purpose, Reply)>,
    inbound: VecDeque<(Purpose, Opened)>,
    permits: Arc<Semaphore>,
    waker: Option<Waker>,
}

impl Handler {
    fn new(serves: &'static [Purpose]) -> Self {
        let permits = Arc::new(Semaphore::new(MAX_INBOUND));
        Self { serves, keep: false, wanted: VecDeque::new(), inbound: VecDeque::new(), permits, waker: None }
    }

    fn accept(&mut self, (purpose, stream): (Purpose, libp2p::Stream)) {
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => self.inbound.push_back((purpose, Opened(Box::pin(Permitted { stream, _permit: permit })))),
            Err(_) => tracing::debug!("a peer has too many streams open; this one is refused"),
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = In;
    type ToBehaviour = (Purpose, Opened);
    type InboundProtocol = Purposes;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(Purposes(self.serves), ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.keep
    }

    fn on_behaviour_event(&mut self, event: In) {
        match event {
            In::Keep(keep) => self.keep = keep,
            In::Open(_, reply) if self.wanted.len() >= MAX_WAITING => {
                reply.send(Err("too many streams are being opened on this path; wait for some".to_owned()));
            }
            In::Open(purpose, reply) => self.wanted.push_back((purpose, reply)),
        }
        self.wake();
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, Self::InboundOpenInfo, Self::OutboundOpenInfo>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => self.accept(protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                info.send(Ok(Box::pin(protocol)))
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => info.send(Err(refusal(&error))),
            _ => {}
        }
        self.wake();
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        if let Some(inbound) = self.inbound.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(inbound));
        }
        if let Some((purpose, reply)) = self.wanted.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol(purpose)), reply);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

fn refusal(error: &StreamUpgradeError<Infallible>) -> String {
    match error {
        StreamUpgradeError::NegotiationFailed => "the other end does not speak rs; check the address".to_owned(),
        StreamUpgradeError::Timeout => "the other end does not answer on this path; try another one".to_owned(),
        StreamUpgradeError::Io(_) => GONE.to_owned(),
        StreamUpgradeError::Apply(never) => match *never {},
    }
}

/// Takes inbound streams for these purposes.
pub(super) struct Purposes(&'static [Purpose]);

impl UpgradeInfo for Purposes {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.iter().copied().map(protocol).collect()
    }
}

impl InboundUpgrade<libp2p::Stream> for Purposes {
    type Output = (Purpose, libp2p::Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: libp2p::Stream, chosen: StreamProtocol) -> Self::Future {
        let purpose = self.0.iter().copied().find(|purpose| protocol(*purpose) == chosen);
        ready(Ok((purpose.expect("only what was offered is chosen"), stream)))
    }
}

/// A stream that counts as open for as long as it lives.
struct Permitted {
    stream: libp2p::Stream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Permitted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Permitted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}
