//! `cargo bench --bench peers -- CLIPS [WxH]`: recorded clips through `rs`' codec, three settings of TigerVNC, x11vnc, and three
//! video codecs of ffmpeg.
//!
//! - `rs`: the codec in this process, lossless; its payloads are the bytes ([`ours`]).
//! - The VNCs: the frames are put into a window of a private display at [`vnc::RATE`] frames a second, the bounding box of each
//!   change at a time; a real viewer looks on through a proxy that counts the server's bytes ([`vnc`]). Handshake and first picture
//!   count as the first frame.
//! - ffmpeg: the frames are piped in, one encoder thread; the bytes are those of the packets ([`video`]).
//!
//! PSNR is over R, G and B of all frames, decoded again; VNC's is not taken, for a viewer shows no frame numbers. CPU is
//! processor time: of `rs` the thread's, of ffmpeg user time with the conversion of colours, of a VNC the server's and viewer's
//! user and system time (Xtigervnc is the X server too, and draws). Prints one JSON line for each run, then one table, and with
//! `--plot` draws the bytes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

#[path = "../kit/mod.rs"]
mod kit;
mod ours;
mod plot;
mod video;
mod vnc;

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};
use rs::video::frame::Size;

use crate::kit::{
    clip::{clips_at, parse_size, workload},
    kilobytes,
    process::require,
    rounded,
};

/// Codes recorded clips with rs and its peers: bytes, PSNR, processor time.
#[derive(Parser)]
#[command(name = "cargo bench --bench peers --")]
struct Options {
    /// A clip, or a folder of clips: raw BGRX frames in `zstd --long=27`
    path: PathBuf,
    /// Their size
    #[arg(default_value = "1280x800", value_parser = parse_size)]
    size: Size,
    /// Only these; all when not given
    #[arg(long, value_delimiter = ',')]
    systems: Vec<System>,
    /// Draw the bytes by workload into this SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Who codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum System {
    Rs,
    /// Its viewer's defaults: Tight with JPEG of quality 8
    Tigervnc,
    /// Tight without JPEG: lossless
    TigervncTight,
    /// ZRLE: lossless
    TigervncZrle,
    /// x11vnc's defaults, with TigerVNC's viewer
    X11vnc,
    /// libx264rgb -qp 0
    X264Lossless,
    /// libx264 -crf 23
    X264,
    /// libvpx-vp9 -deadline realtime, 900 kbit/s
    Vp9,
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Rs => "rs, lossless",
            Self::Tigervnc => "TigerVNC",
            Self::TigervncTight => "TigerVNC, no JPEG",
            Self::TigervncZrle => "TigerVNC, ZRLE",
            Self::X11vnc => "x11vnc",
            Self::X264Lossless => "x264rgb lossless",
            Self::X264 => "x264 crf 23",
            Self::Vp9 => "VP9 realtime",
        }
    }

    /// The programs of others that it needs.
    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Rs => &[],
            Self::Tigervnc | Self::TigervncTight | Self::TigervncZrle => &["Xvfb", "openbox", "Xtigervnc", "xtigervncviewer"],
            Self::X11vnc => &["Xvfb", "openbox", "x11vnc", "xtigervncviewer"],
            Self::X264Lossless | Self::X264 | Self::Vp9 => &["ffmpeg", "ffprobe"],
        }
    }

    fn run(self, clip: &std::path::Path, size: Size) -> anyhow::Result<Figures> {
        match self {
            Self::Rs => ours::run(clip, size),
            Self::Tigervnc => vnc::run(vnc::Server::Tigervnc, &[], clip, size),
            Self::TigervncTight => {
                vnc::run(vnc::Server::Tigervnc, &["-AutoSelect=0", "-PreferredEncoding=Tight", "-NoJPEG=1"], clip, size)
            }
            Self::TigervncZrle => vnc::run(vnc::Server::Tigervnc, &["-AutoSelect=0", "-PreferredEncoding=ZRLE"], clip, size),
            Self::X11vnc => vnc::run(vnc::Server::X11vnc, &[], clip, size),
            Self::X264Lossless => video::run("-c:v libx264rgb -preset veryfast -qp 0 -pix_fmt bgr24", clip, size),
            Self::X264 => video::run("-c:v libx264 -preset veryfast -crf 23 -pix_fmt yuv420p", clip, size),
            Self::Vp9 => video::run(VP9, clip, size),
        }
    }
}

/// As remote desktops set it: constant quality would let the bytes of a video run away.
const VP9: &str = "-c:v libvpx-vp9 -deadline realtime -cpu-used 7 -b:v 900k -qmin 12 -qmax 56 -lag-in-frames 0 -pix_fmt yuv420p";

/// What one system did with one clip.
pub(crate) struct Figures {
    pub(crate) first_bytes: usize,
    pub(crate) rest_bytes: usize,
    /// dB over R, G and B; infinite when exact, `None` when not taken.
    pub(crate) psnr: Option<f64>,
    /// Seconds: of the end that codes, of the end that shows.
    pub(crate) processor: [f64; 2],
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to what it is given; a bare `cargo bench` has no clips.
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    if arguments.len() == 1 {
        println!("usage: cargo bench --bench peers -- PATH [WIDTHxHEIGHT] [--systems …] [--plot FILE]");
        return ExitCode::SUCCESS;
    }
    match run(&Options::parse_from(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let systems = if options.systems.is_empty() { System::value_variants() } else { &options.systems };
    require(&systems.iter().flat_map(|system| system.needs()).copied().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>())?;
    let clips = clips_at(&options.path)?;
    let mut table = vec![format!(
        "{:<14} {:<18} {:>10} {:>10} {:>8} {:>9} {:>9}",
        "workload", "system", "first KB", "rest KB", "PSNR dB", "code CPU s", "show CPU s"
    )];
    let mut bytes = Vec::new();
    for clip in &clips {
        let workload = workload(clip);
        for system in systems {
            let figures = system.run(clip, options.size)?;
            println!("{}", json(&workload, *system, &figures));
            table.push(row(&workload, *system, &figures));
            bytes.push(plot::Bar { workload: workload.clone(), system: *system, bytes: figures.rest_bytes });
        }
    }
    println!("\n{}", table.join("\n"));
    if let Some(file) = &options.plot {
        plot::bytes(&bytes, file)?;
        println!("\ndrawn: {}", file.display());
    }
    Ok(())
}

fn json(workload: &str, system: System, figures: &Figures) -> serde_json::Value {
    let [code, show] = figures.processor.map(rounded);
    serde_json::json!({
        "clip": workload,
        "system": system.name(),
        "first_bytes": figures.first_bytes,
        "rest_bytes": figures.rest_bytes,
        // JSON has no infinity.
        "psnr_db": figures.psnr.filter(|psnr| psnr.is_finite()).map(rounded),
        "exact": figures.psnr.map(f64::is_infinite),
        "code_cpu_s": code,
        "show_cpu_s": show,
    })
}

fn row(workload: &str, system: System, figures: &Figures) -> String {
    let psnr = match figures.psnr {
        Some(psnr) if psnr.is_infinite() => "exact".to_owned(),
        Some(psnr) => format!("{psnr:.1}"),
        None => "-".to_owned(),
    };
    let [first, rest] = [figures.first_bytes, figures.rest_bytes].map(kilobytes);
    let [code, show] = figures.processor;
    format!("{workload:<14} {:<18} {first:>10} {rest:>10} {psnr:>8} {code:>10.2} {show:>10.2}", system.name())
}
