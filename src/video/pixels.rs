//! The pixels of rectangles, by mode. Both directions side by side, so that they stay each other's mirror.

use super::{
    frame::{Frame, Rect, pixels},
    palette::read_index,
};

/// In which order the pixels of a rectangle are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Row by row.
    Rows,
    /// Column by column: a letter's pixels stay together, so that the letter is found again.
    Columns,
}

/// The pixels of `rect`, in that order.
pub(super) fn collect(frame: &Frame, rect: Rect, order: Order, out: &mut Vec<u32>) {
    out.clear();
    let rows = (rect.y..rect.y + rect.height).map(|y| pixels(frame.row(rect.x, y, rect.width)));
    match order {
        Order::Rows => rows.for_each(|row| out.extend(row)),
        Order::Columns => {
            let height = usize::from(rect.height);
            out.resize(rect.pixels(), 0);
            for (y, row) in rows.enumerate() {
                out[y..].iter_mut().step_by(height).zip(row).for_each(|(to, pixel)| *to = pixel);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{
        frame::Size,
        palette::{Colours, write_indices},
    };

    const SIZE: Size = Size { width: 7, height: 5 };
    const RECT: Rect = Rect { x: 2, y: 1, width: 4, height: 3 };

    fn painted() -> Frame {
        let mut frame = Frame::new(SIZE);
        frame.data_mut().iter_mut().zip(0..).for_each(|(byte, at)| *byte = if at % 4 == 3 { 0 } else { at });
        frame
    }

    #[test]
    fn pixels_come_back_in_either_order() {
        let frame = painted();
        let mut expected = Frame::new(SIZE);
        expected.copy_rect(&frame, RECT);
        for order in [Order::Rows, Order::Columns] {
            let (mut pixels, mut shown) = (Vec::new(), Frame::new(SIZE));
            collect(&frame, RECT, order, &mut pixels);
            assert_eq!(pixels.len(), RECT.pixels());
            spread(&pixels, &mut shown, RECT, order);
            assert_eq!(shown, expected, "{order:?}");
        }
    }

    #[test]
    fn indices_and_raw_pixels_come_back() {
        let pixels = [1, 1, 0x0003_0201, 9, 1];
        let (mut colours, mut bytes, mut read) = (Colours::default(), Vec::new(), Vec::new());
        write_indices(colours.enter(&pixels, 3).unwrap(), &mut bytes);
        let known = colours.since(0);
        read_indices(&mut &bytes[..], known, pixels.len(), &mut read).unwrap();
        assert_eq!(read, pixels);
        assert_eq!(read_indices(&mut &bytes[..], &known[..2], pixels.len(), &mut read), Err("an unknown colour"));
        assert_eq!(read_indices(&mut &bytes[..], known, pixels.len() + 1, &mut read), Err("truncated"));
        bytes.clear();
        write_raw(&pixels, &mut bytes);
        assert_eq!(bytes[6..9], [1, 2, 3]);
        read_raw(&mut &bytes[..], pixels.len(), &mut read).unwrap();
        assert_eq!(read, pixels);
        assert_eq!(read_raw(&mut &bytes[1..], pixels.len(), &mut read), Err("truncated"));
    }
}
