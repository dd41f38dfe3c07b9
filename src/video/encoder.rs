//! The encoder: tells what differs from what the decoder shows.
//!
//! In this order, each step leaving less to the next:
//!
//! 1. Detection. Tiles that the damage touches are compared with what the decoder shows; in those that differ, every cell (8 pixels of
//!    a row). Nothing changed: nothing is sent.
//! 2. Memory. A changed tile that had rested is remembered; one that shows what was remembered is recalled ([`super::cache`]).
//! 3. Motion. Blocks found elsewhere are moved ([`super::motion`]).
//! 4. The cells left are cut into rectangles ([`super::mask`]), these into drawn things and photographs ([`super::pieces`]).
//! 5. If all of it fits the [`Budget`], all is told exactly: drawn things as one colour, as numbers of colours, or as they are;
//!    photographs as planes. If it does not, photographs have a loss; and drawn things too if not even they fit, which become exact
//!    with the next pictures.
//! 6. What has a loss is made exact when it has rested, in what a budget leaves over.
//!
//! Whatever the decoder will do is done to `shown` by the same code, so both sides show the same, also where it has a loss.

mod tell;
#[cfg(test)]
mod tests;

use std::{io, time::Duration};

use pulp::Arch;

use super::{
    budget::Budget,
    cache::{Memory, is_whole},
    detect::{fingerprint, hash_tile, is_same, take, touched},
    frame::{Damage, Frame, Rect, Size},
    mask::Mask,
    motion::Motion,
    moves::{self, Mover},
    order::Chooser,
    palette::{Colours, MAX_COLOURS},
    payload::{Head, Patch, tile, tiles, write_list},
    rate::{Level, Rate, Told},
    streams::{KINDS, Kind, Packer, Parts, write_number},
    transform::{Coder, Quality, Symbols},
};

/// A tile that showed the same for so long is worth remembering: what flows by is not.
const REST: Duration = Duration::from_millis(150);
/// A tile with a loss is made exact when nothing has changed in it for so long.
const STILL: Duration = Duration::from_millis(200);
/// At most so many tiles are made exact with one picture.
const MOST_REFINED: usize = 512;
/// The numbers start anew when no more than so many are left.
const SPARE_COLOURS: usize = 1024;

/// Turns frames into payloads, each a change against the last one. First [`Encoder::look`], then [`Encoder::tell`].
pub struct Encoder {
    is_lossless: bool,
    arch: Arch,
    packer: Packer,
    rate: Rate,
    /// What the decoder shows; X is 0.
    shown: Frame,
    /// What it is to show; X is 0. The same as `shown` after [`Encoder::tell`].
    next: Frame,
    mask: Mask,
    motion: Motion,
    mover: Mover,
    memory: Memory,
    tiles: Vec<Tile>,
    /// What [`Encoder::look`] found.
    found: Found,
    /// What the last picture said of itself.
    was_exact: bool,
    colours: Colours,
    order: Chooser,
    coder: Coder,
    symbols: Symbols,
    parts: Parts,
    pixels: Vec<u32>,
    bytes: Bytes,
}

/// What is known of a tile.
#[derive(Clone, Copy)]
struct Tile {
    changed_at: Duration,
    state: State,
    /// Whether it is of one colour.
    is_flat: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The decoder shows it as it is.
    Exact,
    /// The decoder shows some of it with a loss, as it was when it had this hash. Drawn things are made exact as soon as they fit,
    /// others when they have rested.
    Lossy { hash: u64, is_drawn: bool },
}

/// What is to be told.
#[derive(Default)]
struct Found {
    now: Duration,
    /// The size of a keyframe.
    keyframe: Option<Size>,
    /// Tiles that changed, and what they show now.
    fresh: Vec<usize>,
    hashes: Vec<Option<u64>>,
    /// Whether vectors would help, and the tiles that they may lead to and that were not polled yet.
    wants_vectors: bool,
    sources: Vec<Rect>,
    /// Tiles with a loss that have not changed: drawn ones, and all that have rested.
    drawn: Vec<usize>,
    rested: Vec<usize>,
}

