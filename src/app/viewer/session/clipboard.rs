//! What is copied, at the viewer.

use std::{io::Write, path::Path};

use super::Session;
use crate::{
    app::clipboard::Told,
    ui::{event::ViewerEvent, whole},
};

impl Session {
    pub(super) fn tell_copied(&mut self) {
        while let Some(told) = self.clipboard.news() {
            match told {
                Told::Shared(from, copied) => self.faces.tell(&ViewerEvent::Clipboard { from, copied }),
                Told::Warning(text) => self.warn(text),
            }
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
