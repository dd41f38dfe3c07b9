//! What there is to tell: which tiles changed, whether a vector or the memory explains them, and which cells of the others.

use std::time::Duration;

use super::{Encoder, Loss, State};
use crate::video::{
    cache::is_whole,
    detect::{fingerprint, hash_tile, is_same, mark, touched},
    frame::{Damage, Frame, Rect, Size},
    motion::{POLLED, explains},
    moves::Vector,
    payload::{TILE, tile, tiles},
};

/// At most so many tiles are made exact with one picture.
const MOST_REFINED: usize = 512;

/// What is to be told.
#[derive(Default)]
pub(super) struct Found {
    pub(super) now: Duration,
    /// The size of a keyframe.
    pub(super) keyframe: Option<Size>,
    /// Tiles that changed, and what they show now.
    pub(super) fresh: Vec<(usize, Content)>,
    /// Where it may have come from.
    pub(super) vectors: Vec<Vector>,
    /// Tiles with a loss that have not changed: drawn ones, and all that have rested.
    pub(super) drawn: Vec<usize>,
    pub(super) rested: Vec<usize>,
}

/// What a tile shows that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// What another place showed: which vector leads there.
    Moved(u8),
    /// One colour.
    Flat,
    /// Something with this hash.
    New(u64),
}

impl Encoder {
    /// Looks for what there is to tell of `frame`; if there is, [`Encoder::tell`] must follow. `damage` tells where to look (all
    /// changes since the last call must be inside); a frame of another size is a keyframe. `now` is the time since any fixed moment.
    pub fn look(&mut self, frame: &Frame, damage: &Damage, now: Duration) -> bool {
        let size = frame.size();
        let is_new = self.tiles.is_empty() || self.shown.size() != size;
        self.found = Found { now, keyframe: is_new.then_some(size), ..Found::default() };
        if is_new {
            self.start(size, now);
        }
        let touched = if is_new { vec![true; tiles(size)] } else { touched(size, damage) };
        let changed: Vec<usize> = (0..touched.len()).filter(|number| self.has_changed(frame, *number, touched[*number])).collect();
        let rest = self.find_moved(frame, changed);
        self.look_closely(frame, &rest);
        // What had a loss may be gone before it was made exact: then there is nothing to tell but that.
        let has_become_exact = !self.was_exact && self.is_exact();
        let Found { fresh, drawn, rested, .. } = &self.found;
        is_new || has_become_exact || !(fresh.is_empty() && drawn.is_empty() && rested.is_empty())
    }

    /// Whether a tile changed. One with a loss that did not may be made exact.
    fn has_changed(&mut self, frame: &Frame, number: usize, is_touched: bool) -> bool {
        let state = self.tiles[number].state;
        let Some(rect) = tile(number, frame.size()).filter(|_| is_touched || state != State::Exact) else { return false };
        if let State::Lossy(Loss { hash, is_drawn, rests_at }) = state
            && hash == fingerprint(self.arch, frame, rect)
        {
            let has_rested = self.found.now >= rests_at;
            let list = if has_rested { &mut self.found.rested } else { &mut self.found.drawn };
            if (has_rested || is_drawn) && list.len() < MOST_REFINED {
                list.push(number);
            }
            return false;
        }
        let is_same = is_same(&self.shown, rect, frame, rect);
        if is_same {
            self.tiles[number].state = State::Exact;
        }
        !is_same
    }

    /// Where much changed: takes out the tiles that only moved; returns the others.
    fn find_moved(&mut self, frame: &Frame, changed: Vec<usize>) -> Vec<usize> {
        let step = changed.len().div_ceil(POLLED);
        if step < 2 {
            return changed;
        }
        let sample: Vec<_> = sample(&changed, step, frame.size()).into_iter().map(|number| self.content(frame, number)).collect();
        if !self.poll(frame, &sample) {
            return changed;
        }
        let (mut rest, mut likely) = (Vec::new(), 0);
        for number in changed {
            let Some(rect) = tile(number, frame.size()) else { continue };
            match explains(&self.shown, frame, rect, &self.found.vectors, likely) {
                Some(vector) => {
                    likely = vector;
                    self.found.fresh.push((number, Content::Moved(vector)));
                }
                None => rest.push(number),
            }
        }
        rest
    }

    /// Looks at tiles that no vector explains: what is in them, which cells changed, and, if they are few, where it may have come from.
    fn look_closely(&mut self, frame: &Frame, numbers: &[usize]) {
        let mut contents = Vec::with_capacity(numbers.len());
        for number in numbers {
            // All that looks at a tile's pixels does it while they are at hand.
            tile(*number, frame.size()).into_iter().for_each(|rect| mark(self.arch, &self.shown, frame, rect, &mut self.mask));
            contents.push(self.content(frame, *number));
        }
        if numbers.len() <= POLLED {
            self.poll(frame, &contents);
        }
        self.found.fresh.extend(contents);
        self.found.fresh.sort_unstable_by_key(|(number, _)| *number);
    }

    /// A tile, and what it shows, no vector asked.
    fn content(&self, frame: &Frame, number: usize) -> (usize, Content) {
        let hash = tile(number, frame.size()).and_then(|rect| hash_tile(self.arch, frame, rect));
        (number, hash.map_or(Content::Flat, Content::New))
    }

    /// Lets tiles vote for vectors, if there is one among them whose content wants some: it is neither flat nor remembered. Whether
    /// there are vectors then.
    fn poll(&mut self, frame: &Frame, tiles: &[(usize, Content)]) -> bool {
        let size = frame.size();
        let wanting = |(number, content): &(usize, Content)| {
            let rect = tile(*number, size)?;
            let Content::New(hash) = *content else { return None };
            (!is_whole(rect) || self.memory.find(hash, frame, rect).is_none()).then_some(rect)
        };
        let new: Vec<Rect> = tiles.iter().filter_map(wanting).collect();
        if new.is_empty() {
            return false;
        }
        self.motion.begin(tiles.len());
        // In what was flat there is nothing to be found.
        for (number, _) in tiles.iter().filter(|(number, _)| !self.tiles[*number].is_flat) {
            tile(*number, size).into_iter().for_each(|rect| self.motion.poll_old(&self.shown, rect));
        }
        new.into_iter().for_each(|rect| self.motion.poll_new(frame, rect));
        self.motion.elect(&mut self.found.vectors);
        !self.found.vectors.is_empty()
    }
}

/// One of so many tiles, without a pattern that a vector could fall through.
fn sample(numbers: &[usize], step: usize, size: Size) -> Vec<usize> {
    let across = usize::from(size.width.div_ceil(TILE));
    let mixed = |number: usize| ((number % across) << 8 | (number / across)) as u32;
    numbers
        .iter()
        .copied()
        .filter(|number| (mixed(*number).wrapping_mul(0x9e37_79b1) as usize >> 16).is_multiple_of(step))
        .collect()
}
