//! The door: who may come in. Runs the host's side of every handshake and holds the password.
//!
//! Half-open handshakes are few, timed and bounded in memory. A guess is checked and counted in one step when KE2 leaves, so
//! that parallel handshakes cannot outrun the throttle. A password that was changed during a handshake no longer opens.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ed25519_dalek::SigningKey;
use futures::io::AsyncReadExt;
use rand::rngs::OsRng;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    app::{
        log::{Refusal, Refusals},
        packets,
    },
    net::Stream,
    protocol::{
        auth::{self, Authenticated, Code, DenyReason, Gate, Responder, ResponderStep},
        id::{HostId, PeerKey},
        password::Verifier,
        permission::Permissions,
        session::path::PathId,
        throttle::Throttle,
    },
    store::Store,
    ui::event::Viewer,
};

/// Handshakes under way at the same time, the ones that wait for the user included.
const HALF_OPEN: usize = 16;
/// Of these at most so many of one peer: a single stranger cannot take all places.
const HALF_OPEN_EACH: usize = 2;
/// How long the peer may take for its next message; leaves room for Argon2id on a slow machine.
const STEP: Duration = Duration::from_secs(15);
/// How long the user may think.
const CONSENT: Duration = Duration::from_secs(120);
/// Requests that may wait behind the one the user is asked about.
pub(super) const WAITING: usize = 4;

/// Somebody who may come in if the user says so.
pub(super) struct Knock {
    /// The name of the session that this may become, for people and scripts.
    pub(super) session: String,
    /// Who.
    pub(super) viewer: Viewer,
    /// What they ask for, cut down to what this host offers.
    pub(super) wants: Permissions,
    /// What both people see.
    pub(super) code: Code,
    /// The number of the password that they proved.
    pub(super) epoch: u64,
    /// The user's answer: what they may do, or why not.
    pub(super) answer: oneshot::Sender<Result<Permissions, DenyReason>>,
}

/// What the door tells the host.
pub(super) enum DoorEvent {
    /// Ask the user.
    Knock(Knock),
    /// In: make a session of it.
    Admitted(Box<Admitted>),
}

/// Somebody who is in.
pub(super) struct Admitted {
    /// The name that the session had when the user was asked.
    pub(super) session: String,
    pub(super) auth: Authenticated,
    pub(super) viewer: Viewer,
    /// The password's number (see [`Door::set_password`]) that let them in.
    pub(super) epoch: u64,
}

/// The door of a running host.
pub(super) struct Door {
    identity: SigningKey,
    id: HostId,
    store: Store,
    offered: Permissions,
    lock: Mutex<Lock>,
    refusals: Refusals,
    /// Whose handshakes are under way.
    half_open: Mutex<Vec<PeerKey>>,
    events: mpsc::Sender<DoorEvent>,
}

struct Lock {
    throttle: Throttle,
    /// `None`: no password is asked for, the user decides alone.
    verifier: Option<Arc<Verifier>>,
    epoch: u64,
}

impl Door {
    pub(super) fn new(
        identity: SigningKey,
        id: HostId,
        store: Store,
        offered: Permissions,
        events: mpsc::Sender<DoorEvent>,
    ) -> Self {
        let refusals = Refusals::new(store.clone());
        let lock = Lock { throttle: Throttle::new(Instant::now()), verifier: None, epoch: 0 };
        Self { identity, id, store, offered, lock: Mutex::new(lock), refusals, half_open: Mutex::default(), events }
    }

    /// From now on only this password opens. Returns its number: sessions with a smaller one came in with an older password.
    pub(super) fn set_password(&self, verifier: Verifier) -> u64 {
        let mut lock = self.lock();
        lock.verifier = Some(Arc::new(verifier));
        lock.epoch += 1;
        lock.epoch
    }

    /// Runs a handshake in the background; nothing comes of it when too many are under way. `from`: whose connection it is.
    pub(super) fn answer(self: &Arc<Self>, path: PathId, from: PeerKey, stream: Stream) {
        let Some(place) = Place::take(self, from) else {
            tracing::info!("too many handshakes under way; one more is turned away");
            return;
        };
        tokio::spawn(async move {
            let mut attempt = Attempt::default();
            if let Err(reason) = place.door.handshake(stream, &mut attempt).await {
                tracing::info!(?path, reason, "a handshake ended");
            }
            if let Attempt { name, viewer: Some(viewer), refusal: Some(refusal) } = attempt {
                place.door.refusals.note(name, &viewer, refusal);
            }
        });
    }

