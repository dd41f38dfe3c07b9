//! How the cells that are left are told: which pieces exactly, which with a loss, and what becomes exact later.

use std::{cmp::Reverse, io, time::Duration};

use super::{Encoder, Loss, State};
use crate::video::{
    detect::{fingerprint, mark},
    frame::{Frame, Rect},
    palette::write_indices,
    payload::{MOST_LOSSY, Mode, Patch, TILE, tile},
    photo,
    pieces::{Class, is_solid, join, join_squares, pieces, pieces_for_loss},
    pixels::{collect, write_raw},
    rate::{Told, Weight},
    streams::{Kind, write_number},
    transform::{self, Quality, photographic},
};

/// A rectangle may bring a new colour for so many pixels, and so many for nothing; with more it is told as it is.
const PIXELS_PER_COLOUR: usize = 16;
const FREE_COLOURS: usize = 8;
/// Of a budget that does not carry everything, drawn things have at most this share while there are photographs, and what has a loss
/// at least the other.
const DRAWN_SHARE: f64 = 0.6;
const LOSSY_SHARE: f64 = 0.3;
/// New things may have this share of a budget where something else needs the rest.
const FRESH_SHARE: f64 = 0.75;

/// A piece and what it weighs; nothing where nothing is weighed, because there is no limit.
type Weighed = (Rect, Class, Option<Weight>);

/// A picture being told.
pub(super) struct Telling<'a> {
    /// What the decoder is to show.
    pub(super) frame: &'a Frame,
    /// Colours with a number before it.
    pub(super) known: usize,
    /// Bytes that it may have, and those expected so far.
    pub(super) limit: Option<f64>,
    pub(super) spent: f64,
    /// Whether all of it is new.
    pub(super) is_first: bool,
    /// When what has a loss now will have rested.
    pub(super) rests_at: Duration,
    /// Whether something with a loss could become exact.
    pub(super) has_waiting: bool,
    /// Of photographs with a loss.
    pub(super) quality: Option<Quality>,
    pub(super) patches: Vec<Patch>,
    pub(super) told: Told,
}

impl Telling<'_> {
    /// Whether so many bytes more fit.
    fn allows(&self, cost: f64) -> bool {
        self.limit.is_none_or(|limit| self.spent + cost <= limit)
    }

    fn weigh(&self, rect: Rect, class: Class) -> Weighed {
        (rect, class, self.limit.map(|_| Weight::of(self.frame, rect, class)))
    }
}

impl Encoder {
    /// Tells the cells in the mask.
    pub(super) fn tell_fresh(&mut self, telling: &mut Telling<'_>) -> io::Result<()> {
        let rects = self.mask.cut();
        self.mask.clear();
        let exact: Vec<Weighed> = rects.iter().flat_map(|rect| self.weighed_pieces(*rect, telling)).collect();
        let limit = telling.limit.filter(|limit| exact.iter().map(|piece| self.cost(piece)).sum::<f64>() > *limit);
        match limit {
            None => exact.into_iter().try_for_each(|piece| self.tell_exactly(piece, telling)),
            // While something waits to become exact, new things leave it a part; and of a first picture little is known.
            Some(limit) if telling.is_first || telling.has_waiting => self.tell_within(limit * FRESH_SHARE, &rects, telling),
            Some(limit) => self.tell_within(limit, &rects, telling),
        }
    }

    fn weighed_pieces(&self, rect: Rect, telling: &Telling<'_>) -> Vec<Weighed> {
        let pieces = pieces(&self.shown, telling.frame, rect).into_iter();
        pieces.map(|(rect, class)| telling.weigh(rect, class)).collect()
    }

    /// The bytes that a piece is likely to take, told exactly.
    fn cost(&self, (.., weight): &Weighed) -> f64 {
        weight.map_or(0.0, |weight| self.rate.exact(weight))
    }

