//! What is in a rectangle: drawn things and photographs, cut apart.
//!
//! A square of 64 pixels that is clearly the one or the other stays whole; others are quartered, down to 16 pixels. Neighbours of a
//! class become one piece: drawn things stay as large as they are (a letter cut in two is not found again), and photographs too (an
//! edge is a place without neighbours to guess from).

use std::collections::HashMap;

use super::{
    areas::{Area, areas},
    frame::{Frame, Rect},
    payload::TILE,
    photo::Guess,
};

/// The smallest square looked at for itself.
const SIDE: u16 = 16;
/// Of a rectangle so many pixels are looked at.
const SAMPLES: usize = 256;
/// log2 of the places for the colours seen: so many that hardly two share one.
const SEEN_LOG: u32 = 14;
/// Pieces with fewer pixels are drawn: they are not worth planes.
const LEAST_PHOTO: usize = 64;
/// Different colours in a hundred samples: up to this it is drawn.
const FEW: usize = 25;
/// From this on it is a photograph, if it is smooth.
const MANY: usize = 75;
/// Where the square cannot be quartered any more: above this a photograph.
const HALF: usize = 50;
/// How much neighbours may differ in a smooth square, summed over the three colours, on average.
const SMOOTH: usize = 24;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// One colour.
    Solid,
    /// Text, controls, flat ground.
    Drawn,
    /// Too many colours for the first, too few or too rough for the last. Told like the first, unless that takes too much.
    Mixed,
    /// A photograph or video, and what guesses it best.
    Photo(Guess),
}

impl Class {
    /// Whether it is drawn for sure.
    pub(super) fn is_drawn(self) -> bool {
        matches!(self, Self::Solid | Self::Drawn)
    }
}

/// One rectangle for neighbours of equal extent; `rects` do not overlap and come row by row.
pub(super) fn join(rects: impl IntoIterator<Item = Rect>) -> Vec<Rect> {
    let mut rows: Vec<Rect> = Vec::new();
    for rect in rects {
        match rows.last_mut() {
            Some(last) if (last.y, last.height, last.x + last.width) == (rect.y, rect.height, rect.x) => last.width += rect.width,
            _ => rows.push(rect),
        }
    }
    let mut joined: Vec<Rect> = Vec::new();
    // Where a row would have to be to be joined: the extent and the bottom of a rectangle.
    let mut ends = HashMap::new();
    for row in rows {
        let at = ends.remove(&(row.x, row.width, row.y)).unwrap_or(joined.len());
        match joined.get_mut(at) {
            Some(above) => above.height += row.height,
            None => joined.push(row),
        }
        ends.insert((row.x, row.width, row.y + row.height), at);
    }
    joined
}

/// Rectangles joined whatever their extents: by their squares of [`SIDE`] pixels. `rects` do not overlap.
pub(super) fn join_squares(rects: impl IntoIterator<Item = Rect>) -> Vec<Rect> {
    let mut squares: Vec<Rect> = rects.into_iter().flat_map(|rect| rect.grid(SIDE)).collect();
    squares.sort_by_key(|square| (square.y, square.x));
    join(squares)
}

/// Cuts `rect` of `new` into pieces to be told exactly; `shown` is what was there before. None is mixed: a letter may look so, and a
/// line cut in two is not found again.
pub(super) fn pieces(shown: &Frame, new: &Frame, rect: Rect) -> Vec<(Rect, Class)> {
    if is_solid(new, rect) {
        return vec![(rect, Class::Solid)];
    }
    let whole = |class| if class == Class::Mixed { Class::Drawn } else { class };
    Grid::new(shown, new, rect).merge(whole)
}

/// The same for a loss: it does not matter what guesses a photograph best, and what is not drawn for sure is one.
pub(super) fn pieces_for_loss(shown: &Frame, new: &Frame, rect: Rect) -> Vec<(Rect, Class)> {
    let photo = |class| if class == Class::Drawn { class } else { Class::Photo(Guess::Space) };
    Grid::new(shown, new, rect).merge(photo)
}

/// Whether a rectangle has one colour.
pub(super) fn is_solid(frame: &Frame, rect: Rect) -> bool {
    let first = frame.row(rect.x, rect.y, rect.width);
    // A row against the first one is a comparison of memory.
    first[4..] == first[..first.len() - 4] && (rect.y + 1..rect.y + rect.height).all(|y| frame.row(rect.x, y, rect.width) == first)
}

/// The squares of [`SIDE`] pixels of a rectangle.
struct Grid {
    rect: Rect,
    across: usize,
    classes: Vec<Option<Class>>,
}

impl Grid {
    fn new(shown: &Frame, new: &Frame, rect: Rect) -> Self {
        let squares = |from: u16, length: u16| usize::from((from + length).div_ceil(SIDE) - from / SIDE);
        let (across, down) = (squares(rect.x, rect.width), squares(rect.y, rect.height));
        let mut grid = Self { rect, across, classes: vec![None; across * down] };
        for square in rect.grid(TILE) {
            grid.classify(shown, new, square, TILE);
        }
        grid
    }

    fn classify(&mut self, shown: &Frame, new: &Frame, square: Rect, side: u16) {
        let Some(class) = class(shown, new, square, side == SIDE) else {
            return square.grid(side / 2).for_each(|quarter| self.classify(shown, new, quarter, side / 2));
        };
        for part in square.grid(SIDE) {
            let column = usize::from(part.x / SIDE - self.rect.x / SIDE);
            let row = usize::from(part.y / SIDE - self.rect.y / SIDE);
            self.classes[row * self.across + column] = Some(class);
        }
    }

