//! Damage as few rectangles: a request for pixels costs as much as some thousand pixels, so near ones are asked for together.

use crate::video::frame::Rect;

/// So many pixels cost no more than a rectangle of their own: one takes at least 10 us, a pixel 0.4 to 0.8 ns (`what_a_grab_costs` in the
/// tests of this folder prints both), and a pixel too many is compared by the encoder as well.
const RECT_COST: usize = 10_000;
/// The most rectangles.
pub(super) const MAX_RECTS: usize = 48;

/// Rectangles that together cover all of `rects`, at most [`MAX_RECTS`]: two become one where that asks for less than [`RECT_COST`]
/// pixels more, or where there are too many.
pub(super) fn merged(rects: impl Iterator<Item = Rect>) -> Vec<Rect> {
    let mut merged: Vec<Rect> = Vec::new();
    for mut rect in rects {
        // What grew may now be near another one.
        while let Some((place, waste)) = nearest(&merged, rect) {
            if waste >= RECT_COST && merged.len() < MAX_RECTS {
                break;
            }
            rect = rect.union(merged.swap_remove(place));
        }
        merged.push(rect);
    }
    merged
}

/// The rectangle that is joined with `rect` at the least waste, and that waste.
fn nearest(rects: &[Rect], rect: Rect) -> Option<(usize, usize)> {
    let waste = |other: &Rect| rect.union(*other).pixels().saturating_sub(rect.pixels() + other.pixels());
    rects.iter().map(waste).enumerate().min_by_key(|(_, waste)| *waste)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(all: &[Rect], rect: &Rect) -> bool {
        all.iter().any(|one| one.union(*rect) == *one)
    }

    fn rect(x: u16, y: u16, width: u16, height: u16) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn glyphs_of_a_line_become_one_and_far_corners_stay_apart() {
        let glyphs: Vec<Rect> = (0..100).map(|column| rect(column * 10, 20, 9, 16)).collect();
        assert_eq!(merged(glyphs.into_iter()), [rect(0, 20, 999, 16)]);
        let corners = [rect(0, 0, 20, 20), rect(1900, 1060, 20, 20)];
        assert_eq!(merged(corners.into_iter()).len(), 2);
    }

    #[test]
    fn any_damage_is_covered_by_few_rectangles() {
        let scattered = |count: u32| {
            (0..count).map(|number| {
                let spread = |factor: u32, limit: u32| u16::try_from(number.wrapping_mul(factor) % limit).unwrap();
                rect(spread(7919, 1900), spread(104_729, 1060), 1 + spread(31, 20), 1 + spread(17, 20))
            })
        };
        for count in [0, 1, 47, 48, 49, 500, 10_000] {
            let few = merged(scattered(count));
            assert!(few.len() <= MAX_RECTS, "{}", few.len());
            assert!(scattered(count).all(|rect| covers(&few, &rect)));
        }
    }
}
