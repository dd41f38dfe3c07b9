//! The helm: who drives ([`Control`]), the hands that do it ([`Inject`]) and the watcher for the person ([`Takeover`]).
//!
//! The person must not wait behind anything. So control is decided under one lock that both threads take: the watcher's own thread takes
//! control away and empties the hands' queue, and the session hands an event over only while it holds that lock and the viewer drives.
//! Once the watcher has let the lock go, no input of the viewer is begun any more. What the session has to do about it (tell both sides)
//! follows by [`News`].

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use crate::{
    desktop::{
        DesktopError,
        capture::Options,
        inject::Inject,
        takeover::{Act, Takeover},
    },
    protocol::{control::Control, input::InputEvent, message::Holder},
};

/// What the watcher's thread did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The person took control.
    Taken,
    /// The person pressed the combination that ends everything.
    Panic,
}

/// See the module.
pub(super) struct Helm {
    shared: Arc<Mutex<Shared>>,
    watcher: Option<Takeover>,
}

struct Shared {
    control: Control,
    hands: Option<Inject>,
}

impl Shared {
    /// Drops what waits and lets go of everything that is held.
    fn halt(&self) {
        self.hands.iter().for_each(Inject::halt);
    }
}

impl Helm {
    /// The person drives. `hand_back`: how long they must be quiet until the viewer has control again.
    pub(super) fn new(hand_back: Option<Duration>) -> Self {
        let shared = Shared { control: Control::new(hand_back), hands: None };
        Self { shared: Arc::new(Mutex::new(shared)), watcher: None }
    }

    /// Watches for the person from now on.
    pub(super) fn watch(&mut self, options: Options, news: mpsc::Sender<News>) -> Result<(), DesktopError> {
        let shared = Arc::clone(&self.shared);
        let act = move |act| {
            let mut shared = lock(&shared);
            let told = match act {
                Act::Touch => shared.control.touch(Instant::now()).then_some(News::Taken),
                Act::Panic => {
                    shared.control.take();
                    Some(News::Panic)
                }
            };
            if told.is_some() {
                shared.halt();
            }
            drop(shared);
            // The channel has room for more than can happen before the session looks: control is taken once.
            told.is_none_or(|told| !matches!(news.try_send(told), Err(mpsc::error::TrySendError::Closed(_))))
        };
        self.watcher = Some(Takeover::start(options, act)?);
        Ok(())
    }

    /// Opens pointer and keyboard, unless they are. `untyped` is told what cannot be typed.
    pub(super) fn open_hands(&mut self, options: Options, untyped: mpsc::Sender<char>) -> Result<(), DesktopError> {
        if !self.has_hands() {
            let hands = Inject::start(options, untyped)?;
            self.lock().hands = Some(hands);
        }
        Ok(())
    }

    pub(super) fn has_hands(&self) -> bool {
        self.lock().hands.is_some()
    }

    pub(super) fn holder(&self) -> Holder {
        self.lock().control.holder()
    }

    /// Does it, if the viewer drives.
    pub(super) fn act(&self, input: InputEvent) {
        let shared = self.lock();
        if shared.control.holder() == Holder::Remote
            && let Some(hands) = &shared.hands
        {
            hands.send(input);
        }
    }

    /// Lets go of everything the viewer holds.
    pub(super) fn halt(&self) {
        self.lock().halt();
    }

    /// The session begins: the viewer drives if it has hands.
    pub(super) fn begin(&self) {
        let mut shared = self.lock();
        if shared.hands.is_some() {
            shared.control.begin();
        }
    }

    /// The viewer may drive. True: it could not before.
    pub(super) fn give(&self, now: Instant) -> bool {
        self.lock().control.give(now)
    }

    /// The person drives, by their word. True: they did not before.
    pub(super) fn take(&self) -> bool {
        let mut shared = self.lock();
        shared.halt();
        shared.control.take()
    }

    /// When [`Self::settle`] returns control.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lock().control.due()
    }

    /// True: the person has been quiet for so long that the viewer has control again.
    pub(super) fn settle(&self, now: Instant) -> bool {
        self.lock().control.settle(now)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

/// Nothing panics while it is held.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
