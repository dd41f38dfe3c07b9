//! Identities: the key, and the ID that people read out.

use std::{fmt, str::FromStr};

/// A peer's Ed25519 public key, as 32 bytes: what its libp2p peer ID and its `rs` ID are made from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub [u8; 32]);

/// The first eight hex digits: enough to tell peers apart in a log.
impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// The ID: 15 digits and a check digit, shown `dddd-dddd-dddd-dddd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(u64);

/// Not an ID, and what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    /// Other than 16 digits.
    #[error("an ID has 16 digits, like 9339-2522-7420-3124; this one has {0}")]
    Length(usize),
    /// Something else than digits, spaces and hyphens.
    #[error("an ID has only digits, like 9339-2522-7420-3124; \"{0}\" is not one")]
    Character(char),
    /// A typing error.
    #[error("this ID has a typing error (its check digit is wrong); compare it with the one on the host's screen")]
    Check,
}

impl HostId {
    /// The ID of a key. Takes about 20 ms: it is stretched with Argon2id on purpose.
    #[must_use]
    pub fn of(_key: &PeerKey) -> Self {
        unimplemented!()
    }

    /// The 16 digits without hyphens.
    #[must_use]
    pub fn digits(self) -> String {
        unimplemented!()
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
    }
}

impl FromStr for HostId {
    type Err = IdError;

    fn from_str(_text: &str) -> Result<Self, IdError> {
        unimplemented!()
    }
}