/// Bytes sent, by how they tell the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bytes {
    /// Moves, recalled tiles, rectangles, colours.
    pub control: u64,
    /// Drawn things, as numbers of colours.
    pub indexed: u64,
    /// Drawn things in too many colours.
    pub raw: u64,
    /// Photographs, exact.
    pub photo: u64,
    /// Photographs with a loss.
    pub lossy: u64,
}

impl Bytes {
    fn add(&mut self, bytes: &[usize; KINDS]) {
        let sum = |kinds: &[Kind]| kinds.iter().map(|kind| kind.of(bytes) as u64).sum::<u64>();
        self.control += sum(&[Kind::CONTROL]);
        self.indexed += sum(&[Kind::INDICES]);
        self.raw += sum(&[Kind::RAW]);
        self.photo += sum(&Kind::PLANES);
        self.lossy += sum(&Kind::symbols());
    }
}

impl Encoder {
    /// An encoder whose first payload is a keyframe. `is_lossless`: photographs are exact at once, whatever the budget.
    ///
    /// # Errors
    /// zstd cannot be set up.
    pub fn new(is_lossless: bool) -> io::Result<Self> {
        let (none, arch) = (Size { width: 1, height: 1 }, Arch::new());
        Ok(Self {
            is_lossless,
            arch,
            packer: Packer::new(Level::default().zstd()),
            rate: Rate::default(),
            shown: Frame::new(none),
            next: Frame::new(none),
            mask: Mask::default(),
            motion: Motion::new(arch),
            mover: Mover::default(),
            memory: Memory::default(),
            tiles: Vec::new(),
            found: Found::default(),
            was_exact: true,
            colours: Colours::default(),
            order: Chooser::new()?,
            coder: Coder::default(),
            symbols: Symbols::default(),
            parts: Parts::default(),
            pixels: Vec::new(),
            bytes: Bytes::default(),
        })
    }

    /// Whether photographs are exact at once from here on, whatever the budget; then what has a loss is told anew.
    pub fn set_lossless(&mut self, is_lossless: bool) {
        self.is_lossless = is_lossless;
        if is_lossless {
            // What has a loss has rested long enough.
            self.tiles.iter_mut().for_each(|tile| tile.changed_at = Duration::ZERO);
        }
    }

    /// Looks for what there is to tell of `frame`; if there is, [`Encoder::tell`] must follow. `damage` tells where to look (all
    /// changes since the last call must be inside); a frame of another size is a keyframe. `now` is the time since any fixed moment.
    pub fn look(&mut self, frame: &Frame, damage: &Damage, now: Duration) -> bool {
        let size = frame.size();
        let is_new = self.tiles.is_empty() || self.shown.size() != size;
        self.found = Found { now, keyframe: is_new.then_some(size), ..Found::default() };
        if is_new {
            self.start(size, now);
        }
        let mut touched = if is_new { vec![true; tiles(size)] } else { touched(size, damage) };
        touched.iter_mut().zip(&self.tiles).for_each(|(touched, tile)| *touched |= tile.state != State::Exact);
        self.motion.begin(touched.iter().filter(|touched| **touched).count());
        for number in (0..touched.len()).filter(|number| touched[*number]) {
            self.look_at(frame, number);
        }
        // What had a loss may be gone before it was made exact: then there is nothing to tell but that.
        let has_become_exact = !self.was_exact && self.is_exact();
        is_new || has_become_exact || ![&self.found.fresh, &self.found.drawn, &self.found.rested].into_iter().all(Vec::is_empty)
    }