    /// Tells drawn things exactly as far as a share of the limit goes, the cheapest first; everything else with a loss.
    fn tell_within(&mut self, limit: f64, rects: &[Rect], telling: &mut Telling<'_>) -> io::Result<()> {
        let pieces = rects.iter().flat_map(|rect| pieces_for_loss(&self.shown, telling.frame, *rect));
        let (drawn, mut rest): (Vec<_>, Vec<_>) = pieces.partition(|(_, class)| *class == Class::Drawn);
        let mut drawn: Vec<Weighed> = drawn.into_iter().map(|(rect, class)| telling.weigh(rect, class)).collect();
        let dearness = |piece: &Weighed| self.cost(piece) / piece.0.pixels() as f64;
        drawn.sort_by(|a, b| dearness(a).total_cmp(&dearness(b)));
        let share = if rest.is_empty() { limit } else { limit * DRAWN_SHARE };
        for piece in drawn {
            if telling.spent + self.cost(&piece) <= share {
                self.tell_exactly(piece, telling)?;
            } else {
                rest.push((piece.0, Class::Drawn));
            }
        }
        // All before the first is told: a tile may lie below several.
        rest.iter().for_each(|(rect, class)| self.set_lossy(*rect, *class == Class::Drawn, telling));
        self.tell_lossy(limit, join_squares(rest.into_iter().map(|(rect, _)| rect)), telling)
    }

    /// Tells rectangles with a loss, the largest first.
    fn tell_lossy(&mut self, limit: f64, mut rects: Vec<Rect>, telling: &mut Telling<'_>) -> io::Result<()> {
        rects.sort_by_key(|rect| Reverse(rect.pixels()));
        for rect in rects.split_off(rects.len().min(MOST_LOSSY)) {
            self.tell_exactly(telling.weigh(rect, Class::Drawn), telling)?;
        }
        let pixels = rects.iter().map(|rect| rect.pixels()).sum();
        let quality = self.rate.quality(pixels, (limit - telling.spent).max(limit * LOSSY_SHARE));
        telling.quality = (pixels > 0).then_some(quality);
        rects.into_iter().try_for_each(|rect| self.cover(rect, quality, telling))
    }

    /// Tells `rect` with a loss, and exactly what in it is no photograph, as far as the limit goes.
    fn cover(&mut self, rect: Rect, quality: Quality, telling: &mut Telling<'_>) -> io::Result<()> {
        telling.spent += self.rate.lossy(quality, rect.pixels());
        telling.told.add_lossy(rect.pixels());
        self.coder.encode(telling.frame, &mut self.shown, rect, quality, &mut self.symbols);
        telling.patches.push(Patch { rect, mode: Mode::Lossy });
        for piece in self.sharp(rect, telling) {
            // A first picture shall be there soon: this follows right after it.
            if !telling.is_first && telling.allows(self.cost(&piece)) {
                self.tell_exactly(piece, telling)?;
            } else {
                self.set_lossy(piece.0, true, telling);
            }
        }
        Ok(())
    }

    /// What in a photograph is drawn: text on it, above all. A rough part is not: exact, it would cost more than all the rest.
    fn sharp(&self, rect: Rect, telling: &Telling<'_>) -> Vec<Weighed> {
        let photographic = photographic(telling.frame, rect);
        let sharp = rect.squares(transform::CELL).zip(photographic).filter_map(|(square, photo)| (!photo).then_some(square));
        let pieces = join(sharp).into_iter().flat_map(|rect| pieces(&self.shown, telling.frame, rect));
        let drawn = pieces.filter(|(_, class)| class.is_drawn());
        drawn.map(|(rect, class)| telling.weigh(rect, class)).collect()
    }

    /// The tiles that `rect` touches have a loss from now on. `is_drawn`: to be made exact at once.
    fn set_lossy(&mut self, rect: Rect, is_drawn: bool, telling: &Telling<'_>) {
        let Telling { frame, rests_at, .. } = *telling;
        let size = frame.size();
        let across = usize::from(size.width.div_ceil(TILE));
        for part in rect.grid(TILE) {
            let number = usize::from(part.y / TILE) * across + usize::from(part.x / TILE);
            let Some(tile) = tile(number, size) else { continue };
            let loss = match self.tiles[number].state {
                State::Exact => Loss { hash: fingerprint(self.arch, frame, tile), is_drawn, rests_at },
                State::Lossy(loss) => Loss { is_drawn: loss.is_drawn || is_drawn, ..loss },
            };
            self.tiles[number].state = State::Lossy(loss);
        }
    }

