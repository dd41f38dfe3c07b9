//! What the viewer is shown, at the host: numbers the views, does only what is aimed at the newest one, and names a pointer that the
//! viewer has seen before.
//!
//! Keys belong to whatever has the keyboard, so they pass. What the pointer does passes when the viewer aims at the newest view
//! ([`crate::protocol::screens`]); a release always passes, so that nothing stays held.

use crate::{
    desktop::View,
    protocol::{
        cursors::Cursors,
        input::InputEvent,
        message::{CursorShape, Message},
        screens::{Choice, Screens},
    },
};

/// See the module.
pub(super) struct Shown {
    view: View,
    /// The view's number.
    number: u32,
    /// The view's first picture.
    since: u64,
    /// Pictures sent.
    pictures: u64,
    /// The view that the viewer aims at.
    aimed: u32,
    /// Where the viewer's last motion put the pointer.
    pointed: Option<(u16, u16)>,
    cursors: Cursors,
}

impl Shown {
    /// The first view.
    pub(super) fn new(view: View) -> Self {
        Self { view, number: 0, since: 0, pictures: 0, aimed: 0, pointed: None, cursors: Cursors::default() }
    }

    /// What the viewer is to know.
    pub(super) fn screens(&self) -> Screens {
        let View { screens, offers_all, shown, .. } = self.view.clone();
        Screens { list: screens, offers_all, shown, view: self.number, since: self.since }
    }

    /// The pictures from here on show this. Returns the screen that was shown before, if it is gone.
    pub(super) fn change(&mut self, view: View) -> Option<String> {
        let before = self.screens();
        if !view.shows_same_place(&self.view) {
            self.number = self.number.wrapping_add(1);
            (self.since, self.pointed) = (self.pictures, None);
        }
        self.view = view;
        self.screens().lost_since(&before).map(str::to_owned)
    }

    /// The picture that was sent last shows the newest view already.
    pub(super) fn still(&mut self) {
        self.since = self.pictures.saturating_sub(1);
    }

    /// Whether the viewer may have this shown.
    pub(super) fn offers(&self, choice: Choice) -> bool {
        match choice {
            Choice::All => self.view.offers_all,
            Choice::One(index) => usize::from(index) < self.view.screens.len(),
        }
    }

    /// One more picture is on its way.
    pub(super) fn picture_sent(&mut self) {
        self.pictures += 1;
    }

    /// The viewer aims at this view from now on.
    pub(super) fn aim(&mut self, number: u32) {
        self.aimed = number;
    }

    /// The input to do, in pixels of the desktop; `None` if it was meant for something that is not shown any more.
    pub(super) fn aimed(&mut self, input: InputEvent) -> Option<InputEvent> {
        let is_current = self.aimed == self.number;
        match input {
            InputEvent::Motion { x, y } if is_current => {
                self.pointed = Some((x, y));
                let (x, y) = self.view.on_desktop(x, y);
                Some(InputEvent::Motion { x, y })
            }
            InputEvent::Button { down: true, .. } | InputEvent::Scroll { .. } if is_current => Some(input),
            InputEvent::Motion { .. } | InputEvent::Button { down: true, .. } | InputEvent::Scroll { .. } => None,
            InputEvent::Button { down: false, .. } | InputEvent::Key { .. } => Some(input),
            InputEvent::Press { .. } | InputEvent::Text(_) | InputEvent::Locks(_) => Some(input),
        }
    }

    /// The pixel of the desktop that the viewer points at; `None` if it meant something that is not shown any more.
    pub(super) fn pointed_at(&self, x: u16, y: u16) -> Option<(u16, u16)> {
        (self.aimed == self.number).then(|| self.view.on_desktop(x, y))
    }

    /// Tells where the pointer is, unless that is the echo of the viewer's own motion.
    pub(super) fn position(&self, x: u16, y: u16) -> Option<Message> {
        (self.pointed != Some((x, y))).then_some(Message::CursorPosition { x, y })
    }

