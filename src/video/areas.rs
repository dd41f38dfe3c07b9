//! Neighbours of a kind in a grid, together.

/// A rectangle of a grid's squares, all of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area<T> {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) kind: T,
}

/// The areas of a grid with so many squares in a row: each as far to the right as it goes, then as far down; by the rows of their top
/// left squares. Takes the squares out.
pub(super) fn areas<T: Copy + PartialEq>(squares: &mut [Option<T>], across: usize) -> Vec<Area<T>> {
    let mut areas = Vec::new();
    for start in 0..squares.len() {
        let Some(kind) = squares[start] else { continue };
        let row_end = (start / across + 1) * across;
        let width = squares[start..row_end].iter().take_while(|square| **square == Some(kind)).count();
        let mut height = 0;
        while let Some(row) = squares.get_mut(start + height * across..start + height * across + width) {
            if row.iter().any(|square| *square != Some(kind)) {
                break;
            }
            row.fill(None);
            height += 1;
        }
        areas.push(Area { x: start % across, y: start / across, width, height, kind });
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_go_right_and_then_down() {
        let kind = |letter: char| (letter != '.').then_some(letter);
        let mut squares: Vec<Option<char>> = ["aab", "aab", ".ab"].concat().chars().map(kind).collect();
        let area = |x, y, width, height, kind| Area { x, y, width, height, kind };
        assert_eq!(areas(&mut squares, 3), [area(0, 0, 2, 2, 'a'), area(2, 0, 1, 3, 'b'), area(1, 2, 1, 1, 'a')]);
        assert_eq!(squares, [None; 9]);
    }
}
