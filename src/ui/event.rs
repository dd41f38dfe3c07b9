//! What faces are told and what they answer: the events are the `--json` contract of the command line.

use std::path::PathBuf;

use serde::Serialize;

use super::figures::{HostFigures, Stats};
use crate::protocol::{
    input::InputEvent,
    message::{EndReason, Holder},
    permission::{Permission, Permissions},
    screens::{self, Choice, ScreenInfo},
};

/// What a host tells: one JSON line each with `--json` (`{"event":"ready",…}`), else words. Part of the command-line contract.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum HostEvent {
    /// Viewers can come. Told again whenever a value changed.
    Ready {
        /// `dddd-dddd-dddd-dddd`.
        id: String,
        /// The password now, if one opens this host and it is known (a permanent one is only a record).
        password: Option<String>,
        /// `rs://…`, never with a password.
        link: String,
        /// Multiaddrs with `/p2p/…`.
        listen: Vec<String>,
    },
    /// How others reach this machine changed.
    Reachable {
        /// `lan`, `direct` or `relayed`.
        kind: Reach,
    },
    /// Somebody proved the password (or came without one, where none is asked) and wants in.
    Request {
        /// The session's short name.
        session: String,
        /// The viewer's name and short key, and whether it was here before.
        viewer: Viewer,
        /// What it asks for, already cut down to what this host offers.
        wants: Permissions,
    },
    /// The session runs.
    SessionStarted {
        /// The session's short name.
        session: String,
        /// Who.
        viewer: Viewer,
        /// What it may do.
        permissions: Permissions,
    },
    /// The session's path changed.
    Path {
        /// The session's short name.
        session: String,
        /// `lan`, `direct` or `relayed`.
        kind: String,
        /// `quic`, `tcp` or `websocket`.
        transport: String,
        /// Round trip, where it is known.
        rtt_ms: Option<u64>,
    },
    /// A chat line.
    Chat {
        /// The session's short name.
        session: String,
        /// `host` or `viewer`.
        from: Side,
        /// What was said.
        text: String,
    },
    /// Who drives now.
    Control {
        /// The session's short name.
        session: String,
        /// `local` or `remote`.
        holder: Holder,
    },
    /// What the viewer may do now.
    Permissions {
        /// The session's short name.
        session: String,
        /// The whole set.
        permissions: Permissions,
    },
    /// What the viewer sees: told at the start, and when screens come, go or change, or another one is shown.
    Screens {
        /// The session's short name.
        session: String,
        /// Which there are, and which is shown.
        #[serde(flatten)]
        screens: Screens,
    },
    /// Figures of a session, as asked for by `stats`.
    Stats {
        /// The session's short name.
        session: String,
        /// What is known.
        #[serde(flatten)]
        figures: Box<HostFigures>,
    },
    /// The password is another one now.
    PasswordRotated {
        /// The new one.
        password: String,
    },
    /// It is over.
    SessionEnded {
        /// The session's short name.
        session: String,
        /// Why.
        reason: EndReason,
        /// How long it lasted.
        seconds: u64,
    },
    /// Something the user should know, in one line.
    Warning {
        /// What, and what to do.
        text: String,
    },
}

/// The host's screens as `--json` shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Screens {
    /// Which there are, counted from 0.
    pub screens: Vec<ScreenInfo>,
    /// `"all"`, or the number of the one that is shown.
    #[serde(serialize_with = "number_or_all")]
    pub shown: Choice,
}

impl From<screens::Screens> for Screens {
    fn from(screens: screens::Screens) -> Self {
        Self { screens: screens.list, shown: screens.shown }
    }
}

fn number_or_all<S: serde::Serializer>(choice: &Choice, serializer: S) -> Result<S::Ok, S::Error> {
    match choice {
        Choice::All => serializer.serialize_str("all"),
        Choice::One(index) => serializer.serialize_u8(*index),
    }
}

