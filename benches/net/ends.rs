//! The two ends of a flow. Each prints what happened in its window as one JSON line and goes on until it is killed, so that the other
//! end's window is full as well.

use std::{
    future::pending,
    io::Write,
    net::Ipv4Addr,
    process::id,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use futures::{AsyncReadExt, AsyncWriteExt};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Runtime, sync::Notify};

use crate::{support::process::processor_time, systems::System};

/// What one write gives at most, and one read takes.
const PIECE: usize = 64 << 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    pub(crate) system: System,
    /// Of the receiver
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    /// Seconds before the window
    pub(crate) warm_up: u64,
    /// Seconds of the window
    pub(crate) window: u64,
}

/// What an end saw in its window.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// Processor time of the whole process.
    pub(crate) processor: f64,
}

/// Sends until it is killed.
pub(crate) fn send(options: &Options) -> anyhow::Result<()> {
    Runtime::new()?.block_on(async {
        let mut stream = options.system.dial(options.address, options.port).await?;
        let sent = Arc::new(AtomicU64::new(0));
        let counter = sent.clone();
        let sending = async move {
            let piece = vec![0x5a; PIECE];
            loop {
                let length = stream.write(&piece).await?;
                counter.fetch_add(length as u64, Ordering::Relaxed);
            }
        };
        beside(sending, report(options, &sent)).await
    })
}

/// Tells when it can be dialled, and receives until it is killed.
pub(crate) fn receive(options: &Options) -> anyhow::Result<()> {
    Runtime::new()?.block_on(async {
        let mut stream = options.system.answer(options.address, options.port, || println!("ready")).await?;
        let (received, first) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let (counter, begun) = (received.clone(), first.clone());
        let receiving = async move {
            let mut piece = vec![0; PIECE];
            loop {
                let length = stream.read(&mut piece).await?;
                if length == 0 {
                    bail!("the sender is gone");
                }
                counter.fetch_add(length as u64, Ordering::Relaxed);
                begun.notify_one();
            }
        };
        let reporting = async {
            first.notified().await;
            report(options, &received).await
        };
        beside(receiving, reporting).await
    })
}

/// Runs `flow` on a task of its own beside the report, and fails with whichever fails.
async fn beside(
    flow: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    report: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let flow = tokio::spawn(flow);
    tokio::select! {
        ended = flow => ended?,
        failed = report => failed,
    }
}

/// Waits for the window, prints what happened in it, and never returns.
async fn report(options: &Options, bytes: &AtomicU64) -> anyhow::Result<()> {
    tokio::time::sleep(Duration::from_secs(options.warm_up)).await;
    let (start, bytes_before, processor_before) = (Instant::now(), bytes.load(Ordering::Relaxed), processor_time(id()));
    tokio::time::sleep(Duration::from_secs(options.window)).await;
    let report = Report {
        bytes: bytes.load(Ordering::Relaxed) - bytes_before,
        seconds: start.elapsed().as_secs_f64(),
        processor: (processor_time(id()) - processor_before).as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&report)?);
    std::io::stdout().flush()?;
    pending().await
}
