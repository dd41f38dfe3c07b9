//! What was copied, on its way to the other side's clipboard. Sans-IO; the same at both sides.
//!
//! - A copy is text (UTF-8) or an image (PNG), and has a number that rises. It goes in parts of at most [`PART`] bytes; at most
//!   [`WINDOW`] bytes are under way, so that a large one never stands in the way of a key or a word in the same lane.
//! - The receiver answers each part with how much it has. When that is all, the copy is on its clipboard.
//! - A newer copy takes the place of the one under way, whose rest is not sent. A part that does not continue what is there is left out:
//!   it belongs to a copy that one side has forgotten, as after a permission went and came back.
//! - Memory is bounded by one copy each way: [`Kind::limit`].

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The most bytes in one part.
pub const PART: usize = 16 << 10;
/// The most bytes under way.
pub const WINDOW: usize = 4 * PART;

/// What can be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// A PNG file.
    Image,
}

impl Kind {
    /// The longest copy of this kind, in bytes.
    #[must_use]
    pub fn limit(self) -> usize {
        match self {
            Self::Text => 4 << 20,
            Self::Image => 16 << 20,
        }
    }
}

/// Something that was copied: not empty, within its [limit](Kind::limit), and UTF-8 if it is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    kind: Kind,
    bytes: Vec<u8>,
}

/// It cannot be shared: empty, too long, or text that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is empty, too long, or not text")]
pub struct Unfit;

impl Content {
    /// # Errors
    /// See [`Unfit`].
    pub fn new(kind: Kind, bytes: Vec<u8>) -> Result<Self, Unfit> {
        let is_text = kind != Kind::Text || std::str::from_utf8(&bytes).is_ok();
        if is_text && (1..=kind.limit()).contains(&bytes.len()) { Ok(Self { kind, bytes }) } else { Err(Unfit) }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if self.kind == Kind::Text { std::str::from_utf8(&self.bytes).ok() } else { None }
    }
}

/// What both sides say of copies, on the control lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClipboardMessage {
    /// A part of a copy.
    Part {
        /// The copy's number.
        copy: u32,
        /// What it is.
        kind: Kind,
        /// Bytes in all.
        size: u32,
        /// Bytes before this part.
        offset: u32,
        /// At least one, at most [`PART`].
        bytes: Vec<u8>,
    },
    /// So much of a copy has arrived.
    Taken {
        /// The copy's number.
        copy: u32,
        /// Bytes from its beginning.
        bytes: u32,
    },
    /// The copy is not wanted; no more of it.
    Refused {
        /// The copy's number.
        copy: u32,
        /// Why.
        why: Refusal,
    },
}

/// Why a copy is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The viewer may not share the clipboard.
    NotPermitted,
    /// The other side has no clipboard, or does not share it.
    NoClipboard,
}

impl ClipboardMessage {
    /// Whether all fields are within their bounds.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Part { kind, size, offset, bytes, .. } => {
                let (size, end) = (*size as usize, *offset as usize + bytes.len());
                (1..=kind.limit()).contains(&size) && (1..=PART).contains(&bytes.len()) && end <= size
            }
            Self::Taken { .. } | Self::Refused { .. } => true,
        }
    }
}

/// What became of a copy.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// The other side's copy is here, whole.
    Arrived(Content),
    /// Ours is at the other side, whole.
    Delivered(Kind, usize),
    /// The other side does not want ours.
    Refused(Refusal),
}

/// The other side broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of a copy that no honest peer sends")]
pub struct Broken;

/// Copies in both directions. Order of calls: one of [`offer`](Self::offer), [`receive`](Self::receive) and [`refuse`](Self::refuse), then
/// [`poll`](Self::poll) until it gives nothing.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The number of our newest copy.
    copy: u32,
    outgoing: Option<Outgoing>,
    incoming: Option<Incoming>,
    answers: VecDeque<ClipboardMessage>,
}

#[derive(Debug)]
struct Outgoing {
    content: Content,
    sent: usize,
    taken: usize,
}

#[derive(Debug)]
struct Incoming {
    copy: u32,
    kind: Kind,
    size: u32,
    bytes: Vec<u8>,
}

impl Exchange {
    /// Sends `content` in the place of what is being sent.
    pub fn offer(&mut self, content: Content) {
        self.copy = self.copy.wrapping_add(1);
        self.outgoing = Some(Outgoing { content, sent: 0, taken: 0 });
    }

