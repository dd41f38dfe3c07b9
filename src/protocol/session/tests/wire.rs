//! Wire vectors: what two versions of `rs` must agree on. A change here is a new protocol version.

use data_encoding::HEXLOWER;

use super::super::{record::Record, *};
use crate::protocol::{
    clipboard::{ClipboardMessage, Kind, Refusal},
    grants::Timer,
    input::{Button, InputEvent, Key, Locks, Meaning},
    message::{CursorShape, Holder},
    permission::{Permission, Permissions},
    screens::{Choice, ScreenInfo, Screens},
    stats::{HostStats, ModeBytes, Spread},
    transfer::{Chunk, FileMessage, Offer},
};

#[track_caller]
fn golden(record: Record<'_>, hex: &str) {
    let bytes = record.encode();
    assert_eq!(HEXLOWER.encode(&bytes), hex, "{record:?}");
    assert_eq!(Record::decode(record.lane(), &bytes), Ok(record));
}

#[track_caller]
fn golden_message(message: Message, hex: &str) {
    golden(Record::Message { seq: 1, ack: 2, message: Cow::Owned(message) }, &format!("020102{hex}"));
}

#[test]
fn records() {
    golden(Record::Attach { control: 1, picture: 300 }, "0001ac02");
    golden(Record::Nominate { epoch: 7 }, "0107");
    golden(Record::Ack { control: 127, picture: 128 }, "037f8001");
    golden(Record::Ping { number: 9 }, "0409");
    golden(Record::Pong { number: u64::MAX, at: 300 }, "05ffffffffffffffffff01ac02");
    golden(Record::Picture { number: 3, payload: &[0xaa, 0xbb] }, "060302aabb");
    golden(Record::Arrived { picture: 3, at: 300 }, "0703ac02");
    golden(Record::Link { rate: 250_000, queue: 1500 }, "0890a10fdc0b");
    golden(Record::Chunk { number: 3, payload: &[0xaa, 0xbb] }, "090302aabb");
    golden(Record::Reached { chunk: 3, at: 300 }, "0a03ac02");
    golden(Record::Taken { below: 300 }, "0bac02");
}

#[test]
fn messages() {
    golden_message(Message::Chat("hé".into()), "010368c3a9");
    golden_message(Message::Control(Holder::Local), "0200");
    golden_message(Message::Control(Holder::Remote), "0201");
    golden_message(Message::Permissions(Permissions::all(), Vec::new()), "033f00");
    let timer = |permission, seconds| Timer { permission, seconds };
    let timers = vec![timer(Permission::Mouse, 300), timer(Permission::Files, 1)];
    golden_message(Message::Permissions(Permissions::all(), timers), "033f0202ac020501");
    let shape = CursorShape { width: 1, height: 2, hot_x: 0, hot_y: 1, bgra: (1..=8).collect() };
    golden_message(Message::CursorShape(shape), "0401020001080102030405060708");
    golden_message(Message::CursorPosition { x: 1, y: 1920 }, "0501800f");
}

#[test]
fn screens() {
    let screen = ScreenInfo { name: "DP-1".into(), x: 1920, y: 0, width: 3, height: 200, primary: true };
    let screens = Screens { list: vec![screen], offers_all: true, shown: Choice::One(0), view: 1, since: 300 };
    golden_message(Message::Screens(screens.clone()), "07010444502d31800f0003c8010101010001ac02");
    golden_message(
        Message::Screens(Screens { offers_all: false, shown: Choice::All, ..screens }),
        "07010444502d31800f0003c80101000001ac02",
    );
    golden_message(Message::ShowScreen(Choice::All), "0800");
    golden_message(Message::ShowScreen(Choice::One(2)), "080102");
    golden_message(Message::Aim(200), "09c801");
    golden_message(Message::KnownCursor(63), "0a3f");
    golden_message(Message::Point { x: 1, y: 200 }, "1001c801");
    golden_message(Message::PointAway, "11");
}

