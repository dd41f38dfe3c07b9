//! coturn, the TURN server that most deployments use, with the client and the peer that come with it, on loopback over UDP.
//!
//! Not like for like: coturn passes on UDP packets and neither encrypts nor acknowledges them; a relay of `rs` ends an encrypted connection
//! on each side. Its client sends messages of one length, each is echoed, and it counts what is lost.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::UdpSocket,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{
    peers::MESSAGE,
    reservations::Cost,
    support::{poll, process::Process},
};

/// Allocations that its client makes at once; with more it falls behind its own retransmissions.
pub(crate) const MOST: u32 = 500;
/// How long it may take for that, and how long nothing new means that all are there.
const COMING: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(4);
const IDLE: Duration = Duration::from_secs(5);
const START: Duration = Duration::from_secs(10);

/// What held allocations cost.
pub(crate) struct Allocations {
    pub(crate) count: usize,
    pub(crate) cost: Cost,
}

/// What passing on messages cost.
pub(crate) struct Passed {
    /// Passed on, each message once on its way there and once back.
    pub(crate) bytes: f64,
    pub(crate) seconds: f64,
    pub(crate) processor: f64,
    /// Of all messages, 0 to 1.
    pub(crate) lost: f64,
}

/// A running server with a peer that echoes.
struct Turn {
    server: Process,
    _peer: Process,
    port: u16,
    peer_port: u16,
    folder: TempDir,
}

impl Turn {
    fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (port, peer_port) = (free_port()?, free_port()?);
        let mut server = quiet("turnserver", folder.path())?;
        // Its own port, no password, and peers on loopback as we have them here.
        server.args(["-n", "-c", "/dev/null", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port"]);
        server.args([&port.to_string(), "--no-auth", "--allow-loopback-peers", "--no-tls", "--no-dtls", "--no-cli"]);
        server.args(["--realm", "bench", "--log-file", "/dev/null", "--simple-log", "--pidfile"]).arg(folder.path().join("pid"));
        let server = Process::start(server.arg("--db").arg(folder.path().join("db")));
        let mut peer = quiet("turnutils_peer", folder.path())?;
        let peer = Process::start(peer.args(["-L", "127.0.0.1", "-p", &peer_port.to_string()]));
        let turn = Self { server, _peer: peer, port, peer_port, folder };
        let listens = || fs::read_to_string("/proc/net/udp").is_ok_and(|table| table.contains(&format!(":{:04X} ", turn.port)));
        poll(START, || listens().then_some(())).context("turnserver does not start")?;
        Ok(turn)
    }

    /// Its client, with these options.
    fn client(&self, options: &[&str]) -> anyhow::Result<Process> {
        let mut command = quiet("turnutils_uclient", self.folder.path())?;
        command.args(["-p", &self.port.to_string(), "-e", "127.0.0.1", "-r", &self.peer_port.to_string(), "-c"]);
        Ok(Process::start(command.args(options).arg("127.0.0.1")))
    }
}

/// Holds this many allocations, as far as the client gets them.
pub(crate) fn allocations(wanted: u32) -> anyhow::Result<Allocations> {
    let turn = Turn::start()?;
    let (memory, processor, files) = (turn.server.memory(), turn.server.processor_time(), turn.server.open_files());
    let _client = turn.client(&["-m", &wanted.to_string(), "-n", "1000", "-z", "60000"])?;
    // An allocation is two sockets: the client's, and the one that its peers send to.
    let (start, mut grown, mut seen) = (Instant::now(), Instant::now(), 0);
    while start.elapsed() < COMING && seen < 2 * wanted as usize && (seen == 0 || grown.elapsed() < QUIET) {
        sleep(Duration::from_millis(100));
        let now = turn.server.open_files().saturating_sub(files);
        if now > seen {
            (grown, seen) = (Instant::now(), now);
        }
    }
    let count = seen / 2;
    if count == 0 {
        bail!("coturn's client got no allocation");
    }
    let each = |total: f64| total / count as f64;
    let (coming, start) = (turn.server.processor_time(), Instant::now());
    sleep(IDLE);
    let idle = (turn.server.processor_time() - coming).div_duration_f64(start.elapsed());
    let cost = Cost {
        memory: each(turn.server.memory().saturating_sub(memory) as f64 / 1e3),
        coming: each((coming - processor).as_secs_f64() * 1e3),
        idle: 100.0 * idle,
        files: each(seen as f64),
    };
    eprintln!("coturn: {count} allocations");
    Ok(Allocations { count, cost })
}

/// This many clients send this many messages each, as fast as a client with an interval of `every` does.
pub(crate) fn messages(clients: u32, each: u32, every: Duration) -> anyhow::Result<Passed> {
    let turn = Turn::start()?;
    let processor = turn.server.processor_time();
    let [clients, each, length, every] =
        [clients.to_string(), each.to_string(), MESSAGE.to_string(), every.as_millis().to_string()];
    let mut client = turn.client(&["-m", &clients, "-n", &each, "-l", &length, "-z", &every])?;
    let log = BufReader::new(client.child().stdout.take().context("stdout is piped")?);
    let (mut sent, mut received, mut begun, mut ended) = (0.0, 0.0, None, None);
    for line in log.lines() {
        let line = line?;
        // `start_mclient: msz=50, tot_send_msgs=…` comes while it runs, `start_mclient: tot_send_msgs=…` when all is over.
        if line.contains("msz=") && begun.is_none() {
            begun = Some((Instant::now(), figure(&line, "tot_recv_msgs=")?));
        }
        if line.contains("start_mclient: tot_send_msgs=") {
            (sent, received, ended) = (figure(&line, "tot_send_msgs=")?, figure(&line, "tot_recv_msgs=")?, Some(Instant::now()));
        }
    }
    let ((begun, before), ended) = begun.zip(ended).context("coturn's client told no figures")?;
    let (bytes, processor) = ((sent + received) * MESSAGE as f64, turn.server.processor_time() - processor);
    // The time is known from the client's first line on, so the rate is of what came after it.
    let seconds = (ended - begun).as_secs_f64() * received / (received - before);
    Ok(Passed { bytes, seconds, processor: processor.as_secs_f64(), lost: 1.0 - received / sent })
}

/// The number behind `name` in a line of the client's.
fn figure(line: &str, name: &str) -> anyhow::Result<f64> {
    let digits = line.split(name).nth(1).and_then(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).with_context(|| format!("coturn's client printed {line}"))
}

/// A program whose output is not shown; it lies in a folder where nothing of the machine's is found.
fn quiet(program: &str, folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(if program == "turnutils_uclient" { Stdio::piped() } else { Stdio::null() });
    Ok(command)
}

/// A UDP port of loopback that is free now.
fn free_port() -> anyhow::Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}
