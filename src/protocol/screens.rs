//! The screens of a host: which there are, and which of them the picture shows.
//!
//! The host numbers its *views*: what the picture shows, from where, how large. A view's number rises by one with every change,
//! from 0. Because pictures and control messages travel apart, [`Screens::since`] names the first picture of the view, and the
//! viewer says by [`Message::Aim`](super::message::Message::Aim) from when on its coordinates are pixels of that view. What is
//! aimed at any other view than the newest is not done: a click meant for one monitor never lands on another.

use serde::{Deserialize, Serialize};

/// The most screens that are told.
pub const MAX_SCREENS: usize = 16;
/// The longest name of a screen, in bytes of UTF-8.
pub const MAX_NAME: usize = 64;

/// One screen of the host, in pixels of its desktop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenInfo {
    /// What the host's system calls it; at most [`MAX_NAME`] bytes, without control characters.
    pub name: String,
    /// Pixels from the left edge of all screens together.
    pub x: u16,
    /// Pixels from the top edge of all screens together.
    pub y: u16,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// Whether it is the main one.
    pub primary: bool,
}

/// Which part of the desktop the picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// All screens in one picture.
    All,
    /// The screen at this place of the list.
    One(u8),
}

/// The host's screens, and which the picture shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screens {
    /// Those that the viewer may choose from, at least one and at most [`MAX_SCREENS`].
    pub list: Vec<ScreenInfo>,
    /// Whether the viewer may also choose all in one.
    pub offers_all: bool,
    /// What is shown.
    pub shown: Choice,
    /// The number of this view.
    pub view: u32,
    /// The first picture that shows it; pictures are numbered from 0.
    pub since: u64,
}

impl ScreenInfo {
    /// A name fit to be sent: without control characters, and cut at [`MAX_NAME`] bytes.
    #[must_use]
    pub fn clean_name(name: &str) -> String {
        let mut clean = String::new();
        for character in name.chars().filter(|character| !character.is_control()) {
            if clean.len() + character.len_utf8() > MAX_NAME {
                break;
            }
            clean.push(character);
        }
        clean
    }

    fn is_valid(&self) -> bool {
        self.name.len() <= MAX_NAME && !self.name.contains(char::is_control) && self.width > 0 && self.height > 0
    }
}

impl Screens {
    /// Whether every field is within its bounds.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        (1..=MAX_SCREENS).contains(&self.list.len()) && self.list.iter().all(ScreenInfo::is_valid) && self.has(self.shown)
    }

    /// The screen that is shown, unless it is all of them.
    #[must_use]
    pub fn shown_one(&self) -> Option<&ScreenInfo> {
        match self.shown {
            Choice::All => None,
            Choice::One(index) => self.list.get(usize::from(index)),
        }
    }

    /// What comes after what is shown: each screen in turn, then all in one where that is offered. `None`: there is no other.
    #[must_use]
    pub fn next(&self) -> Option<Choice> {
        let all = (self.offers_all && self.list.len() > 1).then_some(Choice::All);
        let ones = (0..self.list.len()).filter_map(|index| u8::try_from(index).ok()).map(Choice::One);
        let choices: Vec<Choice> = ones.chain(all).collect();
        let after = choices.iter().position(|choice| *choice == self.shown).map_or(0, |place| place + 1);
        choices.get(after % choices.len().max(1)).copied().filter(|_| self.list.len() > 1)
    }

    /// The name of the screen that was shown in `before` and is not here any more.
    #[must_use]
    pub fn lost_since<'a>(&self, before: &'a Self) -> Option<&'a str> {
        let name = before.shown_one()?.name.as_str();
        self.list.iter().all(|screen| screen.name != name).then_some(name)
    }

    fn has(&self, choice: Choice) -> bool {
        match choice {
            Choice::All => true,
            Choice::One(index) => usize::from(index) < self.list.len(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `count` screens side by side.
    pub(crate) fn row(count: u8, shown: Choice) -> Screens {
        let screen = |index: u8| ScreenInfo {
            name: format!("S{index}"),
            x: u16::from(index) * 100,
            y: 0,
            width: 100,
            height: 50,
            primary: index == 0,
        };
        Screens { list: (0..count).map(screen).collect(), offers_all: true, shown, view: 0, since: 0 }
    }

    #[test]
    fn next_goes_round_all_of_them_and_stays_where_there_is_one() {
        let round = [Choice::One(0), Choice::One(1), Choice::One(2), Choice::All, Choice::One(0)];
        for pair in round.windows(2) {
            assert_eq!(row(3, pair[0]).next(), Some(pair[1]));
        }
        assert_eq!((row(1, Choice::All).next(), row(1, Choice::One(0)).next()), (None, None));
        let without_all = Screens { offers_all: false, ..row(2, Choice::One(1)) };
        assert_eq!(without_all.next(), Some(Choice::One(0)));
    }

    #[test]
    fn bounds_are_inclusive() {
        assert!(row(16, Choice::One(15)).is_valid());
        let named = |name: String| {
            let mut screens = row(1, Choice::All);
            screens.list[0].name = name;
            screens
        };
        assert!(named("x".repeat(MAX_NAME)).is_valid());
        let mut empty = row(1, Choice::All);
        empty.list[0].height = 0;
        for invalid in [
            row(0, Choice::All),
            row(17, Choice::All),
            row(2, Choice::One(2)),
            named("x".repeat(MAX_NAME + 1)),
            named("\n".into()),
            empty,
        ] {
            assert!(!invalid.is_valid(), "{invalid:?}");
        }
    }

    #[test]
    fn a_clean_name_is_always_valid() {
        for name in ["HDMI-1", "\u{1b}[2J\nDP-2", &"ä".repeat(60)] {
            let clean = ScreenInfo::clean_name(name);
            assert!(clean.len() <= MAX_NAME && !clean.contains(char::is_control), "{clean:?}");
        }
    }

    #[test]
    fn a_screen_that_was_shown_and_is_gone_is_named() {
        let (before, after) = (row(3, Choice::One(2)), row(2, Choice::One(0)));
        assert_eq!(after.lost_since(&before), Some("S2"));
        assert_eq!(after.lost_since(&row(3, Choice::All)), None);
        assert_eq!(row(3, Choice::One(0)).lost_since(&before), None);
    }
}
