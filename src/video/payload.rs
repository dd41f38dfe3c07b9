//! The payload: one picture, as bytes.
//!
//! ```text
//! payload     flags               u8       1 keyframe · 2 the streams start anew · 4 the colours start anew · 8 not exact yet
//!             width, height       u16 u16  keyframes only; little-endian
//!             streams             number   which have a piece here, a bit each, the lowest first:
//!                                          control · indices · raw · green · blue · red · 9 kinds of symbols of the transform
//!             lengths             numbers  of each piece but the last
//!             pieces              zstd, flushed, never ended; a stream's pieces one after the other are one zstd frame
//!
//! control     remembered          list     whole tiles, as they are before this picture, into the next slots of the cache
//!             vectors             number   how many, at most 8; if none, no moves follow
//!               x, y              signed   each: a block's source less its place
//!             moves               number   how many
//!               vector, y less the one above, x, width, height   numbers each, in blocks of 16 pixels
//!             recalled            list     whole tiles to be replaced …
//!             slots               numbers  … by these, one for each
//!             colours             number   how many new ones
//!               B, G, R           u8 each
//!             rectangles          number   how many
//!               mode              u8       0 solid · 1, 2 indexed · 3, 4 raw · 5, 6 photo · 7 lossy; see [`Mode`]
//!               y less the one before      signed
//!               x, width, height  numbers  x and width in cells of 8 pixels
//!               solid: B, G, R · lossy: the quality, u8
//!
//! list        count, then each tile's number less the one's before it: numbers. Tiles are counted row by row from the top left
//! number      7 bits a byte, the lowest first, the top bit set on all but the last (LEB128), at most 28 bits
//! signed      zigzag, as a number
//! ```
//!
//! The order is the order of doing. The pixels of the rectangles follow one another in the stream of their mode: a byte or two each
//! (indexed: see [`super::palette`]), B, G, R each (raw), a byte in each of three planes (photo: see [`super::photo`]), symbols (lossy: see
//! [`super::transform`]). Modes 1 and 3 go row by row, 2 and 4 column by column; 5 guesses from the neighbours, 6 from the picture before.
//!
//! Bounds: moves and recalled tiles have each at most the frame's pixels together, rectangles twice as many (what in a photograph is not
//! to have a loss is told over it), and at most [`MOST_LOSSY`] of them have a loss. So a payload's work and what it unpacks to are bounded by
//! the frame before its first pixel is read.

use super::{
    frame::{Rect, Size},
    mask::CELL,
    photo::Guess,
    pixels::Order,
    streams::{read_number, read_signed, write_number, write_signed},
};

/// Width and height of a tile in pixels; it must fit the `u16` arithmetic of [`Rect`].
pub(super) const TILE: u16 = 64;

/// The most rectangles with a loss: each costs its surroundings too.
pub(super) const MOST_LOSSY: usize = 128;

const KEYFRAME: u8 = 1;
const NEW_STREAMS: u8 = 2;
const NEW_COLOURS: u8 = 4;
const INEXACT: u8 = 8;

/// What comes before the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// The size of a keyframe.
    pub(super) keyframe: Option<Size>,
    /// All zstd streams start anew.
    pub(super) has_new_streams: bool,
    /// No colour has a number any more.
    pub(super) has_new_colours: bool,
    /// Whether the picture is then the host's, to the bit.
    pub(super) is_exact: bool,
}

impl Head {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        out.push(
            flag(self.keyframe.is_some(), KEYFRAME)
                | flag(self.has_new_streams, NEW_STREAMS)
                | flag(self.has_new_colours, NEW_COLOURS)
                | flag(!self.is_exact, INEXACT),
        );
        if let Some(size) = self.keyframe {
            out.extend(size.width.to_le_bytes());
            out.extend(size.height.to_le_bytes());
        }
    }

    /// Takes it off the front.
    pub(super) fn read(payload: &mut &[u8]) -> Result<Self, &'static str> {
        let flags = *payload.split_off_first().ok_or("truncated")?;
        if flags & !(KEYFRAME | NEW_STREAMS | NEW_COLOURS | INEXACT) != 0 {
            return Err("unknown kind");
        }
        let mut keyframe = None;
        if flags & KEYFRAME != 0 {
            let Some(&[w0, w1, h0, h1]) = payload.split_off(..4) else { return Err("truncated") };
            let size = Size::new(u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
            keyframe = Some(size.ok_or("impossible size")?);
        }
        let is = |flag: u8| flags & flag != 0;
        Ok(Self { keyframe, has_new_streams: is(NEW_STREAMS), has_new_colours: is(NEW_COLOURS), is_exact: !is(INEXACT) })
    }
}

/// How many tiles cover a frame.
pub(super) fn tiles(size: Size) -> usize {
    usize::from(size.width.div_ceil(TILE)) * usize::from(size.height.div_ceil(TILE))
}

/// The tile of this number.
pub(super) fn tile(number: usize, size: Size) -> Option<Rect> {
    let across = usize::from(size.width.div_ceil(TILE));
    let side = |tiles: usize| u16::try_from(tiles).ok()?.checked_mul(TILE);
    Rect { x: side(number % across)?, y: side(number / across)?, width: TILE, height: TILE }.clamp(size)
}

/// Appends rising numbers.
pub(super) fn write_list(numbers: &[usize], out: &mut Vec<u8>) {
    write_number(numbers.len(), out);
    let mut last = 0;
    for number in numbers {
        write_number(number - last, out);
        last = *number;
    }
}

