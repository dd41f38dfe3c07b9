//! Which parts are measured, in which order.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{circuits, files, flows, gaps, pictures, reservations, systems::System};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the flows of these
    systems: Vec<System>,
    /// Only these parts; may be repeated
    #[arg(long = "part", value_name = "PART")]
    parts: Vec<Part>,
    /// How often what is noisy is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Seconds of each flow, with the warm-up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) seconds: u64,
    /// Seconds at the beginning that do not count
    #[arg(long, default_value_t = 2)]
    pub(crate) warm_up: u64,
    /// Seconds of each pair of flows through one bottleneck
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u64).range(3..))]
    pub(crate) fairness: u64,
    /// Hosts that hold a reservation
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) reservations: u32,
    /// Circuits that are busy
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) circuits: u32,
}

/// A part of the whole.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// One flow over each link
    Throughput,
    /// Two flows through one bottleneck
    Fairness,
    /// Time to the first picture, in round trips
    Pictures,
    /// Gaps between pictures when the path changes
    Gaps,
    /// One file to the other side
    Files,
    /// What a relay pays for hosts that wait
    Reservations,
    /// What a relay pays for bytes, beside coturn
    Circuits,
}

impl Part {
    const FLOWS: [Self; 2] = [Self::Throughput, Self::Fairness];
    const ALL: [Self; 7] =
        [Self::Throughput, Self::Fairness, Self::Pictures, Self::Gaps, Self::Files, Self::Reservations, Self::Circuits];

    fn measure(self, options: &Options, systems: &[System]) -> anyhow::Result<()> {
        match self {
            Self::Throughput => flows::throughput(options, systems),
            Self::Fairness => flows::fairness(options, systems),
            Self::Pictures => pictures::run(options.rounds),
            Self::Gaps => gaps::run(options.rounds),
            Self::Files => files::run(options.rounds),
            Self::Reservations => reservations::run(options.reservations),
            Self::Circuits => circuits::run(options.circuits),
        }
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.warm_up >= options.seconds {
        bail!("the warm-up leaves nothing to measure; make --seconds larger");
    }
    let wanted = if options.systems.is_empty() { &System::ALL[..] } else { &options.systems };
    let systems: Vec<System> = wanted.iter().copied().filter(|system| system.available()).collect();
    let parts = match (options.parts.is_empty(), options.systems.is_empty()) {
        (false, _) => &options.parts[..],
        (true, true) => &Part::ALL,
        (true, false) => &Part::FLOWS,
    };
    open_many_files()?;
    for part in parts {
        println!("\nload: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
        part.measure(options, &systems)?;
    }
    Ok(())
}

/// Thousands of sockets in one process need more than most shells allow; children inherit it.
fn open_many_files() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Of the middle one, when they are sorted.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
