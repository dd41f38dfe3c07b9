//! Flows over a slow, lossy link: one alone, and two through one bottleneck. Tables of what their ends report.
//!
//! One stream, as full as it gets. The receiver counts bytes in a window of its own clock, which begins after a warm-up from the first
//! byte; both ends take the processor time of their process in their window. Each run has a new link and new processes, so that nothing
//! is remembered; the systems take turns, and a cell is the median of its runs. The link itself needs processor time of the same machine,
//! most at full speed: without delay the figures are what fits on the machine, not what the transport could do.

use std::time::Duration;

use anyhow::Context;

use crate::{
    ends::Report,
    link::{ADDRESSES, Counters, Link, Shape},
    run::{Options, median},
    systems::System,
    worker::Worker,
};

/// Of the first flow; the next ones follow. They are alone in their namespaces.
const PORT: u16 = 4001;
const BOTTLENECK: u64 = 50_000_000;
/// What the bottleneck's queue holds: one delay product, 50 Mbit/s × 40 ms.
const BOTTLENECK_QUEUE: usize = 250_000;

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

/// One flow alone, for each system and link.
pub(crate) fn throughput(options: &Options, systems: &[System]) -> anyhow::Result<()> {
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
pub(crate) fn fairness(options: &Options, systems: &[System]) -> anyhow::Result<()> {
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
        let median = |figure: fn(&Self) -> f64| median(runs.iter().map(figure));
        Self { rate: median(|run| run.rate), sender: median(|run| run.sender), receiver: median(|run| run.receiver) }
    }
}

/// All these flows at the same time through one new link.
fn flows(systems: &[System], shape: Shape, window: Window, seed: u64) -> anyhow::Result<(Vec<Figures>, [Counters; 2])> {
    let link = Link::new(shape, seed)?;
    let ends = |role: &'static str| {
        let link = &link;
        systems.iter().zip(PORT..).map(move |(system, port)| end(link, role, *system, port, window))
    };
    let mut receivers = ends("receive").collect::<anyhow::Result<Vec<_>>>()?;
    for receiver in &mut receivers {
        receiver.line().context("the receiver did not start")?;
    }
    let mut senders = ends("send").collect::<anyhow::Result<Vec<_>>>()?;
    let mut figures = Vec::new();
    for (sender, receiver) in senders.iter_mut().zip(&mut receivers) {
        figures.push(Figures::of(&report(sender)?, &report(receiver)?));
    }
    drop((senders, receivers));
    Ok((figures, link.finish()?))
}

/// Starts an end of a flow.
fn end(link: &Link, role: &str, system: System, port: u16, window: Window) -> anyhow::Result<Worker> {
    let number = usize::from(role == "receive");
    let mut command = link.command(number, &std::env::current_exe()?);
    command.args([role, system.argument(), &ADDRESSES[1].to_string(), &port.to_string()]);
    command.args([window.warm_up.to_string(), window.seconds.to_string()]);
    Worker::start(command)
}

fn report(end: &mut Worker) -> anyhow::Result<Report> {
    Ok(serde_json::from_str(&end.line()?)?)
}
