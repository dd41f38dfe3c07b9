//! What faces are told and what they answer: the events are the `--json` contract of the command line.

mod files;
mod screens;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use super::{figures::Summary, prompt::OwnPassword};
use super::{
    figures::{HostFigures, Stats},
    prompt::Secret,
};
pub use crate::protocol::grants::Timer;
use crate::protocol::{
    input::{InputEvent, KeyboardMode},
    message::{EndReason, Holder},
    permission::{Permission, Permissions},
};
pub use files::{Copied, CopiedKind, Transfer, TransferState};
pub use screens::{Screens, Show};

/// What a host tells: one JSON line each with `--json` (`{"event":"ready",…}`), else words. Part of the command-line contract, and
/// what the panel is fed with.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
        /// Six digits that the viewer sees too, such as `123 456`: who reads them out is the one who asks.
        code: String,
        /// Seconds that must pass before a yes is taken: time to think, before the very first yes on this machine.
        pause: u64,
    },
    /// The question is over: answered (after a yes, `session-started` follows), withdrawn by the viewer, or too old.
    RequestOver {
        /// The session's short name.
        session: String,
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
        /// Counted from 1 for each side and session.
        number: u64,
        /// When, by this machine's clock: RFC 3339, with the local offset.
        at: String,
        /// What was said.
        text: String,
    },
    /// A chat line of ours, and all before it, reached the other side's `rs`.
    ChatDelivered {
        /// The session's short name.
        session: String,
        /// The line's number.
        number: u64,
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
        /// Which of them end by themselves, and in how many seconds.
        timers: Vec<Timer>,
    },
    /// A file on its way, at its beginning, its end, and a few times a second between them.
    File {
        /// The session's short name.
        session: String,
        /// How it stands.
        #[serde(flatten)]
        transfer: Transfer,
    },
    /// The network to the viewer is gone; the session waits for it.
    Stalled {
        /// The session's short name.
        session: String,
        /// Who.
        viewer: String,
    },
    /// It is back.
    Resumed {
        /// The session's short name.
        session: String,
        /// Who.
        viewer: String,
    },
    /// Something that was copied reached this machine's clipboard, or the viewer's.
    Clipboard {
        /// The session's short name.
        session: String,
        /// Where it was copied.
        from: Side,
        /// What.
        #[serde(flatten)]
        copied: Copied,
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
        /// What was transferred.
        summary: Summary,
    },
    /// Something the user should know, in one line.
    Warning {
        /// What, and what to do.
        text: String,
    },
    /// Where a viewer points that may not drive, at most 30 times a second: for a face that draws it. Lines tell it more rarely.
    Pointer {
        /// The session's short name.
        session: String,
        /// The pixel of the desktop; `null` when the viewer points no more.
        at: Option<(u16, u16)>,
    },
}

/// How others reach a host, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// The name it gave itself; control characters are gone.
    pub name: String,
    /// The first eight hex digits of its key.
    pub key: String,
    /// Whether this key had a session here before.
    pub known: bool,
    /// The day of its first session here, `YYYY-MM-DD`.
    pub since: Option<String>,
}

/// Which of the two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Let the one who asks in: with this of what they want, or with all of it.
    Accept(Option<Permissions>),
    /// Send them away.
    Deny,
    /// Say something.
    Chat(String),
    /// Give permissions, and control where they are for driving: until they are taken away, or for so long.
    Allow(Vec<Permission>, Option<Duration>),
    /// Let the viewer drive (again): with what it may already, else with mouse and keyboard.
    GiveControl,
    /// Drive oneself, as a moved mouse does. The viewer keeps its permissions for later.
    TakeControl,
    /// Take a permission away.
    Revoke(Vec<Permission>),
    /// Tell the figures of each session.
    Stats,
    /// Send these files to the viewer.
    Send(Vec<PathBuf>),
    /// Give up a file that is sent, else one that is received.
    Cancel(u32),
    /// A new one-time password.
    Rotate,
    /// A permanent password of the user's own choice.
    OwnPassword(OwnPassword),
    /// Suspend every session with what its viewer may do, or let it go on: no line says so, the watch over the panel does.
    Pause(bool),
    /// End the session.
    End,
    /// End everything.
    Quit,
}

