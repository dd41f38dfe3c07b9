//! Which cells (8 pixels of a row) of a picture are still to be told, and the rectangles around them.
//!
//! A bit a cell, a byte a tile's row, so that a whole row of a 4K screen is 60 bytes: looking for gaps is OR-ing bytes.

use super::{
    frame::{Rect, Size},
    payload::TILE,
};

/// Pixels of a cell.
pub(super) const CELL: u16 = 8;
/// A cut must leave out at least so many cells: it costs a rectangle more.
const LEAST_SAVING: usize = 16;

/// The cells of a picture.
#[derive(Default)]
pub(super) struct Mask {
    size: Size,
    /// Bytes of a row.
    across: usize,
    bits: Vec<u8>,
}

impl Mask {
    pub(super) fn new(size: Size) -> Self {
        let across = usize::from(size.width.div_ceil(TILE));
        Self { size, across, bits: vec![0; across * usize::from(size.height)] }
    }

    /// The cells of tile column `tile`, row `y`.
    pub(super) fn byte(&mut self, tile: usize, y: usize) -> &mut u8 {
        &mut self.bits[y * self.across + tile]
    }

    pub(super) fn get(&self, tile: usize, y: usize) -> u8 {
        self.bits[y * self.across + tile]
    }

    /// How many cells of a block are set.
    pub(super) fn count_block(&self, block: Rect) -> u32 {
        let (tile, shift) = block_place(block);
        (block.y..block.y + block.height).map(|y| (self.get(tile, y.into()) >> shift & 3).count_ones()).sum()
    }

    /// Sets the cells of a block: two bits a row.
    pub(super) fn set_block(&mut self, block: Rect, cells: &[u8]) {
        let (tile, shift) = block_place(block);
        for (y, cells) in (block.y..block.y + block.height).zip(cells) {
            let byte = self.byte(tile, y.into());
            *byte = *byte & !(3 << shift) | cells << shift;
        }
    }

    /// Clears a tile's cells.
    pub(super) fn clear_tile(&mut self, tile: Rect) {
        (tile.y..tile.y + tile.height).for_each(|y| *self.byte(usize::from(tile.x / TILE), y.into()) = 0);
    }

    pub(super) fn clear(&mut self) {
        self.bits.fill(0);
    }

    /// Rectangles around all set cells, cut where a gap saves enough; from the top left by reading order of the cuts.
    pub(super) fn cut(&self) -> Vec<Rect> {
        let mut rects = Vec::new();
        let whole = Span { left: 0, right: self.across * 8, top: 0, bottom: usize::from(self.size.height) };
        self.cut_span(whole, &mut rects);
        rects
    }

    fn cut_span(&self, span: Span, rects: &mut Vec<Rect>) {
        let Some((span, columns)) = self.shrink(span) else { return };
        let rows = self.widest_empty_rows(span);
        let gap = widest_gap(span.left, span.right, |cell| columns[cell / 8] >> (cell % 8) & 1 == 0);
        let saved_by_rows = rows.len() * span.width();
        let saved_by_columns = gap.len() * span.height();
        if saved_by_rows.max(saved_by_columns) < LEAST_SAVING {
            rects.push(self.rect(span));
        } else if saved_by_rows >= saved_by_columns {
            self.cut_span(Span { bottom: rows.start, ..span }, rects);
            self.cut_span(Span { top: rows.end, ..span }, rects);
        } else {
            self.cut_span(Span { right: gap.start, ..span }, rects);
            self.cut_span(Span { left: gap.end, ..span }, rects);
        }
    }

    /// The smallest span around the set cells of `span`, and the OR of its rows.
    fn shrink(&self, span: Span) -> Option<(Span, Vec<u8>)> {
        let mut columns = vec![0; self.across];
        let (mut top, mut bottom) = (None, span.top);
        for y in span.top..span.bottom {
            if self.is_empty_row(span, y) {
                continue;
            }
            top = top.or(Some(y));
            bottom = y + 1;
            let row = &self.bits[y * self.across..][..self.across];
            let (first, last) = (span.left / 8, span.right.div_ceil(8));
            columns[first..last].iter_mut().zip(&row[first..last]).for_each(|(all, bits)| *all |= bits);
        }
        let top = top?;
        let is_set = |cell: &usize| columns[cell / 8] >> (cell % 8) & 1 == 1;
        let left = (span.left..span.right).find(is_set)?;
        let right = (span.left..span.right).rev().find(is_set)? + 1;
        Some((Span { left, right, top, bottom }, columns))
    }

