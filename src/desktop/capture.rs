//! The capture thread: a screen and an encoder that give a picture whenever there is credit and something changed.
//!
//! Rules:
//! - A picture needs credit *and* damage. Without credit the damage gathers in the screen, and the next picture is the newest screen
//!   against the last one told: pictures never queue.
//! - The first damage after a rest is captured at once; only continued damage is paced, [`GAP`] from one capture's start to the next.
//! - The pointer is told at once, apart from pictures and credit.
//! - The first picture is a keyframe of the whole screen.
//! - A static screen costs nothing: the thread sleeps until the screen, credit or the end wakes it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Backend, DesktopError, Screen, Sight, Wake, open_screen, spawn};
use crate::{
    protocol::message::CursorShape,
    video::{
        encoder::Encoder,
        frame::{Frame, Size},
    },
};

/// The shortest time between the starts of two captures: 60 in a second.
const GAP: Duration = Duration::from_micros(16_667);
/// More credit than this is not kept.
const MAX_CREDIT: u32 = 64;

/// Which screen, and how.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// How it is read.
    pub backend: Backend,
    /// Which monitor, counted from 0 in RANDR's order; `None`: the whole screen.
    pub display: Option<usize>,
    /// The X11 display's name; `None`: the one in `DISPLAY`.
    pub x_display: Option<String>,
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
pub struct Capture {
    credit: Arc<AtomicU32>,
    stop: CancellationToken,
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Opens the screen, tells its size and starts. Blocks until the screen is open.
    ///
    /// # Errors
    /// No usable screen: in one line why, and what to do.
    pub fn start(options: Options, events: mpsc::Sender<CaptureEvent>) -> Result<(Self, Size), DesktopError> {
        let (credit, stop) = (Arc::<AtomicU32>::default(), CancellationToken::new());
        let outlet = Outlet { events, stop: stop.clone() };
        let worker_credit = Arc::clone(&credit);
        let (thread, (wake, size)) = spawn(
            "capture",
            move || {
                let screen = open_screen(&options)?;
                let worker = Worker::new(screen, outlet.clone(), worker_credit)?;
                let opened = (worker.screen.wake(), worker.screen.size());
                Ok(((worker, outlet), opened))
            },
            |(worker, outlet)| run(worker, &outlet),
        )?;
        Ok((Self { credit, stop, wake, thread: Some(thread) }, size))
    }

    /// Gives credit for one more picture: the next change is encoded and told at once.
    pub fn want_picture(&self) {
        let more = |credit: u32| (credit < MAX_CREDIT).then(|| credit + 1);
        // An error means that the credit is full.
        let _ = self.credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        (self.wake)();
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.cancel();
        (self.wake)();
        if let Some(thread) = self.thread.take() {
            // It ends without a panic: `run` catches them.
            let _ = thread.join();
        }
    }
}

/// Where the thread's events go.
#[derive(Clone)]
struct Outlet {
    events: mpsc::Sender<CaptureEvent>,
    stop: CancellationToken,
}

impl Outlet {
    /// Waits for room in the channel, but not beyond the end.
    fn tell(&self, event: CaptureEvent) {
        let sent = futures::executor::block_on(self.stop.run_until_cancelled(self.events.send(event)));
        if !matches!(sent, Some(Ok(()))) {
            self.stop.cancel();
        }
    }
}

fn run(mut worker: Worker, outlet: &Outlet) {
    let unexpected = |_| Err(DesktopError("the screen capture stopped unexpectedly; start `rs host` again".into()));
    if let Err(error) = catch_unwind(AssertUnwindSafe(|| worker.work())).unwrap_or_else(unexpected) {
        outlet.tell(CaptureEvent::Failed(error));
    }
}

/// The thread's own things.
struct Worker {
    screen: Box<dyn Screen>,
    encoder: Encoder,
    frame: Frame,
    outlet: Outlet,
    credit: Arc<AtomicU32>,
    /// Whether the screen differs from the last picture told.
    is_damaged: bool,
    /// When the next picture may be captured.
    not_before: Instant,
}

impl Worker {
    fn new(screen: Box<dyn Screen>, outlet: Outlet, credit: Arc<AtomicU32>) -> Result<Self, DesktopError> {
        let encoder = Encoder::new().map_err(encoder_error)?;
        let frame = Frame::new(screen.size());
        Ok(Self { screen, encoder, frame, outlet, credit, is_damaged: true, not_before: Instant::now() })
    }

    fn work(&mut self) -> Result<(), DesktopError> {
        while !self.outlet.stop.is_cancelled() {
            match self.screen.wait(self.patience())? {
                Sight::Nothing => {}
                Sight::Damaged => self.is_damaged = true,
                Sight::CursorShape(shape) => self.outlet.tell(CaptureEvent::CursorShape(shape)),
                Sight::CursorPosition { x, y } => self.outlet.tell(CaptureEvent::CursorPosition { x, y }),
            }
            if self.patience() == Some(Duration::ZERO) {
                self.tell_picture()?;
            }
        }
        Ok(())
    }

    /// The time until a picture is due, if one is wanted.
    fn patience(&self) -> Option<Duration> {
        let is_wanted = self.is_damaged && self.credit.load(Ordering::Relaxed) > 0;
        is_wanted.then(|| self.not_before.saturating_duration_since(Instant::now()))
    }

    fn tell_picture(&mut self) -> Result<(), DesktopError> {
        self.not_before = Instant::now() + GAP;
        self.is_damaged = false;
        let damage = self.screen.grab(&mut self.frame)?;
        if let Some(picture) = self.encoder.encode(&self.frame, &damage).map_err(encoder_error)? {
            // Only this thread takes credit, and it saw some.
            self.credit.fetch_sub(1, Ordering::Relaxed);
            self.outlet.tell(CaptureEvent::Picture(picture));
        }
        Ok(())
    }
}

fn encoder_error(error: std::io::Error) -> DesktopError {
    DesktopError(format!("the picture could not be compressed ({error}); close other programs and try again"))
}
