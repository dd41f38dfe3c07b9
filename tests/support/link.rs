//! A slow, lossy link between two network namespaces, in user space: for kernels without netem.
//!
//! ```text
//!  namespace NAME-a                                              namespace NAME-b
//!  program ── TUN 10.78.0.1 ──► Line: loss, queue, rate, delay ──► TUN 10.78.0.2 ── program
//!                           ◄── Line (one thread per direction) ◄──
//! ```
//!
//! What happens to a packet, in this order: lost by chance; dropped because the queue in front of the transmitter is full; sent at
//! the link's rate; delayed. [`Line`] decides that and knows neither clock nor randomness. The order of packets never changes.
//!
//! - Without a rate there is no queue either; what the machine cannot carry is dropped by the TUN device ([`BACKLOG`] packets).
//! - Loss comes from a seed, so two links with the same seed drop the same places in the row of packets.
//! - The kernel cuts packets to the MTU before they come here: no segmentation offload makes the link look better than it is.
//! - Both namespaces have names of their own and go when the link is dropped. What a killed run left goes with the next link.

#![allow(dead_code, reason = "benchmarks and tests use their own part of it")]

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, ErrorKind},
    net::Ipv4Addr,
    os::fd::AsFd,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use tun_rs::{DeviceBuilder, SyncDevice};

/// Whether this user can have such links: as root, in most containers too.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn possible() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--net", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let possible = command.status().is_ok_and(|status| status.success()) && Path::new("/dev/net/tun").exists();
    if !possible {
        eprintln!("skipped: this user cannot make network namespaces and TUN devices (root can)");
    }
    possible
}

/// The addresses of the two ends.
pub(crate) const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 78, 0, 1), Ipv4Addr::new(10, 78, 0, 2)];

const MTU: usize = 1500;
/// Packets that a TUN device holds while our thread is not scheduled.
const BACKLOG: usize = 10_000;
/// Bytes under way in one direction at most, so that a mistaken shape cannot eat the memory: 1 s at 1 Gbit/s.
const MAX_UNDER_WAY: usize = 128 << 20;
/// Packets read at once, before those that are due leave.
const BATCH: usize = 64;
/// How long the end of the link may take to be noticed.
const NOTICE: Duration = Duration::from_millis(20);
const PREFIX: &str = "rs-link-";

/// How both directions of a link behave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    /// One way.
    pub(crate) delay: Duration,
    /// The chance of each packet to be lost, 0 to 1.
    pub(crate) loss: f64,
    /// Bits per second; as fast as the machine without.
    pub(crate) rate: Option<u64>,
    /// Bytes that may wait for the transmitter.
    pub(crate) queue: usize,
}

/// What became of the packets in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) carried: u64,
    pub(crate) lost: u64,
    pub(crate) overflowed: u64,
}

/// Two namespaces and the link between them.
pub(crate) struct Link {
    namespaces: [Namespace; 2],
    stop: Arc<AtomicBool>,
    directions: Vec<JoinHandle<io::Result<Counters>>>,
}

impl Link {
    /// Needs root and `ip`.
    pub(crate) fn new(shape: Shape, seed: u64) -> anyhow::Result<Self> {
        sweep();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let namespaces = [Namespace::new(format!("{name}-a"))?, Namespace::new(format!("{name}-b"))?];
        let [a, b] = [namespaces[0].device(ADDRESSES[0])?, namespaces[1].device(ADDRESSES[1])?];
        let stop = Arc::new(AtomicBool::new(false));
        let mut directions = Vec::new();
        for (from, to, seed) in [(a.clone(), b.clone(), seed), (b, a, seed.wrapping_add(1))] {
            let stop = stop.clone();
            directions.push(thread::Builder::new().name("link".into()).spawn(move || carry(&from, &to, shape, seed, &stop))?);
        }
        Ok(Self { namespaces, stop, directions })
    }

