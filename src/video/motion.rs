//! What moved: vectors by vote, and what a vector explains.
//!
//! 1. Anchors: twelve pixels around a place make a hash; one place in 32 is an anchor by its hash alone, so that the same content
//!    gives the same anchors wherever it is. What occurs twice on the old screen votes for nothing.
//! 2. Every anchor found on both screens votes for the vector between them. The best few are candidates.
//! 3. Where much changed, a sample of the tiles votes first; tiles that one vector explains whole are done with, which costs one look at
//!    them. All others vote if they are few.
//! 4. Each of their 16-pixel blocks takes the candidate that leaves the fewest cells to be told, if it explains the block or at least
//!    [`LEAST_GAIN`] cells of it. A block that did not change moves along with its neighbour where that changes nothing: one large
//!    move is told in fewer bytes than many with holes.

use pulp::{Arch, NullaryFnOnce};

use super::{
    areas::{Area, areas},
    detect::is_same,
    frame::{Frame, Rect, pixels},
    mask::{Mask, unequal_cells},
    moves::{BLOCK, MAX_VECTORS, Move, Vector},
};

/// The twelve pixels of an anchor, from its place: four of a row …
const TAPS: [u16; 4] = [0, 3, 7, 12];
/// … in three rows, each shifted a little. Text in few colours has few patterns: with fewer pixels all of them occur twice.
const ROWS: [(u16, u16); 3] = [(0, 0), (5, 4), (2, 8)];
/// How far the rows go beyond the first.
const REACH: (u16, u16) = (5, 8);
/// A place is an anchor if these bits of its hash are zero.
const ANCHOR: u32 = (1 << 5) - 1;
/// Of 4096 places in a tile about so many are anchors, where there is something to see.
const ANCHORS_PER_TILE: usize = 128;
/// A vector needs so many votes, and this share of the best one's: a false one costs more than it explains.
const LEAST_VOTES: usize = 10;
const VOTE_SHARE: usize = 8;
/// So many tiles vote all; of more, a sample of about so many does first.
pub(super) const POLLED: usize = 96;
/// Of the new screen every fourth row votes; the rows of an anchor are so far apart that no others are needed.
const ROWS_APART: usize = 4;
/// Cells of the 32 in a block.
const LEAST_GAIN: u32 = 5;
const NOWHERE: u32 = u32::MAX;

/// Of the places of a tile, and of its rows.
#[derive(Default)]
struct Hashes {
    rows: Vec<u32>,
    places: Vec<u32>,
}

/// Finds what moved. For a sample of the tiles, or for all: [`Motion::begin`], [`Motion::poll_old`] and [`Motion::poll_new`],
/// [`Motion::elect`], as often as need be; then [`Motion::explain`]. Kept for its memory.
pub(super) struct Motion {
    arch: Arch,
    /// Hash and place of the old screen's anchors; a power of two of them.
    table: Vec<(u32, u32)>,
    /// The new screen's.
    anchors: Vec<(u32, u32)>,
    hashes: Hashes,
    /// For each block of the picture the number of its vector.
    blocks: Vec<Option<u8>>,
}

impl Motion {
    pub(super) fn new(arch: Arch) -> Self {
        Self { arch, table: Vec::new(), anchors: Vec::new(), hashes: Hashes::default(), blocks: Vec::new() }
    }

    /// A poll of about so many tiles begins, one at least.
    pub(super) fn begin(&mut self, tiles: usize) {
        self.table.clear();
        self.table.resize((tiles * ANCHORS_PER_TILE).next_power_of_two(), (0, NOWHERE));
        self.anchors.clear();
    }

    /// Looks at what was in a tile that changed.
    pub(super) fn poll_old(&mut self, old: &Frame, tile: Rect) {
        self.arch.dispatch(PollOld { motion: self, old, tile });
    }

    /// Looks at what is in it now.
    pub(super) fn poll_new(&mut self, new: &Frame, tile: Rect) {
        self.arch.dispatch(PollNew { motion: self, new, tile });
    }

