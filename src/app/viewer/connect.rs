//! Finding a host and getting in: every way to reach it is tried at once, the first path up is used.
//!
//! Ways: the address given with the ID, hosts that announce themselves on the LAN, and circuits through every relay that the
//! directory, the link or the command line names. Nobody is believed about who they are: the key on a path must hash to the ID.

use std::{collections::BTreeMap, time::Duration};

use libp2p::Multiaddr;
use rand::rngs::OsRng;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use zeroize::Zeroizing;

use super::PasswordSource;
use crate::{
    app::{
        Failure,
        driver::{OpenLane, OpenPath},
        packets, relays,
    },
    cli::ExitCode,
    net::{Event, Node, Purpose, Transport, address},
    protocol::{
        auth::{self, AuthError, Authenticated, Initiator, InitiatorStep, Offer},
        id::{HostId, PeerKey},
        lane::LaneInitiator,
        password::Password,
        session::{
            Lane,
            path::{PathId, PathKind},
        },
    },
    store::Store,
    ui::event::ViewerEvent,
};

/// How long to look for a host.
const FIND: Duration = Duration::from_secs(20);
/// How long a LAN may take to answer once every other way has failed.
const LAN: Duration = Duration::from_secs(4);
/// How long a listing is tried before the directory is asked whether it has a newer one: a relay may lag, or lie.
const AGAIN: Duration = Duration::from_secs(1);
/// How long after a dial succeeded its path may take to be told.
const TOLD: Duration = Duration::from_secs(2);
/// How long the host may take for its next message; leaves room for Argon2id on a slow machine.
const STEP: Duration = Duration::from_secs(20);
/// How long the host's user may think; the host itself gives up earlier.
const CONSENT: Duration = Duration::from_secs(150);

/// Whom to find, and what is known about them.
pub(in crate::app) struct Wanted {
    pub(in crate::app) id: HostId,
    /// The address's or the link's, else the pinned one.
    pub(in crate::app) key: Option<PeerKey>,
    /// Where to dial, from `ID@ADDRESS`.
    pub(in crate::app) addresses: Vec<Multiaddr>,
    /// Whether to listen for it on the LAN.
    pub(super) lan: bool,
}

/// A path that is up.
#[derive(Clone, Debug)]
pub(in crate::app) struct Known {
    pub(in crate::app) key: PeerKey,
    pub(in crate::app) kind: PathKind,
    pub(in crate::app) transport: Transport,
}

/// The network as the viewer sees it.
pub(in crate::app) struct Network {
    pub(super) node: Node,
    pub(in crate::app) events: mpsc::Receiver<Event>,
    pub(super) relays: relays::Relays,
    pub(super) store: Store,
    /// Every path that is up.
    pub(in crate::app) paths: BTreeMap<PathId, Known>,
    /// Where the host can be dialled again.
    pub(super) ways: Vec<Multiaddr>,
    /// Relays that are connected, each with `/p2p/…`.
    connected: Vec<Multiaddr>,
    trouble: Vec<String>,
}

/// What a way of finding came to.
enum Found {
    /// Dialling ended; a path would have been told by itself.
    Dialled(Result<(), String>),
    /// The directory's answer.
    Listed(Vec<crate::net::Listing>),
    /// Somebody on the LAN has this ID.
    OnLan(PeerKey, HostId, Multiaddr),
}

impl Network {
    pub(in crate::app) fn new(node: Node, events: mpsc::Receiver<Event>, relays: relays::Relays, store: Store) -> Self {
        let (paths, ways) = (BTreeMap::new(), Vec::new());
        Self { node, events, relays, store, paths, ways, connected: Vec::new(), trouble: Vec::new() }
    }

