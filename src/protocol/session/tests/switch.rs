//! Moving from path to path.

use super::{super::*, pair::*};

fn chat(number: u32) -> Message {
    Message::Chat(number.to_string())
}

#[test]
fn a_better_path_is_taken_at_once_and_the_relay_stays_as_a_backup() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(relay), Some(relay)));
    let direct = pair.add_path(PathKind::Direct, 15 * MS, Duration::ZERO);
    pair.run(31 * MS);
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(direct), Some(direct)));
    pair.cut(direct);
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(relay), Some(relay)), "no waiting");
    assert_eq!(pair.host.told(&Event::Stalled), None);
}

#[test]
fn a_worse_path_is_never_taken_while_the_better_one_lives() {
    let (mut pair, lan) = Pair::connected(PathKind::Lan, 80 * MS);
    pair.add_path(PathKind::Relayed, MS, Duration::ZERO);
    pair.run(Duration::from_secs(60));
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(lan), Some(lan)));
}

#[test]
fn a_path_that_the_peer_never_attaches_is_not_used() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.input(Role::Viewer, Input::PathUp(PathId(1000), PathKind::Lan, path::Carrier::Quic));
    pair.run(Duration::from_secs(10));
    assert_eq!(pair.viewer.path(), Some(relay));
}

#[test]
fn what_was_under_way_on_a_silently_dead_path_arrives_on_the_backup() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    let direct = pair.add_path(PathKind::Direct, 15 * MS, Duration::ZERO);
    pair.run(Duration::from_secs(3));
    pair.blackhole(direct);
    for number in 0..100 {
        pair.send(Role::Viewer, chat(number)).expect("there is room");
        pair.send(Role::Host, chat(number)).expect("there is room");
    }
    let seen = pair.seen;
    pair.run(path::PING_CURRENT + path::silence(Some(30 * MS)) + 200 * MS);
    let sent: Vec<_> = (0..100).map(chat).collect();
    assert_eq!((&pair.host.messages, &pair.viewer.messages), (&sent, &sent));
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(relay), Some(relay)));
    pair.run(300 * MS);
    assert!(pair.seen > seen, "the picture moves on");
    assert_eq!(pair.host.told(&Event::Stalled), None, "there was always a path");
}

#[test]
fn when_the_backup_breaks_a_silently_dead_path_is_noticed_sooner_and_a_living_one_stays() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    let direct = pair.add_path(PathKind::Direct, 15 * MS, Duration::ZERO);
    pair.run(Duration::from_secs(3));
    pair.cut(relay);
    pair.run(Duration::from_secs(3));
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(direct), Some(direct)));
    let relay = pair.add_path(PathKind::Relayed, 40 * MS, Duration::ZERO);
    pair.run(Duration::from_secs(3));
    pair.blackhole(direct);
    pair.cut(relay);
    pair.run(path::HASTE + 4 * 30 * MS + 10 * MS);
    assert!(pair.host.told(&Event::Stalled).is_some() && pair.viewer.told(&Event::Stalled).is_some());
}

#[test]
fn paths_that_die_together_without_a_word_are_all_given_up_when_the_first_one_is() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 20 * MS);
    let mut paths = vec![relay];
    paths.extend([10, 12, 15].map(|latency| pair.add_path(PathKind::Direct, latency * MS, Duration::ZERO)));
    pair.run(Duration::from_secs(3));
    paths.into_iter().for_each(|path| pair.blackhole(path));
    let silent = pair.now;
    pair.run(Duration::from_secs(4));
    let stalled = pair.viewer.told(&Event::Stalled).expect("nothing is left");
    assert!(stalled < silent + path::PING_CURRENT + path::silence(Some(40 * MS)) + 100 * MS, "{:?}", stalled - silent);
}

#[test]
fn pings_keep_two_good_paths_of_a_tier_from_flapping() {
    let (mut pair, _) = Pair::connected(PathKind::Direct, 30 * MS);
    pair.add_path(PathKind::Direct, 25 * MS, 10 * MS);
    pair.run(Duration::from_secs(120));
    let switches = pair.viewer.events.iter().filter(|(_, event)| matches!(event, Event::PathChanged(..))).count();
    assert_eq!(switches, 1);
}

#[test]
fn of_two_punched_paths_the_session_ends_up_on_quic_whichever_is_first() {
    let (mut pair, _) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.add_path_over(path::Carrier::Tcp, PathKind::Direct, 15 * MS, 5 * MS);
    pair.run(5 * MS);
    let quic = pair.add_path(PathKind::Direct, 17 * MS, 5 * MS);
    pair.run(Duration::from_secs(120));
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(quic), Some(quic)));
    let switches = pair.viewer.events.iter().filter(|(_, event)| matches!(event, Event::PathChanged(..))).count();
    assert!(switches <= 3, "relay, TCP, QUIC, and there it stays");
}

#[test]
fn a_much_quicker_path_of_the_tier_is_taken_after_a_while() {
    let (mut pair, _) = Pair::connected(PathKind::Direct, 80 * MS);
    let quick = pair.add_path(PathKind::Direct, 10 * MS, Duration::ZERO);
    pair.run(Duration::from_secs(5));
    assert_ne!(pair.viewer.path(), Some(quick));
    pair.run(Duration::from_secs(10));
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(quick), Some(quick)));
}

#[test]
fn beyond_the_bound_a_new_path_takes_the_place_of_a_spare_one() {
    let (mut pair, first) = Pair::connected(PathKind::Relayed, MS);
    for _ in 0..3 * MAX_PATHS {
        pair.add_path(PathKind::Relayed, MS, Duration::ZERO);
        pair.run(10 * MS);
    }
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(first), Some(first)), "the one in use stays");
    let lan = pair.add_path(PathKind::Lan, MS, Duration::ZERO);
    pair.run(10 * MS);
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(lan), Some(lan)));
}

#[test]
fn sides_that_hold_different_paths_for_dead_both_take_a_new_one() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, MS);
    for extra in 0..MAX_PATHS as u64 {
        pair.input(Role::Viewer, Input::PathUp(PathId(1000 + extra), PathKind::Lan, path::Carrier::Quic));
    }
    let direct = pair.add_path(PathKind::Direct, MS, Duration::ZERO);
    pair.run(10 * MS);
    assert_eq!((pair.host.path(), pair.viewer.path()), (Some(direct), Some(direct)));
    pair.cut(relay);
    assert_eq!(pair.host.path(), Some(direct));
}
