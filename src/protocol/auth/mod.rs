//! The authentication handshake, sans-IO; ends in [`Authenticated`], the only thing that lanes can be opened with.
//!
//! C is the viewer ([`Initiator`]), H the host ([`Responder`]). Each line is one message, at most [`MAX_MESSAGE`] bytes:
//!
//! ```text
//! C→H  Noise_XX_25519_ChaChaPoly_BLAKE2s #1    empty payload; prologue "rs/1" ‖ 16 ID digits
//! H→C  #2  {version, ed25519 key, signature over "rs-noise-static-v1:" ‖ x25519 static}
//!          C: the signature holds, the key is the expected one (if any) and hashes to the ID; otherwise C stops here
//! C→H  #3  {version, ed25519 key, signature, name, wants}                 h = handshake hash
//! H→C  Open | AskOnly | Busy{milliseconds}
//! C→H  KE1   H→C  KE2   C→H  KE3               only after Open: OPAQUE with context "rs-auth-1" ‖ h
//! H→C  Waiting{code}, then Granted{permissions, session, key material if AskOnly}
//!          Denied{reason} and Busy may come instead of anything after #3
//! ```
//!
//! Rules:
//! - The x25519 static key is fresh in each handshake. Nothing of the viewer, not even its key, is sent before the host proved its own.
//! - The password proof is bound to this channel by h, so it cannot be carried over to another one by somebody in the middle.
//! - From KE2 on a viewer can tell whether its guess was right, so that is where a guess is counted. The host does no Argon2id.
//! - `session secret = HKDF-SHA256(ikm, salt = h, info "rs-session-v1")`; ikm is OPAQUE's session key, or for `AskOnly` 32 random
//!   bytes from the host.
//! - Deviation from OPAQUE's usual identifiers: see [`super::password`]. The client's key is bound through h.
//! - The code is six digits that the host draws once the viewer is proved. Both people see it, so the host's user can tell whether the
//!   one who asks is the one on the telephone. It proves nothing else: the keys and the password do.
//! - Any error ends the handshake; every later call is out of turn. Timeouts are the caller's.

mod channel;
mod initiator;
mod noise;
mod responder;
#[cfg(test)]
pub(in crate::protocol) mod testing;
#[cfg(test)]
mod tests;
mod wire;

pub use initiator::{Initiator, InitiatorStep};
pub(super) use noise::{Role, builder, read, write};
pub use responder::{Gate, Responder, ResponderStep};
pub use wire::{DenyReason, MAX_NAME};

use std::{fmt, time::Duration};

use ed25519_dalek::SigningKey;
use hkdf::Hkdf;
use rand::{CryptoRng, Rng, RngCore};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    id::{HostId, PeerKey},
    permission::Permissions,
};

/// The longest handshake message, in bytes.
pub const MAX_MESSAGE: usize = 4096;

/// A session's name: 16 random bytes chosen by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

/// The code that both people see while the host's user is asked: shown as `123 456`. Four bytes on the wire: its length tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code(#[serde(with = "postcard::fixint::be")] u32);

impl Code {
    /// One past the highest.
    const END: u32 = 1_000_000;

    fn draw<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        Self(rng.gen_range(0..Self::END))
    }

    fn is_valid(self) -> bool {
        self.0 < Self::END
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// The session secret.
type Secret = Zeroizing<[u8; 32]>;

/// A finished handshake: who, what they may do, and the secret of the session (wiped when dropped).
pub struct Authenticated {
    /// The session.
    pub session: SessionId,
    /// The other side's key.
    pub peer: PeerKey,
    /// The other side's display name (the viewer's at the host; empty at the viewer). Control characters are gone.
    pub name: String,
    /// What the viewer may do at the start.
    pub permissions: Permissions,
    secret: Secret,
}

impl Authenticated {
    /// The pre-shared key of the session's lanes.
    pub(super) fn lane_key(&self) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.secret[..]).expand(b"rs-lane-v1", &mut key[..]).expect("32 bytes are within HKDF's limit");
        key
    }
}

/// Why a handshake ended.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuthError {
    /// The host's key does not hash to the ID.
    #[error("another machine answered than the one with this ID; check the ID and try again")]
    WrongHost,
    /// The host's key is not the pinned one or the link's.
    #[error(
        "the host's identity changed since the last visit; ask its user whether rs was set up anew there, then forget the old key in known_hosts"
    )]
    IdentityChanged,
    /// The password is wrong (or the host is not the one you think).
    #[error("wrong password; ask the host's user to read it out again")]
    WrongPassword,
    /// The host demands patience.
    #[error("too many wrong passwords were tried at this host; try again in {} seconds", .0.as_secs_f64().ceil().max(1.0))]
    Busy(Duration),
    /// The host said no.
    #[error("{0}")]
    Denied(DenyReason),
    /// The other side broke the protocol.
    #[error("the other side does not speak this version of rs ({0}); use the same version on both sides")]
    Protocol(&'static str),
}

/// What a viewer brings.
#[derive(Clone)]
pub struct Offer {
    /// The viewer's identity.
    pub identity: SigningKey,
    /// Whom it wants.
    pub host: HostId,
    /// The pinned key or the link's, where there is one.
    pub expected: Option<PeerKey>,
    /// How it calls itself.
    pub name: String,
    /// What it asks for.
    pub wants: Permissions,
}
