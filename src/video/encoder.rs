//! The encoder: tells what differs from what the decoder shows.
//!
//! In this order, each step leaving less to the next:
//!
//! 1. Detection. Tiles that the damage touches are compared with what the decoder shows; in those that differ, every cell (8 pixels of
//!    a row). Nothing changed: nothing is sent.
//! 2. Memory. A changed tile that had rested is remembered; one that shows what was remembered is recalled ([`super::cache`]).
//! 3. Motion. Blocks found elsewhere are moved ([`super::motion`]).
//! 4. The cells left are cut into rectangles ([`super::mask`]), these into drawn things and photographs ([`super::pieces`]).
//! 5. Drawn things are told exactly and at once: as one colour, as numbers of colours, or as they are. Photographs exactly too if
//!    that fits the [`Budget`], else with a loss; what does not fit at all stays behind for the next picture.
//! 6. What has a loss or stayed behind is made exact when it rests, in what a budget leaves over.
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
    detect::{hash_tile, is_same, take, touched},
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
const STILL: Duration = Duration::from_millis(400);
/// At most so many tiles are made exact with one picture.
const MOST_REFINED: usize = 64;
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
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The decoder shows it as it is.
    Exact,
    /// The decoder shows it with a loss, as it was when it had this hash.
    Lossy(Option<u64>),
    /// Some of it did not fit.
    Behind,
}

/// What is to be told.
#[derive(Default)]
struct Found {
    now: Duration,
    /// The size of a keyframe.
    keyframe: Option<Size>,
    /// Tiles that changed.
    fresh: Vec<usize>,
    /// Tiles with a loss that have rested.
    still: Vec<usize>,
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
        for number in (0..touched.len()).filter(|number| touched[*number]) {
            self.look_at(frame, number);
        }
        // What stayed behind may be gone before it was told: then there is nothing to tell but that.
        let has_become_exact = !self.was_exact && self.is_exact();
        is_new || has_become_exact || !self.found.fresh.is_empty() || !self.found.still.is_empty()
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
            State::Lossy(_) => Some(tile.changed_at + STILL),
            State::Behind => Some(tile.changed_at),
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
        self.tiles.resize(tiles(size), Tile { changed_at: now, state: State::Exact });
    }

    /// Whether a tile changed, or may be made exact; if so, it is in `next`.
    fn look_at(&mut self, frame: &Frame, number: usize) {
        let Some(rect) = tile(number, frame.size()) else { return };
        let Tile { changed_at, state } = self.tiles[number];
        if let State::Lossy(hash) = state
            && hash == hash_tile(self.arch, frame, rect)
        {
            if self.found.now >= changed_at + STILL && self.found.still.len() < MOST_REFINED {
                take(self.arch, &self.shown, frame, &mut self.next, rect, &mut self.mask);
                self.mask.clear_tile(rect);
                self.found.still.push(number);
            }
        } else if is_same(self.arch, &self.shown, frame, rect) {
            self.tiles[number].state = State::Exact;
        } else {
            take(self.arch, &self.shown, frame, &mut self.next, rect, &mut self.mask);
            self.found.fresh.push(number);
        }
    }

    /// Writes the parts of a picture; returns what it tells, and the quality of what has a loss.
    fn write(&mut self, found: &Found, budget: Budget) -> io::Result<(Told, Option<Quality>)> {
        self.parts.clear();
        self.remember(&found.fresh, found.now);
        let rest = self.recall(&found.fresh);
        let (vectors, moves) = self.motion.explain(&self.shown, &self.next, &rest, &mut self.mask);
        moves::write(&vectors, &moves, self.parts.of(Kind::CONTROL));
        self.mover.apply(&mut self.shown, &vectors, &moves).expect("found inside the picture");
        for number in &found.fresh {
            self.tiles[*number] = Tile { changed_at: found.now, state: State::Exact };
        }
        let mut telling =
            Telling { known: self.colours.len(), limit: budget.bytes.map(|bytes| bytes as f64), ..Telling::default() };
        self.tell_fresh(&mut telling)?;
        self.refine(&found.still, &mut telling)?;
        self.write_patches(&telling);
        Ok((telling.told, telling.quality))
    }

    /// Remembers what fresh tiles showed, if it had rested.
    fn remember(&mut self, fresh: &[usize], now: Duration) {
        let mut remembered = Vec::new();
        for number in fresh {
            let Tile { changed_at, state } = self.tiles[*number];
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
    fn recall(&mut self, fresh: &[usize]) -> Vec<Rect> {
        let (mut recalled, mut slots, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for number in fresh {
            let Some(rect) = tile(*number, self.next.size()) else { continue };
            let hash = hash_tile(self.arch, &self.next, rect).filter(|_| is_whole(rect));
            match hash.and_then(|hash| self.memory.find(hash, &self.next, rect)) {
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
    /// Whether it has a piece that might have stayed behind.
    has_progress: bool,
    /// Of photographs with a loss.
    quality: Option<Quality>,
    patches: Vec<Patch>,
    told: Told,
}
