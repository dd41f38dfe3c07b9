//! Which parts of the picture may be coded with a loss: photographs and video, never text or controls.
//!
//! Decided per cell of 16x16 pixels by its pairs of neighbours. Drawn content has flat ground, where neighbours are exactly equal, and
//! edges, where they differ by much without anything in between; antialiasing, also for red, green and blue apart, changes neither. In
//! a photograph hardly any neighbours are equal, and few differ by much; many differ by something.
//!
//! Text on a photograph is sharp too, and so are a photograph's own hard edges. A sharp cell is exact, unless it is alone: a line of
//! text is not.

use super::super::frame::{Frame, Rect, pixels};

/// The side of a cell.
pub(in crate::video) const CELL: u16 = 16;

/// Neighbours that differ by less than this are smooth.
const SMOOTH: u8 = 8;
/// Neighbours that differ by so much are an edge.
const EDGE: u8 = 40;
/// Of a hundred pairs, from so many equal ones on a cell is drawn.
const FLAT_PERCENT: u32 = 37;
/// The same where edges are as many as what lies between smooth and edge.
const FLAT_PERCENT_BESIDE_EDGES: u32 = 9;
/// Of a hundred pairs, from so many edges on a cell is sharp.
const SHARP_PERCENT: u32 = 6;
/// So many of the 8 cells around must be photographic for a sharp one to be taken for a detail of theirs.
const AROUND: usize = 7;

/// What a cell looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::video) enum Content {
    /// A photograph or video.
    Photo,
    /// Hard edges in a photograph, or text on it.
    Sharp,
    /// Text, controls, flat ground.
    Drawn,
}

/// What `cell` looks like: any rectangle inside the frame, but meant for cells of [`CELL`] pixels.
#[must_use]
pub(in crate::video) fn content(frame: &Frame, cell: Rect) -> Content {
    pulp::Arch::new().dispatch(Look { frame, cell })
}

/// Which cells of `rect` may be coded with a loss, row by row from its top left.
#[must_use]
pub(in crate::video) fn photographic(frame: &Frame, rect: Rect) -> Vec<bool> {
    let (columns, rows) = (usize::from(rect.width.div_ceil(CELL)), usize::from(rect.height.div_ceil(CELL)));
    let (right, bottom) = (rect.x + rect.width, rect.y + rect.height);
    let mut contents = Vec::with_capacity(columns * rows);
    for y in (rect.y..bottom).step_by(CELL.into()) {
        for x in (rect.x..right).step_by(CELL.into()) {
            contents.push(content(frame, Rect { x, y, width: CELL.min(right - x), height: CELL.min(bottom - y) }));
        }
    }
    let photos_around = |at: usize| {
        let (column, row) = (at % columns, at / columns);
        let near = |place: usize, end: usize| place.saturating_sub(1)..(place + 2).min(end);
        let cells = near(row, rows).flat_map(|row| near(column, columns).map(move |column| row * columns + column));
        cells.filter(|cell| contents[*cell] == Content::Photo).count()
    };
    let allowed = |(at, content): (usize, &Content)| match content {
        Content::Photo => true,
        Content::Sharp => photos_around(at) >= AROUND,
        Content::Drawn => false,
    };
    contents.iter().enumerate().map(allowed).collect()
}

struct Look<'a> {
    frame: &'a Frame,
    cell: Rect,
}

impl pulp::NullaryFnOnce for Look<'_> {
    type Output = Content;

    #[inline(always)]
    fn call(self) -> Content {
        let Self { frame, cell } = self;
        let mut pairs = Pairs::default();
        for y in cell.y..cell.y + cell.height {
            let row = frame.row(cell.x, y, cell.width);
            pairs.count(row, &row[4..]);
            if y > cell.y {
                pairs.count(row, frame.row(cell.x, y - 1, cell.width));
            }
        }
        pairs.content()
    }
}

/// Pairs of neighbours, by how much they differ in the colour where they differ most.
#[derive(Default)]
struct Pairs {
    all: u32,
    equal: u32,
    between: u32,
    edges: u32,
}

impl Pairs {
    #[inline(always)]
    fn count(&mut self, row: &[u8], other: &[u8]) {
        let (mut equal, mut between, mut edges, mut all) = (0, 0, 0, 0);
        for (a, b) in pixels(row).zip(pixels(other)) {
            let apart = |shift: u32| ((a >> shift) as u8).abs_diff((b >> shift) as u8);
            let apart = apart(0).max(apart(8)).max(apart(16));
            equal += u32::from(apart == 0);
            between += u32::from(apart >= SMOOTH);
            edges += u32::from(apart >= EDGE);
            all += 1;
        }
        self.equal += equal;
        self.between += between - edges;
        self.edges += edges;
        self.all += all;
    }

    fn content(&self) -> Content {
        let hard = self.edges > self.between;
        let flat = if hard { FLAT_PERCENT_BESIDE_EDGES } else { FLAT_PERCENT };
        if self.equal * 100 >= self.all * flat {
            Content::Drawn
        } else if hard || self.edges * 100 >= self.all * SHARP_PERCENT {
            Content::Sharp
        } else {
            Content::Photo
        }
    }
}
