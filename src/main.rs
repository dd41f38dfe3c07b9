//! The binary: parses the command line.

use clap::Parser;

fn main() {
    let _ = rs::cli::Cli::parse();
}
