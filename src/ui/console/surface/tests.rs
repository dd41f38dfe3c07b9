use proptest::prelude::*;

use super::{super::cells::tests::assert_harmless, super::kitty::tests::understand, *};
use crate::{
    protocol::message::CursorShape,
    video::frame::{Frame, Rect},
};

/// A picture that differs in every pixel.
fn state(width: u16, height: u16) -> State {
    let mut frame = Frame::new(Size { width, height });
    for (at, pixel) in (0_u32..).zip(frame.data_mut().as_chunks_mut::<4>().0) {
        *pixel = (at.wrapping_mul(2_654_435_761) & 0x00ff_ffff).to_le_bytes();
    }
    let damage = Damage::full(frame.size());
    State { frame, damage, shown: true, pointer: ELSEWHERE, ..State::default() }
}

fn change(state: &mut State, x: u16, y: u16) {
    state.frame.row_mut(x, y, 1).copy_from_slice(&[1, 2, 3, 0]);
    state.damage.add(Rect { x, y, width: 1, height: 1 });
}

fn sent(surface: &mut Surface, state: &mut State) -> Vec<u8> {
    let mut out = Vec::new();
    surface.follow(state, None, false);
    surface.send(&mut out).expect("encoded");
    out
}

/// Its number, cell, size and pixels.
type Tile = (u32, (u16, u16), (usize, usize), Vec<u32>);

/// The images of tiles in some output.
fn images(out: &[u8]) -> Vec<Tile> {
    let text = std::str::from_utf8(out).expect("ASCII");
    let starts: Vec<usize> = text.match_indices("\x1b[").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| understand(&out[*start..end])).collect()
}

#[test]
fn kittys_tiles_put_together_are_the_picture_and_only_what_changed_is_sent_again() {
    let (mut surface, mut state) = (Surface::new(Form::Kitty, (4, 8)), state(160, 64));
    surface.resize(40, 8);
    let tiles = images(&sent(&mut surface, &mut state));
    assert_eq!(tiles.len(), 3 * 2, "40 x 8 cells are 3 x 2 tiles");
    let mut seen = vec![0; 160 * 64];
    for (_, (column, row), (width, _), pixels) in &tiles {
        for (y, line) in pixels.chunks(*width).enumerate() {
            let start = (usize::from(*row) * 8 + y) * 160 + usize::from(*column) * 4;
            seen[start..start + width].copy_from_slice(line);
        }
    }
    let expected: Vec<u32> = state.frame.data().as_chunks::<4>().0.iter().map(|pixel| u32::from_le_bytes(*pixel)).collect();
    assert!(seen == expected, "pixel for pixel at 1:1");
    assert!(sent(&mut surface, &mut state).is_empty());
    change(&mut state, 70, 40);
    let again = images(&sent(&mut surface, &mut state));
    assert_eq!(again.iter().map(|(id, place, ..)| (*id, *place)).collect::<Vec<_>>(), [(5, (16, 4))], "the same id as before");
    surface.forget();
    assert_eq!(images(&sent(&mut surface, &mut state)).len(), 6);
}

#[test]
fn half_blocks_are_the_cells_that_changed() {
    let (mut surface, mut state) = (Surface::new(Form::Blocks { truecolor: true }, (1, 2)), state(20, 20));
    surface.resize(20, 10);
    let first = String::from_utf8(sent(&mut surface, &mut state)).expect("UTF-8");
    assert_eq!(first.matches('▀').count(), 200);
    change(&mut state, 7, 5);
    let lower = "48;2;3;2;1";
    let again = String::from_utf8(sent(&mut surface, &mut state)).expect("UTF-8");
    assert!(again.starts_with("\x1b[3;8H") && again.contains(lower) && again.matches('▀').count() == 1, "{again:?}");
}

#[test]
fn sixel_strips_cover_what_changed_in_whole_cells() {
    let (mut surface, mut state) = (Surface::new(Form::Sixel(256), (8, 16)), state(160, 160));
    surface.resize(20, 10);
    assert!(!sent(&mut surface, &mut state).is_empty());
    change(&mut state, 100, 40);
    change(&mut state, 108, 56);
    let out = sent(&mut surface, &mut state);
    let sixel = out.strip_prefix(b"\x1b[3;13H").expect("from the first changed cell on");
    let split = sixel.windows(2).position(|pair| pair == b"\x1b\\").expect("an end") + 2;
    let strip = icy_sixel::SixelImage::decode(&sixel[..split]).expect("understood");
    // The decoder counts whole bands of six rows; the size that is told is the cells'.
    assert_eq!((strip.dimensions(), &sixel[split..split + 3]), ((8, 18), &b"\x1b[4"[..]), "two strips that share nothing");
    assert!(sixel.windows(9).any(|told| told == b"\"1;1;8;16"));
}

#[test]
fn the_pointer_is_drawn_where_it_is_and_leaves_no_trace() {
    let (mut surface, mut state) = (Surface::new(Form::Kitty, (4, 8)), state(160, 64));
    surface.resize(40, 8);
    sent(&mut surface, &mut state);
    let clean = surface.wanted.clone();
    state.cursor = Some(CursorShape { width: 4, height: 4, hot_x: 0, hot_y: 0, bgra: [255; 64].to_vec() });
    (state.pointer, state.pointer_changed) = ((10, 10), true);
    sent(&mut surface, &mut state);
    let white = |surface: &Surface| surface.wanted.iter().filter(|pixel| **pixel == 0x00ff_ffff).count();
    assert_eq!((white(&surface), surface.wanted[10 * 160 + 10]), (16, 0x00ff_ffff));
    state.pointer = (100, 50);
    sent(&mut surface, &mut state);
    assert_eq!((white(&surface), surface.wanted[50 * 160 + 100]), (16, 0x00ff_ffff));
    state.pointer = ELSEWHERE;
    sent(&mut surface, &mut state);
    assert!(surface.wanted == clean);
}

#[test]
fn a_window_of_any_size_has_bounded_pictures() {
    let mut surface = Surface::new(Form::Kitty, (256, 256));
    surface.resize(u16::MAX, u16::MAX);
    assert!(surface.wanted.len() <= MAX_PIXELS);
    let mut state = state(3, 3);
    surface.resize(0, 0);
    assert!(sent(&mut surface, &mut state).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_picture_gets_a_sequence_of_its_own_out(
        form in prop::sample::select(vec![Form::Kitty, Form::Sixel(16), Form::Sixel(256), Form::Blocks { truecolor: true }, Form::Blocks { truecolor: false }]),
        size in (1..90_u16, 1..90_u16),
        window in (1..40_u16, 1..12_u16),
        bytes in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let mut state = state(size.0, size.1);
        state.frame.data_mut().iter_mut().zip(bytes.iter().cycle()).for_each(|(to, from)| *to = *from);
        crate::video::frame::clear_x(state.frame.data_mut());
        let cell = if matches!(form, Form::Blocks { .. }) { (1, 2) } else { (5, 11) };
        let mut surface = Surface::new(form, cell);
        surface.resize(window.0, window.1);
        assert_harmless(&sent(&mut surface, &mut state));
    }
}
