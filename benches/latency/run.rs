//! The whole measurement: turns, then what it all costs when nothing happens, then first pictures.

use std::{
    collections::BTreeSet,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    first_picture::{Place, Way},
    flip::Change,
    kit::process::{Program, require},
    systems::{Kind, System},
};

/// What to measure, and how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Systems; all when none is named
    systems: Vec<Kind>,
    /// Turns of each system
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Key presses in a turn
    #[arg(long, default_value_t = 20)]
    presses: usize,
    /// Seconds of watching idle systems
    #[arg(long, default_value_t = 5)]
    idle: u64,
    /// Connections for each way to a first picture of rs
    #[arg(long, default_value_t = 10)]
    connections: usize,
}

/// Measures and prints. On an error the programs' logs are kept.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let kinds = if options.systems.is_empty() { &Kind::ALL[..] } else { &options.systems };
    require(&kinds.iter().flat_map(|kind| kind.needs()).copied().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>())?;
    let folder = tempfile::tempdir()?;
    match measure(options, kinds, folder.path()) {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(format!("logs are in {}", folder.keep().display()))),
    }
}

fn measure(options: &Options, kinds: &[Kind], folder: &Path) -> anyhow::Result<()> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load before: {}", load.trim());
    let systems = kinds.iter().map(|kind| System::start(*kind, folder)).collect::<anyhow::Result<Vec<_>>>()?;
    latency(options, &systems)?;
    idle(Duration::from_secs(options.idle), &systems)?;
    drop(systems);
    if kinds.contains(&Kind::Rs) && options.connections > 0 {
        first_pictures(options.connections, folder)?;
    }
    Ok(())
}

fn latency(options: &Options, systems: &[System]) -> anyhow::Result<()> {
    println!("\n{:<10} {:<6} {:>8} {:>8} {:>5} {:>5}  to TigerVNC", "key→pixel", "change", "p50 ms", "p99 ms", "N", "lost");
    for change in [Change::Small, Change::Full] {
        let mut presses = vec![Vec::new(); systems.len()];
        for _ in 0..options.rounds {
            for (system, presses) in systems.iter().zip(&mut presses) {
                presses.extend(system.round(change, options.presses)?);
            }
        }
        let figures: Vec<Figures> = presses.into_iter().map(Figures::of).collect();
        let peer = systems.iter().zip(&figures).find(|(system, _)| system.kind == Kind::Tigervnc).map(|(_, figures)| figures.p50);
        for (system, Figures { p50, p99, shown, lost }) in systems.iter().zip(&figures) {
            let ratio = peer.map_or(String::new(), |peer| format!("{:.2}", p50 / peer));
            let change = format!("{change:?}").to_lowercase();
            println!("{:<10} {change:<6} {p50:>8.2} {p99:>8.2} {shown:>5} {lost:>5}  {ratio}", system.kind.name());
        }
    }
    Ok(())
}

struct Figures {
    p50: f64,
    p99: f64,
    shown: usize,
    lost: usize,
}

impl Figures {
    fn of(presses: Vec<Option<Duration>>) -> Self {
        let mut times: Vec<f64> = presses.iter().flatten().map(|time| time.as_secs_f64() * 1000.0).collect();
        times.sort_by(f64::total_cmp);
        let (shown, lost) = (times.len(), presses.len() - times.len());
        Self { p50: percentile(&times, 50), p99: percentile(&times, 99), shown, lost }
    }
}

/// The nearest rank in sorted values.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// Watches all systems while nothing happens on a screen that shows a flip window.
fn idle(window: Duration, systems: &[System]) -> anyhow::Result<()> {
    println!("\n{:<10} {:>8} {:>8} {:>8}  % of a core in {window:?}", "idle", "host", "host's X", "viewer");
    let flips: Vec<Program> = systems.iter().map(|system| system.flip(Change::Small)).collect::<anyhow::Result<_>>()?;
    let times = || systems.iter().map(System::processor_times).collect::<anyhow::Result<Vec<_>>>();
    let (before, start) = (times()?, Instant::now());
    thread::sleep(window);
    let (after, elapsed) = (times()?, start.elapsed());
    drop(flips);
    for (system, (before, after)) in systems.iter().zip(before.into_iter().zip(after)) {
        let Some((before, after)) = before.zip(after) else { continue };
        let [host, x, viewer] = std::array::from_fn(|of| 100.0 * (after[of] - before[of]).div_duration_f64(elapsed));
        println!("{:<10} {host:>8.1} {x:>8.1} {viewer:>8.1}", system.kind.name());
    }
    Ok(())
}

fn first_pictures(connections: usize, folder: &Path) -> anyhow::Result<()> {
    println!("\n{:<14} {:>8} {:>8} {:>5}  path at first", "first picture", "p50 ms", "max ms", "N");
    let mut place = Place::start(folder)?;
    let mut results = vec![(Vec::new(), BTreeSet::new()); Way::ALL.len()];
    for _ in 0..connections {
        for (way, (times, paths)) in Way::ALL.into_iter().zip(&mut results) {
            let (milliseconds, path) = place.connect(way, folder)?;
            times.push(milliseconds as f64);
            paths.insert(path);
        }
    }
    for (way, (mut times, paths)) in Way::ALL.into_iter().zip(results) {
        times.sort_by(f64::total_cmp);
        let (p50, most) = (percentile(&times, 50), percentile(&times, 100));
        let paths = paths.into_iter().collect::<Vec<_>>().join(", ");
        println!("{:<14} {p50:>8.0} {most:>8.0} {:>5}  {paths}", way.name(), times.len());
    }
    Ok(())
}
