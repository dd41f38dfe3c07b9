//! A peer that breaks the rules: the session ends with an error and the peer is told; it never panics, hangs or grows.

use proptest::prelude::*;

use super::{
    super::{record::Record, *},
    pair::{MS, PathKind},
};
use crate::protocol::{
    input::{InputEvent, MAX_TEXT},
    message::{CursorShape, Holder, MAX_CHAT},
    permission::Permissions,
    screens::Choice,
    stats::{HostStats, Spread},
};

const PATH: PathId = PathId(1);

/// A session of this side with one attached path, and the time.
fn attached(role: Role) -> (Session, Instant) {
    let now = Instant::now();
    let mut session = Session::new(role, MS * 1000, now);
    session.handle_input(now, Input::PathUp(PATH, PathKind::Direct, path::Carrier::Quic));
    give(&mut session, now, Lane::Control, &Record::Attach { control: 0, picture: 0 }.encode());
    (session, now)
}

fn give(session: &mut Session, now: Instant, lane: Lane, record: &[u8]) -> Vec<Output> {
    session.handle_input(now, Input::Received { path: PATH, lane, record });
    std::iter::from_fn(|| Some(session.poll_output()).filter(|output| !matches!(output, Output::Timeout(_)))).collect()
}

fn message(seq: u64, message: Message) -> Vec<u8> {
    Record::Message { seq, ack: 0, message: Cow::Owned(message) }.encode()
}

/// The record breaks the protocol at this side.
#[track_caller]
fn breaks(role: Role, lane: Lane, record: &[u8]) {
    let (mut session, now) = attached(role);
    let outputs = give(&mut session, now, lane, record);
    assert!(outputs.contains(&Output::Event(Event::Ended(EndReason::ProtocolError))), "{outputs:?}");
    let told = outputs.iter().any(|output| match output {
        Output::Transmit { record, .. } => {
            let record = Record::decode(Lane::Control, record).expect("our own record");
            matches!(record, Record::Message { message, .. } if *message == Message::End(EndReason::ProtocolError))
        }
        _ => false,
    });
    assert!(told, "the peer is told: {outputs:?}");
    assert_eq!(give(&mut session, now, lane, record), [], "and nothing more");
}

#[test]
fn undecodable_records() {
    for role in [Role::Host, Role::Viewer] {
        for lane in [Lane::Control, Lane::Video] {
            breaks(role, lane, &[]);
            breaks(role, lane, &[0xff; 40]);
        }
        breaks(role, Lane::Control, &[&message(0, Message::Chat("x".into()))[..], &[0]].concat());
    }
}

#[test]
fn records_and_messages_out_of_bounds() {
    let shape = |width, bytes| CursorShape { width, height: 1, hot_x: 0, hot_y: 0, bgra: vec![0; bytes] };
    breaks(Role::Host, Lane::Control, &message(0, Message::Chat("x".repeat(MAX_CHAT + 1))));
    breaks(Role::Host, Lane::Control, &message(0, Message::Input(InputEvent::Text("x".repeat(MAX_TEXT + 1)))));
    breaks(Role::Viewer, Lane::Control, &message(0, Message::CursorShape(shape(300, 1200))));
    breaks(Role::Viewer, Lane::Control, &message(0, Message::CursorShape(shape(2, 9))));
    breaks(Role::Viewer, Lane::Control, &message(0, Message::CursorShape(shape(1, record::MAX_CONTROL_RECORD))));
    breaks(Role::Viewer, Lane::Video, &Record::Picture { number: 0, payload: &vec![0; MAX_PICTURE + 32] }.encode());
    let disordered = HostStats { wire: Some(Spread { p50: 2, p95: 1 }), ..HostStats::default() };
    breaks(Role::Viewer, Lane::Control, &message(0, Message::Stats(disordered)));
}

