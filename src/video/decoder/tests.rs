//! Hostile bytes: whatever comes in ends in a picture or in an error, and nothing follows an error.

use std::sync::LazyLock;

use proptest::prelude::*;
use zstd::stream::raw::{CParameter, Encoder as Zstd, Operation, OutBuffer};

use super::*;
use crate::video::{
    budget::Budget,
    encoder::Encoder,
    frame::clear_x,
    streams::{KINDS, Packer, WINDOW_LOG, write_number},
};

const SIZE: Size = Size { width: 150, height: 100 };
/// The payloads of [`session`].
const PAYLOADS: usize = 8;

/// A short session: drawn things, a photograph with a loss and then without, a resize; and where it ends.
fn session() -> (Vec<Vec<u8>>, Frame) {
    static SESSION: LazyLock<(Vec<Vec<u8>>, Frame)> = LazyLock::new(make_session);
    SESSION.clone()
}

fn make_session() -> (Vec<Vec<u8>>, Frame) {
    let mut encoder = Encoder::new(false).unwrap();
    let mut screen = Frame::new(SIZE);
    let mut payloads = Vec::new();
    for step in 0..PAYLOADS as u16 {
        if step == 6 {
            screen.resize(Size { width: 90, height: 170 });
        }
        for y in 0..40 {
            let row = screen.row_mut(step * 5, 10 + y * 2, 45);
            row.iter_mut().zip(0u8..).for_each(|(byte, x)| *byte = x.wrapping_mul(step as u8 + 3) ^ y as u8);
            clear_x(row);
        }
        for y in (0..64).filter(|_| step == 2 || step == 4) {
            let row = screen.row_mut(80, y, 64).as_chunks_mut().0;
            (0..).zip(row).for_each(|(x, to)| *to = [(x * 3 + y + step) as u8, (x + y * 2) as u8, (x ^ y) as u8, 0]);
        }
        let budget = Budget { bytes: (step < 5).then_some(1500), rate: None };
        let now = std::time::Duration::from_millis(500 * u64::from(step));
        payloads.extend(encoder.encode(&screen, &Damage::full(screen.size()), now, budget).unwrap());
    }
    assert!(encoder.bytes().lossy > 0 && encoder.due().is_none());
    (payloads, screen)
}

/// Decodes until the first error; checks that it stays the last word and that the frame keeps to its bounds.
fn play(payloads: &[Vec<u8>]) -> Result<Frame, DecodeError> {
    let mut decoder = Decoder::new();
    let mut frame = Frame::new(SIZE);
    for payload in payloads {
        if let Err(error) = decoder.decode(payload, &mut frame) {
            assert_eq!(decoder.decode(&payloads[0], &mut frame), Err(DecodeError("after an error")));
            return Err(error);
        }
        assert_eq!(frame.data().len(), frame.size().pixels() * 4);
    }
    Ok(frame)
}

/// A keyframe of [`SIZE`] with these streams.
fn keyframe(parts: &Parts) -> Vec<u8> {
    let mut payload = Vec::new();
    Head { keyframe: Some(SIZE), is_exact: true, ..Head::default() }.write(&mut payload);
    Packer::new(1).pack(parts, &mut payload).unwrap();
    payload
}

/// A control stream without anything remembered, moved, recalled or new: what is told is one rectangle of whole cells.
fn one(mode: u8, [x, y, width, height]: [u8; 4], rest: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, 1, mode, y * 2, x, width, height], rest].concat()
}

fn with(streams: &[(Kind, &[u8])]) -> Parts {
    let mut parts = Parts::default();
    streams.iter().for_each(|(kind, bytes)| parts.of(*kind).extend(*bytes));
    parts
}

#[track_caller]
fn refused(streams: &[(Kind, &[u8])], why: &'static str) {
    assert_eq!(play(&[keyframe(&with(streams))]).err(), Some(DecodeError(why)));
}

