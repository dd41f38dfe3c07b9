//! What the panel knows, and the lines it says. Without a window and without a clock, so that it can be tested: time is an argument.
//!
//! The panel has no power of its own. It follows the host's events and says the lines of [`crate::ui::lines`]; what it shows changes
//! only when the host tells so.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    protocol::{
        message::{EndReason, Holder},
        permission::{Permission, Permissions},
        screens::{Choice, ScreenInfo},
    },
    ui::{
        event::{HostEvent, Reach, Side, Summary, Transfer, Viewer},
        words,
    },
};

/// Chat lines shown; older ones are in the log.
const MAX_CHAT: usize = 200;
/// Files shown of a session.
const MAX_FILES: usize = 64;
/// How long a warning stays.
const WARNING: Duration = Duration::from_secs(12);
/// How long it stays told that something was copied.
const NEWS: Duration = Duration::from_secs(6);
/// A timer shows minutes until its last one.
const MINUTE: Duration = Duration::from_secs(60);
/// A yes is not taken sooner than this after the question came: the click was meant for what was there before.
const HASTE: Duration = Duration::from_millis(700);

/// All of it.
#[derive(Default)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) password: Option<String>,
    pub(super) link: String,
    pub(super) reach: Option<Reach>,
    pub(super) request: Option<Request>,
    /// More than one only where nobody is asked.
    pub(super) sessions: Vec<Session>,
    pub(super) finished: Option<Finished>,
    /// The newest warning, and until when it is shown.
    pub(super) warning: Option<(String, Instant)>,
    /// What was copied last, and until when that is told.
    pub(super) news: Option<(String, Instant)>,
    lines: Vec<String>,
}

/// Somebody who asks.
pub(super) struct Request {
    pub(super) session: String,
    pub(super) viewer: Viewer,
    pub(super) wants: Permissions,
    /// What the person would give of it.
    pub(super) given: Permissions,
    pub(super) code: String,
    /// A yes is taken from then on.
    pub(super) from: Instant,
}

/// Somebody who is here.
pub(super) struct Session {
    pub(super) name: String,
    pub(super) viewer: Viewer,
    pub(super) permissions: Permissions,
    /// When they end by themselves.
    ends: Vec<(Permission, Instant)>,
    pub(super) holder: Holder,
    pub(super) path: String,
    pub(super) chat: VecDeque<Said>,
    /// Our lines up to this number arrived.
    pub(super) delivered: u64,
    pub(super) files: VecDeque<Transfer>,
    pub(super) screens: Vec<ScreenInfo>,
    pub(super) shown: Choice,
    pub(super) pointing: Option<(u16, u16)>,
}

/// A chat line.
pub(super) struct Said {
    pub(super) from: Side,
    pub(super) number: u64,
    /// `14:05`.
    pub(super) at: String,
    pub(super) text: String,
}

/// The last session.
pub(super) struct Finished {
    pub(super) viewer: String,
    pub(super) reason: EndReason,
    pub(super) seconds: u64,
    pub(super) summary: Summary,
}

