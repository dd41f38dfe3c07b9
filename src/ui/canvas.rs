//! Drawing over the picture: filled and dimmed areas, text and the host's pointer, on window pixels `0x00RRGGBB`.
//!
//! Text is Ubuntu Light (Latin, Greek, Cyrillic), carried in the binary, so that a machine without any font shows it too.

use std::collections::HashMap;

use fontdue::{Font, FontSettings, Metrics};

use crate::{protocol::message::CursorShape, video::scale::Area};

/// Letters kept ready; more than these are drawn anew.
const MAX_LETTERS: usize = 1024;

/// A font with its letters, drawn once for a size.
pub(super) struct Lettering {
    font: Font,
    letters: HashMap<(char, u32), (Metrics, Vec<u8>)>,
}

impl Lettering {
    /// Reads the font.
    pub(super) fn new() -> anyhow::Result<Self> {
        let font = Font::from_bytes(epaint_default_fonts::UBUNTU_LIGHT, FontSettings::default())
            .map_err(|reason| anyhow::anyhow!("the built-in font is damaged ({reason}); install rs again"))?;
        Ok(Self { font, letters: HashMap::new() })
    }

    /// How wide `text` is at `size` pixels.
    pub(super) fn width(&mut self, text: &str, size: u32) -> i32 {
        text.chars().map(|character| advance(&self.letter(character, size).0)).sum()
    }

    /// `text` in lines of at most `room` pixels, broken at spaces where there are any.
    pub(super) fn lines<'a>(&mut self, text: &'a str, size: u32, room: i32) -> Vec<&'a str> {
        let (mut lines, mut start, mut used, mut space) = (Vec::new(), 0, 0, None);
        for (at, character) in text.char_indices() {
            used += advance(&self.letter(character, size).0);
            if used > room && at > start {
                let (end, next) = space.map_or((at, at), |space| (space, space + 1));
                lines.push(&text[start..end]);
                start = next;
                used = self.width(&text[start..at + character.len_utf8()], size);
                space = None;
            } else if character == ' ' {
                space = Some(at);
            }
        }
        lines.push(&text[start..]);
        lines
    }

    fn letter(&mut self, character: char, size: u32) -> &(Metrics, Vec<u8>) {
        if self.letters.len() >= MAX_LETTERS && !self.letters.contains_key(&(character, size)) {
            self.letters.clear();
        }
        let font = &self.font;
        #[expect(clippy::cast_precision_loss, reason = "a font size is small")]
        self.letters.entry((character, size)).or_insert_with(|| font.rasterize(character, size as f32))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a letter")]
fn advance(metrics: &Metrics) -> i32 {
    metrics.advance_width.round() as i32
}

/// A window's pixels.
pub(super) struct Canvas<'a> {
    /// Rows from the top.
    pub(super) pixels: &'a mut [u32],
    /// Pixels in a row.
    pub(super) width: usize,
}