#[track_caller]
fn control_refused(control: &[u8], why: &'static str) {
    refused(&[(Kind::CONTROL, control)], why);
}

#[test]
fn a_session_plays() {
    let (payloads, screen) = session();
    assert_eq!(payloads.len(), PAYLOADS);
    assert!(play(&payloads).unwrap() == screen);
}

#[test]
fn a_forged_but_whole_payload_is_a_picture() {
    let frame = play(&[keyframe(&with(&[(Kind::CONTROL, &one(3, [0, 0, 2, 1], &[])), (Kind::RAW, &[7; 48])]))]).unwrap();
    assert_eq!(frame.row(15, 0, 2), [7, 7, 7, 0, 0, 0, 0, 0]);
    assert!(play(&[keyframe(&with(&[(Kind::CONTROL, &[0; 5])]))]).is_ok(), "an empty picture");
}

#[test]
fn tiles_and_slots_are_checked() {
    // The picture has 3 x 2 tiles, of which 2 are whole: 0 and 1.
    assert!(play(&[keyframe(&with(&[(Kind::CONTROL, &[2, 0, 1, 0, 1, 1, 0, 0, 0])]))]).is_ok());
    control_refused(&[1, 2, 0, 0, 0, 0], "a tile outside the picture");
    control_refused(&[1, 6, 0, 0, 0, 0], "a tile outside the picture");
    control_refused(&[7, 0, 0, 0, 0, 0], "too many tiles");
    control_refused(&[2, 1, 5, 0, 0, 0], "a tile outside the picture");
    control_refused(&[0, 0, 1, 2, 0, 0, 0], "a tile outside the picture");
    control_refused(&[0, 0, 1, 0, 0, 0, 0], "an empty slot");
    control_refused(&[1, 0, 0, 1, 0, 1, 0, 0], "an empty slot");
    control_refused(&[1, 0, 0, 1, 0, 0x80, 0x80, 0x80, 1, 0, 0], "an empty slot");
}

#[test]
fn moves_are_checked() {
    // One block from 16 pixels to the right.
    assert!(play(&[keyframe(&with(&[(Kind::CONTROL, &[0, 1, 32, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0])]))]).is_ok());
    control_refused(&[0, 9], "too many vectors");
    control_refused(&[0, 1, 31, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0], "a move from outside the picture");
    control_refused(&[0, 1, 0, 31, 1, 0, 0, 0, 1, 1, 0, 0, 0], "a move from outside the picture");
    control_refused(&[0, 1, 0, 32, 1, 0, 5, 0, 1, 1, 0, 0, 0], "a move from outside the picture");
    control_refused(&[0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0], "a move from outside the picture");
    control_refused(&[0, 1, 0, 0, 1, 0, 0, 10, 1, 1, 0, 0, 0], "a move from outside the picture");
    control_refused(&[0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0], "a move from outside the picture");
    control_refused(&[0, 1, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 3, 1, 0, 0, 0], "a move from outside the picture");
    control_refused(&[0, 1, 0, 0, 2, 0, 0, 0, 10, 7, 0, 0, 0, 1, 1, 0, 0, 0], "more moves than the picture has pixels");
    control_refused(&[0, 1, 0, 0, 100, 0, 0, 0, 1, 1, 0, 0, 0], "truncated");
}

