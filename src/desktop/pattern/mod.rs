//! A desktop that is only a picture: for machines without a screen, and for tests of everything else.
//!
//! Rules:
//! - It moves: a frame counter and a box change ten times a second, and only while somebody waits for pictures.
//! - Input shows: the pointer is a magenta cross, and the panel at the bottom tells pointer, buttons, keys and the last text, so that
//!   a test at the far end sees in the picture that its input arrived.
//! - A process has one such desktop ([`Desktop::shared`]), as it has one display; screen and injector meet there.

mod picture;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use picture::{CROSS_COLOR, PANEL, SIZE};
use picture::{Scene, arrow};

use super::{DesktopError, Injector, Screen, Sight, View, Wake};
use crate::{
    protocol::{
        input::{InputEvent, Pressed},
        screens::Choice,
    },
    video::frame::{Damage, Frame},
};

/// Time from one tick of the picture to the next.
const TICK: Duration = Duration::from_millis(100);
/// How many characters of typed text are remembered.
const TYPED: usize = 64;

/// What input has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Input {
    pointer: (u16, u16),
    pressed: Pressed,
    scrolled: (i32, i32),
    typed: VecDeque<char>,
    last: Option<InputEvent>,
}

/// What screen and injector share.
pub struct Desktop {
    input: Mutex<Input>,
    changed: Condvar,
}

impl Desktop {
    /// A desktop of its own, with the pointer in the middle.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let input = Input {
            pointer: (SIZE.width / 2, SIZE.height / 2),
            pressed: Pressed::default(),
            scrolled: (0, 0),
            typed: VecDeque::new(),
            last: None,
        };
        Arc::new(Self { input: Mutex::new(input), changed: Condvar::new() })
    }

    /// The desktop of this process.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: LazyLock<Arc<Desktop>> = LazyLock::new(Desktop::new);
        Arc::clone(&SHARED)
    }

    fn lock(&self) -> MutexGuard<'_, Input> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The screen side.
pub struct PatternScreen {
    desktop: Arc<Desktop>,
    view: View,
    woken: Arc<AtomicBool>,
    started: Instant,
    /// What the caller's frame shows.
    shown: Option<Scene>,
    /// Whether [`Sight::Damaged`] was told since the last grab.
    told_damage: bool,
    told_shape: bool,
    told_pointer: Option<(u16, u16)>,
}

impl PatternScreen {
    /// A view of `desktop`.
    #[must_use]
    pub fn new(desktop: Arc<Desktop>) -> Self {
        Self {
            desktop,
            view: View::single("pattern", SIZE),
            woken: Arc::default(),
            started: Instant::now(),
            shown: None,
            told_damage: false,
            told_shape: false,
            told_pointer: None,
        }
    }

    fn next_tick(&self) -> Instant {
        match &self.shown {
            Some(scene) => self.started + TICK.saturating_mul(scene.tick.saturating_add(1)),
            None => self.started,
        }
    }

    /// What is new now, without waiting.
    fn notice(&mut self, input: &Input) -> Option<Sight> {
        if self.woken.swap(false, Ordering::Relaxed) {
            return Some(Sight::Nothing);
        }
        if !std::mem::replace(&mut self.told_shape, true) {
            return Some(Sight::CursorShape(arrow()));
        }
        if self.told_pointer.replace(input.pointer) != Some(input.pointer) {
            let (x, y) = input.pointer;
            return Some(Sight::CursorPosition { x, y });
        }
        let is_stale = self.shown.as_ref().is_none_or(|scene| scene.input != *input) || Instant::now() >= self.next_tick();
        (is_stale && !std::mem::replace(&mut self.told_damage, true)).then_some(Sight::Damaged)
    }
}

impl Screen for PatternScreen {
    fn view(&self) -> &View {
        &self.view
    }