    /// A command that runs `program` at one end, 0 or 1.
    pub(crate) fn command(&self, end: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespaces[end].0]).arg(program);
        command
    }

    /// What `work` gives on a thread of that end, 0 or 1. A socket stays there when the thread is gone.
    pub(crate) fn inside<T: Send + 'static>(&self, end: usize, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
        self.namespaces[end].inside(work)
    }

    /// The names of the two namespaces.
    pub(crate) fn names(&self) -> [&str; 2] {
        self.namespaces.each_ref().map(|namespace| namespace.0.as_str())
    }

    /// Ends the link; what it did from end 0 to end 1, and back.
    pub(crate) fn finish(mut self) -> anyhow::Result<[Counters; 2]> {
        let [there, back] = [self.end_one()?, self.end_one()?];
        Ok([there, back])
    }

    fn end_one(&mut self) -> anyhow::Result<Counters> {
        self.stop.store(true, Ordering::Release);
        let counters = self.directions.remove(0).join();
        counters.map_err(|_| anyhow::anyhow!("the link broke down"))?.context("the link failed")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for direction in self.directions.drain(..) {
            // Whoever wants its result calls `finish`.
            let _ = direction.join();
        }
    }
}

/// A network namespace with a name; dropping it removes it.
struct Namespace(String);

