//! ffmpeg's encoders, one thread: bytes of the packets, PSNR of the frames decoded again, user time.

use std::{
    fs::File,
    io::{BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail};
use rs::video::frame::{Frame, Size};

use crate::{
    Figures,
    kit::{
        clip::{Clip, read_whole},
        distortion::Distortion,
    },
};

/// Frames a second that the encoders are told: those of the recordings.
const RATE: &str = "20";

/// Encodes the clip with these arguments, then decodes and compares.
pub(crate) fn run(encoder: &str, path: &Path, size: Size) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    let coded = folder.path().join("coded.mkv");
    let encoding = encode(encoder, path, size, &coded, folder.path())?;
    let packets = packet_sizes(&coded)?;
    let (decoding, psnr) = decode(path, size, &coded, folder.path())?;
    let [first, rest @ ..] = &packets[..] else { bail!("ffmpeg made no packets") };
    Ok(Figures { first_bytes: *first, rest_bytes: rest.iter().sum(), psnr: Some(psnr), processor: [encoding, decoding] })
}

/// User seconds of encoding.
fn encode(encoder: &str, path: &Path, size: Size, coded: &Path, folder: &Path) -> anyhow::Result<f64> {
    let mut command = Command::new("ffmpeg");
    command.args("-benchmark -nostats -f rawvideo -pix_fmt bgr0 -framerate".split(' ')).args([RATE, "-video_size"]);
    command.arg(format!("{}x{}", size.width, size.height)).args(["-i", "-", "-fps_mode", "passthrough"]);
    command.args(encoder.split(' ')).args(["-threads", "1"]).arg(coded);
    let log = folder.join("encode.log");
    let mut ffmpeg = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
    let mut input = ffmpeg.stdin.take().context("stdin is piped")?;
    let (mut clip, mut frame) = (Clip::open(path, size)?, Frame::new(size));
    while clip.read(&mut frame)? {
        if input.write_all(frame.data()).is_err() {
            break; // It ended early: its log tells why.
        }
    }
    drop(input);
    user_seconds(ffmpeg, &log)
}

/// User seconds of decoding, and the PSNR.
fn decode(path: &Path, size: Size, coded: &Path, folder: &Path) -> anyhow::Result<(f64, f64)> {
    let mut command = Command::new("ffmpeg");
    command.args("-benchmark -nostdin -nostats -threads 1 -i".split(' ')).arg(coded);
    command.args("-fps_mode passthrough -f rawvideo -pix_fmt bgr0 -".split(' '));
    let log = folder.join("decode.log");
    let mut ffmpeg = command.stdout(Stdio::piped()).stderr(File::create(&log)?).spawn()?;
    let mut output = BufReader::new(ffmpeg.stdout.take().context("stdout is piped")?);
    let (mut clip, mut frame, mut distortion) = (Clip::open(path, size)?, Frame::new(size), Distortion::default());
    let mut shown = vec![0; frame.data().len()];
    while clip.read(&mut frame)? {
        if !read_whole(&mut output, &mut shown)? {
            bail!("ffmpeg lost frames of {}", path.display());
        }
        distortion.add(&frame, &shown);
    }
    Ok((user_seconds(ffmpeg, &log)?, distortion.psnr()))
}

/// Waits, then reads `bench: utime=1.234s` from the log.
fn user_seconds(mut ffmpeg: Child, log: &Path) -> anyhow::Result<f64> {
    let status = ffmpeg.wait()?;
    let log = std::fs::read_to_string(log)?;
    let seconds = log.split("utime=").nth(1).and_then(|rest| rest.split('s').next()?.parse().ok());
    match seconds {
        Some(seconds) if status.success() => Ok(seconds),
        _ => bail!("ffmpeg failed: {}", log.lines().last().unwrap_or_default()),
    }
}

fn packet_sizes(coded: &Path) -> anyhow::Result<Vec<usize>> {
    let output = Command::new("ffprobe").args("-v error -show_entries packet=size -of csv=p=0".split(' ')).arg(coded).output()?;
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().map(|line| line.trim_end_matches(',').parse().with_context(|| format!("ffprobe printed {line}"))).collect()
}
