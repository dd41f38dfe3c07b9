//! Passwords and what a host keeps of them.

use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// A password as typed, brought to its one form; wiped from memory when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// The password is not good enough.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a permanent password needs at least 12 characters; this one has {0}")]
pub struct TooShort(pub usize);

impl Password {
    /// A one-time password: 8 symbols of Crockford base32 in lower case, 40 bits, shown `k7m4-q2xp`.
    pub fn one_time<R: RngCore + CryptoRng>(_rng: &mut R) -> Self {
        unimplemented!()
    }

    /// A permanent password: 12 symbols, 60 bits, shown `k7m4-q2xp-9rtb`.
    pub fn permanent<R: RngCore + CryptoRng>(_rng: &mut R) -> Self {
        unimplemented!()
    }

    /// A permanent password of the user's own.
    ///
    /// # Errors
    /// [`TooShort`].
    pub fn own(_text: &str) -> Result<Self, TooShort> {
        unimplemented!()
    }

    /// What somebody typed to connect.
    #[must_use]
    pub fn typed(_text: &str) -> Self {
        unimplemented!()
    }

    /// As shown to the host's user.
    #[must_use]
    pub fn show(&self) -> &str {
        &self.0
    }
}

/// What a host keeps to check a password: the OPAQUE server setup and registration record. Tells nothing without a guess at Argon2 cost.
#[derive(Clone)]
pub struct Verifier;

/// The stored record is damaged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the password record is damaged")]
pub struct DamagedVerifier;

impl Verifier {
    /// Registers `password` for the host with this key. Takes 0.1–0.4 s: Argon2id, 64 MiB.
    pub fn new<R: RngCore + CryptoRng>(_password: &Password, _host: &super::id::PeerKey, _rng: &mut R) -> Self {
        unimplemented!()
    }

    /// For the file `password.opaque`.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        unimplemented!()
    }

    /// From the file.
    ///
    /// # Errors
    /// [`DamagedVerifier`].
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self, DamagedVerifier> {
        unimplemented!()
    }
}
