//! Files at the viewer.

use super::Session;
use crate::{
    protocol::{message::EndReason, transfer::FileMessage},
    ui::event::{ViewerAction, ViewerEvent},
};

impl Session {
    /// What the user does with files.
    pub(super) fn file_action(&mut self, action: ViewerAction) {
        let driver = &mut self.driver;
        let (number, known) = match action {
            ViewerAction::Send(paths) => return self.files.send(paths),
            ViewerAction::Fetch(path) => return self.files.fetch(path, driver),
            ViewerAction::Save(number) => (number, self.files.save(number, driver)),
            ViewerAction::Refuse(number) => (number, self.files.refuse(number, driver)),
            ViewerAction::Cancel(number) => (number, self.files.cancel(number, driver)),
            _ => return,
        };
        if !known {
            self.warn(format!("there is no file {number} that waits for that"));
        }
        self.tell_files();
    }

    pub(super) fn file_message(&mut self, message: FileMessage) {
        let is_fine = self.files.message(message, true, &mut self.driver);
        self.judge(is_fine);
    }

    pub(super) fn file_chunk(&mut self, chunk: &[u8]) {
        let is_fine = self.files.chunk(chunk, &mut self.driver);
        self.judge(is_fine);
    }

    pub(super) fn pause_files(&mut self, paused: bool) {
        self.files.paused(paused);
        self.tell_files();
    }

    pub(super) fn tell_files(&mut self) {
        while let Some(transfer) = self.files.news() {
            self.faces.tell(&ViewerEvent::File(transfer));
        }
    }

    fn judge(&mut self, is_fine: bool) {
        if !is_fine {
            self.driver.end(EndReason::ProtocolError);
        }
        self.tell_files();
    }
}
