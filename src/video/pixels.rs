//! The pixels of rectangles, by mode. Both directions side by side, so that they stay each other's mirror.

use super::{
    frame::{BGR, Frame, Rect},
    palette::{Colours, read_index, write_index},
};

/// In which order the pixels of a rectangle are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Row by row.
    Rows,
    /// Column by column: a letter's pixels stay together, so that the letter is found again.
    Columns,
}

/// The pixels of `rect`, in that order, X cleared.
pub(super) fn collect(frame: &Frame, rect: Rect, order: Order, out: &mut Vec<u32>) {
    out.clear();
    let rows = (rect.y..rect.y + rect.height).map(|y| frame.row(rect.x, y, rect.width).as_chunks::<4>().0);
    match order {
        Order::Rows => rows.for_each(|row| out.extend(row.iter().map(|pixel| u32::from_le_bytes(*pixel) & BGR))),
        Order::Columns => {
            let height = usize::from(rect.height);
            out.resize(rect.pixels(), 0);
            for (y, row) in rows.enumerate() {
                out[y..].iter_mut().step_by(height).zip(row).for_each(|(to, pixel)| *to = u32::from_le_bytes(*pixel) & BGR);
            }
        }
    }
}

/// Writes pixels in that order into `rect`.
pub(super) fn spread(pixels: &[u32], frame: &mut Frame, rect: Rect, order: Order) {
    let (width, height) = (usize::from(rect.width), usize::from(rect.height));
    for y in 0..rect.height {
        let row = frame.row_mut(rect.x, rect.y + y, rect.width).as_chunks_mut::<4>().0;
        match order {
            Order::Rows => {
                row.iter_mut().zip(&pixels[usize::from(y) * width..]).for_each(|(to, pixel)| *to = pixel.to_le_bytes());
            }
            Order::Columns => {
                let column = pixels[usize::from(y)..].iter().step_by(height);
                row.iter_mut().zip(column).for_each(|(to, pixel)| *to = pixel.to_le_bytes());
            }
        }
    }
}

/// Appends the numbers of `pixels`, entering at most `most_new` colours; takes everything back and says no if there are more.
pub(super) fn write_indices(pixels: &[u32], colours: &mut Colours, most_new: usize, out: &mut Vec<u8>) -> bool {
    let (known, start) = (colours.len(), out.len());
    let mut last = None;
    for pixel in pixels {
        let number = match last {
            Some((colour, number)) if colour == *pixel => Some(number),
            _ => colours.enter(*pixel),
        };
        let Some(number) = number.filter(|_| colours.len() - known <= most_new) else {
            colours.forget_since(known);
            out.truncate(start);
            return false;
        };
        last = Some((*pixel, number));
        write_index(number, out);
    }
    true
}

/// Takes `count` pixels as numbers of `colours` off the front.
pub(super) fn read_indices(bytes: &mut &[u8], colours: &[u32], count: usize, out: &mut Vec<u32>) -> Result<(), &'static str> {
    out.clear();
    out.reserve(count);
    for _ in 0..count {
        out.push(*colours.get(read_index(bytes)?).ok_or("an unknown colour")?);
    }
    Ok(())
}

/// Appends B, G, R of each pixel.
pub(super) fn write_raw(pixels: &[u32], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + pixels.len() * 3, 0);
    for (bgr, pixel) in out[start..].as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
        let [b, g, r, _] = pixel.to_le_bytes();
        *bgr = [b, g, r];
    }
}

/// Takes `count` pixels off the front.
pub(super) fn read_raw(bytes: &mut &[u8], count: usize, out: &mut Vec<u32>) -> Result<(), &'static str> {
    let raw = bytes.split_off(..count * 3).ok_or("truncated")?;
    out.clear();
    out.extend(raw.as_chunks::<3>().0.iter().map(|[b, g, r]| u32::from_le_bytes([*b, *g, *r, 0])));
    Ok(())
}
