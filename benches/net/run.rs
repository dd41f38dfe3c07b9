//! The rig: a link, a pair of processes for each flow through it, and tables of what they report.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};

use crate::{
    ends::Report,
    link::{ADDRESSES, Counters, Link, Shape},
    systems::System,
};

/// Of the first flow; the next ones follow. They are alone in their namespaces.
const PORT: u16 = 4001;
const BOTTLENECK: u64 = 50_000_000;
/// What the bottleneck's queue holds: one delay product, 50 Mbit/s × 40 ms.
const BOTTLENECK_QUEUE: usize = 250_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which, all by default
    systems: Vec<System>,
    /// How often each cell is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each flow, with the warm-up
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(2..))]
    seconds: u64,
    /// Seconds at the beginning that do not count
    #[arg(long, default_value_t = 2)]
    warm_up: u64,
    /// Seconds of each pair of flows through one bottleneck; 0 leaves them out
    #[arg(long, default_value_t = 15)]
    fairness: u64,
}

/// The links, by the heads of their columns.
fn links() -> [(&'static str, Shape); 4] {
    let delayed = |milliseconds| Shape { delay: Duration::from_millis(milliseconds), ..Shape::default() };
    [
        ("no delay", Shape::default()),
        ("40 ms", delayed(20)),
        ("40 ms, 1 % loss", Shape { loss: 0.01, ..delayed(20) }),
        ("200 ms", delayed(100)),
    ]
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.warm_up >= options.seconds {
        bail!("the warm-up leaves nothing to measure; make --seconds larger");
    }
    let wanted = if options.systems.is_empty() { &System::ALL[..] } else { &options.systems };
    let systems: Vec<System> = wanted.iter().copied().filter(|system| system.available()).collect();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load before: {}", load.trim());
    throughput(options, &systems)?;
    if options.fairness > 0 {
        fairness(options, &systems)?;
    }
    Ok(())
}

/// One flow alone, for each system and link.
fn throughput(options: &Options, systems: &[System]) -> anyhow::Result<()> {
    let window = Window { warm_up: options.warm_up, seconds: options.seconds - options.warm_up };
    let mut columns = Vec::new();
    for (name, shape) in links() {
        let mut runs = vec![Vec::new(); systems.len()];
        for round in 0..options.rounds {
            for (system, runs) in systems.iter().zip(&mut runs) {
                let measured = flows(&[*system], shape, window, round.into());
                let (figures, counters) = measured.with_context(|| format!("{}, {name}", system.argument()))?;
                let Counters { carried, lost, overflowed } = counters[0];
                eprintln!(
                    "{} {name}: {:.1} Mbit/s; packets {carried}, lost {lost}, {overflowed} over",
                    system.argument(),
                    figures[0].rate
                );
                runs.extend(figures);
            }
        }
        columns.push((name, runs.into_iter().map(Figures::median).collect::<Vec<_>>()));
    }
    let stock = systems.iter().position(|system| *system == System::Quic);
    println!("\nMbit/s (of stock QUIC's), then CPU seconds per GB of the sender + the receiver; round trip, loss each way:\n");
    println!("| one stream | {} |", columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(columns.len()));
    for (row, system) in systems.iter().enumerate() {
        let cells = columns.iter().map(|(_, column)| cell(&column[row], stock.map(|stock| &column[stock])));
        println!("| {} | {} |", system.name(), cells.collect::<Vec<_>>().join(" | "));
    }
    Ok(())
}

fn cell(figures: &Figures, stock: Option<&Figures>) -> String {
    let ratio = stock.map_or(String::new(), |stock| format!(" (×{:.2})", figures.rate / stock.rate));
    format!("{:.1}{ratio}, {:.1} + {:.1}", figures.rate, figures.sender, figures.receiver)
}

/// Each QUIC beside each TCP of the kernel, and the kernel's two beside each other to compare with.
fn fairness(options: &Options, systems: &[System]) -> anyhow::Result<()> {
    let shape = Shape { delay: Duration::from_millis(20), loss: 0.0, rate: Some(BOTTLENECK), queue: BOTTLENECK_QUEUE };
    let window = Window { warm_up: options.fairness / 3, seconds: options.fairness - options.fairness / 3 };
    let kernels: Vec<System> = [System::Kernel, System::Cubic].into_iter().filter(|kernel| systems.contains(kernel)).collect();
    let quics = systems.iter().filter(|system| system.is_quic());
    let mut pairs: Vec<[System; 2]> = quics.flat_map(|quic| kernels.iter().map(|kernel| [*quic, *kernel])).collect();
    pairs.extend(<[System; 2]>::try_from(kernels.as_slice()));
    println!("\nTwo flows through one bottleneck of 50 Mbit/s, 40 ms, with a queue of 250 kB; each pair's medians:\n");
    println!("| first | second | Mbit/s of the first | of the second | share of the first |\n|---|---|---|---|---|");
    for pair in pairs {
        let mut runs = [Vec::new(), Vec::new()];
        for round in 0..options.rounds {
            let (figures, _) = flows(&pair, shape, window, round.into()).context("two flows through one bottleneck")?;
            runs.iter_mut().zip(figures).for_each(|(runs, figures)| runs.push(figures));
        }
        let [first, second] = runs.map(|runs| Figures::median(runs).rate);
        let share = 100.0 * first / (first + second);
        println!("| {} | {} | {first:.1} | {second:.1} | {share:.0} % |", pair[0].name(), pair[1].name());
    }
    Ok(())
}

/// When a flow is measured.
#[derive(Clone, Copy)]
struct Window {
    warm_up: u64,
    seconds: u64,
}

/// What a flow was.
#[derive(Clone, Copy)]
struct Figures {
    /// Mbit/s
    rate: f64,
    /// CPU seconds per GB
    sender: f64,
    receiver: f64,
}

impl Figures {
    fn of(sender: &Report, receiver: &Report) -> Self {
        let gigabytes = receiver.bytes as f64 / 1e9;
        Self {
            rate: gigabytes * 8000.0 / receiver.seconds,
            sender: sender.processor / gigabytes,
            receiver: receiver.processor / gigabytes,
        }
    }

    /// Each figure's own.
    fn median(runs: Vec<Self>) -> Self {
        let median = |figure: fn(&Self) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self { rate: median(|run| run.rate), sender: median(|run| run.sender), receiver: median(|run| run.receiver) }
    }
}

/// All these flows at the same time through one new link.
fn flows(systems: &[System], shape: Shape, window: Window, seed: u64) -> anyhow::Result<(Vec<Figures>, [Counters; 2])> {
    let link = Link::new(shape, seed)?;
    let ends = |role: &'static str| {
        let link = &link;
        systems.iter().zip(PORT..).map(move |(system, port)| End::start(link, role, *system, port, window))
    };
    let mut receivers = ends("receive").collect::<anyhow::Result<Vec<_>>>()?;
    for receiver in &mut receivers {
        receiver.line().context("the receiver did not start")?;
    }
    let mut senders = ends("send").collect::<anyhow::Result<Vec<_>>>()?;
    let mut figures = Vec::new();
    for (sender, receiver) in senders.iter_mut().zip(&mut receivers) {
        figures.push(Figures::of(&sender.report()?, &receiver.report()?));
    }
    drop((senders, receivers));
    Ok((figures, link.finish()?))
}

/// A running end of a flow. Dropping it kills it.
struct End {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl End {
    fn start(link: &Link, role: &str, system: System, port: u16, window: Window) -> anyhow::Result<Self> {
        let end = usize::from(role == "receive");
        let mut command: Command = link.command(end, &std::env::current_exe()?);
        command.args([role, system.argument(), &ADDRESSES[1].to_string(), &port.to_string()]);
        command.args([window.warm_up.to_string(), window.seconds.to_string()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("stdout is piped")?;
        Ok(Self { child, output: BufReader::new(output) })
    }

    fn report(&mut self) -> anyhow::Result<Report> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// The next line it prints; its own end or the kernel's time-outs bound the waiting.
    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("an end of the flow failed; its message is above");
        }
        Ok(line)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
