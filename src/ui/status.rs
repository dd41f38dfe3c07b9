//! What a viewer's window tells besides the picture: its title, a headline over the dimmed picture while there is nothing to
//! drive, a banner while the host's user drives, chat and warnings for some seconds, and the line being typed.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    board::Board,
    event::{PathInfo, Side, ViewerEvent},
    words,
};
use crate::protocol::{
    message::{Holder, MAX_CHAT},
    permission::Permissions,
};

/// How long a chat line or a warning stays.
const SHOWN_FOR: Duration = Duration::from_secs(12);
/// More lines than these push the oldest away.
const MAX_NOTES: usize = 6;
/// The chords that do not reach the host.
const HELP: &str = "Ctrl+Alt with F: full screen  1: actual size  S: next screen  I: figures  C: chat  Q: leave";

/// Where a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The host has not answered yet.
    Connecting,
    /// Authentication or the host's user takes its time.
    Waiting,
    /// Pictures come.
    Running,
    /// The network is gone.
    Stalled,
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
    /// The chat line being typed, while it is open.
    pub(super) entry: Option<String>,
}

impl Status {
    /// Before the host answered.
    pub(super) fn new(id: String) -> Self {
        let (path, screens, entry, notes) = (None, None, None, VecDeque::new());
        let (holder, permissions, phase) = (Holder::Remote, Permissions::NONE, Phase::Connecting);
        Self { id, path, holder, permissions, screens, exact: None, board: Board::default(), phase, notes, entry }
    }

    /// Follows what happens.
    pub(super) fn follow(&mut self, event: &ViewerEvent, now: Instant) {
        match event {
            ViewerEvent::Connected { id, path } => {
                (self.id, self.path, self.phase) = (words::plain(id), Some(path.clone()), Phase::Waiting);
            }
            ViewerEvent::Waiting { .. } => self.phase = Phase::Waiting,
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
            ViewerEvent::SessionEnded { reason, seconds, .. } => {
                let why = words::reason(*reason, Side::Viewer);
                self.phase = Phase::Ended(format!("The session is finished — {}", words::duration(*seconds)), why.to_owned());
                self.entry = None;
            }
            ViewerEvent::ChatDelivered { .. } => {}
            ViewerEvent::Chat { .. }
            | ViewerEvent::Screenshot { .. }
            | ViewerEvent::Warning { .. }
            | ViewerEvent::File(_)
            | ViewerEvent::Clipboard { .. }
            | ViewerEvent::Pasted { .. } => {
                self.note(words::viewed(event), now);
            }
        }
    }

    fn note(&mut self, text: String, now: Instant) {
        self.notes.push_back((text, now + SHOWN_FOR));
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

    /// `9339-… · direct, quic · exact · you are in control`, and before that which of several screens is shown.
    pub(super) fn title(&self) -> String {
        let path = self.path.as_ref().map(|path| format!(" · {}, {}", path.kind, path.transport)).unwrap_or_default();
        let state = match (&self.phase, self.holder) {
            (Phase::Connecting, _) => "connecting",
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
        words::plain(&format!("{}{path}{screens}{exact} · {state}", self.id))
    }

    /// What is written large over the dimmed picture, and smaller below it.
    pub(super) fn headline(&self, shown: bool) -> Option<(&str, &str)> {
        match &self.phase {
            Phase::Connecting => Some(("Connecting …", &self.id)),
            Phase::Waiting => Some(("Waiting for the host's user", "They are being asked to let you in.")),
            Phase::Running if !shown => Some(("Connected", "Waiting for the first picture.")),
            Phase::Running => None,
            Phase::Stalled => Some(("The connection is gone", "Trying to get it back. Nothing is lost.")),
            Phase::Ended(headline, why) => Some((headline, why)),
        }
    }

    /// What is written over the picture's top while one can only watch.
    pub(super) fn banner(&self) -> Option<&'static str> {
        let local = self.phase == Phase::Running && self.holder == Holder::Local && self.permissions.may_control();
        local.then_some("The host's user is in control")
    }

    /// Adds to the chat line what was typed, as far as it may grow.
    pub(super) fn type_text(&mut self, text: &str) {
        if let Some(entry) = &mut self.entry {
            entry.extend(text.chars().filter(|character| !character.is_control()));
            *entry = super::lines::pieces(entry, MAX_CHAT).into_iter().next().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::message::EndReason, ui::event::Summary};

    #[test]
    fn title_headline_and_banner_follow_the_session() {
        let now = Instant::now();
        let mut status = Status::new("9339-2522-7420-3124".to_owned());
        assert_eq!(status.headline(false), Some(("Connecting …", "9339-2522-7420-3124")));
        let path = PathInfo { kind: "direct".to_owned(), transport: "quic".to_owned() };
        status.follow(&ViewerEvent::Connected { id: "9339-2522-7420-3124".to_owned(), path }, now);
        status.follow(&ViewerEvent::Granted { permissions: Permissions::all() }, now);
        assert_eq!(status.title(), "9339-2522-7420-3124 · direct, quic · you are in control");
        assert_eq!((status.headline(true), status.banner()), (None, None));
        status.follow(&ViewerEvent::Picture { exact: false }, now);
        assert_eq!(status.title(), "9339-2522-7420-3124 · direct, quic · catching up · you are in control");
        status.follow(&ViewerEvent::Picture { exact: true }, now);
        assert_eq!(status.title(), "9339-2522-7420-3124 · direct, quic · exact · you are in control");
        status.follow(&ViewerEvent::Control { holder: Holder::Local }, now);
        assert!(status.banner().is_some() && status.title().ends_with("the host's user is in control"));
        status.follow(&ViewerEvent::Stalled, now);
        assert!(status.headline(true).is_some() && status.banner().is_none());
        status.follow(&ViewerEvent::SessionEnded { reason: EndReason::HostEnded, seconds: 725, summary: Summary::default() }, now);
        assert_eq!(status.headline(true), Some(("The session is finished — 12 minutes", "the host's user ended it")));
    }

    #[test]
    fn notes_are_few_safe_and_forgotten() {
        let now = Instant::now();
        let mut status = Status::new(String::new());
        for number in 0..20 {
            status.follow(
                &ViewerEvent::Chat { from: Side::Host, number: 1, at: String::new(), text: format!("\u{1b}{number}") },
                now,
            );
        }
        assert_eq!(status.notes().count(), MAX_NOTES);
        assert!(status.notes().all(|note| !note.contains('\u{1b}')));
        assert!(!status.expire(now) && status.expire(now + SHOWN_FOR) && status.next_expiry().is_none());
    }

    #[test]
    fn the_chat_line_is_bounded() {
        let mut status = Status::new(String::new());
        status.type_text("lost");
        status.entry = Some(String::new());
        status.type_text(&"ä".repeat(MAX_CHAT));
        status.type_text("\r");
        assert_eq!(status.entry.map(|entry| entry.len()), Some(MAX_CHAT));
    }
}
