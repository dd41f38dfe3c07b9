//! What is copied, at the host.

use super::HostSession;
use crate::{app::clipboard::Told, protocol::message::Message, ui::event::HostEvent};

impl HostSession {
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
            Told::Shared(from, copied) => self.tell(HostEvent::Clipboard { session: self.name.clone(), from, copied }),
            Told::Warning(text) => self.warn(text),
        }
    }
}