#[test]
fn the_wrong_direction() {
    let shape = CursorShape { width: 0, height: 0, hot_x: 0, hot_y: 0, bgra: vec![] };
    breaks(Role::Viewer, Lane::Control, &message(0, Message::Input(InputEvent::Motion { x: 0, y: 0 })));
    breaks(Role::Host, Lane::Control, &message(0, Message::Control(Holder::Remote)));
    breaks(Role::Host, Lane::Control, &Record::Link { rate: 1, queue: 1 }.encode());
    breaks(Role::Viewer, Lane::Control, &Record::Arrived { picture: 0, at: 0 }.encode());
    breaks(Role::Host, Lane::Control, &message(0, Message::Permissions(Permissions::all(), Vec::new())));
    breaks(Role::Host, Lane::Control, &message(0, Message::CursorShape(shape)));
    breaks(Role::Host, Lane::Control, &message(0, Message::KnownCursor(0)));
    breaks(Role::Viewer, Lane::Control, &message(0, Message::ShowScreen(Choice::All)));
    breaks(Role::Viewer, Lane::Control, &message(0, Message::Aim(0)));
    breaks(Role::Viewer, Lane::Control, &message(0, Message::Lossless(true)));
    breaks(Role::Viewer, Lane::Control, &message(0, Message::AskStats));
    breaks(Role::Host, Lane::Control, &message(0, Message::Stats(HostStats::default())));
    breaks(Role::Host, Lane::Control, &message(0, Message::CursorPosition { x: 0, y: 0 }));
    breaks(Role::Host, Lane::Video, &Record::Picture { number: 0, payload: &[] }.encode());
    breaks(Role::Viewer, Lane::Control, &Record::Nominate { epoch: 1 }.encode());
}

#[test]
fn the_wrong_lane() {
    breaks(Role::Viewer, Lane::Control, &Record::Picture { number: 0, payload: &[] }.encode());
    breaks(Role::Host, Lane::Video, &message(0, Message::Chat(String::new())));
    breaks(Role::Viewer, Lane::Video, &Record::Attach { control: 0, picture: 0 }.encode());
}

#[test]
fn the_other_sides_reasons_to_end() {
    use EndReason::{HostEnded, HostQuit, Lost, PasswordRotated, ScreenLost, ViewerLeft};
    for reason in [HostEnded, HostQuit, PasswordRotated, ScreenLost, Lost] {
        breaks(Role::Host, Lane::Control, &message(0, Message::End(reason)));
    }
    for reason in [ViewerLeft, Lost] {
        breaks(Role::Viewer, Lane::Control, &message(0, Message::End(reason)));
    }
}

#[test]
fn gaps_false_acknowledgements_and_rules_of_the_path() {
    breaks(Role::Host, Lane::Control, &message(1, Message::Chat(String::new())));
    breaks(Role::Viewer, Lane::Video, &Record::Picture { number: 1, payload: &[] }.encode());
    breaks(Role::Host, Lane::Control, &Record::Ack { control: 1, picture: 0 }.encode());
    breaks(Role::Host, Lane::Control, &Record::Ack { control: 0, picture: 1 }.encode());
    breaks(Role::Viewer, Lane::Control, &Record::Ack { control: 0, picture: u64::MAX }.encode());
    breaks(Role::Host, Lane::Control, &Record::Attach { control: 0, picture: 0 }.encode());
    breaks(Role::Host, Lane::Control, &Record::Nominate { epoch: 0 }.encode());
    breaks(Role::Host, Lane::Control, &Record::Pong { number: 7, at: 0 }.encode());
}

#[test]
fn words_before_the_attach() {
    let now = Instant::now();
    let mut session = Session::new(Role::Host, MS * 1000, now);
    session.handle_input(now, Input::PathUp(PATH, PathKind::Direct, path::Carrier::Quic));
    let outputs = give(&mut session, now, Lane::Control, &message(0, Message::Chat(String::new())));
    assert!(outputs.contains(&Output::Event(Event::Ended(EndReason::ProtocolError))));
}

