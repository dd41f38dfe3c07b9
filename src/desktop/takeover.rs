//! Watches for the person at the machine: real mouse and keyboard input, told apart from injected input.
//!
//! The watcher sleeps until the display server reports input. The pattern desktop has no person, so its watcher never nudges.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{Backend, DesktopError, Wake, capture::Options};
#[cfg(target_os = "linux")]
use super::{spawn, x11::Person};

/// The shortest time between two nudges.
const GAP: Duration = Duration::from_millis(50);

/// The person at the machine moved the mouse or pressed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nudge;

/// A running watcher. Dropping it stops it.
pub struct Takeover {
    watcher: Option<(JoinHandle<()>, Wake)>,
}

impl Takeover {
    /// Watches the display of `options`; sends at most one [`Nudge`] per 50 ms. A full channel drops nudges.
    ///
    /// # Errors
    /// In one line why; without it the person cannot take control by moving the mouse.
    pub fn start(options: Options, nudges: mpsc::Sender<Nudge>) -> Result<Self, DesktopError> {
        if options.backend == Backend::Pattern {
            return Ok(Self { watcher: None });
        }
        watch(options, nudges)
    }
}

#[cfg(target_os = "linux")]
fn watch(options: Options, nudges: mpsc::Sender<Nudge>) -> Result<Takeover, DesktopError> {
    let open = move || {
        let person = Person::open(&options)?;
        let wake = person.wake_fd();
        Ok((person, wake))
    };
    let run = move |mut person: Person| {
        if let Err(error) = pass_on(&mut person, &nudges) {
            tracing::warn!(%error, "moving the mouse no longer takes control back");
        }
    };
    let (thread, wake) = spawn("takeover", open, run)?;
    Ok(Takeover { watcher: Some((thread, Arc::new(move || wake.wake()))) })
}

#[cfg(not(target_os = "linux"))]
fn watch(_options: Options, _nudges: mpsc::Sender<Nudge>) -> Result<Takeover, DesktopError> {
    Err(DesktopError("this platform cannot tell who moves the mouse; take control back in the panel".into()))
}

/// Until woken, or nobody listens.
#[cfg(target_os = "linux")]
fn pass_on(person: &mut Person, nudges: &mpsc::Sender<Nudge>) -> Result<(), DesktopError> {
    let mut not_before = Instant::now();
    while person.wait()? && !nudges.is_closed() {
        let now = Instant::now();
        if now >= not_before {
            not_before = now + GAP;
            // A full channel holds a nudge already.
            let _ = nudges.try_send(Nudge);
        }
    }
    Ok(())
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
