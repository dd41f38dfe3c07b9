//! The inject thread: does what the viewer asks, knows what is held, and lets go of it.

use super::{DesktopError, capture::Options};
use crate::protocol::input::InputEvent;

/// A running inject thread. Dropping it lets go of everything and stops it.
pub struct Inject;

impl Inject {
    /// Opens the pointer and keyboard that belong to the screen of `options`.
    ///
    /// # Errors
    /// In one line why, and what to do.
    pub fn start(_options: Options) -> Result<Self, DesktopError> {
        unimplemented!()
    }

    /// Queues an event. Newer motion replaces motion that still waits.
    pub fn send(&self, _event: InputEvent) {
        unimplemented!()
    }

    /// Drops what is queued and lets go of every held key and button, at once.
    pub fn halt(&self) {
        unimplemented!()
    }
}
