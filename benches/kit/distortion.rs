//! How far a picture is from the one it should be.

use rs::video::frame::Frame;

/// The squared error of R, G and B so far.
#[derive(Default)]
pub(crate) struct Distortion {
    sum: u64,
    values: u64,
}

impl Distortion {
    /// `shown` has rows of BGRX without gaps.
    pub(crate) fn add(&mut self, frame: &Frame, shown: &[u8]) {
        for (a, b) in frame.data().as_chunks::<4>().0.iter().zip(shown.as_chunks::<4>().0) {
            self.sum += (0..3).map(|value| u64::from(a[value].abs_diff(b[value])).pow(2)).sum::<u64>();
            self.values += 3;
        }
    }

    /// dB; infinite where there is no error.
    pub(crate) fn psnr(&self) -> f64 {
        10.0 * (255.0 * 255.0 * self.values as f64 / self.sum as f64).log10()
    }
}