#[test]
fn files() {
    let file = |message, hex: &str| golden_message(Message::File(message), &format!("12{hex}"));
    let (number, reason, prefix) = (1, "no".to_owned(), [7; 32]);
    file(FileMessage::Offer(Offer { number, name: "a".into(), size: 300, fetch: Some(2) }), "00010161ac020102");
    file(FileMessage::Accept { number, offset: 300, prefix }, &format!("0101ac02{}", "07".repeat(32)));
    file(FileMessage::Refuse { number, reason: reason.clone() }, "0201026e6f");
    file(FileMessage::Stop { number, reason: reason.clone() }, "0301026e6f");
    file(FileMessage::Verified { number }, "0401");
    file(FileMessage::Fetch { number, path: "a".into() }, "05010161");
    file(FileMessage::NoFetch { number, reason }, "0601026e6f");
    let data = Chunk::Data { number, offset: 3, bytes: b"lo" };
    assert_eq!((HEXLOWER.encode(&data.encode()), Chunk::decode(&data.encode())), ("000103026c6f".into(), Some(data.clone())));
    let done = Chunk::Done { number, hash: [7; 32] };
    assert_eq!(HEXLOWER.encode(&done.encode()), format!("0101{}", "07".repeat(32)));
}

#[test]
fn stats() {
    golden_message(Message::Lossless(true), "0b01");
    golden_message(Message::AskStats, "0c");
    golden_message(Message::Stats(HostStats::default()), "0d00000000000000000000");
    let stage = |p50, p95| Some(Spread { p50, p95 });
    let bytes = ModeBytes { control: 1, indexed: 2, raw: 3, photo: 4, lossy: 300 };
    let (queue, wire) = (None, stage(5, 5));
    let stats = HostStats { capture: stage(1, 300), detect: stage(0, 2), encode: stage(128, 128), queue, wire, bytes };
    golden_message(Message::Stats(stats), "0d0101ac0201000201800180010001050501020304ac02");
}

#[test]
fn clipboard() {
    let part = ClipboardMessage::Part { copy: 1, kind: Kind::Image, size: 300, offset: 2, bytes: vec![7, 8] };
    golden_message(Message::Clipboard(part), "0e000101ac0202020708");
    golden_message(Message::Clipboard(ClipboardMessage::Taken { copy: 1, bytes: 300 }), "0e0101ac02");
    for (number, why) in [Refusal::NotPermitted, Refusal::NoClipboard].into_iter().enumerate() {
        golden_message(Message::Clipboard(ClipboardMessage::Refused { copy: 1, why }), &format!("0e0201{number:02x}"));
    }
}

#[test]
fn input_events() {
    golden_message(Message::Input(InputEvent::Motion { x: 1, y: 200 }), "000001c801");
    for (number, button) in [Button::Left, Button::Middle, Button::Right, Button::Back, Button::Forward].into_iter().enumerate() {
        golden_message(Message::Input(InputEvent::Button { button, down: true }), &format!("0001{number:02x}01"));
    }
    golden_message(Message::Input(InputEvent::Scroll { dx: -1, dy: 2 }), "00020104");
    golden_message(Message::Input(InputEvent::Key { key: Key(0xe1), down: false }), "0003e10100");
    golden_message(Message::Input(InputEvent::Text("a".into())), "00040161");
    let press = |meaning| Message::Input(InputEvent::Press { key: Key(0x14), meaning });
    golden_message(press(Meaning::Character('é')), "0005140002c3a9");
    golden_message(press(Meaning::Translated('é')), "0005140102c3a9");
    golden_message(press(Meaning::Shortcut('z')), "00051402017a");
    golden_message(press(Meaning::Level), "00051403");
    golden_message(Message::Input(InputEvent::Locks(Locks { caps: true, num: false })), "00060100");
    golden_message(Message::Untyped('中'), "0f03e4b8ad");
}

#[test]
fn ends() {
    use EndReason::*;
    let reasons = [HostEnded, ViewerLeft, PasswordRotated, HostQuit, Lost, ProtocolError, ScreenLost];
    for (number, reason) in reasons.into_iter().enumerate() {
        golden_message(Message::End(reason), &format!("06{number:02x}"));
    }
}
