//! `cargo bench --bench latency -- run`: how long from a key press to the pixel, for `rs`, TigerVNC and x11vnc on the same machine,
//! and how many of sixty pictures a second each shows.
//!
//! ```text
//!  host display (Xvfb 1280x800, no window manager)          viewer display (Xvfb 1400x900, openbox)
//!  ┌──────────────────────────────┐                         ┌──────────────────────────────┐
//!  │ flip: a key press shows the  │  host ── loopback ── viewer window                     │
//!  │ next picture, on the screen  │                         │ probe: presses the key, waits│
//!  │ or only in its centre        │                         │ until the pixel turns        │
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
mod plot;
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
    /// On DISPLAY: a window that shows the next picture at each key press
    Flip {
        /// What changes
        change: flip::Change,
        /// Change so many times a second instead, without a key
        #[arg(long)]
        rate: Option<u32>,
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
        Command::Flip { change, rate } => flip::flip(change, rate),
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
