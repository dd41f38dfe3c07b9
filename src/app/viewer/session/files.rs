//! Files at the viewer.

use super::Session;
use crate::ui::event::{ViewerAction, ViewerEvent};

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
    }

    pub(super) fn tell_files(&mut self) {
        while let Some(transfer) = self.files.news() {
            self.faces.tell(&ViewerEvent::File(transfer));
        }
    }
}
