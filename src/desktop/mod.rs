//! The host's screen, pointer and keyboard.
//!
//! Two traits, each with a real and a pattern/recording implementation: [`Screen`] gives pictures, [`Injector`] does what the
//! viewer asks. [`capture`] runs a screen and the encoder on a thread of their own, [`inject`] an injector, and [`takeover`]
//! watches for the person at the machine, and [`clipboard`] for what is copied. Platform code sits behind `cfg` in this folder and nowhere else.

pub mod capture;
pub mod clipboard;
pub mod guard;
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
    protocol::{
        input::InputEvent,
        message::CursorShape,
        screens::{Choice, ScreenInfo},
    },
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
    /// [`Screen::view`] is another one.
    View,
    /// The pointer looks different.
    CursorShape(CursorShape),
    /// The pointer is at this pixel of the picture, or [`ELSEWHERE`](crate::protocol::message::ELSEWHERE).
    CursorPosition {
        /// Pixels from the left.
        x: u16,
        /// Pixels from the top.
        y: u16,
    },
}

/// The screens there are, and which part of the desktop the picture shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Those that may be shown; at least one, and at most [`MAX_SCREENS`](crate::protocol::screens::MAX_SCREENS).
    pub screens: Vec<ScreenInfo>,
    /// Whether all of them may be shown in one picture.
    pub offers_all: bool,
    /// What is shown.
    pub shown: Choice,
    /// The picture's left edge on the desktop.
    pub x: u16,
    /// The picture's top edge on the desktop.
    pub y: u16,
    /// The picture's size.
    pub size: Size,
}

impl View {
    /// A desktop of one screen that is all there is to see.
    #[must_use]
    pub fn single(name: &str, size: Size) -> Self {
        let Size { width, height } = size;
        let screen = ScreenInfo { name: ScreenInfo::clean_name(name), x: 0, y: 0, width, height, primary: true };
        Self { screens: vec![screen], offers_all: true, shown: Choice::All, x: 0, y: 0, size }
    }

    /// Whether the same pixels of the desktop are at the same place of the picture.
    #[must_use]
    pub fn shows_same_place(&self, other: &Self) -> bool {
        (self.x, self.y, self.size) == (other.x, other.y, other.size)
    }

    /// The pixel of the desktop that is at this pixel of the picture, or at the nearest one that the picture has.
    #[must_use]
    pub fn on_desktop(&self, x: u16, y: u16) -> (u16, u16) {
        let inside = |at: u16, length: u16| at.min(length.saturating_sub(1));
        (self.x.saturating_add(inside(x, self.size.width)), self.y.saturating_add(inside(y, self.size.height)))
    }
}

/// Ends a [`Screen::wait`] from another thread.
pub type Wake = std::sync::Arc<dyn Fn() + Send + Sync>;

/// Something that shows pictures. Made and used on one thread (scrap's is not `Send`).
pub trait Screen {
    /// What there is to see, and what the next picture shows of it.
    fn view(&self) -> &View;

    /// Shows something else from now on; [`Sight::View`] follows. What was never offered changes nothing.
    ///
    /// # Errors
    /// The screen is gone for good.
    fn show(&mut self, choice: Choice) -> Result<(), DesktopError>;

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

/// Something that takes input. Coordinates are pixels of the desktop: see [`View::on_desktop`].
pub trait Injector {
    /// Does `event`.
    ///
    /// # Errors
    /// The desktop does not take it.
    fn inject(&mut self, event: &InputEvent) -> Result<(), DesktopError>;

    /// The viewer drives no more, for now: has what only followed its keyboard as it was before, unless somebody here changed it.
    ///
    /// # Errors
    /// The desktop does not take it.
    fn put_back(&mut self) -> Result<(), DesktopError> {
        Ok(())
    }

    /// The first character since the last call that nothing here could type.
    fn take_untyped(&mut self) -> Option<char> {
        None
    }
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
    let size = open_screen(options)?.view().size;
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