    fn show(&mut self, _: Choice) -> Result<(), DesktopError> {
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Sight, DesktopError> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let desktop = Arc::clone(&self.desktop);
        let mut input = desktop.lock();
        loop {
            if let Some(sight) = self.notice(&input) {
                return Ok(sight);
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(Sight::Nothing);
            }
            let tick = (!self.told_damage).then(|| self.next_tick());
            input = match deadline.into_iter().chain(tick).min() {
                Some(until) => {
                    let waited = desktop.changed.wait_timeout(input, until.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => desktop.changed.wait(input).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn grab(&mut self, frame: &mut Frame) -> Result<Damage, DesktopError> {
        let tick = self.started.elapsed().as_millis() / TICK.as_millis();
        let scene = Scene { tick: u32::try_from(tick).unwrap_or(u32::MAX), input: self.desktop.lock().clone() };
        self.told_damage = false;
        let before = self.shown.take().filter(|_| frame.size() == SIZE);
        frame.resize(SIZE);
        let damage = before.map_or_else(|| Damage::full(SIZE), |before| scene.changes(&before));
        damage.rects().iter().for_each(|clip| scene.paint(frame, *clip));
        self.shown = Some(scene);
        Ok(damage)
    }

    fn wake(&self) -> Wake {
        let (desktop, woken) = (Arc::clone(&self.desktop), Arc::clone(&self.woken));
        Arc::new(move || {
            // Under the lock, so that a wait that has just looked does not miss it.
            let _input = desktop.lock();
            woken.store(true, Ordering::Relaxed);
            desktop.changed.notify_all();
        })
    }
}

/// The input side: remembers, and so shows, what arrives.
pub struct PatternInjector {
    desktop: Arc<Desktop>,
}

impl PatternInjector {
    /// An injector into `desktop`.
    #[must_use]
    pub fn new(desktop: Arc<Desktop>) -> Self {
        Self { desktop }
    }
}

impl Injector for PatternInjector {
    fn inject(&mut self, event: &InputEvent) -> Result<(), DesktopError> {
        let mut input = self.desktop.lock();
        match event {
            InputEvent::Motion { x, y } => input.pointer = ((*x).min(SIZE.width - 1), (*y).min(SIZE.height - 1)),
            InputEvent::Scroll { dx, dy } => {
                let (x, y) = input.scrolled;
                input.scrolled = (x.saturating_add(i32::from(*dx)), y.saturating_add(i32::from(*dy)));
            }
            InputEvent::Text(text) => {
                input.typed.extend(text.chars());
                let surplus = input.typed.len().saturating_sub(TYPED);
                input.typed.drain(..surplus);
            }
            InputEvent::Key { .. } | InputEvent::Press { .. } | InputEvent::Button { .. } => {
                input.pressed.follow(event);
            }
            InputEvent::Locks(_) => return Ok(()),
        }
        input.last = Some(event.clone());
        self.desktop.changed.notify_all();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::input::{Button, Key};

    fn pixel(frame: &Frame, x: u16, y: u16) -> [u8; 3] {
        let bytes = frame.row(x, y, 1);
        [bytes[0], bytes[1], bytes[2]]
    }

    #[test]
    fn a_picture_after_small_damage_equals_one_painted_afresh() {
        let desktop = Desktop::new();
        let (mut screen, mut injector) = (PatternScreen::new(Arc::clone(&desktop)), PatternInjector::new(Arc::clone(&desktop)));
        let mut frame = Frame::new(SIZE);
        assert_eq!(screen.grab(&mut frame).unwrap(), Damage::full(SIZE));
        for event in [
            InputEvent::Motion { x: 0, y: 0 },
            InputEvent::Motion { x: u16::MAX, y: u16::MAX },
            InputEvent::Key { key: Key(4), down: true },
            InputEvent::Button { button: Button::Left, down: true },
            InputEvent::Scroll { dx: 1, dy: -3 },
            InputEvent::Text("Grüße, {x}!".repeat(20)),
            InputEvent::Motion { x: 600, y: 470 },
        ] {
            injector.inject(&event).unwrap();
            let damage = screen.grab(&mut frame).unwrap();
            assert!(!damage.is_empty() && damage != Damage::full(SIZE), "{event:?}");
            let mut afresh = Frame::new(SIZE);
            screen.shown.as_ref().unwrap().paint(&mut afresh, SIZE.bounds());
            assert!(frame == afresh, "{event:?}");
        }
        assert_eq!(pixel(&frame, 600, 470), CROSS_COLOR);
    }

    #[test]
    fn typed_text_changes_the_panel() {
        let desktop = Desktop::new();
        let (mut screen, mut injector) = (PatternScreen::new(Arc::clone(&desktop)), PatternInjector::new(desktop));
        let mut before = Frame::new(SIZE);
        screen.grab(&mut before).unwrap();
        let mut after = before.clone();
        injector.inject(&InputEvent::Text("hello".into())).unwrap();
        screen.grab(&mut after).unwrap();
        assert!((PANEL.y..PANEL.y + PANEL.height).any(|y| before.row(0, y, SIZE.width) != after.row(0, y, SIZE.width)));
    }
}
