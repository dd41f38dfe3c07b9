//! Made-up text: cells of 8x16 with letters of noise, in words, from an alphabet of 61.

/// The cell at this column of pixels in a line of text, and whether the pixel in this row of the cell (0 to 15) belongs to the letter.
pub(crate) fn letter(line: u32, x: u32, row: u32) -> (u32, bool) {
    let cell = hash(line * 251 + x / 8);
    let glyph = hash(cell % 61 * 16 + row);
    (cell, !cell.is_multiple_of(5) && (3..13).contains(&row) && glyph >> (x % 8) & 1 == 1)
}

/// A small integer hash (PCG's output permutation).
pub(crate) fn hash(value: u32) -> u32 {
    let state = value.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (word >> 22) ^ word
}
