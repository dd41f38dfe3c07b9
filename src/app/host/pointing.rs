//! Where the viewer points, on its way to the face: the newest place wins, and a face is told no more than [`A_SECOND`] of them.
//!
//! Time is an argument. Call [`Pointing::news`] after every change, and when [`Pointing::due`] has come.

use std::time::{Duration, Instant};

/// How often a face is told.
const A_SECOND: u32 = 30;

/// A pixel of the desktop, or nowhere.
pub(super) type Place = Option<(u16, u16)>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pointing {
    place: Place,
    told: Place,
    told_at: Option<Instant>,
}

impl Pointing {
    /// The viewer points there, or no more.
    pub(super) fn point(&mut self, place: Place) {
        self.place = place;
    }

    /// When [`Self::news`] has something to tell.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        (self.place != self.told).then(|| self.told_at.map_or(now, |told| told + Duration::from_secs(1) / A_SECOND))
    }

    /// What to tell the face now.
    pub(super) fn news(&mut self, now: Instant) -> Option<Place> {
        self.due(now).filter(|due| *due <= now)?;
        (self.told, self.told_at) = (self.place, Some(now));
        Some(self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_thirty_a_second_and_the_last_place_is_told() {
        let (mut pointing, start) = (Pointing::default(), Instant::now());
        let mut told = Vec::new();
        for step in 0..1000 {
            pointing.point(Some((step, 0)));
            told.extend(pointing.news(start + Duration::from_millis(step.into())));
        }
        assert!((28..=30).contains(&told.len()) && told[0] == Some((0, 0)), "{told:?}");
        pointing.point(None);
        let due = pointing.due(start + Duration::from_secs(1)).expect("something to tell");
        assert_eq!(pointing.news(due), Some(None), "that it points no more is told too");
        assert_eq!((pointing.due(due), pointing.news(due + Duration::from_secs(9))), (None, None));
    }

    #[test]
    fn whoever_never_pointed_is_not_told_to_point_no_more() {
        let mut pointing = Pointing::default();
        pointing.point(None);
        assert_eq!(pointing.news(Instant::now()), None);
    }
}
