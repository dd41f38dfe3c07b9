//! The end.

use super::{super::*, pair::*};

#[test]
fn the_end_comes_after_everything_said_and_is_told_to_both() {
    let (mut pair, _) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.send(Role::Host, Message::Chat("bye".into())).expect("there is room");
    pair.end(Role::Host, EndReason::HostEnded);
    assert_eq!(pair.host.ended(), Some(EndReason::HostEnded));
    assert!(!pair.host.session.is_drained());
    pair.run(100 * MS);
    assert_eq!(pair.viewer.ended(), Some(EndReason::HostEnded));
    assert_eq!(pair.viewer.messages, [Message::Chat("bye".into())]);
    assert!(pair.host.session.is_drained() && pair.viewer.session.is_drained());
}

#[test]
fn after_the_end_nothing_more_goes_out() {
    let (mut pair, _) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.end(Role::Viewer, EndReason::ViewerLeft);
    pair.run(Duration::from_secs(1));
    let transmitted = [pair.host.transmitted, pair.viewer.transmitted];
    pair.send(Role::Host, Message::Chat("anyone?".into())).expect("nobody is left to tell, which is no error");
    pair.end(Role::Host, EndReason::HostEnded);
    pair.run(Duration::from_secs(300));
    assert_eq!([pair.host.transmitted, pair.viewer.transmitted], transmitted);
    assert_eq!(pair.host.ended(), Some(EndReason::ViewerLeft));
}

#[test]
fn both_may_end_at_once() {
    let (mut pair, _) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.end(Role::Viewer, EndReason::ViewerLeft);
    pair.end(Role::Host, EndReason::PasswordRotated);
    pair.run(200 * MS);
    assert_eq!((pair.host.ended(), pair.viewer.ended()), (Some(EndReason::PasswordRotated), Some(EndReason::ViewerLeft)));
    assert!(pair.host.session.is_drained() && pair.viewer.session.is_drained());
}

#[test]
fn the_end_finds_its_way_over_another_path() {
    let (mut pair, _) = Pair::connected(PathKind::Relayed, 40 * MS);
    let direct = pair.add_path(PathKind::Direct, 10 * MS, Duration::ZERO);
    pair.run(Duration::from_secs(1));
    pair.blackhole(direct);
    pair.end(Role::Host, EndReason::HostQuit);
    pair.run(Duration::from_secs(4));
    assert_eq!(pair.viewer.ended(), Some(EndReason::HostQuit));
    assert!(pair.host.session.is_drained());
}

#[test]
fn an_end_during_a_stall_is_told_when_a_path_is_back() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.cut(relay);
    pair.end(Role::Host, EndReason::HostEnded);
    pair.run(Duration::from_secs(10));
    pair.add_path(PathKind::Relayed, 40 * MS, Duration::ZERO);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.viewer.ended(), Some(EndReason::HostEnded));
    assert!(pair.host.session.is_drained());
}

#[test]
fn a_full_outbox_still_ends() {
    let (mut pair, _) = Pair::connected(PathKind::Relayed, 40 * MS);
    let said = (0..3000).filter(|_| pair.send(Role::Viewer, Message::Chat("x".repeat(1000))).is_ok()).count();
    assert_eq!(pair.send(Role::Viewer, Message::Chat(String::new())), Err(Full));
    pair.end(Role::Viewer, EndReason::ViewerLeft);
    pair.run(Duration::from_secs(1));
    assert_eq!((pair.host.messages.len(), pair.host.ended()), (said, Some(EndReason::ViewerLeft)));
}

#[test]
fn a_picture_too_long_for_any_record_ends_the_session() {
    let (mut pair, _) = Pair::connected(PathKind::Lan, MS);
    pair.picture_size = MAX_PICTURE + 1;
    pair.run(Duration::from_secs(1));
    assert_eq!((pair.host.ended(), pair.viewer.ended()), (Some(EndReason::ScreenLost), Some(EndReason::ScreenLost)));
}
