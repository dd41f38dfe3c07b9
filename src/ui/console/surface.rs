//! The picture in cells: what is to be seen, what the terminal shows, and the difference as bytes.
//!
//! Two pictures in pixels of the terminal are kept, four bytes a pixel, at most [`MAX_PIXELS`] each: the one wanted, into which
//! the host's picture and pointer are scaled where they changed, and the one that was sent. Their difference is looked for by
//! cells (half blocks), rows of cells (sixel) or tiles of [`TILE`] cells (kitty).

use super::{blocks::Blocks, cells::Cells, detect::Form, kitty, sixel};
use crate::{
    protocol::message::ELSEWHERE,
    ui::{canvas::Canvas, picture::State},
    video::{
        frame::{Damage, MAX_SIDE, Size},
        scale::{Area, Placement, Scaler},
    },
};

/// Around the picture.
const BORDER: u32 = 0x0014_1618;
/// No pixel has this value: the terminal shows something else there.
const UNKNOWN: u32 = u32::MAX;
/// The most pixels of each picture. The picture gets fewer cells in a larger window.
const MAX_PIXELS: usize = 16 << 20;
/// Cells of a tile, across and down.
const TILE: (u16, u16) = (16, 4);

/// See the module.
pub(super) struct Surface {
    form: Form,
    /// Pixels of a cell.
    cell: (u16, u16),
    columns: u16,
    rows: u16,
    wanted: Vec<u32>,
    sent: Vec<u32>,
    scaler: Scaler,
    placement: Placement,
    pointer: Option<Area>,
    /// One pixel for each of the host's, rather than all of its screen.
    actual: bool,
    /// All of the picture must be scaled anew.
    stale: bool,
}

impl Surface {
    /// Nothing is shown yet, and there is no room.
    pub(super) fn new(form: Form, cell: (u16, u16)) -> Self {
        let placement = Placement::fit(Size { width: 1, height: 1 }, (1, 1));
        let (wanted, sent, scaler) = (Vec::new(), Vec::new(), Scaler::default());
        Self { form, cell, columns: 0, rows: 0, wanted, sent, scaler, placement, pointer: None, actual: false, stale: true }
    }

