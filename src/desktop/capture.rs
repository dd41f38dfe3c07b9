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
    video::{budget::Budget, encoder::Encoder, frame::Frame},
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
        let (owes_picture, is_damaged, not_before) = (false, true, started);
        Ok(Self { screen, encoder, frame, told, owes_picture, outlet, wanted, is_damaged, started, not_before })
    }

    fn work(&mut self) -> Result<(), DesktopError> {
        while !self.outlet.stop.is_cancelled() {
            let choice = lock(&self.wanted).choice.take();
            choice.map_or(Ok(()), |choice| self.screen.show(choice))?;
            match self.screen.wait(self.patience())? {
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

    /// The time until a picture is due, if one is wanted.
    fn patience(&self) -> Option<Duration> {
        let wanted = lock(&self.wanted);
        let due = if self.is_damaged { Some(Duration::ZERO) } else { self.encoder.due() };
        let due = due.filter(|_| wanted.credit > 0 && !wanted.is_paused)?;
        Some((self.started + due).max(self.not_before).saturating_duration_since(Instant::now()))
    }

    fn tell_picture(&mut self) -> Result<(), DesktopError> {
        self.not_before = Instant::now() + GAP;
        self.is_damaged = false;
        let damage = self.screen.grab(&mut self.frame)?;
        self.tell_view();
        let owes_picture = std::mem::take(&mut self.owes_picture);
        if self.encoder.look(&self.frame, &damage, self.started.elapsed()) {
            let budget = lock(&self.wanted).budget;
            let picture = self.encoder.tell(budget).map_err(encoder_error)?;
            // Only this thread takes credit, and it saw some.
            lock(&self.wanted).credit -= 1;
            self.outlet.tell(CaptureEvent::Picture(picture));
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

#[cfg(test)]
mod tests {
    use std::sync::Condvar;

    use super::*;
    use crate::video::{
        decoder::Decoder,
        frame::{Damage, Size},
    };

    const SIZE: Size = Size { width: 70, height: 3 };
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A screen under the test's control.
    #[derive(Clone)]
    struct Fake(Arc<(Mutex<FakeState>, Condvar)>, View);

    #[derive(Default)]
    struct FakeState {
        color: u8,
        is_damaged: bool,
        is_woken: bool,
        is_gone: bool,
        grabs: usize,
    }

    impl Fake {
        fn change<T>(&self, change: impl FnOnce(&mut FakeState) -> T) -> T {
            let changed = change(&mut self.0.0.lock().unwrap());
            self.0.1.notify_all();
            changed
        }

        fn paint(&self, color: u8) {
            self.change(|state| (state.color, state.is_damaged) = (color, true));
        }
    }

    impl Default for Fake {
        fn default() -> Self {
            Self(Arc::default(), View::single("fake", SIZE))
        }
    }

    impl Screen for Fake {
        fn view(&self) -> &View {
            &self.1
        }

        /// A single screen is wider, all in one are at another place. Noticed only with the next grab, as a change of size may be.
        fn show(&mut self, choice: Choice) -> Result<(), DesktopError> {
            self.1.shown = choice;
            match choice {
                Choice::One(_) => self.1.size.width += 1,
                Choice::All => self.1.x += 1,
            }
            self.change(|state| state.is_damaged = true);
            Ok(())
        }

        fn wait(&mut self, timeout: Option<Duration>) -> Result<Sight, DesktopError> {
            let is_idle = |state: &mut FakeState| !(state.is_damaged || state.is_woken || state.is_gone);
            let state = self.0.0.lock().unwrap();
            let mut state = self.0.1.wait_timeout_while(state, timeout.unwrap_or(PATIENCE), is_idle).unwrap().0;
            if state.is_gone {
                return Err(DesktopError("gone".into()));
            }
            state.is_woken = false;
            Ok(if std::mem::take(&mut state.is_damaged) { Sight::Damaged } else { Sight::Nothing })
        }

        fn grab(&mut self, frame: &mut Frame) -> Result<Damage, DesktopError> {
            self.change(|state| {
                state.grabs += 1;
                frame.resize(self.1.size);
                frame.data_mut().fill(state.color);
            });
            Ok(Damage::full(self.1.size))
        }

        fn wake(&self) -> Wake {
            let fake = self.clone();
            Arc::new(move || fake.change(|state| state.is_woken = true))
        }
    }

    fn start(fake: &Fake, room: usize) -> (Capture, mpsc::Receiver<CaptureEvent>) {
        let (events, received) = mpsc::channel(room);
        let fake = fake.clone();
        (Capture::start_with(move || Ok(Box::new(fake)), events).unwrap().0, received)
    }

    fn picture(events: &mut mpsc::Receiver<CaptureEvent>) -> Vec<u8> {
        match events.blocking_recv() {
            Some(CaptureEvent::Picture(picture)) => picture,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_credit_changes_gather_and_the_newest_screen_is_told() {
        let fake = Fake::default();
        let (capture, mut events) = start(&fake, 4);
        (1..=3).for_each(|color| fake.paint(color));
        assert_eq!(fake.change(|state| state.grabs), 0, "no credit, no picture");
        capture.want_picture(Budget::default());
        let mut decoder = Decoder::new();
        let mut seen = Frame::new(SIZE);
        decoder.decode(&picture(&mut events), &mut seen).unwrap();
        assert_eq!(seen.row(0, 0, 1)[..3], [3; 3]);

        capture.want_picture(Budget::default());
        fake.paint(9);
        decoder.decode(&picture(&mut events), &mut seen).unwrap();
        assert_eq!(seen.row(69, 2, 1)[..3], [9; 3]);
        assert_eq!(fake.change(|state| state.grabs), 2);
    }

    #[test]
    fn another_view_is_told_right_before_its_first_picture() {
        let fake = Fake::default();
        let (capture, mut events) = start(&fake, 4);
        (0..3).for_each(|_| capture.want_picture(Budget::default()));
        let mut decoder = Decoder::new();
        let mut seen = Frame::new(SIZE);
        decoder.decode(&picture(&mut events), &mut seen).unwrap();
        capture.show(Choice::One(0));
        let told = match events.blocking_recv() {
            Some(CaptureEvent::View(view)) => view,
            other => panic!("{other:?}"),
        };
        assert_eq!((told.shown, told.size.width), (Choice::One(0), SIZE.width + 1));
        decoder.decode(&picture(&mut events), &mut seen).unwrap();
        assert_eq!(seen.size(), told.size);

        capture.show(Choice::All);
        assert!(matches!(events.blocking_recv(), Some(CaptureEvent::View(view)) if view.shown == Choice::All));
        assert!(matches!(events.blocking_recv(), Some(CaptureEvent::Still)), "another place that looks the same");
    }

    #[test]
    fn a_screen_that_goes_away_is_told_and_nothing_follows() {
        let fake = Fake::default();
        let (_capture, mut events) = start(&fake, 4);
        fake.change(|state| state.is_gone = true);
        assert!(matches!(events.blocking_recv(), Some(CaptureEvent::Failed(_))));
        assert!(events.blocking_recv().is_none());
    }

    #[test]
    fn dropping_it_ends_it_even_when_nobody_takes_its_events() {
        let fake = Fake::default();
        let (capture, mut events) = start(&fake, 1);
        for color in 1..=2 {
            capture.want_picture(Budget::default());
            fake.paint(color);
        }
        drop(capture);
        while events.blocking_recv().is_some() {}
    }

    #[test]
    fn the_pattern_desktop_gives_pictures_and_its_pointer() {
        let (events, mut received) = mpsc::channel(4);
        let options = Options { backend: Backend::Pattern, ..Options::default() };
        let (capture, view) = Capture::start(options, events).unwrap();
        capture.want_picture(Budget::default());
        capture.want_picture(Budget::default());
        let (mut frame, mut decoder) = (Frame::new(view.size), Decoder::new());
        let (mut pictures, mut has_shape) = (0, false);
        while pictures < 2 || !has_shape {
            match received.blocking_recv().unwrap() {
                CaptureEvent::Picture(picture) => {
                    decoder.decode(&picture, &mut frame).unwrap();
                    pictures += 1;
                }
                CaptureEvent::CursorShape(_) => has_shape = true,
                CaptureEvent::CursorPosition { .. } | CaptureEvent::View(_) | CaptureEvent::Still => {}
                CaptureEvent::Failed(error) => panic!("{error}"),
            }
        }
        assert!(frame.data().chunks_exact(4).any(|pixel| pixel[..3] == crate::desktop::pattern::CROSS_COLOR));
    }
}
