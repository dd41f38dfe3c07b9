//! Files at the host: received and fetched by permission, sent whenever the host's own user says so.

use super::HostSession;
use crate::{
    protocol::{message::EndReason, permission::Permission, transfer::FileMessage},
    ui::event::HostEvent,
};

impl HostSession {
    pub(super) fn file_message(&mut self, message: FileMessage) {
        let allowed = self.grants.permissions().contains(Permission::Files);
        let is_fine = self.files.message(message, allowed, &mut self.driver);
        self.judge(is_fine);
    }

    pub(super) fn file_chunk(&mut self, chunk: &[u8]) {
        let is_fine = self.files.chunk(chunk, &mut self.driver);
        self.judge(is_fine);
    }

    pub(super) fn cancel_file(&mut self, number: u32) {
        if !self.files.cancel(number, &mut self.driver) {
            self.warn(format!("there is no file {number} on its way"));
        }
        self.tell_files();
    }

    /// What arrived of a file stays, for when it is allowed again.
    pub(super) fn forbid_files_unless_permitted(&mut self) {
        if !self.grants.permissions().contains(Permission::Files) {
            self.files.forbid(&mut self.driver);
            self.tell_files();
        }
    }

    pub(super) fn pause_files(&mut self, paused: bool) {
        self.files.paused(paused);
        self.tell_files();
    }

    pub(super) fn tell_files(&mut self) {
        while let Some(transfer) = self.files.news() {
            self.tell(HostEvent::File { session: self.name.clone(), transfer });
        }
    }

    fn judge(&mut self, is_fine: bool) {
        if !is_fine {
            self.driver.end(EndReason::ProtocolError);
        }
        self.tell_files();
    }
}
