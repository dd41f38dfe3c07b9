//! The X11 desktop: the connection, and the parts that build on it.
//!
//! Everything X11 gets its display's name as an argument; [`Display::open`] alone looks at the environment.

mod chord;
mod devices;
mod glass;
mod injector;
mod keyboard;
mod layout;
mod locks;
mod marks;
mod memory;
mod monitors;
mod person;
mod pixels;
mod presses;
mod rects;
mod screen;
mod selection;
#[cfg(test)]
mod tests;
mod text;
mod watch;

use std::{env, fmt, os::fd::AsFd, sync::Arc, time::Duration};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fd::OwnedFd,
    io::Errno,
};
use x11rb::{
    connection::{Connection, RequestConnection},
    protocol::xproto::Window,
    rust_connection::RustConnection,
};

pub(super) use glass::Glass;
pub(super) use injector::X11Injector;
pub(super) use person::Person;
pub(super) use screen::X11Screen;
pub(super) use selection::Selection;
pub(super) use watch::Watch;

use super::DesktopError;
use crate::video::frame::Size;

/// A connection to an X server, and the screen that it names.
pub(super) struct Display {
    pub(super) x: RustConnection,
    pub(super) root: Window,
    /// The screen's number.
    number: usize,
}

/// A part of the root window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    /// Pixels from the root's left edge.
    pub(super) x: i16,
    /// Pixels from the root's top edge.
    pub(super) y: i16,
    /// Its size.
    pub(super) size: Size,
}

impl Display {
    /// Connects to `name`, or to the display of this session.
    pub(super) fn open(name: Option<&str>) -> Result<Self, DesktopError> {
        if name.is_none() && env::var_os("DISPLAY").is_none_or(|name| name.is_empty()) {
            return Err(DesktopError(no_display().into()));
        }
        let (x, number) = x11rb::connect(name).map_err(|error| {
            DesktopError(format!(
                "the X11 screen cannot be opened ({error}); check DISPLAY and its access rights, or use --capture pattern"
            ))
        })?;
        let root = x.setup().roots[number].root;
        Ok(Self { x, root, number })
    }

    /// The server's description of the screen.
    fn screen(&self) -> &x11rb::protocol::xproto::Screen {
        &self.x.setup().roots[self.number]
    }

    /// Refuses a server without `extension`.
    fn require(&self, extension: &'static str) -> Result<(), DesktopError> {
        match self.x.extension_information(extension).map_err(lost)? {
            Some(_) => Ok(()),
            None => Err(DesktopError(format!("this X server has no {extension} extension; turn it on, or use --capture pattern"))),
        }
    }

    /// Sleeps until the server says something, `wake` is written, or the time is over.
    fn sleep(&self, wake: &WakeFd, timeout: Option<Duration>) -> Result<(), DesktopError> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let fds = &mut [PollFd::new(self.x.stream(), PollFlags::IN), PollFd::new(&wake.0, PollFlags::IN)];
        match poll(fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(lost(error)),
        }
    }
}

/// Ends [`Display::sleep`] from another thread.
#[derive(Clone)]
pub(super) struct WakeFd(Arc<OwnedFd>);

impl WakeFd {
    pub(super) fn new() -> Result<Self, DesktopError> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        fd.map(|fd| Self(Arc::new(fd)))
            .map_err(|error| DesktopError(format!("no file descriptor is free ({error}); close other programs")))
    }

    pub(super) fn wake(&self) {
        // Fails only when it is as full as can be, and then it wakes anyway.
        let _ = rustix::io::write(self.0.as_fd(), &1_u64.to_ne_bytes());
    }

    /// Whether it was woken since the last call.
    fn take(&self) -> bool {
        rustix::io::read(self.0.as_fd(), &mut [0; 8]).is_ok()
    }
}

/// The connection broke, or the server no longer does what it did.
fn lost(error: impl fmt::Display) -> DesktopError {
    DesktopError(format!("the X11 screen is gone ({error}); start `rs host` again when the desktop is back"))
}

fn no_display() -> &'static str {
    let is_wayland =
        env::var_os("WAYLAND_DISPLAY").is_some() || env::var_os("XDG_SESSION_TYPE").is_some_and(|kind| kind == "wayland");
    if is_wayland {
        "this is a Wayland session, whose screen rs cannot capture yet; log in with an X11 session, or use --capture pattern"
    } else {
        "there is no screen here (DISPLAY is not set); run rs inside a graphical session, or use --capture pattern"
    }
}