/// How others reach a host, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// By the bare ID, through a relay (and then directly where possible).
    Relayed,
    /// On this network, and by `ID@ADDRESS`.
    Lan,
    /// Only by `ID@ADDRESS`.
    Direct,
}

/// Who asks for a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Viewer {
    /// The name it gave itself; control characters are gone.
    pub name: String,
    /// The first eight hex digits of its key.
    pub key: String,
    /// Whether this key had a session here before.
    pub known: bool,
}

/// Which of the two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The one at the shared machine.
    Host,
    /// The one who helps.
    Viewer,
}

/// What the host's user does; also the host's stdin lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAction {
    /// Let the one who asks in.
    Accept,
    /// Send them away.
    Deny,
    /// Say something.
    Chat(String),
    /// Give permissions, and control where they are for driving.
    Allow(Vec<Permission>),
    /// Let the viewer drive (again): with what it may already, else with mouse and keyboard.
    GiveControl,
    /// Drive oneself, as a moved mouse does. The viewer keeps its permissions for later.
    TakeControl,
    /// Take a permission away.
    Revoke(Vec<Permission>),
    /// Tell the figures of each session.
    Stats,
    /// A new one-time password.
    Rotate,
    /// End the session.
    End,
    /// End everything.
    Quit,
}

/// A path as `--json` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathInfo {
    /// `lan`, `direct` or `relayed`.
    pub kind: String,
    /// `quic`, `tcp` or `websocket`.
    pub transport: String,
}

/// What a viewer tells: one JSON line each with `--json`, else words. Part of the command-line contract.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ViewerEvent {
    /// The host answered.
    Connected {
        /// `dddd-dddd-dddd-dddd`.
        id: String,
        /// How.
        path: PathInfo,
    },
    /// The host's user is being asked.
    Waiting,
    /// They said yes.
    Granted {
        /// What we may do.
        permissions: Permissions,
    },
    /// What we may do changed.
    Permissions {
        /// The whole set.
        permissions: Permissions,
    },
    /// The path changed.
    Path {
        /// How.
        #[serde(flatten)]
        path: PathInfo,
        /// Round trip, where it is known.
        rtt_ms: Option<u64>,
    },
    /// A chat line.
    Chat {
        /// `host` or `viewer`.
        from: Side,
        /// What was said.
        text: String,
    },
    /// Who drives now.
    Control {
        /// `local` (the host's user) or `remote` (us).
        holder: Holder,
    },
    /// The host's screens, and which the picture on hand shows: told when any of it changes, or as asked for by `screens`.
    Screens(Screens),
    /// The picture became exact, or has not been for a moment: the link does not keep up, or something moves that looks like a film.
    Picture {
        /// Whether it is what the host's screen was, to the bit.
        exact: bool,
    },
    /// A picture was saved.
    Screenshot {
        /// Where.
        file: PathBuf,
        /// Whether it is what the host's screen was, to the bit.
        exact: bool,
    },
    /// Figures, as asked for by `stats`; told where they were asked for.
    Stats(Box<Stats>),
    /// The network is gone; we keep trying.
    Stalled,
    /// It is back.
    Resumed,
    /// It is over.
    SessionEnded {
        /// Why.
        reason: EndReason,
        /// How long it lasted.
        seconds: u64,
    },
    /// Something the user should know, in one line.
    Warning {
        /// What, and what to do.
        text: String,
    },
}

/// What the viewer's user does; also the viewer's stdin lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewerAction {
    /// Drive the host.
    Input(InputEvent),
    /// Say something.
    Chat(String),
    /// Save the picture as PNG, once it is exact, or after a few seconds as it is.
    Screenshot(PathBuf),
    /// Tell which screens the host has.
    Screens,
    /// Have another screen shown.
    Show(Show),
    /// Have every picture exact at once, or as the link allows.
    Lossless(bool),
    /// Tell the figures.
    Stats,
    /// Leave.
    Quit,
}

/// Which of the host's screens to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// This one, counted from 0.
    One(u8),
    /// All in one picture.
    All,
    /// The one after; after the last one all in one, then the first one again.
    Next,
}
