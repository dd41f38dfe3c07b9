//! What the host's terminal knows, and what keys do to it. Without a terminal and without a clock, so that it can be tested.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::{
    protocol::{
        message::{Holder, MAX_CHAT},
        permission::{Permission, Permissions},
    },
    ui::{
        event::{HostAction, HostEvent, Reach, Side, Timer, Transfer, TransferState, Viewer},
        words,
    },
};

/// Chat lines and warnings remembered.
const MAX_NOTES: usize = 200;
/// Files on their way that are remembered.
const MAX_FILES: usize = 64;
/// For how long a switch gives a permission: for good, or for so many seconds.
const LASTING: [Option<u64>; 3] = [None, Some(600), Some(3600)];

/// Somebody who asks.
pub(super) struct Request {
    pub(super) viewer: Viewer,
    pub(super) wants: Permissions,
    pub(super) code: String,
    /// When a yes is taken.
    pub(super) patience: Instant,
    answered: bool,
}

impl Request {
    /// Seconds until a yes is taken.
    pub(super) fn pause(&self, now: Instant) -> u64 {
        seconds_until(self.patience, now)
    }
}

/// Somebody who is here.
pub(super) struct Session {
    pub(super) viewer: Viewer,
    pub(super) permissions: Permissions,
    /// The ends of those that have one.
    ends: Vec<(Permission, Instant)>,
    pub(super) holder: Holder,
    pub(super) path: String,
    /// What they see of several screens.
    pub(super) screens: Option<String>,
    /// Chat lines of ours that arrived.
    pub(super) delivered: u64,
    /// Files on their way.
    pub(super) files: VecDeque<Transfer>,
}

impl Session {
    /// `view, mouse (9 minutes left), keyboard`.
    pub(super) fn may(&self, now: Instant) -> String {
        let each = |permission: Permission| match self.ends.iter().find(|(other, _)| *other == permission) {
            Some((_, end)) => format!("{} ({} left)", permission.name(), words::duration(seconds_until(*end, now))),
            None => permission.name().to_owned(),
        };
        let list: Vec<String> = self.permissions.iter().map(each).collect();
        if list.is_empty() { "nothing at the moment".to_owned() } else { list.join(", ") }
    }
}

/// A line below the session's state.
pub(super) enum Note {
    /// Chat or a warning.
    Text(String),
    /// Our own chat line with this number.
    Ours(u64, String),
}

/// All of it.
#[derive(Default)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) password: Option<String>,
    pub(super) link: String,
    /// `ID@HOST:PORT`.
    pub(super) address: Option<String>,
    pub(super) reach: Option<Reach>,
    pub(super) request: Option<Request>,
    pub(super) session: Option<Session>,
    /// "The session is finished …" and what it transferred, until the next one.
    pub(super) finished: Vec<String>,
    /// Chat and warnings, oldest first.
    pub(super) notes: VecDeque<Note>,
    /// The chat line being typed.
    pub(super) entry: String,
    /// Whether `q` was pressed while somebody is here.
    pub(super) asks_to_quit: bool,
    /// Whether the keys 1 to 6 switch permissions.
    pub(super) switches: bool,
    /// For how long: a place in [`LASTING`].
    lasting: usize,
    actions: VecDeque<HostAction>,
}

impl Model {
    /// Whether the user did something that is not handed over yet.
    pub(super) fn has_action(&self) -> bool {
        !self.actions.is_empty()
    }

    /// The next of what the user did.
    pub(super) fn next_action(&mut self) -> Option<HostAction> {
        self.actions.pop_front()
    }

    /// Nobody wants to know any more.
    pub(super) fn forget_actions(&mut self) {
        self.actions.clear();
    }

    /// Whether seconds are counted down: then it looks different in a second.
    pub(super) fn counts_down(&self, now: Instant) -> bool {
        self.request.as_ref().is_some_and(|request| request.pause(now) > 0)
            || self.session.as_ref().is_some_and(|session| !session.ends.is_empty())
    }

