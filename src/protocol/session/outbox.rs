//! The outbox: numbered messages that the peer has not acknowledged yet.
//!
//! - A message stays until it is acknowledged, so that it can be replayed on another path.
//! - A droppable message takes the place of the last one if that is of the same kind and was never transmitted.
//! - While [`WINDOW`] messages are under way, a droppable message at the end is held back, so that newer ones can take its place
//!   and a slow path is not filled with where the pointer was. Whatever follows it lets it go: a click finds the pointer in place.
//! - Bounded by [`MAX_MESSAGES`] and [`MAX_BYTES`]; beyond, droppable messages are dropped and others refused with [`Full`].
//!   What tells how things are ([`Message::is_state`]) has [`SPARE_MESSAGES`] and [`SPARE_BYTES`] more, so that a crowd of pointers or keys
//!   during a stall does not keep it out. `End` always has room.

use std::{collections::VecDeque, mem::discriminant};

use super::{Full, Violation};
use crate::protocol::{
    clipboard::ClipboardMessage,
    input::InputEvent,
    message::{EndReason, Message},
};

/// The most messages that wait for their acknowledgement (and `End`).
pub(super) const MAX_MESSAGES: usize = 1024;
/// The most bytes of memory that they take, about.
pub(super) const MAX_BYTES: usize = 2 << 20;
/// See the module.
pub(super) const SPARE_MESSAGES: usize = 64;
/// See the module.
pub(super) const SPARE_BYTES: usize = 128 << 10;
/// The most messages under way before a droppable one is held back: 64 motions are half a second of a usual mouse (125 Hz).
pub(super) const WINDOW: usize = 64;

/// Messages `first..first + waiting.len()`; those below `sent` have been transmitted on some path.
#[derive(Default)]
pub(super) struct Outbox {
    first: u64,
    sent: u64,
    waiting: VecDeque<Message>,
    bytes: usize,
    /// Chat lines that have arrived, of all that were taken.
    delivered: u64,
}

impl Outbox {
    /// Takes a message.
    pub(super) fn push(&mut self, message: Message) -> Result<(), Full> {
        if self.replace_last(&message) {
            return Ok(());
        }
        let (messages, bytes) = if message.is_state() { (SPARE_MESSAGES, SPARE_BYTES) } else { (0, 0) };
        let full = self.waiting.len() >= MAX_MESSAGES + messages || self.bytes + weight(&message) > MAX_BYTES + bytes;
        match (full, message.is_droppable()) {
            (true, true) => Ok(()),
            (true, false) => Err(Full),
            (false, _) => {
                self.append(message);
                Ok(())
            }
        }
    }

    /// Takes the last message of the session.
    pub(super) fn push_end(&mut self, reason: EndReason) {
        self.append(Message::End(reason));
    }

    /// Where a path that becomes the current one starts: the oldest message that may not have arrived.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The message to transmit on a path that has carried everything below `next`, and its number.
    pub(super) fn take(&mut self, next: u64) -> Option<(u64, &Message)> {
        let seq = next.max(self.first);
        let under_way = usize::try_from(seq - self.first).ok()?;
        let message = self.waiting.get(under_way)?;
        let last = under_way + 1 == self.waiting.len();
        if last && under_way >= WINDOW && message.is_droppable() {
            return None;
        }
        self.sent = self.sent.max(seq + 1);
        Some((seq, message))
    }

    /// Forgets everything below `next`: it has arrived.
    pub(super) fn acknowledge(&mut self, next: u64) -> Result<(), Violation> {
        if next > self.sent {
            return Err(Violation("a message was acknowledged before it was sent"));
        }
        while self.first < next {
            let arrived = self.waiting.pop_front().expect("first <= sent <= first + waiting.len()");
            self.bytes -= weight(&arrived);
            self.delivered += u64::from(matches!(arrived, Message::Chat(_)));
            self.first += 1;
        }
        Ok(())
    }

    /// How many chat lines have arrived: since they arrive in order, the first ones.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Forgets everything: nobody listens any more.
    pub(super) fn clear(&mut self) {
        *self = Self { first: self.sent, sent: self.sent, delivered: self.delivered, ..Self::default() };
    }

    /// Whether everything has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn append(&mut self, message: Message) {
        self.bytes += weight(&message);
        self.waiting.push_back(message);
    }

    fn replace_last(&mut self, message: &Message) -> bool {
        let last_was_sent = self.sent == self.first + self.waiting.len() as u64;
        match self.waiting.back_mut() {
            Some(last)
                if !last_was_sent
                    && message.is_droppable()
                    && discriminant(last) == discriminant(message)
                    && last.is_droppable() =>
            {
                last.clone_from(message);
                true
            }
            _ => false,
        }
    }
}

