//! Load for a relay, many peers to a process: hosts that hold reservations, and visitors that keep circuits to them busy.
//!
//! A peer is the node that `rs host` and `rs connect` have, without screen and session. The hosts publish their records as well. Keys come
//! from the numbers of the hosts, so that visitors know them without being told. Peers listen on loopback addresses of their own, 400 on
//! each, because a relay limits what one IP address may ask for.
//!
//! On its stream a visitor first says how it will be answered ([`Traffic`]), and counts only what was answered.

use std::{
    io::{Read, Write},
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use ed25519_dalek::SigningKey;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, TryStreamExt, stream};
use libp2p::{Multiaddr, multiaddr::Protocol};
use rs::{
    net::{Event, Node, Purpose, RelayAddress, Stream, address, node},
    protocol::id::PeerKey,
};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Runtime, sync::mpsc, time::sleep};

/// Peers that start at the same time: fewer than a relay takes at once.
const ABREAST: usize = 32;
const PER_ADDRESS: u32 = 400;
/// The second byte of the loopback addresses.
const HOSTS: u8 = 1;
const VISITORS: u8 = 2;
/// What is written, read and answered at a time when as much as possible is sent.
const PIECE: usize = 64 << 10;
/// As long as coturn's messages are made.
pub(crate) const MESSAGE: usize = 1200;

#[derive(clap::Args)]
pub(crate) struct HostOptions {
    /// The relay, with its key
    relay: Multiaddr,
    count: u32,
}

#[derive(clap::Args)]
pub(crate) struct VisitorOptions {
    /// The relay, with its key
    relay: Multiaddr,
    count: u32,
    /// Milliseconds between messages of 1,200 bytes that come back; without, as much as possible one way
    #[arg(long)]
    every: Option<u64>,
    /// Seconds before the window
    #[arg(long, default_value_t = 2)]
    warm_up: u64,
    /// Seconds of the window
    #[arg(long, default_value_t = 6)]
    window: u64,
}

/// What visitors saw in their window.
#[derive(Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Of each circuit, as answered by its host.
    pub(crate) bytes: Vec<u64>,
    pub(crate) seconds: f64,
}

/// What a visitor's first byte says.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Traffic {
    /// Every [`PIECE`] is answered by one byte.
    Bulk = 1,
    /// Everything comes back.
    Messages = 2,
}

/// Starts hosts, says `ready` when the relay holds a reservation and the record of each, and serves until its input ends.
pub(crate) fn hosts(options: &HostOptions) -> anyhow::Result<()> {
    Runtime::new()?.block_on(async {
        let hosts = stream::iter(0..options.count).map(|number| host(number, &options.relay));
        let _hosts: Vec<Node> = hosts.buffer_unordered(ABREAST).try_collect().await?;
        println!("ready");
        // A thread of its own: reading blocks.
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        Ok(())
    })
}

async fn host(number: u32, relay: &Multiaddr) -> anyhow::Result<Node> {
    let (node, mut events) = start(HOSTS, number, node::Part::Host, relay).await?;
    let (key, address) = address::split(relay);
    node.use_relay(RelayAddress { addresses: vec![address], key }).await?;
    wait_for(&mut events, |event| matches!(event, Event::Reserved(_)).then_some(())).await?;
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Inbound { stream, .. } = event {
                tokio::spawn(answer(stream));
            }
        }
    });
    Ok(node)
}

/// Answers what comes until it ends.
async fn answer(mut stream: Stream) -> std::io::Result<()> {
    let (mut traffic, mut piece) = ([0], vec![0; PIECE]);
    stream.read_exact(&mut traffic).await?;
    if traffic[0] == Traffic::Bulk as u8 {
        loop {
            stream.read_exact(&mut piece).await?;
            stream.write_all(&[1]).await?;
            stream.flush().await?;
        }
    }
    loop {
        stream.read_exact(&mut piece[..MESSAGE]).await?;
        stream.write_all(&piece[..MESSAGE]).await?;
        stream.flush().await?;
    }
}

