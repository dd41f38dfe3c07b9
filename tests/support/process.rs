//! Child processes that end with the value that stands for them.

use std::{
    io::ErrorKind,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::process::Signal;

use super::poll;

static APART: AtomicBool = AtomicBool::new(false);

/// From now on children do not get the terminal's Ctrl-C: whoever calls this cleans up by itself then (see [`super::interrupt`]).
pub(crate) fn keep_from_terminal() {
    APART.store(true, Ordering::Relaxed);
}

/// A running child. Dropping it kills and reaps it.
pub(crate) struct Process {
    child: Child,
}

/// Debian packages of the programs that tests and demo start.
const PACKAGES: [(&str, &str); 15] = [
    ("Xvfb", "xvfb"),
    ("openbox", "openbox"),
    ("xterm", "xterm"),
    ("xsetroot", "x11-xserver-utils"),
    ("xclock", "x11-apps"),
    ("featherpad", "featherpad"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("miniupnpd", "miniupnpd"),
    ("nsenter", "util-linux"),
    ("nginx", "nginx-light"),
    ("openssl", "openssl"),
    ("turnserver", "coturn"),
    ("turnutils_peer", "coturn"),
    ("turnutils_uclient", "coturn"),
];

impl Process {
    /// Starts `command`.
    ///
    /// # Panics
    /// In one line, naming the package to install, when the program is missing.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        if APART.load(Ordering::Relaxed) {
            command.process_group(0);
        }
        match command.spawn() {
            Ok(child) => Self { child },
            Err(error) if error.kind() == ErrorKind::NotFound => panic!("{}", missing(&program)),
            Err(error) => panic!("{program} does not start: {error}"),
        }
    }

    /// The process itself, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Stops it between two instructions, as the lid of a laptop does. (Not its clock: that stands still too in a real sleep.)
    pub(crate) fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn wake(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let Some(id) = i32::try_from(self.id()).ok().and_then(rustix::process::Pid::from_raw) else { return };
        let _ = rustix::process::kill_process(id, signal);
    }

    /// Resident memory in bytes, from `/proc`.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a live process has memory");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("a number of KiB");
        kib * 1024
    }

    /// Processor time it took so far, of all its threads.
    pub(crate) fn processor_time(&self) -> Duration {
        processor_time(self.id())
    }

    /// Files and sockets that it holds open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("the process runs").count()
    }

    /// How it ended, waiting at most `patience`.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        poll(patience, || self.ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Processor time that a running process took so far, of all its threads.
pub(crate) fn processor_time(process: u32) -> Duration {
    /// The unit of times in /proc: USER_HZ is 100 wherever Linux runs a desktop.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15 of proc(5).
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u32 = fields.map(|ticks| ticks.parse::<u32>().expect("a number of ticks")).sum();
    TICK * ticks
}

/// Whether a program can be started.
pub(crate) fn installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// What to tell about a program that is not there.
pub(crate) fn missing(program: &str) -> String {
    match PACKAGES.iter().find(|(name, _)| *name == program) {
        Some((_, package)) => format!("{program} is missing; install it with: sudo apt-get install {package}"),
        None => format!("{program} is missing; install it or put it on the PATH"),
    }
}
