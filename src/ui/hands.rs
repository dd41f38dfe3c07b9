//! What the viewer's hands do at a window, as actions for the host: gated by who has control and what is permitted, motion
//! coalesced, wheel turns gathered to notches, auto-repeat left to the host, and nothing ever left pressed. Where they may not move the
//! pointer but may point, motion points.

use std::collections::VecDeque;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::event::ViewerAction;
use crate::protocol::{
    input::{InputEvent, Locks, MAX_TEXT, Pressed},
    message::Holder,
    permission::{Permission, Permissions},
};

/// Actions that may wait while the session is busy. Beyond them new input is dropped, but never a release.
const MAX_WAITING: usize = 1024;

/// The state of the hands.
pub(super) struct Hands {
    permissions: Permissions,
    holder: Holder,
    connected: bool,
    pressed: Pressed,
    /// What the host was told of them last.
    locks: Option<Locks>,
    /// Part of a notch, right and down.
    wheel: (f64, f64),
    /// Whether the host was told where we point.
    points: bool,
    waiting: VecDeque<ViewerAction>,
}

impl Hands {
    /// Nothing is permitted yet.
    pub(super) fn new() -> Self {
        let wheel = (0.0, 0.0);
        Self {
            permissions: Permissions::NONE,
            holder: Holder::Remote,
            connected: false,
            pressed: Pressed::default(),
            locks: None,
            wheel,
            points: false,
            waiting: VecDeque::new(),
        }
    }

    /// What the host permits now.
    pub(super) fn permit(&mut self, permissions: Permissions) {
        self.permissions = permissions;
        self.let_go();
    }

    /// Who drives now.
    pub(super) fn set_holder(&mut self, holder: Holder) {
        self.holder = holder;
        self.let_go();
    }

    /// Whether there is a session that takes input now.
    pub(super) fn set_connected(&mut self, connected: bool) {
        if std::mem::replace(&mut self.connected, connected) != connected {
            self.let_go();
        }
    }

    /// Whether anything that is done goes to the host.
    pub(super) fn in_control(&self) -> bool {
        self.connected && self.holder == Holder::Remote && self.permissions.may_control()
    }

    /// Whether what is typed goes to the host.
    pub(super) fn may_type(&self) -> bool {
        self.in_control() && self.permissions.contains(Permission::Keyboard)
    }

    /// The pointer is over the picture no more.
    pub(super) fn point_away(&mut self) {
        if std::mem::take(&mut self.points) {
            self.waiting.push_back(ViewerAction::PointAway);
        }
    }

    /// Releases everything that is held. The locks are told anew afterwards: the host's user may have changed theirs.
    pub(super) fn let_go(&mut self) {
        self.point_away();
        self.locks = None;
        self.wheel = (0.0, 0.0);
        let releases = self.pressed.release_all();
        self.waiting.extend(releases.into_iter().map(ViewerAction::Input));
    }

    /// Does `event`, if it may be done and changes anything.
    pub(super) fn act(&mut self, event: InputEvent) {
        let needed = if event.is_keyboard() { Permission::Keyboard } else { Permission::Mouse };
        if !self.in_control() || !self.permissions.contains(needed) {
            if let InputEvent::Motion { x, y } = event {
                self.point(x, y);
            }
            return;
        }
        let release = matches!(event, InputEvent::Key { down: false, .. } | InputEvent::Button { down: false, .. });
        if (self.waiting.len() >= MAX_WAITING && !release) || !self.pressed.follow(&event) {
            return;
        }
        let motion = |action: &ViewerAction| matches!(action, ViewerAction::Input(InputEvent::Motion { .. }));
        let action = ViewerAction::Input(event);
        match self.waiting.back_mut() {
            Some(last) if motion(last) && motion(&action) => *last = action,
            _ => self.waiting.push_back(action),
        }
    }

