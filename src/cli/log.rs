//! `rs log`.

use clap::{Args, Subcommand};

/// `rs log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Show this session: its number in the list, or the beginning of its name
    #[arg(value_name = "SESSION")]
    pub session: Option<String>,
    /// What to do instead of showing.
    #[command(subcommand)]
    pub check: Option<LogCheck>,
    /// Tell the records as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// What `rs log` does instead of showing.
#[derive(Debug, Subcommand)]
pub enum LogCheck {
    /// Check that no record was changed, removed or added; exit code 1 if one was
    Verify,
}