/// Takes rising numbers of tiles off the front. A number may come twice.
pub(super) fn read_list(size: Size, bytes: &mut &[u8]) -> Result<Vec<usize>, &'static str> {
    let count = read_number(bytes)?;
    if count > tiles(size) {
        return Err("too many tiles");
    }
    let mut last = 0;
    (0..count)
        .map(|_| {
            last += read_number(bytes)?;
            if last < tiles(size) { Ok(last) } else { Err("a tile outside the picture") }
        })
        .collect()
}

/// How the pixels of a rectangle are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// One colour for all.
    Solid,
    /// Numbers of colours.
    Indexed(Order),
    /// Every pixel.
    Raw(Order),
    /// Three planes of what a guess gets wrong.
    Photo(Guess),
    /// Symbols of the transform: not exact.
    Lossy,
}

/// By their codes.
const MODES: [Mode; 8] = [
    Mode::Solid,
    Mode::Indexed(Order::Rows),
    Mode::Indexed(Order::Columns),
    Mode::Raw(Order::Rows),
    Mode::Raw(Order::Columns),
    Mode::Photo(Guess::Space),
    Mode::Photo(Guess::Time),
    Mode::Lossy,
];

/// A rectangle that is told; it starts on a cell's edge, and ends on one or on the frame's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) rect: Rect,
    pub(super) mode: Mode,
}

impl Patch {
    /// Appends it; `above` is the row of the one before.
    pub(super) fn write(self, above: u16, out: &mut Vec<u8>) {
        let code = MODES.iter().position(|mode| *mode == self.mode).unwrap_or_default();
        out.push(code as u8);
        write_signed(i32::from(self.rect.y) - i32::from(above), out);
        write_number((self.rect.x / CELL).into(), out);
        write_number(self.rect.width.div_ceil(CELL).into(), out);
        write_number(self.rect.height.into(), out);
    }

    /// Takes it off the front, checked.
    pub(super) fn read(above: u16, size: Size, bytes: &mut &[u8]) -> Result<Self, &'static str> {
        const OUTSIDE: &str = "a rectangle outside the picture";
        let code = *bytes.split_off_first().ok_or("truncated")?;
        let mode = *MODES.get(usize::from(code)).ok_or("unknown mode")?;
        let y = u16::try_from(i32::from(above) + read_signed(bytes)?).map_err(|_| OUTSIDE)?;
        let side = |cells: usize| u16::try_from(cells * usize::from(CELL)).map_err(|_| OUTSIDE);
        let (x, width) = (side(read_number(bytes)?)?, side(read_number(bytes)?)?);
        let height = u16::try_from(read_number(bytes)?).map_err(|_| OUTSIDE)?;
        let told = Rect { x, y, width, height };
        let rect = told.clamp(size).ok_or(OUTSIDE)?;
        // Only the last cell of a row may reach over the edge.
        if rect.height != told.height || told.width - rect.width >= CELL {
            return Err(OUTSIDE);
        }
        Ok(Self { rect, mode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 1283, height: 800 };

    #[test]
    fn heads_come_back() {
        for keyframe in [None, Some(SIZE)] {
            for bits in 0..8 {
                let [has_new_streams, has_new_colours, is_exact] = [1, 2, 4].map(|bit| bits & bit != 0);
                let head = Head { keyframe, has_new_streams, has_new_colours, is_exact };
                let mut payload = Vec::new();
                head.write(&mut payload);
                payload.push(9);
                let mut rest = &payload[..];
                assert_eq!(Head::read(&mut rest), Ok(head));
                assert_eq!(rest, [9]);
            }
        }
    }

    #[test]
    fn heads_that_no_encoder_writes_are_refused() {
        for payload in [&[][..], &[16], &[KEYFRAME], &[KEYFRAME, 1, 0, 1], &[KEYFRAME, 0, 0, 1, 0], &[KEYFRAME, 0, 0x40, 0, 0x40]] {
            assert!(Head::read(&mut &*payload).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn patches_come_back() {
        for mode in MODES {
            for rect in [Rect { x: 8, y: 3, width: 1275, height: 6 }, Rect { x: 1280, y: 799, width: 3, height: 1 }] {
                let mut bytes = Vec::new();
                Patch { rect, mode }.write(200, &mut bytes);
                assert_eq!(Patch::read(200, SIZE, &mut &bytes[..]), Ok(Patch { rect, mode }));
            }
        }
    }

    #[test]
    fn patches_outside_are_refused() {
        let read = |numbers: [u8; 5]| Patch::read(0, Size { width: 20, height: 20 }, &mut &numbers[..]);
        assert_eq!(read([0, 0, 2, 1, 20]).map(|patch| patch.rect.width), Ok(4));
        for numbers in [
            [8, 0, 0, 1, 1],
            [0, 1, 0, 1, 1],
            [0, 0, 3, 1, 1],
            [0, 0, 2, 2, 1],
            [0, 0, 0, 1, 21],
            [0, 0, 0, 0, 1],
            [0, 40, 0, 1, 1],
        ] {
            assert!(read(numbers).is_err(), "{numbers:?}");
        }
    }

    #[test]
    fn lists_come_back_and_stay_inside() {
        let mut bytes = Vec::new();
        write_list(&[0, 7, 259], &mut bytes);
        assert_eq!(read_list(SIZE, &mut &bytes[..]), Ok(vec![0, 7, 259]));
        assert_eq!(read_list(Size { width: 64, height: 64 }, &mut &bytes[..]), Err("too many tiles"));
        assert_eq!(read_list(Size { width: 256, height: 64 }, &mut &bytes[..]), Err("a tile outside the picture"));
    }
}
