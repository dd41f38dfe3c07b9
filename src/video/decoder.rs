//! The decoder. Trusts nothing: whatever the bytes, it ends in a picture or in an error, in memory that the screen's size
//! bounds. Rules:
//! 1. Nothing is unpacked beyond what is asked for next: the count, the rectangles, then exactly their pixels, a band at a time.
//! 2. Every rectangle is checked before the first pixel is unpacked.
//! 3. The payload must end where its last pixel ends.
//! 4. After an error the decoder is dead: the stream has lost its place.

use zstd::stream::raw::{self, DParameter, Operation};

use super::{
    frame::{Damage, Frame, Rect, Size},
    payload::{Mode, PATCH, Patch, WINDOW_LOG, read_head, tiles},
};

/// Pixels are unpacked into a band of at most so many bytes: the widest row fits.
const BAND: usize = 64 << 10;
/// Bytes of a zstd block's header (RFC 8878, 3.1.1.2): what zstd waits for exactly when a flushed piece is used up.
const BLOCK_HEADER: usize = 3;

/// A payload that no encoder made; end the session.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the picture is damaged ({0})")]
pub struct DecodeError(pub &'static str);

impl From<&'static str> for DecodeError {
    fn from(what: &'static str) -> Self {
        Self(what)
    }
}

/// Turns payloads back into frames. Trusts nothing.
pub struct Decoder {
    stream: raw::Decoder<'static>,
    /// The picture's size, once there was a keyframe.
    size: Option<Size>,
    /// Pixels on their way into the frame.
    band: Vec<u8>,
    dead: bool,
}

impl Decoder {
    /// A decoder that waits for a keyframe.
    ///
    /// # Errors
    /// zstd cannot be set up.
    pub fn new() -> std::io::Result<Self> {
        let mut stream = raw::Decoder::new()?;
        stream.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Self { stream, size: None, band: vec![0; BAND], dead: false })
    }

    /// Brings `frame` (always the same one) up to date and tells where it changed.
    ///
    /// # Errors
    /// After an error the decoder is dead and `frame` may be half changed.
    pub fn decode(&mut self, payload: &[u8], frame: &mut Frame) -> Result<Damage, DecodeError> {
        if self.dead {
            return Err("after an error".into());
        }
        let result = self.decode_next(payload, frame);
        self.dead = result.is_err();
        result
    }

    fn decode_next(&mut self, payload: &[u8], frame: &mut Frame) -> Result<Damage, DecodeError> {
        let (keyframe, compressed) = read_head(payload)?;
        let size = keyframe.or(self.size).ok_or("no keyframe yet")?;
        if keyframe.is_some() {
            frame.blacken(size);
            self.size = keyframe;
        } else if frame.size() != size {
            return Err("another frame".into());
        }
        let mut body = Body { stream: &mut self.stream, compressed, awaits: 0 };
        let patches = read_patches(&mut body, size)?;
        for Patch { rect, mode } in &patches {
            match mode {
                Mode::Raw => read_pixels(&mut body, &mut self.band, frame, *rect)?,
                Mode::Solid => read_colour(&mut body, frame, *rect)?,
            }
        }
        body.end()?;
        let mut damage = Damage::none();
        match keyframe {
            Some(size) => damage.add(size.bounds()),
            None => patches.iter().for_each(|patch| damage.add(patch.rect)),
        }
        Ok(damage)
    }
}

/// The rectangles of a body, all checked.
fn read_patches(body: &mut Body<'_>, size: Size) -> Result<Vec<Patch>, DecodeError> {
    let mut count = [0; 2];
    body.read(&mut count)?;
    let count = usize::from(u16::from_le_bytes(count));
    if count > tiles(size) {
        return Err("too many rectangles".into());
    }
    let mut bytes = vec![0; count * PATCH];
    body.read(&mut bytes)?;
    let patches = bytes.as_chunks::<PATCH>().0.iter().map(Patch::read).collect::<Result<Vec<_>, _>>()?;
    if patches.iter().any(|patch| patch.rect.clamp(size) != Some(patch.rect)) {
        return Err("a rectangle outside the picture".into());
    }
    if patches.iter().map(|patch| patch.rect.pixels()).sum::<usize>() > size.pixels() {
        return Err("more pixels than the picture has".into());
    }
    Ok(patches)
}

