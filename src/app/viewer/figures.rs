//! The figures of a session at the viewer: what it sees itself, and what the host answers when it is asked.
//!
//! The host is asked each time, and figures are told with its answer; without one after [`PATIENCE`], with what is known here.

use std::time::{Duration, Instant};

use super::decode::Decoded;
use crate::{
    protocol::stats::{HostStats, Pace, Samples},
    ui::figures::{PictureFigures, Stages, Stats},
};

/// How long the host may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Figures {
    begun: Instant,
    stats: Stats,
    decoding: Duration,
    decode: Samples,
    pace: Pace,
    /// Questions without an answer, and how long the first one waits for it.
    asked: Option<(usize, Instant)>,
}

impl Figures {
    /// Of a visit that began then.
    pub(super) fn new(begun: Instant) -> Self {
        let (stats, decode, pace) = (Stats::default(), Samples::default(), Pace::default());
        Self { begun, stats, decoding: Duration::ZERO, decode, pace, asked: None }
    }

    /// A picture of so many bytes came in.
    pub(super) fn received(&mut self, bytes: u64, now: Instant) {
        self.stats.picture_bytes += bytes;
        self.pace.add(now, bytes);
    }

    /// It is decoded.
    /// Bytes of picture so far.
    pub(super) fn picture_bytes(&self) -> u64 {
        self.stats.picture_bytes
    }

    pub(super) fn decoded(&mut self, decoded: &Decoded, now: Instant) {
        self.stats.frames += 1;
        self.decoding += decoded.took;
        self.decode.add(decoded.took);
        self.stats.decode_ms_mean = self.decoding.as_secs_f64() * 1e3 / self.stats.frames as f64;
        (self.stats.picture.width, self.stats.picture.height) = (decoded.size.width, decoded.size.height);
        if self.stats.first_picture_ms.is_none() {
            self.stats.first_picture_ms = u64::try_from(now.saturating_duration_since(self.begun).as_millis()).ok();
        }
    }

    /// Somebody asks, and so is the host.
    pub(super) fn asked(&mut self, now: Instant) {
        let (questions, until) = self.asked.unwrap_or((0, now + PATIENCE));
        self.asked = Some((questions + 1, until));
    }

    /// The host's answer.
    pub(super) fn answered(&mut self, stats: &HostStats) {
        (self.stats.stages.host, self.stats.bytes) = (stats.into(), Some(stats.bytes));
    }

    /// Whether the host took too long, or will.
    pub(super) fn due(&self) -> Option<Instant> {
        self.asked.map(|(_, until)| until)
    }

    /// How many questions there are to answer.
    pub(super) fn take_questions(&mut self) -> usize {
        self.asked.take().map_or(0, |(questions, _)| questions)
    }

    /// What is known; link, path and what is presented are for the caller to fill in.
    pub(super) fn now(&self, exact: bool, now: Instant) -> Stats {
        let (pictures_per_s, bytes_per_s) = self.pace.per_second(now);
        let decode = self.decode.spread().map(Into::into);
        Stats {
            picture: PictureFigures { exact, pictures_per_s, bytes_per_s, ..self.stats.picture },
            stages: Stages { decode, ..self.stats.stages },
            ..self.stats.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::stats::{ModeBytes, Spread},
        video::frame::Size,
    };

    #[test]
    fn each_question_is_counted_and_answered_with_what_the_host_says() {
        let (start, ms) = (Instant::now(), Duration::from_millis(1));
        let mut figures = Figures::new(start);
        figures.received(500, start + 20 * ms);
        let size = Size { width: 4, height: 3 };
        figures.decoded(&Decoded { took: 2 * ms, size, is_exact: true }, start + 25 * ms);
        figures.asked(start + 30 * ms);
        figures.asked(start + 40 * ms);
        assert_eq!(figures.due(), Some(start + 30 * ms + PATIENCE));
        assert_eq!(figures.now(true, start).stages.host.wire, None);
        let bytes = ModeBytes { raw: 500, ..ModeBytes::default() };
        figures.answered(&HostStats { wire: Some(Spread { p50: 1500, p95: 2000 }), bytes, ..HostStats::default() });
        assert_eq!((figures.take_questions(), figures.take_questions(), figures.due()), (2, 0, None));
        let stats = figures.now(true, start + 30 * ms);
        assert_eq!((stats.frames, stats.picture_bytes, stats.first_picture_ms, stats.bytes), (1, 500, Some(25), Some(bytes)));
        let [wire, decode] = [stats.stages.host.wire, stats.stages.decode].map(|stage| stage.map(|stage| stage.p50_ms));
        assert_eq!((wire, decode, stats.picture.exact, stats.picture.width), (Some(1.5), Some(2.0), true, 4));
    }
}