    /// Takes what the other side says.
    ///
    /// # Errors
    /// [`Broken`]: end the session.
    pub fn receive(&mut self, message: ClipboardMessage) -> Result<Option<News>, Broken> {
        match message {
            _ if !message.is_valid() => Err(Broken),
            ClipboardMessage::Part { copy, kind, size, offset, bytes } => self.take(copy, kind, size, offset, &bytes),
            ClipboardMessage::Taken { copy, bytes } => self.taken(copy, bytes as usize),
            ClipboardMessage::Refused { copy, why } => {
                let is_current = copy == self.copy && self.outgoing.take().is_some();
                Ok(is_current.then_some(News::Refused(why)))
            }
        }
    }

    /// Answers a part that is not wanted here, once for each copy.
    pub fn refuse(&mut self, message: &ClipboardMessage, why: Refusal) {
        if let ClipboardMessage::Part { copy, offset: 0, .. } = message {
            self.answers.push_back(ClipboardMessage::Refused { copy: *copy, why });
        }
    }

    /// The next message to send.
    pub fn poll(&mut self) -> Option<ClipboardMessage> {
        self.answers.pop_front().or_else(|| self.next_part())
    }

    /// Forgets what is under way, both ways.
    pub fn forget(&mut self) {
        (self.outgoing, self.incoming) = (None, None);
    }

    fn next_part(&mut self) -> Option<ClipboardMessage> {
        let Outgoing { content, sent, taken } = self.outgoing.as_mut()?;
        let (from, all) = (*sent, content.bytes.len());
        let to = all.min(from + PART);
        if from == all || to - *taken > WINDOW {
            return None;
        }
        *sent = to;
        let bytes = content.bytes[from..to].to_vec();
        Some(ClipboardMessage::Part { copy: self.copy, kind: content.kind, size: number(all), offset: number(from), bytes })
    }

    fn take(&mut self, copy: u32, kind: Kind, size: u32, offset: u32, bytes: &[u8]) -> Result<Option<News>, Broken> {
        if offset == 0 {
            self.incoming = Some(Incoming { copy, kind, size, bytes: Vec::new() });
        }
        let Some(incoming) = self.incoming.as_mut().filter(|incoming| incoming.copy == copy) else { return Ok(None) };
        if (incoming.kind, incoming.size, number(incoming.bytes.len())) != (kind, size, offset) {
            return Err(Broken);
        }
        incoming.bytes.extend_from_slice(bytes);
        let has = number(incoming.bytes.len());
        self.answers.push_back(ClipboardMessage::Taken { copy, bytes: has });
        if has < size {
            return Ok(None);
        }
        let whole = self.incoming.take().ok_or(Broken)?;
        Content::new(kind, whole.bytes).map(|content| Some(News::Arrived(content))).map_err(|Unfit| Broken)
    }

    fn taken(&mut self, copy: u32, bytes: usize) -> Result<Option<News>, Broken> {
        let Some(outgoing) = self.outgoing.as_mut().filter(|_| copy == self.copy) else { return Ok(None) };
        if bytes <= outgoing.taken || bytes > outgoing.sent {
            return Err(Broken);
        }
        outgoing.taken = bytes;
        if bytes < outgoing.content.bytes.len() {
            return Ok(None);
        }
        let delivered = News::Delivered(outgoing.content.kind, bytes);
        self.outgoing = None;
        Ok(Some(delivered))
    }
}

