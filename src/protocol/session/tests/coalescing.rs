//! Motion does not pile up; nothing else is dropped.

use super::{super::*, pair::*};
use crate::protocol::input::{InputEvent, Key};

fn motion(x: u16) -> Message {
    Message::Input(InputEvent::Motion { x, y: 0 })
}

fn key(down: bool) -> Message {
    Message::Input(InputEvent::Key { key: Key(4), down })
}

#[test]
fn motion_during_a_stall_is_one_motion_afterwards() {
    let (mut pair, relay) = Pair::connected(PathKind::Relayed, 40 * MS);
    pair.cut(relay);
    for message in (0..1000).map(motion).chain([key(true), motion(1), motion(2), key(false)]) {
        pair.send(Role::Viewer, message).expect("motion takes one place");
    }
    pair.add_path(PathKind::Relayed, 40 * MS, Duration::ZERO);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.host.messages, [motion(999), key(true), motion(2), key(false)]);
}

#[test]
fn a_slow_path_gets_fewer_motions_but_the_last_one_and_every_key() {
    let (mut pair, _) = Pair::connected(PathKind::Relayed, 500 * MS);
    for x in 0..2000 {
        pair.send(Role::Viewer, motion(x)).expect("motion is never refused");
        if x % 500 == 250 {
            pair.send(Role::Viewer, key(x % 1000 == 250)).expect("there is room");
        }
        pair.run(MS);
    }
    pair.run(Duration::from_secs(5));
    let told = &pair.host.messages;
    assert_eq!(told.last(), Some(&motion(1999)));
    assert!(told.len() < 500, "{}", told.len());
    let keys: Vec<_> = (0..told.len()).filter(|index| matches!(told[*index], Message::Input(InputEvent::Key { .. }))).collect();
    assert_eq!(keys.len(), 4);
    assert_eq!(told[keys[0] - 1], motion(250), "a key finds the pointer where it was");
}

#[test]
fn a_quick_path_gets_every_motion_and_few_lone_acknowledgements() {
    let (mut pair, _) = Pair::connected(PathKind::Lan, MS);
    let before = pair.host.transmitted[0];
    for x in 0..1000 {
        pair.send(Role::Viewer, motion(x)).expect("motion is never refused");
        pair.run(MS);
    }
    assert_eq!(pair.host.messages.len(), 1000);
    assert!(pair.host.transmitted[0] - before < 1000 / 16 + 10);
}
