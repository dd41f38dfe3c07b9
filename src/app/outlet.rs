//! What a face is told, without ever waiting for it: a terminal that was stopped, or a script that does not read, must not hold
//! up a session, and least of all the person who takes control back.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::mpsc, time::timeout};

/// The most events that wait for a face, beside those in its own queue. It is stuck by then: more are left out.
const MAX_WAITING: usize = 1024;
/// How long a face may take for the last events.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The way to a face.
pub(super) struct Outlet<Event> {
    face: mpsc::Sender<Event>,
    waiting: VecDeque<Event>,
    watch: Option<Watch<Event>>,
}

/// Sees each event before a face does and may complete it; what it has to say itself is told first.
pub(super) type Watch<Event> = Box<dyn FnMut(&mut Event) -> Option<Event> + Send + Sync>;

impl<Event> Outlet<Event> {
    pub(super) fn new(face: mpsc::Sender<Event>) -> Self {
        Self { face, waiting: VecDeque::new(), watch: None }
    }

    /// One with somebody who watches.
    pub(super) fn watched(face: mpsc::Sender<Event>, watch: Watch<Event>) -> Self {
        Self { watch: Some(watch), ..Self::new(face) }
    }

    /// Tells the face, now or when it has room. A face that went away is not missed.
    pub(super) fn tell(&mut self, mut event: Event) {
        let own = self.watch.as_mut().and_then(|watch| watch(&mut event));
        self.waiting.extend(own.into_iter().chain([event]));
        while let Some(event) = self.waiting.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(event)) = self.face.try_send(event) {
                self.waiting.push_front(event);
                break;
            }
        }
        if self.waiting.len() > MAX_WAITING {
            self.waiting.pop_back();
            tracing::warn!("nobody reads what is told; an event was left out");
        }
    }

    /// Whether something waits: call [`Self::flush`] beside everything else.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Passes on what waits, as soon as there is room. Cancel-safe.
    pub(super) async fn flush(&mut self) {
        while !self.waiting.is_empty() {
            let Ok(room) = self.face.reserve().await else { return self.waiting.clear() };
            if let Some(event) = self.waiting.pop_front() {
                room.send(event);
            }
        }
    }

    /// Passes on what waits, but does not wait for a face that is stuck.
    pub(super) async fn finish(&mut self) {
        let _ = timeout(LAST_WORDS, self.flush()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_face_that_does_not_read_holds_nobody_up_and_misses_nothing_until_it_is_stuck() {
        let (sender, mut face) = mpsc::channel(1);
        let mut outlet = Outlet::new(sender);
        (0..2 * MAX_WAITING).for_each(|number| outlet.tell(number));
        let read = async {
            let mut told = Vec::new();
            while told.len() <= MAX_WAITING {
                told.extend(face.recv().await);
            }
            told
        };
        let ((), told) = tokio::join!(outlet.flush(), read);
        assert_eq!(told, (0..=MAX_WAITING).collect::<Vec<_>>());
        drop(face);
        outlet.tell(1);
        assert!(!outlet.is_waiting(), "a face that went away is not missed");
    }
}
