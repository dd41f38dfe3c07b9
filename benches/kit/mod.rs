//! What the benches of the picture share: recorded clips, made-up text, other programs and their displays, figures.

#![allow(dead_code, reason = "each bench uses its own part of it")]

pub(crate) mod clip;
pub(crate) mod distortion;
pub(crate) mod letters;
pub(crate) mod process;
pub(crate) mod screen;

use std::time::Duration;

/// The nearest rank in sorted values; of none, not a number.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// Milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// For JSON: enough digits to compare, few enough to read.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Bytes as a table shows them: 1 KB is 1,000 bytes.
pub(crate) fn kilobytes(bytes: usize) -> String {
    let digits = if bytes < 100_000 { 1 } else { 0 };
    format!("{:.digits$}", bytes as f64 / 1000.0)
}

/// Processor time of this thread so far.
pub(crate) fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
