//! The real `rs` binary as a child process: its JSON lines, its stdin, its stderr, its exit code.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{PATIENCE, check_interrupted, display::Display, process::Process};

/// The binary that is tested: Cargo's for tests; for the demo, an example, the one in the folder above its own.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = option_env!("CARGO_BIN_EXE_rs") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a program knows its own path");
    let path = own.parent().and_then(Path::parent).expect("an example lies in target/<profile>/examples").join("rs");
    assert!(path.is_file(), "there is no {}; build it with: cargo build", path.display());
    path
}

/// How to start `rs`.
pub(crate) struct Start {
    name: String,
    command: Command,
}

impl Start {
    /// `rs` with the words of `line`, in this state folder, with no display and nothing of `rs` in its environment.
    pub(crate) fn new(home: &Path, line: &str) -> Self {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        Self::program(home, binary(), &arguments)
    }

    /// Another program in its place, which may replace itself by `rs` (as `nsenter` does).
    pub(crate) fn program(home: &Path, program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        let inherited = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("RS_"));
        for name in inherited {
            command.env_remove(name);
        }
        for variable in ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"] {
            command.env_remove(variable);
        }
        command.env("RS_HOME", home).env("RS_LOG", "info").args(arguments);
        Self { name: arguments.join(" "), command }
    }

    /// One more argument, which may contain spaces.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Leaves the log at its default, as people have it.
    pub(crate) fn quiet(mut self) -> Self {
        self.command.env_remove("RS_LOG");
        self
    }

    /// Lets it use this display.
    pub(crate) fn on(self, display: &Display) -> Self {
        match std::env::var_os("XAUTHORITY").filter(|_| !display.is_private()) {
            Some(authority) => self.env("DISPLAY", display.name()).env("XAUTHORITY", authority),
            None => self.env("DISPLAY", display.name()),
        }
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn go(mut self) -> Rs {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::start(&mut self.command);
        let output = Arc::new(Output::default());
        let child = process.child();
        let stdin = child.stdin.take();
        read_lines(child.stdout.take().expect("it was piped"), &output, Heard::stdout);
        read_lines(child.stderr.take().expect("it was piped"), &output, Heard::stderr);
        Rs { name: self.name, process, stdin, output, kept: None }
    }
}

/// A running `rs`. Dropping it kills it; when a test fails, everything it printed is shown then.
pub(crate) struct Rs {
    name: String,
    process: Process,
    stdin: Option<ChildStdin>,
    output: Arc<Output>,
    kept: Option<Box<dyn Send>>,
}

/// How a process ended.
pub(crate) struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// All of stderr.
    pub(crate) stderr: String,
}

impl Rs {
    /// Sends a line to its stdin.
    #[track_caller]
    pub(crate) fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        if let Err(error) = stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush()) {
            panic!("`{}` does not take the line \"{line}\": {error}", self.name);
        }
    }

    /// Sends a line that it may have no use for, because it ends before.
    pub(crate) fn try_send(&mut self, line: &str) {
        let _ = self.stdin.as_mut().map(|stdin| stdin.write_all(format!("{line}\n").as_bytes()));
    }

    /// Keeps something until it is dropped itself, such as its state folder.
    pub(crate) fn keep(&mut self, thing: impl Send + 'static) {
        self.kept = Some(Box::new(thing));
    }

    /// The next event of this name that was not returned before, waiting for it if need be.
    #[track_caller]
    pub(crate) fn expect(&self, event: &str) -> Value {
        self.expect_where(event, |_| true)
    }

    /// The next event of this name for which `right` holds. Those of this name before it count as returned.
    #[track_caller]
    pub(crate) fn expect_where(&self, event: &str, right: impl Fn(&Value) -> bool) -> Value {
        match self.wait_for(event, PATIENCE, right) {
            Some(value) => value,
            None => panic!("`{}` did not tell \"{event}\" (as expected here)", self.name),
        }
    }

    /// [`Self::expect_where`], or `None` after `patience` or when the process has closed its output.
    pub(crate) fn wait_for(&self, event: &str, patience: Duration, right: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + patience;
        let mut heard = self.output.lock();
        loop {
            check_interrupted();
            if let Some(value) = heard.take(event, &right) {
                return Some(value);
            }
            if heard.open_streams == 0 || Instant::now() >= deadline {
                return None;
            }
            // Short turns, to notice an interruption.
            heard = self.output.changed.wait_timeout(heard, Duration::from_millis(100)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All events of this name so far.
    pub(crate) fn seen(&self, event: &str) -> Vec<Value> {
        self.output.lock().events.iter().filter(|value| value["event"] == event).cloned().collect()
    }

    /// All of stdout so far that was not a JSON object with an event.
    pub(crate) fn other_output(&self) -> String {
        self.output.lock().other.clone()
    }

    /// All of stdout so far.
    pub(crate) fn stdout(&self) -> String {
        self.output.lock().stdout.clone()
    }

    /// All of stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.output.lock().stderr.clone()
    }

    /// Waits until it ends by itself and has said all.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Ended {
        let Some(status) = self.process.wait(PATIENCE) else { panic!("`{}` did not end", self.name) };
        super::until_true("all output is read", || self.output.lock().open_streams == 0);
        Ended { code: status.code(), stderr: self.stderr() }
    }

    /// The process: to kill it, or to look at its memory.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }
}

impl Drop for Rs {
    fn drop(&mut self) {
        let status = self.process.ended();
        self.process.kill();
        if thread::panicking() && !super::INTERRUPTED.load(std::sync::atomic::Ordering::Relaxed) {
            let heard = self.output.lock();
            let mut report = format!("---- `{}` ({})\n", self.name, status.map_or("still ran".into(), |status| status.to_string()));
            for line in heard.stdout.lines() {
                let _ = writeln!(report, "out| {line}");
            }
            for line in heard.stderr.lines() {
                let _ = writeln!(report, "err| {line}");
            }
            let _ = std::io::stderr().write_all(report.as_bytes());
        }
    }
}

/// What a process said so far, filled by two reading threads.
struct Output {
    heard: Mutex<Heard>,
    changed: Condvar,
}

struct Heard {
    events: Vec<Value>,
    /// Indices of events that were returned or passed over.
    taken: HashSet<usize>,
    stdout: String,
    other: String,
    stderr: String,
    open_streams: u8,
}

impl Default for Output {
    fn default() -> Self {
        let heard = Heard {
            events: Vec::new(),
            taken: HashSet::new(),
            stdout: String::new(),
            other: String::new(),
            stderr: String::new(),
            open_streams: 2,
        };
        Self { heard: Mutex::new(heard), changed: Condvar::new() }
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn stdout(&mut self, line: &str) {
        self.stdout.push_str(line);
        match serde_json::from_str::<Value>(line) {
            Ok(value) if value["event"].is_string() => self.events.push(value),
            _ => self.other.push_str(line),
        }
    }

    fn stderr(&mut self, line: &str) {
        self.stderr.push_str(line);
    }

    fn take(&mut self, event: &str, right: &impl Fn(&Value) -> bool) -> Option<Value> {
        for (index, value) in self.events.iter().enumerate() {
            if value["event"] == event && self.taken.insert(index) && right(value) {
                return Some(value.clone());
            }
        }
        None
    }
}

fn read_lines(stream: impl Read + Send + 'static, output: &Arc<Output>, hear: fn(&mut Heard, &str)) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            hear(&mut output.lock(), &String::from_utf8_lossy(&line));
            output.changed.notify_all();
            line.clear();
        }
        output.lock().open_streams -= 1;
        output.changed.notify_all();
    });
}
