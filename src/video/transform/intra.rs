//! Prediction of a macroblock from the pixels to its left and above, for what is new on the screen.

use super::plane::{Block, Planes, SIDE};

/// How the neighbours are continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intra {
    /// Their mean.
    Mean,
    /// Smoothly between both sides.
    Smooth,
    /// Each row from its left.
    Across,
    /// Each column from above.
    Down,
}

impl Intra {
    pub(super) const ALL: [Self; 4] = [Self::Mean, Self::Smooth, Self::Across, Self::Down];

    /// From its number in the symbols.
    pub(super) fn new(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The prediction of the macroblock at `x`, `y`. Neighbours outside the rectangle are those on the screen.
    #[inline(always)]
    pub(super) fn predict(self, reference: &Planes, picture: &Planes, plane: usize, x: usize, y: usize) -> Block {
        let (right, down) = (x.cast_signed(), y.cast_signed());
        let source = if y > 0 { picture } else { reference };
        let mut above = [0; SIDE];
        above.copy_from_slice(&source.at(plane, right, down - 1)[..SIDE]);
        let source = if x > 0 { picture } else { reference };
        let (line, stride) = (source.at(plane, right - 1, down), source.stride());
        let mut left = [0; SIDE];
        for (row, left) in left.iter_mut().enumerate() {
            *left = line[row * stride];
        }
        let mut block = [0; SIDE * SIDE];
        let rows = block.as_chunks_mut::<SIDE>().0.iter_mut();
        match self {
            Self::Mean => block.fill((above.iter().chain(&left).sum::<i16>() + SIDE as i16) >> 5),
            Self::Across => rows.zip(left).for_each(|(line, left)| line.fill(left)),
            Self::Down => rows.for_each(|line| *line = above),
            Self::Smooth => {
                let (last, lowest) = (above[SIDE - 1], left[SIDE - 1]);
                for (row, (line, left)) in rows.zip(left).enumerate() {
                    let row = row as i16;
                    for (column, (out, above)) in line.iter_mut().zip(above).enumerate() {
                        let column = column as i16;
                        let across = (15 - column) * left + (column + 1) * last;
                        let down = (15 - row) * above + (row + 1) * lowest;
                        *out = (across + down + 16) >> 5;
                    }
                }
            }
        }
        block
    }
}
