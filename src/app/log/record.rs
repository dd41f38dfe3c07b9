//! What the session log holds: one record for each thing that counts, the same at both sides.
//!
//! Never what was said, typed, copied or shown: chat lines are counted, copies have a kind and a size, files a name, a size and a hash.
//! Records are part of the command-line contract (`rs log --json`): keys are added, never changed.

use jiff::ZonedDateTime;
use serde::{Deserialize, Serialize};

use crate::{
    protocol::{
        auth::DenyReason,
        grants::Timer,
        message::{EndReason, Holder},
        permission::Permissions,
    },
    ui::{
        event::{Copied, PathInfo, Side, Summary, Transfer, TransferState},
        words,
    },
};

/// A line of the log, as far as it is about a session; the rest is its place in the chain.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) record: Record,
}

/// One record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// The session's name: the same in the log of the other side.
    pub(super) session: String,
    /// Whose log this is.
    pub(super) side: Side,
    /// When, by this machine's clock: RFC 3339, with the local offset.
    pub(super) at: String,
    /// What happened.
    #[serde(flatten)]
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(super) enum What {
    /// The session began.
    Started { host: HostName, viewer: ViewerName, permissions: Permissions },
    /// It runs on this path from now on.
    Path(PathInfo),
    /// The viewer may do this from now on.
    Permissions { permissions: Permissions, timers: Vec<Timer> },
    /// Who drives from now on.
    Control { holder: Holder },
    /// A file arrived, or did not.
    File(Transfer),
    /// The network was gone.
    Stalled,
    /// It was back after this time.
    Resumed { seconds: u64 },
    /// Something that was copied went over.
    Clipboard {
        from: Side,
        #[serde(flatten)]
        copied: Copied,
    },
    /// The session is over.
    Ended { reason: EndReason, seconds: u64, summary: Volume },
    /// Somebody asked to come in and did not: all there is under its name. `left_out` others before it were too many to be recorded.
    Refused { viewer: ViewerName, why: Refusal, left_out: u64 },
}

/// Why somebody did not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::app) enum Refusal {
    /// A guess that nobody proved: it was wrong, or they left.
    WrongPassword,
    /// The throttle let no more guesses through.
    TooManyGuesses,
    /// They left before the answer.
    Left,
    /// The host's user said no.
    Denied,
    /// Nobody answered.
    Timeout,
    /// There was no room.
    Full,
    /// The password was changed meanwhile.
    PasswordRotated,
}

impl From<DenyReason> for Refusal {
    fn from(reason: DenyReason) -> Self {
        match reason {
            DenyReason::User => Self::Denied,
            DenyReason::Timeout => Self::Timeout,
            DenyReason::Full => Self::Full,
            DenyReason::PasswordRotated => Self::PasswordRotated,
        }
    }
}

impl Refusal {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::WrongPassword => "the password was wrong",
            Self::TooManyGuesses => "too many passwords were tried",
            Self::Left => "they left before they were answered",
            Self::Denied => "they were refused",
            Self::Timeout => "nobody answered them",
            Self::Full => "there was no room for one more",
            Self::PasswordRotated => "the password was changed meanwhile",
        }
    }
}

/// The host, as the one who keeps the log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::app) struct HostName {
    /// `dddd-dddd-dddd-dddd`.
    pub(in crate::app) id: String,
    /// What the viewer's user calls it; in the viewer's log only.
    pub(in crate::app) name: Option<String>,
}

/// The viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::app) struct ViewerName {
    /// The name it gave itself.
    pub(in crate::app) name: String,
    /// The first eight hex digits of its key.
    pub(in crate::app) key: String,
}

/// What went over in the whole session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Volume {
    pub(super) picture_bytes: u64,
    pub(super) files: u32,
    pub(super) file_bytes: u64,
    /// Chat lines of the host's user.
    pub(super) host_lines: u64,
    /// Chat lines of the viewer's user.
    pub(super) viewer_lines: u64,
    /// Records that could not be kept, because the disk did not keep up.
    pub(super) left_out: u64,
}

