//! The encrypted channel after #3, and what is bound to it.

use hkdf::Hkdf;
use serde::Serialize;
use sha2::Sha256;
use snow::{HandshakeState, TransportState};
use zeroize::Zeroizing;

use super::{AuthError, Secret};
use crate::protocol::id::HostId;

/// The pattern of the channel.
pub(super) const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";
const TAG: usize = 16;
const BROKEN: AuthError = AuthError::Protocol("a message that was tampered with");
const CONTEXT: &[u8; 9] = b"rs-auth-1";

/// What both sides must agree on before they begin.
pub(super) fn prologue(id: HostId) -> Vec<u8> {
    [b"rs/1", id.digits().as_bytes()].concat()
}

/// A Noise channel with its handshake hash.
pub(super) struct Channel {
    noise: TransportState,
    hash: [u8; 32],
}

impl Channel {
    pub(super) fn new(noise: HandshakeState) -> Result<Self, AuthError> {
        let hash = noise.get_handshake_hash().try_into().map_err(|_| BROKEN)?;
        Ok(Self { noise: noise.into_transport_mode().map_err(|_| BROKEN)?, hash })
    }

    pub(super) fn seal<T: Serialize>(&mut self, says: &T) -> Result<Vec<u8>, AuthError> {
        let plain = Zeroizing::new(postcard::to_stdvec(says).map_err(|_| AuthError::Protocol("a message that cannot be written"))?);
        let mut message = vec![0; plain.len() + TAG];
        self.noise.write_message(&plain, &mut message).map_err(|_| BROKEN)?;
        Ok(message)
    }

    pub(super) fn open(&mut self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        let mut plain = Zeroizing::new(vec![0; message.len()]);
        let length = self.noise.read_message(message, &mut plain).map_err(|_| BROKEN)?;
        plain.truncate(length);
        Ok(plain)
    }

    /// OPAQUE's context: the password proof counts on this channel only.
    pub(super) fn context(&self) -> [u8; 41] {
        let mut context = [0; 41];
        context[..CONTEXT.len()].copy_from_slice(CONTEXT);
        context[CONTEXT.len()..].copy_from_slice(&self.hash);
        context
    }

    pub(super) fn session_secret(&self, material: &[u8]) -> Secret {
        let mut secret = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(&self.hash), material)
            .expand(b"rs-session-v1", &mut secret[..])
            .expect("32 bytes are within HKDF's limit");
        secret
    }
}
