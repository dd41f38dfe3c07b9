//! The host's side of the handshake.

use std::{mem, time::Duration};

use ed25519_dalek::SigningKey;
use rand::{CryptoRng, RngCore};
use snow::HandshakeState;
use zeroize::Zeroizing;

use super::{
    AuthError, Authenticated, Code, DenyReason, MAX_MESSAGE, SessionId,
    channel::{Channel, PATTERN, prologue},
    noise::{StaticKey, builder, read, write},
    wire::{HostSays, Identity, Introduction, ViewerSays, clean_name, decode, decode_versioned, sign},
};
use crate::protocol::{
    id::{HostId, PeerKey},
    password::{ProofError, ServerProof, SessionKey, Verifier},
    permission::Permissions,
};

const BROKEN: AuthError = AuthError::Protocol("a damaged handshake");
const OUT_OF_TURN: AuthError = AuthError::Protocol("out of turn");

/// How a host asks for proof.
pub enum Gate<'a> {
    /// Without a password: the user decides alone.
    AskOnly,
    /// With this one.
    Password(&'a Verifier),
}

/// The host's side.
///
/// Order of calls: [`receive`](Self::receive) for each message; at [`ResponderStep::Identified`] [`open`](Self::open) or
/// [`busy`](Self::busy); at [`ResponderStep::Proved`] [`waiting`](Self::waiting), then [`grant`](Self::grant) or
/// [`deny`](Self::deny). `busy` and `deny` may end it at any time from `Identified` on. Every message made here must be sent, in
/// order: the channel counts them.
///
/// Several handshakes may stand open at once, so the throttle is asked twice: before `open`, and again before the first message
/// after it (KE1) is given to `receive`; if it says no by then, `busy` is the answer.
pub struct Responder {
    identity: SigningKey,
    id: HostId,
    state: State,
}

enum State {
    /// Nothing came yet.
    Idle,
    /// #2 is sent.
    Hello(Box<HandshakeState>),
    /// #3 came.
    Open { channel: Box<Channel>, viewer: Viewer, phase: Phase },
    /// Granted, denied or failed.
    Over,
}

struct Viewer {
    key: PeerKey,
    name: String,
}

enum Phase {
    Gate,
    Ke1(Box<Verifier>),
    Ke3(Box<ServerProof>),
    /// With OPAQUE's session key, or none when only the user is asked.
    Proved(Option<SessionKey>),
}

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
    /// Count one guess ([`crate::protocol::throttle::Throttle::guessed`]), then send this.
    Guess(Vec<u8>),
    /// The password is proved, or none is asked for: send [`Responder::waiting`], ask the user, then grant or deny.
    Proved,
}

impl Responder {
    /// Waits for a viewer's first message.
    #[must_use]
    pub fn new(identity: &SigningKey, id: HostId) -> Self {
        Self { identity: identity.clone(), id, state: State::Idle }
    }

    /// Takes a message. Quick: there is no Argon2id on this side.
    ///
    /// # Errors
    /// The handshake is over; close the stream.
    pub fn receive<R: RngCore + CryptoRng>(&mut self, message: &[u8], rng: &mut R) -> Result<ResponderStep, AuthError> {
        match mem::replace(&mut self.state, State::Over) {
            _ if message.len() > MAX_MESSAGE => Err(AuthError::Protocol("a message that is too long")),
            State::Idle => self.answer(message, rng),
            State::Hello(noise) => self.identify(*noise, message),
            State::Open { channel, viewer, phase } => self.advance(channel, viewer, phase, message, rng),
            State::Over => Err(OUT_OF_TURN),
        }
    }

    /// Opens the gate. With [`Gate::AskOnly`] the viewer counts as proved: go on as after [`ResponderStep::Proved`].
    ///
    /// # Errors
    /// Out of turn.
    pub fn open<R: RngCore + CryptoRng>(&mut self, gate: &Gate<'_>, _rng: &mut R) -> Result<Vec<u8>, AuthError> {
        let State::Open { channel, phase: phase @ Phase::Gate, .. } = &mut self.state else { return Err(OUT_OF_TURN) };
        let says = match gate {
            Gate::AskOnly => {
                *phase = Phase::Proved(None);
                HostSays::AskOnly
            }
            Gate::Password(verifier) => {
                *phase = Phase::Ke1(Box::new((*verifier).clone()));
                HostSays::Open
            }
        };
        channel.seal(&says)
    }

