//! Without a path, and back.

use super::{super::*, pair::*};

/// The round trip of these tests, both ways and with its jitter.
const RTT: Duration = Duration::from_millis(80);

/// From the death of a path until it is told, as [`path::silence`] documents it.
fn noticed(ping: Duration) -> Duration {
    ping + path::silence(Some(RTT)) + RTT
}

#[test]
fn a_cut_is_a_stall_at_once_and_a_new_path_resumes_with_nothing_lost() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.send(Role::Viewer, Message::Chat("lost with the path".into())).expect("there is room");
    pair.cut(relay);
    for side in [&pair.host, &pair.viewer] {
        assert_eq!(side.told(&Event::Stalled), Some(pair.now));
        assert_eq!(side.session.current_path(), None);
    }
    pair.send(Role::Viewer, Message::Chat("said meanwhile".into())).expect("there is room");
    pair.run(RESUME - MS * 100);
    let back = pair.add_path(PathKind::Direct, 20 * MS, Duration::ZERO);
    pair.run(60 * MS);
    for side in [&pair.host, &pair.viewer] {
        let tail: Vec<_> = side.events.iter().rev().take(2).map(|(_, event)| event).collect();
        assert_eq!(tail, [&Event::PathChanged(back, PathKind::Direct), &Event::Resumed]);
    }
    assert_eq!(pair.host.messages, [Message::Chat("lost with the path".into()), Message::Chat("said meanwhile".into())]);
}

#[test]
fn chat_said_without_a_path_is_delivered_once_there_is_one_and_counts_only_then() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    let say = |pair: &mut Pair, text: &str| pair.send(Role::Viewer, Message::Chat(text.into())).expect("there is room");
    say(&mut pair, "before");
    pair.run(200 * MS);
    assert_eq!(pair.viewer.delivered, 1);
    // It arrives, but its acknowledgement does not.
    say(&mut pair, "into the gap");
    pair.run(41 * MS);
    pair.cut(relay);
    say(&mut pair, "meanwhile");
    pair.run(Duration::from_secs(30));
    assert_eq!((pair.host.messages.len(), pair.viewer.delivered), (2, 1));
    pair.add_path(PathKind::Direct, 20 * MS, Duration::ZERO);
    pair.run(200 * MS);
    assert_eq!(pair.host.messages, ["before", "into the gap", "meanwhile"].map(|text| Message::Chat(text.into())));
    assert_eq!(pair.viewer.delivered, 3);
}

#[test]
fn a_silent_death_is_told_within_the_documented_time() {
    for offset in 0..50 {
        let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
        pair.run(Duration::from_secs(1) + MS * 37 * offset);
        pair.blackhole(relay);
        pair.run(noticed(path::PING_CURRENT));
        assert!(pair.host.told(&Event::Stalled).is_some() && pair.viewer.told(&Event::Stalled).is_some());
    }
}

#[test]
fn a_silent_death_of_all_paths_is_told_within_the_documented_time() {
    for offset in 0..50 {
        let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
        let direct = pair.add_path(PathKind::Direct, 10 * MS, Duration::ZERO);
        pair.run(Duration::from_secs(1) + MS * 91 * offset);
        pair.blackhole(relay);
        pair.blackhole(direct);
        pair.run(noticed(path::PING_BACKUP));
        assert!(pair.host.told(&Event::Stalled).is_some() && pair.viewer.told(&Event::Stalled).is_some());
    }
}

#[test]
fn a_frozen_path_resumes_when_it_thaws() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.freeze(relay);
    pair.run(Duration::from_secs(20));
    assert!(pair.host.told(&Event::Stalled).is_some() && pair.viewer.told(&Event::Stalled).is_some());
    let seen = pair.seen;
    pair.thaw(relay);
    pair.run(Duration::from_secs(1));
    assert!(pair.host.told(&Event::Resumed).is_some() && pair.viewer.told(&Event::Resumed).is_some());
    assert!(pair.seen > seen + 10);
}

#[test]
fn a_path_that_works_in_one_direction_only_dies_on_both_sides() {
    let (mut pair, _) = Pair::connected(PathKind::Relayed, 40 * MS);
    let deaf = PathId(500);
    pair.input(Role::Host, Input::PathUp(deaf, PathKind::Lan, path::Carrier::Quic));
    pair.input(Role::Viewer, Input::PathUp(deaf, PathKind::Lan, path::Carrier::Quic));
    let attach = record::Record::Attach { control: 0, picture: 0 }.encode();
    pair.input(Role::Viewer, Input::Received { path: deaf, lane: Lane::Control, record: &attach });
    assert_eq!(pair.viewer.path(), Some(deaf), "for all it knows");
    pair.send(Role::Viewer, Message::Chat("hello".into())).expect("there is room");
    pair.run(Duration::from_secs(3));
    assert_ne!(pair.viewer.path(), Some(deaf));
    assert_eq!(pair.host.messages.len(), 1);
}

#[test]
fn after_the_resume_time_it_is_lost() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.cut(relay);
    pair.run(RESUME - MS);
    assert_eq!(pair.viewer.ended(), None);
    pair.run(MS);
    assert_eq!((pair.host.ended(), pair.viewer.ended()), (Some(EndReason::Lost), Some(EndReason::Lost)));
    assert!(pair.host.session.is_drained() && pair.viewer.session.is_drained());
}

#[test]
fn a_session_that_never_gets_a_path_is_lost_without_a_stall() {
    let mut pair = Pair::new(0);
    pair.input(Role::Viewer, Input::Timeout);
    pair.run(RESUME);
    assert_eq!(pair.viewer.events, [(pair.now, Event::Ended(EndReason::Lost))]);
}
