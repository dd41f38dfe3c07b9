//! The decoder. Trusts nothing: whatever the bytes, it ends in a picture or in an error, in memory and time that the picture's size
//! bounds. Rules:
//!
//! 1. Of every stream no more is unpacked than the picture's size allows, before anything of it is looked at.
//! 2. Every tile, slot, vector, rectangle and colour is checked before it is used.
//! 3. The payload must end where its last pixel ends, in every stream.
//! 4. After an error the decoder is dead: the streams have lost their place.
//!
//! Memory, besides the caller's frame, in bytes a pixel and at the very most: 23 for the unpacked streams, 24 for the transform's planes, 8
//! for sources of moves, 8 for pixels on their way, 2 for moves; 65 in all. Then 194 KB for every 16 pixels of width and height together (the
//! edges of [`MOST_LOSSY`] rectangles), 32 MiB of remembered tiles, and the zstd windows (three of 4 MiB, twelve of 256 KiB). So a hostile
//! host can make a viewer take 220 MB with a picture of 1920x1080, and 2.4 GB with one of 8K.

use super::{
    cache::{Cache, is_whole},
    frame::{Damage, Frame, Rect, Size},
    moves::{self, Mover},
    palette::MAX_COLOURS,
    payload::{Head, MOST_LOSSY, Mode, Patch, read_list, tile, tiles},
    photo,
    pixels::{read_indices, read_raw, spread},
    streams::{Kind, Parts, Unpacker, read_number},
    transform::{Coder, Quality, SymbolReader, max_symbols},
};

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
#[derive(Default)]
pub struct Decoder {
    unpacker: Unpacker,
    /// The picture's size, once there was a keyframe.
    size: Option<Size>,
    is_exact: bool,
    cache: Cache,
    /// By number.
    colours: Vec<u32>,
    parts: Parts,
    mover: Mover,
    coder: Coder,
    pixels: Vec<u32>,
    dead: bool,
}

