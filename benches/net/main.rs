//! `cargo bench --bench net -- run`: how much each transport carries over a slow, lossy link, all in one run.
//!
//! ```text
//!  namespace a                      user-space link                     namespace b
//!  ┌───────────────┐   delay, loss, rate, queue: tests/support/link.rs  ┌───────────────┐
//!  │ send SYSTEM   │ ─────────────────────────────────────────────────► │ receive SYSTEM│
//!  └───────────────┘                                                    └───────────────┘
//! ```
//!
//! One stream, as full as it gets. The receiver counts bytes in a window of its own clock, which begins after a warm-up from the
//! first byte; both ends take the processor time of their process in their window. Each run has a new link and new processes, so
//! that nothing is remembered; the systems take turns, and a cell is the median of its runs. The link itself needs processor time
//! of the same machine, most at full speed: without delay the figures are what fits on the machine, not what the transport could do.
//!
//! - `run`: the tables. Needs root, `ip` and `/dev/net/tun`.
//! - `send` and `receive`: the two ends, started by `run`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

mod ends;
#[path = "../../tests/support/link.rs"]
mod link;
mod run;
mod systems;

use std::process::ExitCode;

use clap::Parser;

/// Measures transports over a slow, lossy link.
#[derive(Parser)]
#[command(name = "cargo bench --bench net --", arg_required_else_help = true)]
enum Command {
    /// Measure everything and print tables
    Run(run::Options),
    /// Send as much as possible
    Send(ends::Options),
    /// Count what comes
    Receive(ends::Options),
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to what it is given; a bare `cargo bench` runs every bench, and this one takes minutes.
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    if arguments.len() == 1 {
        println!("usage: cargo bench --bench net -- run [SYSTEMS]");
        return ExitCode::SUCCESS;
    }
    let done = match Command::parse_from(arguments) {
        Command::Run(options) => run::run(&options),
        Command::Send(options) => ends::send(&options),
        Command::Receive(options) => ends::receive(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
