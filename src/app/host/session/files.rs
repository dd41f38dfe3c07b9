//! Files at the host: received and fetched by permission, sent whenever the host's own user says so.

use super::HostSession;
use crate::{
    protocol::{permission::Permission, transfer::FileMessage},
    ui::event::HostEvent,
};

impl HostSession {
    pub(super) fn file_message(&mut self, message: FileMessage) {
        let allowed = self.grants.permissions().contains(Permission::Files);
        self.files.message(message, allowed, &mut self.driver);
    }

    pub(super) fn cancel_file(&mut self, number: u32) {
        if !self.files.cancel(number, &mut self.driver) {
            self.warn(format!("there is no file {number} on its way"));
        }
    }

    /// What arrived of a file stays, for when it is allowed again.
    pub(super) fn forbid_files_unless_permitted(&mut self) {
        if !self.grants.permissions().contains(Permission::Files) {
            self.files.forbid(&mut self.driver);
        }
    }

    pub(super) fn tell_files(&mut self) {
        while let Some(transfer) = self.files.news() {
            self.tell(HostEvent::File { session: self.name.clone(), transfer });
        }
    }
}
