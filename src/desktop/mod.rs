//! The host's screen, pointer and keyboard.
//!
//! Two traits, each with a real and a pattern/recording implementation: [`Screen`] gives pictures, [`Injector`] does what the
//! viewer asks. [`capture`] runs a screen and the encoder on a thread of their own, [`inject`] an injector, and [`takeover`]
//! watches for the person at the machine. Platform code sits behind `cfg` in this folder and nowhere else.

pub mod capture;
pub mod inject;
pub mod takeover;

use std::time::Duration;

use crate::{
    protocol::{input::InputEvent, message::CursorShape},
    video::frame::{Damage, Frame, Size},
};

/// The screen cannot be captured or driven; the text says why and what to do, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DesktopError(pub String);

/// How the screen is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Backend {
    /// The best one that works here.
    #[default]
    Auto,
    /// X11 with DAMAGE and shared memory.
    X11,
    /// The `scrap` crate.
    Scrap,
    /// A moving test picture, for machines without a screen.
    Pattern,
}

/// What a [`Screen`] noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The time ran out or [`Wake`] was called; nothing is new.
    Nothing,
    /// The screen changed (or changed its size): call [`Screen::grab`].
    Damaged,
    /// The pointer looks different.
    CursorShape(CursorShape),
    /// The pointer is at this pixel of the picture.
    CursorPosition {
        /// Pixels from the left.
        x: u16,
        /// Pixels from the top.
        y: u16,
    },
}

/// Ends a [`Screen::wait`] from another thread.
pub type Wake = std::sync::Arc<dyn Fn() + Send + Sync>;

/// Something that shows pictures. Made and used on one thread (scrap's is not `Send`).
pub trait Screen {
    /// The picture's size now.
    fn size(&self) -> Size;

    /// Waits until something is new, but no longer than `timeout` (`None`: until [`Wake`]). An idle screen costs nothing.
    ///
    /// # Errors
    /// The screen is gone for good.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Sight, DesktopError>;

    /// Brings `frame` up to date (resizing it when the screen's size changed) and tells where it may have changed since the
    /// last call. `frame` must be the one of the last call; a new or resized frame is filled whole.
    ///
    /// # Errors
    /// The screen is gone for good.
    fn grab(&mut self, frame: &mut Frame) -> Result<Damage, DesktopError>;

    /// A handle that ends [`Screen::wait`].
    fn wake(&self) -> Wake;
}

/// Something that takes input. Coordinates are pixels of the shared picture.
pub trait Injector {
    /// Does `event`.
    ///
    /// # Errors
    /// The desktop does not take it.
    fn inject(&mut self, event: &InputEvent) -> Result<(), DesktopError>;
}