    /// The first path to a host with this ID, and its key.
    ///
    /// # Errors
    /// Nobody answered: what was tried and what to do.
    pub(in crate::app) async fn find(&mut self, wanted: &Wanted) -> Result<(PathId, PeerKey), Failure> {
        let mut tries = JoinSet::new();
        self.start(wanted, &mut tries);
        let mut deadline = Instant::now() + FIND;
        // What may still come once every try has ended: an answer from the LAN, or the path of a dial that succeeded.
        let (mut grace, mut tried_all) = (if wanted.lan { LAN } else { Duration::ZERO }, false);
        loop {
            if tries.is_empty() && !tried_all {
                tried_all = true;
                deadline = deadline.min(Instant::now() + grace);
            }
            tokio::select! {
                biased;
                event = self.events.recv() => {
                    let event = event.ok_or_else(|| Failure::other("the network stopped"))?;
                    if let Some((path, key)) = self.found(event, wanted, &mut tries).await? {
                        return Ok((path, key));
                    }
                }
                Some(found) = tries.join_next() => {
                    if matches!(found, Ok(Found::Dialled(Ok(())))) {
                        grace = grace.max(TOLD);
                    }
                    self.tried(found.ok(), wanted, &mut tries);
                }
                () = tokio::time::sleep_until(deadline) => return Err(self.unreachable(wanted)),
            }
        }
    }

    /// Everything that can be tried at once.
    fn start(&mut self, wanted: &Wanted, tries: &mut JoinSet<Found>) {
        if !wanted.addresses.is_empty() {
            self.dial(wanted.key, wanted.addresses.clone(), tries);
        }
        if !self.relays.is_empty() {
            self.look_up(wanted.id, Duration::ZERO, tries);
        }
    }

    fn look_up(&self, id: HostId, pause: Duration, tries: &mut JoinSet<Found>) {
        let node = self.node.clone();
        tries.spawn(async move {
            sleep(pause).await;
            Found::Listed(node.look_up(id).await.unwrap_or_default())
        });
    }

    /// Dials those of them that are new; whether there are any.
    fn dial(&mut self, key: Option<PeerKey>, addresses: Vec<Multiaddr>, tries: &mut JoinSet<Found>) -> bool {
        let fresh: Vec<_> = addresses.into_iter().filter(|address| !self.ways.contains(address)).collect();
        if fresh.is_empty() {
            return false;
        }
        self.ways.extend(fresh.iter().cloned());
        let node = self.node.clone();
        tries.spawn(async move { Found::Dialled(node.dial(key, fresh).await) });
        true
    }

    /// An event while looking. The path, when it leads to the host.
    async fn found(
        &mut self,
        event: Event,
        wanted: &Wanted,
        tries: &mut JoinSet<Found>,
    ) -> Result<Option<(PathId, PeerKey)>, Failure> {
        match event {
            Event::Discovered { key, address } if wanted.key.is_none_or(|wanted| wanted == key) => {
                // The ID of a key costs 20 ms of Argon2id: off the async threads.
                tries.spawn_blocking(move || Found::OnLan(key, HostId::of(&key), address));
            }
            Event::RelayUp { relay, key } => {
                self.relays.learned(&relay, key, &self.store);
                let relays = relay.addresses.iter().map(|address| address::with_key(address, key));
                self.connected.extend(relays);
                if let Some(host) = wanted.key {
                    // No need to wait for the directory.
                    let circuits = relay.addresses.iter().map(|at| address::circuit(&address::with_key(at, key), host)).collect();
                    self.dial(Some(host), circuits, tries);
                }
            }
            Event::RelayDown { relay, reason } => {
                self.trouble.push(format!("the relay {} cannot be reached ({reason})", self.relays.name(&relay)));
            }
            Event::RelayChanged(relay) => self.trouble.push(relays::changed(&self.relays.name(&relay))),
            Event::PathUp { path, key, kind, transport, .. } => {
                self.paths.insert(path, Known { key, kind, transport });
                if wanted.key.is_some_and(|wanted| wanted == key) || has_id(key, wanted.id).await {
                    return Ok(Some((path, key)));
                }
                // Somebody else, at the address we were given or on the LAN.
                self.trouble.push("another machine answered than the one with this ID".to_owned());
                self.node.close(path).await;
            }
            Event::PathDown(path) => drop(self.paths.remove(&path)),
            Event::Listening(_)
            | Event::NotListening(_)
            | Event::Reserved(_)
            | Event::ReservationLost(_)
            | Event::Moved
            | Event::Discovered { .. }
            | Event::Inbound { .. } => {}
        }
        Ok(None)
    }

