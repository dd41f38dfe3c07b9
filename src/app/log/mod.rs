//! The session log: `rs log` shows it, `rs log verify` checks it, and a [`Recorder`] beside each session keeps it.
//!
//! | module | does |
//! |---|---|
//! | [`record`] | what is recorded, and how it reads |
//! | [`recorder`] | from events to records, on a thread of its own |
//! | [`refusals`] | those who did not come in |
//! | [`sessions`] | which record belongs to which session |
//! | [`page`] | one session as text and as HTML |
//!
//! Whatever is shown is read in passes over the log, line by line: a log of any length needs no memory.

mod page;
mod record;
mod recorder;
mod refusals;
mod sessions;

use std::io::{self, Write};

use super::Failure;
use crate::{
    cli::{ExitCode, LogArgs, LogCheck},
    store::{Extent, Journal, Store},
    ui::words,
};
pub(super) use record::{HostName, Refusal, ViewerName};
use record::{Line, Record};
pub(super) use recorder::{About, Recorder};
pub(super) use refusals::Refusals;
use sessions::{Past, Sessions};

/// Lists sessions, shows one, or checks the log.
///
/// # Errors
/// There is no such session, the log cannot be read, or it was changed.
pub fn run(args: LogArgs) -> Result<(), Failure> {
    let journal = Store::open()?.journal()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match (args.check, args.session) {
        (Some(LogCheck::Verify), _) => verify(&journal, &mut out),
        (None, Some(which)) => show(&journal, find(&journal, &which)?, args.json, &mut out),
        (None, None) if args.json => records(&journal, |line, _| print(&mut out, &format!("{}\n", words::escaped(line)))),
        (None, None) => list(&journal, &mut out),
    }?;
    out.flush().map_err(Failure::other)
}

/// A line for each session, in the order they began.
fn list(journal: &Journal, out: &mut impl Write) -> Result<(), Failure> {
    let mut is_empty = true;
    each(journal, |past| {
        is_empty = false;
        print(out, &format!("{:4}  {}\n", past.number, past.line()))
    })?;
    if is_empty { print(out, "No session was logged yet.\n") } else { Ok(()) }
}

/// One session: its records as they are, or in words.
fn show(journal: &Journal, number: u64, as_json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let (mut sessions, mut has_ended) = (Sessions::default(), false);
    records(journal, |line, record| {
        let (past, is_first) = sessions.follow(&record);
        if past.number == number {
            let head = if is_first && !as_json { page::head(&record) } else { String::new() };
            let text = if as_json { format!("{}\n", words::escaped(line)) } else { page::line(&record) };
            print(out, &(head + &text))?;
            has_ended |= page::end(&record).is_some();
        }
        while sessions.done().is_some() {}
        Ok(())
    })?;
    if has_ended || as_json { Ok(()) } else { print(out, page::UNENDED) }
}

fn verify(journal: &Journal, out: &mut impl Write) -> Result<(), Failure> {
    let Extent { records, gone } =
        journal.verify()?.map_err(|tampered| Failure::new(ExitCode::Other, format!("the log was changed: {tampered}")))?;
    let mut sessions = 0;
    each(journal, |past| {
        sessions += u64::from(past.is_session);
        Ok(())
    })?;
    let count = |number: u64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let older = match gone {
        0 => String::new(),
        gone => format!(" {} let go before (log_megabytes in config.toml).", count(gone, "older record")),
    };
    print(out, &format!("{} of {}, nothing was changed.{older}\n", count(records, "record"), count(sessions, "session")))
}

/// The number of the session with this number in the list, or with a name that begins so.
fn find(journal: &Journal, which: &str) -> Result<u64, Failure> {
    let wrong = |text: &str| Err(Failure::new(ExitCode::Usage, format!("{text}; rs log lists them")));
    // A name has eight digits, so a number that short is the place in the list.
    let number = which.parse::<u64>().ok().filter(|_| which.len() < 8);
    let (mut listed, mut named) = (false, Vec::new());
    each(journal, |past| {
        listed |= Some(past.number) == number;
        if past.session.starts_with(which) && named.len() < 2 {
            named.push(past.number);
        }
        Ok(())
    })?;
    match (number.filter(|_| listed), named.as_slice()) {
        (Some(number), _) => Ok(number),
        (None, [number]) => Ok(*number),
        (None, []) => wrong(&format!("there is no session {}", words::plain(which))),
        (None, _) => wrong(&format!("several sessions begin with {}: give the number", words::plain(which))),
    }
}

/// Every session, in the order they began.
fn each(journal: &Journal, mut tell: impl FnMut(Past) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut sessions = Sessions::default();
    records(journal, |_, record| {
        sessions.follow(&record);
        std::iter::from_fn(|| sessions.done()).try_for_each(&mut tell)
    })?;
    sessions.rest().try_for_each(tell)
}

/// Every record with its line. What is none is for [`verify`] to tell.
fn records(journal: &Journal, mut each: impl FnMut(&str, Record) -> Result<(), Failure>) -> Result<(), Failure> {
    journal.read(|line| match serde_json::from_str(line) {
        Ok(Line { record }) => each(line, record),
        Err(_) => Ok(()),
    })
}

fn print(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes()).map_err(Failure::other)
}

#[cfg(all(test, unix))]
mod tests;
