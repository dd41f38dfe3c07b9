//! What is measured: each system gives one stream in each direction of asking.
//!
//! A new one is a variant here, with its name, how it is dialled and how it is answered. For a transport of libp2p's kind that is one
//! more arm in [`System::transport`] and in [`System::address`].

use std::{fs, future::poll_fn, net::Ipv4Addr, time::Duration};

use anyhow::{Context, anyhow};
use futures::{AsyncRead, AsyncWrite, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Transport,
    core::{
        Endpoint,
        muxing::{StreamMuxerBox, StreamMuxerExt},
        transport::{Boxed, DialOpts, ListenerId, PortUse, TransportEvent},
        upgrade::Version,
    },
    identity, noise, quic, tcp, yamux,
};
use rs::net::transport::{self, Patience};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(crate) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A way to carry a stream of bytes.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum System {
    /// QUIC of libp2p as it comes
    Quic,
    /// QUIC of rs
    Ours,
    /// TCP, Noise and yamux of libp2p
    Tcp,
    /// TCP of the kernel without encryption, with the machine's congestion control: the ceiling
    Kernel,
    /// The same with CUBIC, which most machines use
    Cubic,
}

impl System {
    pub(crate) const ALL: [Self; 5] = [Self::Quic, Self::Ours, Self::Tcp, Self::Kernel, Self::Cubic];

    /// For the command line.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Ours => "ours",
            Self::Tcp => "tcp",
            Self::Kernel => "kernel",
            Self::Cubic => "cubic",
        }
    }

    /// For a table.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Quic => "libp2p QUIC (stock)".into(),
            Self::Ours => "rs QUIC".into(),
            Self::Tcp => format!("libp2p TCP + Noise + yamux ({})", congestion_control()),
            Self::Kernel => format!("kernel TCP, bare ({})", congestion_control()),
            Self::Cubic => "kernel TCP, bare (cubic)".into(),
        }
    }

    /// Whether this kernel can do it.
    pub(crate) fn available(self) -> bool {
        let kernel = || fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap_or_default();
        self != Self::Cubic || kernel().split_whitespace().any(|name| name == "cubic")
    }

    /// Whether it has a congestion control of its own, whose fairness is a question.
    pub(crate) fn is_quic(self) -> bool {
        matches!(self, Self::Quic | Self::Ours)
    }

    /// A stream to write to.
    pub(crate) async fn dial(self, to: Ipv4Addr, port: u16) -> anyhow::Result<Writer> {
        let Some(mut transport) = self.transport()? else {
            let socket = TcpSocket::new_v4()?;
            self.prepare(&socket)?;
            return Ok(Box::new(socket.connect((to, port).into()).await?.compat()));
        };
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dialled = transport.dial(self.address(to, port), options).map_err(|error| anyhow!("{error}"))?;
        let events = tokio::spawn(async move { while transport.next().await.is_some() {} });
        let (_, mut muxer) = dialled.await?;
        let stream = poll_fn(|context| {
            // The muxer moves its connection only while it is polled.
            if let std::task::Poll::Ready(Err(error)) = muxer.poll_unpin(context) {
                return std::task::Poll::Ready(Err(error));
            }
            muxer.poll_outbound_unpin(context)
        })
        .await?;
        drive(muxer);
        drop(events);
        Ok(Box::new(stream))
    }

    /// Listens, calls `ready`, and gives the first stream that comes.
    pub(crate) async fn answer(self, at: Ipv4Addr, port: u16, ready: impl FnOnce()) -> anyhow::Result<Reader> {
        let Some(mut transport) = self.transport()? else {
            let listener = TcpListener::bind((at, port)).await?;
            ready();
            let (stream, _): (TcpStream, _) = listener.accept().await?;
            return Ok(Box::new(stream.compat()));
        };
        transport.listen_on(ListenerId::next(), self.address(at, port)).map_err(|error| anyhow!("{error}"))?;
        let mut ready = Some(ready);
        let upgrade = loop {
            match transport.next().await.context("the transport ended")? {
                TransportEvent::NewAddress { .. } => ready.take().map(|ready| ready()).unwrap_or_default(),
                TransportEvent::Incoming { upgrade, .. } => break upgrade,
                TransportEvent::ListenerError { error, .. } => return Err(error.into()),
                _ => {}
            }
        };
        tokio::spawn(async move { while transport.next().await.is_some() {} });
        let (_, mut muxer) = upgrade.await?;
        let stream = poll_fn(|context| muxer.poll_inbound_unpin(context)).await?;
        drive(muxer);
        Ok(Box::new(stream))
    }

    fn prepare(self, socket: &TcpSocket) -> anyhow::Result<()> {
        if self == Self::Cubic {
            rustix::net::sockopt::set_tcp_congestion(socket, "cubic").context("this kernel has no CUBIC")?;
        }
        Ok(())
    }

    /// `None` for TCP of the kernel.
    fn transport(self) -> anyhow::Result<Option<Boxed<(PeerId, StreamMuxerBox)>>> {
        let keys = identity::Keypair::generate_ed25519();
        Ok(match self {
            Self::Quic => {
                let transport = quic::tokio::Transport::new(quic::Config::new(&keys));
                Some(transport.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))).boxed())
            }
            Self::Ours => {
                let patience = Patience { idle: Duration::from_secs(10), keep_alive: Duration::from_secs(1) };
                Some(transport::stack(&keys, patience, &transport::Sockets::default())?)
            }
            Self::Tcp => {
                let transport = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true)).upgrade(Version::V1Lazy);
                Some(transport.authenticate(noise::Config::new(&keys)?).multiplex(yamux::Config::default()).boxed())
            }
            Self::Kernel | Self::Cubic => None,
        })
    }

    fn address(self, ip: Ipv4Addr, port: u16) -> Multiaddr {
        use libp2p::multiaddr::Protocol;
        let address = Multiaddr::from(ip);
        if self.is_quic() { address.with(Protocol::Udp(port)).with(Protocol::QuicV1) } else { address.with(Protocol::Tcp(port)) }
    }
}

/// Keeps a connection moving.
fn drive(mut muxer: StreamMuxerBox) {
    tokio::spawn(async move { while poll_fn(|context| muxer.poll_unpin(context)).await.is_ok() {} });
}

/// What the kernel's TCP uses where nobody chooses.
fn congestion_control() -> String {
    let name = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    name.trim().to_owned()
}
