//! The `rs` binary: parses, logs, gives the main thread to the window, and turns the end into an exit code.

use std::process;

use clap::Parser;
use rs::{
    app::{self, Failure},
    cli::{Cli, Command, ExitCode},
    logging,
};

fn main() -> process::ExitCode {
    let cli = Cli::parse();
    match logging::init().map_err(|error| Failure::new(ExitCode::Usage, error)).and_then(|()| run(cli.command)) {
        Ok(()) => ExitCode::Fine.into(),
        Err(failure) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "rs: {failure}");
            failure.code.into()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::other)?;
    let result = match command {
        Command::Host(args) => runtime.block_on(async { tokio::spawn(app::host::run(args)).await.map_err(Failure::other)? }),
        Command::Connect(args) => app::viewer::run(args, &runtime),
        Command::Hosts(args) => app::hosts::run(args),
        Command::Cp(args) => app::viewer::copy(args, &runtime),
        Command::Log(args) => app::log::run(args),
        Command::Completions { shell } => app::manual::completions(shell),
        Command::Man { folder } => app::manual::pages(folder.as_deref()),
        Command::RotatePassword(args) => runtime.block_on(app::rotate_password::run(args)),
        Command::Relay(args) => runtime.block_on(app::relay::run(args)),
        Command::Panel => app::panel::run(),
        Command::Doctor(args) => runtime.block_on(app::doctor::run(args)),
    };
    // Threads that wait for stdin must not hold the process.
    runtime.shutdown_background();
    result
}
