//! Which faces the host shows: lines or the terminal, and the panel beside it where there is a display. Each gets all events, and
//! each may act.

use std::io::IsTerminal;

use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle};

use super::panel;
use crate::{
    app::{Failure, outlet::Outlet},
    cli::{ExitCode, HostArgs, Panel},
    desktop::{Backend, guard::Guard},
    ui::{self, HostSeat, event::HostEvent, lines, terminal},
};

/// The host's faces.
#[derive(Clone, Copy)]
pub(super) struct Faces {
    face: Face,
    panel: bool,
}

/// The one on stdin and stdout.
#[derive(Clone, Copy)]
enum Face {
    /// Full-screen in the terminal.
    Terminal,
    /// Plain lines, or JSON lines.
    Lines { json: bool },
}

impl Faces {
    /// Those asked for, or the best ones here.
    pub(super) fn choose(args: &HostArgs) -> Result<Self, Failure> {
        let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let face = match args.panel {
            _ if args.json => Face::Lines { json: true },
            Panel::Auto | Panel::Terminal if is_terminal => Face::Terminal,
            Panel::Terminal => {
                return Err(Failure::new(ExitCode::Usage, "--panel terminal needs a terminal; use --panel none here"));
            }
            Panel::Auto | Panel::Window | Panel::None => Face::Lines { json: false },
        };
        let panel = match args.panel {
            Panel::Window => {
                Guard::start().map_err(|error| Failure::new(ExitCode::NoScreen, format!("no panel can be shown: {error}")))?;
                true
            }
            Panel::Auto => !args.json && args.capture != Backend::Pattern && Guard::start().is_ok(),
            Panel::Terminal | Panel::None => false,
        };
        Ok(Self { face, panel })
    }

    /// Shows them until the seat's events end.
    pub(super) fn run(self, seat: HostSeat) -> JoinHandle<()> {
        if !self.panel {
            return self.face.run(seat);
        }
        let HostSeat { events, actions } = seat;
        let ((first, told_first), (second, told_second)) = (mpsc::channel(ui::QUEUE), mpsc::channel(ui::QUEUE));
        let face = self.face.run(HostSeat { events: told_first, actions: actions.clone() });
        let panel = tokio::spawn(panel::run(HostSeat { events: told_second, actions }));
        tokio::spawn(async move {
            tell_both(events, Outlet::new(first), Outlet::new(second)).await;
            let _ = tokio::join!(face, panel);
        })
    }
}

/// Passes events on to both; neither waits for the other.
async fn tell_both(mut events: mpsc::Receiver<HostEvent>, mut first: Outlet<HostEvent>, mut second: Outlet<HostEvent>) {
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => {
                    first.tell(event.clone());
                    second.tell(event);
                }
                None => break,
            },
            () = first.flush(), if first.is_waiting() => {}
            () = second.flush(), if second.is_waiting() => {}
        }
    }
    tokio::join!(first.finish(), second.finish());
}

impl Face {
    /// Shows it until the seat's events end. On a thread of its own: a terminal that takes nothing must not hold up a session.
    fn run(self, seat: HostSeat) -> JoinHandle<()> {
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let shown = match self {
                Self::Terminal => runtime.block_on(terminal::run_host(seat)),
                Self::Lines { json } => {
                    runtime.block_on(lines::run_host(seat, json));
                    Ok(())
                }
            };
            if let Err(error) = shown {
                tracing::error!(%error, "the host's face ended");
            }
        })
    }
}
