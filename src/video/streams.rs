//! The compressed streams below a picture: one for each kind of byte, each living as long as the session.
//!
//! Bytes of one kind look alike, so each kind has a zstd context of its own; a context that lives on finds what was on the screen
//! minutes ago. A piece of a stream is flushed with every picture, never ended. A stream without bytes in a picture costs nothing.

use std::io;

use zstd::stream::raw::{self, CParameter, DParameter, Operation, OutBuffer};

use super::transform;

/// How many kinds there are.
pub(super) const KINDS: usize = 6 + transform::KINDS;
/// log2 of the window of the streams with long memories, in bytes: what both sides keep of each.
pub(super) const WINDOW_LOG: u32 = 22;
/// The same for photographs, which zstd only squeezes byte by byte: nothing in them comes back.
const PHOTO_WINDOW_LOG: u32 = 18;
/// The level for photographs: higher ones look for what is not there, and find less.
const PHOTO_LEVEL: i32 = 1;
/// Room for compressed bytes grows in such steps.
const ROOM: usize = 32 << 10;
/// Bytes of a zstd block's header (RFC 8878, 3.1.1.2): what zstd waits for exactly when a flushed piece is used up.
const BLOCK_HEADER: usize = 3;

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(usize);

impl Kind {
    /// What to do: moves, rectangles, new colours.
    pub(super) const CONTROL: Self = Self(0);
    /// Pixels as numbers of colours.
    pub(super) const INDICES: Self = Self(1);
    /// Pixels as they are: B, G, R.
    pub(super) const RAW: Self = Self(2);
    /// The planes of photographs without loss: green, and what blue and red differ from it.
    pub(super) const PLANES: [Self; 3] = [Self(3), Self(4), Self(5)];

    /// The symbols of photographs with loss.
    pub(super) fn symbols() -> [Self; transform::KINDS] {
        std::array::from_fn(|index| Self(6 + index))
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..KINDS).map(Self)
    }

    fn is_photo(self) -> bool {
        self.0 >= Self::PLANES[0].0
    }

    /// This kind's figure.
    pub(super) fn of(self, figures: &[usize; KINDS]) -> usize {
        figures[self.0]
    }

    #[cfg(test)]
    pub(super) fn of_mut(self, figures: &mut [usize; KINDS]) -> &mut usize {
        &mut figures[self.0]
    }

    fn bit(self) -> usize {
        1 << self.0
    }
}

/// The bytes of one picture, by kind.
#[derive(Default)]
pub(super) struct Parts([Vec<u8>; KINDS]);

impl Parts {
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn of(&mut self, kind: Kind) -> &mut Vec<u8> {
        &mut self.0[kind.0]
    }

    pub(super) fn get(&self, kind: Kind) -> &[u8] {
        &self.0[kind.0]
    }

    /// The parts of [`Kind::PLANES`].
    pub(super) fn planes(&mut self) -> [&mut Vec<u8>; 3] {
        let [_, _, _, green, blue, red, ..] = &mut self.0;
        [green, blue, red]
    }
}

/// The sending ends. A stream is set up when its first byte comes.
pub(super) struct Packer {
    level: i32,
    streams: [Option<raw::Encoder<'static>>; KINDS],
}

impl Packer {
    pub(super) fn new(level: i32) -> Self {
        Self { level, streams: Default::default() }
    }

    /// Appends the next piece of every stream that has bytes: which ones (a bit each, as a number), the length of each piece but the
    /// last, the pieces. Returns the bytes of each kind.
    pub(super) fn pack(&mut self, parts: &Parts, out: &mut Vec<u8>) -> io::Result<[usize; KINDS]> {
        let present: Vec<Kind> = Kind::all().filter(|kind| !parts.get(*kind).is_empty()).collect();
        write_number(present.iter().map(|kind| kind.bit()).sum(), out);
        let mut bytes = [0; KINDS];
        let mut pieces = Vec::with_capacity(present.len());
        for kind in present {
            let piece = self.piece(kind, parts.get(kind))?;
            bytes[kind.0] = piece.len();
            pieces.push(piece);
        }
        if let Some((_, but_last)) = pieces.split_last() {
            but_last.iter().for_each(|piece| write_number(piece.len(), out));
        }
        pieces.iter().for_each(|piece| out.extend(piece));
        Ok(bytes)
    }

