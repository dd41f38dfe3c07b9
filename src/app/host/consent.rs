//! The question to the host's user: who is asked about, when a yes is taken, and what becomes of those who wait behind.
//!
//! One question at a time. Somebody who never let anybody in may be on the phone with a liar right now: the first yes of all is not taken
//! before a pause is over, whatever the face says; a no is taken at once.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Host, SESSIONS,
    door::{self, Knock},
};
use crate::{
    protocol::{auth::DenyReason, permission::Permissions},
    ui::event::HostEvent,
};

impl Host {
    /// Somebody proved the password: ask the user, one at a time.
    pub(super) fn knock(&mut self, knock: Knock) {
        // A person looks after one visitor at a time: a question must never slip under the keys of a running chat.
        let room = if self.yes { self.sessions.len() < SESSIONS } else { self.sessions.is_empty() };
        if knock.epoch != self.secret.epoch() {
            let _ = knock.answer.send(Err(DenyReason::PasswordRotated));
        } else if !room || self.knocks.len() >= door::WAITING {
            let _ = knock.answer.send(Err(DenyReason::Full));
        } else if self.yes {
            let _ = knock.answer.send(Ok(knock.wants));
        } else {
            self.knocks.push_back(knock);
            if self.knocks.len() == 1 {
                self.ask();
            }
        }
    }

    fn ask(&mut self) {
        if let Some(knock) = self.knocks.front() {
            let (session, viewer, wants) = (knock.session.clone(), knock.viewer.clone(), knock.wants);
            let is_first = matches!(self.store.has_known_viewers(), Ok(false));
            let pause = if is_first { self.consent_pause } else { Duration::ZERO };
            let code = knock.code.to_string();
            (self.asked, self.patience) = (Some(session.clone()), Instant::now() + pause);
            self.tell(HostEvent::Request { session, viewer, wants, code, pause: pause.as_secs() });
        }
    }

    /// The viewer that the user is asked about left.
    pub(super) fn withdraw(&mut self) {
        if let Some(knock) = self.knocks.pop_front() {
            self.warn(format!("{} is no longer waiting", knock.viewer.name));
            self.asked_enough();
            self.knocks.retain(|knock| !knock.answer.is_closed());
            self.ask();
        }
    }

    /// The user's answer to the one who asks: everything they want, or only this of it.
    pub(super) fn answer(&mut self, answer: Result<Option<Permissions>, DenyReason>) {
        let is_yes = answer.is_ok();
        let left = self.patience.saturating_duration_since(Instant::now());
        if is_yes && !left.is_zero() && !self.knocks.is_empty() {
            let seconds = left.as_secs() + 1;
            return self
                .warn(format!("take your time: a yes is taken in {seconds} s. If somebody called you, hang up and type: deny"));
        }
        let Some(knock) = self.knocks.pop_front() else {
            return self.warn("nobody is asking to come in".to_owned());
        };
        let granted = answer.map(|only| only.map_or(knock.wants, |only| knock.wants.intersection(only).without_blind()));
        let _ = knock.answer.send(granted);
        self.asked_enough();
        if is_yes {
            self.send_away(DenyReason::Full);
        }
        self.ask();
    }

    /// The question is over.
    fn asked_enough(&mut self) {
        if let Some(session) = self.asked.take() {
            self.tell(HostEvent::RequestOver { session });
        }
    }

    /// Nobody who waits comes in.
    pub(super) fn send_away(&mut self, reason: DenyReason) {
        self.asked_enough();
        for knock in self.knocks.drain(..) {
            let _ = knock.answer.send(Err(reason));
        }
    }
}

/// Ends when the one who asks to come in left; never, when nobody asks.
pub(super) async fn withdrawn(first: Option<&mut Knock>) {
    match first {
        Some(knock) => knock.answer.closed().await,
        None => std::future::pending().await,
    }
}
