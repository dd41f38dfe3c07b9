//! `rs completions` and `rs man`: made from the command line's own types, so that they cannot say anything else.

use std::{
    io::{self, Write},
    path::Path,
};

use clap::CommandFactory;

use super::Failure;
use crate::cli::{Cli, ExitCode};

/// Writes the completions for a shell to the standard output.
///
/// # Errors
/// Nobody reads.
pub fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rs", &mut script);
    io::stdout().write_all(&script).map_err(Failure::other)
}

/// Writes the page about `rs` to the standard output, or one for each word into the folder.
///
/// # Errors
/// They cannot be written.
pub fn pages(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Failure::other)?;
        return io::stdout().write_all(&page).map_err(Failure::other);
    };
    if !folder.is_dir() {
        return Err(Failure::new(ExitCode::Usage, format!("there is no folder {}; make it first", folder.display())));
    }
    let failed =
        |error| Failure::other(format!("the manual cannot be written to {} ({error}); choose another folder", folder.display()));
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)
}