    async fn handshake(&self, mut stream: Stream, attempt: &mut Attempt) -> Result<(), &'static str> {
        let mut responder = Responder::new(&self.identity, self.id);
        let mut who: Option<(PeerKey, Viewer, Permissions)> = None;
        let (mut epoch, mut guessed) = (0, false);
        loop {
            let message = timeout(STEP, packets::read(&mut stream, auth::MAX_MESSAGE))
                .await
                .map_err(|_| "the viewer was silent")?
                .map_err(|_| "the stream broke")?
                .ok_or("the viewer left")?;
            // KE1 comes next; a bucket that ran empty meanwhile is told, not found out.
            if let Some((key, viewer, _)) = &who
                && !guessed
                && let Err(wait) = self.may_guess(*key, viewer.known)
            {
                attempt.refusal = Some(Refusal::TooManyGuesses);
                let busy = responder.busy(wait).map_err(|_| "too many guesses")?;
                return send(&mut stream, &busy).await;
            }
            let step = responder.receive(&message, &mut OsRng).map_err(|error| {
                tracing::info!(%error, "a handshake failed");
                "the viewer's message was refused"
            })?;
            match step {
                ResponderStep::Send(answer) => send(&mut stream, &answer).await?,
                ResponderStep::Identified { key, name, wants } => {
                    let since = self.store.known_viewer(key).ok().flatten().map(|known| known.since);
                    let viewer = Viewer { name, key: format!("{key:?}"), known: since.is_some(), since };
                    attempt.viewer = Some(viewer.clone());
                    let (gate, answer) = self.gate(&mut responder, key, viewer.known)?;
                    send(&mut stream, &answer).await?;
                    epoch = match gate {
                        Opened::Shut => {
                            attempt.refusal = Some(Refusal::TooManyGuesses);
                            return Err("too many guesses");
                        }
                        Opened::AskOnly(epoch) => return self.ask(stream, responder, attempt, (key, viewer, wants), epoch).await,
                        Opened::Password(epoch) => epoch,
                    };
                    who = Some((key, viewer, wants));
                }
                ResponderStep::Guess(answer) => {
                    let (key, viewer, _) = who.as_ref().ok_or("a guess out of turn")?;
                    attempt.refusal = Some(Refusal::TooManyGuesses);
                    self.count(*key, viewer.known)?;
                    (attempt.refusal, guessed) = (Some(Refusal::WrongPassword), true);
                    send(&mut stream, &answer).await?;
                }
                ResponderStep::Proved => {
                    let who = who.ok_or("a proof out of turn")?;
                    self.lock().throttle.proved(Instant::now(), who.0, who.1.known);
                    return self.ask(stream, responder, attempt, who, epoch).await;
                }
            }
        }
    }

    /// Opens the gate, or says how long to wait.
    fn gate(&self, responder: &mut Responder, key: PeerKey, known: bool) -> Result<(Opened, Vec<u8>), &'static str> {
        let mut lock = self.lock();
        let epoch = lock.epoch;
        let (opened, answer) = match (lock.verifier.clone(), lock.throttle.check(Instant::now(), key, known)) {
            (None, _) => (Opened::AskOnly(epoch), responder.open(&Gate::AskOnly, &mut OsRng)),
            (Some(_), Err(wait)) => (Opened::Shut, responder.busy(wait)),
            (Some(verifier), Ok(())) => (Opened::Password(epoch), responder.open(&Gate::Password(&verifier), &mut OsRng)),
        };
        answer.map(|answer| (opened, answer)).map_err(|_| "the gate was asked for out of turn")
    }

    fn may_guess(&self, key: PeerKey, known: bool) -> Result<(), Duration> {
        self.lock().throttle.check(Instant::now(), key, known)
    }

    /// Checks and counts a guess in one step.
    fn count(&self, key: PeerKey, known: bool) -> Result<(), &'static str> {
        let mut lock = self.lock();
        let now = Instant::now();
        lock.throttle.check(now, key, known).map_err(|_| "too many guesses")?;
        lock.throttle.guessed(now, key, known);
        Ok(())
    }

    /// The password is proved: asks the user, and lets in or sends away.
    async fn ask(
        &self,
        mut stream: Stream,
        mut responder: Responder,
        attempt: &mut Attempt,
        (key, viewer, wants): (PeerKey, Viewer, Permissions),
        epoch: u64,
    ) -> Result<(), &'static str> {
        attempt.refusal = Some(Refusal::Left);
        let (waiting, code) = responder.waiting(&mut OsRng).map_err(|_| "out of turn")?;
        send(&mut stream, &waiting).await?;
        let session = attempt.name.clone();
        let wants = offer(wants, self.offered);
        let (answer, decision) = oneshot::channel();
        let knock = Knock { session: session.clone(), viewer: viewer.clone(), wants, code, epoch, answer };
        self.events.send(DoorEvent::Knock(knock)).await.map_err(|_| "the host stopped")?;
        let answer = decide(&mut stream, decision).await?;
        // Whoever proved the old password must not come in with it any more.
        let answer = if self.lock().epoch == epoch { answer } else { Err(DenyReason::PasswordRotated) };
        let permissions = match answer {
            Ok(permissions) => permissions,
            Err(reason) => {
                attempt.refusal = Some(reason.into());
                let denial = responder.deny(reason).map_err(|_| "out of turn")?;
                return send(&mut stream, &denial).await;
            }
        };
        attempt.refusal = None;
        let (grant, auth) = responder.grant(permissions, &mut OsRng).map_err(|_| "out of turn")?;
        if let Err(error) = self.store.remember_viewer(key, &viewer.name) {
            tracing::warn!(%error, "this viewer will count as new the next time");
        }
        // The session must be known before the viewer can open its lanes.
        let admitted = DoorEvent::Admitted(Box::new(Admitted { session, auth, viewer, epoch }));
        self.events.send(admitted).await.map_err(|_| "the host stopped")?;
        send(&mut stream, &grant).await?;
        // Closing is not delivery: wait for the viewer to close first.
        let _ = timeout(STEP, stream.read(&mut [0; 1])).await;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Lock> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the log needs of a handshake.
