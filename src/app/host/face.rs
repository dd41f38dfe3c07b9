//! Which face the host shows.

use std::io::IsTerminal;

use tokio::task::JoinHandle;

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

    /// Shows it until the seat's events end.
    pub(super) fn run(self, seat: HostSeat) -> JoinHandle<()> {
        tokio::spawn(async move {
            let shown = match self {
                Self::Terminal => terminal::run_host(seat).await,
                Self::Lines { json } => {
                    lines::run_host(seat, json).await;
                    Ok(())
                }
            };
            if let Err(error) = shown {
                tracing::error!(%error, "the host's face ended");
            }
        })
    }
}
