//! From rough damage to the tight rectangles that really changed.
//!
//! Rules:
//! 1. Only tiles that the damage touches are looked at, but these whole: damage may be too large, never too small.
//! 2. A changed tile shrinks to the smallest rectangle around its changed pixels. The X byte is never looked at.
//! 3. Rectangles of tiles in one row become one where that adds few pixels: long rows compress better than short ones.
//! 4. The result's rectangles do not overlap, and there is at most one for each tile.

use super::{
    frame::{BGR, Damage, Frame, Rect, Size, pixels, same_pixels},
    payload::{TILE, tiles},
};

/// Two rectangles become one if that adds at most one pixel for so many of theirs.
const MERGE_SHARE: usize = 8;

/// The rectangles in which `now` differs from `before`, a frame of the same size; row by row of tiles, from the left.
pub(super) fn changed_rects(before: &Frame, now: &Frame, damage: &Damage) -> Vec<Rect> {
    let size = now.size();
    let mut rects: Vec<Rect> = Vec::new();
    for tile in touched_tiles(size, damage) {
        let Some(rect) = trim(before, now, tile) else { continue };
        match rects.last_mut() {
            Some(last) if last.y / TILE == rect.y / TILE && worth_merging(*last, rect) => *last = last.union(rect),
            _ => rects.push(rect),
        }
    }
    rects
}

/// The tiles that `damage` touches, row by row from the top left.
fn touched_tiles(size: Size, damage: &Damage) -> impl Iterator<Item = Rect> {
    let across = usize::from(size.width.div_ceil(TILE));
    let mut touched = vec![false; tiles(size)];
    for rect in damage.rects().iter().filter_map(|rect| rect.clamp(size)) {
        let columns = usize::from(rect.x / TILE)..usize::from((rect.x + rect.width).div_ceil(TILE));
        for row in rect.y / TILE..(rect.y + rect.height).div_ceil(TILE) {
            touched[usize::from(row) * across..][columns.clone()].fill(true);
        }
    }
    let places = (0..size.height)
        .step_by(usize::from(TILE))
        .flat_map(move |y| (0..size.width).step_by(usize::from(TILE)).map(move |x| (x, y)));
    places
        .zip(touched)
        .filter_map(move |((x, y), touched)| touched.then(|| Rect { x, y, width: TILE, height: TILE }.clamp(size))?)
}

/// The smallest rectangle around the pixels of `tile` that differ.
fn trim(before: &Frame, now: &Frame, tile: Rect) -> Option<Rect> {
    let mut columns = [0; TILE as usize];
    let mut rows = None;
    for y in tile.y..tile.y + tile.height {
        let (old, new) = (before.row(tile.x, y, tile.width), now.row(tile.x, y, tile.width));
        if same_pixels(old, new) {
            continue;
        }
        rows = Some((rows.map_or(y, |(top, _)| top), y));
        for (column, (old, new)) in columns.iter_mut().zip(pixels(old).zip(pixels(new))) {
            *column |= old ^ new;
        }
    }
    let (top, bottom) = rows?;
    let differs = |column: &u32| column & BGR != 0;
    let (left, right) = (columns.iter().position(differs)?, columns.iter().rposition(differs)?);
    let offset = |index: usize| u16::try_from(index).expect("an index below TILE");
    Some(Rect { x: tile.x + offset(left), y: top, width: offset(right - left) + 1, height: bottom - top + 1 })
}

/// Whether one rectangle around both costs little more than the two.
fn worth_merging(a: Rect, b: Rect) -> bool {
    let apart = a.pixels() + b.pixels();
    a.union(b).pixels() <= apart + apart / MERGE_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 200, height: 130 };

    fn painted(rects: &[Rect]) -> Frame {
        let mut frame = Frame::new(SIZE);
        for rect in rects {
            for y in rect.y..rect.y + rect.height {
                frame.row_mut(rect.x, y, rect.width).fill(0x55);
            }
        }
        frame
    }

    fn changes(rects: &[Rect], damage: &Damage) -> Vec<Rect> {
        changed_rects(&Frame::new(SIZE), &painted(rects), damage)
    }

    fn damage(rect: Rect) -> Damage {
        let mut damage = Damage::none();
        damage.add(rect);
        damage
    }

    #[test]
    fn a_change_inside_a_tile_is_found_tightly() {
        let rect = Rect { x: 70, y: 65, width: 5, height: 3 };
        assert_eq!(changes(&[rect], &Damage::full(SIZE)), [rect]);
    }

    #[test]
    fn the_last_pixel_of_an_odd_sized_frame_is_found() {
        let rect = Rect { x: 199, y: 129, width: 1, height: 1 };
        assert_eq!(changes(&[rect], &Damage::full(SIZE)), [rect]);
    }

    #[test]
    fn a_line_across_tiles_is_one_rectangle() {
        let rect = Rect { x: 10, y: 20, width: 150, height: 4 };
        assert_eq!(changes(&[rect], &Damage::full(SIZE)), [rect]);
    }

    #[test]
    fn far_changes_stay_apart() {
        let rects = [Rect { x: 0, y: 0, width: 2, height: 2 }, Rect { x: 190, y: 60, width: 2, height: 2 }];
        assert_eq!(changes(&rects, &Damage::full(SIZE)), rects);
    }

    #[test]
    fn damage_may_reach_beyond_the_frame() {
        let rect = Rect { x: 190, y: 120, width: 10, height: 10 };
        let beyond = Rect { x: 180, y: 110, width: u16::MAX, height: u16::MAX };
        assert_eq!(changes(&[rect], &damage(beyond)).into_iter().reduce(Rect::union), Some(rect));
        assert_eq!(changes(&[rect], &damage(Rect { x: 200, ..beyond })), []);
    }

    #[test]
    fn tiles_without_damage_are_not_looked_at() {
        let rect = Rect { x: 0, y: 0, width: 200, height: 130 };
        let touched = Rect { x: 64, y: 64, width: 1, height: 1 };
        assert_eq!(changes(&[rect], &damage(touched)), [Rect { x: 64, y: 64, width: TILE, height: TILE }]);
    }
}
