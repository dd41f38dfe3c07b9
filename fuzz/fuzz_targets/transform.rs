//! Symbols of the transform: a first picture with a loss, and a second one that moves over what it left.

#![no_main]

use rs_fuzz::{Packer, STREAMS, Viewer, next, write_number};

/// Kinds of symbols; their streams are the last ones.
const KINDS: usize = 9;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let Some(&[width, height, x, quality]) = rest.split_off(..4) else { return };
    let (width, height, x) = (usize::from(width % 96) + 1, usize::from(height % 96) + 1, usize::from(x % 4));
    let (mut viewer, mut packer) = (Viewer::default(), Packer::default());
    for keyframe in [true, false] {
        let symbols = std::array::from_fn::<_, KINDS, _>(|_| next(&mut rest).unwrap_or_default());
        // Nothing remembered, recalled, moved or new; one rectangle, lossy.
        let mut control = vec![0, 0, 0, 0, 1, 7, 0, x as u8];
        write_number(width.saturating_sub(x * 8).div_ceil(8), &mut control);
        write_number(height, &mut control);
        control.push(quality);
        let mut parts: [&[u8]; STREAMS] = [&[]; STREAMS];
        parts[0] = &control;
        parts[STREAMS - KINDS..].copy_from_slice(&symbols);
        let keyframe_head = [9, width as u8, 0, height as u8, 0];
        let head = if keyframe { &keyframe_head[..] } else { &[8] };
        if !viewer.show(&packer.pack(head, &parts)) {
            break;
        }
    }
});
