//! Pictures under way.

use super::{super::*, pair::*};

/// The most pictures under way on a path whose viewer decodes nothing.
fn unanswered(latency: Duration, size: usize) -> u32 {
    let (mut pair, _) = Pair::connected(PathKind::Direct, latency);
    pair.picture_size = size;
    pair.run(Duration::from_secs(5));
    pair.decode = Duration::from_secs(1000);
    let seen = pair.seen;
    pair.run(Duration::from_secs(10));
    pair.seen - seen
}

#[test]
fn the_round_trip_sets_how_many_pictures_are_under_way() {
    assert_eq!(unanswered(MS, 10), 2);
    assert_eq!(unanswered(30 * MS, 10), 5);
    assert_eq!(unanswered(300 * MS, 10), 8);
}

#[test]
fn bytes_are_bounded_and_a_huge_picture_travels_alone() {
    assert_eq!(unanswered(300 * MS, 1 << 20), 4);
    assert_eq!(unanswered(300 * MS, 5 << 20), 1);
}

#[test]
fn credit_survives_switches_neither_lost_nor_doubled() {
    let (mut pair, mut old) = Pair::connected(PathKind::Direct, 60 * MS);
    for round in 0..200 {
        let new = pair.add_path(PathKind::Direct, MS * (5 + round % 60), Duration::ZERO);
        pair.run(MS * 150);
        if round % 2 == 0 {
            pair.cut(old)
        } else {
            pair.blackhole(old)
        }
        pair.run(Duration::from_secs(3));
        old = new;
    }
    let seen = pair.seen;
    pair.run(Duration::from_secs(1));
    assert!(pair.seen > seen + 20, "still at full speed");
    pair.decode = Duration::from_secs(1000);
    pair.run(Duration::from_secs(5));
    assert!(pair.filmed - seen < 80 && pair.filmed <= pair.seen + 1, "{} filmed, {} seen", pair.filmed, pair.seen);
}

#[test]
fn a_still_screen_keeps_its_credit_over_a_stall() {
    let mut session = Session::new(Role::Host, RESUME, Instant::now());
    let now = Instant::now();
    let attach = record::Record::Attach { control: 0, picture: 0 }.encode();
    let mut wants = 0;
    for path in (0..3).map(PathId) {
        session.handle_input(now, Input::PathUp(path, PathKind::Direct, path::Carrier::Quic));
        session.handle_input(now, Input::Received { path, lane: Lane::Control, record: &attach });
        session.handle_input(now, Input::PathDown(path));
        wants += std::iter::from_fn(|| Some(session.poll_output()).filter(|output| !matches!(output, Output::Timeout(_))))
            .filter(|output| matches!(output, Output::Event(Event::WantPicture(_))))
            .count();
    }
    assert_eq!(wants, 1);
}
