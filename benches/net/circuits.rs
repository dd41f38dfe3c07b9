//! What passing on bytes costs a relay: many busy circuits at once through a real `rs relay`, beside coturn.
//!
//! All on loopback and on one machine: relay, hosts and visitors share its processors, so Mbit/s are what fits on it, and the relay's own
//! processor time for each GB is the figure to plan with. Bytes count once for each time the relay passes them on.
//!
//! coturn is measured first, and the messages of `rs` come at the pace that its client kept.

use std::time::Duration;

use anyhow::Context;

use crate::{
    peers::{MESSAGE, Seen},
    reservations::{TRANSPORTS, relay, worker},
    turn,
};

/// Limits that are never reached: what remains is what shaping itself costs.
const SHAPED: &str = "--circuit-bandwidth 1G --bandwidth 10G";
/// A total that all want more than: who gets what of it?
const SHARED: &str = "--bandwidth 25M";
/// What coturn's client is asked for; what it keeps to is read from its figures.
const EVERY: Duration = Duration::from_millis(2);
const MESSAGES: u32 = 1500;

pub(crate) fn run(circuits: u32) -> anyhow::Result<()> {
    let coturn = turn::messages(circuits, MESSAGES, EVERY)?;
    let pace = coturn.bytes / 2.0 / MESSAGE as f64 / coturn.seconds / f64::from(circuits);
    let every = ((1000.0 / pace).round() as u64).max(1).to_string();
    eprintln!("coturn's clients sent {pace:.0} messages a second each; those of rs send one every {every} ms");
    let mut rows = Vec::new();
    for (name, listen) in TRANSPORTS {
        for (kind, flags, every) in [
            ("", "", None),
            (", limits not reached", SHAPED, None),
            (", 200 Mbit/s for all", SHARED, None),
            (", messages", "", Some(&*every)),
        ] {
            let name = format!("rs, {name}{kind}");
            let row = Row::measure(circuits, listen, flags, every).with_context(|| name.clone())?;
            eprintln!("{name}: {:.0} Mbit/s, {:.1} s per GB", row.rate, row.processor);
            rows.push((name, row));
        }
    }
    println!(
        "\n{circuits} busy circuits at once; messages are of {MESSAGE} bytes and come back, one every {every} ms on each circuit:\n"
    );
    println!("| relay | Mbit/s passed on | CPU s per GB | lost | fairness (Jain) | least : most |\n|---|---|---|---|---|---|");
    for (name, Row { rate, processor, fairness, spread }) in rows {
        println!("| {name} | {rate:.0} | {processor:.1} | 0 | {fairness:.3} | {spread:.2} |");
    }
    let (rate, processor) = (coturn.bytes * 8e-6 / coturn.seconds, coturn.processor / coturn.bytes * 1e9);
    println!("| coturn, UDP, messages | {rate:.0} | {processor:.1} | {:.2} % | | |", 100.0 * coturn.lost);
    Ok(())
}

/// What a relay was.
struct Row {
    /// Mbit/s
    rate: f64,
    /// Seconds per GB
    processor: f64,
    /// Jain's index: 1 when all got the same, 1/n when one got all.
    fairness: f64,
    /// What the one who got least had of what the one had who got most.
    spread: f64,
}

impl Row {
    fn measure(circuits: u32, listen: &str, flags: &str, every: Option<&str>) -> anyhow::Result<Self> {
        let (mut relay, address) = relay(listen, flags)?;
        let circuits = circuits.to_string();
        let mut hosts = worker(&["hosts", &address, &circuits])?;
        hosts.line()?;
        let mut arguments = vec!["visitors", &address, &circuits];
        arguments.extend(every.iter().flat_map(|every| ["--every", *every]));
        let mut visitors = worker(&arguments)?;
        visitors.line()?;
        let before = relay.rs.process().processor_time();
        let seen: Seen = serde_json::from_str(&visitors.line()?)?;
        let processor = relay.rs.process().processor_time() - before;
        // Messages are passed on twice.
        let bytes: Vec<f64> = seen.bytes.iter().map(|bytes| (*bytes * if every.is_some() { 2 } else { 1 }) as f64).collect();
        let (total, squares): (f64, f64) = (bytes.iter().sum(), bytes.iter().map(|bytes| bytes * bytes).sum());
        let (least, most) = bytes.iter().fold((f64::MAX, 0.0_f64), |(least, most), bytes| (least.min(*bytes), most.max(*bytes)));
        Ok(Self {
            rate: total * 8e-6 / seen.seconds,
            processor: processor.as_secs_f64() / total * 1e9,
            fairness: total * total / squares / bytes.len() as f64,
            spread: least / most,
        })
    }
}
