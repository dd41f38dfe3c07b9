//! What pixels are likely to cost, learnt from what they cost: so that a picture fits its budget.

use super::{
    frame::{Frame, Rect, pixels},
    pieces::Class,
    streams::{KINDS, Kind},
    transform::Quality,
};

/// Steps of the quantiser: finer ones are not seen, coarser ones are not worth seeing.
const FINEST: f64 = 8.0;
const COARSEST: f64 = 40.0;
/// How many times more than a step in text one in noise takes.
const DENSE: f64 = 4.0;
/// Fewer pixels, or steps, teach nothing.
const LEAST_PIXELS: usize = 1024;
/// How much a new figure counts against what was learnt.
const WEIGHT: f64 = 0.25;
/// The level changes only when the link has kept within another one's rates for so many pictures: the streams then start anew…
const PATIENCE: u32 = 300;
/// … which a fast link bears, and until then there is more work for nothing.
const PATIENCE_FOR_LAN: u32 = 30;

/// How hard zstd works on drawn things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Level {
    /// The link carries more than is sent: save time.
    Lan,
    #[default]
    Normal,
    /// Every byte counts.
    Slow,
}

impl Level {
    pub(super) fn zstd(self) -> i32 {
        match self {
            Self::Lan => 3,
            Self::Normal => 7,
            Self::Slow => 12,
        }
    }

    /// For a link of so many bytes a second: 50 Mbit/s and 2 Mbit/s are the borders.
    fn of(rate: u64) -> Self {
        match rate * 8 {
            50_000_000.. => Self::Lan,
            2_000_001.. => Self::Normal,
            _ => Self::Slow,
        }
    }
}

/// What there is in a piece that costs bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weight {
    /// Of a photograph: pixels.
    Photo(usize),
    /// Of drawn things: how many of so many pixels differ from their left neighbour. Flat ground costs nothing.
    Drawn { steps: usize, pixels: usize },
}

impl Weight {
    pub(super) fn of(frame: &Frame, rect: Rect, class: Class) -> Self {
        let pixels = rect.pixels();
        match class {
            Class::Photo(_) => Self::Photo(pixels),
            Class::Solid => Self::Drawn { steps: 0, pixels },
            Class::Drawn | Class::Mixed => Self::Drawn { steps: steps(frame, rect), pixels },
        }
    }
}

fn steps(frame: &Frame, rect: Rect) -> usize {
    let row = |y| {
        let row = frame.row(rect.x, y, rect.width);
        pixels(row).zip(pixels(&row[4..])).map(|(left, right)| usize::from(left != right)).sum::<usize>()
    };
    (rect.y..rect.y + rect.height).map(row).sum()
}

/// What was told of a picture: steps of drawn things, pixels of photographs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    drawn: usize,
    photo: usize,
    lossy: usize,
}

impl Told {
    pub(super) fn add_exact(&mut self, weight: Weight) {
        match weight {
            Weight::Drawn { steps, .. } => self.drawn += steps,
            Weight::Photo(pixels) => self.photo += pixels,
        }
    }

    pub(super) fn add_lossy(&mut self, pixels: usize) {
        self.lossy += pixels;
    }
}

/// The running figures.
pub(super) struct Rate {
    /// Bytes a step from one pixel to another colour: flat ground costs nothing.
    drawn: f64,
    /// Bytes a pixel.
    photo: f64,
    /// Bytes a pixel, times the step: about the same at every step.
    lossy: f64,
    level: Level,
    /// For how many pictures the link has asked for which other level.
    asked: (Level, u32),
}

impl Default for Rate {
    fn default() -> Self {
        Self { drawn: 0.8, photo: 1.2, lossy: 1.8, level: Level::default(), asked: (Level::default(), 0) }
    }
}