    /// The payload that brings the decoder's picture to what [`Encoder::look`] saw, or nearer to it.
    ///
    /// # Errors
    /// zstd failed; the encoder and its decoder are of no more use.
    pub fn tell(&mut self, budget: Budget) -> io::Result<Vec<u8>> {
        let found = std::mem::take(&mut self.found);
        let mut head = Head { keyframe: found.keyframe, ..Head::default() };
        if let Some(level) = self.rate.new_level(budget.rate) {
            self.packer = Packer::new(level.zstd());
            head.has_new_streams = true;
        }
        if self.colours.len() + SPARE_COLOURS > MAX_COLOURS {
            self.colours = Colours::default();
            head.has_new_colours = true;
        }
        self.order.begin(found.keyframe.is_some());
        let (told, quality) = self.write(&found, budget)?;
        head.is_exact = self.is_exact();
        self.was_exact = head.is_exact;
        let mut payload = Vec::new();
        head.write(&mut payload);
        let bytes = self.packer.pack(&self.parts, &mut payload)?;
        self.rate.learn(told, quality, &bytes);
        self.bytes.add(&bytes);
        Ok(payload)
    }

    /// Both in one: the payload, or `None` when there is nothing to tell.
    ///
    /// # Errors
    /// See [`Encoder::tell`].
    pub fn encode(&mut self, frame: &Frame, damage: &Damage, now: Duration, budget: Budget) -> io::Result<Option<Vec<u8>>> {
        if self.look(frame, damage, now) { self.tell(budget).map(Some) } else { Ok(None) }
    }