#[test]
fn colours_are_checked() {
    let mut too_many = vec![0, 0, 0];
    write_number(MAX_COLOURS + 1, &mut too_many);
    too_many.resize(3 * MAX_COLOURS + 60, 0);
    control_refused(&too_many, "too many colours");
    control_refused(&[0, 0, 0, 2, 1, 2, 3, 4, 5], "truncated");
    let one = |colour: u8| {
        [(Kind::CONTROL, vec![0, 0, 0, 1, 1, 2, 3, 1, 1, 0, 0, 1, 1]), (Kind::INDICES, vec![0, 0, 0, colour, 0, 0, 0, 0])]
    };
    let refs = |parts: &[(Kind, Vec<u8>); 2]| keyframe(&with(&parts.each_ref().map(|(kind, bytes)| (*kind, &bytes[..]))));
    assert_eq!(play(&[refs(&one(0))]).unwrap().row(7, 0, 1), [1, 2, 3, 0]);
    assert_eq!(play(&[refs(&one(1))]).err(), Some(DecodeError("an unknown colour")));
    // The colours of the picture before are gone.
    let mut anew = vec![4];
    Packer::new(1).pack(&with(&[(Kind::CONTROL, &[0, 0, 0, 0, 1, 1, 0, 0, 1, 1]), (Kind::INDICES, &[0; 8])]), &mut anew).unwrap();
    anew[0] |= 2;
    assert_eq!(play(&[refs(&one(0)), anew]).err(), Some(DecodeError("an unknown colour")));
}

#[test]
fn rectangles_are_checked() {
    control_refused(&one(8, [0, 0, 1, 1], &[]), "unknown mode");
    control_refused(&one(0, [19, 0, 1, 1], &[1, 2, 3]), "a rectangle outside the picture");
    control_refused(&one(0, [18, 0, 2, 1], &[1, 2, 3]), "a rectangle outside the picture");
    control_refused(&one(0, [0, 50, 1, 51], &[1, 2, 3]), "a rectangle outside the picture");
    control_refused(&one(0, [0, 0, 0, 1], &[1, 2, 3]), "a rectangle outside the picture");
    control_refused(&[0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 2, 3], "a rectangle outside the picture");
    control_refused(&one(0, [0, 0, 1, 1], &[1, 2]), "truncated");
    let whole = [0, 0, 0, 19, 100, 1, 2, 3];
    control_refused(&[&[0, 0, 0, 0, 3][..], &whole, &whole, &whole].concat(), "more pixels than the picture has");
    assert!(play(&[keyframe(&with(&[(Kind::CONTROL, &[&[0, 0, 0, 0, 2][..], &whole, &whole].concat())]))]).is_ok());
}

#[test]
fn losses_are_checked() {
    let lossy = one(7, [0, 0, 2, 16], &[0]);
    control_refused(&lossy, "an impossible quality");
    control_refused(&one(7, [0, 0, 2, 16], &[]), "truncated");
    control_refused(&one(7, [0, 0, 2, 16], &[9]), "truncated");
    let many = |count: usize| {
        let mut control = vec![0; 4];
        write_number(count, &mut control);
        control.extend([7, 0, 0, 1, 1, 9].repeat(count));
        keyframe(&with(&[(Kind::CONTROL, &control), (Kind::symbols()[0], &vec![0; count])]))
    };
    assert!(play(&[many(MOST_LOSSY)]).is_ok());
    assert_eq!(play(&[many(MOST_LOSSY + 1)]).err(), Some(DecodeError("too many rectangles with a loss")));
}

#[test]
fn numbers_are_checked() {
    control_refused(&[0x80, 0x80, 0x80, 0x80, 0], "a number too large");
    control_refused(&[0x80], "truncated");
    control_refused(&[], "truncated");
    control_refused(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f], "truncated");
}

#[test]
fn a_payload_ends_with_its_last_pixel_in_every_stream() {
    for index in 0..KINDS {
        let mut parts = with(&[(Kind::CONTROL, &[0; 5])]);
        parts.of(Kind::all().nth(index).unwrap()).push(0);
        assert_eq!(play(&[keyframe(&parts)]).err(), Some(DecodeError("more than its pixels")), "stream {index}");
    }
    let whole = keyframe(&with(&[(Kind::CONTROL, &[0; 5])]));
    for garbage in [&[0][..], &[0, 0], &[1, 0, 0], b"garbage"] {
        assert!(play(&[[&whole, garbage].concat()]).is_err(), "{garbage:?}");
    }
    for (mode, kind, bytes) in [(3, Kind::RAW, 23), (5, Kind::PLANES[0], 8), (6, Kind::PLANES[0], 8)] {
        refused(&[(Kind::CONTROL, &one(mode, [0, 0, 1, 1], &[])), (kind, &vec![0; bytes])], "truncated");
    }
    refused(&[(Kind::CONTROL, &[0, 0, 0, 1, 1, 2, 3, 1, 1, 0, 0, 1, 1]), (Kind::INDICES, &[0; 7])], "truncated");
}

