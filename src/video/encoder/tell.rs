//! How the cells that are left are told: which pieces exactly, which with a loss, which not yet.

use std::{cmp::Reverse, io};

use super::{Encoder, State, Telling};
use crate::video::{
    detect::{hash_tile, is_same, mark},
    frame::{Frame, Rect, pixels},
    payload::{MOST_LOSSY, Mode, Patch, TILE, tile},
    photo::{self, Guess},
    pieces::{Class, join, join_photos, pieces},
    pixels::{collect, write_indices, write_raw},
    streams::{Kind, write_number},
    transform::{self, Quality, photographic},
};

/// A rectangle may bring a new colour for so many pixels, and so many for nothing; with more it is told as it is.
const PIXELS_PER_COLOUR: usize = 16;
const FREE_COLOURS: usize = 8;
/// A picture may take so many times its budget before something stays behind: one that is told late is told twice.
const OVERDRAFT: f64 = 2.0;
/// Photographs have at least this share of a budget, whatever drawn things take.
const PHOTO_SHARE: f64 = 0.25;

impl Encoder {
    /// Tells the cells in the mask: drawn things, then photographs.
    pub(super) fn tell_fresh(&mut self, telling: &mut Telling) -> io::Result<()> {
        let rects = self.mask.cut();
        self.mask.clear();
        let mut pieces: Vec<(Rect, Class)> = rects.iter().flat_map(|rect| pieces(&self.shown, &self.next, *rect)).collect();
        if let Some(limit) = telling.limit {
            telling.quality = self.quality(&pieces, limit);
            match telling.quality {
                // Then it does not matter what would guess them best, and a few large ones are told better than many.
                Some(_) => pieces = join_photos(pieces),
                None => pieces = pieces.into_iter().flat_map(|(rect, class)| self.bands(rect, class, limit)).collect(),
            }
            // A rectangle reaches around what was told before: telling that again would take the place of what stayed behind, for ever.
            pieces.retain(|(rect, _)| !is_same(self.arch, &self.shown, &self.next, *rect));
        }
        pieces.sort_by_key(|(rect, class)| (*class != Class::Drawn).then(|| Reverse(rect.pixels())));
        let mut lossy = 0;
        for (rect, class) in pieces {
            match telling.quality.filter(|_| class != Class::Drawn && lossy < MOST_LOSSY) {
                Some(quality) => self.tell_lossy(rect, quality, telling)?,
                None => self.tell_or_leave(rect, class, telling)?,
            }
            lossy += usize::from(class != Class::Drawn);
        }
        Ok(())
    }

    /// The quality of photographs that do not fit exactly.
    fn quality(&self, pieces: &[(Rect, Class)], limit: f64) -> Option<Quality> {
        let (drawn, photos): (Vec<_>, Vec<_>) = pieces.iter().partition(|(_, class)| *class == Class::Drawn);
        let cost =
            |pieces: &[(Rect, Class)]| pieces.iter().map(|(rect, class)| self.rate.exact(*class, rect.pixels())).sum::<f64>();
        let (drawn, exact) = (cost(&drawn), cost(&photos));
        let pixels = photos.iter().map(|(rect, _)| rect.pixels()).sum();
        let has_loss = !self.is_lossless && pixels > 0 && drawn + exact > limit;
        has_loss.then(|| self.rate.quality(pixels, (limit - drawn).max(limit * PHOTO_SHARE)))
    }

    /// Cuts a piece that would take much of a budget into bands of a tile's height.
    fn bands(&self, rect: Rect, class: Class, limit: f64) -> Vec<(Rect, Class)> {
        if self.rate.exact(class, rect.pixels()) < limit / 2.0 {
            return vec![(rect, class)];
        }
        let bottom = rect.y + rect.height;
        let starts = std::iter::once(rect.y).chain((rect.y / TILE + 1..bottom.div_ceil(TILE)).map(|row| row * TILE));
        starts.map(|y| (Rect { y, height: ((y / TILE + 1) * TILE).min(bottom) - y, ..rect }, class)).collect()
    }

    /// Tells a piece exactly if the budget is not spent; else it stays behind. One piece a picture always comes along, or it might stay
    /// behind for ever: a photograph with a loss beside it spends the budget each time.
    fn tell_or_leave(&mut self, rect: Rect, class: Class, telling: &mut Telling) -> io::Result<()> {
        let cost = self.rate.exact(class, rect.pixels());
        if telling.has_progress && telling.limit.is_some_and(|limit| telling.spent + cost > limit * OVERDRAFT) {
            self.next.copy_rect(&self.shown, rect);
            self.set_state(rect, |_, _| State::Behind);
            return Ok(());
        }
        telling.spent += cost;
        telling.has_progress = true;
        self.tell_exactly(rect, class, telling)
    }

