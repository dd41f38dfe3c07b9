//! The payload: one picture, as bytes.
//!
//! ```text
//! payload     kind                u8       0 change · 1 keyframe
//!             width, height       u16 u16  keyframes only
//!             compressed          to the end: the next piece of the session's one zstd stream, flushed, never ended
//!
//! compressed, unpacked:
//!             count               u16      how many rectangles
//!             x, y, width, height u16 each  ┐ `count`
//!             mode                u8        ┘ times
//!             pixels              B, G, R each, of one rectangle after the other:
//!                                 mode 0, raw: all, row by row from the top · mode 1, solid: one, its only colour
//! ```
//!
//! Numbers are little-endian. A keyframe starts from a black frame of its size, a change from the picture before. Rectangles
//! are not empty, lie inside the frame, are at most one for each tile of it, and have together at most the frame's pixels: so
//! what a payload unpacks to is bounded before its first pixel is read. The zstd window is at most [`WINDOW_LOG`].

use super::frame::{Rect, Size};

/// log2 of the zstd window in bytes: how far back the stream finds old pixels, and what each side keeps for it (8 MiB).
pub(super) const WINDOW_LOG: u32 = 23;
/// Width and height of a tile in pixels; it must fit the `u16` arithmetic of [`Rect`].
pub(super) const TILE: u16 = 64;
/// Bytes of a rectangle with its mode.
pub(super) const PATCH: usize = 9;

const CHANGE: u8 = 0;
const KEYFRAME: u8 = 1;

/// How many tiles cover a frame: the most rectangles a payload may have.
pub(super) fn tiles(size: Size) -> usize {
    usize::from(size.width.div_ceil(TILE)) * usize::from(size.height.div_ceil(TILE))
}

/// Appends the head of a payload; `keyframe` is the size of one.
pub(super) fn write_head(keyframe: Option<Size>, out: &mut Vec<u8>) {
    match keyframe {
        None => out.push(CHANGE),
        Some(size) => {
            out.push(KEYFRAME);
            out.extend(size.width.to_le_bytes());
            out.extend(size.height.to_le_bytes());
        }
    }
}

/// Splits a payload into the size, if it is a keyframe, and the compressed rest.
pub(super) fn read_head(payload: &[u8]) -> Result<(Option<Size>, &[u8]), &'static str> {
    match payload {
        [CHANGE, rest @ ..] => Ok((None, rest)),
        &[KEYFRAME, w0, w1, h0, h1, ref rest @ ..] => {
            let size = Size::new(u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1])).ok_or("impossible size")?;
            Ok((Some(size), rest))
        }
        _ => Err("unknown kind"),
    }
}

/// How the pixels of a rectangle are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Every pixel.
    Raw,
    /// One pixel for all: nothing is left to compress.
    Solid,
}

/// A rectangle that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    /// Where.
    pub(super) rect: Rect,
    /// How its pixels follow.
    pub(super) mode: Mode,
}

impl Patch {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        for number in [self.rect.x, self.rect.y, self.rect.width, self.rect.height] {
            out.extend(number.to_le_bytes());
        }
        out.push(match self.mode {
            Mode::Raw => 0,
            Mode::Solid => 1,
        });
    }

    /// The patch of these bytes. Where it lies is not checked.
    pub(super) fn read(bytes: &[u8; PATCH]) -> Result<Self, &'static str> {
        let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let rect = Rect { x: number(0), y: number(2), width: number(4), height: number(6) };
        let mode = match bytes[8] {
            0 => Mode::Raw,
            1 => Mode::Solid,
            _ => return Err("unknown mode"),
        };
        Ok(Self { rect, mode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back() {
        let size = Size { width: 1280, height: 800 };
        for keyframe in [None, Some(size)] {
            let mut payload = Vec::new();
            write_head(keyframe, &mut payload);
            payload.push(9);
            assert_eq!(read_head(&payload), Ok((keyframe, &[9][..])));
        }
    }

    #[test]
    fn heads_that_no_encoder_writes_are_refused() {
        for payload in [&[][..], &[2], &[KEYFRAME], &[KEYFRAME, 1, 0, 1], &[KEYFRAME, 0, 0, 1, 0], &[KEYFRAME, 0, 0x40, 0, 0x40]] {
            assert!(read_head(payload).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn patches_come_back() {
        for mode in [Mode::Raw, Mode::Solid] {
            let patch = Patch { rect: Rect { x: 1, y: 0x203, width: 0x405, height: 6 }, mode };
            let mut bytes = Vec::new();
            patch.write(&mut bytes);
            assert_eq!(bytes[..8], [1, 0, 3, 2, 5, 4, 6, 0]);
            assert_eq!(Patch::read(bytes.first_chunk().unwrap()), Ok(patch));
        }
        assert_eq!(Patch::read(&[2; PATCH]), Err("unknown mode"));
    }
}