#[test]
fn zip_bombs_are_not_unpacked() {
    for kind in Kind::all() {
        let mut parts = Parts::default();
        parts.of(kind).resize(most(kind, SIZE) + (1 << 20), 0);
        let bomb = keyframe(&parts);
        assert!(bomb.len() < 10_000);
        let mut decoder = Decoder::new();
        let error = decoder.decode(&bomb, &mut Frame::new(SIZE));
        assert_eq!(error, Err(DecodeError("more than its pixels")), "{kind:?}");
        let unpacked = decoder.parts.of(kind).capacity();
        assert!(unpacked <= 2 * (most(kind, SIZE) + 1), "{unpacked} bytes of {kind:?}");
    }
}

#[test]
fn heads_and_streams_that_nobody_writes_are_refused() {
    let control = keyframe(&with(&[(Kind::CONTROL, &[0; 5])]));
    let changed = |at: usize, byte: u8| play(&[[&control[..at], &[byte], &control[at + 1..]].concat()]).err().unwrap().0;
    assert_eq!(changed(0, 17), "unknown kind");
    assert_eq!(changed(2, 0xff), "impossible size");
    assert_eq!(play(&[[&control[..5], &[0x80, 0x80, 2], &control[6..]].concat()]).err(), Some(DecodeError("unknown stream")));
    assert_eq!(play(&[[&control[..5], &[3, 100], &control[6..]].concat()]).err(), Some(DecodeError("truncated")));
    assert_eq!(play(&[vec![]]).err(), Some(DecodeError("truncated")));
}

#[test]
fn a_change_before_the_keyframe_is_refused() {
    let (payloads, _) = session();
    assert_eq!(play(&payloads[1..2]).err(), Some(DecodeError("no keyframe yet")));
}

/// A keyframe with this control stream, by hand.
fn packed(mut zstd: Zstd<'_>, control: &[u8], ends: bool) -> Vec<u8> {
    let mut payload = Vec::new();
    Head { keyframe: Some(SIZE), is_exact: true, ..Head::default() }.write(&mut payload);
    write_number(1, &mut payload);
    let head = payload.len();
    payload.resize(1000, 0);
    let run = zstd.run_on_buffers(control, &mut payload[head..]).unwrap();
    let mut room = OutBuffer::around(&mut payload[head + run.bytes_written..]);
    let waiting = if ends { zstd.finish(&mut room, true) } else { zstd.flush(&mut room) };
    assert_eq!(waiting.unwrap(), 0);
    let end = head + run.bytes_written + room.pos();
    payload.truncate(end);
    payload
}

#[test]
fn a_window_above_the_limit_is_refused() {
    let window = |log: u32| {
        let mut zstd = Zstd::new(3).unwrap();
        zstd.set_parameter(CParameter::WindowLog(log)).unwrap();
        play(&[packed(zstd, &[0; 5], false)]).err()
    };
    assert_eq!(window(WINDOW_LOG), None);
    assert_eq!(window(WINDOW_LOG + 1), Some(DecodeError("broken compression")));
}