/// Opens a circuit to each host, keeps all busy, prints what was seen in the window, and ends.
pub(crate) fn visitors(options: &VisitorOptions) -> anyhow::Result<()> {
    Runtime::new()?.block_on(async {
        let circuits = stream::iter(0..options.count).map(|number| visitor(number, &options.relay));
        let circuits: Vec<(Node, Stream)> = circuits.buffer_unordered(ABREAST).try_collect().await?;
        let answered: Vec<Arc<AtomicU64>> = circuits.iter().map(|_| Arc::default()).collect();
        let mut nodes = Vec::new();
        for ((node, stream), answered) in circuits.into_iter().zip(&answered) {
            nodes.push(node);
            tokio::spawn(busy(stream, options.every.map(Duration::from_millis), answered.clone()));
        }
        sleep(Duration::from_secs(options.warm_up)).await;
        println!("window");
        let count = || answered.iter().map(|bytes| bytes.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let (start, before) = (Instant::now(), count());
        sleep(Duration::from_secs(options.window)).await;
        let bytes = count().into_iter().zip(before).map(|(after, before)| after - before).collect();
        println!("{}", serde_json::to_string(&Seen { bytes, seconds: start.elapsed().as_secs_f64() })?);
        std::io::stdout().flush()?;
        Ok(())
    })
}

async fn visitor(number: u32, relay: &Multiaddr) -> anyhow::Result<(Node, Stream)> {
    let (node, mut events) = start(VISITORS, number, node::Part::Viewer, relay).await?;
    let host = PeerKey(identity(HOSTS, number).verifying_key().to_bytes());
    node.dial(Some(host), vec![address::circuit(relay, host)]).await.map_err(|reason| anyhow!(reason))?;
    let up = |event| if let Event::PathUp { path, .. } = event { Some(path) } else { None };
    // A direct path comes later, if at all: this one is the circuit.
    let path = wait_for(&mut events, up).await?;
    node.keep(path, true).await;
    let stream = node.open(path, Purpose::Lane).await.map_err(|reason| anyhow!(reason))?;
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    Ok((node, stream))
}

/// Sends, and counts what is answered, until the stream ends.
async fn busy(stream: Stream, every: Option<Duration>, answered: Arc<AtomicU64>) {
    let (mut reader, mut writer) = stream.split();
    let counting = async move {
        let mut piece = vec![0; PIECE];
        loop {
            let length = reader.read(&mut piece).await? as u64;
            if length == 0 {
                return std::io::Result::Ok(());
            }
            answered.fetch_add(if every.is_some() { length } else { length * PIECE as u64 }, Ordering::Relaxed);
        }
    };
    let sending = async move {
        let Some(every) = every else {
            writer.write_all(&[Traffic::Bulk as u8]).await?;
            loop {
                writer.write_all(&[0x5a; PIECE]).await?;
            }
        };
        writer.write_all(&[Traffic::Messages as u8]).await?;
        let mut turn = tokio::time::interval(every);
        loop {
            turn.tick().await;
            writer.write_all(&[0x5a; MESSAGE]).await?;
            writer.flush().await?;
        }
    };
    let (Ok(()) | Err(_)) = tokio::select! {
        ended = counting => ended,
        ended = sending => ended,
    };
}

/// A node of the group, at its own address, over the relay's transport.
async fn start(group: u8, number: u32, part: node::Part, relay: &Multiaddr) -> anyhow::Result<(Node, mpsc::Receiver<Event>)> {
    let last = u8::try_from(1 + number / PER_ADDRESS).context("so many peers have no addresses")?;
    let ip = Multiaddr::from(Ipv4Addr::new(127, group, 0, last));
    let quic = relay.iter().any(|protocol| protocol == Protocol::QuicV1);
    let listen = if quic { ip.with(Protocol::Udp(0)).with(Protocol::QuicV1) } else { ip.with(Protocol::Tcp(0)) };
    node::start(node::Config {
        identity: identity(group, number),
        part,
        listen: vec![listen],
        lan: false,
        port_mapping: false,
        trace: None,
    })
    .await
}

fn identity(group: u8, number: u32) -> SigningKey {
    let mut seed = [group; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_bytes(&seed)
}

async fn wait_for<T>(events: &mut mpsc::Receiver<Event>, mut wanted: impl FnMut(Event) -> Option<T>) -> anyhow::Result<T> {
    loop {
        if let Some(found) = wanted(events.recv().await.context("a node stopped")?) {
            return Ok(found);
        }
    }
}
