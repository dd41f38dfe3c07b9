//! What may go wrong, in words.

use std::io;

/// An error of the transport or of one connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The keypair does not make a certificate.
    #[error("no TLS certificate can be made from this key: {0}")]
    Tls(String),
    /// No socket, or none at that address.
    #[error("the UDP socket cannot be used: {0}")]
    Socket(#[from] io::Error),
    /// Not even tried.
    #[error("cannot dial: {0}")]
    Dial(#[from] quinn::ConnectError),
    /// The connection did not come to be, or ended.
    #[error("the connection failed: {0}")]
    Connection(#[from] quinn::ConnectionError),
    /// No answer, or not all of it.
    #[error("no answer within {} s", super::settings::HANDSHAKE.as_secs())]
    HandshakeTimedOut,
    /// TLS let it pass, but we cannot read who it is.
    #[error("the peer shows no libp2p certificate")]
    NoCertificate,
    /// A future was made outside of tokio.
    #[error("QUIC needs a tokio runtime")]
    NoRuntime,
}
