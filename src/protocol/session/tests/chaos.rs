//! Thousands of seeded lives with everything that happens to networks: paths that come, slow down, freeze, thaw, break, vanish
//! without a word, one by one and all at once.

use rand::Rng;

use super::{super::*, pair::*};
use crate::protocol::input::{InputEvent, Key};

const LIVES: u64 = 1500;
/// Noticing the silent death of one path after another, and replaying, takes no longer than this.
const FREEZE: Duration = Duration::from_secs(12);

struct Life {
    pair: Pair,
    /// Paths that are up, and those of them that are frozen.
    paths: Vec<PathId>,
    frozen: Vec<PathId>,
    /// Numbered messages from host and viewer that must arrive.
    said: [u32; 2],
    last_motion: u16,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut life = Self { pair: Pair::new(seed), paths: vec![], frozen: vec![], said: [0; 2], last_motion: 0 };
        life.pair.film = MS * life.pair.rng.gen_range(20..120);
        life.pair.decode = MS * life.pair.rng.gen_range(0..40);
        life.add_path();
        life
    }

    fn add_path(&mut self) {
        let kind = [PathKind::Relayed, PathKind::Direct, PathKind::Lan][self.pair.rng.gen_range(0..3)];
        let (latency, jitter) = (self.pair.rng.gen_range(0..150), self.pair.rng.gen_range(0..50));
        let carrier = [path::Carrier::Tcp, path::Carrier::Quic][self.pair.rng.gen_range(0..2)];
        let path = self.pair.add_path_over(carrier, kind, MS * latency, MS * jitter);
        self.paths.push(path);
    }

    fn any(&mut self) -> Option<PathId> {
        (!self.paths.is_empty()).then(|| self.paths[self.pair.rng.gen_range(0..self.paths.len())])
    }

    fn forget(&mut self, path: PathId) {
        self.paths.retain(|other| *other != path);
        self.frozen.retain(|other| *other != path);
    }

    fn talk(&mut self) {
        let [host, viewer] = &mut self.said;
        match self.pair.rng.gen_range(0..6) {
            0 if self.pair.send(Role::Host, Message::Chat(host.to_string())).is_ok() => *host += 1,
            1 => drop(self.pair.send(Role::Host, Message::CursorPosition { x: 1, y: 1 })),
            2 if self.pair.send(Role::Viewer, Message::Chat(viewer.to_string())).is_ok() => *viewer += 1,
            3 | 4 => {
                self.last_motion += 1;
                let motion = InputEvent::Motion { x: self.last_motion, y: 0 };
                self.pair.send(Role::Viewer, Message::Input(motion)).expect("motion is never refused");
            }
            5 if self.pair.send(Role::Viewer, Message::Input(InputEvent::Key { key: Key(*viewer as u16), down: true })).is_ok() => {
                *viewer += 1
            }
            _ => {}
        }
    }

    fn misfortune(&mut self) {
        match self.pair.rng.gen_range(0..100) {
            0..4 if self.paths.len() < 4 => self.add_path(),
            4 => {
                if let Some(path) = self.any() {
                    self.pair.cut(path);
                    self.forget(path);
                }
            }
            5..7 => {
                if let Some(path) = self.any() {
                    self.pair.blackhole(path);
                    self.forget(path);
                }
            }
            7 => {
                if let Some(path) = self.any() {
                    self.pair.freeze(path);
                    self.frozen.push(path);
                }
            }
            8..10 => {
                if let Some(path) = self.frozen.pop() {
                    self.pair.thaw(path);
                }
            }
            10 if self.pair.rng.gen_bool(0.2) => {
                for path in std::mem::take(&mut self.paths) {
                    self.pair.blackhole(path);
                }
                self.frozen.clear();
            }
            _ => {}
        }
    }

    /// Everything said so far arrived, exactly once and in order.
    fn check(&self) {
        let position =
            |message: &&Message| matches!(message, Message::CursorPosition { .. } | Message::Input(InputEvent::Motion { .. }));
        let said: Vec<u32> = self.pair.viewer.messages.iter().filter(|message| !position(message)).map(number).collect();
        assert_eq!(said, (0..self.said[0]).collect::<Vec<_>>());
        let said: Vec<u32> = self.pair.host.messages.iter().filter(|message| !position(message)).map(number).collect();
        assert_eq!(said, (0..self.said[1]).collect::<Vec<_>>());
        let motions: Vec<u16> = self.pair.host.messages.iter().filter_map(motion).collect();
        assert!(motions.is_sorted_by(|a, b| a < b) && motions.last().is_none_or(|last| *last == self.last_motion));
        assert_eq!((self.pair.host.ended(), self.pair.viewer.ended()), (None, None));
        for (to, from) in [(&self.pair.host, &self.pair.viewer), (&self.pair.viewer, &self.pair.host)] {
            assert_eq!(from.delivered, to.chats, "all chat is known to be delivered");
        }
    }
}

fn number(message: &Message) -> u32 {
    match message {
        Message::Chat(text) => text.parse().expect("a number"),
        Message::Input(InputEvent::Key { key, .. }) => u32::from(key.0),
        other => panic!("nobody said {other:?}"),
    }
}

fn motion(message: &Message) -> Option<u16> {
    match message {
        Message::Input(InputEvent::Motion { x, .. }) => Some(*x),
        _ => None,
    }
}

/// Returns the switches and messages of a life.
fn live(seed: u64) -> (usize, usize) {
    let mut life = Life::new(seed);
    // The last time at which there was no good path, or the picture moved.
    let (mut moved, mut seen) = (life.pair.now, 0);
    for _ in 0..300 {
        life.misfortune();
        life.talk();
        let pause = life.pair.rng.gen_range(10..120);
        life.pair.run(MS * pause);
        let has_good_path = life.paths.iter().any(|path| !life.frozen.contains(path));
        if !has_good_path || life.pair.seen > seen {
            (moved, seen) = (life.pair.now, life.pair.seen);
        }
        assert!(life.pair.now < moved + FREEZE, "frozen with a good path, in use: {:?}", life.pair.viewer.path());
    }
    for path in std::mem::take(&mut life.paths) {
        if seed.is_multiple_of(2) { life.pair.cut(path) } else { life.pair.blackhole(path) }
    }
    life.add_path();
    let seen = life.pair.seen;
    life.pair.run(Duration::from_secs(6));
    assert!(life.pair.seen > seen, "the picture moves");
    life.check();
    let switches = life.pair.viewer.events.iter().filter(|(_, event)| matches!(event, Event::PathChanged(..))).count();
    (switches, life.pair.host.messages.len() + life.pair.viewer.messages.len())
}

#[test]
fn whatever_happens_to_the_paths_nothing_is_lost_doubled_reordered_or_stuck() {
    let (mut switches, mut messages) = (0, 0);
    for seed in 0..LIVES {
        let life = std::panic::catch_unwind(|| live(seed)).unwrap_or_else(|_| panic!("seed {seed} went wrong, see above"));
        (switches, messages) = (switches + life.0, messages + life.1);
    }
    println!("{LIVES} lives, {switches} switches, {messages} messages");
    assert!(switches > LIVES as usize, "the lives were not dull");
}
