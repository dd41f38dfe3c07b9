//! `cargo bench --bench clip -- PATH [WxH]`: the codec over recorded clips, one file or all of a folder.
//!
//! Every frame is encoded with the whole screen as damage, decoded and compared. Each clip prints one JSON line, a folder also a
//! table at the end. Bytes are exact; times are processor time of the one thread that codes, so that what else the machine does
//! matters less. `--every N` codes each Nth frame only: what the codec sees when captures are skipped under load. `--budget BYTES` is
//! a slow link: each picture but the first may have so many bytes, and what does not fit has a loss; then the PSNR (R, G, B, over all
//! frames) takes the place of exactness.
//!
//! A clip that cannot be read is one line on stderr and exit code 2.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

mod kit;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use clap::Parser;
use rs::video::{
    budget::Budget,
    decoder::Decoder,
    encoder::Encoder,
    frame::{Damage, Frame, Size},
};

use crate::kit::{
    clip::{Clip, clips_at, parse_size, workload},
    distortion::Distortion,
    kilobytes, milliseconds, percentile, rounded, thread_time,
};

/// Codes recorded clips: bytes, times, exactness.
#[derive(Parser)]
#[command(name = "cargo bench --bench clip --")]
struct Options {
    /// A clip, or a folder of clips: raw BGRX frames in `zstd --long=27`
    path: PathBuf,
    /// Their size
    #[arg(default_value = "1280x800", value_parser = parse_size)]
    size: Size,
    /// Code each Nth frame only
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    every: u16,
    /// Each picture but the first may have so many bytes
    #[arg(long, value_name = "BYTES")]
    budget: Option<usize>,
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to what it is given.
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    // A bare `cargo bench` or `cargo test --benches` runs every bench: without a clip there is nothing to measure.
    if arguments.len() == 1 {
        println!("usage: cargo bench --bench clip -- PATH [WIDTHxHEIGHT] [--every N] [--budget BYTES]");
        return ExitCode::SUCCESS;
    }
    match run(&Options::parse_from(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The clips' time from one frame to the next.
const FRAME: Duration = Duration::from_millis(50);

fn run(options: &Options) -> anyhow::Result<()> {
    let mut table = vec![Figures::heading()];
    for path in clips_at(&options.path)? {
        let figures = measure(&path, options)?;
        println!("{}", figures.json(&workload(&path)));
        table.push(figures.row(&workload(&path)));
    }
    if options.path.is_dir() {
        println!("\n{}", table.join("\n"));
    }
    Ok(())
}

fn measure(path: &Path, options: &Options) -> anyhow::Result<Figures> {
    let mut clip = Clip::open(path, options.size)?;
    let (mut encoder, mut decoder) = (Encoder::new(options.budget.is_none())?, Decoder::new());
    let (mut source, mut shown) = (Frame::new(options.size), Frame::new(options.size));
    let mut figures = Figures { exact: true, ..Figures::default() };
    let mut number = 0;
    while clip.read(&mut source)? {
        number += 1;
        if (number - 1) % u32::from(options.every) != 0 {
            continue;
        }
        let budget = Budget { bytes: options.budget.filter(|_| number > 1), rate: None };
        let (payload, time) = timed(|| encoder.encode(&source, &Damage::full(options.size), FRAME * (number - 1), budget));
        let payload = payload?;
        figures.encode.push(time);
        figures.bytes.push(payload.as_ref().map_or(0, Vec::len));
        if let Some(payload) = payload {
            let (decoded, time) = timed(|| decoder.decode(&payload, &mut shown));
            decoded?;
            figures.decode.push(time);
        }
        figures.exact &= shown == source;
        figures.distortion.add(&source, shown.data());
    }
    if figures.bytes.is_empty() {
        bail!("{} has no frames", path.display());
    }
    figures.encode.sort();
    figures.decode.sort();
    Ok(figures)
}

/// What `work` gives, and what it cost this thread.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = thread_time();
    (work(), thread_time() - start)
}

#[derive(Default)]
struct Figures {
    /// Of each frame; 0 where nothing was to be sent.
    bytes: Vec<usize>,
    /// Sorted.
    encode: Vec<Duration>,
    /// Of the frames that had a payload, sorted.
    decode: Vec<Duration>,
    exact: bool,
    distortion: Distortion,
}

impl Figures {
    fn rest(&self) -> usize {
        self.bytes[1..].iter().sum()
    }

    /// Frames after the first that had a payload.
    fn changed(&self) -> usize {
        self.bytes[1..].iter().filter(|bytes| **bytes > 0).count()
    }

    fn heading() -> String {
        format!(
            "{:<14} {:>6} {:>7} {:>9} {:>9} {:>10}   {:>6} {:>6} {:>6}   {:>6} {:>6}  {}",
            "clip", "frames", "changed", "first KB", "rest KB", "KB/change", "enc ms", "p99", "max", "dec ms", "p99", "exact"
        )
    }

    fn row(&self, name: &str) -> String {
        let [encode, encode_p99, encode_max, decode, decode_p99] = self.times();
        format!(
            "{name:<14} {:>6} {:>7} {:>9} {:>9} {:>10.2}   {encode:>6.2} {encode_p99:>6.2} {encode_max:>6.2}   {decode:>6.2} {decode_p99:>6.2}  {}",
            self.bytes.len(),
            self.changed(),
            kilobytes(self.bytes[0]),
            kilobytes(self.rest()),
            self.rest() as f64 / 1000.0 / self.changed().max(1) as f64,
            self.likeness(),
        )
    }

    fn likeness(&self) -> String {
        if self.exact { "yes".to_owned() } else { format!("{:.1} dB", self.distortion.psnr()) }
    }

    fn json(&self, name: &str) -> serde_json::Value {
        let [encode, encode_p99, encode_max, decode, decode_p99] = self.times().map(rounded);
        serde_json::json!({
            "clip": name,
            "frames": self.bytes.len(),
            "changed": self.changed(),
            "first_bytes": self.bytes[0],
            "rest_bytes": self.rest(),
            "encode_ms_mean": encode,
            "encode_ms_p99": encode_p99,
            "encode_ms_max": encode_max,
            "decode_ms_mean": decode,
            "decode_ms_p99": decode_p99,
            "exact": self.exact,
            "psnr_db": (!self.exact).then(|| rounded(self.distortion.psnr())),
        })
    }

    /// Milliseconds: encoding mean, p99, max; decoding mean, p99.
    fn times(&self) -> [f64; 5] {
        let sorted = |times: &[Duration]| times.iter().copied().map(milliseconds).collect::<Vec<_>>();
        let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len().max(1) as f64;
        let (encode, decode) = (sorted(&self.encode), sorted(&self.decode));
        [mean(&encode), percentile(&encode, 99), percentile(&encode, 100), mean(&decode), percentile(&decode, 99)]
    }
}
