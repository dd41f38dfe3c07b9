//! Figures of a picture's way from screen to window: how each stage is summed up, and what the host tells of its own stages.
//!
//! ```text
//! host    capture ─► detect ─► encode ─► queue ─► wire        viewer    decode ─► present
//! ```
//!
//! - A stage is its newest [`SAMPLES`] pictures: their median and 95th percentile, by the nearest rank.
//! - A pace is what came in the last [`WINDOW`].
//! - Both forget by themselves and are bounded: [`SAMPLES`] times, and [`MOST_PICTURES`] pictures.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// A stage is summed up over so many pictures: two seconds of a moving screen.
pub const SAMPLES: usize = 120;
/// A pace is measured over this time.
pub const WINDOW: Duration = Duration::from_secs(2);
/// More pictures in a [`WINDOW`] than these do not count: more than twice as many as a host makes.
pub const MOST_PICTURES: usize = 256;

/// How long the newest pictures took in one stage.
#[derive(Clone, Debug, Default)]
pub struct Samples(VecDeque<Duration>);

impl Samples {
    /// One more; the oldest beyond [`SAMPLES`] is forgotten.
    pub fn add(&mut self, took: Duration) {
        if self.0.len() == SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    /// Their sum-up, if there are any.
    #[must_use]
    pub fn spread(&self) -> Option<Spread> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let took = *sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?)?;
            Some(u32::try_from(took.as_micros()).unwrap_or(u32::MAX))
        };
        Some(Spread { p50: rank(50)?, p95: rank(95)? })
    }
}

/// Median and 95th percentile of a stage, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the pictures took at most this.
    pub p50: u32,
    /// 95 of 100 took at most this; never less than [`Spread::p50`].
    pub p95: u32,
}

/// Pictures and bytes of the last moments.
#[derive(Clone, Debug, Default)]
pub struct Pace(VecDeque<(Instant, u64)>);

impl Pace {
    /// One more picture, of so many bytes.
    pub fn add(&mut self, now: Instant, bytes: u64) {
        if self.0.len() == MOST_PICTURES {
            self.0.pop_front();
        }
        self.0.push_back((now, bytes));
    }

    /// Pictures and bytes a second.
    #[must_use]
    pub fn per_second(&self, now: Instant) -> (f64, u64) {
        let recent = || self.0.iter().filter(|(at, _)| now.saturating_duration_since(*at) < WINDOW);
        let bytes: u64 = recent().map(|(_, bytes)| bytes).sum();
        (recent().count() as f64 / WINDOW.as_secs_f64(), bytes / WINDOW.as_secs())
    }
}

/// What the host knows of the pictures it sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStats {
    /// From the start of a capture to its pixels.
    pub capture: Option<Spread>,
    /// Finding what changed.
    pub detect: Option<Spread>,
    /// Coding it.
    pub encode: Option<Spread>,
    /// From the coded picture to the first byte of it that the path takes.
    pub queue: Option<Spread>,
    /// From there to the whole picture at the viewer: half the least round trip, and what it took longer than a ping.
    pub wire: Option<Spread>,
    /// Bytes of all pictures, by what they tell.
    pub bytes: ModeBytes,
}

impl HostStats {
    /// Whether each stage's figures are in order.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        [self.capture, self.detect, self.encode, self.queue, self.wire].iter().flatten().all(|stage| stage.p50 <= stage.p95)
    }
}

/// Bytes by how they tell the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeBytes {
    /// Moves, recalled tiles, rectangles, colours.
    pub control: u64,
    /// Drawn things, as numbers of colours.
    pub indexed: u64,
    /// Drawn things in too many colours.
    pub raw: u64,
    /// Photographs, exact.
    pub photo: u64,
    /// Photographs with a loss.
    pub lossy: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn spread(times: impl IntoIterator<Item = u32>) -> Option<(u32, u32)> {
        let mut samples = Samples::default();
        times.into_iter().for_each(|time| samples.add(MS * time));
        samples.spread().map(|spread| (spread.p50 / 1000, spread.p95 / 1000))
    }

    #[test]
    fn a_stage_is_the_median_and_the_95th_of_the_newest_pictures() {
        assert_eq!(spread([]), None);
        assert_eq!(spread([7]), Some((7, 7)));
        assert_eq!(spread([2, 1]), Some((1, 2)));
        assert_eq!(spread((1..=100).rev()), Some((50, 95)));
        assert_eq!(spread((0..50).map(|_| 9000).chain(1..=120)), Some((60, 114)), "the first ones are forgotten");
        assert_eq!(spread([u32::MAX]), Some((u32::MAX / 1000, u32::MAX / 1000)), "more than an hour is an hour");
    }

    #[test]
    fn a_pace_is_that_of_the_last_moments_and_ends_with_them() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        (0..300).for_each(|picture| pace.add(start + 20 * MS * picture, 100));
        let now = start + 20 * MS * 299;
        assert_eq!(pace.per_second(now), (50.0, 5000));
        assert_eq!(pace.per_second(now + WINDOW / 2), (25.0, 2500));
        assert_eq!(pace.per_second(now + WINDOW), (0.0, 0));
        (0..5000).for_each(|_| pace.add(now, 1));
        assert_eq!(pace.0.len(), MOST_PICTURES);
    }
}