    /// Appends the vectors with most votes, up to [`MAX_VECTORS`].
    pub(super) fn elect(&self, vectors: &mut Vec<Vector>) {
        let shift = 32 - self.table.len().trailing_zeros();
        let vote = |(hash, place): &(u32, u32)| {
            let (known, from) = self.table[(hash >> shift) as usize];
            (known == *hash && from != NOWHERE && from != *place).then(|| difference(from, *place))
        };
        let mut votes: Vec<u32> = self.anchors.iter().filter_map(vote).collect();
        votes.sort_unstable();
        let counted = votes.chunk_by(|a, b| a == b).filter(|same| same.len() >= LEAST_VOTES);
        let mut counted: Vec<(usize, u32)> = counted.map(|same| (same.len(), same[0])).collect();
        counted.sort_unstable_by(|a, b| b.cmp(a));
        let Some((most, _)) = counted.first() else { return };
        let least = most / VOTE_SHARE;
        let unpack = |packed: u32| Vector { x: (packed & 0xffff) as i32 - 0x8000, y: (packed >> 16) as i32 - 0x8000 };
        for (_, packed) in counted.iter().take_while(|(count, _)| *count >= least) {
            let vector = unpack(*packed);
            if vectors.len() < MAX_VECTORS && !vectors.contains(&vector) {
                vectors.push(vector);
            }
        }
    }

    /// The moves that bring the old screen nearer to the new one: of the tiles that a vector explains whole (see [`explains`]), and of
    /// blocks of other `tiles`; what they explain is taken out of `mask`.
    pub(super) fn explain(
        &mut self,
        (old, new): (&Frame, &Frame),
        vectors: &[Vector],
        whole: &[(Rect, u8)],
        tiles: &[Rect],
        mask: &mut Mask,
    ) -> Vec<Move> {
        if vectors.is_empty() {
            return Vec::new();
        }
        let across = usize::from(new.size().width.div_ceil(BLOCK));
        self.blocks.clear();
        self.blocks.resize(across * usize::from(new.size().height.div_ceil(BLOCK)), None);
        for (block, vector) in whole.iter().flat_map(|(tile, vector)| tile.grid(BLOCK).map(move |block| (block, *vector))) {
            self.blocks[usize::from(block.y / BLOCK) * across + usize::from(block.x / BLOCK)] = Some(vector);
        }
        self.arch.dispatch(Assign { blocks: &mut self.blocks, old, new, tiles, vectors, mask });
        let step = |area: Area<u8>| {
            let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(|blocks| blocks as u16);
            Move { x, y, width, height, vector: area.kind }
        };
        areas(&mut self.blocks, across).into_iter().map(step).collect()
    }
}

/// Which of `vectors` explains all of `tile`; `likely` is tried first.
pub(super) fn explains(old: &Frame, new: &Frame, tile: Rect, vectors: &[Vector], likely: u8) -> Option<u8> {
    let mut order = std::iter::once(likely).chain((0..vectors.len() as u8).filter(|number| *number != likely));
    order.find(|number| {
        let source = vectors.get(usize::from(*number)).and_then(|vector| vector.source(tile, new.size()));
        source.is_some_and(|source| is_same(old, source, new, tile))
    })
}

// Named types: all that runs for an instruction set must be inlined into the function that has it, and a closure's call is not always.

struct PollOld<'a> {
    motion: &'a mut Motion,
    old: &'a Frame,
    tile: Rect,
}

impl NullaryFnOnce for PollOld<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { motion: Motion { table, hashes, .. }, old, tile } = self;
        let shift = 32 - table.len().trailing_zeros();
        anchors(old, tile, 1, hashes, |hash, place| {
            let slot = &mut table[(hash >> shift) as usize];
            // What occurs twice is worth nothing.
            *slot = if slot.0 == hash { (hash, NOWHERE) } else { (hash, place) };
        });
    }
}

struct PollNew<'a> {
    motion: &'a mut Motion,
    new: &'a Frame,
    tile: Rect,
}

impl NullaryFnOnce for PollNew<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { motion: Motion { anchors: list, hashes, .. }, new, tile } = self;
        anchors(new, tile, ROWS_APART, hashes, |hash, place| list.push((hash, place)));
    }
}

/// Gives every block of the tiles the vector that pays.
struct Assign<'a> {
    blocks: &'a mut [Option<u8>],
    old: &'a Frame,
    new: &'a Frame,
    tiles: &'a [Rect],
    vectors: &'a [Vector],
    mask: &'a mut Mask,
}

impl NullaryFnOnce for Assign<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { blocks, old, new, tiles, vectors, mask } = self;
        let across = usize::from(new.size().width.div_ceil(BLOCK));
        let mut last = 0;
        for block in tiles.iter().flat_map(|tile| tile.grid(BLOCK)) {
            let at = usize::from(block.y / BLOCK) * across + usize::from(block.x / BLOCK);
            let unmoved = mask.count_block(block);
            if unmoved == 0 {
                let left = if block.x > 0 { blocks[at - 1] } else { None };
                let above = if block.y > 0 { blocks[at - across] } else { None };
                let is_along =
                    |along: &u8| differing(old, new, block, vectors[usize::from(*along)]).is_some_and(|cells| count(&cells) == 0);
                blocks[at] = left.or(above).filter(is_along);
            } else if let Some((vector, cells)) = best(old, new, block, vectors, last, unmoved) {
                mask.set_block(block, &cells);
                last = vector;
                blocks[at] = Some(vector as u8);
            }
        }
    }
}

