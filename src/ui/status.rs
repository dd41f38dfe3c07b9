//! What a viewer's window tells besides the picture: its title, where the session is (which decides on a page over the dimmed
//! picture), a banner while the host's user drives, and chat and warnings for some seconds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    board::Board,
    event::{PathInfo, Side, Summary, TransferState, ViewerEvent},
    words,
};
use crate::protocol::{
    message::Holder,
    permission::{Permission, Permissions},
};

/// How long a chat line or a warning stays.
const SHOWN_FOR: Duration = Duration::from_secs(12);
/// How long a hint does that answers what the user just did.
const HINTED_FOR: Duration = Duration::from_secs(5);
/// More lines than these push the oldest away.
const MAX_NOTES: usize = 6;
/// The chords that do not reach the host.
const HELP: &str = "The toolbar comes when the pointer rests at the middle of the top edge, or with Ctrl+Alt+T.";

/// Where a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Which host is meant, and what was wrong with the last answer.
    Choosing(Option<String>),
    /// The host has not answered yet.
    Connecting,
    /// Authentication or the host's user takes its time.
    Waiting,
    /// The host asks for a password, perhaps because the last one was wrong.
    Asked(Option<String>),
    /// Pictures come.
    Running,
    /// The network is gone.
    Stalled,
    /// There will be no session: why not.
    Failed(String),
    /// Over: the headline and why.
    Ended(String, String),
}

/// All that is told.
pub(super) struct Status {
    id: String,
    path: Option<PathInfo>,
    holder: Holder,
    permissions: Permissions,
    /// What of several screens is shown.
    screens: Option<String>,
    /// Whether the picture is exact, once there is one.
    exact: Option<bool>,
    /// The figures.
    pub(super) board: Board,
    /// Where the session is.
    pub(super) phase: Phase,
    notes: VecDeque<(String, Instant)>,
    /// What the host's user sees too while they are asked.
    pub(super) code: Option<String>,
    /// The chat is beside the picture: what is said needs no note.
    pub(super) chat_open: bool,
    /// What was transferred, once it is over.
    pub(super) summary: Option<String>,
    /// Where the session's log is then.
    pub(super) log: Option<String>,
    /// What the user calls the host.
    name: Option<String>,
}

impl Status {
    /// Before the host answered; `name` is what the user calls it. Without an `id` the user chooses first.
    pub(super) fn new(id: String, name: Option<String>) -> Self {
        Self {
            phase: if id.is_empty() { Phase::Choosing(None) } else { Phase::Connecting },
            id,
            path: None,
            holder: Holder::Remote,
            permissions: Permissions::NONE,
            screens: None,
            exact: None,
            board: Board::default(),
            notes: VecDeque::new(),
            code: None,
            chat_open: false,
            summary: None,
            log: None,
            name,
        }
    }

    /// Follows what happens.
    pub(super) fn follow(&mut self, event: &ViewerEvent, now: Instant) {
        match event {
            ViewerEvent::Connected { id, path } => {
                (self.id, self.path) = (words::plain(id), Some(path.clone()));
            }
            ViewerEvent::HostWanted { wrong, .. } => self.phase = Phase::Choosing(wrong.clone()),
            ViewerEvent::HostChosen { id, name } => {
                (self.id, self.name, self.phase) = (words::plain(id), name.clone(), Phase::Connecting);
            }
            ViewerEvent::PasswordWanted { wrong } => self.phase = Phase::Asked(wrong.clone()),
            ViewerEvent::Waiting { code } => (self.phase, self.code) = (Phase::Waiting, code.as_deref().map(words::plain)),
            ViewerEvent::Failed { text } => self.phase = Phase::Failed(text.clone()),
            ViewerEvent::Granted { permissions } => {
                (self.permissions, self.phase) = (*permissions, Phase::Running);
                self.note(HELP.to_owned(), now);
            }
            ViewerEvent::Permissions { permissions, .. } => self.permissions = *permissions,
            ViewerEvent::Path { path, .. } => self.path = Some(path.clone()),
            ViewerEvent::Control { holder } => self.holder = *holder,
            ViewerEvent::Screens(screens) => self.screens = (screens.screens.len() > 1).then(|| words::shown(screens)),
            ViewerEvent::Picture { exact } => self.exact = Some(*exact),
            ViewerEvent::Stats(stats) => self.board.follow(stats),
            ViewerEvent::Stalled => self.phase = Phase::Stalled,
            ViewerEvent::Resumed => self.phase = Phase::Running,
            ViewerEvent::SessionEnded { reason, seconds, summary } => {
                let why = words::reason(*reason, Side::Viewer);
                self.phase = Phase::Ended(format!("The session is finished — {}", words::duration(*seconds)), why.to_owned());
                self.summary = Some(transferred(summary));
                self.log = summary.log.as_ref().map(|file| words::plain(&file.display().to_string()));
            }
            ViewerEvent::ChatDelivered { .. } | ViewerEvent::Chat { from: Side::Viewer, .. } => {}
            ViewerEvent::Chat { .. } if self.chat_open => {}
            // How to answer is for each face.
            ViewerEvent::File(transfer) if transfer.state == TransferState::Offered && transfer.from == Side::Host => {
                self.note(words::offer(transfer), now);
            }
            // How far it is stands beside the picture.
            ViewerEvent::File(transfer) if matches!(transfer.state, TransferState::Running | TransferState::Paused) => {}
            ViewerEvent::File(_)
            | ViewerEvent::Chat { .. }
            | ViewerEvent::Screenshot { .. }
            | ViewerEvent::Warning { .. }
            | ViewerEvent::Clipboard { .. }
            | ViewerEvent::Pasted { .. } => {
                self.note(words::viewed(event), now);
            }
        }
    }