    /// Takes this many cells from the window's top left; what they show is not known.
    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        let cell = usize::from(self.cell.0) * usize::from(self.cell.1);
        self.columns = columns.min(MAX_SIDE / self.cell.0);
        let most = MAX_PIXELS / cell / usize::from(self.columns.max(1));
        self.rows = rows.min(MAX_SIDE / self.cell.1).min(u16::try_from(most).unwrap_or(u16::MAX));
        let pixels = usize::from(self.columns) * usize::from(self.rows) * cell;
        self.wanted.clear();
        self.wanted.resize(pixels, BORDER);
        self.forget();
        self.stale = true;
    }

    /// The terminal shows something else than was sent.
    pub(super) fn forget(&mut self) {
        self.sent.clear();
        self.sent.resize(self.wanted.len(), UNKNOWN);
    }

    /// Between all of the host's screen and its actual size.
    pub(super) fn toggle_actual_size(&mut self) {
        (self.actual, self.stale) = (!self.actual, true);
    }

    /// Whether pictures get to the terminal this way.
    pub(super) fn is_of(&self, form: Form) -> bool {
        self.form == form
    }

    /// Pixels across and down.
    pub(super) fn size(&self) -> (i32, i32) {
        (i32::from(self.columns) * i32::from(self.cell.0), i32::from(self.rows) * i32::from(self.cell.1))
    }

    /// Where the picture is in it.
    pub(super) fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Places the picture anew, for its size and where the hand is.
    pub(super) fn place(&mut self, picture: Size, hand: Option<(f64, f64)>) {
        let size = self.size();
        let placement = if self.actual {
            let middle = (f64::from(size.0) / 2.0, f64::from(size.1) / 2.0);
            Placement::one_to_one(picture, size, hand.unwrap_or(middle))
        } else {
            Placement::fit(picture, size)
        };
        self.stale |= placement != self.placement;
        self.placement = placement;
    }

    /// Takes over what changed in the picture. `hand` is where the local mouse is, while the host's pointer follows it.
    pub(super) fn follow(&mut self, state: &mut State, hand: Option<(f64, f64)>, driving: bool) {
        let damage = std::mem::replace(&mut state.damage, Damage::none());
        self.place(state.frame.size(), hand);
        let (width, height) = self.size();
        let all = Area { x: 0, y: 0, width, height };
        let pointer = self.pointer_area(state, if driving { hand } else { None });
        let mut dirty: Vec<Area> = damage.rects().iter().map(|rect| self.placement.touched(*rect)).collect();
        if std::mem::take(&mut state.pointer_changed) || pointer != self.pointer {
            dirty.extend(self.pointer.into_iter().chain(pointer));
        }
        if std::mem::take(&mut self.stale) {
            self.wanted.fill(BORDER);
            dirty = vec![all];
        }
        // The pointer is laid over clean pixels only: all of it is drawn anew where any of it is.
        let touched = pointer.filter(|area| dirty.iter().any(|dirty| dirty.intersection(*area).is_some()));
        dirty.extend(touched);
        self.pointer = pointer;
        let columns = usize::try_from(width).unwrap_or(0);
        for area in &dirty {
            let mut canvas = Canvas { pixels: &mut self.wanted, width: columns };
            canvas.cover(*area, BORDER, 255);
            self.scaler.draw(&state.frame, &self.placement, *area, &mut self.wanted, columns);
        }
        if let (Some(area), Some(shape)) = (touched, &state.cursor) {
            Canvas { pixels: &mut self.wanted, width: columns }.pointer(shape, area);
        }
    }

    /// The host's pointer: at the hand while that drives it, else where the host says.
    #[expect(clippy::cast_possible_truncation, reason = "places in a window")]
    fn pointer_area(&self, state: &State, hand: Option<(f64, f64)>) -> Option<Area> {
        let shape = state.cursor.as_ref().filter(|shape| shape.width > 0 && shape.height > 0)?;
        let on_picture = || Some(state.pointer).filter(|pointer| *pointer != ELSEWHERE);
        let (x, y) = hand.or_else(|| on_picture().map(|(x, y)| self.placement.to_window(x, y)))?;
        let scale = f64::from(self.placement.area().width) / f64::from(self.placement.picture().width.max(1));
        // Smaller nobody finds it; and two half blocks are as large as a small one should be.
        let scale = scale.max(if self.cell.0 < 2 { 0.12 } else { 0.5 });
        let side = |length: u16| (f64::from(length) * scale).round().max(1.0) as i32;
        let place = |at: f64, hot: u16| (at - f64::from(hot) * scale).floor() as i32;
        Some(Area { x: place(x, shape.hot_x), y: place(y, shape.hot_y), width: side(shape.width), height: side(shape.height) })
    }

    /// Writes what the terminal does not show yet.
    ///
    /// # Errors
    /// A strip cannot be encoded.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) -> anyhow::Result<()> {
        match self.form {
            Form::Kitty => self.send_tiles(out),
            Form::Sixel(colours) => self.send_strips(out, colours)?,
            Form::Blocks { truecolor } => self.send_blocks(out, truecolor),
        }
        Ok(())
    }

    fn send_blocks(&mut self, out: &mut Vec<u8>, truecolor: bool) {
        let mut blocks = Blocks::new(out, truecolor);
        let width = usize::from(self.columns);
        for row in 0..self.rows {
            let upper = usize::from(row) * 2 * width;
            for column in 0..self.columns {
                let at = [upper, upper + width].map(|start| start + usize::from(column));
                if at.iter().any(|at| self.wanted[*at] != self.sent[*at]) {
                    blocks.cell(column, row, self.wanted[at[0]], self.wanted[at[1]]);
                    at.iter().for_each(|at| self.sent[*at] = self.wanted[*at]);
                }
            }
        }
        blocks.end();
    }

    fn send_tiles(&mut self, out: &mut Vec<u8>) {
        let across = u32::from(self.columns.div_ceil(TILE.0));
        for row in (0..self.rows).step_by(TILE.1.into()) {
            for column in (0..self.columns).step_by(TILE.0.into()) {
                let (columns, rows) = (TILE.0.min(self.columns - column), TILE.1.min(self.rows - row));
                let cells = Cells { column, row, columns, rows };
                if self.differs(cells) {
                    let id = 1 + u32::from(row / TILE.1) * across + u32::from(column / TILE.0);
                    kitty::tile(out, id, cells, self.pixels_of(cells), self.part(cells));
                    self.note_sent(cells);
                }
            }
        }
    }

    /// Rows of cells that changed in the same columns, more or less, are one picture: each has a head with its colours.
    fn send_strips(&mut self, out: &mut Vec<u8>, colours: u16) -> anyhow::Result<()> {
        let mut open: Option<Cells> = None;
        for row in 0..=self.rows {
            let changed = if row < self.rows { self.changed_in(row) } else { None };
            open = match (open, changed) {
                (Some(strip), Some((from, to))) if close(strip, (from, to)) => {
                    let (left, right) = (strip.column.min(from), (strip.column + strip.columns).max(to));
                    Some(Cells { column: left, columns: right - left, rows: strip.rows + 1, ..strip })
                }
                (before, changed) => {
                    if let Some(strip) = before {
                        sixel::strip(out, strip, self.pixels_of(strip), self.part(strip), colours)?;
                        self.note_sent(strip);
                    }
                    changed.map(|(from, to)| Cells { column: from, row, columns: to - from, rows: 1 })
                }
            };
        }
        Ok(())
    }

    /// The columns of a row of cells from the first that changed to behind the last.
    fn changed_in(&self, row: u16) -> Option<(u16, u16)> {
        let changed = |column: &u16| self.differs(Cells { column: *column, row, columns: 1, rows: 1 });
        let first = (0..self.columns).find(changed)?;
        let last = (first..self.columns).rev().find(changed)?;
        Some((first, last + 1))
    }

    fn pixels_of(&self, cells: Cells) -> Size {
        Size { width: cells.columns * self.cell.0, height: cells.rows * self.cell.1 }
    }

    /// The ranges of pixels of some cells, row by row.
    fn spans(&self, cells: Cells) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let (cell, width) = (self.cell, usize::from(self.columns) * usize::from(self.cell.0));
        let left = usize::from(cells.column) * usize::from(cell.0);
        let length = usize::from(cells.columns) * usize::from(cell.0);
        let top = usize::from(cells.row) * usize::from(cell.1);
        (top..top + usize::from(cells.rows) * usize::from(cell.1)).map(move |y| y * width + left..y * width + left + length)
    }

    fn differs(&self, cells: Cells) -> bool {
        self.spans(cells).any(|span| self.wanted[span.clone()] != self.sent[span])
    }

    fn part(&self, cells: Cells) -> impl Iterator<Item = u32> {
        self.spans(cells).flat_map(|span| self.wanted[span].iter().copied())
    }

    fn note_sent(&mut self, cells: Cells) {
        for span in self.spans(cells) {
            self.sent[span.clone()].copy_from_slice(&self.wanted[span]);
        }
    }
}

/// Whether columns that changed belong to the strip above: together they are not much larger than the two.
fn close(strip: Cells, (from, to): (u16, u16)) -> bool {
    let together = (strip.column + strip.columns).max(to) - strip.column.min(from);
    let grown = u32::from(together) * u32::from(strip.rows + 1);
    let apart = u32::from(strip.columns) * u32::from(strip.rows) + u32::from(to - from);
    // A picture of a strip must not become too large to be changed in a moment.
    strip.rows < 8 && grown <= apart + apart / 4
}

#[cfg(test)]
mod tests;
