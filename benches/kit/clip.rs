//! Recorded clips: raw frames (B, G, R, X, no header) in one `zstd --long=27` stream, read frame by frame.
//!
//! A clip's file name up to the first dot is the name of its workload.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use rs::video::frame::{Frame, Rect, Size, clear_x};

/// Clips are packed with `zstd --long=27`.
const WINDOW_LOG: u32 = 27;
/// The side of the square in which [`changed`] looks for a difference at once.
const TILE: u16 = 16;

/// Parses `1280x800`.
pub(crate) fn parse_size(text: &str) -> Result<Size, String> {
    let size = text.split_once('x').and_then(|(width, height)| Size::new(width.parse().ok()?, height.parse().ok()?));
    size.ok_or_else(|| format!("{text} is not a size such as 1280x800"))
}

/// The clips at `path`: itself, or every `*.zst` in a folder, by name.
pub(crate) fn clips_at(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut clips: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    clips.retain(|clip| clip.extension().is_some_and(|extension| extension == "zst"));
    clips.sort();
    if clips.is_empty() {
        bail!("{} holds no *.zst", path.display());
    }
    Ok(clips)
}

/// What a clip shows.
pub(crate) fn workload(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// A clip that is being read.
pub(crate) struct Clip {
    name: String,
    size: Size,
    stream: zstd::Decoder<'static, BufReader<File>>,
}

impl Clip {
    /// From its first frame.
    pub(crate) fn open(path: &Path, size: Size) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let mut stream = zstd::Decoder::new(File::open(path).with_context(|| format!("cannot open {name}"))?)?;
        stream.window_log_max(WINDOW_LOG)?;
        Ok(Self { name, size, stream })
    }

    /// Reads the next frame into `frame`; `false` at the clip's end, which must be the end of a frame.
    pub(crate) fn read(&mut self, frame: &mut Frame) -> anyhow::Result<bool> {
        let Size { width, height } = self.size;
        let is_there = read_whole(&mut self.stream, frame.data_mut());
        clear_x(frame.data_mut());
        is_there.with_context(|| format!("cannot read {} as frames of {width}x{height}", self.name))
    }
}

/// Fills `rest`; `false` where the stream ends before its first byte.
pub(crate) fn read_whole(stream: &mut impl Read, mut rest: &mut [u8]) -> io::Result<bool> {
    let whole = rest.len();
    while !rest.is_empty() {
        match stream.read(rest) {
            Ok(0) if rest.len() == whole => return Ok(false),
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last frame is not whole")),
            Ok(read) => rest = &mut rest[read..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// The box around all that differs between two frames of one size, or `None`.
pub(crate) fn changed(before: &Frame, after: &Frame) -> Option<Rect> {
    let Size { width, height } = after.size();
    let mut bounds: Option<[u16; 4]> = None;
    for y in 0..height {
        for x in (0..width).step_by(usize::from(TILE)) {
            let part = TILE.min(width - x);
            if before.row(x, y, part) != after.row(x, y, part) {
                let [left, top, right, _] = bounds.unwrap_or([x, y, 0, 0]);
                bounds = Some([left.min(x), top, right.max(x + part), y + 1]);
            }
        }
    }
    bounds.map(|[x, y, right, bottom]| Rect { x, y, width: right - x, height: bottom - y })
}