impl Model {
    /// Follows what happens.
    pub(super) fn follow(&mut self, event: HostEvent, now: Instant) {
        match event {
            HostEvent::Ready { id, password, link, .. } => (self.id, self.password, self.link) = (id, password, link),
            HostEvent::Reachable { kind } => self.reach = Some(kind),
            HostEvent::PasswordRotated { password } => self.password = Some(password),
            HostEvent::Request { session, viewer, wants, code, pause } => {
                let (viewer, from) = (clean(viewer), now + Duration::from_secs(pause).max(HASTE));
                self.request = Some(Request { session, viewer, wants, given: wants, code, from });
            }
            HostEvent::RequestOver { session } => drop(self.request.take_if(|request| request.session == session)),
            HostEvent::SessionStarted { session, viewer, permissions } => {
                (self.request, self.finished) = (None, None);
                self.sessions.push(Session::new(session, clean(viewer), permissions));
            }
            HostEvent::SessionEnded { session, reason, seconds, summary } => {
                let ended = self.sessions.iter().position(|other| other.name == session);
                let viewer = ended.map(|place| self.sessions.remove(place).viewer.name).unwrap_or_default();
                self.finished = Some(Finished { viewer, reason, seconds, summary });
            }
            event @ (HostEvent::Warning { .. } | HostEvent::Stalled { .. } | HostEvent::Resumed { .. }) => {
                self.warning = Some((words::host(&event), now + WARNING));
            }
            HostEvent::Path { session, kind, transport, .. } => {
                self.session(&session, |it| it.path = words::plain(&format!("{kind}, {transport}")));
            }
            HostEvent::Chat { session, from, number, at, text } => self.session(&session, |it| it.hear(from, number, &at, &text)),
            HostEvent::ChatDelivered { session, number } => self.session(&session, |it| it.delivered = number),
            HostEvent::Control { session, holder } => self.session(&session, |it| it.holder = holder),
            HostEvent::Permissions { session, permissions, timers } => self.session(&session, |it| {
                it.permissions = permissions;
                it.ends = timers.iter().map(|timer| (timer.permission, now + Duration::from_secs(timer.seconds))).collect();
            }),
            HostEvent::Screens { session, screens } => {
                self.session(&session, |it| (it.screens, it.shown) = (screens.screens, screens.shown));
            }
            HostEvent::File { session, transfer } => self.session(&session, |it| it.carry(transfer)),
            HostEvent::Pointer { session, at } => self.session(&session, |it| it.pointing = at),
            HostEvent::Clipboard { from, copied, .. } => {
                self.news = Some((words::clipboard(from, Side::Host, &copied), now + NEWS));
            }
            HostEvent::Stats { .. } => {}
        }
    }

    fn session(&mut self, name: &str, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.name == name) {
            change(session);
        }
    }

    /// Forgets what was told for long enough.
    pub(super) fn expire(&mut self, now: Instant) {
        [&mut self.warning, &mut self.news].into_iter().for_each(|told| drop(told.take_if(|(_, until)| *until <= now)));
    }

    /// The next moment at which something changes by itself.
    pub(super) fn next_change(&self, now: Instant) -> Option<Instant> {
        let told = [&self.warning, &self.news].into_iter().flatten().map(|(_, until)| *until);
        let question = self.request.as_ref().filter(|request| request.from > now).map(|request| tick(request.from - now, 1));
        let ends = self.sessions.iter().flat_map(|session| &session.ends).filter(|(_, end)| *end > now);
        let timers = ends.map(|(_, end)| tick(*end - now, if *end - now > MINUTE { 60 } else { 1 }));
        told.chain(question.into_iter().chain(timers).map(|wait| now + wait)).min()
    }

    /// What the person said since, as lines for the host.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    // What the person does.

    /// Lets the one who asks in, with what is ticked. Nothing happens before the pause is over.
    pub(super) fn accept(&mut self, now: Instant) {
        if let Some(request) = &self.request
            && request.from <= now
            && request.given != Permissions::NONE
        {
            // "view, point" is one list.
            self.lines.push(format!("accept {}", request.given.without_blind()));
        }
    }

    /// Sends them away.
    pub(super) fn deny(&mut self) {
        self.say("deny");
    }

    /// Says a chat line.
    pub(super) fn chat(&mut self, text: &str) {
        let text = words::plain(text);
        if !text.trim().is_empty() {
            self.lines.push(format!("chat {}", text.trim()));
        }
    }

    /// Gives or takes a permission.
    pub(super) fn permit(&mut self, permissions: &[Permission], give: bool) {
        let names: Vec<&str> = permissions.iter().map(|permission| permission.name()).collect();
        self.lines.push(format!("{} {}", if give { "allow" } else { "revoke" }, names.join(",")));
    }

    /// Gives a permission for a while.
    pub(super) fn lend(&mut self, permission: Permission, time: &str) {
        self.lines.push(format!("allow {} for {time}", permission.name()));
    }

    /// Sends a file. False: a line cannot name it.
    pub(super) fn send_file(&mut self, path: &str) -> bool {
        let path = path.trim();
        let is_name = !path.is_empty() && !path.contains(['"', '\n', '\r']);
        if is_name {
            self.lines.push(format!("send \"{path}\""));
        }
        is_name
    }

    /// A password of the person's own choice. Not kept here.
    pub(super) fn own_password(&mut self, password: &str) {
        self.lines.push(format!("password {password}"));
    }

    /// Says a line that has no arguments.
    pub(super) fn say(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    /// The person read that the session is finished.
    pub(super) fn close_finished(&mut self) {
        self.finished = None;
    }
}

