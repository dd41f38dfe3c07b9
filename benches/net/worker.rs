//! This program once more, in another part.

use std::{
    io::{BufRead, BufReader},
    process::{ChildStdout, Command, Stdio},
};

use anyhow::{Context, bail};

use crate::support::process::Process;

/// A running worker. Dropping it kills it.
pub(crate) struct Worker {
    _process: Process,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts `command`. Its input ends with the worker or with us.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let output = process.child().stdout.take().context("stdout is piped")?;
        Ok(Self { _process: process, output: BufReader::new(output) })
    }

    /// The next line it prints; its own end or the kernel's time-outs bound the waiting.
    pub(crate) fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("a worker failed; its message is above");
        }
        Ok(line)
    }
}
