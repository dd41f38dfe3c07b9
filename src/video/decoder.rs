//! The decoder. Trusts nothing: whatever the bytes, it ends in a picture or in an error, in memory that the screen's size
//! bounds. Rules:
//! 1. Nothing is unpacked beyond what is asked for next: the count, the rectangles, then exactly their pixels, a band at a time.
//! 2. Every rectangle is checked before the first pixel is unpacked.
//! 3. The payload must end where its last pixel ends.
//! 4. After an error the decoder is dead: the stream has lost its place.

use zstd::stream::raw::{self, DParameter, Operation};

use super::{
    frame::{Damage, Frame, Rect, Size},
    payload::{RECT, WINDOW_LOG, read_head, read_rect, tiles},
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
        let rects = read_rects(&mut body, size)?;
        for rect in &rects {
            read_pixels(&mut body, &mut self.band, frame, *rect)?;
        }
        body.end()?;
        let mut damage = Damage::none();
        match keyframe {
            Some(size) => damage.add(size.bounds()),
            None => rects.into_iter().for_each(|rect| damage.add(rect)),
        }
        Ok(damage)
    }
}

/// The rectangles of a body, all checked.
fn read_rects(body: &mut Body<'_>, size: Size) -> Result<Vec<Rect>, DecodeError> {
    let mut count = [0; 2];
    body.read(&mut count)?;
    let count = usize::from(u16::from_le_bytes(count));
    if count > tiles(size) {
        return Err("too many rectangles".into());
    }
    let mut bytes = vec![0; count * RECT];
    body.read(&mut bytes)?;
    let rects: Vec<Rect> = bytes.as_chunks::<RECT>().0.iter().map(read_rect).collect();
    if rects.iter().any(|rect| rect.clamp(size) != Some(*rect)) {
        return Err("a rectangle outside the picture".into());
    }
    if rects.iter().map(|rect| rect.pixels()).sum::<usize>() > size.pixels() {
        return Err("more pixels than the picture has".into());
    }
    Ok(rects)
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

/// Writes B, G, R over a row and leaves its X bytes.
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
