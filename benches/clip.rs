//! `cargo bench --bench clip -- FILE WxH`: the codec over a recorded clip.
//!
//! A clip is raw frames (B, G, R, X, no header) in one `zstd --long=27` stream; it is read frame by frame. Every frame is encoded
//! with the whole screen as damage, decoded and compared. Prints one JSON line; `first_bytes` is the first payload,
//! `rest_bytes` all others. A clip that cannot be read is one line on stderr and exit code 2.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

use std::{
    fs::File,
    io::{self, BufReader, Read},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rs::video::{
    decoder::Decoder,
    encoder::Encoder,
    frame::{Damage, Frame, Size},
};

const USAGE: &str = "usage: cargo bench --bench clip -- FILE WIDTHxHEIGHT";
/// Clips are packed with `zstd --long=27`.
const CLIP_WINDOW_LOG: u32 = 27;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to what it is given.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // A bare `cargo bench` or `cargo test --benches` runs every bench: without a clip there is nothing to measure.
    if arguments.is_empty() {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match measure(&arguments) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn measure(arguments: &[String]) -> anyhow::Result<serde_json::Value> {
    let [file, size] = arguments else { bail!(USAGE) };
    let size = parse_size(size).with_context(|| format!("{size} is not a size; {USAGE}"))?;
    let clip = File::open(file).with_context(|| format!("cannot open {file}"))?;
    let mut clip = zstd::Decoder::new(BufReader::new(clip))?;
    clip.window_log_max(CLIP_WINDOW_LOG)?;

    let (mut encoder, mut decoder) = (Encoder::new()?, Decoder::new()?);
    let (mut source, mut shown) = (Frame::new(size), Frame::new(size));
    let mut figures = Figures { exact: true, ..Figures::default() };
    while read_frame(&mut clip, &mut source)
        .with_context(|| format!("cannot read {file} as frames of {}x{}", size.width, size.height))?
    {
        let start = Instant::now();
        let payload = encoder.encode(&source, &Damage::full(size))?;
        figures.encode.push(start.elapsed());
        figures.bytes.push(payload.as_ref().map_or(0, Vec::len));
        if let Some(payload) = payload {
            let start = Instant::now();
            decoder.decode(&payload, &mut shown)?;
            figures.decode.push(start.elapsed());
        }
        figures.exact &= shown.shows_same(&source);
    }
    if figures.bytes.is_empty() {
        bail!("{file} has no frames");
    }
    Ok(figures.json(file))
}

fn parse_size(text: &str) -> Option<Size> {
    let (width, height) = text.split_once('x')?;
    Size::new(width.parse().ok()?, height.parse().ok()?)
}

/// The clip's next frame; `false` at its end, which must be the end of a frame.
fn read_frame(clip: &mut impl Read, frame: &mut Frame) -> io::Result<bool> {
    let mut rest = frame.data_mut();
    let whole = rest.len();
    while !rest.is_empty() {
        match clip.read(rest)? {
            0 if rest.len() == whole => return Ok(false),
            0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last frame is not whole")),
            read => rest = &mut rest[read..],
        }
    }
    Ok(true)
}

#[derive(Default)]
struct Figures {
    bytes: Vec<usize>,
    encode: Vec<Duration>,
    /// Of the frames that had a payload.
    decode: Vec<Duration>,
    exact: bool,
}

impl Figures {
    fn json(&self, clip: &str) -> serde_json::Value {
        serde_json::json!({
            "clip": clip,
            "frames": self.bytes.len(),
            "first_bytes": self.bytes[0],
            "rest_bytes": self.bytes[1..].iter().sum::<usize>(),
            "encode_ms_mean": mean_ms(&self.encode),
            "encode_ms_max": milliseconds(self.encode.iter().max().copied().unwrap_or_default()),
            "decode_ms_mean": mean_ms(&self.decode),
            "exact": self.exact,
        })
    }
}

fn mean_ms(times: &[Duration]) -> f64 {
    milliseconds(times.iter().sum::<Duration>() / times.len().max(1) as u32)
}

/// Milliseconds, rounded to microseconds.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