/// Calls `found` with the hash and the place (row, column: half a word each) of the anchors in every `step`th row of `tile`.
#[inline(always)]
fn anchors(frame: &Frame, tile: Rect, step: usize, hashes: &mut Hashes, mut found: impl FnMut(u32, u32)) {
    let size = frame.size();
    let right = (tile.x + tile.width + REACH.0).min(size.width.saturating_sub(TAPS[3]));
    let bottom = (tile.y + tile.height + REACH.1).min(size.height);
    let (Some(width), Some(height)) = (right.checked_sub(tile.x), bottom.checked_sub(tile.y)) else { return };
    let (Some(across), Some(down)) = (width.checked_sub(REACH.0), height.checked_sub(REACH.1)) else { return };
    let stride = usize::from(width);
    hashes.rows.resize(stride * usize::from(height), 0);
    for (y, hashes) in (tile.y..bottom).zip(hashes.rows.chunks_exact_mut(stride)).step_by(step) {
        hash_row(TAPS.map(|x| frame.row(tile.x + x, y, width)), hashes);
    }
    hashes.places.resize(across.into(), 0);
    for y in (0..down).step_by(step) {
        let row = |(x, down): (u16, u16)| &hashes.rows[usize::from(y + down) * stride + usize::from(x)..];
        join_rows(ROWS.map(row), &mut hashes.places);
        for (x, eight) in (tile.x..).step_by(8).zip(hashes.places.chunks(8)) {
            // Most have none, and eight are looked at in one go.
            if eight.iter().fold(u32::MAX, |least, hash| least.min(hash & ANCHOR)) == 0 {
                for (x, hash) in (x..).zip(eight).filter(|(_, hash)| *hash & ANCHOR == 0) {
                    found(*hash, u32::from(tile.y + y) << 16 | u32::from(x));
                }
            }
        }
    }
}

/// The hash of four pixels of a row, at every place of it.
#[inline(always)]
fn hash_row(taps: [&[u8]; 4], hashes: &mut [u32]) {
    let [a, b, c, d] = taps;
    let taps = pixels(a).zip(pixels(b)).zip(pixels(c)).zip(pixels(d));
    for (hash, (((a, b), c), d)) in hashes.iter_mut().zip(taps) {
        // Shifts, not products: the latter take twice as long, and one follows.
        *hash = (a ^ a >> 9).wrapping_add(b << 5).wrapping_add(c << 11) ^ (d << 18 | d >> 7);
    }
}

/// The hash of three rows' hashes, at every place; no anchor's where all three are the same: flat ground, and lines from above to below.
#[inline(always)]
fn join_rows(rows: [&[u32]; 3], hashes: &mut [u32]) {
    let [a, b, c] = rows;
    for (hash, ((a, b), c)) in hashes.iter_mut().zip(a.iter().zip(b).zip(c)) {
        let sum = a.wrapping_add(b.wrapping_mul(0x1656_67b1)).wrapping_add(c.wrapping_mul(0x6eed_0e9d));
        let mixed = (sum ^ sum >> 15).wrapping_mul(0x2c1b_3c6d);
        *hash = if (a ^ b) | (b ^ c) == 0 { ANCHOR } else { mixed ^ mixed >> 13 };
    }
}

/// The vector from `place` to `from`, packed: half a word each, offset by half its range.
fn difference(from: u32, place: u32) -> u32 {
    let half = |word: u32, shift: u32| word >> shift & 0xffff;
    let part = |shift| (half(from, shift) + 0x8000 - half(place, shift)) & 0xffff;
    part(16) << 16 | part(0)
}

/// The cells (two bits a row) of a block.
type Cells = [u8; BLOCK as usize];

fn count(cells: &Cells) -> u32 {
    cells.iter().map(|row| row.count_ones()).sum()
}