    /// Shows the host's user this pixel, if that is permitted.
    fn point(&mut self, x: u16, y: u16) {
        if !self.connected || !self.permissions.contains(Permission::Point) {
            return;
        }
        if let Some(ViewerAction::Point { .. }) = self.waiting.back() {
            self.waiting.pop_back();
        }
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(ViewerAction::Point { x, y });
            self.points = true;
        }
    }

    /// Turns the wheel by parts of notches to the right and down.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range first")]
    pub(super) fn turn(&mut self, right: f64, down: f64) {
        let most = f64::from(i16::MAX);
        let gather = |sum: f64, more: f64| if more.is_finite() { (sum + more).clamp(-most, most) } else { sum };
        self.wheel = (gather(self.wheel.0, right), gather(self.wheel.1, down));
        let (dx, dy) = (self.wheel.0.trunc(), self.wheel.1.trunc());
        if dx != 0.0 || dy != 0.0 {
            self.wheel = (self.wheel.0 - dx, self.wheel.1 - dy);
            self.act(InputEvent::Scroll { dx: dx as i16, dy: dy as i16 });
        }
    }

    /// Tells the locks, if the host has not been told yet.
    pub(super) fn lock(&mut self, locks: Locks) {
        if self.may_type() && self.locks.replace(locks) != Some(locks) {
            self.act(InputEvent::Locks(locks));
        }
    }

    /// Types text that has no key.
    pub(super) fn write(&mut self, text: &str) {
        super::lines::pieces(text, MAX_TEXT).into_iter().for_each(|piece| self.act(InputEvent::Text(piece)));
    }

    /// Something else than input.
    pub(super) fn ask(&mut self, action: ViewerAction) {
        if self.waiting.len() < MAX_WAITING || action == ViewerAction::Quit {
            self.waiting.push_back(action);
        }
    }

    /// Hands over what waits, as far as there is room. Returns whether all of it went (or nobody listens any more).
    pub(super) fn flush(&mut self, actions: &mpsc::Sender<ViewerAction>) -> bool {
        while let Some(action) = self.waiting.pop_front() {
            match actions.try_send(action) {
                Ok(()) => {}
                Err(TrySendError::Full(action)) => {
                    self.waiting.push_front(action);
                    return false;
                }
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::input::{Button, Key};

    const DOWN: InputEvent = InputEvent::Key { key: Key(4), down: true };
    const UP: InputEvent = InputEvent::Key { key: Key(4), down: false };

    fn ready() -> Hands {
        let mut hands = Hands::new();
        hands.permit(Permissions::all());
        hands.set_connected(true);
        hands
    }

    fn sent(hands: &mut Hands) -> Vec<InputEvent> {
        let (sender, mut receiver) = mpsc::channel(64);
        assert!(hands.flush(&sender));
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|action| if let ViewerAction::Input(event) = action { event } else { panic!("{action:?}") })
            .collect()
    }

    #[test]
    fn motion_is_coalesced_but_never_across_a_press() {
        let mut hands = ready();
        let at = |x| InputEvent::Motion { x, y: 0 };
        let press = InputEvent::Button { button: Button::Left, down: true };
        [at(1), at(2), press.clone(), at(3), at(4)].into_iter().for_each(|event| hands.act(event));
        assert_eq!(sent(&mut hands), [at(2), press, at(4)]);
    }

    #[test]
    fn losing_control_releases_what_is_held_and_the_late_release_is_not_sent() {
        let mut hands = ready();
        hands.act(DOWN);
        hands.act(DOWN);
        hands.set_holder(Holder::Local);
        hands.act(UP);
        hands.act(DOWN);
        assert_eq!(sent(&mut hands), [DOWN, UP]);
        hands.set_holder(Holder::Remote);
        hands.act(UP);
        assert_eq!(sent(&mut hands), []);
    }

    #[test]
    fn only_what_is_permitted_goes_out() {
        let mut hands = ready();
        hands.permit([Permission::View, Permission::Mouse].into_iter().collect());
        hands.act(DOWN);
        hands.write("text");
        hands.turn(0.0, 1.0);
        assert_eq!(sent(&mut hands), [InputEvent::Scroll { dx: 0, dy: 1 }]);
        hands.permit(Permissions::view_only());
        assert!(!hands.in_control());
    }

    #[test]
    fn locks_are_told_when_they_change_and_after_the_keyboard_was_away() {
        let mut hands = ready();
        let (on, off) = (Locks { caps: true, num: false }, Locks::default());
        [on, on, off, off].into_iter().for_each(|locks| hands.lock(locks));
        hands.let_go();
        hands.lock(off);
        assert_eq!(sent(&mut hands), [on, off, off].map(InputEvent::Locks));
        hands.set_holder(Holder::Local);
        hands.lock(on);
        assert_eq!(sent(&mut hands), []);
        hands.set_holder(Holder::Remote);
        hands.lock(on);
        assert_eq!(sent(&mut hands), [InputEvent::Locks(on)]);
    }

    #[test]
    fn who_may_not_drive_but_point_points_and_stops_when_that_changes() {
        let (sender, mut receiver) = mpsc::channel(64);
        let mut hands = ready();
        hands.set_holder(Holder::Local);
        [1, 2].into_iter().for_each(|x| hands.act(InputEvent::Motion { x, y: 0 }));
        hands.act(DOWN);
        hands.permit(Permissions::view_only());
        hands.act(InputEvent::Motion { x: 3, y: 0 });
        hands.point_away();
        assert!(hands.flush(&sender));
        let sent: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        assert_eq!(sent, [ViewerAction::Point { x: 2, y: 0 }, ViewerAction::PointAway]);
    }

    #[test]
    fn parts_of_a_notch_add_up() {
        let mut hands = ready();
        for _ in 0..5 {
            hands.turn(0.0, -0.5);
        }
        hands.turn(f64::NAN, f64::INFINITY);
        assert_eq!(sent(&mut hands), [InputEvent::Scroll { dx: 0, dy: -1 }, InputEvent::Scroll { dx: 0, dy: -1 }]);
    }

    #[test]
    fn a_busy_session_bounds_what_waits_but_loses_no_release() {
        let mut hands = ready();
        hands.act(DOWN);
        for _ in 0..5000 {
            hands.act(InputEvent::Text("x".to_owned()));
        }
        hands.act(UP);
        assert_eq!(hands.waiting.len(), MAX_WAITING + 1);
        assert_eq!(hands.waiting.back(), Some(&ViewerAction::Input(UP)));
    }
}