/// Unpacks one pixel and fills `rect` with it.
fn read_colour(body: &mut Body<'_>, frame: &mut Frame, rect: Rect) -> Result<(), DecodeError> {
    let mut bgr = [0; 3];
    body.read(&mut bgr)?;
    let [b, g, r] = bgr;
    for y in rect.y..rect.y + rect.height {
        frame.row_mut(rect.x, y, rect.width).as_chunks_mut().0.fill([b, g, r, 0]);
    }
    Ok(())
}

/// Unpacks the pixels of `rect` into `frame`, as many rows at a time as `band` holds.
fn read_pixels(body: &mut Body<'_>, band: &mut [u8], frame: &mut Frame, rect: Rect) -> Result<(), DecodeError> {
    let row_bytes = usize::from(rect.width) * 3;
    let rows_at_once = band.len() / row_bytes;
    let rows: Vec<u16> = (rect.y..rect.y + rect.height).collect();
    for rows in rows.chunks(rows_at_once) {
        let band = &mut band[..rows.len() * row_bytes];
        body.read(band)?;
        for (y, row) in rows.iter().zip(band.chunks_exact(row_bytes)) {
            write_bgr(row, frame.row_mut(rect.x, *y, rect.width));
        }
    }
    Ok(())
}

/// Writes B, G, R over a row.
fn write_bgr(bgr: &[u8], row: &mut [u8]) {
    for (pixel, bgr) in row.as_chunks_mut::<4>().0.iter_mut().zip(bgr.as_chunks::<3>().0) {
        pixel[..3].copy_from_slice(bgr);
    }
}

/// A payload being unpacked.
struct Body<'a> {
    stream: &'a mut raw::Decoder<'static>,
    compressed: &'a [u8],
    /// How many bytes zstd would like to have next.
    awaits: usize,
}

