//! `cargo bench --bench latency -- run`: how long from a key press to the pixel, for `rs` and for TigerVNC on the same machine.
//!
//! ```text
//!  host display (Xvfb 1280x800, no window manager)          viewer display (Xvfb 1400x900, openbox)
//!  ┌──────────────────────────────┐                         ┌──────────────────────────────┐
//!  │ flip: a key press turns the  │  host ── loopback ── viewer window                     │
//!  │ screen or its centre over    │                         │ probe: presses the key, waits│
//!  │ between dark and light       │                         │ until the pixel turns        │
//!  └──────────────────────────────┘                         └──────────────────────────────┘
//! ```
//!
//! The time is from the synthetic key press on the viewer display to the first look at the pixel that shows the change. The
//! floor is the same probe on the host display itself: what X alone costs. Every system has displays of its own, all stay up,
//! and they take turns, so that what else the machine does hits all of them alike. Compare only runs of a quiet machine.
//!
//! `flip` and `probe` can be run by hand on any pair of displays.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

mod first_picture;
mod flip;
#[path = "../kit/mod.rs"]
mod kit;
mod probe;
mod run;
mod systems;

use std::process::ExitCode;

use clap::Parser;

/// Measures the way from a key press to the pixel.
#[derive(Parser)]
#[command(name = "cargo bench --bench latency --", arg_required_else_help = true)]
enum Command {
    /// Measure everything and print tables
    Run(run::Options),
    /// On DISPLAY: a window that turns over at each key press
    Flip {
        /// What turns over
        change: flip::Change,
    },
    /// On DISPLAY: press a key and time until the pixel in the newest window turns
    Probe {
        /// How often
        #[arg(default_value_t = 100)]
        presses: usize,
    },
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to what it is given; a bare `cargo bench` runs every bench, and this one needs a quiet machine.
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    if arguments.len() == 1 {
        println!("usage: cargo bench --bench latency -- run | flip | probe");
        return ExitCode::SUCCESS;
    }
    let done = match Command::parse_from(arguments) {
        Command::Run(options) => run::run(&options),
        Command::Flip { change } => flip::flip(change),
        Command::Probe { presses } => probe::by_hand(presses),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