/// Sizes are bounded far below 4 GiB.
fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: impl Into<String>) -> Content {
        Content::new(Kind::Text, text.into().into_bytes()).expect("fit")
    }

    /// Carries everything between two sides until both are quiet, and gives their news: of the first, then of the second.
    fn carry(one: &mut Exchange, other: &mut Exchange) -> (Vec<News>, Vec<News>) {
        let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
        loop {
            let before = of_one.len() + of_other.len();
            let mut moved = false;
            while let Some(message) = one.poll() {
                moved = true;
                of_other.extend(other.receive(message).expect("honest"));
            }
            while let Some(message) = other.poll() {
                moved = true;
                of_one.extend(one.receive(message).expect("honest"));
            }
            if !moved && before == of_one.len() + of_other.len() {
                return (of_one, of_other);
            }
        }
    }

    #[test]
    fn a_copy_arrives_whole_and_its_owner_hears_of_it() {
        let (mut one, mut other) = (Exchange::default(), Exchange::default());
        let image = Content::new(Kind::Image, vec![7; 100_001]).expect("fit");
        one.offer(image.clone());
        let (of_one, of_other) = carry(&mut one, &mut other);
        assert_eq!(of_other, [News::Arrived(image)]);
        assert_eq!(of_one, [News::Delivered(Kind::Image, 100_001)]);
    }

    #[test]
    fn little_is_under_way_at_once() {
        let mut one = Exchange::default();
        one.offer(text("x".repeat(1 << 20)));
        let sent: usize = std::iter::from_fn(|| one.poll())
            .map(|message| if let ClipboardMessage::Part { bytes, .. } = message { bytes.len() } else { 0 })
            .sum();
        assert_eq!(sent, WINDOW);
    }

    #[test]
    fn a_newer_copy_takes_the_place_of_the_one_under_way() {
        let (mut one, mut other) = (Exchange::default(), Exchange::default());
        one.offer(text("x".repeat(1 << 20)));
        let first = one.poll().expect("a part");
        assert_eq!(other.receive(first), Ok(None));
        one.offer(text("new"));
        let (of_one, of_other) = carry(&mut one, &mut other);
        assert_eq!(of_other, [News::Arrived(text("new"))]);
        assert_eq!(of_one, [News::Delivered(Kind::Text, 3)], "the answer to the old one counts for nothing");
    }

    #[test]
    fn what_was_forgotten_is_left_out_and_the_next_copy_arrives() {
        let (mut one, mut other) = (Exchange::default(), Exchange::default());
        one.offer(text("x".repeat(1 << 20)));
        assert_eq!(other.receive(one.poll().expect("a part")), Ok(None));
        other.forget();
        assert_eq!(carry(&mut one, &mut other).1, [], "its rest means nothing any more");
        one.offer(text("next"));
        assert_eq!(carry(&mut one, &mut other).1, [News::Arrived(text("next"))]);
    }

    #[test]
    fn what_is_not_wanted_is_refused_once() {
        let (mut one, mut other) = (Exchange::default(), Exchange::default());
        one.offer(text("x".repeat(3 * PART)));
        while let Some(message) = one.poll() {
            other.refuse(&message, Refusal::NotPermitted);
        }
        let answer = other.poll().expect("an answer");
        assert_eq!(other.poll(), None);
        assert_eq!(one.receive(answer), Ok(Some(News::Refused(Refusal::NotPermitted))));
        assert_eq!(one.poll(), None);
    }

    #[test]
    fn a_peer_that_lies_is_found_out() {
        let part = |copy, size, offset, length: usize| ClipboardMessage::Part {
            copy,
            kind: Kind::Text,
            size,
            offset,
            bytes: vec![b'x'; length],
        };
        let breaks = |messages: &[ClipboardMessage]| {
            let mut exchange = Exchange::default();
            exchange.offer(text("ours"));
            exchange.poll();
            messages.iter().any(|message| exchange.receive(message.clone()).is_err())
        };
        let limit = number(Kind::Text.limit());
        assert!(breaks(&[part(1, limit + 1, 0, 1)]), "too long");
        assert!(breaks(&[part(1, 0, 0, 0)]), "empty");
        assert!(breaks(&[part(1, 4, 0, 5)]), "more than it said");
        assert!(breaks(&[part(1, 40, 0, 5), part(1, 41, 5, 5)]), "another size");
        assert!(breaks(&[part(1, 40, 0, 5), part(1, 40, 6, 5)]), "a gap");
        assert!(breaks(&[ClipboardMessage::Taken { copy: 1, bytes: 5 }]), "more than was sent");
        assert!(breaks(&[ClipboardMessage::Part { copy: 1, kind: Kind::Text, size: 1, offset: 0, bytes: vec![0xff] }]), "no text");
        assert!(!breaks(&[part(1, 40, 5, 5), ClipboardMessage::Taken { copy: 9, bytes: 5 }]), "of copies forgotten");
    }

    proptest! {
        #[test]
        fn whenever_something_is_copied_the_last_copy_is_the_last_to_arrive(lengths in prop::collection::vec(1..200_000_usize, 1..6), steps in 0..9_usize) {
            let (mut one, mut other) = (Exchange::default(), Exchange::default());
            let (mut last, mut arrived) = (None, Vec::new());
            for length in lengths {
                let content = text("y".repeat(length));
                one.offer(content.clone());
                last = Some(content);
                for _ in 0..steps {
                    let Some(message) = one.poll() else { break };
                    arrived.extend(other.receive(message).expect("honest"));
                    while let Some(answer) = other.poll() {
                        prop_assert!(one.receive(answer).is_ok());
                    }
                }
            }
            arrived.extend(carry(&mut one, &mut other).1);
            prop_assert!(arrived.pop() == last.map(News::Arrived));
        }
    }
}