/// The vector for a block of which `unmoved` cells differ at its own place, and what then still differs, if one pays. The `last`
/// one is tried first: neighbours move together.
#[inline(always)]
fn best(old: &Frame, new: &Frame, block: Rect, vectors: &[Vector], last: usize, unmoved: u32) -> Option<(usize, Cells)> {
    let mut best: Option<(u32, usize, Cells)> = None;
    for index in std::iter::once(last).chain((0..vectors.len()).filter(|index| *index != last)) {
        let Some(cells) = differing(old, new, block, vectors[index]) else { continue };
        let left = count(&cells);
        if left == 0 {
            return Some((index, cells));
        }
        if left + LEAST_GAIN <= unmoved && best.is_none_or(|(least, ..)| left < least) {
            best = Some((left, index, cells));
        }
    }
    best.map(|(_, index, cells)| (index, cells))
}

/// The cells in which a block differs from its source, if that is inside.
#[inline(always)]
fn differing(old: &Frame, new: &Frame, block: Rect, vector: Vector) -> Option<Cells> {
    let source = vector.source(block, new.size())?;
    let mut cells = [0; BLOCK as usize];
    for (row, bits) in (0..block.height).zip(&mut cells) {
        let from = old.row(source.x, source.y + row, source.width);
        let to = new.row(block.x, block.y + row, block.width);
        *bits = unequal_cells(from, to);
    }
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::frame::Size;

    const SIZE: Size = Size { width: 200, height: 150 };

    fn noise(size: Size) -> Frame {
        let mut frame = Frame::new(size);
        let mut state = 1_u32;
        for pixel in frame.data_mut().as_chunks_mut::<4>().0 {
            state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            *pixel = ((state >> 9) & 0x00ff_ffff).to_le_bytes();
        }
        frame
    }

    fn explained(old: &Frame, new: &Frame) -> (Vec<Vector>, Vec<Move>, Mask) {
        let mut mask = Mask::new(SIZE);
        for y in 0..SIZE.height {
            for tile in 0..SIZE.width.div_ceil(64) {
                let width = 64.min(SIZE.width - tile * 64);
                *mask.byte(tile.into(), y.into()) = unequal_cells(old.row(tile * 64, y, width), new.row(tile * 64, y, width));
            }
        }
        let tiles: Vec<Rect> = SIZE.bounds().grid(64).collect();
        let mut motion = Motion::new(Arch::new());
        motion.begin(tiles.len());
        for tile in &tiles {
            motion.poll_old(old, *tile);
            motion.poll_new(new, *tile);
        }
        let mut vectors = Vec::new();
        motion.elect(&mut vectors);
        let moves = motion.explain((old, new), &vectors, &[], &tiles, &mut mask);
        (vectors, moves, mask)
    }

    #[test]
    fn a_scroll_is_one_vector_and_leaves_only_the_new_rows() {
        let old = noise(SIZE);
        let mut new = old.clone();
        new.data_mut().copy_within(old.stride() * 38.., 0);
        let (vectors, moves, mask) = explained(&old, &new);
        assert_eq!(vectors, [Vector { x: 0, y: 38 }]);
        assert_eq!(moves, [Move { x: 0, y: 0, width: 13, height: 7, vector: 0 }]);
        // What was copied by rows stays the same below: nothing is left at all.
        assert_eq!(mask.cut(), []);
    }

    #[test]
    fn what_moved_sideways_is_found_and_its_trail_is_left() {
        let old = noise(SIZE);
        let mut new = old.clone();
        for y in 32..112 {
            let moved = old.row(16, y, 96).to_vec();
            new.row_mut(48, y, 96).copy_from_slice(&moved);
        }
        let (vectors, moves, mask) = explained(&old, &new);
        assert_eq!(vectors, [Vector { x: -32, y: 0 }]);
        assert_eq!(moves, [Move { x: 3, y: 2, width: 6, height: 5, vector: 0 }]);
        assert_eq!(mask.cut(), []);
    }

    #[test]
    fn new_content_has_no_vectors() {
        let old = Frame::new(SIZE);
        let (vectors, moves, mask) = explained(&old, &noise(SIZE));
        assert!(vectors.is_empty() && moves.is_empty());
        assert_eq!(mask.cut(), [SIZE.bounds()]);
    }

    #[test]
    fn sources_lie_inside() {
        let rect = Rect { x: 0, y: 140, width: 16, height: 10 };
        assert_eq!(Vector { x: -1, y: 0 }.source(rect, SIZE), None);
        assert_eq!(Vector { x: 0, y: 1 }.source(rect, SIZE), None);
        assert_eq!(Vector { x: 184, y: -140 }.source(rect, SIZE), Some(Rect { x: 184, y: 0, ..rect }));
        assert_eq!(Vector { x: i32::MAX - 1000, y: 0 }.source(rect, SIZE), None);
    }
}