impl Namespace {
    fn new(name: String) -> anyhow::Result<Self> {
        ip(&["netns", "add", &name])?;
        let namespace = Self(name);
        ip(&["-n", &namespace.0, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// A TUN device in the namespace, up, with this address.
    fn device(&self, address: Ipv4Addr) -> anyhow::Result<Arc<SyncDevice>> {
        let build = || DeviceBuilder::new().name("wire").offload(false).enable(false).build_sync();
        let device = self.inside(build)?.context("no TUN device; is there a /dev/net/tun?")?;
        device.set_nonblocking(true)?;
        let (mtu, backlog) = (MTU.to_string(), BACKLOG.to_string());
        ip(&["-n", &self.0, "address", "add", &format!("{address}/24"), "dev", "wire"])?;
        ip(&["-n", &self.0, "link", "set", "dev", "wire", "mtu", &mtu, "txqueuelen", &backlog, "up"])?;
        Ok(Arc::new(device))
    }

    /// On a thread of its own, because that one stays in the namespace.
    fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
        let namespace = File::open(format!("/run/netns/{}", self.0))?;
        let worker = thread::spawn(move || -> anyhow::Result<T> {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        });
        worker.join().map_err(|_| anyhow::anyhow!("the work in the namespace panicked"))?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The next link sweeps up what is left.
        let _ = ip(&["netns", "delete", &self.0]);
    }
}

/// Removes the namespaces of runs that were killed.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = ip(&["netns", "delete", &name]);
        }
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let done = Command::new("ip").args(arguments).stdin(Stdio::null()).output().context("ip is missing: install iproute2")?;
    if !done.status.success() {
        bail!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

/// One direction, until `stop`.
fn carry(from: &SyncDevice, to: &SyncDevice, shape: Shape, seed: u64, stop: &AtomicBool) -> io::Result<Counters> {
    let (mut line, mut chance, start) = (Line::new(shape), StdRng::seed_from_u64(seed), Instant::now());
    let mut buffer = [0; MTU];
    loop {
        // What was sent before the end is still read and counted.
        let last = stop.load(Ordering::Acquire);
        let mut empty = false;
        for _ in 0..BATCH {
            match from.recv(&mut buffer) {
                Ok(length) => line.offer(start.elapsed(), &buffer[..length], chance.r#gen()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    empty = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let now = start.elapsed();
        while let Some(packet) = line.take(now) {
            match to.send(&packet) {
                Ok(_) => {}
                // The other device is not up yet, or its backlog is full.
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::IO | Errno::AGAIN | Errno::NOBUFS)) => {}
                Err(error) => return Err(error),
            }
        }
        if last {
            return Ok(line.counters);
        }
        if empty {
            let patience = line.next().map_or(NOTICE, |due| due.saturating_sub(start.elapsed()).min(NOTICE));
            wait(from, patience)?;
        }
    }
}

/// Until there is something to read, at most `patience`.
fn wait(device: &SyncDevice, patience: Duration) -> io::Result<()> {
    let timeout = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: patience.subsec_nanos().into() };
    match poll(&mut [PollFd::new(device, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// One direction: which packets are under way and when each arrives. All times count from the same start.
struct Line {
    shape: Shape,
    /// When the transmitter has sent all that waits.
    free: Duration,
    under_way: VecDeque<(Duration, Vec<u8>)>,
    bytes: usize,
    counters: Counters,
}

impl Line {
    fn new(shape: Shape) -> Self {
        Self { shape, free: Duration::ZERO, under_way: VecDeque::new(), bytes: 0, counters: Counters::default() }
    }

    /// A packet comes in at `now`; `chance` is uniform in 0..1.
    fn offer(&mut self, now: Duration, packet: &[u8], chance: f64) {
        if chance < self.shape.loss {
            self.counters.lost += 1;
            return;
        }
        let starts = self.free.max(now);
        if self.waiting(starts - now) + packet.len() > self.room() || self.bytes + packet.len() > MAX_UNDER_WAY {
            self.counters.overflowed += 1;
            return;
        }
        self.free = starts + self.time(packet.len());
        self.bytes += packet.len();
        self.under_way.push_back((self.free + self.shape.delay, packet.to_vec()));
    }

    /// When the next packet is due.
    fn next(&self) -> Option<Duration> {
        self.under_way.front().map(|(due, _)| *due)
    }

    /// The next packet, if it is due at `now`.
    fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        let (_, packet) = self.under_way.pop_front_if(|(due, _)| *due <= now)?;
        self.bytes -= packet.len();
        self.counters.carried += 1;
        Some(packet)
    }

    fn room(&self) -> usize {
        self.shape.rate.map_or(usize::MAX, |_| self.shape.queue)
    }

    /// How many bytes the transmitter sends in this time.
    fn waiting(&self, time: Duration) -> usize {
        self.shape.rate.map_or(0, |rate| (time.as_nanos() * u128::from(rate) / 8_000_000_000) as usize)
    }

    /// How long the transmitter needs for this many bytes.
    fn time(&self, bytes: usize) -> Duration {
        let nanos = self.shape.rate.map_or(0, |rate| bytes as u128 * 8_000_000_000 / u128::from(rate.max(1)));
        Duration::from_nanos(nanos as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(20);
    const NOW: Duration = Duration::from_secs(7);

    fn line(shape: Shape) -> Line {
        Line::new(Shape { delay: DELAY, ..shape })
    }

    #[test]
    fn a_packet_arrives_after_the_delay_and_not_before() {
        let mut line = line(Shape::default());
        line.offer(NOW, b"one", 0.5);
        assert_eq!(line.next(), Some(NOW + DELAY));
        assert_eq!(line.take(NOW + DELAY - Duration::from_nanos(1)), None);
        assert_eq!(line.take(NOW + DELAY).as_deref(), Some(&b"one"[..]));
        assert_eq!((line.take(NOW + DELAY), line.next(), line.bytes), (None, None, 0));
        assert_eq!(line.counters, Counters { carried: 1, ..Counters::default() });
    }

    #[test]
    fn chance_below_the_loss_loses_the_packet() {
        let mut line = line(Shape { loss: 0.01, ..Shape::default() });
        line.offer(NOW, b"lost", 0.009);
        line.offer(NOW, b"kept", 0.01);
        assert_eq!(line.take(NOW + DELAY).as_deref(), Some(&b"kept"[..]));
        assert_eq!(line.counters, Counters { carried: 1, lost: 1, overflowed: 0 });
    }

    #[test]
    fn packets_leave_one_after_the_other_at_the_rate() {
        // 1,000 bytes take 1 ms.
        let mut line = line(Shape { rate: Some(8_000_000), queue: 10_000, ..Shape::default() });
        for _ in 0..3 {
            line.offer(NOW, &[0; 1000], 0.5);
        }
        let due: Vec<_> = line.under_way.iter().map(|(due, _)| (*due - NOW - DELAY).as_millis()).collect();
        assert_eq!(due, [1, 2, 3]);
    }

    #[test]
    fn a_full_queue_drops_what_comes_last_and_takes_more_when_it_drained() {
        let mut line = line(Shape { rate: Some(8_000_000), queue: 2000, ..Shape::default() });
        for _ in 0..3 {
            line.offer(NOW, &[0; 1000], 0.5);
        }
        assert_eq!((line.under_way.len(), line.counters.overflowed), (2, 1));
        line.offer(NOW + Duration::from_millis(1), &[0; 1000], 0.5);
        assert_eq!((line.under_way.len(), line.counters.overflowed), (3, 1));
    }

    #[test]
    fn what_is_under_way_is_bounded_without_a_rate() {
        let mut line = line(Shape::default());
        let packet = vec![0; MAX_UNDER_WAY / 2];
        for _ in 0..3 {
            line.offer(NOW, &packet, 0.5);
        }
        assert_eq!((line.under_way.len(), line.counters.overflowed), (2, 1));
    }
}
