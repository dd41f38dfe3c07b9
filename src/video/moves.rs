//! Moves: blocks of the picture that are found elsewhere in it. It is as if all sources were read before the first block is written;
//! no two blocks have the same place.

use super::{
    frame::{Frame, Rect, Size},
    streams::{read_number, read_signed, write_number, write_signed},
};

/// Pixels across and down of a block.
pub(super) const BLOCK: u16 = 16;
/// The most vectors of a picture.
pub(super) const MAX_VECTORS: usize = 8;
/// A move's numbers: so many bytes at least.
const LEAST_BYTES: usize = 5;

const OUTSIDE: &str = "a move from outside the picture";

/// From where a block comes: its source is its place plus this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vector {
    pub(super) x: i32,
    pub(super) y: i32,
}

impl Vector {
    /// The source of `rect`, if it lies inside.
    pub(super) fn source(self, rect: Rect, size: Size) -> Option<Rect> {
        let x = u16::try_from(i32::from(rect.x).checked_add(self.x)?).ok()?;
        let y = u16::try_from(i32::from(rect.y).checked_add(self.y)?).ok()?;
        let source = Rect { x, y, ..rect };
        (source.clamp(size) == Some(source)).then_some(source)
    }
}

/// Blocks that move together; all numbers but the vector's in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) width: u16,
    pub(super) height: u16,
    /// Which vector.
    pub(super) vector: u8,
}

impl Move {
    /// The pixels that it covers, as far as they are inside.
    pub(super) fn rect(self, size: Size) -> Option<Rect> {
        let side = |blocks: u16| blocks.checked_mul(BLOCK);
        Rect { x: side(self.x)?, y: side(self.y)?, width: side(self.width)?, height: side(self.height)? }.clamp(size)
    }
}

/// Appends vectors and moves; the moves by rising rows.
pub(super) fn write(vectors: &[Vector], moves: &[Move], out: &mut Vec<u8>) {
    let vectors = if moves.is_empty() { &[] } else { vectors };
    write_number(vectors.len(), out);
    if vectors.is_empty() {
        return;
    }
    for vector in vectors {
        write_signed(vector.x, out);
        write_signed(vector.y, out);
    }
    write_number(moves.len(), out);
    let mut above = 0;
    for step in moves {
        write_number(step.vector.into(), out);
        write_number((step.y - above).into(), out);
        above = step.y;
        [step.x, step.width, step.height].into_iter().for_each(|number| write_number(number.into(), out));
    }
}

/// Takes vectors and moves off the front. Where they lead is checked when they are done.
pub(super) fn read(bytes: &mut &[u8]) -> Result<(Vec<Vector>, Vec<Move>), &'static str> {
    let count = read_number(bytes)?;
    if count > MAX_VECTORS {
        return Err("too many vectors");
    }
    if count == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let vector = |bytes: &mut &[u8]| Ok(Vector { x: read_signed(bytes)?, y: read_signed(bytes)? });
    let vectors = (0..count).map(|_| vector(bytes)).collect::<Result<_, &'static str>>()?;
    let count = read_number(bytes)?;
    if count > bytes.len() / LEAST_BYTES {
        return Err("truncated");
    }
    let (mut above, mut moves) = (0_u16, Vec::with_capacity(count));
    for _ in 0..count {
        let mut number = || u16::try_from(read_number(bytes)?).map_err(|_| OUTSIDE);
        let vector = u8::try_from(number()?).map_err(|_| OUTSIDE)?;
        above = above.checked_add(number()?).ok_or(OUTSIDE)?;
        moves.push(Move { vector, y: above, x: number()?, width: number()?, height: number()? });
    }
    Ok((vectors, moves))
}

/// Does moves. Kept for its memory: at most a picture's bytes.
#[derive(Default)]
pub(super) struct Mover {
    pixels: Vec<u8>,
}

/// A move with its place and its source, checked.
#[derive(Clone, Copy)]
struct Step {
    vector: u8,
    target: Rect,
    source: Rect,
}

impl Mover {
    /// Does all of `moves` in `frame`, or none.
    ///
    /// Most of a picture's moves have one vector: these are done in place, row by row away from their sources. The others are read
    /// before that and written after it.
    pub(super) fn apply(&mut self, frame: &mut Frame, vectors: &[Vector], moves: &[Move]) -> Result<(), &'static str> {
        let steps = check(frame.size(), vectors, moves)?;
        let pixels = |vector: u8| steps.iter().filter(|step| step.vector == vector).map(|step| step.target.pixels()).sum::<usize>();
        let Some(most) = (0..vectors.len() as u8).max_by_key(|vector| pixels(*vector)) else { return Ok(()) };
        let (main, others): (Vec<Step>, Vec<Step>) = steps.iter().partition(|step| step.vector == most);
        self.pixels.clear();
        for Step { source, .. } in &others {
            (source.y..source.y + source.height).for_each(|y| self.pixels.extend(frame.row(source.x, y, source.width)));
        }
        move_in_place(frame, &main);
        let mut rest = &self.pixels[..];
        for Step { target, .. } in others {
            for y in target.y..target.y + target.height {
                let row = frame.row_mut(target.x, y, target.width);
                let (moved, after) = rest.split_at(row.len());
                row.copy_from_slice(moved);
                rest = after;
            }
        }
        Ok(())
    }
}

fn check(size: Size, vectors: &[Vector], moves: &[Move]) -> Result<Vec<Step>, &'static str> {
    let mut room = size.pixels();
    let step = |step: &Move| {
        let target = step.rect(size).ok_or(OUTSIDE)?;
        room = room.checked_sub(target.pixels()).ok_or("more moves than the picture has pixels")?;
        let vector = vectors.get(usize::from(step.vector)).ok_or(OUTSIDE)?;
        Ok(Step { vector: step.vector, target, source: vector.source(target, size).ok_or(OUTSIDE)? })
    };
    moves.iter().map(step).collect()
}

