//! The inject thread: does what the viewer asks, knows what is held, and lets go of it.
//!
//! Rules:
//! - Newer motion replaces motion that waits at the queue's end; nothing else is ever replaced. The queue is bounded: a flood
//!   empties it and lets go of everything, so no key-up is lost.
//! - [`Inject::halt`] empties the queue; the one character or event under way is the last one, then everything held is released, and
//!   Caps Lock and Num Lock are as they were.
//! - Text is typed character by character, without the modifiers that are held; they come back afterwards.
//! - Errors and panics of an injector are logged and leave nothing held.
//! - The first character that cannot be typed is told; the others are logged.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use tokio::sync::mpsc;

use super::{DesktopError, Injector, capture::Options, open_injector, spawn};
use crate::protocol::input::{InputEvent, Key, Pressed};

/// The most events that wait.
const MAX_QUEUE: usize = 1024;
/// The modifier keys: left and right Control, Shift, Alt and Super.
const MODIFIERS: std::ops::RangeInclusive<u16> = 0xe0..=0xe7;

/// A running inject thread. Dropping it lets go of everything and stops it.
pub struct Inject {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Inject {
    /// Opens the pointer and keyboard that belong to the screen of `options`. The first character that cannot be typed goes to
    /// `untyped`.
    ///
    /// # Errors
    /// In one line why, and what to do.
    pub fn start(options: Options, untyped: mpsc::Sender<char>) -> Result<Self, DesktopError> {
        Self::start_with(move || open_injector(&options), untyped)
    }

    fn start_with(
        open: impl FnOnce() -> Result<Box<dyn Injector>, DesktopError> + Send + 'static,
        untyped: mpsc::Sender<char>,
    ) -> Result<Self, DesktopError> {
        let queue = Arc::<Queue>::default();
        let worker_queue = Arc::clone(&queue);
        let (thread, ()) = spawn(
            "inject",
            || Ok((Hands { injector: open()?, pressed: Pressed::default(), untyped: Some(untyped) }, ())),
            move |hands| work(hands, &worker_queue),
        )?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Queues an event. Newer motion replaces motion that still waits.
    pub fn send(&self, event: InputEvent) {
        self.queue.push(event);
    }

    /// Drops what is queued and lets go of every held key and button, at once.
    pub fn halt(&self) {
        self.queue.halt();
    }
}

impl Drop for Inject {
    fn drop(&mut self) {
        self.queue.change(|waiting| {
            waiting.events.clear();
            waiting.is_closed = true;
        });
        if let Some(thread) = self.thread.take() {
            // It ends without a panic: `Hands` catches them.
            let _ = thread.join();
        }
    }
}

/// What the thread is to do next.
enum Order {
    Do(InputEvent),
    LetGo,
    End,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<InputEvent>,
    is_halted: bool,
    is_closed: bool,
}

impl Waiting {
    fn halt(&mut self) {
        self.events.clear();
        self.is_halted = true;
    }
}

impl Queue {
    fn push(&self, event: InputEvent) {
        self.change(|waiting| {
            if event.is_droppable() && waiting.events.back().is_some_and(InputEvent::is_droppable) {
                waiting.events.pop_back();
            }
            if waiting.events.len() < MAX_QUEUE {
                waiting.events.push_back(event);
            } else {
                waiting.halt();
            }
        });
    }

    fn halt(&self) {
        self.change(Waiting::halt);
    }

