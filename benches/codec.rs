//! `cargo bench --bench codec`: what the codec costs on frames made up here, each stage by itself.

#![expect(clippy::unwrap_used, reason = "a bench may stop at what must not happen")]

mod kit;

use std::time::Duration;

use divan::Bencher;
use rs::video::{
    budget::Budget,
    decoder::Decoder,
    encoder::Encoder,
    frame::{Damage, Frame, Rect, Size},
};

use crate::kit::letters::letter;

/// Nothing rests, so nothing is remembered: the hardest case.
const NOW: Duration = Duration::ZERO;
const SIZE: Size = Size { width: 1920, height: 1080 };

fn main() {
    divan::main();
}

/// A screen full of made-up text in six colours on a dark ground, the lines counted from `first`.
fn text(first: u32) -> Frame {
    const COLOURS: [[u8; 4]; 6] =
        [[204, 204, 204, 0], [121, 192, 255, 0], [126, 231, 135, 0], [255, 123, 114, 0], [165, 214, 255, 0], [139, 148, 158, 0]];
    let mut frame = Frame::new(SIZE);
    for y in 0..SIZE.height {
        let (line, row) = (first + u32::from(y / 16), u32::from(y % 16));
        for (x, pixel) in (0u32..).zip(frame.row_mut(0, y, SIZE.width).as_chunks_mut::<4>().0) {
            let (cell, lit) = letter(line, x, row);
            *pixel = if lit { COLOURS[cell as usize / 64 % 6] } else { [23, 17, 13, 0] };
        }
    }
    frame
}

fn encoder_that_sent(frame: &Frame) -> Encoder {
    let mut encoder = Encoder::new(true).unwrap();
    encoder.encode(frame, &Damage::full(SIZE), NOW, Budget::default()).unwrap().unwrap();
    encoder
}

#[divan::bench]
fn encode_nothing_changed(bencher: Bencher<'_, '_>) {
    let frame = text(0);
    let mut encoder = encoder_that_sent(&frame);
    bencher.bench_local(|| encoder.encode(&frame, &Damage::full(SIZE), NOW, Budget::default()).unwrap());
}

/// A key is typed: one cell changes, and X tells where.
#[divan::bench]
fn encode_typing(bencher: Bencher<'_, '_>) {
    let mut frame = text(0);
    let mut encoder = encoder_that_sent(&frame);
    let cell = Rect { x: 800, y: 480, width: 8, height: 16 };
    let mut damage = Damage::none();
    damage.add(cell);
    let mut key = 0u8;
    bencher.bench_local(|| {
        key = key.wrapping_add(1);
        for y in cell.y..cell.y + cell.height {
            frame.row_mut(cell.x, y, cell.width).fill(key);
        }
        encoder.encode(&frame, &damage, NOW, Budget::default()).unwrap().unwrap()
    });
}

/// The whole screen moves up by a line of text, a new one below.
#[divan::bench(sample_count = 20)]
fn encode_scroll(bencher: Bencher<'_, '_>) {
    let lines: Vec<Frame> = (0..12).map(text).collect();
    let mut encoder = encoder_that_sent(&lines[0]);
    let mut next = (1..lines.len()).chain((0..lines.len() - 1).rev()).cycle();
    bencher.bench_local(|| encoder.encode(&lines[next.next().unwrap()], &Damage::full(SIZE), NOW, Budget::default()).unwrap());
}

#[divan::bench(sample_count = 20)]
fn encode_keyframe(bencher: Bencher<'_, '_>) {
    let frame = text(0);
    bencher
        .with_inputs(|| Encoder::new(true).unwrap())
        .bench_local_values(|mut encoder| encoder.encode(&frame, &Damage::full(SIZE), NOW, Budget::default()).unwrap());
}

#[divan::bench(sample_count = 20)]
fn decode_scroll(bencher: Bencher<'_, '_>) {
    let (mut encoder, mut decoder) = (Encoder::new(true).unwrap(), Decoder::new());
    let mut shown = Frame::new(SIZE);
    let first = encoder.encode(&text(0), &Damage::full(SIZE), NOW, Budget::default()).unwrap().unwrap();
    decoder.decode(&first, &mut shown).unwrap();
    let mut line = 0;
    bencher
        .with_inputs(|| {
            line += 1;
            encoder.encode(&text(line), &Damage::full(SIZE), NOW, Budget::default()).unwrap().unwrap()
        })
        .bench_local_refs(|payload| decoder.decode(payload, &mut shown).unwrap());
}