    /// Makes exact what is drawn in tiles that did not fit, then whole tiles that have rested; as far as the limit goes.
    pub(super) fn refine(&mut self, drawn: &[usize], rested: &[usize], telling: &mut Telling<'_>) -> io::Result<()> {
        for rect in self.mark(drawn, true, telling) {
            for (rect, class) in pieces(&self.shown, telling.frame, rect) {
                let exact = if class.is_drawn() { vec![telling.weigh(rect, class)] } else { self.sharp(rect, telling) };
                exact.into_iter().try_for_each(|piece| self.tell_exactly(piece, telling))?;
            }
        }
        for rect in self.mark(rested, false, telling) {
            for piece in self.weighed_pieces(rect, telling) {
                self.tell_exactly(piece, telling)?;
            }
        }
        Ok(())
    }

    /// The rectangles of the cells that differ in these tiles, of as many tiles as the limit allows. `is_drawn`: only what is drawn
    /// will be told.
    fn mark(&mut self, numbers: &[usize], is_drawn: bool, telling: &mut Telling<'_>) -> Vec<Rect> {
        let size = self.shown.size();
        let mut has_some = false;
        for number in numbers {
            let Some(tile) = tile(*number, size) else { continue };
            let State::Lossy(loss) = self.tiles[*number].state else { continue };
            let weight = if is_drawn { Weight::of(telling.frame, tile, Class::Drawn) } else { Weight::Photo(tile.pixels()) };
            let cost = self.rate.exact(weight);
            // One comes along always, or it might wait for ever beside a video.
            if has_some && !telling.allows(cost) {
                continue;
            }
            has_some = true;
            telling.spent += cost;
            mark(self.arch, &self.shown, telling.frame, tile, &mut self.mask);
            self.tiles[*number].state = if is_drawn { State::Lossy(Loss { is_drawn: false, ..loss }) } else { State::Exact };
        }
        let rects = self.mask.cut();
        self.mask.clear();
        rects
    }

    fn tell_exactly(&mut self, piece: Weighed, telling: &mut Telling<'_>) -> io::Result<()> {
        telling.spent += self.cost(&piece);
        let (rect, class, weight) = piece;
        weight.into_iter().for_each(|weight| telling.told.add_exact(weight));
        let mode = self.write_pixels(rect, class, telling.frame)?;
        telling.patches.push(Patch { rect, mode });
        self.shown.copy_rect(telling.frame, rect);
        Ok(())
    }

    /// Writes the pixels of a piece; returns how.
    fn write_pixels(&mut self, rect: Rect, class: Class, frame: &Frame) -> io::Result<Mode> {
        if class == Class::Solid || is_solid(frame, rect) {
            return Ok(Mode::Solid);
        }
        if let Class::Photo(guess) = class {
            photo::write(&self.shown, frame, rect, guess, self.parts.planes());
            return Ok(Mode::Photo(guess));
        }
        let order = self.order.choose(frame, rect)?;
        collect(frame, rect, order, &mut self.pixels);
        let most_new = rect.pixels() / PIXELS_PER_COLOUR + FREE_COLOURS;
        if let Some(numbers) = self.colours.enter(&self.pixels, most_new) {
            write_indices(numbers, self.parts.of(Kind::INDICES));
            return Ok(Mode::Indexed(order));
        }
        write_raw(&self.pixels, self.parts.of(Kind::RAW));
        Ok(Mode::Raw(order))
    }