impl Canvas<'_> {
    /// All of it.
    pub(super) fn bounds(&self) -> Area {
        let height = self.pixels.len().checked_div(self.width).unwrap_or(0);
        Area { x: 0, y: 0, width: i32::try_from(self.width).unwrap_or(0), height: i32::try_from(height).unwrap_or(0) }
    }

    /// Lays `colour` over an area; `cover` is how much of it, up to 255 for all.
    pub(super) fn cover(&mut self, area: Area, colour: u32, cover: u8) {
        self.each(area, |pixel, _, _| *pixel = mix(*pixel, colour, cover.into()));
    }

    /// Writes `text` with its line's top left at `x`, `y`.
    pub(super) fn write(&mut self, lettering: &mut Lettering, text: &str, (mut x, y): (i32, i32), size: u32, colour: u32) {
        // Ubuntu's ascent is 0.93 of its size.
        let baseline = y + i32::try_from(size * 93 / 100).unwrap_or(0);
        for character in text.chars() {
            let (metrics, cover) = lettering.letter(character, size);
            let side = |length: usize| i32::try_from(length).unwrap_or(0);
            let (width, height) = (side(metrics.width), side(metrics.height));
            let area = Area { x: x + metrics.xmin, y: baseline - metrics.ymin - height, width, height };
            self.each(area, |pixel, column, row| *pixel = mix(*pixel, colour, cover[row * metrics.width + column].into()));
            x += advance(metrics);
        }
    }

    /// Draws the host's pointer into `area`, scaled to it.
    pub(super) fn pointer(&mut self, shape: &CursorShape, area: Area) {
        let (width, height) = (usize::from(shape.width), usize::from(shape.height));
        if shape.bgra.len() < width * height * 4 || area.width <= 0 || area.height <= 0 {
            return;
        }
        let (across, down) = (area.width.unsigned_abs() as usize, area.height.unsigned_abs() as usize);
        self.each(area, |pixel, column, row| {
            // The mean of four samples: good enough for a pointer at any scale.
            let mut sum = [2_u32; 4];
            for (sx, sy) in [(1, 1), (3, 1), (1, 3), (3, 3)] {
                let (x, y) = ((column * 4 + sx) * width / (across * 4), (row * 4 + sy) * height / (down * 4));
                let sample = &shape.bgra[(y * width + x) * 4..][..4];
                sum.iter_mut().zip(sample).for_each(|(sum, value)| *sum += u32::from(*value));
            }
            let [b, g, r, alpha] = sum.map(|sum| sum / 4);
            let over = |shift: u32, value: u32| ((*pixel >> shift & 0xff) * (255 - alpha) / 255 + value).min(255) << shift;
            *pixel = over(16, r) | over(8, g) | over(0, b);
        });
    }

    /// Calls `change` for each pixel of `area` on the canvas, with its place in the area.
    fn each(&mut self, area: Area, mut change: impl FnMut(&mut u32, usize, usize)) {
        let Some(part) = area.intersection(self.bounds()) else { return };
        let index = |value: i32| usize::try_from(value).unwrap_or(0);
        for y in part.y..part.y + part.height {
            let start = index(y) * self.width + index(part.x);
            for (column, pixel) in (index(part.x - area.x)..).zip(&mut self.pixels[start..start + index(part.width)]) {
                change(pixel, column, index(y - area.y));
            }
        }
    }
}

/// `below` with `cover`/255 of `above` over it.
fn mix(below: u32, above: u32, cover: u32) -> u32 {
    let channel = |shift: u32| {
        let (below, above) = (below >> shift & 0xff, above >> shift & 0xff);
        ((below * (255 - cover) + above * cover + 127) / 255) << shift
    };
    channel(16) | channel(8) | channel(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_inside_the_canvas_and_leaves_ink() {
        let mut lettering = Lettering::new().expect("the font is there");
        let mut pixels = vec![0; 60 * 30];
        let mut canvas = Canvas { pixels: &mut pixels, width: 60 };
        for at in [(2, 2), (-20, -10), (55, 25), (i32::MAX / 2, 0)] {
            canvas.write(&mut lettering, "Äg·жω\u{1f600}", at, 20, 0x00ff_ffff);
        }
        assert!(pixels.contains(&0x00ff_ffff));
    }

    #[test]
    fn lines_fit_and_lose_nothing_but_spaces() {
        let mut lettering = Lettering::new().expect("the font is there");
        let text = "the quick brown fox jumpsoverthelazydogandneverstops again";
        let lines = lettering.lines(text, 20, 120);
        assert!(lines.len() > 3 && lines.iter().all(|line| lettering.width(line, 20) <= 120), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
    }

    #[test]
    fn the_pointer_is_laid_over_by_its_alpha() {
        let bgra = [[0, 0, 255, 255], [0, 0, 0, 0]].concat();
        let shape = CursorShape { width: 2, height: 1, hot_x: 0, hot_y: 0, bgra };
        let mut pixels = vec![0x0012_3456; 4];
        Canvas { pixels: &mut pixels, width: 4 }.pointer(&shape, Area { x: 0, y: 0, width: 4, height: 1 });
        assert_eq!(pixels, [0x00ff_0000, 0x00ff_0000, 0x0012_3456, 0x0012_3456]);
    }
}
