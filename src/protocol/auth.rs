//! The authentication handshake, sans-IO; ends in [`Authenticated`], the only thing that lanes can be opened with.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use rand::{CryptoRng, RngCore};

use super::{
    id::{HostId, PeerKey},
    password::{Password, Verifier},
    permission::Permissions,
};

/// The longest handshake message, in bytes.
pub const MAX_MESSAGE: usize = 4096;

/// A session's name: 16 random bytes chosen by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

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
}

/// Why a handshake ended.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuthError {
    /// The host's key does not hash to the ID.
    #[error("another machine answered than the one with this ID; check the ID and try again")]
    WrongHost,
    /// The host's key is not the pinned one or the link's.
    #[error("the host's identity changed since the last visit")]
    IdentityChanged,
    /// The password is wrong (or the host is not the one you think).
    #[error("wrong password; ask the host's user to read it out again")]
    WrongPassword,
    /// The host demands patience.
    #[error("too many wrong passwords were tried at this host; try again in {} seconds", .0.as_secs().max(1))]
    Busy(Duration),
    /// The host's user said no.
    #[error("the host's user refused")]
    Denied(DenyReason),
    /// The other side broke the protocol.
    #[error("the other side does not speak this version of rs ({0})")]
    Protocol(&'static str),
}

/// Why a host says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DenyReason {
    /// The user pressed no.
    User,
    /// Nobody answered in time.
    Timeout,
    /// Too many sessions.
    Full,
    /// The password was changed meanwhile.
    PasswordRotated,
}

/// What a viewer brings.
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

/// The viewer's side.
pub struct Initiator;

/// What the viewer does next.
pub enum InitiatorStep {
    /// Send this.
    Send(Vec<u8>),
    /// Call [`Initiator::password`].
    NeedPassword,
    /// The host's user is being asked; wait.
    Waiting,
    /// Done.
    Granted(Box<Authenticated>),
}

impl Initiator {
    /// Starts: the state and the first message.
    pub fn new<R: RngCore + CryptoRng>(_offer: Offer, _rng: &mut R) -> (Self, Vec<u8>) {
        unimplemented!()
    }

    /// Takes a message. Slow when it is KE2 (Argon2id): call it off the async threads.
    ///
    /// # Errors
    /// The handshake is over; close the stream.
    pub fn receive<R: RngCore + CryptoRng>(&mut self, _message: &[u8], _rng: &mut R) -> Result<InitiatorStep, AuthError> {
        unimplemented!()
    }

    /// Answers [`InitiatorStep::NeedPassword`] with the message to send.
    ///
    /// # Errors
    /// Not asked for.
    pub fn password<R: RngCore + CryptoRng>(&mut self, _password: &Password, _rng: &mut R) -> Result<Vec<u8>, AuthError> {
        unimplemented!()
    }

    /// The host's key, once it proved itself.
    #[must_use]
    pub fn host_key(&self) -> Option<PeerKey> {
        unimplemented!()
    }
}

/// How a host asks for proof.
pub enum Gate<'a> {
    /// Without a password: the user decides alone.
    AskOnly,
    /// With this one.
    Password(&'a Verifier),
}

/// The host's side.
pub struct Responder;

/// What the host does next.
pub enum ResponderStep {
    /// Send this.
    Send(Vec<u8>),
    /// The viewer named itself: call [`Responder::open`] or [`Responder::busy`] and send the answer.
    Identified {
        /// Its key.
        key: PeerKey,
        /// Its name, cleaned.
        name: String,
        /// What it asks for.
        wants: Permissions,
    },
    /// Count one guess ([`super::throttle::Throttle::guessed`]), then send this.
    Guess(Vec<u8>),
    /// The password is proved, or none is asked for: send [`Responder::waiting`], ask the user, then grant or deny.
    Proved,
}

impl Responder {
    /// Waits for a viewer's first message.
    #[must_use]
    pub fn new(_identity: &SigningKey, _id: HostId) -> Self {
        unimplemented!()
    }

    /// Takes a message.
    ///
    /// # Errors
    /// The handshake is over; close the stream.
    pub fn receive<R: RngCore + CryptoRng>(&mut self, _message: &[u8], _rng: &mut R) -> Result<ResponderStep, AuthError> {
        unimplemented!()
    }

    /// Opens the gate. With [`Gate::AskOnly`] the viewer counts as proved: go on as after [`ResponderStep::Proved`].
    ///
    /// # Errors
    /// Out of turn.
    pub fn open<R: RngCore + CryptoRng>(&mut self, _gate: &Gate<'_>, _rng: &mut R) -> Result<Vec<u8>, AuthError> {
        unimplemented!()
    }

    /// Keeps the gate shut; close the stream after sending this.
    ///
    /// # Errors
    /// Out of turn.
    pub fn busy(&mut self, _retry_after: Duration) -> Result<Vec<u8>, AuthError> {
        unimplemented!()
    }

    /// The user is being asked.
    ///
    /// # Errors
    /// Out of turn.
    pub fn waiting(&mut self) -> Result<Vec<u8>, AuthError> {
        unimplemented!()
    }

    /// The user said yes: the message to send and the session.
    ///
    /// # Errors
    /// Out of turn.
    pub fn grant<R: RngCore + CryptoRng>(
        self,
        _permissions: Permissions,
        _rng: &mut R,
    ) -> Result<(Vec<u8>, Authenticated), AuthError> {
        unimplemented!()
    }

    /// The user said no; close the stream after sending this.
    ///
    /// # Errors
    /// Out of turn.
    pub fn deny(self, _reason: DenyReason) -> Result<Vec<u8>, AuthError> {
        unimplemented!()
    }
}