#[test]
fn more_pictures_than_there_is_credit_for() {
    let (mut session, now) = attached(Role::Viewer);
    let mut told = Vec::new();
    for number in 0..=pictures::MAX_WINDOW as u64 {
        told.extend(give(&mut session, now, Lane::Video, &Record::Picture { number, payload: &[1] }.encode()));
    }
    let pictures = told.iter().filter(|output| matches!(output, Output::Event(Event::Picture(_)))).count();
    assert_eq!(pictures, pictures::MAX_WINDOW);
    assert!(told.contains(&Output::Event(Event::Ended(EndReason::ProtocolError))));
}

#[test]
fn records_on_unknown_paths_are_ignored() {
    let (mut session, now) = attached(Role::Host);
    session.handle_input(now, Input::Received { path: PathId(9), lane: Lane::Control, record: &[0xff] });
    assert!(session.current_path().is_some());
}

/// A record that is well-formed, but comes at any time and with any numbers.
fn any_record() -> impl Strategy<Value = (Lane, Vec<u8>)> {
    let number = || prop_oneof![0_u64..4, any::<u64>()];
    let control = prop_oneof![
        (number(), number()).prop_map(|(control, picture)| Record::Attach { control, picture }.encode()),
        number().prop_map(|epoch| Record::Nominate { epoch }.encode()),
        (number(), any::<String>()).prop_map(|(seq, text)| message(seq, Message::Chat(text))),
        (number(), number()).prop_map(|(control, picture)| Record::Ack { control, picture }.encode()),
        number().prop_map(|number| Record::Ping { number }.encode()),
        (number(), any::<u64>()).prop_map(|(number, at)| Record::Pong { number, at }.encode()),
        (number(), any::<u64>()).prop_map(|(picture, at)| Record::Arrived { picture, at }.encode()),
        (any::<u64>(), any::<u64>()).prop_map(|(rate, queue)| Record::Link { rate, queue }.encode()),
        prop::collection::vec(any::<u8>(), 0..200),
        (0_u8..9, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(variant, bytes)| [&[variant][..], &bytes].concat()),
    ];
    let video = (number(), prop::collection::vec(any::<u8>(), 0..40));
    prop_oneof![
        control.prop_map(|record| (Lane::Control, record)),
        video.prop_map(|(number, payload)| (Lane::Video, Record::Picture { number, payload: &payload }.encode())),
    ]
}

proptest! {
    #[test]
    fn any_records_neither_panic_nor_grow(host: bool, records in prop::collection::vec(any_record(), 0..60)) {
        let (mut session, mut now) = attached(if host { Role::Host } else { Role::Viewer });
        let mut ended = false;
        for (lane, record) in records {
            now += MS;
            let outputs = give(&mut session, now, lane, &record);
            prop_assert!(!ended || !outputs.iter().any(|output| matches!(output, Output::Event(_))), "nothing after the end");
            prop_assert!(outputs.len() <= 4, "{:?}", outputs);
            ended |= outputs.iter().any(|output| matches!(output, Output::Event(Event::Ended(_))));
        }
    }
}

#[test]
fn chunks_out_of_order_or_bounds() {
    let chunk = |number, size| Record::Chunk { number, payload: &vec![0; size] }.encode();
    for role in [Role::Host, Role::Viewer] {
        breaks(role, Lane::Bulk, &chunk(1, 10));
        breaks(role, Lane::Control, &chunk(0, 10));
        breaks(role, Lane::Bulk, &chunk(0, MAX_CHUNK + 100));
        breaks(role, Lane::Bulk, &Record::Ping { number: 0 }.encode());
        breaks(role, Lane::Control, &Record::Taken { below: 1 }.encode());
        let (mut session, now) = attached(role);
        let ended = |outputs: Vec<Output>| outputs.contains(&Output::Event(Event::Ended(EndReason::ProtocolError)));
        let taken =
            (0..10_000).take_while(|number| !ended(give(&mut session, now, Lane::Bulk, &chunk(*number, MAX_CHUNK)))).count();
        assert_eq!(taken, bulk::MAX_IN_FLIGHT / MAX_CHUNK);
    }
}
