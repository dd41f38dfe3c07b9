//! Watches for the person at the machine: real mouse and keyboard input, told apart from injected input.
//!
//! The watcher sleeps until the display server reports input, and acts on its own thread: nothing stands between the person and what
//! their touch stops. The pattern desktop has no person, so its watcher never tells anything.

use std::thread::JoinHandle;

#[cfg(target_os = "linux")]
use std::sync::Arc;

use super::{Backend, DesktopError, Wake, capture::Options};
#[cfg(target_os = "linux")]
use super::{spawn, x11::Person};

/// What the person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Moved the mouse or pressed something.
    Touch,
    /// Pressed Ctrl+Alt+Shift+Escape: everything ends.
    Panic,
}

/// A running watcher. Dropping it stops it.
pub struct Takeover {
    watcher: Option<(JoinHandle<()>, Wake)>,
}

impl Takeover {
    /// Watches the display of `options`. Each act is passed on to `act`, on the watcher's thread, which must be quick about it; once that
    /// returns false nobody listens any more, and the watcher ends.
    ///
    /// # Errors
    /// In one line why; without it the person cannot take control by moving the mouse.
    pub fn start(options: Options, act: impl FnMut(Act) -> bool + Send + 'static) -> Result<Self, DesktopError> {
        if options.backend == Backend::Pattern {
            return Ok(Self { watcher: None });
        }
        watch(options, act)
    }
}

#[cfg(target_os = "linux")]
fn watch(options: Options, mut act: impl FnMut(Act) -> bool + Send + 'static) -> Result<Takeover, DesktopError> {
    let open = move || {
        let person = Person::open(&options)?;
        let wake = person.wake_fd();
        Ok((person, wake))
    };
    let run = move |mut person: Person| {
        loop {
            match person.wait() {
                Ok(Some(done)) if act(done) => {}
                Ok(_) => return,
                Err(error) => return tracing::warn!(%error, "moving the mouse no longer takes control back"),
            }
        }
    };
    let (thread, wake) = spawn("takeover", open, run)?;
    Ok(Takeover { watcher: Some((thread, Arc::new(move || wake.wake()))) })
}

#[cfg(not(target_os = "linux"))]
fn watch(_options: Options, _act: impl FnMut(Act) -> bool + Send + 'static) -> Result<Takeover, DesktopError> {
    Err(DesktopError("this platform cannot tell who moves the mouse; take control back in the panel".into()))
}

impl Drop for Takeover {
    fn drop(&mut self) {
        if let Some((thread, wake)) = self.watcher.take() {
            wake();
            // A panic in it was reported by the panic hook.
            let _ = thread.join();
        }
    }
}
