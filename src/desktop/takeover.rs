//! Watches for the person at the machine: real mouse and keyboard input, told apart from injected input.

use tokio::sync::mpsc;

use super::{DesktopError, capture::Options};

/// The person at the machine moved the mouse or pressed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nudge;

/// A running watcher. Dropping it stops it.
pub struct Takeover;

impl Takeover {
    /// Watches the display of `options`; sends at most one [`Nudge`] per 50 ms. A full channel drops nudges.
    ///
    /// # Errors
    /// In one line why; without it the person cannot take control by moving the mouse.
    pub fn start(_options: Options, _nudges: mpsc::Sender<Nudge>) -> Result<Self, DesktopError> {
        unimplemented!()
    }
}
