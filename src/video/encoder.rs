//! The encoder: sends what differs from the last frame **sent**.
//!
//! Changed pixels are sent as they are, not as a difference: old text under new text would only hide that the new text was seen
//! before. One zstd stream lives as long as the session, so anything shown in the last [`WINDOW_LOG`] of pixels (a line that
//! scrolled, a window that moved, a menu that comes back) costs a few bytes. [`super::payload`] has the format.

use std::io;

use zstd::stream::raw::{self, CParameter, Operation, OutBuffer};

use super::{
    damage::changed_rects,
    frame::{Damage, Frame, Rect, Size},
    payload::{WINDOW_LOG, write_head, write_rect},
};

/// zstd's level: 3 is the lowest one whose matches are long enough to find scrolled rows of raw pixels.
const LEVEL: i32 = 3;
/// Room for compressed bytes grows in such steps.
const ROOM: usize = 32 << 10;

/// Turns frames into payloads, each a change against the last one encoded.
pub struct Encoder {
    stream: raw::Encoder<'static>,
    /// What the decoder shows, once there was a first payload.
    sent: Option<Frame>,
    /// What the next payload unpacks to. Kept for its memory.
    body: Vec<u8>,
}

impl Encoder {
    /// An encoder whose first payload is a keyframe.
    ///
    /// # Errors
    /// zstd cannot be set up.
    pub fn new() -> io::Result<Self> {
        let mut stream = raw::Encoder::new(LEVEL)?;
        stream.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
        // Finds what scrolled or moved anywhere in the window: a third to a half less for half as much time again.
        stream.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
        Ok(Self { stream, sent: None, body: Vec::new() })
    }

    /// The payload that brings the decoder's picture to `frame`, or `None` when nothing changed. `damage` tells where to look
    /// (all changes since the last call must be inside); a frame of another size is a keyframe.
    ///
    /// # Errors
    /// zstd failed; the encoder and its decoder are of no more use.
    pub fn encode(&mut self, frame: &Frame, damage: &Damage) -> io::Result<Option<Vec<u8>>> {
        let size = frame.size();
        let (keyframe, mut sent) = match self.sent.take() {
            Some(sent) if sent.size() == size => (None, sent),
            _ => (Some(size), Frame::new(size)),
        };
        let rects = match keyframe {
            None => changed_rects(&sent, frame, damage),
            Some(size) => changed_rects(&sent, frame, &Damage::full(size)),
        };
        let payload = if keyframe.is_some() || !rects.is_empty() {
            self.write_body(frame, &rects);
            Some(self.compress(keyframe)?)
        } else {
            None
        };
        rects.iter().for_each(|rect| sent.copy_rect(frame, *rect));
        self.sent = Some(sent);
        Ok(payload)
    }

    /// Count, rectangles, pixels.
    fn write_body(&mut self, frame: &Frame, rects: &[Rect]) {
        self.body.clear();
        let count = u16::try_from(rects.len()).expect("no more than the tiles of a frame of MAX_PIXELS");
        self.body.extend(count.to_le_bytes());
        rects.iter().for_each(|rect| write_rect(*rect, &mut self.body));
        for rect in rects {
            for y in rect.y..rect.y + rect.height {
                append_bgr(frame.row(rect.x, y, rect.width), &mut self.body);
            }
        }
    }

    /// The head, and the body as the stream's next piece.
    fn compress(&mut self, keyframe: Option<Size>) -> io::Result<Vec<u8>> {
        let mut payload = Vec::new();
        write_head(keyframe, &mut payload);
        let mut written = payload.len();
        let mut read = 0;
        while read < self.body.len() {
            payload.resize(written + ROOM, 0);
            let step = self.stream.run_on_buffers(&self.body[read..], &mut payload[written..])?;
            read += step.bytes_read;
            written += step.bytes_written;
        }
        loop {
            payload.resize(written + ROOM, 0);
            let mut room = OutBuffer::around(&mut payload[written..]);
            let waiting = self.stream.flush(&mut room)?;
            written += room.pos();
            if waiting == 0 {
                break;
            }
        }
        payload.truncate(written);
        payload.shrink_to_fit();
        Ok(payload)
    }
}

/// Appends a row without its X bytes.
fn append_bgr(row: &[u8], out: &mut Vec<u8>) {
    let (pixels, _) = row.as_chunks::<4>();
    let start = out.len();
    out.resize(start + pixels.len() * 3, 0);
    for (bgr, [b, g, r, _]) in out[start..].as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
        *bgr = [*b, *g, *r];
    }
}
