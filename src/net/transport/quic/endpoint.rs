//! Sockets and `quinn` endpoints: how they are made.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use hkdf::hmac::{Hmac, Mac};
use libp2p::identity::Keypair;
use quinn::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig, MtuDiscoveryConfig, VarInt,
    congestion::{BbrConfig, CubicConfig},
    crypto::{
        CryptoError, HmacKey,
        rustls::{QuicClientConfig, QuicServerConfig},
    },
    rustls::{NoKeyLog, client::Resumption},
};
use sha2::{Digest, Sha256};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{
    Config, Congestion, Error,
    settings::{
        CONNECTION_ID, CONNECTION_WINDOW, EARLY_BYTES, EARLY_BYTES_TOTAL, FIRST_RTT, QUEUED_HANDSHAKES, RESETS, SEND_WINDOW,
        STREAM_WINDOW, STREAMS,
    },
};

/// Makes endpoints that are all alike.
pub(super) struct Endpoints {
    keypair: Keypair,
    server: quinn::ServerConfig,
    client: quinn::ClientConfig,
    buffer: usize,
}

impl Endpoints {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let transport = Arc::new(transport(config));
        Ok(Self {
            keypair: config.keypair.clone(),
            server: server(&config.keypair, Arc::clone(&transport))?,
            client: client(&config.keypair, transport)?,
            buffer: config.buffer,
        })
    }

    /// Accepts connections at `local`, and dials. With its socket, to send from.
    pub(super) fn listening(&self, local: SocketAddr) -> Result<(quinn::Endpoint, Arc<UdpSocket>), Error> {
        let socket = bind(local)?;
        let shared = Arc::new(socket.try_clone()?);
        Ok((self.endpoint(socket, Some(self.server.clone()))?, shared))
    }

    /// Dials addresses of the family of `remote`, from a port of the system's choice.
    pub(super) fn dialling(&self, remote: SocketAddr) -> Result<quinn::Endpoint, Error> {
        let any = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        self.endpoint(bind(SocketAddr::new(any, 0))?, None)
    }

    /// Dials from this socket.
    pub(super) fn dialling_from(&self, socket: UdpSocket) -> Result<quinn::Endpoint, Error> {
        self.endpoint(socket, None)
    }

    /// What a dial is made with.
    pub(super) fn client(&self) -> quinn::ClientConfig {
        self.client.clone()
    }

    fn endpoint(&self, socket: UdpSocket, server: Option<quinn::ServerConfig>) -> Result<quinn::Endpoint, Error> {
        let runtime = quinn::default_runtime().ok_or(Error::NoRuntime)?;
        widen(SockRef::from(&socket), self.buffer);
        let mut config = EndpointConfig::new(Arc::new(self.reset_key(socket.local_addr()?)?));
        config.supported_versions(vec![1]).min_reset_interval(RESETS).cid_generator(|| Box::new(RandomIds));
        Ok(quinn::Endpoint::new(config, server, socket, runtime)?)
    }

    /// What tells a peer that we forgot its connection (a stateless reset, RFC 9000, §10.3): the same after a restart, so a connection to
    /// a relay that was killed ends with the first packet the new one gets, not after [`Config::idle`]. Another one for each socket: a
    /// second socket would give away the resets of the first to whoever sends it the first one's connection IDs (§21.11).
    fn reset_key(&self, local: SocketAddr) -> Result<ResetKey, Error> {
        let secret = self.keypair.derive_secret(format!("rs-quic-reset-v1 {local}").as_bytes());
        let secret = secret.ok_or_else(|| Error::Tls("the key gives no secret".to_owned()))?;
        Ok(ResetKey(Hmac::new_from_slice(&secret).map_err(tls_error)?))
    }
}

/// Connection IDs without a mark of ours. `quinn`'s own carry one that changes with each start: it would not answer those of a former life.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&rand::random::<[u8; CONNECTION_ID]>())
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// HMAC-SHA256, as `quinn` takes it.
struct ResetKey(Hmac<Sha256>);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(&self.0.clone().chain_update(data).finalize().into_bytes());
    }

    fn signature_len(&self) -> usize {
        Sha256::output_size()
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        self.0.clone().chain_update(data).verify_slice(signature).map_err(|_| CryptoError)
    }
}

fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    if local.is_ipv6() {
        // So that the same port is free for IPv4.
        socket.set_only_v6(true)?;
    }
    socket.bind(&local.into())?;
    Ok(socket.into())
}

/// Best effort: Linux gives what `net.core.rmem_max` and `wmem_max` allow and says nothing, others refuse. It works with less.
fn widen(socket: SockRef<'_>, buffer: usize) {
    if let Err(error) = socket.set_recv_buffer_size(buffer).and(socket.set_send_buffer_size(buffer)) {
        tracing::debug!(%error, "the socket's buffers stay as they are");
    }
    tracing::debug!(receive = socket.recv_buffer_size().ok(), send = socket.send_buffer_size().ok(), "UDP socket buffers");
}

fn transport(config: &Config) -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(STREAMS.into())
        .max_concurrent_uni_streams(0_u32.into())
        .datagram_receive_buffer_size(None)
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(SEND_WINDOW)
        .max_idle_timeout(Some(milliseconds(config.idle).into()))
        .initial_rtt(FIRST_RTT)
        .keep_alive_interval(Some(config.keep_alive))
        .mtu_discovery_config(Some(MtuDiscoveryConfig::default()))
        // The spin bit shows the round trip time to everyone on the way.
        .allow_spin(false);
    match config.congestion {
        Congestion::Bbr => transport.congestion_controller_factory(Arc::new(BbrConfig::default())),
        Congestion::Cubic => transport.congestion_controller_factory(Arc::new(CubicConfig::default())),
    };
    transport
}

/// A duration too long for QUIC is as good as the longest.
fn milliseconds(duration: Duration) -> VarInt {
    VarInt::from_u32(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX))
}

fn server(keypair: &Keypair, transport: Arc<quinn::TransportConfig>) -> Result<quinn::ServerConfig, Error> {
    let mut tls = libp2p_tls::make_server_config(keypair).map_err(tls_error)?;
    tls.key_log = Arc::new(NoKeyLog {});
    // See `client`: nobody comes back with a ticket.
    tls.send_tls13_tickets = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(tls_error)?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(transport)
        .migration(true)
        .max_incoming(QUEUED_HANDSHAKES)
        .incoming_buffer_size(EARLY_BYTES)
        .incoming_buffer_size_total(EARLY_BYTES_TOTAL);
    Ok(server)
}

fn client(keypair: &Keypair, transport: Arc<quinn::TransportConfig>) -> Result<quinn::ClientConfig, Error> {
    // Any peer: whom we expect is the swarm's to check.
    let mut tls = libp2p_tls::make_client_config(keypair, None).map_err(tls_error)?;
    tls.key_log = Arc::new(NoKeyLog {});
    // Tickets are kept by the server's name, and all our servers have the same: one peer's ticket would be shown to another.
    tls.resumption = Resumption::disabled();
    let crypto = QuicClientConfig::try_from(tls).map_err(tls_error)?;
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(transport);
    Ok(client)
}

fn tls_error(error: impl ToString) -> Error {
    Error::Tls(error.to_string())
}
