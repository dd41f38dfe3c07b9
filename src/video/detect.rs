//! Detection: which tiles of a new frame differ from what is shown, and in which cells.

use pulp::{Arch, NullaryFnOnce};

use super::{
    frame::{Damage, Frame, Rect, Size, pixels},
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

/// Whether `target` of `new` shows what `source` of `old` shows; both have one size.
pub(super) fn is_same(old: &Frame, source: Rect, new: &Frame, target: Rect) -> bool {
    let rows = (source.y..).zip(target.y..target.y + target.height);
    let mut rows = rows.map(|(from, to)| (old.row(source.x, from, source.width), new.row(target.x, to, target.width)));
    rows.all(|(old, new)| old == new)
}

/// Sets the cells in which `tile` of `new` differs from `shown`, and no others of it.
pub(super) fn mark(arch: Arch, shown: &Frame, new: &Frame, tile: Rect, mask: &mut Mask) {
    arch.dispatch(Mark { shown, new, tile, mask });
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

struct Mark<'a> {
    shown: &'a Frame,
    new: &'a Frame,
    tile: Rect,
    mask: &'a mut Mask,
}

impl NullaryFnOnce for Mark<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { shown, new, tile, mask } = self;
        for y in tile.y..tile.y + tile.height {
            let cells = unequal_cells(shown.row(tile.x, y, tile.width), new.row(tile.x, y, tile.width));
            *mask.byte(usize::from(tile.x / TILE), y.into()) = cells;
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
        let first = pixels(frame.row(tile.x, tile.y, 1)).fold(0, |_, pixel| pixel);
        // Four vectors of lanes: one would wait for its own product.
        let mut lanes: [u32; 32] = std::array::from_fn(|lane| 0x9e37_79b1_u32.wrapping_mul(2 * lane as u32 + 1));
        let mut differs = 0;
        for y in tile.y..tile.y + tile.height {
            for chunk in frame.row(tile.x, y, tile.width).chunks(128) {
                for (lane, pixel) in lanes.iter_mut().zip(pixels(chunk)) {
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
    fn one_pixel_at_the_end_of_a_tile_is_seen() {
        let (shown, mut new, mut mask) = (Frame::new(SIZE), Frame::new(SIZE), Mask::new(SIZE));
        let tile = Rect { x: 192, y: 128, width: 8, height: 2 };
        assert!(is_same(&shown, tile, &new, tile));
        new.row_mut(199, 129, 1)[2] = 9;
        assert!(!is_same(&shown, tile, &new, tile));
        mark(Arch::new(), &shown, &new, tile, &mut mask);
        assert_eq!(mask.cut(), [Rect { y: 129, height: 1, ..tile }]);
    }

    #[test]
    fn hashes_see_every_pixel() {
        let mut frame = Frame::new(SIZE);
        let tile = Rect { x: 64, y: 0, width: 64, height: 64 };
        let hash = |frame: &Frame| hash_tile(Arch::new(), frame, tile);
        assert_eq!(hash(&frame), None);
        frame.row_mut(127, 63, 1)[0] = 1;
        let one = hash(&frame);
        assert!(one.is_some());
        frame.row_mut(64, 0, 1)[0] = 1;
        assert_ne!(hash(&frame), one);
    }
}
