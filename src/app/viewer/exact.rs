//! Whether the picture is exact: what is told of it, and which screenshots wait for it.
//!
//! - That it is exact is told at once; that it is not, when it has not been for [`CATCHING_UP`]. What a picture leaves out comes with the
//!   next ones as a rule, and nobody is to be told of that sixty times a second.
//! - A screenshot is taken of the first exact picture, or of the one that is there after [`PATIENCE`] from the first picture on.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// See the module.
const CATCHING_UP: Duration = Duration::from_millis(300);
/// See the module.
const PATIENCE: Duration = Duration::from_secs(5);

/// Follows the pictures.
#[derive(Default)]
pub(super) struct Exactness {
    /// Since when the newest picture is not exact.
    lossy_since: Option<Instant>,
    told: Option<bool>,
    has_picture: bool,
}

impl Exactness {
    /// The newest picture.
    pub(super) fn decoded(&mut self, exact: bool, now: Instant) {
        self.has_picture = true;
        self.lossy_since = if exact { None } else { self.lossy_since.or(Some(now)) };
    }

    /// Whether the newest picture is exact.
    pub(super) fn is_exact(&self) -> bool {
        self.has_picture && self.lossy_since.is_none()
    }

    /// What is to be told now.
    pub(super) fn news(&mut self, now: Instant) -> Option<bool> {
        let exact = self.is_exact();
        let is_news = self.has_picture && self.told != Some(exact) && self.due().is_none_or(|due| due <= now);
        is_news.then(|| *self.told.insert(exact))
    }

    /// When there may be something to tell without another picture.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lossy_since.filter(|_| self.told != Some(false)).map(|since| since + CATCHING_UP)
    }
}

/// Files that wait for their picture.
#[derive(Default)]
pub(super) struct Shots(Vec<(PathBuf, Option<Instant>)>);

impl Shots {
    /// One more.
    pub(super) fn add(&mut self, file: PathBuf) {
        self.0.push((file, None));
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// There is a picture: those that it is for.
    pub(super) fn take(&mut self, exact: bool, now: Instant) -> Vec<PathBuf> {
        let (taken, waiting) =
            std::mem::take(&mut self.0).into_iter().partition(|(_, until)| exact || until.is_some_and(|until| until <= now));
        let waiting: Vec<(PathBuf, Option<Instant>)> = waiting;
        self.0 = waiting.into_iter().map(|(file, until)| (file, until.or(Some(now + PATIENCE)))).collect();
        let taken: Vec<(PathBuf, Option<Instant>)> = taken;
        taken.into_iter().map(|(file, _)| file).collect()
    }

    /// When to take what is there.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().filter_map(|(_, until)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn exact_is_told_at_once_and_catching_up_after_a_moment() {
        let (start, mut exactness) = (Instant::now(), Exactness::default());
        assert_eq!((exactness.news(start), exactness.due()), (None, None), "there is no picture");
        exactness.decoded(true, start);
        assert_eq!((exactness.news(start), exactness.news(start)), (Some(true), None));
        for picture in 0..20 {
            exactness.decoded(picture % 2 == 1, start + 16 * MS * picture);
            assert_eq!(exactness.news(start + 16 * MS * picture), None, "a loss that is gone with the next picture");
        }
        let lost = start + 1000 * MS;
        (0..10).for_each(|picture| exactness.decoded(false, lost + MS * picture));
        assert_eq!((exactness.news(lost + 10 * MS), exactness.is_exact()), (None, false));
        assert_eq!(exactness.due(), Some(lost + CATCHING_UP));
        assert_eq!(exactness.news(lost + CATCHING_UP), Some(false));
        assert_eq!((exactness.news(lost + 2 * CATCHING_UP), exactness.due()), (None, None));
        exactness.decoded(true, lost + 2 * CATCHING_UP);
        assert_eq!(exactness.news(lost + 2 * CATCHING_UP), Some(true));
    }

    #[test]
    fn a_screenshot_waits_for_an_exact_picture_but_not_for_ever() {
        let (start, mut shots) = (Instant::now(), Shots::default());
        let file = || PathBuf::from("a.png");
        shots.add(file());
        assert_eq!((shots.due(), shots.take(true, start), shots.is_empty()), (None, vec![file()], true));
        shots.add(file());
        assert!(shots.take(false, start).is_empty() && shots.due() == Some(start + PATIENCE));
        assert!(shots.take(false, start + PATIENCE - MS).is_empty());
        assert_eq!(shots.take(false, start + PATIENCE), [file()]);
        assert!(shots.is_empty() && shots.due().is_none());
    }
}