impl Session {
    fn new(name: String, viewer: Viewer, permissions: Permissions) -> Self {
        Self {
            name,
            viewer,
            permissions,
            ends: Vec::new(),
            holder: Holder::Local,
            path: String::new(),
            chat: VecDeque::new(),
            delivered: 0,
            files: VecDeque::new(),
            screens: Vec::new(),
            shown: Choice::All,
            pointing: None,
        }
    }

    fn hear(&mut self, from: Side, number: u64, at: &str, text: &str) {
        // RFC 3339: the time of day without seconds.
        let at = at.get(11..16).unwrap_or_default().to_owned();
        self.chat.push_back(Said { from, number, at, text: words::plain(text) });
        if self.chat.len() > MAX_CHAT {
            self.chat.pop_front();
        }
    }

    fn carry(&mut self, mut transfer: Transfer) {
        transfer.name = words::plain(&transfer.name);
        transfer.reason = transfer.reason.map(|reason| words::plain(&reason));
        let same = |other: &&mut Transfer| (other.number, other.from) == (transfer.number, transfer.from);
        if let Some(known) = self.files.iter_mut().find(same) {
            *known = transfer;
        } else {
            self.files.push_back(transfer);
            if self.files.len() > MAX_FILES {
                self.files.pop_front();
            }
        }
    }

    /// Whether this viewer drives now.
    pub(super) fn drives(&self) -> bool {
        self.holder == Holder::Remote && self.permissions.may_control()
    }

    /// Whether it sees the screen now.
    pub(super) fn sees(&self) -> bool {
        self.permissions.contains(Permission::View)
    }

    /// How long it still has this permission, if that ends by itself.
    pub(super) fn left(&self, permission: Permission, now: Instant) -> Option<Duration> {
        let end = self.ends.iter().find(|(other, _)| *other == permission)?.1;
        Some(end.saturating_duration_since(now))
    }

    /// `controls your computer`, `sees your screen`, or less.
    pub(super) fn does(&self) -> &'static str {
        if self.drives() {
            "controls your computer"
        } else if self.sees() {
            "sees your screen"
        } else {
            "is connected and sees nothing"
        }
    }
}

/// How long until a countdown, of which so much is left, shows another number: it shows whole units of so many seconds, rounded up.
fn tick(left: Duration, unit: u64) -> Duration {
    let rest = left.as_millis() % (u128::from(unit) * 1000);
    Duration::from_millis(u64::try_from(rest).unwrap_or(0) + 1)
}

