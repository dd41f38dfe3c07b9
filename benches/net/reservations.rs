//! What hosts that only wait cost a relay: a real `rs relay` on loopback, and the nodes of many hosts in another process.
//!
//! Once over TCP and once over QUIC. A host is complete: connection, reservation, and its record in the directory. Memory is what the
//! process of the relay has more of than before; sockets' buffers are the kernel's and not in it.

use std::{
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Context;
use ed25519_dalek::SigningKey;
use rs::protocol::id::{HostId, PeerKey};

use crate::{
    support::{
        machine::{Home, Relay, strings},
        rs::Start,
    },
    turn,
    worker::Worker,
};

/// What every host has done by then that it does at its start: it checks its listing after some seconds.
const SETTLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(20);

/// An address of the relay for each transport.
pub(crate) const TRANSPORTS: [(&str, &str); 2] = [("TCP", "/ip4/127.0.0.1/tcp/0"), ("QUIC", "/ip4/127.0.0.1/udp/0/quic-v1")];

/// A real relay on loopback that listens at one address, with these flags.
pub(crate) fn relay(listen: &str, flags: &str) -> anyhow::Result<(Relay, String)> {
    let home = Home::new();
    let rs = Start::new(home.path(), &format!("relay --json --listen {listen} {flags}")).quiet().go();
    let addresses = strings(&rs.expect("ready")["addresses"]);
    let address = addresses.first().context("a relay tells its addresses")?.clone();
    Ok((Relay { rs, home, addresses }, address))
}

/// This program as the given part.
pub(crate) fn worker(arguments: &[&str]) -> anyhow::Result<Worker> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Worker::start(command)
}

pub(crate) fn run(count: u32) -> anyhow::Result<()> {
    let columns = TRANSPORTS.iter().map(|(name, listen)| held(count, name, listen)).collect::<anyhow::Result<Vec<_>>>()?;
    let allocations = turn::allocations(count.min(turn::MOST))?;
    let identity = SigningKey::from_bytes(&[7; 32]);
    let start = Instant::now();
    let _ = HostId::of(&PeerKey(identity.verifying_key().to_bytes()));
    let argon = start.elapsed().as_secs_f64() * 1e3;
    println!("\nWhat {count} waiting hosts cost a relay, and {} allocations coturn:\n", allocations.count);
    println!("| one host | rs, {} | rs, {} | coturn, UDP |\n|---|---|---|---|", TRANSPORTS[0].0, TRANSPORTS[1].0);
    let row = |name: &str, figure: fn(&Cost) -> f64, coturn: f64| {
        println!("| {name} | {:.1} | {:.1} | {coturn:.1} |", figure(&columns[0]), figure(&columns[1]));
    };
    row("memory, KB", |cost| cost.memory, allocations.cost.memory);
    row("CPU when it comes, ms", |cost| cost.coming, allocations.cost.coming);
    row("CPU of all when idle, % of a core", |cost| cost.idle, allocations.cost.idle);
    row("file descriptors", |cost| cost.files, allocations.cost.files);
    println!("\nOf the CPU when it comes, {argon:.0} ms are one Argon2id: the relay checks the ID of a key that it sees first.");
    Ok(())
}

/// Of one host, except for what says otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) memory: f64,
    pub(crate) coming: f64,
    /// Of all.
    pub(crate) idle: f64,
    pub(crate) files: f64,
}

fn held(count: u32, name: &str, listen: &str) -> anyhow::Result<Cost> {
    let (mut relay, address) = relay(listen, "")?;
    let process = relay.rs.process();
    let (memory, processor, files) = (process.memory(), process.processor_time(), process.open_files());
    let start = Instant::now();
    let mut hosts = worker(&["hosts", &address, &count.to_string()])?;
    hosts.line().with_context(|| format!("{count} hosts, {name}"))?;
    let coming = process.processor_time() - processor;
    eprintln!("{name}: {count} hosts came in {:.0?}", start.elapsed());
    sleep(SETTLE);
    let (processor, start) = (process.processor_time(), Instant::now());
    sleep(IDLE);
    let idle = (process.processor_time() - processor).div_duration_f64(start.elapsed());
    let each = |total: f64| total / f64::from(count);
    Ok(Cost {
        memory: each(process.memory().saturating_sub(memory) as f64 / 1e3),
        coming: each(coming.as_secs_f64() * 1e3),
        idle: 100.0 * idle,
        files: each(process.open_files().saturating_sub(files) as f64),
    })
}
