//! `cargo bench --bench net -- run`: what the network of `rs` does and costs, all with real processes.
//!
//! ```text
//!  namespace a                      user-space link                     namespace b
//!  ┌───────────────┐   delay, loss, rate, queue: tests/support/link.rs  ┌───────────────┐
//!  │ send, viewer  │ ─────────────────────────────────────────────────► │ receive, host │
//!  └───────────────┘                                                    └───────────────┘
//!  loopback:  many hosts ── one relay ── many visitors                   (beside: coturn)
//! ```
//!
//! | part | module |
//! |---|---|
//! | `throughput`, `fairness` | [`flows`]: transports over the link, with [`ends`] and [`systems`] |
//! | `pictures` | [`pictures`]: time to the first picture in round trips, in a [`scene`] |
//! | `gaps` | [`gaps`]: how long the picture stands still when the path changes, in a [`scene`] |
//! | `files` | [`files`]: a file to the other side, beside `scp` |
//! | `reservations`, `circuits` | [`reservations`], [`circuits`]: what a relay pays, with [`peers`] as load, beside coturn ([`turn`]) |
//!
//! - `run`: the tables. Needs root, `ip`, `nft`, `/dev/net/tun`, coturn, and an SSH server.
//! - `send`, `receive`, `hosts` and `visitors`: workers, started by `run`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

mod circuits;
mod ends;
mod files;
mod flows;
mod gaps;
#[path = "../../tests/support/link.rs"]
mod link;
mod peers;
mod pictures;
mod reservations;
mod run;
mod scene;
#[path = "../../tests/support/mod.rs"]
mod support;
mod systems;
mod turn;
mod worker;

use std::process::ExitCode;

use clap::Parser;

/// Measures the network.
#[derive(Parser)]
#[command(name = "cargo bench --bench net --", arg_required_else_help = true)]
enum Command {
    /// Measure everything and print tables
    Run(run::Options),
    /// Send as much as possible
    Send(ends::Options),
    /// Count what comes
    Receive(ends::Options),
    /// Hold reservations at a relay
    Hosts(peers::HostOptions),
    /// Keep circuits to these hosts busy
    Visitors(peers::VisitorOptions),
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to what it is given; a bare `cargo bench` runs every bench, and this one takes minutes.
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    if arguments.len() == 1 {
        println!("usage: cargo bench --bench net -- run [SYSTEMS] [--part PART]");
        return ExitCode::SUCCESS;
    }
    let done = match Command::parse_from(arguments) {
        Command::Run(options) => run::run(&options),
        Command::Send(options) => ends::send(&options),
        Command::Receive(options) => ends::receive(&options),
        Command::Hosts(options) => peers::hosts(&options),
        Command::Visitors(options) => peers::visitors(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