    /// Tells what the pointer looks like, by `send`, which says whether it could.
    pub(super) fn cursor(&mut self, shape: CursorShape, mut send: impl FnMut(Message) -> bool) {
        match self.cursors.find(&shape) {
            Some(number) => drop(send(Message::KnownCursor(number))),
            // One that was not sent is not known there.
            None => {
                if send(Message::CursorShape(shape.clone())) {
                    self.cursors.add(shape);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::{
            input::{Button, Key},
            screens::ScreenInfo,
        },
        video::frame::Size,
    };

    const MOTION: InputEvent = InputEvent::Motion { x: 90, y: 500 };
    const PRESS: InputEvent = InputEvent::Button { button: Button::Left, down: true };
    const RELEASE: InputEvent = InputEvent::Button { button: Button::Left, down: false };
    const KEY: InputEvent = InputEvent::Key { key: Key(4), down: true };

    fn right(width: u16) -> View {
        let screen = |name: &str, x| ScreenInfo { name: name.into(), x, y: 0, width, height: 50, primary: x == 0 };
        let screens = vec![screen("left", 0), screen("right", 100)];
        View { screens, offers_all: true, shown: Choice::One(1), x: 100, y: 0, size: Size { width, height: 50 } }
    }

    #[test]
    fn motion_lands_on_the_screen_that_is_shown_and_never_beside_it() {
        let mut shown = Shown::new(right(80));
        assert_eq!(shown.aimed(MOTION), Some(InputEvent::Motion { x: 179, y: 49 }));
        assert_eq!(shown.pointed_at(90, 500), Some((179, 49)));
    }

    #[test]
    fn what_was_aimed_at_another_view_is_not_done_but_keys_and_releases_are() {
        let mut shown = Shown::new(View { shown: Choice::One(0), x: 0, ..right(100) });
        assert_eq!(shown.aimed(PRESS), Some(PRESS));
        shown.picture_sent();
        assert_eq!(shown.change(right(100)), None);
        assert_eq!((shown.screens().view, shown.screens().since), (1, 1));
        assert_eq!([MOTION, PRESS, InputEvent::Scroll { dx: 0, dy: 1 }].map(|input| shown.aimed(input)), [None, None, None]);
        assert_eq!([RELEASE, KEY].map(|input| shown.aimed(input)), [Some(RELEASE), Some(KEY)]);
        assert_eq!(shown.pointed_at(1, 1), None);
        shown.aim(1);
        assert_eq!(shown.aimed(MOTION), Some(InputEvent::Motion { x: 190, y: 49 }));
        shown.aim(7);
        assert_eq!(shown.aimed(MOTION), None, "a view that there never was");
    }

    #[test]
    fn a_monitor_that_comes_elsewhere_changes_the_list_but_not_the_view() {
        let mut shown = Shown::new(right(100));
        shown.picture_sent();
        let mut more = right(100);
        more.screens.push(ScreenInfo { name: "new".into(), x: 200, ..more.screens[0].clone() });
        shown.change(more);
        assert_eq!((shown.screens().list.len(), shown.screens().view, shown.screens().since), (3, 0, 0));
        assert!(shown.offers(Choice::One(2)) && !shown.offers(Choice::One(3)));
        let one = View::single("left", Size { width: 100, height: 50 });
        assert_eq!(shown.change(View { shown: Choice::One(0), ..one }), Some("right".to_owned()));
    }

    #[test]
    fn a_pointer_that_was_seen_is_named_and_one_that_did_not_leave_is_sent_again() {
        let shape = |shade| CursorShape { width: 1, height: 1, hot_x: 0, hot_y: 0, bgra: vec![shade; 4] };
        let mut shown = Shown::new(right(100));
        let mut told = Vec::new();
        shown.cursor(shape(1), |_| false);
        for shade in [1, 2, 1, 2] {
            shown.cursor(shape(shade), |message| {
                told.push(message);
                true
            });
        }
        let whole = |shade| Message::CursorShape(shape(shade));
        assert_eq!(told, [whole(1), whole(2), Message::KnownCursor(0), Message::KnownCursor(1)]);
    }
}