impl Body<'_> {
    /// Fills `out`.
    fn read(&mut self, mut out: &mut [u8]) -> Result<(), DecodeError> {
        while !out.is_empty() {
            let (compressed, wanted) = (self.compressed.len(), out.len());
            out = self.step(out)?;
            if (self.compressed.len(), out.len()) == (compressed, wanted) {
                return Err("truncated".into());
            }
        }
        Ok(())
    }

    /// Checks that nothing is left, neither packed nor unpacked.
    fn end(mut self) -> Result<(), DecodeError> {
        let nothing_unpacked = !self.step(&mut [0])?.is_empty();
        if nothing_unpacked && self.compressed.is_empty() && self.awaits == BLOCK_HEADER {
            Ok(())
        } else {
            Err("more than its pixels".into())
        }
    }

    /// Lets zstd work once; returns what of `out` is not written yet.
    fn step<'out>(&mut self, out: &'out mut [u8]) -> Result<&'out mut [u8], DecodeError> {
        let step = self.stream.run_on_buffers(self.compressed, out).map_err(|_| "broken compression")?;
        self.compressed = &self.compressed[step.bytes_read..];
        self.awaits = step.remaining;
        if step.remaining == 0 {
            return Err("the stream ended".into());
        }
        Ok(&mut out[step.bytes_written..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zstd::stream::raw::{Encoder as Zstd, OutBuffer};

    use super::*;
    use crate::video::{encoder::Encoder, payload::write_head};

    const SIZE: Size = Size { width: 150, height: 100 };

    /// A short session: a keyframe, a few changes, a resize, and where it ends.
    fn session() -> (Vec<Vec<u8>>, Frame) {
        let mut encoder = Encoder::new().unwrap();
        let mut screen = Frame::new(SIZE);
        let mut payloads = Vec::new();
        for step in 0..6u8 {
            if step == 4 {
                screen.resize(Size { width: 90, height: 170 });
            }
            for y in 0..40 {
                let row = screen.row_mut(u16::from(step) * 7, 10 + y * 2, 45);
                row.iter_mut().zip(0u8..).for_each(|(byte, x)| *byte = x.wrapping_mul(step + 3) ^ y as u8);
            }
            payloads.extend(encoder.encode(&screen, &Damage::full(screen.size())).unwrap());
        }
        (payloads, screen)
    }

    /// Decodes until the first error; checks that it stays the last word and that the frame keeps to its bounds.
    fn play(payloads: &[Vec<u8>]) -> Result<Frame, DecodeError> {
        let mut decoder = Decoder::new().unwrap();
        let mut frame = Frame::new(SIZE);
        for payload in payloads {
            if let Err(error) = decoder.decode(payload, &mut frame) {
                assert_eq!(decoder.decode(&payloads[0], &mut frame), Err(DecodeError("after an error")));
                return Err(error);
            }
            assert_eq!(frame.data().len(), frame.size().pixels() * 4);
        }
        Ok(frame)
    }

    /// A keyframe of [`SIZE`] with this body.
    fn forged(body: &[u8]) -> Vec<u8> {
        let mut payload = Vec::new();
        write_head(Some(SIZE), &mut payload);
        let head = payload.len();
        payload.resize(head + body.len() + 1000, 0);
        let mut zstd = Zstd::new(3).unwrap();
        let run = zstd.run_on_buffers(body, &mut payload[head..]).unwrap();
        assert_eq!(run.bytes_read, body.len());
        let mut room = OutBuffer::around(&mut payload[head + run.bytes_written..]);
        assert_eq!(zstd.flush(&mut room).unwrap(), 0);
        let end = head + run.bytes_written + room.pos();
        payload.truncate(end);
        payload
    }

    fn body(rects: &[Rect], pixel_bytes: usize) -> Vec<u8> {
        let mut body = (rects.len() as u16).to_le_bytes().to_vec();
        rects.iter().for_each(|rect| Patch { rect: *rect, mode: Mode::Raw }.write(&mut body));
        body.resize(body.len() + pixel_bytes, 0x80);
        body
    }

    fn refusal(body: &[u8]) -> &'static str {
        play(&[forged(body)]).unwrap_err().0
    }

    #[test]
    fn a_session_plays() {
        let (payloads, screen) = session();
        assert_eq!(payloads.len(), 6);
        assert!(play(&payloads).unwrap().shows_same(&screen));
    }

    #[test]
    fn a_forged_but_whole_payload_is_a_picture() {
        assert!(play(&[forged(&body(&[SIZE.bounds()], SIZE.pixels() * 3))]).is_ok());
    }

    #[test]
    fn a_zip_bomb_is_not_unpacked() {
        let bomb = forged(&body(&[SIZE.bounds()], 100 << 20));
        assert!(bomb.len() < 20_000);
        assert_eq!(play(&[bomb]).unwrap_err().0, "more than its pixels");
    }

    #[test]
    fn impossible_rectangles_are_refused() {
        let rect = Rect { x: 0, y: 0, width: 10, height: 10 };
        assert_eq!(refusal(&body(&[Rect { x: 141, ..rect }], 300)), "a rectangle outside the picture");
        assert_eq!(refusal(&body(&[Rect { y: u16::MAX, ..rect }], 300)), "a rectangle outside the picture");
        assert_eq!(refusal(&body(&[Rect { width: 0, ..rect }], 0)), "a rectangle outside the picture");
        assert_eq!(refusal(&body(&[SIZE.bounds(), rect], SIZE.pixels() * 3 + 300)), "more pixels than the picture has");
        assert_eq!(refusal(&body(&[rect; 7], 2100)), "too many rectangles");
    }

    #[test]
    fn an_unknown_mode_is_refused() {
        let mut body = body(&[Rect { x: 0, y: 0, width: 1, height: 1 }], 3);
        body[2 + PATCH - 1] = 2;
        assert_eq!(refusal(&body), "unknown mode");
    }

    #[test]
    fn a_payload_ends_with_its_last_pixel() {
        let rect = Rect { x: 0, y: 0, width: 10, height: 10 };
        assert_eq!(refusal(&body(&[rect], 299)), "truncated");
        assert_eq!(refusal(&body(&[rect], 301)), "more than its pixels");
        for garbage in [&[0][..], &[0, 0], &[1, 0, 0], b"garbage"] {
            let mut payload = forged(&body(&[rect], 300));
            payload.extend(garbage);
            assert!(play(&[payload]).is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn a_change_before_the_keyframe_is_refused() {
        let (payloads, _) = session();
        assert_eq!(play(&payloads[1..2]).unwrap_err().0, "no keyframe yet");
    }

    #[test]
    fn a_window_above_the_limit_is_refused() {
        let mut zstd = Zstd::new(3).unwrap();
        zstd.set_parameter(raw::CParameter::WindowLog(WINDOW_LOG + 1)).unwrap();
        let mut payload = Vec::new();
        write_head(Some(SIZE), &mut payload);
        let head = payload.len();
        payload.resize(1000, 0);
        let run = zstd.run_on_buffers(&body(&[], 0), &mut payload[head..]).unwrap();
        let mut room = OutBuffer::around(&mut payload[head + run.bytes_written..]);
        zstd.flush(&mut room).unwrap();
        let end = head + run.bytes_written + room.pos();
        assert_eq!(play(&[payload[..end].to_vec()]).unwrap_err().0, "broken compression");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn a_truncated_payload_is_an_error(which in 0..6usize, keep in 0.0..1.0f64) {
            let (mut payloads, _) = session();
            let keep = (payloads[which].len() as f64 * keep) as usize;
            payloads[which].truncate(keep);
            prop_assert!(play(&payloads[..=which]).is_err());
        }

        #[test]
        fn flipped_bits_never_panic(flips in prop::collection::vec((0..6usize, any::<prop::sample::Index>(), 0..8u8), 1..6)) {
            let (mut payloads, _) = session();
            for (which, at, bit) in flips {
                let at = at.index(payloads[which].len());
                payloads[which][at] ^= 1 << bit;
            }
            let _ = play(&payloads);
        }

        #[test]
        fn spliced_payloads_never_panic(order in prop::collection::vec((0..6usize, 0.0..=1.0f64, 0..6usize, 0.0..=1.0f64), 1..8)) {
            let (payloads, _) = session();
            let part = |which: usize, cut: f64| payloads[which].split_at((payloads[which].len() as f64 * cut) as usize);
            let spliced: Vec<Vec<u8>> =
                order.into_iter().map(|(a, cut_a, b, cut_b)| [part(a, cut_a).0, part(b, cut_b).1].concat()).collect();
            let _ = play(&spliced);
        }

        #[test]
        fn noise_after_a_keyframe_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
            let (payloads, _) = session();
            let _ = play(&[payloads[0].clone(), [&[0][..], &noise].concat()]);
        }
    }

    /// Payloads of the first release of this format: a decoder that reads them otherwise breaks every older host.
    #[test]
    fn stored_payloads_still_show_the_same() {
        let payloads = [
            &b"014600030028b52ffd0068e800000200010000000200010000440002000100010001010203040506070809"[..],
            b"0070000001003c0001000500010001ababab",
        ]
        .map(|hex| data_encoding::HEXLOWER.decode(hex).unwrap());
        let mut screen = Frame::new(Size { width: 70, height: 3 });
        screen.row_mut(1, 0, 2).copy_from_slice(&[1, 2, 3, 0, 4, 5, 6, 0]);
        screen.row_mut(68, 2, 1).copy_from_slice(&[7, 8, 9, 0]);
        screen.row_mut(60, 1, 5).fill(0xab);
        assert!(play(&payloads).unwrap().shows_same(&screen));
    }
}