    /// Neighbours of a class, together.
    fn merge(mut self, like: impl Fn(Class) -> Class) -> Vec<(Rect, Class)> {
        self.classes.iter_mut().for_each(|class| *class = class.map(&like));
        let squares: Vec<Rect> = self.rect.grid(SIDE).collect();
        let areas = areas(&mut self.classes, self.across).into_iter();
        let piece = |area: Area<Class>| {
            let first = area.y * self.across + area.x;
            let last = first + (area.height - 1) * self.across + area.width - 1;
            (squares[first].union(squares[last]), area.kind)
        };
        areas.map(piece).collect()
    }
}

/// The class of a square, if it is clear or must be.
fn class(shown: &Frame, new: &Frame, square: Rect, must: bool) -> Option<Class> {
    if square.pixels() < LEAST_PHOTO {
        return Some(Class::Drawn);
    }
    let samples = samples(square);
    let share = colours(new, &samples) * 100 / samples.len();
    if share <= FEW {
        return Some(Class::Drawn);
    }
    if share < MANY && !must {
        return None;
    }
    let [in_space, in_time] = distances(shown, new, square, &samples);
    let is_smooth = in_time.min(in_space) < samples.len() * SMOOTH;
    let is_photo = is_smooth && share > HALF;
    Some(if is_photo { Class::Photo(if in_time < in_space { Guess::Time } else { Guess::Space }) } else { Class::Mixed })
}

/// The pixels of a rectangle that are looked at.
fn samples(rect: Rect) -> Vec<(u16, u16)> {
    // An odd step, so that all columns come by.
    let step = ((rect.pixels() / SAMPLES) | 1) as u16;
    let (mut x, mut y) = (0, 0);
    let mut samples = Vec::with_capacity(2 * SAMPLES);
    while y < rect.height {
        samples.push((rect.x + x, rect.y + y));
        x += step;
        y += x / rect.width;
        x %= rect.width;
    }
    samples
}

/// How many different colours they have.
fn colours(frame: &Frame, samples: &[(u16, u16)]) -> usize {
    let mut seen = [0_u64; 1 << (SEEN_LOG - 6)];
    for (x, y) in samples {
        let place = frame.pixel(*x, *y).wrapping_mul(0x9e37_79b1) >> (32 - SEEN_LOG);
        seen[place as usize / 64] |= 1 << (place % 64);
    }
    seen.iter().map(|places| places.count_ones() as usize).sum()
}

/// How far they are from the nearer of left and above, and from what was there before; summed.
fn distances(shown: &Frame, new: &Frame, rect: Rect, samples: &[(u16, u16)]) -> [usize; 2] {
    let (mut in_space, mut in_time) = (0, 0);
    for (x, y) in samples.iter().copied() {
        let now = new.row(x, y, 1);
        let left = if x > rect.x { new.row(x - 1, y, 1) } else { now };
        let above = if y > rect.y { new.row(x, y - 1, 1) } else { now };
        in_space += apart(now, left).min(apart(now, above));
        in_time += apart(now, shown.row(x, y, 1));
    }
    [in_space, in_time]
}

fn apart(a: &[u8], b: &[u8]) -> usize {
    (0..3).map(|plane| usize::from(a[plane].abs_diff(b[plane]))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::frame::Size;

    const SIZE: Size = Size { width: 200, height: 140 };

    fn painted(pixel: impl Fn(u16, u16) -> [u8; 4]) -> Frame {
        let mut frame = Frame::new(SIZE);
        for y in 0..SIZE.height {
            for (x, to) in (0..).zip(frame.row_mut(0, y, SIZE.width).as_chunks_mut::<4>().0) {
                *to = pixel(x, y);
            }
        }
        frame
    }

    fn sky(x: u16, y: u16) -> [u8; 4] {
        [(x + y / 3) as u8, (y + x / 2) as u8, (x / 3 + y / 2) as u8, 0]
    }

    fn text(x: u16, y: u16) -> [u8; 4] {
        if (x / 2 * 7 + y / 3 * 5).is_multiple_of(3) { [0; 4] } else { [230, 240, 250, 0] }
    }

    #[test]
    fn one_thing_is_one_piece() {
        let black = Frame::new(SIZE);
        let rect = Rect { x: 8, y: 5, width: 180, height: 123 };
        assert_eq!(pieces(&black, &painted(text), rect), [(rect, Class::Drawn)]);
        assert_eq!(pieces(&black, &painted(sky), rect), [(rect, Class::Photo(Guess::Space))]);
        let darker = painted(|x, y| sky(x, y).map(|part| part / 8 * 8 + 1));
        assert_eq!(pieces(&darker, &painted(sky), rect).len(), 1);
    }

    #[test]
    fn squares_become_rectangles() {
        let square = |x: u16, y: u16| Rect { x: x * 16, y: y * 16, width: 16, height: 16 };
        let joined = join([square(1, 0), square(2, 0), square(5, 0), square(1, 1), square(2, 1), square(5, 2)]);
        assert_eq!(joined, [Rect { width: 32, height: 32, ..square(1, 0) }, square(5, 0), square(5, 2)]);
    }

    #[test]
    fn a_photograph_beside_text_is_cut_off_and_nothing_is_lost() {
        let frame = painted(|x, y| if x < 96 { text(x, y) } else { sky(x, y) });
        let pieces = pieces(&Frame::new(SIZE), &frame, SIZE.bounds());
        assert_eq!(pieces.iter().map(|(rect, _)| rect.pixels()).sum::<usize>(), SIZE.pixels());
        for (rect, class) in pieces {
            assert_eq!(class == Class::Drawn, rect.x < 96, "{rect:?}");
        }
    }
}