    /// For how long a switch gives a permission; `None`: for good.
    pub(super) fn lasting(&self) -> Option<Duration> {
        LASTING[self.lasting].map(Duration::from_secs)
    }

    /// Follows what happens.
    pub(super) fn follow(&mut self, now: Instant, event: HostEvent) {
        match event {
            HostEvent::Ready { id, password, link, listen } => {
                self.address = words::at_address(&id, &listen);
                (self.id, self.password, self.link) = (id, password, link);
            }
            HostEvent::Reachable { kind } => self.reach = Some(kind),
            HostEvent::PasswordRotated { password } => self.password = Some(password),
            HostEvent::Request { viewer, wants, code, pause, .. } => {
                self.asks_to_quit = false;
                let patience = now + Duration::from_secs(pause.min(3600));
                self.request = Some(Request { viewer, wants, code, patience, answered: false });
            }
            HostEvent::RequestOver { .. } => self.request = None,
            HostEvent::SessionStarted { viewer, permissions, .. } => {
                (self.request, self.finished) = (None, Vec::new());
                self.notes.clear();
                self.session = Some(Session {
                    viewer,
                    permissions,
                    ends: Vec::new(),
                    holder: Holder::Remote,
                    path: String::new(),
                    screens: None,
                    delivered: 0,
                    files: VecDeque::new(),
                });
            }
            HostEvent::SessionEnded { reason, seconds, summary, .. } => {
                let why = words::reason(reason, Side::Host);
                self.finished = vec![
                    format!("The session is finished — {} ({why})", words::duration(seconds)),
                    format!("Transferred: {}", words::summary(&summary)),
                ];
                self.finished.extend(summary.log.map(|log| format!("The log is in {}", words::plain(&log.display().to_string()))));
                (self.request, self.session, self.asks_to_quit, self.switches) = (None, None, false, false);
                self.entry.clear();
            }
            HostEvent::Chat { from, number, ref at, .. } => {
                let text = format!("{} {}", words::clock(at), words::host(&event));
                self.note(if from == Side::Host { Note::Ours(number, text) } else { Note::Text(text) });
            }
            HostEvent::Warning { .. } => {
                self.request.iter_mut().for_each(|request| request.answered = false);
                self.note(Note::Text(words::host(&event)));
            }
            HostEvent::Stats { .. } | HostEvent::Clipboard { .. } | HostEvent::Stalled { .. } | HostEvent::Resumed { .. } => {
                self.note(Note::Text(words::host(&event)))
            }
            HostEvent::File { ref transfer, .. } => {
                let is_over = matches!(transfer.state, TransferState::Done | TransferState::Failed | TransferState::Refused);
                self.follow_file(transfer, is_over);
                if is_over {
                    self.note(Note::Text(words::host(&event)));
                }
            }
            HostEvent::Pointer { .. } => {}
            HostEvent::Path { .. }
            | HostEvent::Control { .. }
            | HostEvent::Permissions { .. }
            | HostEvent::Screens { .. }
            | HostEvent::ChatDelivered { .. } => self.session.iter_mut().for_each(|session| session.follow(now, &event)),
        }
    }

    fn follow_file(&mut self, transfer: &Transfer, is_over: bool) {
        let Some(Session { files, .. }) = &mut self.session else { return };
        let is_same = |other: &Transfer| (other.from, other.number) == (transfer.from, transfer.number);
        if is_over {
            files.retain(|other| !is_same(other));
        } else if let Some(known) = files.iter_mut().find(|other| is_same(other)) {
            known.clone_from(transfer);
        } else if files.len() < MAX_FILES {
            files.push_back(transfer.clone());
        }
    }

    fn note(&mut self, note: Note) {
        self.notes.push_back(note);
        if self.notes.len() > MAX_NOTES {
            self.notes.pop_front();
        }
    }

