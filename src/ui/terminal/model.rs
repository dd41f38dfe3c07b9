//! What the host's terminal knows, and what keys do to it. Without a terminal, so that it can be tested.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::{
    protocol::{
        message::{Holder, MAX_CHAT},
        permission::Permissions,
    },
    ui::{
        event::{HostAction, HostEvent, Reach, Side, Viewer},
        words,
    },
};

/// Chat lines and warnings remembered.
const MAX_NOTES: usize = 200;

/// Somebody who asks.
pub(super) struct Request {
    pub(super) viewer: Viewer,
    pub(super) wants: Permissions,
}

/// Somebody who is here.
pub(super) struct Session {
    pub(super) viewer: Viewer,
    pub(super) permissions: Permissions,
    pub(super) holder: Holder,
    pub(super) path: String,
    /// What they see of several screens.
    pub(super) screens: Option<String>,
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
    /// "The session is finished …", until the next one.
    pub(super) finished: Option<String>,
    /// Chat and warnings, oldest first.
    pub(super) notes: VecDeque<String>,
    /// The chat line being typed.
    pub(super) entry: String,
    /// Whether `q` was pressed while somebody is here.
    pub(super) asks_to_quit: bool,
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

    /// Follows what happens.
    pub(super) fn follow(&mut self, event: HostEvent) {
        match event {
            HostEvent::Ready { id, password, link, listen } => {
                self.address = words::at_address(&id, &listen);
                (self.id, self.password, self.link) = (id, password, link);
            }
            HostEvent::Reachable { kind } => self.reach = Some(kind),
            HostEvent::PasswordRotated { password } => self.password = Some(password),
            HostEvent::Request { viewer, wants, .. } => {
                self.asks_to_quit = false;
                self.request = Some(Request { viewer, wants });
            }
            HostEvent::RequestOver { .. } => self.request = None,
            HostEvent::Pointer { .. } => {}
            HostEvent::SessionStarted { viewer, permissions, .. } => {
                (self.request, self.finished) = (None, None);
                self.notes.clear();
                self.session = Some(Session { viewer, permissions, holder: Holder::Remote, path: String::new(), screens: None });
            }
            HostEvent::SessionEnded { reason, seconds, .. } => {
                let why = words::reason(reason, Side::Host);
                self.finished = Some(format!("The session is finished — {} ({why})", words::duration(seconds)));
                (self.request, self.session, self.asks_to_quit) = (None, None, false);
                self.entry.clear();
            }
            HostEvent::Path { ref kind, ref transport, .. } => {
                let path = words::plain(&format!("{kind}, {transport}"));
                self.session.iter_mut().for_each(|session| session.path.clone_from(&path));
            }
            HostEvent::Control { holder, .. } => self.session.iter_mut().for_each(|session| session.holder = holder),
            HostEvent::Permissions { permissions, .. } => {
                self.session.iter_mut().for_each(|session| session.permissions = permissions)
            }
            HostEvent::Screens { screens, .. } => {
                let seen = (screens.screens.len() > 1).then(|| words::shown(&screens));
                self.session.iter_mut().for_each(|session| session.screens.clone_from(&seen));
            }
            HostEvent::ChatDelivered { .. } => {}
            HostEvent::Chat { .. }
            | HostEvent::Stats { .. }
            | HostEvent::Warning { .. }
            | HostEvent::File { .. }
            | HostEvent::Clipboard { .. } => {
                self.notes.push_back(words::host(&event));
                if self.notes.len() > MAX_NOTES {
                    self.notes.pop_front();
                }
            }
        }
    }

    /// What a key does now.
    pub(super) fn key(&mut self, key: KeyEvent) {
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
            self.answer(key.code);
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

    fn answer(&mut self, code: KeyCode) {
        let answer = match code {
            KeyCode::Char('y' | 'Y') => HostAction::Accept(None),
            KeyCode::Char('n' | 'N') => HostAction::Deny,
            _ => return,
        };
        self.actions.push_back(answer);
        self.request = None;
    }

    fn in_session(&mut self, code: KeyCode, control: bool) {
        match (code, control) {
            (KeyCode::Char('e'), true) => self.actions.push_back(HostAction::End),
            (KeyCode::Char('g'), true) => self.actions.push_back(HostAction::GiveControl),
            (KeyCode::Char('t'), true) => self.actions.push_back(HostAction::TakeControl),
            (KeyCode::Char('u'), true) => self.entry.clear(),
            (KeyCode::Char(letter), false) if self.entry.len() + letter.len_utf8() <= MAX_CHAT => self.entry.push(letter),
            (KeyCode::Backspace, _) => drop(self.entry.pop()),
            (KeyCode::Enter, _) if !self.entry.trim().is_empty() => {
                self.actions.push_back(HostAction::Chat(std::mem::take(&mut self.entry)));
            }
            _ => {}
        }
    }
}
