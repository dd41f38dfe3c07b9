//! What the picture shows, at the viewer: takes over a new view with its first picture, chooses among the screens, and remembers the
//! shapes of the host's pointer.

use crate::{
    protocol::{
        cursors::Cursors,
        message::CursorShape,
        screens::{Choice, Screens},
    },
    ui::event::Show,
};

/// See the module.
#[derive(Default)]
pub(super) struct Shown {
    /// What the picture on hand shows.
    screens: Option<Screens>,
    /// What a picture on its way will show.
    coming: Option<Screens>,
    /// Pictures decoded.
    pictures: u64,
    /// The view that the host was told we aim at.
    aimed: u32,
    cursors: Cursors,
}

/// What is new with the picture on hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    /// To be told to the host: our coordinates are of this view.
    pub(super) aim: Option<u32>,
    /// The screen that was shown before, when it is gone.
    pub(super) lost: Option<String>,
}

impl Shown {
    /// The host told what there is.
    pub(super) fn told(&mut self, screens: Screens) -> Option<News> {
        self.coming = Some(screens);
        self.take_over()
    }

    /// A picture was decoded.
    pub(super) fn picture_decoded(&mut self) -> Option<News> {
        self.pictures += 1;
        self.take_over()
    }

    /// What the picture on hand shows, once the host told.
    pub(super) fn screens(&self) -> Option<&Screens> {
        self.screens.as_ref()
    }

    /// What to ask the host for.
    ///
    /// # Errors
    /// One line that says what is possible.
    pub(super) fn choose(&self, show: Show) -> Result<Choice, String> {
        // Who asks twice for the next one means the one after.
        let Some(screens) = self.coming.as_ref().or(self.screens()) else {
            return Err("the host has not told its screens yet; try again in a moment".to_owned());
        };
        let count = screens.list.len();
        match show {
            Show::Next => screens.next().ok_or_else(|| "the host shows its only screen already".to_owned()),
            Show::All if screens.offers_all => Ok(Choice::All),
            Show::All => Err("the host does not show all screens in one picture; type screens to see which there are".to_owned()),
            Show::One(index) if usize::from(index) < count => Ok(Choice::One(index)),
            Show::One(index) => Err(format!("there is no screen {index}; the host has {count}, counted from 0")),
        }
    }

    /// The pointer has a new shape.
    pub(super) fn new_cursor(&mut self, shape: &CursorShape) {
        self.cursors.add(shape.clone());
    }

    /// The shape that the host names; `None` breaks the protocol.
    pub(super) fn known_cursor(&self, number: u32) -> Option<CursorShape> {
        self.cursors.get(number).cloned()
    }

    /// The newest view counts from its first picture on. Before the first picture of all there is nothing else to aim at.
    fn take_over(&mut self) -> Option<News> {
        let pictures = self.pictures;
        let screens = self.coming.take_if(|screens| pictures == 0 || pictures > screens.since)?;
        let lost = self.screens.as_ref().and_then(|before| screens.lost_since(before)).map(str::to_owned);
        let aim = (self.aimed != screens.view).then_some(screens.view);
        self.aimed = screens.view;
        self.screens = Some(screens);
        Some(News { aim, lost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::screens::tests::row;

    const QUIET: Option<News> = Some(News { aim: None, lost: None });

    fn aims(view: u32) -> Option<News> {
        Some(News { aim: Some(view), lost: None })
    }

    #[test]
    fn a_view_is_aimed_at_with_its_first_picture() {
        let mut shown = Shown::default();
        assert_eq!(shown.told(row(2, Choice::All)), QUIET);
        assert_eq!(shown.picture_decoded(), None);
        let second = Screens { view: 1, since: 3, ..row(2, Choice::One(1)) };
        assert_eq!(shown.told(second), None);
        assert_eq!([(); 3].map(|()| shown.picture_decoded()), [None, None, aims(1)], "picture 3 is the fourth");
        assert_eq!(shown.screens().map(|screens| screens.shown), Some(Choice::One(1)));
        let other_list = Screens { view: 1, since: 3, ..row(3, Choice::One(1)) };
        assert_eq!(shown.told(other_list), QUIET, "the same view");
    }

    #[test]
    fn views_that_pass_by_are_not_aimed_at() {
        let mut shown = Shown::default();
        shown.told(row(2, Choice::All));
        shown.picture_decoded();
        shown.told(Screens { view: 1, since: 1, ..row(2, Choice::One(0)) });
        shown.told(Screens { view: 2, since: 2, ..row(2, Choice::One(1)) });
        assert_eq!((shown.picture_decoded(), shown.picture_decoded()), (None, aims(2)));
    }

    #[test]
    fn before_the_first_picture_the_newest_view_counts() {
        let mut shown = Shown::default();
        shown.told(row(2, Choice::All));
        assert_eq!(shown.told(Screens { view: 1, ..row(2, Choice::One(0)) }), aims(1));
    }

    #[test]
    fn a_screen_that_is_gone_is_told() {
        let mut shown = Shown::default();
        shown.told(row(3, Choice::One(2)));
        let news = shown.told(Screens { view: 1, ..row(2, Choice::One(0)) });
        assert_eq!(news, Some(News { aim: Some(1), lost: Some("S2".to_owned()) }));
    }

    #[test]
    fn only_what_is_offered_can_be_chosen() {
        let mut shown = Shown::default();
        assert!(shown.choose(Show::Next).is_err());
        shown.told(Screens { offers_all: false, ..row(2, Choice::One(0)) });
        assert_eq!((shown.choose(Show::Next), shown.choose(Show::One(1))), (Ok(Choice::One(1)), Ok(Choice::One(1))));
        assert!(shown.choose(Show::All).is_err() && shown.choose(Show::One(2)).is_err());
    }
}
