//! First inputs for the fuzz targets, from real streams: `cargo run --example seeds` writes them to `corpus/TARGET`.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rs_fuzz::{
    STREAMS,
    protocol::{
        clipboard::{ClipboardMessage, Kind},
        grants::Timer,
        input::InputEvent,
        message::{CursorShape, Holder, Message},
        permission::{Permission, Permissions},
        screens::{Choice, ScreenInfo, Screens},
        session::{
            Event, Input, Output, Role, Session,
            path::{Carrier, PathId, PathKind},
        },
        transfer::{FileMessage, Offer},
    },
    video::{
        budget::Budget,
        encoder::Encoder,
        frame::{Damage, Frame, Size},
    },
    write_part,
};
use zstd::stream::raw::{Decoder as Zstd, Operation};

fn main() -> std::io::Result<()> {
    for (number, (is_lossless, bytes)) in
        [(true, None), (false, None), (false, Some(400)), (false, Some(4000))].into_iter().enumerate()
    {
        let payloads = film(is_lossless, bytes);
        let mut whole = Vec::new();
        payloads.iter().for_each(|payload| write_part(payload, &mut whole));
        write("decoder", &format!("film-{number}"), &whole)?;
        write("pictures", &format!("film-{number}"), &unpacked(&payloads))?;
    }
    for side in [16, 40, 90] {
        write("transform", &format!("photo-{side}"), &symbols(side))?;
    }
    let mut whole = Vec::new();
    for (number, message) in messages().iter().enumerate() {
        let mut part = Vec::new();
        write_part(&postcard::to_stdvec(message).expect("it is written"), &mut part);
        write("messages", &number.to_string(), &part)?;
        whole.extend(part);
    }
    write("messages", "all", &whole)?;
    for role in [Role::Host, Role::Viewer] {
        write("records", &format!("{role:?}"), &talk(role))?;
    }
    Ok(())
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

/// Something like text, and something like a photograph that changes with time.
fn paint(frame: &mut Frame, step: u16) {
    let Size { width, height } = frame.size();
    for y in 0..height {
        for x in 0..width {
            let ink = (x / 2 * 7 + (y + step * 3) / 3 * 5).is_multiple_of(3);
            let text = if ink { [20, 20, 20, 0] } else { [230, 240, 250, 0] };
            let wave = |a: u16, b: u16| ((x * a + y * b + step * 5) % 255) as u8 ^ (x * y % 7) as u8;
            let photo = [wave(2, 1), wave(1, 2), wave(1, 1), 0];
            frame.row_mut(x, y, 1).copy_from_slice(if x < width / 2 { &text } else { &photo });
        }
    }
}

/// Text that scrolls beside a photograph, something that covers both, time in which it is made exact, and a resize.
fn film(is_lossless: bool, bytes: Option<usize>) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(is_lossless).expect("zstd has memory");
    let mut frame = Frame::new(Size { width: 150, height: 140 });
    let mut payloads = Vec::new();
    for step in 0..14_u16 {
        if step == 10 {
            frame.resize(Size { width: 90, height: 40 });
        }
        match step {
            3 | 4 => (0..100).for_each(|y| frame.row_mut(0, y, 140).fill(90)),
            6..10 => {}
            _ => paint(&mut frame, step),
        }
        let now = Duration::from_millis(u64::from(step) * 200);
        payloads
            .extend(encoder.encode(&frame, &Damage::full(frame.size()), now, Budget { bytes, rate: None }).expect("zstd works"));
    }
    payloads
}

/// The pictures as the target `pictures` takes them.
fn unpacked(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut streams: [Option<Zstd<'static>>; STREAMS] = Default::default();
    let mut out = Vec::new();
    for payload in payloads {
        let (head, parts) = unpack(payload, &mut streams);
        let side = |at: usize| head.get(at).copied().unwrap_or_default();
        let mask: u16 = (0..).zip(&parts).map(|(kind, part)| u16::from(!part.is_empty()) << kind).sum();
        out.extend([side(0), side(1), side(3)]);
        out.extend(mask.to_le_bytes());
        parts.iter().filter(|part| !part.is_empty()).for_each(|part| write_part(part, &mut out));
    }
    out
}

/// A payload's head, and what is in its streams.
fn unpack<'a>(mut payload: &'a [u8], streams: &mut [Option<Zstd<'static>>; STREAMS]) -> (&'a [u8], Vec<Vec<u8>>) {
    let head = payload.split_off(..if payload[0] & 1 == 1 { 5 } else { 1 }).expect("a whole head");
    let mask = read_number(&mut payload);
    let lengths: Vec<usize> = (1..mask.count_ones()).map(|_| read_number(&mut payload)).collect();
    let mut lengths = lengths.into_iter();
    let part = |kind: usize| {
        if mask >> kind & 1 == 0 {
            return Vec::new();
        }
        let length = lengths.next().unwrap_or(payload.len());
        let piece = payload.split_off(..length).expect("a whole piece");
        let stream = streams[kind].get_or_insert_with(|| Zstd::new().expect("zstd has memory"));
        let mut part = vec![0; 1 << 20];
        let run = stream.run_on_buffers(piece, &mut part).expect("the encoder's own");
        part.truncate(run.bytes_written);
        part
    };
    (head, (0..STREAMS).map(part).collect())
}

fn read_number(bytes: &mut &[u8]) -> usize {
    let length = bytes.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let number = bytes.split_off(..length).expect("a whole number");
    number.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f))
}