    /// Has it read at the bottom of the window for a while.
    pub(super) fn note(&mut self, text: String, now: Instant) {
        self.keep(text, now + SHOWN_FOR);
    }

    /// Has it read there for a few seconds.
    pub(super) fn hint(&mut self, text: &str, now: Instant) {
        self.keep(text.to_owned(), now + HINTED_FOR);
    }

    fn keep(&mut self, text: String, until: Instant) {
        self.notes.push_back((text, until));
        if self.notes.len() > MAX_NOTES {
            self.notes.pop_front();
        }
    }

    /// Forgets what was shown long enough. Returns whether there was any.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let before = self.notes.len();
        self.notes.retain(|(_, until)| *until > now);
        self.notes.len() != before
    }

    /// When something is to be forgotten next.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.notes.iter().map(|(_, until)| *until).min()
    }

    /// The lines shown at the bottom, oldest first.
    pub(super) fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(|(text, _)| text.as_str())
    }

    /// The window's title: [`Self::line`] — rs.
    pub(super) fn title(&self) -> String {
        format!("{} — rs", self.line())
    }

    /// `9339-… · direct, quic · exact · you are in control`, and before that which of several screens is shown.
    pub(super) fn line(&self) -> String {
        let path = self.path.as_ref().map(|path| format!(" · {}, {}", path.kind, path.transport)).unwrap_or_default();
        let state = match (&self.phase, self.holder) {
            (Phase::Choosing(_), _) => return "connect".to_owned(),
            (Phase::Connecting, _) => "connecting",
            (Phase::Asked(_), _) => "password",
            (Phase::Failed(_), _) => "no session",
            (Phase::Waiting, _) => "waiting for the host's user",
            (Phase::Stalled, _) => "reconnecting",
            (Phase::Ended(..), _) => "finished",
            (Phase::Running, _) if !self.permissions.may_control() => "view only",
            (Phase::Running, Holder::Local) => "the host's user is in control",
            (Phase::Running, Holder::Remote) => "you are in control",
        };
        let screens = self.screens.as_ref().map(|screens| format!(" · {screens}")).unwrap_or_default();
        let exact = self.exact.filter(|_| self.phase == Phase::Running).map(words::exactness);
        let exact = exact.map(|exact| format!(" · {exact}")).unwrap_or_default();
        let name = self.name.as_ref().map(|name| format!("{name} · ")).unwrap_or_default();
        words::plain(&format!("{name}{}{path}{screens}{exact} · {state}", self.id))
    }

    /// The host's ID.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What the user calls the host, else its ID.
    pub(super) fn name(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.id)
    }

    /// Who drives.
    pub(super) fn holder(&self) -> Holder {
        self.holder
    }

    /// Whether the picture is exact, once there is one.
    pub(super) fn is_exact(&self) -> Option<bool> {
        self.exact
    }

    /// Whether the host permits it.
    pub(super) fn may(&self, permission: Permission) -> bool {
        self.is_let_in() && self.permissions.contains(permission)
    }

    /// Whether there is a session, perhaps an interrupted one.
    pub(super) fn is_let_in(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Stalled)
    }

    /// Whether it is all over.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Failed(_) | Phase::Ended(..))
    }

    /// Whether there is nothing to drive: a page says why, over the dimmed picture.
    pub(super) fn page(&self, shown: bool) -> bool {
        self.phase != Phase::Running || !shown
    }

    /// What is written over the picture's top while one can only watch.
    pub(super) fn banner(&self) -> Option<&'static str> {
        let local = self.phase == Phase::Running && self.holder == Holder::Local && self.permissions.may_control();
        local.then_some("The host's user is in control")
    }
}

