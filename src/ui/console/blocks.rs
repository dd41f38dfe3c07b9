//! Pictures by half blocks: a cell is `▀`, its upper pixel in the letter's colour, its lower one in the cell's own.
//!
//! In 24-bit colour where the terminal has it (it is asked, and `COLORTERM` says so where that gets through), else in the 240 fixed ones of xterm's 256.

use std::io::Write;

use super::cells::go;

/// Writes cells one after another, with no more sequences than needed.
pub(super) struct Blocks<'a> {
    out: &'a mut Vec<u8>,
    truecolor: bool,
    /// Where the terminal's cursor is.
    at: Option<(u16, u16)>,
    ink: Option<u32>,
    paper: Option<u32>,
}

impl<'a> Blocks<'a> {
    /// Nothing is known of the terminal's cursor and colours.
    pub(super) fn new(out: &'a mut Vec<u8>, truecolor: bool) -> Self {
        Self { out, truecolor, at: None, ink: None, paper: None }
    }

    /// Shows two pixels (`0x00RRGGBB`) in a cell.
    pub(super) fn cell(&mut self, column: u16, row: u16, upper: u32, lower: u32) {
        if self.at != Some((column, row)) {
            go(self.out, column, row);
        }
        if self.paper != Some(lower) {
            self.colour(48, lower);
            self.paper = Some(lower);
        }
        if upper == lower {
            self.out.push(b' ');
        } else {
            if self.ink != Some(upper) {
                self.colour(38, upper);
                self.ink = Some(upper);
            }
            self.out.extend_from_slice("▀".as_bytes());
        }
        self.at = Some((column + 1, row));
    }

    /// Back to the terminal's own colours.
    pub(super) fn end(self) {
        if self.paper.is_some() {
            self.out.extend_from_slice(b"\x1b[0m");
        }
    }

    fn colour(&mut self, ground: u8, colour: u32) {
        let [_, r, g, b] = colour.to_be_bytes();
        // Writing into memory does not fail.
        let _ = if self.truecolor {
            write!(self.out, "\x1b[{ground};2;{r};{g};{b}m")
        } else {
            write!(self.out, "\x1b[{ground};5;{}m", nearest(colour))
        };
    }
}

/// The nearest of xterm's fixed colours: a cube of 6 x 6 x 6 from 16 on, 24 greys from 232 on.
fn nearest(colour: u32) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let [_, r, g, b] = colour.to_be_bytes();
    let step = |value: u8| (0_u8..).zip(STEPS).min_by_key(|(_, step)| step.abs_diff(value)).unwrap_or_default();
    let [red, green, blue] = [r, g, b].map(step);
    let mean = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let grey = u8::try_from(mean.saturating_sub(3) / 10).unwrap_or(u8::MAX).min(23);
    let shade = 8 + 10 * grey;
    let far = |[x, y, z]: [u8; 3]| [(x, r), (y, g), (z, b)].map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).iter().sum::<u32>();
    if far([shade; 3]) < far([red.1, green.1, blue.1]) { 232 + grey } else { 16 + 36 * red.0 + 6 * green.0 + blue.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(truecolor: bool, cells: &[(u16, u16, u32, u32)]) -> String {
        let mut out = Vec::new();
        let mut blocks = Blocks::new(&mut out, truecolor);
        cells.iter().for_each(|(column, row, upper, lower)| blocks.cell(*column, *row, *upper, *lower));
        blocks.end();
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn neighbours_share_what_is_set() {
        let (red, blue) = (0x00ff_0000, 0x0000_00ff);
        assert_eq!(
            written(true, &[(0, 0, red, blue), (1, 0, red, blue), (2, 0, blue, blue), (9, 1, red, red)]),
            "\x1b[1;1H\x1b[48;2;0;0;255m\x1b[38;2;255;0;0m▀▀ \x1b[2;10H\x1b[48;2;255;0;0m \x1b[0m"
        );
        assert_eq!(written(true, &[]), "");
    }

    #[test]
    fn without_truecolor_the_nearest_fixed_one_is_taken() {
        assert_eq!(written(false, &[(0, 0, 0x00ff_0000, 0)]), "\x1b[1;1H\x1b[48;5;16m\x1b[38;5;196m▀\x1b[0m");
        assert_eq!([0, 0x00ff_ffff, 0x0080_8080, 0x005f_87af, 0x0008_0808].map(nearest), [16, 231, 244, 67, 232]);
    }
}