    fn piece(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let stream = match &mut self.streams[kind.0] {
            Some(stream) => stream,
            none => none.insert(open(kind, self.level)?),
        };
        let mut piece = Vec::new();
        compress(stream, bytes, &mut piece)?;
        Ok(piece)
    }
}

/// `piece` becomes the stream's next piece: these bytes, flushed.
pub(super) fn compress(stream: &mut raw::Encoder<'static>, bytes: &[u8], piece: &mut Vec<u8>) -> io::Result<()> {
    let (mut written, mut read) = (0, 0);
    while read < bytes.len() {
        piece.resize(written + ROOM, 0);
        let step = stream.run_on_buffers(&bytes[read..], &mut piece[written..])?;
        read += step.bytes_read;
        written += step.bytes_written;
    }
    loop {
        piece.resize(written + ROOM, 0);
        let mut room = OutBuffer::around(&mut piece[written..]);
        let waiting = stream.flush(&mut room)?;
        written += room.pos();
        if waiting == 0 {
            piece.truncate(written);
            return Ok(());
        }
    }
}

fn open(kind: Kind, level: i32) -> io::Result<raw::Encoder<'static>> {
    let (level, window_log) = if kind.is_photo() { (PHOTO_LEVEL, PHOTO_WINDOW_LOG) } else { (level, WINDOW_LOG) };
    let mut stream = raw::Encoder::new(level)?;
    stream.set_parameter(CParameter::WindowLog(window_log))?;
    Ok(stream)
}

/// The receiving ends. Trusts nothing: see [`Unpacker::unpack`].
#[derive(Default)]
pub(super) struct Unpacker {
    streams: [Option<raw::Decoder<'static>>; KINDS],
}

impl Unpacker {
    /// Unpacks the pieces in `packed` into `parts`; refuses more than `most` bytes of a kind before they are unpacked.
    pub(super) fn unpack(
        &mut self,
        mut packed: &[u8],
        most: impl Fn(Kind) -> usize,
        parts: &mut Parts,
    ) -> Result<(), &'static str> {
        parts.clear();
        let mask = read_number(&mut packed)?;
        if mask >> KINDS != 0 {
            return Err("unknown stream");
        }
        let present: Vec<Kind> = Kind::all().filter(|kind| mask & kind.bit() != 0).collect();
        let mut lengths = Vec::with_capacity(KINDS);
        for _ in 1..present.len() {
            lengths.push(read_number(&mut packed)?);
        }
        for (index, kind) in present.into_iter().enumerate() {
            let length = lengths.get(index).copied().unwrap_or(packed.len());
            let piece = packed.split_off(..length).ok_or("truncated")?;
            self.unpack_piece(kind, piece, most(kind), parts.of(kind))?;
        }
        if packed.is_empty() { Ok(()) } else { Err("more than its pixels") }
    }

    fn unpack_piece(&mut self, kind: Kind, mut piece: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let stream = match &mut self.streams[kind.0] {
            Some(stream) => stream,
            none => none.insert(reader(kind).map_err(|_| "no memory for a stream")?),
        };
        let mut length = 0;
        loop {
            if length == out.len() {
                // Twice as much each time; one byte more than allowed, to see whether there is one.
                let room = (2 * length + ROOM).min(most + 1);
                out.reserve_exact(room - length);
                out.resize(room, 0);
            }
            let step = stream.run_on_buffers(piece, &mut out[length..]).map_err(|_| "broken compression")?;
            piece = &piece[step.bytes_read..];
            length += step.bytes_written;
            if length > most {
                return Err("more than its pixels");
            }
            if step.remaining == 0 {
                return Err("the stream ended");
            }
            if step.bytes_read == 0 && step.bytes_written == 0 {
                out.truncate(length);
                return if piece.is_empty() && step.remaining == BLOCK_HEADER { Ok(()) } else { Err("truncated") };
            }
        }
    }
}