struct Attempt {
    /// The name of the session that it may become.
    name: String,
    /// Who it is, once they said.
    viewer: Option<Viewer>,
    /// Why they did not come in, if it ends now.
    refusal: Option<Refusal>,
}

impl Default for Attempt {
    fn default() -> Self {
        Self { name: session_name(), viewer: None, refusal: None }
    }
}

/// A place among the handshakes under way; free again when dropped.
struct Place {
    door: Arc<Door>,
    peer: PeerKey,
}

impl Place {
    fn take(door: &Arc<Door>, peer: PeerKey) -> Option<Self> {
        let mut taken = door.half_open.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = taken.iter().filter(|other| **other == peer).count();
        if taken.len() >= HALF_OPEN || theirs >= HALF_OPEN_EACH {
            return None;
        }
        taken.push(peer);
        Some(Self { door: Arc::clone(door), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.door.half_open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = taken.iter().position(|peer| *peer == self.peer) {
            taken.swap_remove(index);
        }
    }
}

enum Opened {
    Shut,
    AskOnly(u64),
    Password(u64),
}

/// The user's decision; a viewer that leaves meanwhile withdraws the question.
async fn decide(
    stream: &mut Stream,
    decision: oneshot::Receiver<Result<Permissions, DenyReason>>,
) -> Result<Result<Permissions, DenyReason>, &'static str> {
    let mut nothing = [0; 1];
    tokio::select! {
        decision = timeout(CONSENT, decision) => match decision {
            Ok(Ok(decision)) => Ok(decision),
            Ok(Err(_)) => Err("the host stopped"),
            Err(_) => Ok(Err(DenyReason::Timeout)),
        },
        _ = stream.read(&mut nothing) => Err("the viewer left before the answer"),
    }
}

/// What of it the user is asked for.
fn offer(wants: Permissions, offered: Permissions) -> Permissions {
    wants.intersection(offered).without_blind()
}

/// A session's name for people and scripts.
fn session_name() -> String {
    format!("{:08x}", rand::random::<u32>())
}

async fn send(stream: &mut Stream, message: &[u8]) -> Result<(), &'static str> {
    timeout(STEP, packets::write(stream, message)).await.map_err(|_| "the viewer took nothing")?.map_err(|_| "the stream broke")
}