impl Rate {
    /// The bytes that this is likely to take, told exactly.
    pub(super) fn exact(&self, weight: Weight) -> f64 {
        match weight {
            Weight::Photo(pixels) => pixels as f64 * self.photo,
            Weight::Drawn { steps, pixels } => {
                // Where every pixel is a step nothing is found again.
                let density = steps as f64 / pixels as f64;
                steps as f64 * self.drawn * (1.0 + density * density * DENSE)
            }
        }
    }

    /// The bytes that so many pixels are likely to take with a loss.
    pub(super) fn lossy(&self, quality: Quality, pixels: usize) -> f64 {
        pixels as f64 * self.lossy / f64::from(quality.step())
    }

    /// The step at which so many pixels take so many bytes.
    pub(super) fn quality(&self, pixels: usize, bytes: f64) -> Quality {
        let step = self.lossy * pixels as f64 / bytes.max(1.0);
        Quality::new(step.clamp(FINEST, COARSEST) as u8).expect("the finest step is not 0")
    }

    /// Learns from a picture: the bytes of each kind.
    pub(super) fn learn(&mut self, told: Told, quality: Option<Quality>, bytes: &[usize; KINDS]) {
        let sum = |kinds: &[Kind]| kinds.iter().map(|kind| kind.of(bytes)).sum::<usize>() as f64;
        let learn = |figure: &mut f64, pixels: usize, bytes: f64| {
            if pixels >= LEAST_PIXELS {
                *figure += (bytes / pixels as f64 - *figure) * WEIGHT;
            }
        };
        learn(&mut self.drawn, told.drawn, sum(&[Kind::INDICES, Kind::RAW]));
        learn(&mut self.photo, told.photo, sum(&Kind::PLANES));
        if let Some(quality) = quality {
            learn(&mut self.lossy, told.lossy, sum(&Kind::symbols()) * f64::from(quality.step()));
        }
    }

    /// The level to change to now, for a link of so many bytes a second.
    pub(super) fn new_level(&mut self, rate: Option<u64>) -> Option<Level> {
        let wanted = rate.map_or(self.level, Level::of);
        let (asked, times) = self.asked;
        self.asked = (wanted, if wanted == asked { times + 1 } else { 1 });
        let patience = if wanted == Level::Lan { PATIENCE_FOR_LAN } else { PATIENCE };
        let changes = wanted != self.level && self.asked.1 >= patience;
        changes.then(|| {
            self.level = wanted;
            wanted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_follows_a_link_that_stays_as_it_is() {
        let mut rate = Rate::default();
        assert_eq!(rate.new_level(None), None);
        for (link, level, patience) in [(100 << 20, Level::Lan, PATIENCE_FOR_LAN), (1 << 17, Level::Slow, PATIENCE)] {
            for _ in 1..patience {
                assert_eq!(rate.new_level(Some(link)), None);
            }
            assert_eq!(rate.new_level(Some(1 << 20)), None, "a moment on another link");
            for _ in 1..patience {
                assert_eq!(rate.new_level(Some(link)), None);
            }
            assert_eq!(rate.new_level(Some(link)), Some(level));
            assert_eq!(rate.new_level(Some(link)), None);
        }
    }

    #[test]
    fn the_step_fits_the_bytes_once_it_has_learnt() {
        let mut rate = Rate::default();
        let pixels = 100_000;
        for _ in 0..30 {
            let quality = rate.quality(pixels, 10_000.0);
            // This content takes two bytes a pixel at step 1.
            let mut bytes = [0; KINDS];
            *Kind::symbols()[0].of_mut(&mut bytes) = 2 * pixels / usize::from(quality.step());
            rate.learn(Told { lossy: pixels, ..Told::default() }, Some(quality), &bytes);
        }
        assert!((19..=21).contains(&rate.quality(pixels, 10_000.0).step()));
        assert_eq!(f64::from(rate.quality(pixels, 0.0).step()), COARSEST);
        assert_eq!(f64::from(rate.quality(1, 1e9).step()), FINEST);
    }
}
