//! The capture thread: a screen and an encoder that give a picture whenever there is credit and something changed.
//!
//! Rules:
//! - A picture needs credit *and* something to tell: damage, or what did not fit into the budget of the last picture. Without credit
//!   the damage gathers in the screen, and the next picture is the newest screen against the last one told: pictures never queue.
//! - Credit comes with a budget; the newest one counts.
//! - The first damage after a rest is captured at once; only continued damage is paced, [`GAP`] from one capture's start to the next.
//! - The pointer is told at once, apart from pictures and credit.
//! - The first picture is a keyframe of the whole screen.
//! - What the picture shows is told before its first picture, and when anything about the screens changes.
//! - A static screen costs nothing: the thread sleeps until the screen, credit or the end wakes it.

#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Backend, DesktopError, Screen, Sight, View, Wake, open_screen, spawn};
use crate::{
    protocol::{message::CursorShape, screens::Choice},
    video::{
        budget::Budget,
        encoder::{Bytes, Encoder},
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
    /// The pictures from here on show this, of these screens.
    View(View),
    /// The newest picture shows already what was told last: both places look the same.
    Still,
    /// An encoded picture; used up one [`Capture::want_picture`].
    Picture(Made),
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

/// An encoded picture, and how it was made.
#[derive(Debug)]
pub struct Made {
    /// For [`crate::video::decoder::Decoder`].
    pub payload: Vec<u8>,
    /// The picture's size.
    pub size: Size,
    /// Whether it brings the viewer's picture to exactly what was captured.
    pub is_exact: bool,
    /// Taking the pixels.
    pub capture: Duration,
    /// Finding what changed.
    pub detect: Duration,
    /// Coding it.
    pub encode: Duration,
    /// When it was done.
    pub at: Instant,
    /// Bytes of all pictures up to this one.
    pub bytes: Bytes,
}

/// A running capture thread. Dropping it stops it.
pub struct Capture {
    wanted: Arc<Mutex<Wanted>>,
    stop: CancellationToken,
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Opens the screen, tells what it shows at first and starts. Blocks until the screen is open.
    ///
    /// # Errors
    /// No usable screen: in one line why, and what to do.
    pub fn start(options: Options, events: mpsc::Sender<CaptureEvent>) -> Result<(Self, View), DesktopError> {
        Self::start_with(move || open_screen(&options), events)
    }

    fn start_with(
        open: impl FnOnce() -> Result<Box<dyn Screen>, DesktopError> + Send + 'static,
        events: mpsc::Sender<CaptureEvent>,
    ) -> Result<(Self, View), DesktopError> {
        let (wanted, stop) = (Arc::<Mutex<Wanted>>::default(), CancellationToken::new());
        let outlet = Outlet { events, stop: stop.clone() };
        let worker_wanted = Arc::clone(&wanted);
        let (thread, (wake, view)) = spawn(
            "capture",
            move || {
                let worker = Worker::new(open()?, outlet.clone(), worker_wanted)?;
                let opened = (worker.screen.wake(), worker.told.clone());
                Ok(((worker, outlet), opened))
            },
            |(worker, outlet)| run(worker, &outlet),
        )?;
        Ok((Self { wanted, stop, wake, thread: Some(thread) }, view))
    }

    /// Gives credit for one more picture, which shall keep to this budget: the next change is encoded and told at once.
    pub fn want_picture(&self, budget: Budget) {
        self.tell(|wanted| {
            wanted.credit = MAX_CREDIT.min(wanted.credit + 1);
            wanted.budget = budget;
        });
    }

    /// Shows something else; [`CaptureEvent::View`] tells when it does. The newest wish counts.
    pub fn show(&self, choice: Choice) {
        self.tell(|wanted| wanted.choice = Some(choice));
    }

    /// Whether pictures from here on shall be exact at once, whatever their budget.
    pub fn set_lossless(&self, lossless: bool) {
        self.tell(|wanted| wanted.is_lossless = lossless);
    }

    /// Stops looking at the screen, or goes on; credit is kept meanwhile. What was told already was seen before.
    pub fn pause(&self, paused: bool) {
        self.tell(|wanted| wanted.is_paused = paused);
    }

    fn tell(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut lock(&self.wanted));
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

/// What the thread may do, told by [`Capture`].
#[derive(Default)]
struct Wanted {
    /// So many pictures.
    credit: u32,
    /// What the next one may cost.
    budget: Budget,
    /// None for now.
    is_paused: bool,
    /// To be shown.
    choice: Option<Choice>,
    /// Every picture exact at once.
    is_lossless: bool,
}

/// No thread panics while it holds it.
fn lock(wanted: &Mutex<Wanted>) -> MutexGuard<'_, Wanted> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// The view that was told last.
    told: View,
    /// No picture of it was made yet, though it is of another place than the one before.
    owes_picture: bool,
    outlet: Outlet,
    wanted: Arc<Mutex<Wanted>>,
    /// What the encoder was told last.
    is_lossless: bool,
    /// Whether the screen changed since it was last looked at.
    is_damaged: bool,
    /// The encoder's time counts from here.
    started: Instant,
    /// When the next picture may be captured.
    not_before: Instant,
}

impl Worker {
    fn new(screen: Box<dyn Screen>, outlet: Outlet, wanted: Arc<Mutex<Wanted>>) -> Result<Self, DesktopError> {
        let encoder = Encoder::new(false).map_err(encoder_error)?;
        let told = screen.view().clone();
        let frame = Frame::new(told.size);
        let started = Instant::now();
        let (owes_picture, is_lossless, is_damaged, not_before) = (false, false, true, started);
        Ok(Self { screen, encoder, frame, told, owes_picture, outlet, wanted, is_lossless, is_damaged, started, not_before })
    }

    fn work(&mut self) -> Result<(), DesktopError> {
        while !self.outlet.stop.is_cancelled() {
            let choice = lock(&self.wanted).choice.take();
            choice.map_or(Ok(()), |choice| self.screen.show(choice))?;
            let patience = self.patience();
            match self.screen.wait(patience)? {
                Sight::Nothing => {}
                Sight::Damaged => self.is_damaged = true,
                Sight::View => self.tell_view(),
                Sight::CursorShape(shape) => self.outlet.tell(CaptureEvent::CursorShape(shape)),
                Sight::CursorPosition { x, y } => self.outlet.tell(CaptureEvent::CursorPosition { x, y }),
            }
            if self.patience() == Some(Duration::ZERO) {
                self.tell_picture()?;
            }
        }
        Ok(())
    }

    /// The time until a picture is due, if one is wanted: under the same lock as how it is wanted.
    fn patience(&mut self) -> Option<Duration> {
        let wanted = lock(&self.wanted);
        if std::mem::replace(&mut self.is_lossless, wanted.is_lossless) != wanted.is_lossless {
            self.encoder.set_lossless(wanted.is_lossless);
        }
        let due = if self.is_damaged { Some(Duration::ZERO) } else { self.encoder.due() };
        let due = due.filter(|_| wanted.credit > 0 && !wanted.is_paused)?;
        Some((self.started + due).max(self.not_before).saturating_duration_since(Instant::now()))
    }

    fn tell_picture(&mut self) -> Result<(), DesktopError> {
        let start = Instant::now();
        self.not_before = start + GAP;
        self.is_damaged = false;
        let damage = self.screen.grab(&mut self.frame)?;
        let capture = start.elapsed();
        self.tell_view();
        let owes_picture = std::mem::take(&mut self.owes_picture);
        let start = Instant::now();
        if self.encoder.look(&self.frame, &damage, self.started.elapsed()) {
            let detect = start.elapsed();
            let budget = lock(&self.wanted).budget;
            let start = Instant::now();
            let payload = self.encoder.tell(&self.frame, budget).map_err(encoder_error)?;
            let (encode, at) = (start.elapsed(), Instant::now());
            // Only this thread takes credit, and it saw some.
            lock(&self.wanted).credit -= 1;
            let (size, is_exact, bytes) = (self.frame.size(), self.encoder.due().is_none(), self.encoder.bytes());
            self.outlet.tell(CaptureEvent::Picture(Made { payload, size, is_exact, capture, detect, encode, at, bytes }));
        } else if owes_picture {
            self.outlet.tell(CaptureEvent::Still);
        }
        Ok(())
    }

    fn tell_view(&mut self) {
        if self.told != *self.screen.view() {
            self.owes_picture |= !self.told.shows_same_place(self.screen.view());
            self.told = self.screen.view().clone();
            self.outlet.tell(CaptureEvent::View(self.told.clone()));
        }
    }
}

fn encoder_error(error: std::io::Error) -> DesktopError {
    DesktopError(format!("the picture could not be compressed ({error}); close other programs and try again"))
}
