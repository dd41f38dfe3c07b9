//! The viewer's side of the handshake.

use std::{mem, time::Duration};

use rand::{CryptoRng, RngCore};
use snow::HandshakeState;

use super::{
    AuthError, Authenticated, Code, MAX_MESSAGE, Offer, SessionId,
    channel::{Channel, PATTERN, prologue},
    noise::{StaticKey, builder, read, write},
    wire::{HostSays, Identity, Introduction, ViewerSays, clean_name, decode, decode_versioned, sign},
};
use crate::protocol::{
    id::{HostId, PeerKey},
    password::{ClientProof, Password, ProofError, SessionKey},
};

/// The viewer's side.
///
/// Order of calls: [`new`](Self::new), then [`receive`](Self::receive) for each message until [`InitiatorStep::Granted`] or an
/// error; [`password`](Self::password) when asked for it, while messages may go on coming in.
pub struct Initiator {
    host_key: Option<PeerKey>,
    state: State,
}

enum State {
    /// #1 is sent.
    Hello(Box<Hello>),
    /// #3 is sent.
    Open { channel: Box<Channel>, host: PeerKey, phase: Phase },
    /// Granted or failed.
    Over,
}

struct Hello {
    noise: HandshakeState,
    static_public: [u8; 32],
    offer: Offer,
}

enum Phase {
    Gate,
    Password,
    Ke2(Box<ClientProof>),
    /// With OPAQUE's session key, or none when the host asks only its user.
    Verdict(Option<SessionKey>),
}

/// What the viewer does next.
pub enum InitiatorStep {
    /// Send this.
    Send(Vec<u8>),
    /// Call [`Initiator::password`].
    NeedPassword,
    /// The host's user is being asked, and sees this code too; wait. Without a code: they will be, since there is no password.
    Waiting(Option<Code>),
    /// Done.
    Granted(Box<Authenticated>),
}

impl Initiator {
    /// Starts: the state and the first message.
    pub fn new<R: RngCore + CryptoRng>(offer: Offer, rng: &mut R) -> (Self, Vec<u8>) {
        let key = StaticKey::fresh(rng);
        let prologue = prologue(offer.host);
        let mut noise = builder(PATTERN, &prologue, rng)
            .and_then(|builder| builder.local_private_key(&key.private[..])?.build_initiator())
            .expect("a pattern that snow knows, with all it needs");
        let first = write(&mut noise, &[]).expect("the first message needs nothing from the peer");
        let hello = Hello { noise, static_public: key.public, offer };
        (Self { host_key: None, state: State::Hello(Box::new(hello)) }, first)
    }

    /// Takes a message. Slow when it is #2 (20 ms: the key is hashed to the ID) or KE2 (0.1–0.4 s): call it off the async threads.
    ///
    /// # Errors
    /// The handshake is over; close the stream.
    pub fn receive<R: RngCore + CryptoRng>(&mut self, message: &[u8], rng: &mut R) -> Result<InitiatorStep, AuthError> {
        match mem::replace(&mut self.state, State::Over) {
            _ if message.len() > MAX_MESSAGE => Err(AuthError::Protocol("a message that is too long")),
            State::Hello(hello) => self.introduce(*hello, message),
            State::Open { channel, host, phase } => self.advance(channel, host, phase, message, rng),
            State::Over => Err(AuthError::Protocol("out of turn")),
        }
    }

    /// Answers [`InitiatorStep::NeedPassword`] with the message to send.
    ///
    /// # Errors
    /// Not asked for.
    pub fn password<R: RngCore + CryptoRng>(&mut self, password: &Password, rng: &mut R) -> Result<Vec<u8>, AuthError> {
        let State::Open { channel, phase: phase @ Phase::Password, .. } = &mut self.state else {
            return Err(AuthError::Protocol("out of turn"));
        };
        let (proof, ke1) = ClientProof::start(password, rng);
        *phase = Phase::Ke2(Box::new(proof));
        channel.seal(&ViewerSays::Ke1(&ke1))
    }

