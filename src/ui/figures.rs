//! The figures of a session as `--json` shows them: one answer to `stats`, at the host and at the viewer. Part of the command-line
//! contract: keys are added, never changed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::event::PathInfo;
use crate::protocol::{
    session::LinkEstimate,
    stats::{HostStats, ModeBytes, Spread},
};

/// What the host measures of the link by its pictures, where it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFigures {
    /// Bits a second that it carries.
    pub rate_bps: Option<u64>,
    /// How long what is sent waits on its way.
    pub queue_ms: Option<u64>,
}

impl From<LinkEstimate> for LinkFigures {
    fn from(link: LinkEstimate) -> Self {
        let queue_ms = link.queue.and_then(|queue| u64::try_from(queue.as_millis()).ok());
        Self { rate_bps: link.rate.map(|rate| rate.saturating_mul(8)), queue_ms }
    }
}

/// Figures of a session since its start, at the viewer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Pictures shown.
    pub frames: u64,
    /// Bytes of picture received, before encryption.
    pub picture_bytes: u64,
    /// Mean decoding time.
    pub decode_ms_mean: f64,
    /// Round trip, where it is known.
    pub rtt_ms: Option<u64>,
    /// The link from host to viewer.
    #[serde(flatten)]
    pub link: LinkFigures,
    /// From the start of `rs connect` to the first whole picture.
    pub first_picture_ms: Option<u64>,
    /// What is told of the picture at both sides.
    #[serde(flatten)]
    pub picture: PictureFigures,
    /// The stages of a picture's way; the host's are null while it does not answer.
    pub stages: Stages,
    /// Bytes of all pictures by what they tell, if the host answers.
    pub bytes: Option<ModeBytes>,
    /// The path in use.
    pub path: Option<PathInfo>,
}

/// Figures of a session since its start, at the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostFigures {
    /// Pictures sent.
    pub frames: u64,
    /// Their bytes, before encryption.
    pub picture_bytes: u64,
    /// Round trip, where it is known.
    pub rtt_ms: Option<u64>,
    /// The link from host to viewer.
    #[serde(flatten)]
    pub link: LinkFigures,
    /// What is told of the picture at both sides.
    #[serde(flatten)]
    pub picture: PictureFigures,
    /// The stages of a picture's way up to the viewer.
    pub stages: HostStages,
    /// Bytes of all pictures by what they tell.
    pub bytes: ModeBytes,
    /// The path in use.
    pub path: Option<PathInfo>,
}

/// The newest picture, and how quickly pictures come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PictureFigures {
    /// Width of the picture in pixels.
    pub width: u16,
    /// Height of the picture in pixels.
    pub height: u16,
    /// Whether it is what the host's screen was, to the bit.
    pub exact: bool,
    /// Pictures a second, of late.
    pub pictures_per_s: f64,
    /// Their bytes a second.
    pub bytes_per_s: u64,
}

/// The stages at the host, up to the viewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostStages {
    /// Taking the screen's pixels.
    pub capture: Option<Milliseconds>,
    /// Finding what changed.
    pub detect: Option<Milliseconds>,
    /// Coding it.
    pub encode: Option<Milliseconds>,
    /// Until the path takes the first byte.
    pub queue: Option<Milliseconds>,
    /// Until the whole picture is at the viewer.
    pub wire: Option<Milliseconds>,
}

/// All stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stages {
    /// Those up to the viewer.
    #[serde(flatten)]
    pub host: HostStages,
    /// Bringing the picture up to date.
    pub decode: Option<Milliseconds>,
    /// From there until the window has presented it; nothing where there is no window.
    pub present: Option<Milliseconds>,
}

impl Stages {
    /// Each with its name, in the order of the way.
    pub(super) fn named(&self) -> [(&'static str, Option<Milliseconds>); 7] {
        let HostStages { capture, detect, encode, queue, wire } = self.host;
        let Self { decode, present, .. } = *self;
        let names = ["capture", "detect", "encode", "queue", "wire", "decode", "present"];
        let stages = [capture, detect, encode, queue, wire, decode, present];
        std::array::from_fn(|index| (names[index], stages[index]))
    }
}

impl From<&HostStats> for HostStages {
    fn from(stats: &HostStats) -> Self {
        let [capture, detect, encode, queue, wire] =
            [stats.capture, stats.detect, stats.encode, stats.queue, stats.wire].map(|stage| stage.map(Into::into));
        Self { capture, detect, encode, queue, wire }
    }
}

/// A stage of the newest pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Milliseconds {
    /// The median.
    pub p50_ms: f64,
    /// The 95th percentile.
    pub p95_ms: f64,
}

impl From<Spread> for Milliseconds {
    fn from(spread: Spread) -> Self {
        Self { p50_ms: f64::from(spread.p50) / 1e3, p95_ms: f64::from(spread.p95) / 1e3 }
    }
}

/// What a session transferred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Bytes of picture, before encryption.
    pub picture_bytes: u64,
    /// Files that arrived whole, at either side.
    pub files: u32,
    /// Their bytes.
    pub file_bytes: u64,
    /// The page about it in this machine's log.
    pub log: Option<PathBuf>,
}