/// The memory that a message takes, about.
fn weight(message: &Message) -> usize {
    let heap = match message {
        Message::Chat(text) | Message::Input(InputEvent::Text(text)) => text.len(),
        Message::CursorShape(shape) => shape.bgra.len(),
        Message::Clipboard(ClipboardMessage::Part { bytes, .. }) => bytes.len(),
        Message::Permissions(_, timers) => size_of_val(timers.as_slice()),
        Message::File(message) => message.heap(),
        Message::Screens(screens) => screens.list.iter().map(|screen| size_of_val(screen) + screen.name.len()).sum(),
        _ => 0,
    };
    size_of::<Message>() + heap
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{input::Key, message::CursorShape};

    fn motion(x: u16) -> Message {
        Message::Input(InputEvent::Motion { x, y: 0 })
    }

    fn key(key: u16) -> Message {
        Message::Input(InputEvent::Key { key: Key(key), down: true })
    }

    /// What a path that has carried everything below `next` gets now.
    fn drain(outbox: &mut Outbox, mut next: u64) -> Vec<Message> {
        let mut drained = Vec::new();
        while let Some((seq, message)) = outbox.take(next) {
            next = seq + 1;
            drained.push(message.clone());
        }
        drained
    }

    #[test]
    fn motion_replaces_unsent_motion_only() {
        let mut outbox = Outbox::default();
        for message in [motion(1), motion(2), key(4), motion(3), Message::CursorPosition { x: 9, y: 9 }, motion(4), motion(5)] {
            outbox.push(message).expect("there is room");
        }
        let expected = [motion(2), key(4), motion(3), Message::CursorPosition { x: 9, y: 9 }, motion(5)];
        assert_eq!(drain(&mut outbox, 0), expected);
        outbox.push(motion(6)).expect("there is room");
        assert_eq!(drain(&mut outbox, 0).len(), 6, "what was sent is replayed as it was");
    }

    #[test]
    fn motion_is_held_back_while_much_is_under_way_until_something_else_follows() {
        let mut outbox = Outbox::default();
        for x in 0..2000 {
            outbox.push(motion(x)).expect("motion is never refused");
            let _ = drain(&mut outbox, u64::from(x));
        }
        assert_eq!(outbox.waiting.len(), WINDOW + 1);
        assert_eq!(outbox.waiting.back(), Some(&motion(1999)));
        assert!(drain(&mut outbox, WINDOW as u64).is_empty());
        outbox.push(key(4)).expect("there is room");
        assert_eq!(drain(&mut outbox, WINDOW as u64), [motion(1999), key(4)]);
    }

    #[test]
    fn a_held_motion_goes_out_when_acknowledgements_come() {
        let mut outbox = Outbox::default();
        for x in 0..200 {
            outbox.push(motion(x)).expect("motion is never refused");
            let _ = drain(&mut outbox, u64::from(x));
        }
        outbox.acknowledge(1).expect("it was sent");
        assert_eq!(drain(&mut outbox, WINDOW as u64), [motion(199)]);
    }

    #[test]
    fn a_full_outbox_refuses_keys_drops_motion_and_has_room_for_the_end() {
        let mut outbox = Outbox::default();
        let taken = (0..5000).filter(|_| outbox.push(key(4)).is_ok()).count();
        assert_eq!(taken, MAX_MESSAGES);
        assert_eq!(outbox.push(motion(1)), Ok(()));
        outbox.push_end(EndReason::HostQuit);
        assert_eq!(outbox.waiting.len(), MAX_MESSAGES + 1);
        assert_eq!(outbox.waiting.back(), Some(&Message::End(EndReason::HostQuit)));
    }

    #[test]
    fn the_outbox_is_bounded_in_bytes_too() {
        let mut outbox = Outbox::default();
        let taken = (0..5000).filter(|_| outbox.push(Message::Chat("x".repeat(4096))).is_ok()).count();
        assert!((400..512).contains(&taken), "{taken}");
        let _ = drain(&mut outbox, 0);
        outbox.acknowledge(taken as u64).expect("all were sent");
        assert!(outbox.is_empty() && outbox.bytes == 0);
        assert_eq!(outbox.push(key(4)), Ok(()));
    }

    #[test]
    fn what_tells_how_things_are_finds_room_behind_keys_and_pointers() {
        let shape = CursorShape { width: 256, height: 256, hot_x: 0, hot_y: 0, bgra: vec![0; 256 * 256 * 4] };
        for crowd in [key(4), Message::CursorShape(shape)] {
            let mut outbox = Outbox::default();
            while outbox.push(crowd.clone()).is_ok() {}
            let taken = (0..5000).filter(|view| outbox.push(Message::Aim(*view)).is_ok()).count();
            assert!(taken >= SPARE_MESSAGES, "{taken}");
            assert!(outbox.waiting.len() <= MAX_MESSAGES + SPARE_MESSAGES && outbox.bytes <= MAX_BYTES + SPARE_BYTES);
        }
    }

    #[test]
    fn what_was_not_sent_cannot_be_acknowledged() {
        let mut outbox = Outbox::default();
        outbox.push(key(4)).expect("there is room");
        assert!(outbox.acknowledge(1).is_err());
        let _ = drain(&mut outbox, 0);
        assert_eq!(outbox.acknowledge(1), Ok(()));
        assert_eq!(outbox.acknowledge(0), Ok(()), "an old acknowledgement, from a slower path");
        assert!(outbox.acknowledge(u64::MAX).is_err());
    }
}