    /// Appends the new colours, the rectangles, and the symbols.
    pub(super) fn write_patches(&mut self, telling: &Telling<'_>) {
        for (kind, symbols) in Kind::symbols().into_iter().zip(self.symbols.kinds()) {
            self.parts.of(kind).extend(symbols);
        }
        self.symbols.clear();
        let out = self.parts.of(Kind::CONTROL);
        let colours = self.colours.since(telling.known);
        write_number(colours.len(), out);
        colours.iter().for_each(|colour| out.extend(&colour.to_le_bytes()[..3]));
        write_number(telling.patches.len(), out);
        let mut above = 0;
        for patch in &telling.patches {
            patch.write(above, out);
            above = patch.rect.y;
            match patch.mode {
                Mode::Solid => out.extend(&telling.frame.row(patch.rect.x, patch.rect.y, 1)[..3]),
                Mode::Lossy => out.extend(telling.quality.map(Quality::step)),
                Mode::Indexed(_) | Mode::Raw(_) | Mode::Photo(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{
        budget::Budget,
        decoder::Decoder,
        frame::{Damage, Size},
    };

    const SECOND: Duration = Duration::from_secs(1);

    /// A photograph where `is` says so, else black.
    fn photo(size: Size, is: impl Fn(u16, u16) -> bool) -> Frame {
        let mut frame = Frame::new(size);
        let mut noise = 1_u32;
        for y in 0..size.height {
            for (x, pixel) in (0..size.width).zip(frame.row_mut(0, y, size.width).as_chunks_mut::<4>().0) {
                noise = noise.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
                let shade = |part: u16, shift: u32| (part as u8).wrapping_add((noise >> shift & 3) as u8);
                if is(x, y) {
                    *pixel = [shade(x + y / 3, 28), shade(y + x / 2, 26), shade(x / 3 + y / 2, 24), 0];
                }
            }
        }
        frame
    }

    fn bytes(bytes: usize) -> Budget {
        Budget { bytes: Some(bytes), rate: None }
    }

    #[test]
    fn the_decoder_has_room_for_thin_photographs_everywhere() {
        let size = Size { width: 256, height: 128 };
        let (mut encoder, mut decoder, mut seen) = (Encoder::new(false).unwrap(), Decoder::new(), Frame::new(size));
        let mut tell = |frame: &Frame, budget| {
            let payload = encoder.encode(frame, &Damage::full(size), Duration::ZERO, budget).unwrap().expect("it changed");
            decoder.decode(&payload, &mut seen).unwrap();
            decoder.is_exact()
        };
        assert!(tell(&Frame::new(size), Budget::default()));
        assert!(!tell(&photo(size, |_, y| y.is_multiple_of(2)), bytes(500)));
    }

    #[test]
    fn a_tile_is_not_exact_when_what_is_around_it_was_told_over_it_with_a_loss() {
        let size = Size { width: 192, height: 192 };
        let middle = |x: u16, y: u16| (64..128).contains(&x) && y < 64;
        let scenes = [photo(size, middle), photo(size, |x, y| middle(x, y) || y == 20 || y >= 64)];
        let (mut encoder, mut decoder) = (Encoder::new(false).unwrap(), Decoder::new());
        let mut seen = Frame::new(size);
        let mut tell = |encoder: &mut Encoder, frame, damage, now, budget| {
            let payload = encoder.encode(frame, damage, now, budget).unwrap();
            payload.map(|payload| decoder.decode(&payload, &mut seen).unwrap())?;
            assert!(!decoder.is_exact() || seen == *frame);
            Some(decoder.is_exact())
        };
        let (all, none) = (Damage::full(size), Damage::none());
        assert_eq!(tell(&mut encoder, &scenes[0], &all, Duration::ZERO, bytes(1000)), Some(false));
        // The row is told in one rectangle, right across the middle tile, which rests.
        assert_eq!(tell(&mut encoder, &scenes[1], &all, SECOND, bytes(25_000)), Some(false));
        let last = (2..9).filter_map(|second| tell(&mut encoder, &scenes[1], &none, SECOND * second, Budget::default())).last();
        assert_eq!(last, Some(true));
        assert!(encoder.due().is_none());
    }
}
