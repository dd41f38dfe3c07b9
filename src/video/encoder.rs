//! The encoder: sends what differs from the last frame **sent**.
//!
//! Changed pixels are sent as they are, not as a difference: old text under new text would only hide that the new text was seen
//! before. One zstd stream lives as long as the session, so anything shown in the last [`WINDOW_LOG`] of pixels (a line that
//! scrolled, a window that moved, a menu that comes back) costs a few bytes. [`super::payload`] has the format.

use std::io;

use zstd::stream::raw::{self, CParameter, Operation, OutBuffer};

use super::{
    damage::changed_rects,
    frame::{BGR, Damage, Frame, Rect, Size, pixels},
    payload::{Mode, Patch, WINDOW_LOG, write_head},
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

    /// Count, rectangles with their modes, pixels.
    fn write_body(&mut self, frame: &Frame, rects: &[Rect]) {
        self.body.clear();
        let count = u16::try_from(rects.len()).expect("no more than the tiles of a frame of MAX_PIXELS");
        self.body.extend(count.to_le_bytes());
        let patches: Vec<Patch> = rects.iter().map(|rect| Patch { rect: *rect, mode: mode(frame, *rect) }).collect();
        patches.iter().for_each(|patch| patch.write(&mut self.body));
        for Patch { rect, mode } in patches {
            match mode {
                Mode::Solid => append_bgr(frame.row(rect.x, rect.y, 1), &mut self.body),
                Mode::Raw => {
                    for y in rect.y..rect.y + rect.height {
                        append_bgr(frame.row(rect.x, y, rect.width), &mut self.body);
                    }
                }
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

/// How to tell the pixels of `rect`: most rectangles are seen not to be solid in their first row.
fn mode(frame: &Frame, rect: Rect) -> Mode {
    let colour = pixels(frame.row(rect.x, rect.y, 1)).fold(0, |_, pixel| pixel);
    let solid = |y| pixels(frame.row(rect.x, y, rect.width)).fold(0, |different, pixel| different | (pixel ^ colour)) & BGR == 0;
    if (rect.y..rect.y + rect.height).all(solid) { Mode::Solid } else { Mode::Raw }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::video::decoder::Decoder;

    /// What happens on a screen.
    #[derive(Clone, Debug)]
    enum Event {
        /// A rectangle gets one colour.
        Fill {
            at: Rect,
            colour: [u8; 4],
        },
        /// A rectangle gets pixels that do not compress.
        Noise {
            at: Rect,
            seed: u32,
        },
        /// Everything moves up.
        Scroll {
            rows: u16,
        },
        /// The X bytes change, and nothing that is seen.
        Unseen,
        Resize(Size),
        /// The screen is captured and sent; captures between two of these were dropped.
        Send(Reported),
    }

    /// How well the capture knows what changed.
    #[derive(Clone, Copy, Debug)]
    enum Reported {
        Exactly,
        Roughly,
        Everything,
    }

    fn rect() -> impl Strategy<Value = Rect> {
        (0..190u16, 0..150u16, 1..150u16, 1..90u16).prop_map(|(x, y, width, height)| Rect { x, y, width, height })
    }

    fn event() -> impl Strategy<Value = Event> {
        let reported = prop_oneof![Just(Reported::Exactly), Just(Reported::Roughly), Just(Reported::Everything)];
        prop_oneof![
            3 => (rect(), any::<[u8; 4]>()).prop_map(|(at, colour)| Event::Fill { at, colour }),
            2 => (rect(), any::<u32>()).prop_map(|(at, seed)| Event::Noise { at, seed }),
            2 => (1..40u16).prop_map(|rows| Event::Scroll { rows }),
            1 => Just(Event::Unseen),
            1 => (1..200u16, 1..150u16).prop_map(|(width, height)| Event::Resize(Size { width, height })),
            6 => reported.prop_map(Event::Send),
        ]
    }

    /// Does `event` to `screen`; returns where it changed.
    fn happen(event: &Event, screen: &mut Frame) -> Damage {
        let size = screen.size();
        let mut damage = Damage::none();
        match event {
            Event::Fill { at, colour } => {
                let Some(at) = at.clamp(size) else { return damage };
                paint(screen, at, || *colour);
                damage.add(at);
            }
            Event::Noise { at, seed } => {
                let Some(at) = at.clamp(size) else { return damage };
                let mut state = *seed | 1;
                paint(screen, at, || {
                    state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
                    (state ^ (state >> 15)).to_le_bytes()
                });
                damage.add(at);
            }
            Event::Scroll { rows } => {
                let from = usize::from(*rows.min(&size.height)) * screen.stride();
                screen.data_mut().copy_within(from.., 0);
                damage = Damage::full(size);
            }
            Event::Unseen => {
                screen.data_mut().iter_mut().skip(3).step_by(4).for_each(|x| *x = x.wrapping_add(1));
                damage = Damage::full(size);
            }
            Event::Resize(size) => {
                screen.resize(*size);
                damage = Damage::full(*size);
            }
            Event::Send(_) => {}
        }
        damage
    }

    fn paint(screen: &mut Frame, at: Rect, mut pixel: impl FnMut() -> [u8; 4]) {
        for y in at.y..at.y + at.height {
            screen.row_mut(at.x, y, at.width).as_chunks_mut::<4>().0.iter_mut().for_each(|to| *to = pixel());
        }
    }

    fn grown(damage: &Damage) -> Damage {
        let mut grown = Damage::none();
        for rect in damage.rects() {
            let (x, y) = (rect.x.saturating_sub(9), rect.y.saturating_sub(30));
            grown.add(Rect { x, y, width: rect.width + 20, height: rect.height + 60 });
        }
        grown
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn the_decoder_shows_what_was_sent(events in prop::collection::vec(event(), 1..40)) {
            let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
            let mut screen = Frame::new(Size { width: 150, height: 100 });
            let mut shown = Frame::new(Size { width: 1, height: 1 });
            let mut unsent = Damage::none();
            for event in events {
                unsent.merge(&happen(&event, &mut screen));
                let Event::Send(reported) = event else { continue };
                let damage = match reported {
                    Reported::Exactly => std::mem::take(&mut unsent),
                    Reported::Roughly => grown(&std::mem::take(&mut unsent)),
                    Reported::Everything => Damage::full(screen.size()),
                };
                unsent = Damage::none();
                let before = shown.clone();
                match encoder.encode(&screen, &damage).unwrap() {
                    Some(payload) => {
                        let told = decoder.decode(&payload, &mut shown).unwrap();
                        prop_assert!(before.size() != shown.size() || tells_all_changes(&told, &before, &shown));
                    }
                    None => prop_assert!(shown.shows_same(&screen), "a change was not sent"),
                }
                prop_assert!(shown.shows_same(&screen));
                prop_assert_eq!(encoder.encode(&screen, &Damage::full(screen.size())).unwrap(), None);
            }
        }
    }

    /// Whether a face that repaints only `told` shows `after`.
    fn tells_all_changes(told: &Damage, before: &Frame, after: &Frame) -> bool {
        let mut face = before.clone();
        told.rects().iter().for_each(|rect| face.copy_rect(after, *rect));
        face.shows_same(after)
    }

    const SIZE: Size = Size { width: 300, height: 200 };

    #[test]
    fn the_first_payload_is_a_keyframe_even_of_a_black_screen() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let mut shown = Frame::new(Size { width: 1, height: 1 });
        let payload = encoder.encode(&Frame::new(SIZE), &Damage::none()).unwrap().unwrap();
        assert_eq!(decoder.decode(&payload, &mut shown), Ok(Damage::full(SIZE)));
        assert!(shown.shows_same(&Frame::new(SIZE)));
    }

    #[test]
    fn nothing_changed_is_nothing_sent() {
        let mut encoder = Encoder::new().unwrap();
        let mut screen = Frame::new(SIZE);
        encoder.encode(&screen, &Damage::full(SIZE)).unwrap();
        assert_eq!(encoder.encode(&screen, &Damage::full(SIZE)).unwrap(), None);
        happen(&Event::Unseen, &mut screen);
        assert_eq!(encoder.encode(&screen, &Damage::full(SIZE)).unwrap(), None);
    }

    #[test]
    fn one_colour_over_everything_is_a_few_bytes() {
        let mut encoder = Encoder::new().unwrap();
        let mut screen = Frame::new(SIZE);
        encoder.encode(&screen, &Damage::full(SIZE)).unwrap();
        happen(&Event::Fill { at: SIZE.bounds(), colour: [1, 2, 3, 4] }, &mut screen);
        let payload = encoder.encode(&screen, &Damage::full(SIZE)).unwrap().unwrap();
        assert!(payload.len() < 80, "{} bytes", payload.len());
    }

    #[test]
    fn what_was_on_the_screen_before_costs_little() {
        let mut encoder = Encoder::new().unwrap();
        let mut screen = Frame::new(SIZE);
        happen(&Event::Noise { at: SIZE.bounds(), seed: 7 }, &mut screen);
        let first = encoder.encode(&screen, &Damage::full(SIZE)).unwrap().unwrap();
        assert!(first.len() > SIZE.pixels() * 3, "noise does not compress");
        let noise = screen.clone();
        happen(&Event::Fill { at: SIZE.bounds(), colour: [9; 4] }, &mut screen);
        encoder.encode(&screen, &Damage::full(SIZE)).unwrap().unwrap();
        let again = encoder.encode(&noise, &Damage::full(SIZE)).unwrap().unwrap();
        assert!(again.len() < first.len() / 100, "{} bytes", again.len());
    }
}
