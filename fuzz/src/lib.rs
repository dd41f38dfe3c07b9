//! What the fuzz targets share. The targets are in `fuzz_targets/`, their first inputs come from `examples/seeds.rs`; `just fuzz TARGET SECONDS`
//! runs one.
//!
//! The pure floors are included by path: they need nothing else of the project, and with it all of libp2p would be built instrumented,
//! for a quarter of an hour.

#![allow(missing_docs, dead_code, unreachable_pub, reason = "the project's own build looks after these")]

#[path = "../../src/protocol/mod.rs"]
pub mod protocol;
#[path = "../../src/video/mod.rs"]
pub mod video;

use video::{
    decoder::Decoder,
    frame::{Damage, Frame, Size},
};
use zstd::stream::raw::{CParameter, Encoder, Operation, OutBuffer};

/// Streams below a picture (see the payload's specification in `src/video/payload.rs`).
pub const STREAMS: usize = 15;

/// The viewer's side. After each picture: the frame keeps to its size, damage may be painted, and nothing follows an error.
pub struct Viewer {
    decoder: Decoder,
    frame: Frame,
}

impl Default for Viewer {
    fn default() -> Self {
        Self { decoder: Decoder::new(), frame: Frame::new(Size { width: 1, height: 1 }) }
    }
}

impl Viewer {
    /// Whether the session goes on. Large frames are no different from small ones, only slow: a keyframe's sides are cut to 511 pixels.
    pub fn show(&mut self, payload: &[u8]) -> bool {
        let mut payload = payload.to_vec();
        if let [flags, _, width, _, height, ..] = &mut payload[..]
            && *flags & 1 == 1
        {
            *width &= 1;
            *height &= 1;
        }
        let Ok(damage) = self.decoder.decode(&payload, &mut self.frame) else {
            assert!(self.decoder.decode(&payload, &mut self.frame).is_err(), "alive after an error");
            return false;
        };
        assert_eq!(self.frame.data().len(), self.frame.size().pixels() * 4);
        self.check(&damage);
        true
    }

    fn check(&self, damage: &Damage) {
        for rect in damage.rects() {
            assert_eq!(rect.clamp(self.frame.size()), Some(*rect), "damage outside the picture");
        }
    }
}

/// Packs streams as an encoder does, whatever is in them: so that what is mutated is not the compression.
#[derive(Default)]
pub struct Packer {
    streams: [Option<Encoder<'static>>; STREAMS],
}

impl Packer {
    /// The payload with this head.
    pub fn pack(&mut self, head: &[u8], parts: &[&[u8]; STREAMS]) -> Vec<u8> {
        if head.first().is_some_and(|flags| flags & 2 != 0) {
            self.streams = Default::default();
        }
        let (mut mask, mut pieces) = (0, Vec::new());
        for (kind, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            mask |= 1 << kind;
            pieces.push(piece(self.streams[kind].get_or_insert_with(open), part));
        }
        let mut payload = head.to_vec();
        write_number(mask, &mut payload);
        pieces.iter().rev().skip(1).rev().for_each(|piece| write_number(piece.len(), &mut payload));
        payload.extend(pieces.concat());
        payload
    }
}

fn open() -> Encoder<'static> {
    let mut stream = Encoder::new(1).expect("zstd has memory");
    stream.set_parameter(CParameter::WindowLog(10)).expect("zstd knows such a window");
    stream
}

fn piece(stream: &mut Encoder<'static>, part: &[u8]) -> Vec<u8> {
    let mut piece = vec![0; zstd::zstd_safe::compress_bound(part.len()) + 1024];
    let run = stream.run_on_buffers(part, &mut piece).expect("zstd takes any bytes");
    assert_eq!(run.bytes_read, part.len());
    let mut room = OutBuffer::around(&mut piece[run.bytes_written..]);
    assert_eq!(stream.flush(&mut room).expect("zstd flushes"), 0);
    let end = run.bytes_written + room.pos();
    piece.truncate(end);
    piece
}

/// Appends a number as payloads have it.
pub fn write_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes the next part off the front: its length in two bytes, little-endian, then the part; what is missing is left out.
pub fn next<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let Some(&[low, high]) = data.split_off(..2) else { return None };
    let length = usize::from(u16::from_le_bytes([low, high])).min(data.len());
    data.split_off(..length)
}

/// Appends a part so that [`next`] takes it off.
pub fn write_part(part: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(part.len()).expect("a seed's part is short");
    out.extend(length.to_le_bytes());
    out.extend(part);
}
