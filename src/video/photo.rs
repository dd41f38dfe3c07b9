//! Photographs without loss: three planes of what a guess gets wrong, for an entropy coder that knows single bytes only.
//!
//! Green is told as it is, blue and red as their difference from green. The guess of a plane is the median of left, above and
//! left + above - corner (LOCO-I's; Weinberger, Seroussi, Sapiro 2000), or the pixel before in time.

use super::frame::{Frame, Rect};

/// What a pixel is guessed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// Its neighbours.
    Space,
    /// The same place, one picture before.
    Time,
}

fn planes_of(pixel: [u8; 4]) -> [u8; 3] {
    let [b, g, r, _] = pixel;
    [g, b.wrapping_sub(g), r.wrapping_sub(g)]
}

fn pixel_of([g, b, r]: [u8; 3]) -> [u8; 4] {
    [b.wrapping_add(g), g, r.wrapping_add(g), 0]
}

#[inline(always)]
fn median(left: u8, above: u8, corner: u8) -> u8 {
    let (low, high) = (left.min(above), left.max(above));
    // In words, so that the sum does not wrap.
    (i16::from(left) + i16::from(above) - i16::from(corner)).clamp(low.into(), high.into()) as u8
}

/// Appends the planes of `rect`.
pub(super) fn write(old: &Frame, new: &Frame, rect: Rect, guess: Guess, planes: [&mut Vec<u8>; 3]) {
    let width = usize::from(rect.width);
    let mut above = vec![[0u8; 3]; width];
    let mut row = vec![[0u8; 3]; width];
    let [green, blue, red] = planes;
    for y in rect.y..rect.y + rect.height {
        let pixels = new.row(rect.x, y, rect.width).as_chunks::<4>().0;
        row.iter_mut().zip(pixels).for_each(|(to, pixel)| *to = planes_of(*pixel));
        for (plane, out) in [&mut *green, &mut *blue, &mut *red].into_iter().enumerate() {
            match guess {
                Guess::Time => {
                    let before = old.row(rect.x, y, rect.width).as_chunks::<4>().0;
                    out.extend(row.iter().zip(before).map(|(now, before)| now[plane].wrapping_sub(planes_of(*before)[plane])));
                }
                Guess::Space if y == rect.y => {
                    let mut left = 0;
                    out.extend(row.iter().map(|now| now[plane].wrapping_sub(std::mem::replace(&mut left, now[plane]))));
                }
                Guess::Space => {
                    out.push(row[0][plane].wrapping_sub(above[0][plane]));
                    out.extend(
                        (1..width)
                            .map(|x| row[x][plane].wrapping_sub(median(row[x - 1][plane], above[x][plane], above[x - 1][plane]))),
                    );
                }
            }
        }
        std::mem::swap(&mut above, &mut row);
    }
}

/// Takes the planes of `rect` off the fronts, into `frame`, which shows what was there before.
pub(super) fn read(frame: &mut Frame, rect: Rect, guess: Guess, planes: [&mut &[u8]; 3]) -> Result<(), &'static str> {
    let width = usize::from(rect.width);
    let [green, blue, red] = planes;
    let mut above = vec![[0u8; 3]; width];
    for y in rect.y..rect.y + rect.height {
        let (Some(green), Some(blue), Some(red)) = (green.split_off(..width), blue.split_off(..width), red.split_off(..width))
        else {
            return Err("truncated");
        };
        let row = frame.row_mut(rect.x, y, rect.width).as_chunks_mut::<4>().0;
        let told = green.iter().zip(blue).zip(red).map(|((g, b), r)| [*g, *b, *r]);
        match guess {
            Guess::Time => {
                for (pixel, told) in row.iter_mut().zip(told) {
                    let before = planes_of(*pixel);
                    *pixel = pixel_of(std::array::from_fn(|plane| before[plane].wrapping_add(told[plane])));
                }
            }
            Guess::Space => {
                let (mut left, mut corner) = ([0u8; 3], [0u8; 3]);
                for (x, ((pixel, told), above)) in row.iter_mut().zip(told).zip(&mut above).enumerate() {
                    let guess: [u8; 3] = if y == rect.y {
                        left
                    } else if x == 0 {
                        *above
                    } else {
                        std::array::from_fn(|plane| median(left[plane], above[plane], corner[plane]))
                    };
                    left = std::array::from_fn(|plane| guess[plane].wrapping_add(told[plane]));
                    corner = std::mem::replace(above, left);
                    *pixel = pixel_of(left);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::frame::Size;

    const SIZE: Size = Size { width: 40, height: 30 };

    fn sky(seed: u16) -> Frame {
        let mut frame = Frame::new(SIZE);
        for y in 0..SIZE.height {
            let row = frame.row_mut(0, y, SIZE.width).as_chunks_mut::<4>().0;
            (0..).zip(row).for_each(|(x, to)| *to = [(x * 3 + seed) as u8, (x + y * 2) as u8, (x ^ y ^ seed) as u8, 0]);
        }
        frame
    }

    #[test]
    fn planes_come_back_by_either_guess() {
        let (old, new) = (sky(0), sky(9));
        for rect in [SIZE.bounds(), Rect { x: 8, y: 3, width: 1, height: 5 }, Rect { x: 39, y: 29, width: 1, height: 1 }] {
            for guess in [Guess::Space, Guess::Time] {
                let (mut green, mut blue, mut red) = (Vec::new(), Vec::new(), Vec::new());
                write(&old, &new, rect, guess, [&mut green, &mut blue, &mut red]);
                assert!([&green, &blue, &red].iter().all(|plane| plane.len() == rect.pixels()));
                let (mut shown, mut expected) = (old.clone(), old.clone());
                expected.copy_rect(&new, rect);
                read(&mut shown, rect, guess, [&mut &green[..], &mut &blue[..], &mut &red[..]]).unwrap();
                assert_eq!(shown, expected, "{rect:?} {guess:?}");
                let short = read(&mut shown, rect, guess, [&mut &green[..], &mut &blue[1..], &mut &red[..]]);
                assert_eq!(short, Err("truncated"));
            }
        }
    }

    #[test]
    fn the_median_lies_between_left_and_above() {
        assert_eq!([median(10, 20, 15), median(10, 20, 5), median(10, 20, 25), median(255, 255, 0)], [15, 20, 10, 255]);
    }
}
