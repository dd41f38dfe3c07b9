//! Pictures by sixels: a strip of cells is a picture of its own, with the best colours for just that strip.
//!
//! A strip is as high as its cells, whatever their height: of the last band of six rows those below the strip are not drawn.

use icy_sixel::{BackgroundMode, EncodeOptions, SixelImage};

use super::cells::{Cells, go};
use crate::video::frame::Size;

/// Shows `pixels` (`0x00RRGGBB`, rows from the top) from the first of `cells` on, in at most `colours` colours.
///
/// # Errors
/// The library does not encode it.
pub(super) fn strip(
    out: &mut Vec<u8>,
    cells: Cells,
    size: Size,
    pixels: impl Iterator<Item = u32>,
    colours: u16,
) -> Result<(), icy_sixel::SixelError> {
    let rgba = pixels.flat_map(|pixel| {
        let [_, r, g, b] = pixel.to_be_bytes();
        [r, g, b, u8::MAX]
    });
    // Noise of dithering would make letters unreadable, except where there are too few colours for anything.
    let diffusion = if colours < 64 { 0.5 } else { 0.0 };
    let options = EncodeOptions { max_colors: colours, diffusion, ..EncodeOptions::default() };
    let image = SixelImage::try_from_rgba(rgba.collect(), size.width.into(), size.height.into())?;
    let text = image.with_background_mode(BackgroundMode::Transparent).encode_with(&options)?;
    go(out, cells.column, cells.row);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_that_is_no_multiple_of_six_high_is_as_high_as_its_cells() {
        let (mut out, cells) = (Vec::new(), Cells { column: 2, row: 9, columns: 2, rows: 1 });
        let size = Size { width: 20, height: 16 };
        let pixels: Vec<u32> =
            (0..16).flat_map(|y| (0..20).map(move |x| if (x + y) % 3 == 0 { 0x00ff_0000 } else { 0x0000_33ff })).collect();
        strip(&mut out, cells, size, pixels.iter().copied(), 256).expect("encoded");
        let sixel = out.strip_prefix(b"\x1b[10;3H").expect("the place comes first");
        assert!(sixel.starts_with(b"\x1bP") && sixel.ends_with(b"\x1b\\"));
        assert!(!sixel[2..sixel.len() - 2].iter().any(|byte| byte.is_ascii_control()));
        let seen = SixelImage::decode(sixel).expect("understood");
        // The decoder counts whole bands of six rows.
        assert!(seen.dimensions() == (20, 18) && sixel.windows(10).any(|told| told == b"\"1;1;20;16"));
        let seen: Vec<u32> =
            seen.pixels.as_chunks::<4>().0.iter().map(|[r, g, b, _]| u32::from_be_bytes([0, *r, *g, *b])).collect();
        let near = |a: u32, b: u32| a.to_be_bytes().iter().zip(b.to_be_bytes()).all(|(a, b)| a.abs_diff(b) < 6);
        assert!(seen.iter().zip(&pixels).all(|(a, b)| near(*a, *b)), "sixel has a hundred shades a channel");
    }
}
