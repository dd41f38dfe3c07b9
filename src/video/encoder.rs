//! The encoder: tells what differs from what the decoder shows.
//!
//! In this order, each step leaving less to the next:
//!
//! 1. Detection. Tiles that the damage touches are compared with what the decoder shows ([`look`]). Nothing changed: nothing is sent.
//! 2. Motion. Tiles, and blocks of tiles, that are found elsewhere are moved ([`super::motion`]).
//! 3. Memory. A changed tile that had rested is remembered; one that shows what was remembered is recalled ([`super::cache`]).
//! 4. The cells (8 pixels of a row) that still differ are cut into rectangles ([`super::mask`]), these into drawn things and photographs
//!    ([`super::pieces`]).
//! 5. If all of it fits the [`Budget`], all is told exactly: drawn things as one colour, as numbers of colours, or as they are;
//!    photographs as planes. If it does not, photographs have a loss; and drawn things too if not even they fit, which become exact
//!    with the next pictures.
//! 6. What has a loss is made exact when it has rested, in what a budget leaves over.
//!
//! Whatever the decoder will do is done to `shown` by the same code, so both sides show the same, also where it has a loss. The frame is
//! read where it is: nothing keeps a copy of it.

mod look;
mod tell;
#[cfg(test)]
mod tests;

use std::{io, time::Duration};

use pulp::Arch;

use self::{
    look::{Content, Found},
    tell::Telling,
};
use super::{
    budget::Budget,
    cache::{Memory, is_whole},
    detect::hash_tile,
    frame::{Damage, Frame, Rect, Size},
    mask::Mask,
    motion::Motion,
    moves::{self, Mover},
    order::Chooser,
    palette::{Colours, MAX_COLOURS},
    payload::{Head, tile, tiles, write_list},
    rate::{Level, Rate, Told},
    streams::{KINDS, Kind, Packer, Parts, write_number},
    transform::{Coder, Quality, Symbols},
};

/// A tile that showed the same for so long is worth remembering: what flows by is not.
const REST: Duration = Duration::from_millis(150);
/// A tile with a loss is made exact when nothing has changed in it for so long.
const STILL: Duration = Duration::from_millis(200);
/// The numbers start anew when no more than so many are left.
const SPARE_COLOURS: usize = 1024;