impl Decoder {
    /// A decoder that waits for a keyframe.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        Ok(result?)
    }

    /// Whether the frame is what the host's screen was, to the bit; else the next pictures will make it so.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    fn decode_next(&mut self, mut payload: &[u8], frame: &mut Frame) -> Result<Damage, &'static str> {
        let head = Head::read(&mut payload)?;
        let mut damage = Damage::none();
        if let Some(size) = head.keyframe {
            frame.blacken(size);
            self.size = Some(size);
            damage.add(size.bounds());
        }
        let size = self.size.ok_or("no keyframe yet")?;
        if frame.size() != size {
            return Err("another frame");
        }
        if head.has_new_streams {
            self.unpacker = Unpacker::default();
        }
        if head.has_new_colours {
            self.colours.clear();
        }
        self.is_exact = head.is_exact;
        self.unpacker.unpack(payload, |kind| most(kind, size), &mut self.parts)?;
        let parts = std::mem::take(&mut self.parts);
        let done = self.follow(&parts, frame, &mut damage);
        self.parts = parts;
        done.map(|()| damage)
    }

    /// Does what the control stream says.
    fn follow(&mut self, parts: &Parts, frame: &mut Frame, damage: &mut Damage) -> Result<(), &'static str> {
        let size = frame.size();
        let control = &mut parts.get(Kind::CONTROL);
        self.remember(control, frame)?;
        let (vectors, moves) = moves::read(control)?;
        self.mover.apply(frame, &vectors, &moves)?;
        moves.iter().filter_map(|step| step.rect(size)).for_each(|rect| damage.add(rect));
        self.recall(control, frame, damage)?;
        self.learn_colours(control)?;
        let mut pixels = Pixels::new(parts);
        let mut room = size.pixels() * 2;
        let mut above = 0;
        for _ in 0..read_number(control)? {
            let Patch { rect, mode } = Patch::read(above, size, control)?;
            above = rect.y;
            room = room.checked_sub(rect.pixels()).ok_or("more pixels than the picture has")?;
            self.patch(control, &mut pixels, frame, rect, mode)?;
            damage.add(rect);
        }
        if control.is_empty() && pixels.is_empty() { Ok(()) } else { Err("more than its pixels") }
    }

    fn remember(&mut self, control: &mut &[u8], frame: &Frame) -> Result<(), &'static str> {
        for number in read_list(frame.size(), control)? {
            self.cache.remember(frame, whole_tile(number, frame.size())?);
        }
        Ok(())
    }

    fn recall(&self, control: &mut &[u8], frame: &mut Frame, damage: &mut Damage) -> Result<(), &'static str> {
        for number in read_list(frame.size(), control)? {
            let (slot, tile) = (read_number(control)?, whole_tile(number, frame.size())?);
            self.cache.recall(slot, frame, tile).ok_or("an empty slot")?;
            damage.add(tile);
        }
        Ok(())
    }

    fn learn_colours(&mut self, control: &mut &[u8]) -> Result<(), &'static str> {
        let count = read_number(control)?;
        if self.colours.len() + count > MAX_COLOURS {
            return Err("too many colours");
        }
        let colours = control.split_off(..count * 3).ok_or("truncated")?;
        self.colours.extend(colours.as_chunks::<3>().0.iter().map(|[b, g, r]| u32::from_le_bytes([*b, *g, *r, 0])));
        Ok(())
    }

    fn patch(
        &mut self,
        control: &mut &[u8],
        pixels: &mut Pixels<'_>,
        frame: &mut Frame,
        rect: Rect,
        mode: Mode,
    ) -> Result<(), &'static str> {
        match mode {
            Mode::Solid => {
                let Some(&[b, g, r]) = control.split_off(..3) else { return Err("truncated") };
                for y in rect.y..rect.y + rect.height {
                    frame.row_mut(rect.x, y, rect.width).as_chunks_mut().0.fill([b, g, r, 0]);
                }
            }
            Mode::Indexed(order) => {
                read_indices(&mut pixels.indices, &self.colours, rect.pixels(), &mut self.pixels)?;
                spread(&self.pixels, frame, rect, order);
            }
            Mode::Raw(order) => {
                read_raw(&mut pixels.raw, rect.pixels(), &mut self.pixels)?;
                spread(&self.pixels, frame, rect, order);
            }
            Mode::Photo(guess) => photo::read(frame, rect, guess, pixels.planes.each_mut())?,
            Mode::Lossy => {
                pixels.lossy += 1;
                if pixels.lossy > MOST_LOSSY {
                    return Err("too many rectangles with a loss");
                }
                let step = *control.split_off_first().ok_or("truncated")?;
                let quality = Quality::new(step).ok_or("an impossible quality")?;
                self.coder.decode(frame, rect, quality, &mut pixels.symbols)?;
            }
        }
        Ok(())
    }
}

fn whole_tile(number: usize, size: Size) -> Result<Rect, &'static str> {
    tile(number, size).filter(|tile| is_whole(*tile)).ok_or("a tile outside the picture")
}

/// The pixels of a payload that are not told yet.
struct Pixels<'a> {
    indices: &'a [u8],
    raw: &'a [u8],
    planes: [&'a [u8]; 3],
    symbols: SymbolReader<'a>,
    /// Rectangles with a loss so far.
    lossy: usize,
}

impl<'a> Pixels<'a> {
    fn new(parts: &'a Parts) -> Self {
        Self {
            indices: parts.get(Kind::INDICES),
            raw: parts.get(Kind::RAW),
            planes: Kind::PLANES.map(|kind| parts.get(kind)),
            symbols: SymbolReader::new(Kind::symbols().map(|kind| parts.get(kind))),
            lossy: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.indices.is_empty()
            && self.raw.is_empty()
            && self.planes.iter().all(|plane| plane.is_empty())
            && self.symbols.is_empty()
    }
}

/// The most bytes of a kind in a picture of this size. An encoder's control stream is far smaller.
fn most(kind: Kind, size: Size) -> usize {
    if let Some(index) = Kind::symbols().iter().position(|symbols| *symbols == kind) {
        return max_symbols(size, MOST_LOSSY)[index];
    }
    match kind {
        Kind::CONTROL => 3 * MAX_COLOURS + 64 * tiles(size) + size.pixels(),
        Kind::INDICES => size.pixels() * 2 * 2,
        Kind::RAW => size.pixels() * 3 * 2,
        _ => size.pixels() * 2,
    }
}

#[cfg(test)]
mod tests;