/// What a session transferred, for people.
fn transferred(summary: &Summary) -> String {
    let Summary { picture_bytes, files, file_bytes, .. } = summary;
    let picture = words::bytes(*picture_bytes);
    match files {
        0 => format!("{picture} of picture."),
        1 => format!("{picture} of picture, and one file ({}).", words::bytes(*file_bytes)),
        _ => format!("{picture} of picture, and {files} files ({}).", words::bytes(*file_bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::EndReason;

    #[test]
    fn title_page_and_banner_follow_the_session() {
        let now = Instant::now();
        let mut status = Status::new("9339-2522-7420-3124".to_owned(), None);
        assert!(status.page(false) && !status.is_let_in());
        let path = PathInfo { kind: "direct".to_owned(), transport: "quic".to_owned() };
        status.follow(&ViewerEvent::Connected { id: "9339-2522-7420-3124".to_owned(), path }, now);
        status.follow(&ViewerEvent::PasswordWanted { wrong: None }, now);
        assert_eq!(status.title(), "9339-2522-7420-3124 · direct, quic · password — rs");
        status.follow(&ViewerEvent::Waiting { code: Some("123 456".to_owned()) }, now);
        assert_eq!((&status.phase, status.code.as_deref()), (&Phase::Waiting, Some("123 456")));
        status.follow(&ViewerEvent::Granted { permissions: Permissions::all() }, now);
        assert_eq!(status.title(), "9339-2522-7420-3124 · direct, quic · you are in control — rs");
        assert!(!status.page(true) && status.page(false) && status.banner().is_none());
        for (exact, word) in [(false, "catching up"), (true, "exact")] {
            status.follow(&ViewerEvent::Picture { exact }, now);
            assert_eq!(status.title(), format!("9339-2522-7420-3124 · direct, quic · {word} · you are in control — rs"));
        }
        status.follow(&ViewerEvent::Control { holder: Holder::Local }, now);
        assert!(status.banner().is_some() && status.title().contains("the host's user is in control"));
        status.follow(&ViewerEvent::Stalled, now);
        assert!(status.page(true) && status.banner().is_none());
        let summary = Summary { picture_bytes: 1_500_000, files: 2, file_bytes: 3000, log: None };
        status.follow(&ViewerEvent::SessionEnded { reason: EndReason::HostEnded, seconds: 725, summary }, now);
        let (head, why) = ("The session is finished — 12 minutes".to_owned(), "the host's user ended it".to_owned());
        assert_eq!((&status.phase, status.is_over()), (&Phase::Ended(head, why), true));
        assert_eq!(status.summary.as_deref(), Some("1.5 MB of picture, and 2 files (3.0 kB)."));
    }

    #[test]
    fn a_name_of_the_users_own_comes_first_and_a_refusal_is_the_last_page() {
        let mut status = Status::new("9339".to_owned(), Some("Anna\n".to_owned()));
        status.follow(&ViewerEvent::Failed { text: "the host's user said no".to_owned() }, Instant::now());
        assert!(status.title().starts_with("Anna") && status.title().ends_with("9339 · no session — rs"));
        assert!(status.is_over() && status.page(true));
    }

    #[test]
    fn notes_are_few_safe_and_forgotten() {
        let now = Instant::now();
        let mut status = Status::new(String::new(), None);
        for number in 0..20 {
            status.follow(
                &ViewerEvent::Chat { from: Side::Host, number: 1, at: String::new(), text: format!("\u{1b}{number}") },
                now,
            );
        }
        assert_eq!(status.notes().count(), MAX_NOTES);
        status.chat_open = true;
        let own = |from, text: &str| ViewerEvent::Chat { from, number: 1, at: String::new(), text: text.to_owned() };
        [own(Side::Viewer, "own"), own(Side::Host, "seen")].iter().for_each(|event| status.follow(event, now));
        assert!(status.notes().all(|note| !note.contains("own") && !note.contains("seen")), "they are in the chat");
        assert!(status.notes().all(|note| !note.contains('\u{1b}')));
        assert!(!status.expire(now) && status.expire(now + SHOWN_FOR) && status.next_expiry().is_none());
    }
}
