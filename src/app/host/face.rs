//! Which face the host shows.

use std::io::IsTerminal;

use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    app::Failure,
    cli::{ExitCode, HostArgs, Panel},
    ui::{HostSeat, lines, terminal},
};

/// The host's face.
#[derive(Clone, Copy)]
pub(super) enum Face {
    /// Full-screen in the terminal.
    Terminal,
    /// Plain lines, or JSON lines.
    Lines { json: bool },
}

impl Face {
    /// The one asked for, or the best one here.
    pub(super) fn choose(args: &HostArgs) -> Result<Self, Failure> {
        let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        match args.panel {
            _ if args.json => Ok(Self::Lines { json: true }),
            Panel::Auto if is_terminal => Ok(Self::Terminal),
            Panel::Auto | Panel::None => Ok(Self::Lines { json: false }),
            Panel::Terminal if is_terminal => Ok(Self::Terminal),
            Panel::Terminal => Err(Failure::new(ExitCode::Usage, "--panel terminal needs a terminal; use --panel none here")),
            Panel::Window => {
                Err(Failure::new(ExitCode::Usage, "the panel window comes in a later version; use --panel terminal or none"))
            }
        }
    }

    /// Shows it until the seat's events end. On a thread of its own: a terminal that takes nothing must not hold up a session.
    pub(super) fn run(self, seat: HostSeat) -> JoinHandle<()> {
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
