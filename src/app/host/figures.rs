//! The figures of a session at the host: what became of each picture that was sent.

use std::time::Instant;

use crate::{
    desktop::capture::Made,
    protocol::stats::{HostStats, ModeBytes, Pace, Samples, Spread},
    ui::figures::{HostFigures, PictureFigures},
    video::encoder::Bytes,
};

/// See the module.
#[derive(Default)]
pub(super) struct Figures {
    capture: Samples,
    detect: Samples,
    encode: Samples,
    pace: Pace,
    bytes: ModeBytes,
    frames: u64,
    picture_bytes: u64,
    size: (u16, u16),
    is_exact: bool,
}

impl Figures {
    /// A picture was made and is sent now.
    pub(super) fn add(&mut self, made: &Made, now: Instant) {
        let length = made.payload.len() as u64;
        self.capture.add(made.capture);
        self.detect.add(made.detect);
        self.encode.add(made.encode);
        self.pace.add(now, length);
        self.bytes = by_mode(made.bytes);
        self.frames += 1;
        self.picture_bytes += length;
        self.size = (made.size.width, made.size.height);
        self.is_exact = made.is_exact;
    }

    /// What the viewer is told, with what the driver knows.
    /// Bytes of picture so far.
    pub(super) fn picture_bytes(&self) -> u64 {
        self.picture_bytes
    }

    pub(super) fn told(&self, (queue, wire): (Option<Spread>, Option<Spread>)) -> HostStats {
        let [capture, detect, encode] = [&self.capture, &self.detect, &self.encode].map(Samples::spread);
        HostStats { capture, detect, encode, queue, wire, bytes: self.bytes }
    }

    /// What the host's user is told; the link and the path are for the caller to fill in.
    pub(super) fn shown(&self, driver: (Option<Spread>, Option<Spread>), now: Instant) -> HostFigures {
        let (pictures_per_s, bytes_per_s) = self.pace.per_second(now);
        let (width, height) = self.size;
        HostFigures {
            frames: self.frames,
            picture_bytes: self.picture_bytes,
            picture: PictureFigures { width, height, exact: self.is_exact, pictures_per_s, bytes_per_s },
            stages: (&self.told(driver)).into(),
            bytes: self.bytes,
            ..HostFigures::default()
        }
    }
}

fn by_mode(bytes: Bytes) -> ModeBytes {
    let Bytes { control, indexed, raw, photo, lossy } = bytes;
    ModeBytes { control, indexed, raw, photo, lossy }
}
