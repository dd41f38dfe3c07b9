//! The whole measurement: turns, then how many pictures a second, then what it all costs when nothing happens, then first
//! pictures.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    first_picture::{Place, Way},
    flip::Change,
    kit::{
        milliseconds, percentile,
        process::{Program, require},
    },
    plot::{self, Panel},
    systems::{Kind, Rate, System, share},
};

/// Pictures offered a second.
const OFFERED: u32 = 60;

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
    /// Seconds of watching each system at sixty pictures a second
    #[arg(long, default_value_t = 4)]
    rate: u64,
    /// Draw how the times are distributed into this SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
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
    let panels = latency(options, &systems)?;
    rates(Duration::from_secs(options.rate), &systems)?;
    idle(Duration::from_secs(options.idle), &systems)?;
    drop(systems);
    if kinds.contains(&Kind::Rs) && options.connections > 0 {
        first_pictures(options.connections, folder)?;
    }
    if let Some(file) = &options.plot {
        plot::distributions(&panels, file)?;
        println!("\ndrawn: {}", file.display());
    }
    Ok(())
}

/// Turn by turn, so that what else the machine does hits all systems alike.
fn latency(options: &Options, systems: &[System]) -> anyhow::Result<Vec<Panel>> {
    println!("\n{:<10} {:<6} {:>8} {:>8} {:>5} {:>5}  to TigerVNC", "key→pixel", "change", "p50 ms", "p99 ms", "N", "lost");
    let mut panels = Vec::new();
    for change in Change::ALL {
        let mut presses = vec![Vec::new(); systems.len()];
        for _ in 0..options.rounds {
            for (system, presses) in systems.iter().zip(&mut presses) {
                presses.extend(system.round(change, options.presses)?);
            }
        }
        let figures: Vec<Figures> = presses.into_iter().map(Figures::of).collect();
        let peer =
            systems.iter().zip(&figures).find(|(system, _)| system.kind == Kind::Tigervnc).map(|(_, figures)| figures.at(50));
        for (system, figures) in systems.iter().zip(&figures) {
            let (name, p50, p99, shown, lost) =
                (system.kind.name(), figures.at(50), figures.at(99), figures.times.len(), figures.lost);
            let ratio = peer.map_or(String::new(), |peer| format!("{:.2}", p50 / peer));
            println!("{name:<10} {:<6} {p50:>8.2} {p99:>8.2} {shown:>5} {lost:>5}  {ratio}", change.name());
        }
        let lines = systems.iter().zip(figures).map(|(system, figures)| (system.kind, figures.times)).collect();
        panels.push(Panel { change, lines });
    }
    Ok(panels)
}

struct Figures {
    /// Milliseconds, sorted.
    times: Vec<f64>,
    lost: usize,
}

impl Figures {
    fn of(presses: Vec<Option<Duration>>) -> Self {
        let mut times: Vec<f64> = presses.iter().flatten().copied().map(milliseconds).collect();
        times.sort_by(f64::total_cmp);
        Self { lost: presses.len() - times.len(), times }
    }

    fn at(&self, percent: usize) -> f64 {
        percentile(&self.times, percent)
    }
}

/// Offers more pictures than a screen shows.
fn rates(window: Duration, systems: &[System]) -> anyhow::Result<()> {
    println!(
        "\n{:<10} {:<6} {:>8} {:>8} {:>8} {:>8}  % of a core, {OFFERED}/s offered",
        "rate", "change", "shown/s", "host", "host's X", "viewer"
    );
    for change in [Change::Full, Change::Text, Change::Photo] {
        for system in systems {
            let Rate { shown, processor } = system.rate(change, OFFERED, window)?;
            let processor = processor.map_or(String::new(), |of| of.map(|share| format!("{share:>8.0}")).join(" "));
            println!("{:<10} {:<6} {shown:>8.1} {processor}", system.kind.name(), change.name());
        }
    }
    Ok(())
}

/// Watches all systems while nothing happens on a screen that shows a flip window.
fn idle(window: Duration, systems: &[System]) -> anyhow::Result<()> {
    println!("\n{:<10} {:>8} {:>8} {:>8}  % of a core in {window:?}", "idle", "host", "host's X", "viewer");
    let flips: Vec<Program> = systems.iter().map(|system| system.flip(Change::Small, None)).collect::<anyhow::Result<_>>()?;
    let times = || systems.iter().map(System::processor_times).collect::<anyhow::Result<Vec<_>>>();
    let (before, start) = (times()?, Instant::now());
    thread::sleep(window);
    let (after, elapsed) = (times()?, start.elapsed());
    drop(flips);
    for (system, (before, after)) in systems.iter().zip(before.into_iter().zip(after)) {
        let Some((before, after)) = before.zip(after) else { continue };
        let [host, x, viewer] = share(before, after, elapsed);
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
