//! What is copied, at the host.

use super::HostSession;
use crate::{app::clipboard::Told, ui::event::HostEvent};

impl HostSession {
    pub(super) fn tell_copied(&mut self) {
        while let Some(told) = self.clipboard.news() {
            match told {
                Told::Shared(from, copied) => self.tell(HostEvent::Clipboard { session: self.name.clone(), from, copied }),
                Told::Warning(text) => self.warn(text),
            }
        }
    }
}
