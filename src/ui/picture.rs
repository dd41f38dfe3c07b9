//! The newest picture on its way to a face: one slot, newest wins. Decoding happens right in it, so that nothing is copied;
//! damage adds up until the face takes it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{
    protocol::{
        message::CursorShape,
        stats::{Samples, Spread},
    },
    video::frame::{Damage, Frame, Size},
};

/// A shared picture with its pointer. Clones are the same picture.
#[derive(Clone, Default)]
pub struct Picture {
    shared: Arc<Mutex<State>>,
    on_change: Arc<Mutex<Option<Notify>>>,
    presenting: Arc<Mutex<Samples>>,
}

/// Called after every change, from any thread; must not block.
pub type Notify = Box<dyn Fn() + Send>;

/// What is shown.
pub struct State {
    /// The picture; [`State::shown`] tells whether there is one yet.
    pub frame: Frame,
    /// Where it changed since a face last took this.
    pub damage: Damage,
    /// When the first of the changes was decoded that no face took yet.
    pub decoded: Option<Instant>,
    /// Whether a first picture came.
    pub shown: bool,
    /// Whether it is what the host's screen was, to the bit.
    pub exact: bool,
    /// The shape of the host's pointer.
    pub cursor: Option<CursorShape>,
    /// Where the host's pointer is, as far as the host told.
    pub pointer: (u16, u16),
    /// Whether cursor or pointer changed since a face last cleared it.
    pub pointer_changed: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            frame: Frame::new(Size { width: 1, height: 1 }),
            damage: Damage::none(),
            decoded: None,
            shown: false,
            exact: false,
            cursor: None,
            pointer: (0, 0),
            pointer_changed: false,
        }
    }
}

impl Picture {
    /// Looks at the picture, or takes its damage. Hold it shortly: decoding waits meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the picture, then tells the face.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        if let Some(notify) = self.on_change.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            notify();
        }
        result
    }

    /// The host's pointer looks like this now.
    pub fn point_with(&self, shape: CursorShape) {
        self.update(|state| {
            state.cursor = Some(shape);
            state.pointer_changed = true;
        });
    }

    /// A face has presented what was decoded then.
    pub fn presented(&self, decoded: Instant) {
        self.presenting.lock().unwrap_or_else(PoisonError::into_inner).add(decoded.elapsed());
    }

    /// How long decoded pictures took to be presented, if a face presents any.
    #[must_use]
    pub fn presenting(&self) -> Option<Spread> {
        self.presenting.lock().unwrap_or_else(PoisonError::into_inner).spread()
    }

    /// Calls `notify` after every change from now on.
    pub fn on_change(&self, notify: Notify) {
        *self.on_change.lock().unwrap_or_else(PoisonError::into_inner) = Some(notify);
    }
}