/// A stranger's name cannot pretend to be something else.
fn clean(mut viewer: Viewer) -> Viewer {
    viewer.name = words::plain(&viewer.name);
    viewer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::event::Timer;

    fn s1() -> String {
        "s1".to_owned()
    }

    fn anna() -> Viewer {
        Viewer { name: "Anna\u{202e}".to_owned(), key: "1a2b3c4d".to_owned(), known: false, since: None }
    }

    fn asked(now: Instant, pause: u64) -> Model {
        let mut model = Model::default();
        let wants = "control".parse().expect("permissions");
        model.follow(HostEvent::Request { session: s1(), viewer: anna(), wants, code: "123 456".to_owned(), pause }, now);
        model
    }

    #[test]
    fn a_yes_is_said_after_the_pause_with_what_is_ticked_and_never_before() {
        let now = Instant::now();
        let mut model = asked(now, 10);
        model.accept(now + Duration::from_secs(9));
        assert!(model.take_lines().is_empty());
        model.request.as_mut().expect("asked").given.remove(Permission::Keyboard);
        model.accept(now + Duration::from_secs(10));
        assert_eq!(model.take_lines(), ["accept view, mouse"]);
        model.request.as_mut().expect("asked").given = Permissions::NONE;
        model.accept(now + Duration::from_secs(10));
        assert!(model.take_lines().is_empty(), "nothing ticked is no yes");
    }

    #[test]
    fn a_click_that_was_meant_for_something_else_is_no_yes() {
        let now = Instant::now();
        let mut model = asked(now, 0);
        model.accept(now + HASTE / 2);
        assert!(model.take_lines().is_empty());
        model.accept(now + HASTE);
        assert_eq!(model.take_lines().len(), 1);
    }

    #[test]
    fn a_permission_for_a_while_counts_down_by_minutes_and_in_the_last_one_by_seconds() {
        let now = Instant::now();
        let mut model = asked(now, 0);
        model.follow(HostEvent::SessionStarted { session: s1(), viewer: anna(), permissions: Permissions::all() }, now);
        let timers = vec![Timer { permission: Permission::Mouse, seconds: 600 }];
        model.follow(HostEvent::Permissions { session: s1(), permissions: Permissions::all(), timers }, now);
        let at = |seconds| now + Duration::from_millis(seconds * 1000 + 500);
        let wakes = |seconds: u64| model.next_change(at(seconds)).map(|next| next - at(seconds));
        assert_eq!(model.sessions[0].left(Permission::Mouse, at(0)), Some(Duration::from_millis(599_500)));
        assert_eq!(model.sessions[0].left(Permission::Files, at(0)), None);
        assert_eq!(wakes(0), Some(Duration::from_millis(59_501)));
        assert_eq!(wakes(590), Some(Duration::from_millis(501)));
        assert_eq!(wakes(601), None);
        model.lend(Permission::Mouse, "10m");
        assert!(model.send_file(" /tmp/a b ") && !model.send_file("a\"b") && !model.send_file(" "));
        assert_eq!(model.take_lines(), ["allow mouse for 10m", "send \"/tmp/a b\""]);
    }

    #[test]
    fn a_countdown_wakes_each_second_and_then_no_more() {
        let now = Instant::now();
        let model = asked(now, 2);
        assert!(model.next_change(now).is_some_and(|next| next <= now + Duration::from_secs(1)));
        assert_eq!(model.next_change(now + Duration::from_secs(3)), None);
    }

    #[test]
    fn what_a_stranger_wrote_is_neutral_and_bounded() {
        let now = Instant::now();
        let mut model = asked(now, 0);
        assert_eq!(model.request.as_ref().expect("asked").viewer.name, "Anna\u{fffd}");
        model.follow(HostEvent::SessionStarted { session: s1(), viewer: anna(), permissions: Permissions::all() }, now);
        for number in 1..=500 {
            let (at, text) = ("2026-11-20T14:05:06+01:00".to_owned(), "\u{1b}[2J".to_owned());
            model.follow(HostEvent::Chat { session: s1(), from: Side::Viewer, number, at, text }, now);
        }
        let session = &model.sessions[0];
        assert_eq!((session.chat.len(), session.chat[0].number), (MAX_CHAT, 301));
        assert_eq!((session.chat[0].text.as_str(), session.chat[0].at.as_str()), ("\u{fffd}[2J", "14:05"));
    }

    #[test]
    fn the_state_is_what_the_host_told_last() {
        let now = Instant::now();
        let mut model = asked(now, 0);
        model.follow(HostEvent::SessionStarted { session: s1(), viewer: anna(), permissions: Permissions::all() }, now);
        assert!(model.request.is_none() && !model.sessions[0].drives());
        model.follow(HostEvent::Control { session: s1(), holder: Holder::Remote }, now);
        assert_eq!(model.sessions[0].does(), "controls your computer");
        model.permit(&[Permission::Mouse, Permission::Keyboard], false);
        assert_eq!(model.sessions[0].does(), "controls your computer", "until the host says otherwise");
        assert_eq!(model.take_lines(), ["revoke mouse,keyboard"]);
        let reason = EndReason::ViewerLeft;
        model.follow(HostEvent::SessionEnded { session: s1(), reason, seconds: 5, summary: Summary::default() }, now);
        assert!(model.sessions.is_empty() && model.finished.as_ref().is_some_and(|end| end.viewer == "Anna\u{fffd}"));
    }

    #[test]
    fn a_chat_line_is_one_line() {
        let mut model = Model::default();
        model.chat(" hello\nquit ");
        model.chat("  ");
        assert_eq!(model.take_lines(), ["chat hello quit"]);
    }
}