    fn tell_exactly(&mut self, rect: Rect, class: Class, telling: &mut Telling) -> io::Result<()> {
        let mode = self.write_pixels(rect, class)?;
        telling.told.add_exact(class, rect.pixels());
        telling.patches.push(Patch { rect, mode });
        self.shown.copy_rect(&self.next, rect);
        Ok(())
    }

    /// Tells a photograph with a loss; over it, exactly, what in it is no photograph.
    fn tell_lossy(&mut self, rect: Rect, quality: Quality, telling: &mut Telling) -> io::Result<()> {
        let photographic = photographic(&self.next, rect);
        let exact: Vec<Rect> = rect
            .squares(transform::CELL)
            .zip(&photographic)
            .filter_map(|(square, photographic)| (!photographic).then_some(square))
            .collect();
        if exact.len() * 2 > photographic.len() {
            return self.tell_or_leave(rect, Class::Drawn, telling);
        }
        self.set_state(rect, |encoder, tile| State::Lossy(hash_tile(encoder.arch, &encoder.next, tile)));
        telling.spent += self.rate.lossy(quality, rect.pixels());
        telling.told.add_lossy(rect.pixels());
        self.coder.encode(&self.next, &mut self.shown, rect, quality, &mut self.symbols);
        telling.patches.push(Patch { rect, mode: Mode::Lossy });
        let drawn: Vec<_> = join(exact).into_iter().flat_map(|rect| pieces(&self.shown, &self.next, rect)).collect();
        // A rough part of a photograph is none of them: exact, it would cost more than all the rest.
        for (rect, class) in drawn.into_iter().filter(|(_, class)| *class == Class::Drawn) {
            self.tell_exactly(rect, class, telling)?;
        }
        self.next.copy_rect(&self.shown, rect);
        Ok(())
    }

    /// Makes tiles exact that have rested, as many as the budget has left.
    pub(super) fn refine(&mut self, still: &[usize], telling: &mut Telling) -> io::Result<()> {
        let size = self.shown.size();
        for number in still {
            let Some(rect) = tile(*number, size) else { continue };
            let cost = self.rate.exact(Class::Photo(Guess::Space), rect.pixels());
            // A budget may be smaller than a tile.
            if telling.limit.is_some_and(|limit| telling.spent > 0.0 && telling.spent + cost > limit) {
                self.next.copy_rect(&self.shown, rect);
                continue;
            }
            telling.spent += cost;
            mark(&self.shown, &self.next, rect, &mut self.mask);
            self.tiles[*number].state = State::Exact;
        }
        for rect in self.mask.cut() {
            for (rect, class) in pieces(&self.shown, &self.next, rect) {
                self.tell_exactly(rect, class, telling)?;
            }
        }
        self.mask.clear();
        Ok(())
    }

    /// Sets the state of the tiles that `rect` touches; what is behind stays behind.
    fn set_state(&mut self, rect: Rect, state: impl Fn(&Self, Rect) -> State) {
        let size = self.next.size();
        let across = usize::from(size.width.div_ceil(TILE));
        for part in rect.grid(TILE) {
            let number = usize::from(part.y / TILE) * across + usize::from(part.x / TILE);
            if self.tiles[number].state != State::Behind
                && let Some(tile) = tile(number, size)
            {
                self.tiles[number].state = state(self, tile);
            }
        }
    }

    /// Writes the pixels of a piece; returns how.
    fn write_pixels(&mut self, rect: Rect, class: Class) -> io::Result<Mode> {
        if is_solid(&self.next, rect) {
            return Ok(Mode::Solid);
        }
        if let Class::Photo(guess) = class {
            photo::write(&self.shown, &self.next, rect, guess, self.parts.planes());
            return Ok(Mode::Photo(guess));
        }
        let order = self.order.choose(&self.next, rect)?;
        collect(&self.next, rect, order, &mut self.pixels);
        let most_new = rect.pixels() / PIXELS_PER_COLOUR + FREE_COLOURS;
        if write_indices(&self.pixels, &mut self.colours, most_new, self.parts.of(Kind::INDICES)) {
            return Ok(Mode::Indexed(order));
        }
        write_raw(&self.pixels, self.parts.of(Kind::RAW));
        Ok(Mode::Raw(order))
    }

    /// Appends the new colours, the rectangles, and the symbols.
    pub(super) fn write_patches(&mut self, telling: &Telling) {
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
                Mode::Solid => out.extend(&self.next.row(patch.rect.x, patch.rect.y, 1)[..3]),
                Mode::Lossy => out.extend(telling.quality.map(Quality::step)),
                Mode::Indexed(_) | Mode::Raw(_) | Mode::Photo(_) => {}
            }
        }
    }
}

fn is_solid(frame: &Frame, rect: Rect) -> bool {
    let mut colour = pixels(frame.row(rect.x, rect.y, 1));
    let colour = colour.next();
    (rect.y..rect.y + rect.height).all(|y| pixels(frame.row(rect.x, y, rect.width)).all(|pixel| Some(pixel) == colour))
}
