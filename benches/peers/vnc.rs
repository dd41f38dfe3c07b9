//! VNC servers: a clip is replayed on their display while a real viewer looks on through a proxy that counts.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use rs::video::frame::{Frame, Size};

use crate::{
    Figures,
    kit::{
        clip::{Clip, changed},
        process::{DEADLINE, Display, Program, free_port, wait_for, x11vnc},
        screen::Screen,
    },
};

/// Frames a second: few enough that no server here has to leave one out.
pub(crate) const RATE: u32 = 12;
/// When nothing came for so long, everything has come.
const QUIET: Duration = Duration::from_secs(1);
/// The viewer's display is larger than the picture by this: room for the window's frame.
const MARGIN: u16 = 120;

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// Xtigervnc: X server and VNC server in one.
    Tigervnc,
    /// x11vnc on Xvfb.
    X11vnc,
}

/// Replays the clip; `viewer` are more arguments for TigerVNC's viewer.
pub(crate) fn run(server: Server, viewer: &[&str], path: &Path, size: Size) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    match replay(server, viewer, path, size, folder.path()) {
        Ok(figures) => Ok(figures),
        Err(error) => Err(error.context(format!("logs are in {}", folder.keep().display()))),
    }
}

fn replay(server: Server, viewer: &[&str], path: &Path, size: Size, logs: &Path) -> anyhow::Result<Figures> {
    let (display, server, address) = start(server, size, logs)?;
    let (mut clip, mut shown, mut next) = (Clip::open(path, size)?, Frame::new(size), Frame::new(size));
    let mut screen = Screen::cover(&display.name, size)?;
    if !clip.read(&mut shown)? {
        bail!("{} has no frames", path.display());
    }
    screen.put(&shown, size.bounds())?;

    let proxy = Proxy::start(address)?;
    let desk = Display::managed(&format!("{}x{}x24", size.width + MARGIN, size.height + MARGIN), logs)?;
    let mut command = desk.command("xtigervncviewer");
    command.args(["-SecurityTypes", "None", "-RemoteResize=0"]).args(viewer);
    command.arg(format!("{}::{}", proxy.address.ip(), proxy.address.port()));
    let coding = || server.as_ref().map_or_else(|| display.processor_time(), Program::processor_time);
    let before = coding()?;
    let viewer = Program::start(command, logs)?;
    wait_for("the viewer's first picture", || Ok((proxy.bytes() > 0).then_some(())))?;
    let first_bytes = proxy.settled()?;

    let start = Instant::now();
    for frame in 1.. {
        if !clip.read(&mut next)? {
            break;
        }
        thread::sleep((Duration::from_secs(1) / RATE * frame).saturating_sub(start.elapsed()));
        if let Some(area) = changed(&shown, &next) {
            screen.put(&next, area)?;
        }
        std::mem::swap(&mut shown, &mut next);
    }
    let rest_bytes = proxy.settled()? - first_bytes;
    let processor = [coding()? - before, viewer.processor_time()?].map(|time| time.as_secs_f64());
    Ok(Figures { first_bytes, rest_bytes, psnr: None, processor })
}

/// The server's display; its program, where that is another; where it listens.
fn start(server: Server, size: Size, logs: &Path) -> anyhow::Result<(Display, Option<Program>, SocketAddr)> {
    let Size { width, height } = size;
    let port = free_port()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (display, program) = match server {
        Server::Tigervnc => {
            let mut command = Command::new("Xtigervnc");
            command.args(["-displayfd", "1", "-SecurityTypes", "None", "-localhost", "-rfbport", &port.to_string()]);
            command.args(["-geometry", &format!("{width}x{height}"), "-depth", "24"]);
            (Display::of(command, logs)?, None)
        }
        Server::X11vnc => {
            let display = Display::bare(&format!("{width}x{height}x24"), logs)?;
            let program = Program::start(x11vnc(&display, port), logs)?;
            (display, Some(program))
        }
    };
    wait_for("the VNC server's port", || Ok(TcpListener::bind(address).err()))?;
    Ok((display, program, address))
}

/// Passes one connection on, and counts what the server says.
struct Proxy {
    address: SocketAddr,
    bytes: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, bytes) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&bytes);
        thread::spawn(move || -> std::io::Result<()> {
            let (viewer, _) = listener.accept()?;
            let server = TcpStream::connect(server)?;
            viewer.set_nodelay(true)?;
            server.set_nodelay(true)?;
            let (from, to) = (viewer.try_clone()?, server.try_clone()?);
            thread::spawn(move || pass(from, to, &AtomicUsize::new(0)));
            pass(server, viewer, &counter)
        });
        Ok(Self { address, bytes })
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The count, as soon as it stands still.
    fn settled(&self) -> anyhow::Result<usize> {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            let before = self.bytes();
            thread::sleep(QUIET);
            if self.bytes() == before {
                return Ok(before);
            }
        }
        bail!("the server did not stop sending within {DEADLINE:?}")
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, counter: &AtomicUsize) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer)? {
            0 => return to.shutdown(Shutdown::Write),
            read => {
                counter.fetch_add(read, Ordering::Relaxed);
                to.write_all(&buffer[..read])?;
            }
        }
    }
}