/// Two pictures of a photograph as the target `transform` takes them.
fn symbols(side: u16) -> Vec<u8> {
    let mut frame = Frame::new(Size { width: side * 2, height: side });
    let mut photo = Frame::new(Size { width: side, height: side });
    let mut encoder = Encoder::new(false).expect("zstd has memory");
    let mut streams: [Option<Zstd<'static>>; STREAMS] = Default::default();
    let mut out = Vec::new();
    for step in 0..2 {
        paint(&mut frame, step);
        (0..side).for_each(|y| photo.row_mut(0, y, side).copy_from_slice(frame.row(side, y, side)));
        let budget = Budget { bytes: Some(100), rate: None };
        let now = Duration::from_millis(u64::from(step) * 50);
        let payload = encoder.encode(&photo, &Damage::full(photo.size()), now, budget).expect("zstd works").expect("it changed");
        let (_, parts) = unpack(&payload, &mut streams);
        if step == 0 {
            out.extend([side as u8 - 1, side as u8 - 1, 0, 40]);
        }
        parts[STREAMS - 9..].iter().for_each(|part| write_part(part, &mut out));
    }
    out
}

fn messages() -> Vec<Message> {
    let shape = CursorShape { width: 3, height: 2, hot_x: 1, hot_y: 1, bgra: (0..24).collect() };
    let screen = ScreenInfo { name: "DP-1".into(), x: 1920, y: 0, width: 1280, height: 800, primary: true };
    let screens = Screens { list: vec![screen; 2], offers_all: true, shown: Choice::One(1), view: 1, since: 300 };
    vec![
        Message::Chat("hé".into()),
        Message::Control(Holder::Remote),
        Message::Permissions(Permissions::all(), vec![Timer { permission: Permission::Mouse, seconds: 600 }]),
        Message::CursorShape(shape),
        Message::KnownCursor(0),
        Message::CursorPosition { x: 1, y: 1920 },
        Message::Screens(screens),
        Message::ShowScreen(Choice::All),
        Message::Aim(2),
        Message::Point { x: 7, y: 900 },
        Message::PointAway,
        Message::Clipboard(ClipboardMessage::Part { copy: 1, kind: Kind::Text, size: 5, offset: 0, bytes: b"hello".to_vec() }),
        Message::Clipboard(ClipboardMessage::Taken { copy: 1, bytes: 5 }),
        Message::Untyped('é'),
        Message::File(FileMessage::Offer(Offer { number: 1, name: "a.txt".into(), size: 5, fetch: None })),
        Message::File(FileMessage::Verified { number: 1 }),
        Message::Input(InputEvent::Motion { x: 7, y: 900 }),
        Message::Input(InputEvent::Text("hé".into())),
    ]
}

/// What the peer of a session on this side says to it in a second, as the target `records` takes it.
fn talk(role: Role) -> Vec<u8> {
    let mut now = Instant::now();
    let mut sides = [role, role.peer()].map(|role| Session::new(role, Duration::from_secs(1), now));
    let path = PathId(0);
    sides.iter_mut().for_each(|side| side.handle_input(now, Input::PathUp(path, PathKind::Direct, Carrier::Quic)));
    let mut out = vec![u8::from(role == Role::Viewer)];
    sides.iter_mut().for_each(|side| side.bulk_ready(now, true));
    for step in 0..20 {
        if let Some(message) = messages().into_iter().filter(|message| message.may_come_from(role.peer())).nth(step) {
            sides[1].send(now, message).expect("there is room");
        }
        for from in [0, 1] {
            sides[from].handle_input(now, Input::Timeout);
            loop {
                match sides[from].poll_output() {
                    Output::Timeout(_) => break,
                    Output::Transmit { lane, record, .. } => {
                        if from == 1 {
                            out.extend([(lane as u8) * 32 + 3, 1]);
                            write_part(&record, &mut out);
                        }
                        sides[1 - from].handle_input(now, Input::Received { path, lane, record: &record });
                    }
                    Output::Event(Event::WantPicture(_)) => sides[from].send_picture(now, vec![7; 30]),
                    Output::Event(Event::Picture(_)) => sides[from].picture_done(now),
                    Output::Event(Event::WantBulk(room)) => sides[from].send_bulk(now, vec![7; room.min(30)]),
                    Output::Event(Event::Bulk(_)) => sides[from].bulk_done(now),
                    Output::Event(_) => {}
                }
            }
        }
        out.extend([0, 49]);
        now += Duration::from_millis(50);
    }
    out
}