    fn tried(&mut self, found: Option<Found>, wanted: &Wanted, tries: &mut JoinSet<Found>) {
        match found {
            Some(Found::Listed(listings)) if listings.is_empty() => {
                self.trouble.push("no relay knows this ID now".to_owned());
            }
            Some(Found::Listed(listings)) => {
                // Another key than the pinned one is dialled too: that it changed must be found out and told.
                let mut news = false;
                for listing in listings {
                    let circuits = listing.relays.iter().map(|relay| address::circuit(relay, listing.key)).collect();
                    news |= self.dial(Some(listing.key), circuits, tries);
                }
                if news {
                    self.look_up(wanted.id, AGAIN, tries);
                }
            }
            Some(Found::OnLan(key, id, address)) if id == wanted.id => {
                self.dial(Some(key), vec![address], tries);
            }
            Some(Found::Dialled(Err(reason))) => self.trouble.push(reason),
            Some(Found::OnLan(..) | Found::Dialled(Ok(()))) | None => {}
        }
    }

    fn unreachable(&mut self, wanted: &Wanted) -> Failure {
        let mut tried = std::mem::take(&mut self.trouble);
        tried.dedup();
        if wanted.lan {
            tried.push("nobody on this network has this ID".to_owned());
        }
        if self.relays.is_empty() && wanted.addresses.is_empty() {
            tried.push("no relay was given (--relay)".to_owned());
        }
        let text = format!(
            "no way to {} was found: {}; check the ID, and that rs host runs there",
            wanted.id,
            if tried.is_empty() { "nobody answered".to_owned() } else { tried.join(", ") }
        );
        Failure::new(ExitCode::Unreachable, text)
    }

    /// The nearest path to this key that is up.
    pub(in crate::app) fn best(&self, key: PeerKey) -> Option<PathId> {
        let mut paths: Vec<_> = self.paths.iter().filter(|(_, known)| known.key == key).collect();
        paths.sort_by_key(|(path, known)| (known.kind, known.transport == Transport::Quic, **path));
        paths.last().map(|(path, _)| **path)
    }

    /// Follows events that matter to a running session. What changed, if it is about `key`'s paths or our own network.
    pub(in crate::app) fn follow(&mut self, event: Event, key: PeerKey) -> Option<Change> {
        match event {
            Event::PathUp { path, key: from, kind, transport, .. } => {
                self.paths.insert(path, Known { key: from, kind, transport });
                (from == key).then_some(Change::Up(path, kind))
            }
            Event::PathDown(path) => self.paths.remove(&path).map(|_| Change::Down(path)),
            Event::Moved => Some(Change::Moved),
            Event::RelayUp { relay, key } => {
                self.relays.learned(&relay, key, &self.store);
                None
            }
            Event::Listening(_)
            | Event::NotListening(_)
            | Event::RelayDown { .. }
            | Event::RelayChanged(_)
            | Event::Reserved(_)
            | Event::ReservationLost(_)
            | Event::Discovered { .. }
            | Event::Inbound { .. } => None,
        }
    }
}

/// A change of a peer's paths, or of our own addresses.
pub(in crate::app) enum Change {
    Up(PathId, PathKind),
    Down(PathId),
    Moved,
}

async fn has_id(key: PeerKey, id: HostId) -> bool {
    tokio::task::spawn_blocking(move || HostId::of(&key) == id).await.unwrap_or(false)
}

/// Authenticates on a path, and tells when the host's user is being asked, or ours for a password.
///
/// # Errors
/// The password is wrong, the host's user refused, the host is another one, or the path broke.
pub(super) async fn authenticate(
    node: &Node,
    path: PathId,
    offer: &Offer,
    mut password: PasswordSource,
    mut tell: impl FnMut(ViewerEvent),
) -> Result<Authenticated, Failure> {
    node.keep(path, true).await;
    if let Some(auth) = attempt(node, path, offer.clone(), password.given(), &mut tell).await? {
        return Ok(auth);
    }
    let mut wrong = None;
    loop {
        // A person types longer than a host keeps a handshake open: they are asked between two of them.
        if password.is_asked_in_a_window() {
            tell(ViewerEvent::PasswordWanted { wrong: wrong.take() });
        }
        let typed = password.read().await?;
        match attempt(node, path, offer.clone(), Some(&typed), &mut tell).await {
            // In a window they can try again at once; how often is for the host to say.
            Err(failure) if failure.code == ExitCode::Authentication && password.is_asked_in_a_window() => {
                wrong = Some(failure.text)
            }
            other => return other?.ok_or_else(|| broken("asked twice for the password")),
        }
    }
}

