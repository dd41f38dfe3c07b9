//! Shapes of the host's pointer that the viewer has seen: an animated pointer shows the same few again and again, so a known one is
//! named rather than sent.
//!
//! Both sides keep the same list, because both follow the same messages: each
//! [`Message::CursorShape`](super::message::Message::CursorShape) adds its shape under the next number, from 0, and the oldest ones
//! are forgotten beyond [`MAX_SHAPES`] or [`MAX_BYTES`].

use std::collections::VecDeque;

use super::message::CursorShape;

/// The most shapes remembered: the longest animations of common themes have 60.
pub const MAX_SHAPES: usize = 64;
/// The most bytes of pixels remembered, but always the newest shape.
pub const MAX_BYTES: usize = 4 << 20;

/// The shapes of a session so far, the newest ones.
#[derive(Debug, Default)]
pub struct Cursors {
    /// The number of the first one that is remembered.
    first: u32,
    shapes: VecDeque<CursorShape>,
    bytes: usize,
}

impl Cursors {
    /// Remembers a shape that is sent, or came in, whole.
    pub fn add(&mut self, shape: CursorShape) {
        self.bytes += shape.bgra.len();
        self.shapes.push_back(shape);
        while self.shapes.len() > 1 && (self.shapes.len() > MAX_SHAPES || self.bytes > MAX_BYTES) {
            self.bytes -= self.shapes.pop_front().map_or(0, |shape| shape.bgra.len());
            self.first = self.first.wrapping_add(1);
        }
    }

    /// The number of a shape, if it is remembered.
    #[must_use]
    pub fn find(&self, shape: &CursorShape) -> Option<u32> {
        let place = self.shapes.iter().position(|known| known == shape)?;
        Some(self.first.wrapping_add(u32::try_from(place).ok()?))
    }

    /// The shape with this number, if it is remembered.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&CursorShape> {
        self.shapes.get(usize::try_from(number.wrapping_sub(self.first)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(side: u16, shade: u8) -> CursorShape {
        let bgra = vec![shade; usize::from(side) * usize::from(side) * 4];
        CursorShape { width: side, height: side, hot_x: 0, hot_y: 0, bgra }
    }

    #[test]
    fn both_sides_forget_the_same_shapes() {
        for side in [1, 256] {
            let (mut host, mut viewer) = (Cursors::default(), Cursors::default());
            for shade in (0..200_u8).chain(0..200) {
                let shape = shape(side, shade);
                match host.find(&shape) {
                    Some(number) => assert_eq!(viewer.get(number), Some(&shape)),
                    None => [&mut host, &mut viewer].into_iter().for_each(|cursors| cursors.add(shape.clone())),
                }
            }
            assert!(host.shapes.len() <= MAX_SHAPES && host.bytes <= MAX_BYTES);
            assert!(side == 256 || host.shapes.len() == MAX_SHAPES);
        }
    }

    #[test]
    fn an_animation_is_sent_once() {
        let mut cursors = Cursors::default();
        let sent = (0..600).filter(|frame| {
            let shape = shape(48, u8::try_from(frame % 60).unwrap());
            let is_new = cursors.find(&shape).is_none();
            if is_new {
                cursors.add(shape);
            }
            is_new
        });
        assert_eq!(sent.count(), 60);
    }

    #[test]
    fn a_number_that_was_never_given_or_is_forgotten_is_none() {
        let mut cursors = Cursors::default();
        assert_eq!(cursors.get(0), None);
        (0..=64).for_each(|shade| cursors.add(shape(1, shade)));
        assert!(cursors.get(0).is_none() && cursors.get(1).is_some() && cursors.get(64).is_some() && cursors.get(65).is_none());
    }
}