    /// Waits for the next order.
    fn next(&self) -> Order {
        let mut waiting = self.lock();
        loop {
            if waiting.is_closed {
                return Order::End;
            }
            if std::mem::take(&mut waiting.is_halted) {
                return Order::LetGo;
            }
            if let Some(event) = waiting.events.pop_front() {
                return Order::Do(event);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether what is under way should break off.
    fn is_interrupted(&self) -> bool {
        let waiting = self.lock();
        waiting.is_halted || waiting.is_closed
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(mut hands: Hands, queue: &Queue) {
    loop {
        match queue.next() {
            Order::Do(InputEvent::Text(text)) => hands.type_text(&text, || queue.is_interrupted()),
            Order::Do(event) => hands.act(&event),
            Order::LetGo => hands.let_go(),
            Order::End => return,
        }
    }
}

/// An injector, and what it holds down. Dropping it lets go.
struct Hands {
    injector: Box<dyn Injector>,
    pressed: Pressed,
    /// Until something was told.
    untyped: Option<mpsc::Sender<char>>,
}

impl Hands {
    fn act(&mut self, event: &InputEvent) {
        if self.pressed.follow(event) {
            self.attempt(event);
        }
    }

    fn type_text(&mut self, text: &str, is_interrupted: impl Fn() -> bool) {
        let modifiers = self.held_modifiers();
        modifiers.iter().for_each(|(key, _)| self.attempt(&InputEvent::Key { key: *key, down: false }));
        for character in text.chars() {
            if is_interrupted() {
                break;
            }
            self.attempt(&InputEvent::Text(character.into()));
        }
        modifiers.iter().for_each(|(_, press)| self.attempt(press));
    }

    fn held_modifiers(&self) -> Vec<(Key, InputEvent)> {
        let held = self.pressed.held_keys().filter(|(key, _)| MODIFIERS.contains(&key.0));
        held.map(|(key, press)| (key, press.clone())).collect()
    }

    fn let_go(&mut self) {
        self.pressed.release_all().iter().for_each(|event| self.attempt(event));
        self.with_injector(|injector| injector.put_back());
    }

    fn attempt(&mut self, event: &InputEvent) {
        self.with_injector(|injector| injector.inject(event));
        if let Some(character) = self.injector.take_untyped() {
            tracing::warn!("a character could not be typed: no key of the layout gives it, and none is free for it");
            // The channel is for this one alone: it has room.
            let _ = self.untyped.take().map(|untyped| untyped.try_send(character));
        }
    }

    /// One failed event must not end the thread: the releases still have to come.
    fn with_injector(&mut self, act: impl FnOnce(&mut dyn Injector) -> Result<(), DesktopError>) {
        match catch_unwind(AssertUnwindSafe(|| act(&mut *self.injector))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "input was not done"),
            Err(_) => tracing::error!("input failed unexpectedly"),
        }
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::protocol::input::Button;

    /// Tells each event, then waits for leave to go on.
    struct Recorder {
        done: mpsc::Sender<InputEvent>,
        leave: mpsc::Receiver<()>,
    }

    impl Injector for Recorder {
        fn inject(&mut self, event: &InputEvent) -> Result<(), DesktopError> {
            self.done.send(event.clone()).unwrap();
            // An error: the test no longer holds us back.
            let _ = self.leave.recv();
            assert_ne!(*event, InputEvent::Scroll { dx: 13, dy: 13 }, "a panic in the injector");
            Ok(())
        }
    }

    fn recorded() -> (Inject, mpsc::Receiver<InputEvent>, mpsc::Sender<()>) {
        let (done, events) = mpsc::channel();
        let (go, leave) = mpsc::channel();
        (Inject::start_with(move || Ok(Box::new(Recorder { done, leave })), tokio::sync::mpsc::channel(1).0).unwrap(), events, go)
    }

    fn key(usage: u16, down: bool) -> InputEvent {
        InputEvent::Key { key: Key(usage), down }
    }

    #[test]
    fn waiting_motion_gives_way_to_newer_motion_only() {
        let (inject, events, go) = recorded();
        let motion = |x| InputEvent::Motion { x, y: 0 };
        inject.send(motion(1));
        assert_eq!(events.recv(), Ok(motion(1)), "under way");
        for event in [motion(2), motion(3), key(4, true), motion(4), key(4, false), motion(5), motion(6)] {
            inject.send(event);
        }
        drop(go);
        let rest: Vec<_> = events.iter().take(5).collect();
        assert_eq!(rest, [motion(3), key(4, true), motion(4), key(4, false), motion(6)]);
    }

    #[test]
    fn halt_drops_the_queue_and_lets_go() {
        let (inject, events, go) = recorded();
        inject.send(key(4, true));
        inject.send(InputEvent::Button { button: Button::Left, down: true });
        go.send(()).unwrap();
        assert_eq!(events.iter().take(2).last(), Some(InputEvent::Button { button: Button::Left, down: true }));
        inject.send(key(5, true));
        inject.halt();
        inject.send(key(6, true));
        drop(go);
        let rest: Vec<_> = events.iter().take(3).collect();
        assert_eq!(rest, [key(4, false), InputEvent::Button { button: Button::Left, down: false }, key(6, true)]);
        drop(inject);
        assert_eq!(events.iter().collect::<Vec<_>>(), [key(6, false)], "the end lets go");
    }

    #[test]
    fn halt_breaks_off_text() {
        let (inject, events, go) = recorded();
        inject.send(InputEvent::Text("abc".into()));
        assert_eq!(events.recv(), Ok(InputEvent::Text("a".into())));
        inject.halt();
        drop(go);
        drop(inject);
        assert_eq!(events.iter().collect::<Vec<_>>(), []);
    }

    #[test]
    fn text_is_typed_without_the_held_modifiers() {
        let (inject, events, go) = recorded();
        drop(go);
        for event in [key(0xe1, true), key(4, true), InputEvent::Text("xy".into())] {
            inject.send(event);
        }
        let all: Vec<_> = events.iter().take(6).collect();
        let text = |text: &str| InputEvent::Text(text.into());
        assert_eq!(all, [key(0xe1, true), key(4, true), key(0xe1, false), text("x"), text("y"), key(0xe1, true)]);
    }

    #[test]
    fn a_panic_leaves_nothing_held() {
        let (inject, events, go) = recorded();
        drop(go);
        inject.send(key(4, true));
        inject.send(InputEvent::Scroll { dx: 13, dy: 13 });
        inject.send(key(5, true));
        assert_eq!(events.iter().take(3).last(), Some(key(5, true)));
        drop(inject);
        assert_eq!(events.iter().collect::<Vec<_>>(), [key(4, false), key(5, false)]);
    }

    #[test]
    fn a_flood_is_bounded_and_lets_go() {
        let (inject, events, go) = recorded();
        inject.send(key(4, true));
        assert_eq!(events.recv(), Ok(key(4, true)));
        (0..=MAX_QUEUE).for_each(|_| inject.send(InputEvent::Scroll { dx: 0, dy: 1 }));
        drop(go);
        assert_eq!(events.recv(), Ok(key(4, false)));
    }
}
