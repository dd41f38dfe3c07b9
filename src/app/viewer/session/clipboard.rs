//! What is copied, at the viewer.

use std::{io::Write, path::Path};

use super::Session;
use crate::{
    app::clipboard::Told,
    protocol::message::Message,
    ui::{event::ViewerEvent, whole},
};

impl Session {
    /// Tells people what became of a copy, and the other side what there is to tell.
    pub(super) fn share(&mut self, told: Option<Told>) {
        while let Some(message) = self.clipboard.message() {
            if self.driver.send(Message::Clipboard(message)).is_err() {
                let unsent = self.clipboard.unsent();
                self.tell_copied(unsent);
            }
        }
        told.into_iter().for_each(|told| self.tell_copied(told));
    }

    pub(super) fn tell_copied(&mut self, told: Told) {
        match told {
            Told::Shared(from, copied) => self.faces.tell(&ViewerEvent::Clipboard { from, copied }),
            Told::Warning(text) => self.warn(text),
        }
    }

    /// Writes what was copied at the host into a file.
    pub(super) fn paste(&mut self, file: &Path) {
        let Some(content) = self.clipboard.kept() else {
            return self.warn("nothing was copied at the host since its clipboard is shared with this face".to_owned());
        };
        let saved = tokio::task::block_in_place(|| whole::save(file, |out| out.write_all(content.bytes())));
        match saved {
            Ok(()) => self.faces.tell(&ViewerEvent::Pasted { file: file.to_owned() }),
            Err(reason) => {
                self.warn(format!("what was copied cannot be saved to {} ({reason}); choose another file", file.display()))
            }
        }
    }
}