    fn is_empty_row(&self, span: Span, y: usize) -> bool {
        let row = &self.bits[y * self.across..][..self.across];
        let (first, last) = (span.left / 8, (span.right - 1) / 8);
        let head = 0xffu8 << (span.left % 8);
        let tail = 0xffu8 >> (7 - (span.right - 1) % 8);
        if first == last {
            return row[first] & head & tail == 0;
        }
        row[first] & head == 0 && row[last] & tail == 0 && row[first + 1..last].iter().fold(0, |all, bits| all | bits) == 0
    }

    fn widest_empty_rows(&self, span: Span) -> std::ops::Range<usize> {
        widest_gap(span.top, span.bottom, |y| self.is_empty_row(span, y))
    }

    fn rect(&self, span: Span) -> Rect {
        let (x, y) = (span.left as u16 * CELL, span.top as u16);
        let width = (span.width() as u16 * CELL).min(self.size.width - x);
        Rect { x, y, width, height: span.height() as u16 }
    }
}

/// The byte in a row where a block's two cells are, and their place in it.
fn block_place(block: Rect) -> (usize, u16) {
    (usize::from(block.x / TILE), block.x % TILE / CELL)
}

fn widest_gap(start: usize, end: usize, is_empty: impl Fn(usize) -> bool) -> std::ops::Range<usize> {
    let (mut best, mut from) = (start..start, None);
    for at in start..end {
        match (is_empty(at), from) {
            (true, None) => from = Some(at),
            (false, Some(begin)) => {
                if at - begin > best.len() {
                    best = begin..at;
                }
                from = None;
            }
            _ => {}
        }
    }
    best
}

/// Cells across, rows down.
#[derive(Clone, Copy, Debug)]
struct Span {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Span {
    fn width(self) -> usize {
        self.right - self.left
    }

    fn height(self) -> usize {
        self.bottom - self.top
    }
}

/// A bit for each cell of two rows of a tile that differs.
#[inline(always)]
pub(super) fn unequal_cells(a: &[u8], b: &[u8]) -> u8 {
    let ((whole_a, rest_a), (whole_b, rest_b)) = (a.as_chunks::<{ CELL as usize * 4 }>(), b.as_chunks::<{ CELL as usize * 4 }>());
    let mut bits = 0;
    for (index, (a, b)) in whole_a.iter().zip(whole_b).enumerate() {
        bits |= u8::from(a != b) << index;
    }
    if rest_a != rest_b {
        bits |= 1 << whole_a.len();
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::frame::Frame;

    const SIZE: Size = Size { width: 200, height: 130 };

    fn cut(rects: &[Rect]) -> Vec<Rect> {
        let (before, mut after) = (Frame::new(SIZE), Frame::new(SIZE));
        for rect in rects {
            (rect.y..rect.y + rect.height).for_each(|y| after.row_mut(rect.x, y, rect.width).fill(1));
        }
        let mut mask = Mask::new(SIZE);
        for tile in SIZE.bounds().grid(TILE) {
            for y in tile.y..tile.y + tile.height {
                let cells = unequal_cells(before.row(tile.x, y, tile.width), after.row(tile.x, y, tile.width));
                *mask.byte(usize::from(tile.x / TILE), y.into()) = cells;
            }
        }
        mask.cut()
    }

    #[test]
    fn rectangles_are_as_tight_as_cells() {
        let rect = Rect { x: 70, y: 65, width: 5, height: 3 };
        assert_eq!(cut(&[rect]), [Rect { x: 64, y: 65, width: 16, height: 3 }]);
        assert_eq!(cut(&[]), []);
        assert_eq!(cut(&[SIZE.bounds()]), [SIZE.bounds()]);
    }

    #[test]
    fn far_changes_are_cut_apart_and_near_ones_are_not() {
        let left = Rect { x: 0, y: 0, width: 8, height: 2 };
        let far = Rect { x: 160, y: 60, width: 40, height: 20 };
        assert_eq!(cut(&[left, far]), [left, far]);
        let near = Rect { x: 0, y: 10, ..left };
        assert_eq!(cut(&[left, near]), [Rect { height: 12, ..left }]);
        let lines = [0, 20, 40].map(|y| Rect { x: 16, y, width: 160, height: 12 });
        assert_eq!(cut(&lines), lines);
        let columns = [0, 64].map(|x| Rect { x, y: 0, width: 32, height: 100 });
        assert_eq!(cut(&columns), columns);
    }

    #[test]
    fn the_last_cell_of_an_odd_sized_frame_is_narrow() {
        let rect = Rect { x: 199, y: 129, width: 1, height: 1 };
        assert_eq!(cut(&[rect]), [Rect { x: 192, y: 129, width: 8, height: 1 }]);
        let size = Size { width: 13, height: 1 };
        let mut mask = Mask::new(size);
        *mask.byte(0, 0) = 0b10;
        assert_eq!(mask.cut(), [Rect { x: 8, y: 0, width: 5, height: 1 }]);
    }
}