/// Turns frames into payloads, each a change against the last one. First [`Encoder::look`], then [`Encoder::tell`].
pub struct Encoder {
    is_lossless: bool,
    arch: Arch,
    packer: Packer,
    rate: Rate,
    /// What the decoder shows.
    shown: Frame,
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
    /// The decoder shows some of it with a loss.
    Lossy(Loss),
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Loss {
    /// Of what it was to show.
    hash: u64,
    /// Something in it is drawn, and is made exact as soon as it fits.
    is_drawn: bool,
    /// When all of it is made exact, if it has not changed.
    rests_at: Duration,
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
            for tile in &mut self.tiles {
                if let State::Lossy(loss) = &mut tile.state {
                    // It has rested long enough.
                    loss.rests_at = Duration::ZERO;
                }
            }
        }
    }

    /// The payload that brings the decoder's picture to `frame`, the one that [`Encoder::look`] saw, or nearer to it.
    ///
    /// # Errors
    /// zstd failed; the encoder and its decoder are of no more use.
    pub fn tell(&mut self, frame: &Frame, budget: Budget) -> io::Result<Vec<u8>> {
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
        let (told, quality) = self.write(frame, &found, budget)?;
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
        if self.look(frame, damage, now) { self.tell(frame, budget).map(Some) } else { Ok(None) }
    }

    /// When there will be something to tell without anything changing, because something has a loss: [`Encoder::look`] then, with no
    /// damage.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let due = |tile: &Tile| match tile.state {
            State::Exact => None,
            State::Lossy(Loss { is_drawn: true, .. }) => Some(Duration::ZERO),
            State::Lossy(Loss { rests_at, .. }) => Some(rests_at),
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
        self.mask = Mask::new(size);
        self.tiles.clear();
        self.tiles.resize(tiles(size), Tile { changed_at: now, state: State::Exact, is_flat: true });
    }

    /// Writes the parts of a picture; returns what it tells, and the quality of what has a loss.
    fn write(&mut self, frame: &Frame, found: &Found, budget: Budget) -> io::Result<(Told, Option<Quality>)> {
        self.parts.clear();
        self.remember(found);
        let (recalled, rest) = self.recognise(frame, found);
        self.write_moves(frame, found, &rest);
        self.recall(frame, &recalled);
        for (number, content) in &found.fresh {
            let is_flat = matches!(content, Content::Flat);
            self.tiles[*number] = Tile { changed_at: found.now, state: State::Exact, is_flat };
        }
        let mut telling = Telling {
            frame,
            known: self.colours.len(),
            limit: budget.bytes.filter(|_| !self.is_lossless).map(|bytes| bytes as f64),
            spent: 0.0,
            is_first: found.keyframe.is_some(),
            // Nothing says that a first picture is about to change.
            rests_at: if found.keyframe.is_some() { found.now } else { found.now + STILL },
            has_waiting: !found.drawn.is_empty() || !found.rested.is_empty(),
            quality: None,
            patches: Vec::new(),
            told: Told::default(),
        };
        self.tell_fresh(&mut telling)?;
        self.refine(&found.drawn, &found.rested, &mut telling)?;
        self.write_patches(&telling);
        Ok((telling.told, telling.quality))
    }

    /// Remembers what fresh tiles showed, if it had rested.
    fn remember(&mut self, found: &Found) {
        let mut remembered = Vec::new();
        for (number, _) in &found.fresh {
            let Tile { changed_at, state, .. } = self.tiles[*number];
            let Some(rect) = tile(*number, self.shown.size()).filter(|rect| is_whole(*rect)) else { continue };
            if state != State::Exact || found.now < changed_at + REST {
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

    /// The fresh tiles that show what was remembered, each with its slot; and all others that no vector explains.
    fn recognise(&self, frame: &Frame, found: &Found) -> (Vec<(usize, usize)>, Vec<Rect>) {
        let (mut recalled, mut rest) = (Vec::new(), Vec::new());
        for (number, content) in &found.fresh {
            let Some(rect) = tile(*number, frame.size()) else { continue };
            let slot = match content {
                Content::Moved(_) => continue,
                Content::New(hash) if is_whole(rect) => self.memory.find(*hash, frame, rect),
                Content::New(_) | Content::Flat => None,
            };
            match slot {
                Some(slot) => recalled.push((*number, slot)),
                None => rest.push(rect),
            }
        }
        (recalled, rest)
    }

    /// Moves what moved: whole tiles, and blocks of the `rest`.
    fn write_moves(&mut self, frame: &Frame, found: &Found, rest: &[Rect]) {
        let whole = |(number, content): &(usize, Content)| match content {
            Content::Moved(vector) => Some((tile(*number, frame.size())?, *vector)),
            Content::New(_) | Content::Flat => None,
        };
        let whole: Vec<(Rect, u8)> = found.fresh.iter().filter_map(whole).collect();
        let moves = self.motion.explain((&self.shown, frame), &found.vectors, &whole, rest, &mut self.mask);
        moves::write(&found.vectors, &moves, self.parts.of(Kind::CONTROL));
        self.mover.apply(&mut self.shown, &found.vectors, &moves).expect("found inside the picture");
    }

    /// Recalls tiles from slots.
    fn recall(&mut self, frame: &Frame, recalled: &[(usize, usize)]) {
        let out = self.parts.of(Kind::CONTROL);
        let numbers: Vec<usize> = recalled.iter().map(|(number, _)| *number).collect();
        write_list(&numbers, out);
        for (number, slot) in recalled {
            write_number(*slot, out);
            let Some(rect) = tile(*number, frame.size()) else { continue };
            self.shown.copy_rect(frame, rect);
            self.mask.clear_tile(rect);
        }
    }
}