    /// The host's key, once it proved itself.
    #[must_use]
    pub fn host_key(&self) -> Option<PeerKey> {
        self.host_key
    }

    /// Takes #2 and, if the host is the right one, answers #3.
    fn introduce(&mut self, hello: Hello, message: &[u8]) -> Result<InitiatorStep, AuthError> {
        let Hello { mut noise, static_public, offer } = hello;
        // The prologue has the ID in it, so a machine with another one cannot answer readably.
        let payload = read(&mut noise, message).map_err(|_| AuthError::WrongHost)?;
        let identity: Identity<'_> = decode_versioned(&payload)?;
        let host = identity.verify(noise.get_remote_static().unwrap_or_default())?;
        if offer.expected.is_some_and(|expected| expected != host) {
            return Err(AuthError::IdentityChanged);
        }
        if HostId::of(&host) != offer.host {
            return Err(AuthError::WrongHost);
        }
        self.host_key = Some(host);
        let signature = sign(&offer.identity, &static_public);
        let identity = Identity::new(&offer.identity, &signature);
        let introduction = Introduction { identity, name: &clean_name(&offer.name), wants: offer.wants };
        let payload = postcard::to_stdvec(&introduction).map_err(|_| AuthError::Protocol("a message that cannot be written"))?;
        let third = write(&mut noise, &payload).map_err(|_| AuthError::Protocol("a handshake that cannot go on"))?;
        self.state = State::Open { channel: Box::new(Channel::new(noise)?), host, phase: Phase::Gate };
        Ok(InitiatorStep::Send(third))
    }

    /// Takes a message after #3.
    fn advance<R: RngCore + CryptoRng>(
        &mut self,
        mut channel: Box<Channel>,
        host: PeerKey,
        phase: Phase,
        message: &[u8],
        rng: &mut R,
    ) -> Result<InitiatorStep, AuthError> {
        let plain = channel.open(message)?;
        let (phase, step) = match (phase, decode(&plain)?) {
            (_, HostSays::Denied(reason)) => return Err(AuthError::Denied(reason)),
            (_, HostSays::Busy { milliseconds }) => return Err(AuthError::Busy(Duration::from_millis(milliseconds.into()))),
            (Phase::Gate, HostSays::Open) => (Phase::Password, InitiatorStep::NeedPassword),
            (Phase::Gate, HostSays::AskOnly) => (Phase::Verdict(None), InitiatorStep::Waiting(None)),
            (Phase::Ke2(proof), HostSays::Ke2(ke2)) => {
                let (ke3, key) = proof.finish(ke2, &host, &channel.context(), rng).map_err(|error| match error {
                    ProofError::Wrong => AuthError::WrongPassword,
                    ProofError::Malformed => AuthError::Protocol("a damaged password proof"),
                })?;
                (Phase::Verdict(Some(key)), InitiatorStep::Send(channel.seal(&ViewerSays::Ke3(&ke3))?))
            }
            (Phase::Verdict(key), HostSays::Waiting { code }) if code.is_valid() => {
                (Phase::Verdict(key), InitiatorStep::Waiting(Some(code)))
            }
            (Phase::Verdict(key), HostSays::Granted { permissions, session, material }) => {
                let secret = match (key, material) {
                    (Some(key), None) => channel.session_secret(&key[..]),
                    (None, Some(material)) if material.len() == 32 => channel.session_secret(material),
                    _ => return Err(AuthError::Protocol("a grant of another kind than its gate")),
                };
                let authenticated =
                    Authenticated { session: SessionId(session), peer: host, name: String::new(), permissions, secret };
                return Ok(InitiatorStep::Granted(Box::new(authenticated)));
            }
            _ => return Err(AuthError::Protocol("out of turn")),
        };
        self.state = State::Open { channel, host, phase };
        Ok(step)
    }
}
