//! What carries connections: QUIC, TCP, and WebSocket for networks that let only the web through.
//!
//! - QUIC is `/udp/…/quic-v1`, by a transport of our own ([`quic`]). TCP and WebSocket carry noise and yamux.
//! - WebSocket is `/tcp/…/ws`; `/tcp/…/tls/ws` (or `/wss`) to a relay behind a reverse proxy that speaks TLS, and whose certificate the
//!   web's authorities or this machine vouch for ([`trust`]). Its names are looked up
//!   by itself, or by an HTTP proxy if the environment names one ([`proxy`]): other transports would lose the name that TLS checks.
//! - Names (`/dns…`) are looked up for the others here.
//! - A connection that is not made within [`HANDSHAKE`] is given up.

mod proxy;
mod quic;

use std::{io, time::Duration};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId, Transport as _,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, timeout::TransportTimeout},
        upgrade::Version,
    },
    dns, identity, noise, relay, tcp, websocket, yamux,
};

pub use self::quic::Sockets;

/// Until a connection is encrypted and its peer's key is proven.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// When a silent QUIC connection is given up, and how often a quiet one speaks.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Silence after which it is given up.
    pub idle: Duration,
    /// Silence after which it speaks.
    pub keep_alive: Duration,
}

/// Every transport, without circuits. QUIC's sockets are known at `sockets`.
///
/// # Errors
/// The machine's resolver settings cannot be read, or the key cannot sign a certificate.
pub fn stack(
    keypair: &identity::Keypair,
    patience: Patience,
    sockets: &Sockets,
) -> anyhow::Result<Boxed<(PeerId, StreamMuxerBox)>> {
    let config = quic::Config::new(keypair, patience.idle, patience.keep_alive);
    let quic = quic::Transport::new(quic::Config { sockets: sockets.clone(), ..config })?;
    let quic = quic.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let named = resolved(quic.or_transport(encrypted(tcp(), keypair)?).map(|either, _| either.into_inner()))?;
    let web = proxy::Proxied::from_environment().or_transport(resolved(tcp())?);
    let mut web = websocket::Config::new(web);
    web.set_tls_config(trust());
    let web = encrypted(web, keypair)?;
    Ok(TransportTimeout::new(web.or_transport(named).map(|either, _| either.into_inner()), HANDSHAKE).boxed())
}

/// Circuits through relays before everything else, and the behaviour that makes them.
pub(super) fn with_circuits(
    keypair: &identity::Keypair,
    stack: Boxed<(PeerId, StreamMuxerBox)>,
) -> anyhow::Result<(Boxed<(PeerId, StreamMuxerBox)>, relay::client::Behaviour)> {
    let (circuits, behaviour) = relay::client::new(keypair.public().to_peer_id());
    let circuits = TransportTimeout::new(encrypted(circuits, keypair)?, HANDSHAKE);
    Ok((circuits.or_transport(stack).map(|either, _| either.into_inner()).boxed(), behaviour))
}

/// Whom TLS believes: the authorities of the web, and those of this machine (or of `SSL_CERT_FILE`): a company that looks into its traffic
/// has one of its own. Who the relay and the peer are is proven by noise inside.
fn trust() -> websocket::tls::Config {
    let mut config = websocket::tls::Config::builder();
    let native = rustls_native_certs::load_native_certs();
    native.errors.iter().for_each(|error| tracing::debug!(%error, "certificates of this machine"));
    for certificate in native.certs {
        // One that cannot be read vouches for nobody.
        let _ = config.add_trust(&websocket::tls::Certificate::new(certificate.to_vec()));
    }
    config.finish()
}

fn tcp() -> tcp::tokio::Transport {
    tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
}

fn resolved<T>(transport: T) -> io::Result<dns::tokio::Transport<T>> {
    dns::tokio::Transport::system(transport)
}

/// Noise proves the peer's key, yamux makes many streams of one.
fn encrypted<T>(transport: T, keypair: &identity::Keypair) -> anyhow::Result<Boxed<(PeerId, StreamMuxerBox)>>
where
    T: libp2p::Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let secured = transport.upgrade(Version::V1Lazy).authenticate(noise::Config::new(keypair)?);
    Ok(secured.multiplex(yamux::Config::default()).boxed())
}