/// This moment, as records tell it.
pub(super) fn now() -> String {
    ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// `2026-11-24 01:02:03 +01:00`.
pub(super) fn when(at: &str) -> String {
    match (at.get(..10), at.get(11..19), at.get(19..)) {
        (Some(day), Some(time), Some(offset)) => words::plain(&format!("{day} {time} {offset}")),
        _ => words::plain(at),
    }
}

impl Record {
    /// What happened, in a sentence for the one who keeps the log.
    pub(super) fn words(&self) -> String {
        let at_host = self.side == Side::Host;
        match &self.what {
            What::Started { host, viewer, permissions } if at_host => {
                format!("{} came in to this machine ({}) and may: {permissions}.", viewer.words(), words::plain(&host.id))
            }
            What::Started { host, viewer, permissions } => {
                format!("You came in to {} as {}, and may: {permissions}.", host.words(), viewer.words())
            }
            What::Path(PathInfo { kind, transport }) => format!("Path: {}, {}.", words::plain(kind), words::plain(transport)),
            What::Permissions { permissions, timers } => {
                let for_a_while = |timer: &Timer| format!(", {} for {}", timer.permission.name(), words::duration(timer.seconds));
                let timers: String = timers.iter().map(for_a_while).collect();
                format!("{} may now: {permissions}{timers}.", if at_host { "The viewer" } else { "You" })
            }
            What::Control { holder } => match (holder, at_host) {
                (Holder::Local, true) | (Holder::Remote, false) => "You drive.".to_owned(),
                (Holder::Local, false) => "The host's user drives.".to_owned(),
                (Holder::Remote, true) => "The viewer drives.".to_owned(),
            },
            What::File(transfer) => file(transfer, self.side),
            What::Clipboard { from, copied } => {
                let (from, to) = if *from == self.side { ("here", "there") } else { ("there", "here") };
                format!("{} ({}) was copied from {from} to {to}.", words::copied(copied.kind), words::bytes(copied.bytes))
            }
            What::Stalled => "The connection was interrupted.".to_owned(),
            What::Resumed { seconds } => format!("It was back after {}.", words::duration(*seconds)),
            What::Refused { viewer, why, left_out } => {
                let more = if *left_out > 0 { format!(" {left_out} others before were not recorded.") } else { String::new() };
                format!("{} did not come in to this machine: {}.{more}", viewer.words(), why.words())
            }
            What::Ended { reason, seconds, summary } => {
                let why = words::reason(*reason, self.side);
                format!("The session was finished after {}: {why}. {}", words::duration(*seconds), summary.words())
            }
        }
    }
}

fn file(transfer: &Transfer, own: Side) -> String {
    let Transfer { from, name, size, state, file, blake3, reason, .. } = transfer;
    let what = format!("{} ({})", words::plain(name), words::bytes(*size));
    let way = if *from == own { "sent" } else { "received" };
    match state {
        TransferState::Done => {
            let place = file.as_ref().map(|file| format!(", {}", words::plain(&file.display().to_string()))).unwrap_or_default();
            let hash = blake3.as_ref().map(|hash| format!(", BLAKE3 {}", words::plain(hash))).unwrap_or_default();
            format!("{what} was {way}{place}{hash}.")
        }
        TransferState::Refused => {
            format!("{what} was refused: {}.", words::plain(reason.as_deref().unwrap_or("no reason was given")))
        }
        _ => format!("{what} was not {way}: {}.", words::plain(reason.as_deref().unwrap_or("no reason was given"))),
    }
}

impl HostName {
    /// `Anna's laptop (9339-2522-7420-3124)`.
    pub(super) fn words(&self) -> String {
        let id = words::plain(&self.id);
        self.name.as_ref().map_or_else(|| id.clone(), |name| format!("{} ({id})", words::plain(name)))
    }
}

impl ViewerName {
    /// `anna@desk (key 1a2b3c4d)`.
    pub(super) fn words(&self) -> String {
        format!("{} (key {})", words::plain(&self.name), words::plain(&self.key))
    }
}

impl Volume {
    fn words(self) -> String {
        let Self { picture_bytes, files, file_bytes, host_lines, viewer_lines, left_out } = self;
        let moved = words::summary(&Summary { picture_bytes, files, file_bytes, log: None });
        let lost = if left_out > 0 { format!(" {left_out} records could not be kept.") } else { String::new() };
        format!("Transferred: {moved}. Chat lines: {host_lines} from the host, {viewer_lines} from the viewer.{lost}")
    }
}