/// A host that was visited before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// `dddd-dddd-dddd-dddd`.
    pub id: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// When last, in local time, for people.
    pub last: String,
}

/// A path as `--json` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathInfo {
    /// `lan`, `direct` or `relayed`.
    pub kind: String,
    /// `quic`, `tcp` or `websocket`.
    pub transport: String,
}

/// What a viewer tells: one JSON line each with `--json`, else words. Part of the command-line contract.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    Waiting {
        /// Six digits that the host's user sees too, such as `123 456`; known once they are really asked.
        code: Option<String>,
    },
    /// They said yes.
    Granted {
        /// What we may do.
        permissions: Permissions,
    },
    /// What we may do changed.
    Permissions {
        /// The whole set.
        permissions: Permissions,
        /// Which of them end by themselves, and in how many seconds.
        timers: Vec<Timer>,
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
        /// Counted from 1 for each side and session.
        number: u64,
        /// When, by this machine's clock: RFC 3339, with the local offset.
        at: String,
        /// What was said.
        text: String,
    },
    /// A chat line of ours, and all before it, reached the other side's `rs`.
    ChatDelivered {
        /// The line's number.
        number: u64,
    },
    /// A file on its way, at its beginning, its end, and a few times a second between them.
    File(Transfer),
    /// Something that was copied reached the other side's clipboard, or this machine's.
    Clipboard {
        /// Where it was copied.
        from: Side,
        /// What.
        #[serde(flatten)]
        copied: Copied,
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
    /// What was copied at the host was saved, as asked for by `paste`.
    Pasted {
        /// Where.
        file: PathBuf,
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
        /// What was transferred.
        summary: Summary,
    },
    /// Something the user should know, in one line.
    Warning {
        /// What, and what to do.
        text: String,
    },
    /// The host asks for a password; told to a window only, which answers with [`ViewerAction::Password`].
    PasswordWanted {
        /// What was wrong with the last one.
        wrong: Option<String>,
    },
    /// Nobody said which host to visit; told to a window only, which answers with [`ViewerAction::Visit`].
    HostWanted {
        /// Those visited last.
        hosts: Vec<Known>,
        /// What was wrong with the last answer.
        wrong: Option<String>,
    },
    /// It is this one; told to the window that was asked.
    HostChosen {
        /// `dddd-dddd-dddd-dddd`.
        id: String,
        /// What the user calls it.
        name: Option<String>,
    },
    /// There will be no session; told to a window only. Lines and scripts have standard error and the exit code.
    Failed {
        /// Why, and what to do.
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
    /// Put this on the host's clipboard.
    Copy(String),
    /// Save what was last copied at the host.
    Paste(PathBuf),
    /// Tell which screens the host has.
    Screens,
    /// Have another screen shown.
    Show(Show),
    /// Have every picture exact at once, or as the link allows.
    Lossless(bool),
    /// Have keys understood so from now on.
    Keyboard(KeyboardMode),
    /// Tell the figures.
    Stats,
    /// Send these files to the host.
    Send(Vec<PathBuf>),
    /// Have the host send this file, below its folder.
    Fetch(String),
    /// Take the file that the host offers under this number.
    Save(u32),
    /// Do not take it.
    Refuse(u32),
    /// Give up a file that is sent, else one that is received.
    Cancel(u32),
    /// Try this password: the answer to [`ViewerEvent::PasswordWanted`].
    Password(Secret),
    /// Visit this host: its ID, address, link or name. The answer to [`ViewerEvent::HostWanted`].
    Visit(String),
    /// Leave.
    Quit,
    /// Show the host's user this pixel of the picture, without driving.
    Point {
        /// Pixels from the left.
        x: u16,
        /// Pixels from the top.
        y: u16,
    },
    /// Point no more.
    PointAway,
}
