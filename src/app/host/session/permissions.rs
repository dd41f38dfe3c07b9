//! What the viewer may do and who drives, at the host: every change is enforced, sent and told here.

use std::time::{Duration, Instant};

use super::HostSession;
use crate::{
    protocol::{message::Message, permission::Permission},
    ui::event::HostEvent,
};

impl HostSession {
    pub(super) fn allow(&mut self, permissions: &[Permission], lasting: Option<Duration>) {
        self.grants.allow(Instant::now(), permissions, lasting);
        self.changed_permissions();
        if permissions.iter().any(|permission| matches!(permission, Permission::Mouse | Permission::Keyboard)) {
            self.give_control();
        }
    }

    pub(super) fn give_control(&mut self) {
        self.open_hands();
        if self.helm.has_hands() && self.helm.give(Instant::now()) {
            self.announce_holder();
        }
    }

    pub(super) fn changed_permissions(&mut self) {
        self.helm.halt();
        self.pause_unless_permitted();
        self.clipboard.permit(self.grants.permissions().contains(Permission::Clipboard));
        self.forbid_files_unless_permitted();
        self.announce_permissions();
        let (session, permissions) = (self.name.clone(), self.grants.permissions());
        self.tell(HostEvent::Permissions { session, permissions, timers: self.grants.timers(Instant::now()) });
        if !permissions.may_control() {
            self.take_control();
        }
        self.point(None);
    }

    pub(super) fn announce_permissions(&mut self) {
        let timers = self.grants.timers(Instant::now());
        let _ = self.driver.send(Message::Permissions(self.grants.permissions(), timers));
    }

    /// The screen is looked at only for a viewer that may see it.
    pub(super) fn pause_unless_permitted(&self) {
        if let Some(capture) = &self.capture {
            capture.pause(!self.grants.permissions().contains(Permission::View));
        }
    }

    /// The person takes control with a word.
    pub(super) fn take_control(&mut self) {
        if self.helm.take() {
            self.announce_holder();
        }
    }

    pub(super) fn announce_holder(&mut self) {
        let holder = self.helm.holder();
        let _ = self.driver.send(Message::Control(holder));
        self.tell(HostEvent::Control { session: self.name.clone(), holder });
        self.point(None);
    }
}
