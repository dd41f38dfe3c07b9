//! Pictures by kitty's graphics protocol: each tile is an image with an id of its own, compressed RGB, placed at its cell and
//! scaled by the terminal to its cells. Sending an id again replaces the image, so that the terminal keeps one image for each tile.
//!
//! <https://sw.kovidgoyal.net/kitty/graphics-protocol/>

use std::io::Write;

use data_encoding::BASE64;
use flate2::{Compression, write::ZlibEncoder};

use super::cells::{Cells, go};
use crate::video::frame::Size;

/// The most of base64 in one sequence.
const CHUNK: usize = 4096;
/// Below text, and below cells with a colour of their own.
const DEPTH: i32 = -1_073_741_825;

/// Asks whether the terminal knows this.
pub(super) const QUESTION: &[u8] = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\";
/// Takes all images off the screen and out of the terminal's memory.
pub(super) const FORGET: &[u8] = b"\x1b_Ga=d,d=A,q=2\x1b\\";

/// Shows `pixels` (`0x00RRGGBB`, rows from the top) as image `id` over `cells`.
pub(super) fn tile(out: &mut Vec<u8>, id: u32, cells: Cells, size: Size, pixels: impl Iterator<Item = u32>) {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let rgb: Vec<u8> = pixels.flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1)).collect();
    // Writing into memory does not fail.
    let _ = encoder.write_all(&rgb);
    let data = BASE64.encode(&encoder.finish().unwrap_or_default());
    go(out, cells.column, cells.row);
    let mut chunks = data.as_bytes().chunks(CHUNK).peekable();
    let mut head = format!(
        "a=T,q=2,f=24,o=z,s={},v={},i={id},p=1,c={},r={},C=1,z={DEPTH},",
        size.width, size.height, cells.columns, cells.rows
    );
    while let Some(chunk) = chunks.next() {
        let _ = write!(out, "\x1b_G{head}m={};", u8::from(chunks.peek().is_some()));
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\x1b\\");
        head.clear();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use super::*;

    /// An image as a terminal understands it: id, its cells' top left, size, pixels.
    pub(in super::super) type Shown = (u32, (u16, u16), (usize, usize), Vec<u32>);

    /// Understands what [`tile`] says, as a terminal would.
    pub(in super::super) fn understand(mut bytes: &[u8]) -> Shown {
        let text = std::str::from_utf8(bytes).expect("ASCII");
        let (place, rest) = text.strip_prefix("\x1b[").and_then(|rest| rest.split_once('H')).expect("a place");
        let (row, column) = place.split_once(';').expect("two numbers");
        bytes = rest.as_bytes();
        let (mut data, mut head) = (Vec::new(), None);
        while !bytes.is_empty() {
            let text = std::str::from_utf8(bytes).expect("ASCII");
            let (control, rest) = text.strip_prefix("\x1b_G").and_then(|rest| rest.split_once(';')).expect("a graphics command");
            let (payload, rest) = rest.split_once("\x1b\\").expect("an end");
            assert!(payload.len() <= CHUNK);
            assert_eq!(control.ends_with("m=1"), !rest.is_empty(), "m says whether more comes");
            data.extend(BASE64.decode(payload.as_bytes()).expect("base64, whole groups in each chunk"));
            head.get_or_insert_with(|| control.to_owned());
            bytes = rest.as_bytes();
        }
        let head = head.expect("a first chunk");
        let value = |key: &str| head.split(',').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')?.parse().ok());
        let mut rgb = Vec::new();
        flate2::read::ZlibDecoder::new(data.as_slice()).read_to_end(&mut rgb).expect("zlib");
        let pixels = rgb.as_chunks::<3>().0.iter().map(|[r, g, b]| u32::from_be_bytes([0, *r, *g, *b])).collect();
        let number = |text: &str| text.parse::<u16>().expect("a number") - 1;
        let side = |key| value(key).and_then(|side: u32| usize::try_from(side).ok()).expect("a size");
        (value("i").expect("an id"), (number(column), number(row)), (side("s"), side("v")), pixels)
    }

    #[test]
    fn a_tile_says_exactly_this() {
        let mut out = Vec::new();
        let cells = Cells { column: 4, row: 2, columns: 1, rows: 1 };
        tile(&mut out, 7, cells, Size { width: 2, height: 1 }, [0x0010_2030, 0x00ff_0000].into_iter());
        let text = String::from_utf8(out.clone()).expect("ASCII");
        let expected = "\x1b[3;5H\x1b_Ga=T,q=2,f=24,o=z,s=2,v=1,i=7,p=1,c=1,r=1,C=1,z=-1073741825,m=0;";
        assert!(text.starts_with(expected) && text.ends_with("\x1b\\"), "{text:?}");
        assert_eq!(understand(&out), (7, (4, 2), (2, 1), vec![0x0010_2030, 0x00ff_0000]));
    }

    #[test]
    fn a_large_tile_comes_in_chunks_and_is_the_same() {
        // Noise, which does not get smaller.
        let pixels: Vec<u32> = (0..64_u32 * 64).map(|at| at.wrapping_mul(2_654_435_761) >> 8).collect();
        let (mut out, cells) = (Vec::new(), Cells { column: 0, row: 0, columns: 8, rows: 4 });
        tile(&mut out, 1, cells, Size { width: 64, height: 64 }, pixels.iter().copied());
        assert!(out.len() > 2 * CHUNK);
        assert!(understand(&out) == (1, (0, 0), (64, 64), pixels));
    }
}