    /// What a key does now.
    pub(super) fn key(&mut self, now: Instant, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let quit = control && matches!(key.code, KeyCode::Char('c' | 'q'));
        if self.asks_to_quit {
            // Whatever is not a yes is a no.
            self.asks_to_quit = false;
            if quit || matches!(key.code, KeyCode::Char('y' | 'Y')) {
                self.actions.push_back(HostAction::Quit);
            }
        } else if quit {
            self.quit();
        } else if self.request.is_some() {
            self.answer(now, key.code);
        } else if self.session.is_some() {
            self.in_session(key.code, control);
        } else if let (KeyCode::Char(letter), false) = (key.code, control) {
            match letter.to_ascii_lowercase() {
                'r' => self.actions.push_back(HostAction::Rotate),
                'q' => self.quit(),
                _ => {}
            }
        }
    }

    fn quit(&mut self) {
        if self.session.is_some() {
            self.asks_to_quit = true;
        } else {
            self.actions.push_back(HostAction::Quit);
        }
    }

    /// The question stays until the host says that it is over: it may not take a yes yet.
    fn answer(&mut self, now: Instant, code: KeyCode) {
        let Some(request) = self.request.as_mut().filter(|request| !request.answered) else { return };
        let answer = match code {
            KeyCode::Char('y' | 'Y') if request.pause(now) == 0 => HostAction::Accept(None),
            KeyCode::Char('n' | 'N') => HostAction::Deny,
            _ => return,
        };
        request.answered = true;
        self.actions.push_back(answer);
    }

    fn in_session(&mut self, code: KeyCode, control: bool) {
        match (code, control) {
            (KeyCode::Char('e'), true) => self.actions.push_back(HostAction::End),
            (KeyCode::Char('g'), true) => self.actions.push_back(HostAction::GiveControl),
            (KeyCode::Char('t'), true) => self.actions.push_back(HostAction::TakeControl),
            (KeyCode::Char('p'), true) => self.switches = !self.switches,
            (code, false) if self.switches => self.switch(code),
            (KeyCode::Char('u'), true) => self.entry.clear(),
            (KeyCode::Char(letter), false) if self.entry.len() + letter.len_utf8() <= MAX_CHAT => self.entry.push(letter),
            (KeyCode::Backspace, _) => drop(self.entry.pop()),
            (KeyCode::Enter, _) if !self.entry.trim().is_empty() => {
                self.actions.push_back(HostAction::Chat(std::mem::take(&mut self.entry)));
            }
            _ => {}
        }
    }

    /// A key while the keys 1 to 6 switch permissions.
    fn switch(&mut self, code: KeyCode) {
        let Some(session) = &self.session else { return };
        match code {
            KeyCode::Char('t') => self.lasting = (self.lasting + 1) % LASTING.len(),
            KeyCode::Char(digit @ '1'..='6') => {
                let permission = Permission::ALL[digit as usize - '1' as usize];
                self.actions.push_back(if session.permissions.contains(permission) {
                    HostAction::Revoke(vec![permission])
                } else {
                    HostAction::Allow(vec![permission], self.lasting())
                });
            }
            _ => self.switches = false,
        }
    }
}

impl Session {
    fn follow(&mut self, now: Instant, event: &HostEvent) {
        match event {
            HostEvent::Path { kind, transport, .. } => self.path = words::plain(&format!("{kind}, {transport}")),
            HostEvent::Control { holder, .. } => self.holder = *holder,
            HostEvent::Permissions { permissions, timers, .. } => {
                let end = |timer: &Timer| (timer.permission, now + Duration::from_secs(timer.seconds.min(1 << 20)));
                (self.permissions, self.ends) = (*permissions, timers.iter().map(end).collect());
            }
            HostEvent::Screens { screens, .. } => self.screens = (screens.screens.len() > 1).then(|| words::shown(screens)),
            HostEvent::ChatDelivered { number, .. } => self.delivered = *number,
            _ => {}
        }
    }
}

/// Rounded up.
fn seconds_until(end: Instant, now: Instant) -> u64 {
    let left = end.saturating_duration_since(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
