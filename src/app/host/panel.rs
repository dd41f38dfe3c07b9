//! The panel as a child process, and the watch over it.
//!
//! `rs panel` gets the host's events as JSON lines and answers with the host's lines, like any script. When it dies it is started
//! again at once and told everything that is still true ([`Recall`]); a session never goes on unseen: if it dies more than
//! [`RESTARTS`] times within [`WITHIN`], every session is paused (nobody sees or drives any more, and what was allowed is kept) and both
//! sides are told. One more try follows each [`LATER`]. When a panel has lived for [`STEADY`], or the host's user allows something in
//! another face, the sessions go on; control stays with the user until they give it.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::unix::pipe,
    sync::mpsc,
    time::timeout,
};
use zeroize::{Zeroize, Zeroizing};

use super::{Host, command::Command as Told};
use crate::ui::{
    HostSeat,
    event::{HostAction, HostEvent},
    lines,
    recall::Recall,
    words,
};

/// So often it may die …
const RESTARTS: usize = 3;
/// … within this time.
const WITHIN: Duration = Duration::from_secs(10);
/// How long to wait before another try after that.
const LATER: Duration = Duration::from_secs(10);
/// A panel that lives for so long is one that can be seen.
const STEADY: Duration = Duration::from_secs(3);
/// How long it may take to read a line; then it hangs, and is replaced.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to close.
const CLOSING: Duration = Duration::from_secs(1);
/// The longest line that it may say, in bytes.
const MAX_LINE: u64 = 64 << 10;

/// Shows the panel until the seat's events close.
pub(super) async fn run(seat: HostSeat) {
    let HostSeat { mut events, actions } = seat;
    let mut watch = Watch { recall: Recall::default(), deaths: VecDeque::new(), is_paused: false, actions };
    loop {
        match watch.live(&mut events).await {
            End::Closed => return,
            End::Died => {
                if watch.may_restart(Instant::now()) {
                    tracing::warn!("the panel died and is started again");
                } else {
                    tracing::error!("the panel cannot be shown");
                    watch.pause(true).await;
                    if !watch.follow_for(LATER, &mut events).await {
                        return;
                    }
                }
            }
        }
    }
}

/// Why a panel's life is over.
enum End {
    /// The host quits.
    Closed,
    Died,
}

struct Watch {
    recall: Recall,
    /// The last ones, oldest first.
    deaths: VecDeque<Instant>,
    /// Whether sessions wait for a panel.
    is_paused: bool,
    actions: mpsc::Sender<HostAction>,
}

impl Watch {
    /// One panel, from its start to its end.
    async fn live(&mut self, events: &mut mpsc::Receiver<HostEvent>) -> End {
        let (_process, mut input, mut said) = match start() {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(%error, "the panel could not be started");
                return End::Died;
            }
        };
        for event in self.recall.replay(Instant::now()) {
            if !write(&mut input, &event).await {
                return End::Died;
            }
        }
        let steady = tokio::time::sleep(STEADY);
        tokio::pin!(steady);
        loop {
            tokio::select! {
                () = &mut steady, if self.is_paused => self.pause(false).await,
                event = events.recv() => match event {
                    Some(event) => {
                        self.recall.follow(Instant::now(), &event);
                        if !write(&mut input, &event).await {
                            return End::Died;
                        }
                    }
                    None => {
                        drop(input);
                        // It ends when its stdin does.
                        let _ = timeout(CLOSING, async { while said.next().await.is_some() {} }).await;
                        return End::Closed;
                    }
                },
                line = said.next() => {
                    let Some(line) = line else { return End::Died };
                    match lines::host_line(&line) {
                        Ok(actions) => for action in actions {
                            let _ = self.actions.send(action).await;
                        },
                        Err(error) => tracing::error!(%error, "the panel said something wrong"),
                    }
                }
            }
        }
    }

    /// Counts a death; whether another try may follow at once.
    fn may_restart(&mut self, now: Instant) -> bool {
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|death| now.saturating_duration_since(*death) > WITHIN) {
            self.deaths.pop_front();
        }
        self.deaths.len() <= RESTARTS
    }

    /// Nobody sees or drives what its owner cannot watch.
    async fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        let _ = self.actions.send(HostAction::Pause(is_paused)).await;
    }

    /// Remembers what happens meanwhile; false: the host quits.
    async fn follow_for(&mut self, time: Duration, events: &mut mpsc::Receiver<HostEvent>) -> bool {
        let quits = async {
            while let Some(event) = events.recv().await {
                self.recall.follow(Instant::now(), &event);
                if matches!(event, HostEvent::SessionStarted { .. }) {
                    self.pause(true).await;
                }
            }
        };
        timeout(time, quits).await.is_err()
    }
}

impl Host {
    /// Suspends every session, or lets it go on, and tells both sides.
    pub(super) async fn pause(&mut self, is_paused: bool) {
        let (here, there) = if is_paused {
            (
                "the panel cannot be shown, so that nobody sees or drives this computer for now; allow it here (type: allow view), or end",
                "The panel of this computer cannot be shown. The session is paused until it can be, or its user allows it again.",
            )
        } else {
            ("the panel is back, and the session goes on; control is yours", "The session goes on.")
        };
        if self.sessions.is_empty() {
            return;
        }
        self.warn(here.to_owned());
        self.command(|| Told::Pause(is_paused)).await;
        self.command(|| Told::Chat(there.to_owned())).await;
    }
}

/// The child. Dropping it ends it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it; what it is told goes to the first pipe, what it says comes from the second.
fn start() -> io::Result<(Process, pipe::Sender, Said)> {
    let own = std::env::current_exe()?;
    // Its log must not run over the terminal's face.
    let log = if io::stderr().is_terminal() { Stdio::null() } else { Stdio::inherit() };
    let mut process = Process(Command::new(own).arg("panel").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn()?);
    let (Some(input), Some(output)) = (process.0.stdin.take(), process.0.stdout.take()) else {
        return Err(io::Error::other("it has no pipes"));
    };
    let output = BufReader::new(pipe::Receiver::from_owned_fd(output.into())?);
    Ok((process, pipe::Sender::from_owned_fd(input.into())?, Said { output, line: Vec::new() }))
}

/// Tells it an event; false: it is dead, or hangs.
async fn write(input: &mut (impl AsyncWriteExt + Unpin), event: &HostEvent) -> bool {
    let mut line = words::json(event);
    line.push('\n');
    let written = async {
        input.write_all(line.as_bytes()).await?;
        input.flush().await
    };
    matches!(timeout(PATIENCE, written).await, Ok(Ok(())))
}

/// What the panel says.
struct Said {
    output: BufReader<pipe::Receiver>,
    /// The line that is being read.
    line: Vec<u8>,
}

impl Said {
    /// The next line; `None`: none any more, or one that is too long. Cancel-safe.
    async fn next(&mut self) -> Option<Zeroizing<String>> {
        let room = MAX_LINE.saturating_sub(self.line.len() as u64);
        (&mut self.output).take(room).read_until(b'\n', &mut self.line).await.ok()?;
        if !self.line.ends_with(b"\n") {
            return None;
        }
        // It may hold a password.
        let line = Zeroizing::new(String::from_utf8_lossy(&self.line).into_owned());
        self.line.zeroize();
        Some(line)
    }
}