#[test]
fn a_stream_that_ends_is_refused() {
    assert_eq!(play(&[packed(Zstd::new(3).unwrap(), &[0; 5], true)]).err(), Some(DecodeError("the stream ended")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_truncated_payload_is_an_error(which in 0..PAYLOADS, keep in 0.0..1.0f64) {
        let (mut payloads, _) = session();
        let keep = (payloads[which].len() as f64 * keep) as usize;
        payloads[which].truncate(keep);
        prop_assert!(play(&payloads[..=which]).is_err());
    }

    #[test]
    fn flipped_bits_never_panic(flips in prop::collection::vec((0..PAYLOADS, any::<prop::sample::Index>(), 0..8u8), 1..6)) {
        let (mut payloads, _) = session();
        for (which, at, bit) in flips {
            let at = at.index(payloads[which].len());
            payloads[which][at] ^= 1 << bit;
        }
        let _ = play(&payloads);
    }

    #[test]
    fn spliced_payloads_never_panic(order in prop::collection::vec((0..PAYLOADS, 0.0..=1.0f64, 0..PAYLOADS, 0.0..=1.0f64), 1..8)) {
        let (payloads, _) = session();
        let part = |which: usize, cut: f64| payloads[which].split_at((payloads[which].len() as f64 * cut) as usize);
        let spliced: Vec<Vec<u8>> =
            order.into_iter().map(|(a, cut_a, b, cut_b)| [part(a, cut_a).0, part(b, cut_b).1].concat()).collect();
        let _ = play(&spliced);
    }

    #[test]
    fn noise_after_a_keyframe_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let (payloads, _) = session();
        let _ = play(&[payloads[0].clone(), [&[0][..], &noise].concat()]);
    }

    /// Past zstd: any bytes in every stream.
    #[test]
    fn any_streams_never_panic(streams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), KINDS)) {
        let mut parts = Parts::default();
        Kind::all().zip(&streams).for_each(|(kind, bytes)| parts.of(kind).extend(bytes));
        let _ = play(&[keyframe(&parts)]);
        parts.of(Kind::CONTROL).splice(0..0, one(7, [0, 0, 2, 16], &[9]));
        let _ = play(&[keyframe(&parts)]);
    }
}

/// A payload or two with every mode, as the first release of this format has them: a decoder that reads them otherwise breaks every older
/// host.
#[test]
fn stored_payloads_still_show_the_same() {
    const PAYLOADS: [&str; 2] = [
        "01100008003f352127191128b52ffd00606001000000000201020304050606000000010107080901020001010202000102030400010104020001\
        01050201010228b52ffd0060c0000000010001010100000100000001010101000100010001000128b52ffd0060f40000c00a0b0c0d0e0f101112\
        131415161718191a1b1c1d1e1f202101002c38c728b52ffd00408000000a0b0c0d0e0f1011121314151617181928b52ffd004044000010010101\
        0032c00228b52ffd0040440000100202010032c002",
        "08f90e130404040a0a0a8000000000000002060000010107000101081442000001420000024200000328b52ffd00400800000128b52ffd004008\
        00000028b52ffd00400800004028b52ffd00400800003f",
    ];
    /// B, G, R.
    const SHOWN: [&str; 8] = [
        "0a090d0a090d0a090d0a090d0a090d0a090d0a090d0a090d050505050505050505050505050505050505050505030303",
        "010203040506010203040506040506040506010203010203050505050505050505050505050505050505050505030303",
        "040506010203040506040506010203010203010203010203050505050505050505050505050505050505050505030303",
        "010203010203040506040506040506040506040506040506050505050505050505050505050505050505050505030303",
        "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021050505050505050505050505050505050505050505030303",
        "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021050505050505050505050505050505050505050505030303",
        "000000000000000000000000000000000000000000000000100f111c1a1e29262c37333b46414b56505c67606e797181",
        "00000000000000000000000000000000000000000000000023212537343a4c4850625d6779737f918a98aaa2b2c4bbcd",
    ];
    let bytes = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    let frame = play(&PAYLOADS.map(bytes)).unwrap();
    for (row, expected) in frame.data().chunks(64).zip(SHOWN) {
        let shown: Vec<u8> = row.as_chunks::<4>().0.iter().flat_map(|[b, g, r, _]| [*b, *g, *r]).collect();
        assert_eq!(shown, bytes(expected));
    }
}
