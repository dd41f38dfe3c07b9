use proptest::prelude::*;

use super::super::frame::{Frame, Rect, Size};
use super::*;

/// Numbers that look random and are the same everywhere.
fn noise(seed: u32) -> impl FnMut() -> u32 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state >> 8
    }
}

fn painted(size: Size, mut pixel: impl FnMut(i32, i32) -> [i32; 3]) -> Frame {
    let mut frame = Frame::new(size);
    for y in 0..size.height {
        for (x, out) in (0..).zip(frame.row_mut(0, y, size.width).as_chunks_mut::<4>().0) {
            let [blue, green, red] = pixel(x, y.into()).map(|value| value.clamp(0, 255) as u8);
            *out = [blue, green, red, 0];
        }
    }
    frame
}

/// Smooth hills of colour with grain, moved right and down by `moved` pixels.
fn scene(size: Size, moved: i32, seed: u32) -> Frame {
    let mut grain = noise(seed);
    painted(size, |x, y| {
        let wave = |period: f32, along: i32| (110.0 + 90.0 * (along as f32 / period).sin()) as i32;
        let (x, y) = (x - moved, y - moved);
        let grain = (grain() % 7).cast_signed() - 3;
        [wave(19.0, x + y) + grain, wave(23.0, x - 2 * y) + grain, wave(31.0, x + 3 * y) + grain]
    })
}

fn quality(step: u8) -> Quality {
    Quality::new(step).expect("not 0")
}

fn size(width: u16, height: u16) -> Size {
    Size::new(width, height).expect("a size")
}

fn reader(symbols: &Symbols) -> SymbolReader<'_> {
    SymbolReader::new(symbols.kinds().each_ref().map(Vec::as_slice))
}

fn bytes(symbols: &Symbols) -> usize {
    symbols.kinds().iter().map(Vec::len).sum()
}

/// Peak signal to noise in dB over red, green and blue of the whole frame.
fn psnr(a: &Frame, b: &Frame) -> f64 {
    let squares: u64 = a.data().iter().zip(b.data()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * (a.size().pixels() * 3) as f64 / (squares.max(1)) as f64).log10()
}

/// A frame of `size` with noise, hills, text-like stripes or a flat ground.
fn content_of(kind: u8, size: Size, seed: u32) -> Frame {
    let mut random = noise(seed);
    match kind {
        0 => painted(size, |_, _| [random(), random(), random()].map(|value| (value & 255).cast_signed())),
        1 => scene(size, (seed % 40).cast_signed(), seed),
        2 => painted(size, |x, _| if x % 3 == 0 { [255; 3] } else { [0, 40, (seed & 255).cast_signed()] }),
        _ => painted(size, |_, _| [(seed & 255).cast_signed(); 3]),
    }
}

/// A frame size, and a rectangle in it that often touches its edges.
fn places() -> impl Strategy<Value = (Size, Rect)> {
    (1u16..=100, 1u16..=70, 0u16..40, 0u16..40, 0u16..40, 0u16..40).prop_map(|(width, height, left, top, right, bottom)| {
        let outer = |before: u16, after: u16| (before.saturating_sub(20), after.saturating_sub(20));
        let ((left, right), (top, bottom)) = (outer(left, right), outer(top, bottom));
        (size(left + width + right, top + height + bottom), Rect { x: left, y: top, width, height })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Two pictures in a row: both sides show the same, nothing outside the rectangle changes, nothing is left over, and every kind
    /// keeps its bound.
    #[test]
    fn both_sides_show_the_same((size, rect) in places(), kinds in [0u8..4, 0u8..4, 0u8..4], seed: u32, step in 1u8..) {
        let mut coder = Coder::default();
        let mut ours = content_of(kinds[0], size, seed);
        let mut theirs = ours.clone();
        for (kind, seed) in kinds.into_iter().skip(1).zip([seed, seed ^ 5]) {
            let now = content_of(kind, size, seed);
            let before = ours.clone();
            let mut symbols = Symbols::default();
            coder.encode(&now, &mut ours, rect, quality(step), &mut symbols);
            let alone = Size { width: rect.width, height: rect.height };
            for (bytes, most) in symbols.kinds().iter().zip(max_symbols(alone, 1)) {
                prop_assert!(bytes.len() <= most);
            }
            let mut reader = reader(&symbols);
            Coder::default().decode(&mut theirs, rect, quality(step), &mut reader).expect("what we wrote");
            prop_assert!(reader.is_empty());
            prop_assert!(ours == theirs);
            theirs.copy_rect(&before, rect);
            prop_assert!(theirs == before, "only the rectangle may change");
            theirs = ours.clone();
        }
    }

    /// Any bytes: an error or a picture, never a panic; after an error the screen is as before.
    #[test]
    fn any_bytes_end(
        (size, rect) in places(),
        step in 1u8..,
        kinds in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), KINDS),
    ) {
        let before = scene(size, 3, 1);
        let mut shown = before.clone();
        let mut kinds = kinds.iter().map(Vec::as_slice);
        let mut reader = SymbolReader::new(std::array::from_fn(|_| kinds.next().unwrap_or_default()));
        if Coder::default().decode(&mut shown, rect, quality(step), &mut reader).is_err() {
            prop_assert!(shown == before);
        }
    }

    /// One wrong byte in a real stream.
    #[test]
    fn a_wrong_byte_ends(seed: u32, kind in 0..KINDS, at: prop::sample::Index, to: u8, step in 1u8..40) {
        let (size, mut symbols) = (size(70, 50), Symbols::default());
        let mut shown = scene(size, 0, seed);
        let mut theirs = shown.clone();
        Coder::default().encode(&scene(size, 5, seed ^ 9), &mut shown, size.bounds(), quality(step), &mut symbols);
        let mut bytes = symbols.kinds().clone();
        if let Some(byte) = bytes[kind].len().checked_sub(1).map(|last| at.index(last + 1)).and_then(|at| bytes[kind].get_mut(at)) {
            *byte = to;
        }
        let mut reader = SymbolReader::new(bytes.each_ref().map(Vec::as_slice));
        let _ = Coder::default().decode(&mut theirs, size.bounds(), quality(step), &mut reader);
    }
}

