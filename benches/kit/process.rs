//! Programs that a bench starts: stopped when dropped, their lines read, their processor time taken.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};

/// Whatever the rig waits for comes within this time or not at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// The unit of times in /proc: USER_HZ is 100 wherever Linux has a desktop.
const TICK: Duration = Duration::from_millis(10);

/// A running program. Dropping it kills it.
pub(crate) struct Program {
    name: String,
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Program {
    /// Starts `command`; its log goes to a file in `logs`.
    pub(crate) fn start(mut command: Command, logs: &Path) -> anyhow::Result<Self> {
        let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = File::options().create(true).append(true).open(logs.join(format!("{name}.log")))?;
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = started.with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("stdout is piped")?;
        Ok(Self { name, child, lines: lines_of(output) })
    }

    /// The next line it prints.
    pub(crate) fn line(&mut self) -> anyhow::Result<String> {
        self.lines.recv_timeout(DEADLINE).map_err(|_| anyhow!("{} said nothing more", self.name))
    }

    /// The next `--json` event with this name; others are skipped.
    pub(crate) fn event(&mut self, name: &str) -> anyhow::Result<serde_json::Value> {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            let line = self.line().with_context(|| format!("waiting for the event {name}"))?;
            let event: serde_json::Value = serde_json::from_str(&line).with_context(|| format!("{} printed {line}", self.name))?;
            match event["event"].as_str() {
                Some(found) if found == name => return Ok(event),
                Some("session-ended") => bail!("the session ended: {line}"),
                _ => {}
            }
        }
        bail!("{} did not tell {name}", self.name)
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.child.stdin.as_mut().context("stdin is piped")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).with_context(|| format!("{} is gone", self.name))
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> anyhow::Result<()> {
        wait_for(&format!("the end of {}", self.name), || Ok(self.child.try_wait()?.map(drop)))
    }

    /// Processor time it took so far, of all its threads.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.child.id())).with_context(|| format!("{} is gone", self.name))?;
        // The name in parentheses may hold spaces; utime and stime are fields 14 and 15 of proc(5).
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok());
        let (user, system) = ticks(14).zip(ticks(15)).with_context(|| format!("cannot read the times of {}", self.name))?;
        Ok(TICK * u32::try_from(user + system)?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of `output`, read on a thread of their own so that nobody waits for us.
fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}

/// Looks until `condition` gives a value.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        thread::sleep(LOOK);
    }
    bail!("{what} did not come within {DEADLINE:?}")
}

/// What holds all programs that a bench of the picture starts.
const PACKAGES: &str = "xvfb openbox tigervnc-scraping-server tigervnc-standalone-server tigervnc-viewer x11vnc ffmpeg";

/// Fails unless every program is installed; the message says how to get them.
pub(crate) fn require(programs: &[&str]) -> anyhow::Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<_> = programs.iter().filter(|program| !installed(program)).copied().collect();
    if !missing.is_empty() {
        bail!("{} not found: `just bench-setup`, or apt-get install {PACKAGES}", missing.join(", "));
    }
    Ok(())
}

/// A port that was free a moment ago: VNC servers cannot choose one themselves and tell it.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// x11vnc with its defaults; only what it would ask or try elsewhere is turned off.
pub(crate) fn x11vnc(display: &Display, port: u16) -> Command {
    let mut command = display.command("x11vnc");
    command.args(["-display", &display.name, "-rfbport", &port.to_string(), "-localhost", "-nopw", "-norc", "-forever", "-q"]);
    command
}

/// An X display of our own, in memory.
pub(crate) struct Display {
    /// `:N`
    pub(crate) name: String,
    server: Program,
    /// The window manager, where there is one.
    _manager: Option<Program>,
}

impl Display {
    /// A display without a window manager.
    pub(crate) fn bare(size: &str, logs: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", size]);
        Self::of(command, logs)
    }

    /// The display of this X server, which is told to print its number on stdout.
    pub(crate) fn of(command: Command, logs: &Path) -> anyhow::Result<Self> {
        let mut server = Program::start(command, logs)?;
        let name = format!(":{}", server.line().context("the X server told no display")?);
        Ok(Self { name, server, _manager: None })
    }

    /// A display with openbox.
    pub(crate) fn managed(size: &str, logs: &Path) -> anyhow::Result<Self> {
        let display = Self::bare(size, logs)?;
        let manager = Program::start(display.command("openbox"), logs)?;
        Ok(Self { _manager: Some(manager), ..display })
    }

    /// A command that runs on this display.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.name).env_remove("WAYLAND_DISPLAY");
        command
    }

    /// Processor time of the X server.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        self.server.processor_time()
    }
}