fn reader(kind: Kind) -> io::Result<raw::Decoder<'static>> {
    let mut stream = raw::Decoder::new()?;
    stream.set_parameter(DParameter::WindowLogMax(if kind.is_photo() { PHOTO_WINDOW_LOG } else { WINDOW_LOG }))?;
    Ok(stream)
}

/// Appends a number: seven bits a byte, the lowest first, the top bit set on all but the last (LEB128).
pub(super) fn write_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes such a number off the front; at most 28 bits.
pub(super) fn read_number(bytes: &mut &[u8]) -> Result<usize, &'static str> {
    let mut number = 0;
    for shift in (0..28).step_by(7) {
        let byte = *bytes.split_off_first().ok_or("truncated")?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err("a number too large")
}

/// The same for numbers of either sign: zigzag, so that small ones stay small.
pub(super) fn write_signed(number: i32, out: &mut Vec<u8>) {
    write_number(((number << 1) ^ (number >> 31)) as u32 as usize, out);
}

/// See [`write_signed`].
pub(super) fn read_signed(bytes: &mut &[u8]) -> Result<i32, &'static str> {
    let number = read_number(bytes)? as i32;
    Ok((number >> 1) ^ -(number & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 16_383, 16_384, (1 << 28) - 1] {
            let mut bytes = Vec::new();
            write_number(number, &mut bytes);
            assert_eq!(read_number(&mut &bytes[..]), Ok(number));
            assert_eq!(read_number(&mut &bytes[..bytes.len() - 1]), Err("truncated"));
        }
        for number in [0, -1, 1, -64, 64, -65, (1 << 27) - 1, -(1 << 27)] {
            let mut bytes = Vec::new();
            write_signed(number, &mut bytes);
            assert_eq!(read_signed(&mut &bytes[..]), Ok(number));
        }
        let mut bytes = Vec::new();
        write_number(1 << 28, &mut bytes);
        assert_eq!(read_number(&mut &bytes[..]), Err("a number too large"));
    }

    #[test]
    fn pieces_come_back_and_what_was_sent_before_costs_little() {
        let (mut packer, mut unpacker) = (Packer::new(7), Unpacker::default());
        let mut lengths = Vec::new();
        for _ in 0..3 {
            let (mut parts, mut read, mut packed) = (Parts::default(), Parts::default(), Vec::new());
            for (kind, seed) in [(Kind::CONTROL, 1_u32), (Kind::RAW, 2), (Kind::PLANES[2], 3)] {
                parts.of(kind).extend((0..9000).map(|at: u32| ((at + seed).wrapping_mul(0x9e37_79b1) >> 24) as u8));
            }
            let bytes = packer.pack(&parts, &mut packed).unwrap();
            lengths.push(Kind::RAW.of(&bytes));
            unpacker.unpack(&packed, |_| 9000, &mut read).unwrap();
            assert_eq!(read.0, parts.0);
        }
        assert!(lengths[1] < lengths[0] / 50 && lengths[2] < lengths[0] / 50, "{lengths:?}");
    }

    #[test]
    fn one_byte_too_many_is_refused() {
        for (length, result) in [(100, Ok(())), (101, Err("more than its pixels")), (1 << 20, Err("more than its pixels"))] {
            let (mut parts, mut packed) = (Parts::default(), Vec::new());
            parts.of(Kind::INDICES).resize(length, 0);
            Packer::new(3).pack(&parts, &mut packed).unwrap();
            assert_eq!(Unpacker::default().unpack(&packed, |_| 100, &mut Parts::default()), result, "{length}");
        }
    }
}