/// Does steps with one vector. No row is written before what lies on it is read: sources below are taken from the top row on, sources
/// above from the bottom row on; in a row, sources to the right from the left on, and the other way round.
fn move_in_place(frame: &mut Frame, steps: &[Step]) {
    let Some(first) = steps.first() else { return };
    let (down, right) = (first.source.y >= first.target.y, first.source.x >= first.target.x);
    let mut rows: Vec<(u16, Rect, Rect)> = Vec::new();
    for Step { target, source, .. } in steps {
        rows.extend((0..target.height).map(|row| (row, *target, *source)));
    }
    rows.sort_by_key(|(row, target, _)| {
        let (x, y) = (i32::from(target.x), i32::from(target.y + row));
        (if down { y } else { -y }, if right { x } else { -x })
    });
    let stride = frame.stride();
    let at = |x: u16, y: u16| usize::from(y) * stride + usize::from(x) * 4;
    for (row, target, source) in rows {
        let from = at(source.x, source.y + row);
        frame.data_mut().copy_within(from..from + usize::from(source.width) * 4, at(target.x, target.y + row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 72, height: 40 };

    #[test]
    fn vectors_and_moves_come_back() {
        let vectors = [Vector { x: -300, y: 0 }, Vector { x: 5, y: 77 }];
        let moves = [Move { x: 3, y: 0, width: 2, height: 1, vector: 1 }, Move { x: 0, y: 9, width: 200, height: 3, vector: 0 }];
        let mut bytes = Vec::new();
        write(&vectors, &moves, &mut bytes);
        let mut rest = &bytes[..];
        assert_eq!(read(&mut rest), Ok((vectors.to_vec(), moves.to_vec())));
        assert!(rest.is_empty());
        for length in 0..bytes.len() {
            assert_eq!(read(&mut &bytes[..length]), Err("truncated"), "{length}");
        }
        bytes.clear();
        write(&vectors, &[], &mut bytes);
        assert_eq!(bytes, [0], "vectors without moves are not worth a byte");
    }

    proptest::proptest! {
        #[test]
        fn moves_in_place_are_as_if_all_were_read_first(
            shifts in proptest::collection::vec((-40..40i32, -30..30i32), 1..3),
            places in proptest::collection::vec((0..5u16, 0..3u16, 1..4u16, 1..3u16, 0..2usize), 1..6),
        ) {
            let mut frame = Frame::new(SIZE);
            frame.data_mut().iter_mut().zip(0u32..).for_each(|(byte, at)| *byte = (at.wrapping_mul(0x9e37_79b1) >> 24) as u8);
            let vectors: Vec<Vector> = shifts.iter().map(|(x, y)| Vector { x: *x, y: *y }).collect();
            let mut moves: Vec<Move> = Vec::new();
            for (x, y, width, height, vector) in places {
                let step = Move { x, y, width, height, vector: (vector % vectors.len()) as u8 };
                let Some(target) = step.rect(SIZE) else { continue };
                // As an encoder does: nothing moves twice, nothing comes from outside.
                let free = moves.iter().filter_map(|other| other.rect(SIZE)).all(|other| {
                    target.x >= other.x + other.width || other.x >= target.x + target.width
                        || target.y >= other.y + other.height || other.y >= target.y + target.height
                });
                if free && vectors[usize::from(step.vector)].source(target, SIZE).is_some() {
                    moves.push(step);
                }
            }
            let (before, mut expected) = (frame.clone(), frame.clone());
            for step in &moves {
                let target = step.rect(SIZE).unwrap();
                let source = vectors[usize::from(step.vector)].source(target, SIZE).unwrap();
                for row in 0..target.height {
                    expected.row_mut(target.x, target.y + row, target.width).copy_from_slice(before.row(source.x, source.y + row, source.width));
                }
            }
            Mover::default().apply(&mut frame, &vectors, &moves).unwrap();
            proptest::prop_assert!(frame == expected);
        }
    }

    #[test]
    fn all_sources_are_read_before_the_first_block_is_written() {
        let mut frame = Frame::new(SIZE);
        frame.data_mut().iter_mut().zip(0u16..).for_each(|(byte, at)| *byte = (at >> 3) as u8);
        let before = frame.clone();
        // Two blocks change places.
        let vectors = [Vector { x: 16, y: 0 }, Vector { x: -16, y: 0 }];
        let swap = [0, 1].map(|x| Move { x, y: 0, width: 1, height: 1, vector: x as u8 });
        Mover::default().apply(&mut frame, &vectors, &swap).unwrap();
        for y in 0..BLOCK {
            assert_eq!((frame.row(0, y, 16), frame.row(16, y, 16)), (before.row(16, y, 16), before.row(0, y, 16)));
        }
        assert_eq!(frame.row(0, BLOCK, 72), before.row(0, BLOCK, 72));
    }

    #[test]
    fn a_block_at_the_edge_is_as_large_as_the_picture_lets_it() {
        let step = Move { x: 4, y: 2, width: 1, height: 1, vector: 0 };
        assert_eq!(step.rect(SIZE), Some(Rect { x: 64, y: 32, width: 8, height: 8 }));
        assert_eq!(Move { x: 5, ..step }.rect(SIZE), None);
        assert_eq!(Move { x: u16::MAX, ..step }.rect(SIZE), None);
        assert_eq!(Vector { x: 1, y: 0 }.source(step.rect(SIZE).unwrap(), SIZE), None);
        assert_eq!(Vector { x: i32::MAX, y: 0 }.source(step.rect(SIZE).unwrap(), SIZE), None);
    }
}
