//! Tiles that were on the screen: both sides keep the same ones in the same slots, as the encoder tells.
//!
//! What a window covered comes back as one number. Slots are used in turn; the oldest tile makes room.

use std::collections::HashMap;

use super::{
    frame::{Frame, Rect},
    payload::TILE,
};

/// Slots: with 16 KiB each, 32 MiB.
pub(super) const SLOTS: usize = 2048;
const BYTES: usize = TILE as usize * TILE as usize * 4;

/// The tiles remembered. Memory grows with use.
#[derive(Default)]
pub(super) struct Cache {
    tiles: Vec<Vec<u8>>,
    next: usize,
}

impl Cache {
    /// Remembers a whole tile of `frame`; returns its slot.
    pub(super) fn remember(&mut self, frame: &Frame, tile: Rect) -> usize {
        debug_assert!(is_whole(tile), "only whole tiles are remembered");
        let slot = self.next;
        self.next = (slot + 1) % SLOTS;
        if slot == self.tiles.len() {
            self.tiles.push(Vec::with_capacity(BYTES));
        }
        let kept = &mut self.tiles[slot];
        kept.clear();
        (tile.y..tile.y + tile.height).for_each(|y| kept.extend(frame.row(tile.x, y, tile.width)));
        slot
    }

    /// Puts what is in `slot` into a whole tile of `frame`; `None` if nothing is.
    pub(super) fn recall(&self, slot: usize, frame: &mut Frame, tile: Rect) -> Option<()> {
        let rows = self.rows(slot)?;
        (tile.y..tile.y + tile.height).zip(rows).for_each(|(y, row)| frame.row_mut(tile.x, y, tile.width).copy_from_slice(row));
        Some(())
    }

    /// Whether `slot` holds exactly this tile.
    fn holds(&self, slot: usize, frame: &Frame, tile: Rect) -> bool {
        self.rows(slot).is_some_and(|rows| (tile.y..).zip(rows).all(|(y, row)| frame.row(tile.x, y, tile.width) == row))
    }

    fn rows(&self, slot: usize) -> Option<impl Iterator<Item = &[u8]>> {
        Some(self.tiles.get(slot)?.chunks_exact(usize::from(TILE) * 4))
    }
}

/// The encoder's cache: finds tiles by what they show.
#[derive(Default)]
pub(super) struct Memory {
    cache: Cache,
    slots: HashMap<u64, usize>,
    /// By slot: the hash of what is in it.
    hashes: Vec<u64>,
}

impl Memory {
    /// The slot that holds exactly this tile of `frame`, whose hash is `hash`.
    pub(super) fn find(&self, hash: u64, frame: &Frame, tile: Rect) -> Option<usize> {
        self.slots.get(&hash).copied().filter(|slot| self.cache.holds(*slot, frame, tile))
    }

    /// Remembers a whole tile.
    pub(super) fn remember(&mut self, hash: u64, frame: &Frame, tile: Rect) {
        let slot = self.cache.remember(frame, tile);
        match self.hashes.get_mut(slot) {
            None => self.hashes.push(hash),
            Some(kept) => {
                let old = std::mem::replace(kept, hash);
                if self.slots.get(&old) == Some(&slot) {
                    self.slots.remove(&old);
                }
            }
        }
        self.slots.insert(hash, slot);
    }
}

/// Whether a tile is not cut off by the frame's edge.
pub(super) fn is_whole(tile: Rect) -> bool {
    tile.width == TILE && tile.height == TILE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::frame::Size;

    const SIZE: Size = Size { width: TILE, height: TILE };

    fn tile(number: usize) -> Frame {
        let mut frame = Frame::new(SIZE);
        frame.row_mut(0, 0, 1).copy_from_slice(&(number as u32).to_le_bytes());
        frame
    }

    #[test]
    fn the_oldest_tile_makes_room() {
        let mut memory = Memory::default();
        for number in 0..SLOTS + 3 {
            memory.remember(number as u64, &tile(number), SIZE.bounds());
        }
        let find = |number: usize| memory.find(number as u64, &tile(number), SIZE.bounds());
        assert_eq!([0, 2, 3, SLOTS - 1, SLOTS, SLOTS + 2].map(find), [None, None, Some(3), Some(SLOTS - 1), Some(0), Some(2)]);
        assert_eq!(memory.slots.len(), SLOTS);
        assert_eq!(memory.find(5, &tile(6), SIZE.bounds()), None, "another tile with the same hash");
    }

    #[test]
    fn what_is_recalled_is_what_was_remembered() {
        let mut cache = Cache::default();
        let mut frame = Frame::new(SIZE);
        assert_eq!(cache.recall(0, &mut frame, SIZE.bounds()), None);
        cache.remember(&tile(7), SIZE.bounds());
        cache.recall(0, &mut frame, SIZE.bounds()).unwrap();
        assert_eq!(frame, tile(7));
        assert_eq!(cache.recall(1, &mut frame, SIZE.bounds()), None);
    }
}