/// One handshake. `None`: the host asks for a password, and there is none.
async fn attempt(
    node: &Node,
    path: PathId,
    offer: Offer,
    password: Option<&Zeroizing<String>>,
    tell: &mut impl FnMut(ViewerEvent),
) -> Result<Option<Authenticated>, Failure> {
    let mut stream = node.open(path, Purpose::Auth).await.map_err(|error| Failure::new(ExitCode::Unreachable, error))?;
    let (mut initiator, first) = Initiator::new(offer, &mut OsRng);
    let mut patience = STEP;
    let mut answer = Some(first);
    loop {
        if let Some(message) = answer.take() {
            packets::write(&mut stream, &message).await.map_err(|_| broken("went away"))?;
        }
        let message = timeout(patience, packets::read(&mut stream, auth::MAX_MESSAGE))
            .await
            .map_err(|_| broken("fell silent"))?
            .ok()
            .flatten()
            .ok_or_else(|| broken("went away"))?;
        // KE2 costs an Argon2id.
        match tokio::task::block_in_place(|| initiator.receive(&message, &mut OsRng)).map_err(refused)? {
            InitiatorStep::Send(message) => answer = Some(message),
            InitiatorStep::NeedPassword => {
                let Some(password) = password else { return Ok(None) };
                answer = Some(initiator.password(&Password::typed(password), &mut OsRng).map_err(refused)?);
            }
            InitiatorStep::Waiting(code) => {
                patience = CONSENT;
                tell(ViewerEvent::Waiting { code: code.map(|code| code.to_string()) });
            }
            InitiatorStep::Granted(auth) => return Ok(Some(*auth)),
        }
    }
}

fn broken(what: &str) -> Failure {
    Failure::new(ExitCode::Unreachable, format!("the host {what} while letting us in; try again"))
}

fn refused(error: AuthError) -> Failure {
    let code = match error {
        AuthError::WrongPassword | AuthError::Busy(_) => ExitCode::Authentication,
        AuthError::Denied(_) => ExitCode::Refused,
        AuthError::IdentityChanged => ExitCode::IdentityChanged,
        AuthError::WrongHost => ExitCode::Unreachable,
        AuthError::Protocol(_) => ExitCode::Other,
    };
    Failure::new(code, error)
}

/// Why the lanes of a path are not open.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLanes {
    /// It is there, and does not answer for this session: that has ended there, it was restarted, or it has too much to do just now.
    #[error("the host does not take the session's lanes")]
    Refused,
    /// The path is gone, or broken.
    #[error("{0}")]
    Failed(String),
}

/// Opens all lanes of a session on a path.
///
/// # Errors
/// See [`NoLanes`].
pub(super) async fn open_lanes(node: Node, path: PathId, auth: &Authenticated) -> Result<OpenPath, NoLanes> {
    let all = async {
        let [control, video, bulk] = Lane::ALL.map(|lane| open_lane(&node, path, auth, lane));
        tokio::try_join!(control, video, bulk).map(<[OpenLane; 3]>::from)
    };
    timeout(STEP, all).await.map_err(|_| NoLanes::Failed("the host fell silent".to_owned()))?
}

async fn open_lane(node: &Node, path: PathId, auth: &Authenticated, lane: Lane) -> Result<OpenLane, NoLanes> {
    let failed = |error: &dyn std::fmt::Display| NoLanes::Failed(error.to_string());
    let mut stream = node.open(path, Purpose::Lane).await.map_err(|error| failed(&error))?;
    let (initiator, first) = LaneInitiator::new(auth, lane, &mut OsRng).map_err(|error| failed(&error))?;
    packets::write(&mut stream, &first).await.map_err(|error| failed(&error))?;
    let answer = packets::read(&mut stream, auth::MAX_MESSAGE).await.map_err(|error| failed(&error))?;
    let (sealer, opener) = initiator.finish(&answer.ok_or(NoLanes::Refused)?).map_err(|error| failed(&error))?;
    Ok(OpenLane { stream, sealer, opener })
}