#[test]
fn a_truncated_part_is_an_error() {
    let size = size(64, 48);
    let (mut shown, mut symbols) = (Frame::new(size), Symbols::default());
    Coder::default().encode(&scene(size, 0, 1), &mut shown, size.bounds(), quality(4), &mut symbols);
    for kind in (0..KINDS).filter(|kind| !symbols.kinds()[*kind].is_empty()) {
        let mut bytes = symbols.kinds().clone();
        bytes[kind].pop();
        let mut reader = SymbolReader::new(bytes.each_ref().map(Vec::as_slice));
        let result = Coder::default().decode(&mut Frame::new(size), size.bounds(), quality(4), &mut reader);
        assert_eq!(result, Err("truncated"), "kind {kind}");
    }
}

#[test]
fn parts_follow_one_another() {
    let size = size(80, 64);
    let now = scene(size, 4, 7);
    let (mut shown, mut symbols, mut coder) = (scene(size, 0, 3), Symbols::default(), Coder::default());
    let mut theirs = shown.clone();
    let rects = [Rect { x: 0, y: 0, width: 33, height: 17 }, Rect { x: 20, y: 5, width: 60, height: 59 }];
    for rect in rects {
        coder.encode(&now, &mut shown, rect, quality(6), &mut symbols);
    }
    let mut reader = reader(&symbols);
    for rect in rects {
        coder.decode(&mut theirs, rect, quality(6), &mut reader).expect("what we wrote");
    }
    assert!(reader.is_empty() && theirs == shown);
}

#[test]
fn coarser_is_smaller_and_worse() {
    let size = size(160, 96);
    let now = scene(size, 0, 1);
    let coded = |step| {
        let (mut shown, mut symbols) = (Frame::new(size), Symbols::default());
        Coder::default().encode(&now, &mut shown, size.bounds(), quality(step), &mut symbols);
        (bytes(&symbols), psnr(&now, &shown))
    };
    let results: Vec<_> = [1, 2, 4, 8, 16, 32, 64, 128].map(coded).into();
    assert!(results.is_sorted_by(|finer, coarser| finer.0 > coarser.0 && finer.1 > coarser.1), "{results:?}");
    assert!(results[0].1 > 45.0, "{results:?}");
}

#[test]
fn motion_is_followed() {
    let size = size(160, 96);
    let (mut shown, mut coder) = (scene(size, 0, 1), Coder::default());
    let mut coded = 0;
    for moved in 1..=5 {
        let (now, mut symbols) = (scene(size, moved * 3, 1 + moved.cast_unsigned()), Symbols::default());
        coder.encode(&now, &mut shown, size.bounds(), quality(10), &mut symbols);
        coded += bytes(&symbols);
        let psnr = psnr(&now, &shown);
        assert!(psnr > 36.0, "{psnr} dB");
    }
    let (mut anew, mut symbols) = (Frame::new(size), Symbols::default());
    coder.encode(&scene(size, 15, 6), &mut anew, size.bounds(), quality(10), &mut symbols);
    println!("5 pictures in motion {coded} bytes, one without a reference {}", bytes(&symbols));
    assert!(coded < 2 * bytes(&symbols), "motion must save most of the bytes");
}

#[test]
fn what_stays_costs_a_byte_a_macroblock() {
    let size = size(64, 32);
    let (mut shown, mut symbols) = (scene(size, 0, 1), Symbols::default());
    let now = shown.clone();
    Coder::default().encode(&now, &mut shown, size.bounds(), quality(8), &mut symbols);
    assert_eq!(symbols.kinds()[0], [0; 8]);
    assert_eq!(bytes(&symbols), 8);
    assert!(shown == now);
}

