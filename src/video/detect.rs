//! Detection: which tiles of a new frame differ from what is shown, and in which cells.
//!
//! A tile is compared whole before anything else is done with it: comparing runs at the speed of memory, hashing at half of it.

use pulp::{Arch, NullaryFnOnce};

use super::{
    frame::{BGR, Damage, Frame, Rect, Size, pixels, same_pixels},
    mask::{Mask, unequal_cells},
    payload::{TILE, tiles},
};

/// The tiles that `damage` touches, row by row from the top left.
pub(super) fn touched(size: Size, damage: &Damage) -> Vec<bool> {
    let across = usize::from(size.width.div_ceil(TILE));
    let mut touched = vec![false; tiles(size)];
    for rect in damage.rects().iter().filter_map(|rect| rect.clamp(size)) {
        let columns = usize::from(rect.x / TILE)..usize::from((rect.x + rect.width).div_ceil(TILE));
        for row in rect.y / TILE..(rect.y + rect.height).div_ceil(TILE) {
            touched[usize::from(row) * across..][columns.clone()].fill(true);
        }
    }
    touched
}

/// Whether `tile` of `frame` shows what it shows in `shown`.
pub(super) fn is_same(arch: Arch, shown: &Frame, frame: &Frame, tile: Rect) -> bool {
    arch.dispatch(Compare { shown, frame, tile })
}

/// Copies `tile` of `frame` into `next`, X cleared, and sets the cells in which it differs from `shown`.
pub(super) fn take(arch: Arch, shown: &Frame, frame: &Frame, next: &mut Frame, tile: Rect, mask: &mut Mask) {
    arch.dispatch(Take { shown, frame, next, tile, mask });
}

/// Sets the cells in which `tile` of `next` differs from `shown`.
pub(super) fn mark(shown: &Frame, next: &Frame, tile: Rect, mask: &mut Mask) {
    for y in tile.y..tile.y + tile.height {
        let cells = unequal_cells(shown.row(tile.x, y, tile.width), next.row(tile.x, y, tile.width));
        *mask.byte(usize::from(tile.x / TILE), y.into()) = cells;
    }
}

/// A hash of what a tile shows.
pub(super) fn fingerprint(arch: Arch, frame: &Frame, tile: Rect) -> u64 {
    arch.dispatch(Hash { frame, tile }).0
}

/// The same; of one colour all over nothing, because telling it costs no more than recalling it.
pub(super) fn hash_tile(arch: Arch, frame: &Frame, tile: Rect) -> Option<u64> {
    let (hash, is_flat) = arch.dispatch(Hash { frame, tile });
    (!is_flat).then_some(hash)
}

// Named types: all that runs for an instruction set must be inlined into the function that has it, and a closure's call is not always.

struct Compare<'a> {
    shown: &'a Frame,
    frame: &'a Frame,
    tile: Rect,
}

impl NullaryFnOnce for Compare<'_> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        let Self { shown, frame, tile } = self;
        (tile.y..tile.y + tile.height).all(|y| same_pixels(shown.row(tile.x, y, tile.width), frame.row(tile.x, y, tile.width)))
    }
}

struct Take<'a> {
    shown: &'a Frame,
    frame: &'a Frame,
    next: &'a mut Frame,
    tile: Rect,
    mask: &'a mut Mask,
}

impl NullaryFnOnce for Take<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { shown, frame, next, tile, mask } = self;
        for y in tile.y..tile.y + tile.height {
            let to = next.row_mut(tile.x, y, tile.width);
            for (to, from) in to.as_chunks_mut::<4>().0.iter_mut().zip(pixels(frame.row(tile.x, y, tile.width))) {
                *to = (from & BGR).to_le_bytes();
            }
            *mask.byte(usize::from(tile.x / TILE), y.into()) = unequal_cells(shown.row(tile.x, y, tile.width), to);
        }
    }
}

struct Hash<'a> {
    frame: &'a Frame,
    tile: Rect,
}

impl NullaryFnOnce for Hash<'_> {
    type Output = (u64, bool);

    #[inline(always)]
    fn call(self) -> (u64, bool) {
        let Self { frame, tile } = self;
        let first = pixels(frame.row(tile.x, tile.y, 1)).fold(0, |_, pixel| pixel & BGR);
        // Four vectors of lanes: one would wait for its own product.
        let mut lanes: [u32; 32] = std::array::from_fn(|lane| 0x9e37_79b1_u32.wrapping_mul(2 * lane as u32 + 1));
        let mut differs = 0;
        for y in tile.y..tile.y + tile.height {
            for chunk in frame.row(tile.x, y, tile.width).chunks(128) {
                for (lane, pixel) in lanes.iter_mut().zip(pixels(chunk)) {
                    let pixel = pixel & BGR;
                    differs |= pixel ^ first;
                    *lane = (*lane ^ pixel).wrapping_mul(0x0100_0193).rotate_left(5);
                }
            }
        }
        let fold = |sum: u64, lane: &u32| (sum ^ u64::from(*lane)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        (lanes.iter().fold(0, fold), differs == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 200, height: 130 };

    #[test]
    fn damage_may_reach_beyond_the_frame() {
        let mut damage = Damage::none();
        damage.add(Rect { x: 190, y: 120, width: u16::MAX, height: u16::MAX });
        let numbers: Vec<usize> = (0..).zip(touched(SIZE, &damage)).filter_map(|(at, is)| is.then_some(at)).collect();
        assert_eq!(numbers, [6, 7, 10, 11]);
        let mut damage = Damage::none();
        damage.add(Rect { x: 200, y: 0, width: 10, height: 10 });
        assert!(!touched(SIZE, &damage).contains(&true));
    }

    #[test]
    fn what_is_never_seen_does_not_count() {
        let arch = Arch::new();
        let (shown, mut frame, mut next) = (Frame::new(SIZE), Frame::new(SIZE), Frame::new(SIZE));
        let tile = Rect { x: 192, y: 128, width: 8, height: 2 };
        frame.row_mut(199, 129, 1)[3] = 9;
        assert!(is_same(arch, &shown, &frame, tile));
        frame.row_mut(199, 129, 1)[2] = 9;
        assert!(!is_same(arch, &shown, &frame, tile));
        let mut mask = Mask::new(SIZE);
        take(arch, &shown, &frame, &mut next, tile, &mut mask);
        assert_eq!(next.row(199, 129, 1), [0, 0, 9, 0]);
        assert_eq!(mask.cut(), [Rect { y: 129, height: 1, ..tile }]);
    }

    #[test]
    fn hashes_see_every_pixel_and_only_colours() {
        let mut frame = Frame::new(SIZE);
        let tile = Rect { x: 64, y: 0, width: 64, height: 64 };
        let hash = |frame: &Frame| hash_tile(Arch::new(), frame, tile);
        assert_eq!(hash(&frame), None);
        frame.row_mut(127, 63, 1)[0] = 1;
        let one = hash(&frame);
        frame.row_mut(127, 63, 1)[3] = 1;
        assert!(one.is_some() && hash(&frame) == one);
        frame.row_mut(64, 0, 1)[0] = 1;
        assert_ne!(hash(&frame), one);
    }
}
