//! The host's screen, pointer and keyboard.
//!
//! Two traits, each with a real and a pattern/recording implementation: [`Screen`] gives pictures, [`Injector`] does what the
//! viewer asks. [`capture`] runs a screen and the encoder on a thread of their own, [`inject`] an injector, and [`takeover`]
//! watches for the person at the machine. Platform code sits behind `cfg` in this folder and nowhere else.

pub mod capture;
pub mod inject;
mod keys;
pub mod pattern;
#[cfg(all(target_os = "linux", feature = "scrap"))]
mod scrap;
pub mod takeover;
#[cfg(target_os = "linux")]
mod x11;

use std::{sync::mpsc, thread, time::Duration};

use capture::Options;

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

/// What of a desktop a viewer would get.
#[derive(Debug)]
pub struct Found {
    /// The picture's size.
    pub size: Size,
    /// Whether pointer and keyboard can be driven, or why not.
    pub input: Result<(), DesktopError>,
}

/// Opens screen and input as a session does, and lets both go. Not while a session drives: it would let go of what that holds.
///
/// # Errors
/// No usable screen: in one line why, and what to do.
pub fn probe(options: &Options) -> Result<Found, DesktopError> {
    let size = open_screen(options)?.size();
    Ok(Found { size, input: open_injector(options).map(drop) })
}

/// Opens the screen that `options` name. Call it on the thread that will use the screen.
fn open_screen(options: &Options) -> Result<Box<dyn Screen>, DesktopError> {
    match options.backend {
        Backend::Pattern => Ok(Box::new(pattern::PatternScreen::new(pattern::Desktop::shared()))),
        #[cfg(target_os = "linux")]
        Backend::Auto | Backend::X11 => Ok(Box::new(x11::X11Screen::open(options)?)),
        #[cfg(all(target_os = "linux", feature = "scrap"))]
        Backend::Scrap => Ok(Box::new(scrap::ScrapScreen::open(options)?)),
        #[cfg(not(all(target_os = "linux", feature = "scrap")))]
        _ => Err(missing()),
    }
}

/// Opens the pointer and keyboard that belong to that screen.
fn open_injector(options: &Options) -> Result<Box<dyn Injector>, DesktopError> {
    match options.backend {
        Backend::Pattern => Ok(Box::new(pattern::PatternInjector::new(pattern::Desktop::shared()))),
        #[cfg(target_os = "linux")]
        _ => Ok(Box::new(x11::X11Injector::open(options)?)),
        #[cfg(not(target_os = "linux"))]
        _ => Err(missing()),
    }
}

#[cfg(not(all(target_os = "linux", feature = "scrap")))]
fn missing() -> DesktopError {
    DesktopError("this program was built without that way to reach a screen; use --capture pattern for a test picture".into())
}

/// Runs `open` and then `run` on a new thread, for things that must stay on one thread. Returns when `open` is done, with what it
/// hands out.
fn spawn<S, O: Send + 'static>(
    name: &str,
    open: impl FnOnce() -> Result<(S, O), DesktopError> + Send + 'static,
    run: impl FnOnce(S) + Send + 'static,
) -> Result<(thread::JoinHandle<()>, O), DesktopError> {
    let (opened, outcome) = mpsc::sync_channel(1);
    let body = move || match open() {
        // The other side waits for exactly this message.
        Ok((state, out)) => match opened.send(Ok(out)) {
            Ok(()) => run(state),
            Err(_) => drop(state),
        },
        Err(error) => opened.send(Err(error)).unwrap_or_default(),
    };
    let thread = thread::Builder::new().name(name.into()).spawn(body);
    let thread = thread
        .map_err(|error| DesktopError(format!("no thread could be started ({error}); close other programs and try again")))?;
    let gone = |_| Err(DesktopError("the screen could not be opened; start `rs host` again".into()));
    outcome.recv().unwrap_or_else(gone).map(|out| (thread, out))
}