    /// When there will be something to tell without anything changing: what stayed behind or has a loss. [`Encoder::look`] then, with
    /// no damage.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let due = |tile: &Tile| match tile.state {
            State::Exact => None,
            State::Lossy { is_drawn: true, .. } => Some(tile.changed_at),
            State::Lossy { .. } => Some(tile.changed_at + STILL),
        };
        self.tiles.iter().filter_map(due).min()
    }

    /// Bytes sent so far.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.bytes
    }

    fn is_exact(&self) -> bool {
        self.tiles.iter().all(|tile| tile.state == State::Exact)
    }

    fn start(&mut self, size: Size, now: Duration) {
        self.shown.blacken(size);
        self.next.blacken(size);
        self.mask = Mask::new(size);
        self.tiles.clear();
        self.tiles.resize(tiles(size), Tile { changed_at: now, state: State::Exact, is_flat: true });
    }

    /// Whether a tile changed, or may be made exact; if so, it is in `next`.
    fn look_at(&mut self, frame: &Frame, number: usize) {
        let Some(rect) = tile(number, frame.size()) else { return };
        let Tile { changed_at, state, is_flat } = self.tiles[number];
        if let State::Lossy { hash, is_drawn } = state
            && hash == fingerprint(self.arch, frame, rect)
        {
            let has_rested = self.found.now >= changed_at + STILL;
            let list = if has_rested { &mut self.found.rested } else { &mut self.found.drawn };
            if (has_rested || is_drawn) && list.len() < MOST_REFINED {
                list.push(number);
                take(self.arch, &self.shown, frame, &mut self.next, rect, &mut self.mask);
                self.mask.clear_tile(rect);
            }
        } else if is_same(self.arch, &self.shown, frame, rect) {
            self.tiles[number].state = State::Exact;
        } else {
            // All that looks at a tile's pixels does it while they are at hand.
            take(self.arch, &self.shown, frame, &mut self.next, rect, &mut self.mask);
            let hash = hash_tile(self.arch, &self.next, rect);
            let is_known = hash.is_some_and(|hash| is_whole(rect) && self.memory.find(hash, &self.next, rect).is_some());
            self.poll(rect, is_flat, hash.is_some() && !is_known);
            self.found.fresh.push(number);
            self.found.hashes.push(hash);
        }
    }

    /// Shows motion a fresh tile. `was_flat`: there were no anchors in it. `is_new`: it is neither flat now nor remembered, so that
    /// vectors are wanted; until there is such a tile nothing is polled at all.
    fn poll(&mut self, tile: Rect, was_flat: bool, is_new: bool) {
        if !was_flat {
            self.found.sources.push(tile);
        }
        self.found.wants_vectors |= is_new;
        if self.found.wants_vectors {
            for source in self.found.sources.drain(..) {
                self.motion.poll_old(&self.shown, source);
            }
        }
        if is_new {
            self.motion.poll_new(&self.next, tile);
        }
    }

    /// Writes the parts of a picture; returns what it tells, and the quality of what has a loss.
    fn write(&mut self, found: &Found, budget: Budget) -> io::Result<(Told, Option<Quality>)> {
        self.parts.clear();
        self.remember(&found.fresh, found.now);
        let rest = self.recall(found);
        let (vectors, moves) = self.motion.explain(&self.shown, &self.next, &rest, &mut self.mask);
        moves::write(&vectors, &moves, self.parts.of(Kind::CONTROL));
        self.mover.apply(&mut self.shown, &vectors, &moves).expect("found inside the picture");
        for (number, hash) in found.fresh.iter().zip(&found.hashes) {
            self.tiles[*number] = Tile { changed_at: found.now, state: State::Exact, is_flat: hash.is_none() };
        }
        let mut telling = Telling {
            known: self.colours.len(),
            limit: budget.bytes.filter(|_| !self.is_lossless).map(|bytes| bytes as f64),
            is_first: found.keyframe.is_some(),
            has_waiting: !found.drawn.is_empty() || !found.rested.is_empty(),
            ..Telling::default()
        };
        self.tell_fresh(&mut telling)?;
        self.refine(&found.drawn, &found.rested, &mut telling)?;
        self.write_patches(&telling);
        Ok((telling.told, telling.quality))
    }

    /// Remembers what fresh tiles showed, if it had rested.
    fn remember(&mut self, fresh: &[usize], now: Duration) {
        let mut remembered = Vec::new();
        for number in fresh {
            let Tile { changed_at, state, .. } = self.tiles[*number];
            let Some(rect) = tile(*number, self.shown.size()).filter(|rect| is_whole(*rect)) else { continue };
            if state != State::Exact || now < changed_at + REST {
                continue;
            }
            if let Some(hash) = hash_tile(self.arch, &self.shown, rect)
                && self.memory.find(hash, &self.shown, rect).is_none()
            {
                self.memory.remember(hash, &self.shown, rect);
                remembered.push(*number);
            }
        }
        write_list(&remembered, self.parts.of(Kind::CONTROL));
    }

    /// Recalls the fresh tiles that show what was remembered; returns the others.
    fn recall(&mut self, found: &Found) -> Vec<Rect> {
        let (mut recalled, mut slots, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (number, hash) in found.fresh.iter().zip(&found.hashes) {
            let Some(rect) = tile(*number, self.next.size()) else { continue };
            match hash.filter(|_| is_whole(rect)).and_then(|hash| self.memory.find(hash, &self.next, rect)) {
                Some(slot) => {
                    self.shown.copy_rect(&self.next, rect);
                    self.mask.clear_tile(rect);
                    recalled.push(*number);
                    slots.push(slot);
                }
                None => rest.push(rect),
            }
        }
        let out = self.parts.of(Kind::CONTROL);
        write_list(&recalled, out);
        slots.into_iter().for_each(|slot| write_number(slot, out));
        rest
    }
}

/// A picture being told.
#[derive(Default)]
struct Telling {
    /// Colours with a number before it.
    known: usize,
    /// Bytes that it may have, and those expected so far.
    limit: Option<f64>,
    spent: f64,
    /// Whether all of it is new.
    is_first: bool,
    /// Whether something with a loss could become exact.
    has_waiting: bool,
    /// Of photographs with a loss.
    quality: Option<Quality>,
    patches: Vec<Patch>,
    told: Told,
}

impl Telling {
    /// Whether so many bytes more fit.
    fn allows(&self, cost: f64) -> bool {
        self.limit.is_none_or(|limit| self.spent + cost <= limit)
    }
}