/// The wire form, which changes only together with the version of the picture's stream; what an encoder chooses may.
#[test]
fn golden() {
    let size = size(5, 3);
    let kinds: [&[u8]; KINDS] = [
        &[127],
        &[253, 5],
        &[126, 195, 251, 58, 253, 140, 251, 154, 126, 203, 126, 205, 7, 30, 123, 230, 110, 51, 238, 155, 243, 178, 19],
        &[192, 192, 192, 192],
        &[64, 192, 193, 64, 3, 63],
        &[192, 1, 195, 192, 197, 63],
        &[64, 63, 64, 63],
        &[192, 192],
        &[192, 195, 192, 199, 192, 63, 128, 192, 192, 65, 0, 194, 192, 3, 197, 192, 205, 63],
    ];
    let (mut shown, mut reader) = (painted(size, |x, y| [40 * x, 60 * y, 200 - 30 * x]), SymbolReader::new(kinds));
    Coder::default().decode(&mut shown, size.bounds(), quality(12), &mut reader).expect("a valid part");
    assert!(reader.is_empty());
    let row: Vec<_> = shown.row(0, 1, 5).as_chunks::<4>().0.iter().map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    assert_eq!(row, [[76, 182, 255], [79, 181, 255], [131, 182, 255], [211, 182, 241], [255, 183, 187]]);
}

mod contents {
    use super::{
        super::content::{Content, content},
        *,
    };

    const CELLS: Rect = Rect { x: 0, y: 0, width: 64, height: 64 };

    fn lossy(frame: &Frame) -> usize {
        photographic(frame, CELLS).iter().filter(|cell| **cell).count()
    }

    /// Stems like a font's: a full column with a half-covered one on each side, and a bar; over `ground`.
    fn text(ground: impl Fn(i32, i32) -> [i32; 3], fringe: [[i32; 3]; 2]) -> Frame {
        painted(size(64, 64), |x, y| {
            let ground = ground(x, y);
            let cover = match (x % 7, y % 14) {
                (_, 10..) => [0; 3],
                (2, _) => fringe[0],
                (3, _) => [255; 3],
                (4, _) => fringe[1],
                (5 | 6, 4) => [255; 3],
                _ => [0; 3],
            };
            std::array::from_fn(|colour| ground[colour] * (255 - cover[colour]) / 255)
        })
    }

    fn hills(x: i32, y: i32) -> [i32; 3] {
        let wave = |along: i32| (150.0 + 60.0 * (along as f32 / 17.0).sin()) as i32 + (x * 7 + y * 13) % 5;
        [wave(x + y), wave(x - y), wave(2 * x + y)]
    }

    #[test]
    fn photographs_may_be_lossy() {
        assert_eq!(lossy(&painted(size(64, 64), hills)), 16);
        assert_eq!(lossy(&scene(size(64, 64), 0, 1)), 16);
    }

    #[test]
    fn text_is_exact_on_any_ground() {
        let grounds: [fn(i32, i32) -> [i32; 3]; 4] = [|_, _| [255; 3], |_, _| [30, 30, 36], |_, y| [255 - y, 240 - y, 230], hills];
        for (number, ground) in grounds.into_iter().enumerate() {
            assert_eq!(lossy(&text(ground, [[120; 3], [90; 3]])), 0, "ground {number}");
            assert_eq!(lossy(&text(ground, [[40, 110, 200], [190, 90, 20]])), 0, "ground {number}, subpixels");
        }
    }

    #[test]
    fn flat_and_drawn_is_exact() {
        assert_eq!(lossy(&painted(size(64, 64), |_, _| [90, 80, 70])), 0);
        assert_eq!(lossy(&painted(size(64, 64), |x, y| [(x / 9 * 60) % 255, (y / 5 * 80) % 255, 40])), 0);
        assert_eq!(lossy(&Frame::new(size(64, 64))), 0);
    }

    #[test]
    fn a_lone_sharp_detail_belongs_to_its_photograph() {
        let detail =
            |x: i32, y: i32| if (20..28).contains(&x) && (20..30).contains(&y) { [0, 0, 30 * (x % 2)] } else { hills(x, y) };
        let frame = painted(size(64, 64), detail);
        assert_eq!(content(&frame, Rect { x: 16, y: 16, width: 16, height: 16 }), Content::Sharp);
        assert_eq!(lossy(&frame), 16);
    }

    #[test]
    fn parts_of_cells_have_an_answer() {
        let frame = painted(size(64, 64), hills);
        assert_eq!(photographic(&frame, Rect { x: 3, y: 5, width: 17, height: 1 }).len(), 2);
        assert_eq!(content(&frame, Rect { x: 63, y: 63, width: 1, height: 1 }), Content::Drawn);
    }
}