    /// Keeps the gate shut; close the stream after sending this.
    ///
    /// # Errors
    /// Out of turn.
    pub fn busy(&mut self, retry_after: Duration) -> Result<Vec<u8>, AuthError> {
        let State::Open { mut channel, .. } = mem::replace(&mut self.state, State::Over) else { return Err(OUT_OF_TURN) };
        // Rounded up, so that the viewer does not come back too early.
        let milliseconds = retry_after.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u32::MAX);
        channel.seal(&HostSays::Busy { milliseconds })
    }

    /// The user is being asked: the message to send, and the code to show.
    ///
    /// # Errors
    /// Out of turn.
    pub fn waiting<R: RngCore + CryptoRng>(&mut self, rng: &mut R) -> Result<(Vec<u8>, Code), AuthError> {
        let State::Open { channel, phase: Phase::Proved(_), .. } = &mut self.state else { return Err(OUT_OF_TURN) };
        let code = Code::draw(rng);
        Ok((channel.seal(&HostSays::Waiting { code })?, code))
    }

    /// The user said yes: the message to send and the session.
    ///
    /// # Errors
    /// Out of turn.
    pub fn grant<R: RngCore + CryptoRng>(
        self,
        permissions: Permissions,
        rng: &mut R,
    ) -> Result<(Vec<u8>, Authenticated), AuthError> {
        let State::Open { mut channel, viewer, phase: Phase::Proved(key) } = self.state else { return Err(OUT_OF_TURN) };
        let mut session = [0; 16];
        rng.fill_bytes(&mut session);
        let mut random = Zeroizing::new([0; 32]);
        let (secret, material) = if let Some(key) = key {
            (channel.session_secret(&key[..]), None)
        } else {
            rng.fill_bytes(&mut random[..]);
            (channel.session_secret(&random[..]), Some(&random[..]))
        };
        let message = channel.seal(&HostSays::Granted { permissions, session, material })?;
        Ok((message, Authenticated { session: SessionId(session), peer: viewer.key, name: viewer.name, permissions, secret }))
    }

    /// The user said no; close the stream after sending this.
    ///
    /// # Errors
    /// Out of turn.
    pub fn deny(self, reason: DenyReason) -> Result<Vec<u8>, AuthError> {
        let State::Open { mut channel, .. } = self.state else { return Err(OUT_OF_TURN) };
        channel.seal(&HostSays::Denied(reason))
    }

    /// Takes #1 and answers #2.
    fn answer<R: RngCore + CryptoRng>(&mut self, message: &[u8], rng: &mut R) -> Result<ResponderStep, AuthError> {
        let key = StaticKey::fresh(rng);
        let prologue = prologue(self.id);
        let mut noise = builder(PATTERN, &prologue, rng)
            .and_then(|builder| builder.local_private_key(&key.private[..])?.build_responder())
            .map_err(|_| BROKEN)?;
        if !read(&mut noise, message).map_err(|_| BROKEN)?.is_empty() {
            return Err(BROKEN);
        }
        let signature = sign(&self.identity, &key.public);
        let payload = postcard::to_stdvec(&Identity::new(&self.identity, &signature)).map_err(|_| BROKEN)?;
        let second = write(&mut noise, &payload).map_err(|_| BROKEN)?;
        self.state = State::Hello(Box::new(noise));
        Ok(ResponderStep::Send(second))
    }

    /// Takes #3.
    fn identify(&mut self, mut noise: HandshakeState, message: &[u8]) -> Result<ResponderStep, AuthError> {
        let payload = read(&mut noise, message).map_err(|_| BROKEN)?;
        let introduction: Introduction<'_> = decode_versioned(&payload)?;
        let key = introduction.identity.verify(noise.get_remote_static().unwrap_or_default())?;
        let name = clean_name(introduction.name);
        let viewer = Viewer { key, name: name.clone() };
        self.state = State::Open { channel: Box::new(Channel::new(noise)?), viewer, phase: Phase::Gate };
        Ok(ResponderStep::Identified { key, name, wants: introduction.wants })
    }

    /// Takes KE1 or KE3.
    fn advance<R: RngCore + CryptoRng>(
        &mut self,
        mut channel: Box<Channel>,
        viewer: Viewer,
        phase: Phase,
        message: &[u8],
        rng: &mut R,
    ) -> Result<ResponderStep, AuthError> {
        let plain = channel.open(message)?;
        let host = PeerKey(self.identity.verifying_key().to_bytes());
        let (phase, step) = match (phase, decode(&plain)?) {
            (Phase::Ke1(verifier), ViewerSays::Ke1(ke1)) => {
                let (proof, ke2) = ServerProof::start(&verifier, ke1, &host, &channel.context(), rng).map_err(refused)?;
                (Phase::Ke3(Box::new(proof)), ResponderStep::Guess(channel.seal(&HostSays::Ke2(&ke2))?))
            }
            (Phase::Ke3(proof), ViewerSays::Ke3(ke3)) => {
                let key = proof.finish(ke3, &host, &channel.context()).map_err(refused)?;
                (Phase::Proved(Some(key)), ResponderStep::Proved)
            }
            _ => return Err(OUT_OF_TURN),
        };
        self.state = State::Open { channel, viewer, phase };
        Ok(step)
    }
}

fn refused(error: ProofError) -> AuthError {
    match error {
        ProofError::Wrong => AuthError::WrongPassword,
        ProofError::Malformed => AuthError::Protocol("a damaged password proof"),
    }
}
