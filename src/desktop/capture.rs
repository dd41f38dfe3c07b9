//! The capture thread: a screen and an encoder that give a picture whenever there is credit and something changed.

use tokio::sync::mpsc;

use super::{Backend, DesktopError};
use crate::{protocol::message::CursorShape, video::frame::Size};

/// Which screen, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// How it is read.
    pub backend: Backend,
    /// Which monitor, counted from 0 in RANDR's order; `None`: the whole screen.
    pub display: Option<usize>,
}

/// What the thread tells.
#[derive(Debug)]
pub enum CaptureEvent {
    /// An encoded picture; used up one [`Capture::want_picture`].
    Picture(Vec<u8>),
    /// The pointer looks different.
    CursorShape(CursorShape),
    /// The pointer is at this pixel of the picture.
    CursorPosition {
        /// Pixels from the left.
        x: u16,
        /// Pixels from the top.
        y: u16,
    },
    /// The screen is gone; nothing follows.
    Failed(DesktopError),
}

/// A running capture thread. Dropping it stops it.
pub struct Capture;

impl Capture {
    /// Opens the screen, tells its size and starts. Blocks until the screen is open.
    ///
    /// # Errors
    /// No usable screen: in one line why, and what to do.
    pub fn start(_options: Options, _events: mpsc::Sender<CaptureEvent>) -> Result<(Self, Size), DesktopError> {
        unimplemented!()
    }

    /// Gives credit for one more picture: the next change is encoded and told at once.
    pub fn want_picture(&self) {
        unimplemented!()
    }
}
