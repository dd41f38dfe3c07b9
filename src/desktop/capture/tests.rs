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
        Some(CaptureEvent::Picture(made)) => made.payload,
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
            CaptureEvent::Picture(made) => {
                decoder.decode(&made.payload, &mut frame).unwrap();
                pictures += 1;
            }
            CaptureEvent::CursorShape(_) => has_shape = true,
            CaptureEvent::CursorPosition { .. } | CaptureEvent::View(_) | CaptureEvent::Still => {}
            CaptureEvent::Failed(error) => panic!("{error}"),
        }
    }
    assert!(frame.data().chunks_exact(4).any(|pixel| pixel[..3] == crate::desktop::pattern::CROSS_COLOR));
}
