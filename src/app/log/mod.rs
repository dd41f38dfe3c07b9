//! The session log: `rs log` shows it, `rs log verify` checks it, and a [`Recorder`] beside each session keeps it.
//!
//! | module | does |
//! |---|---|
//! | [`record`] | what is recorded, and how it reads |
//! | [`recorder`] | from events to records, on a thread of its own |
//! | [`page`] | one session as text and as HTML |

mod page;
mod record;
mod recorder;

use std::io::{self, Write};

use super::Failure;
use crate::{
    cli::{ExitCode, LogArgs, LogCheck},
    store::Store,
    ui::{event::Side, words},
};
pub(super) use record::{HostName, ViewerName};
use record::{Line, Record, What, when};
pub(super) use recorder::{About, Recorder};

/// A session as it stands in the log.
struct Past {
    /// Its lines as they are.
    lines: Vec<String>,
    records: Vec<Record>,
}

/// Lists sessions, shows one, or checks the log.
///
/// # Errors
/// There is no such session, the log cannot be read, or it was changed.
pub fn run(args: LogArgs) -> Result<(), Failure> {
    let store = Store::open()?;
    let mut out = io::stdout().lock();
    if let Some(LogCheck::Verify) = args.check {
        return verify(&store, &mut out);
    }
    let sessions = sessions(&store)?;
    let (chosen, alone) = match &args.session {
        Some(which) => (vec![find(&sessions, which)?], true),
        None => (sessions.iter().enumerate().map(|(index, past)| (index + 1, past)).collect(), false),
    };
    if chosen.is_empty() && !args.json {
        return writeln!(out, "No session was logged yet.").map_err(Failure::other);
    }
    for (number, past) in chosen {
        let written = match (args.json, alone) {
            (true, _) => past.lines.iter().try_for_each(|line| writeln!(out, "{}", words::escaped(line))),
            (false, true) => write!(out, "{}", page::text(&past.records)),
            (false, false) => writeln!(out, "{number:4}  {}", past.line()),
        };
        written.map_err(Failure::other)?;
    }
    Ok(())
}

fn verify(store: &Store, out: &mut impl Write) -> Result<(), Failure> {
    let records =
        store.journal()?.verify()?.map_err(|tampered| Failure::new(ExitCode::Other, format!("the log was changed: {tampered}")))?;
    let sessions = sessions(store)?.len();
    let count = |number: u64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    writeln!(out, "{} of {}, nothing was changed.", count(records, "record"), count(sessions as u64, "session"))
        .map_err(Failure::other)
}

/// All sessions in the order they began. What is no record is for [`verify`] to tell.
fn sessions(store: &Store) -> Result<Vec<Past>, Failure> {
    let mut sessions: Vec<Past> = Vec::new();
    store.journal()?.read(|line| {
        let Ok(Line { record }) = serde_json::from_str(line) else { return };
        let same = |past: &&mut Past| {
            past.records.first().is_some_and(|first| (&first.session, first.side) == (&record.session, record.side))
        };
        // Those that run beside each other are few and new.
        let past = match sessions.iter_mut().rev().find(same) {
            Some(past) if !matches!(record.what, What::Started { .. }) => past,
            _ => {
                sessions.push(Past { lines: Vec::new(), records: Vec::new() });
                sessions.last_mut().expect("just added")
            }
        };
        past.lines.push(line.to_owned());
        past.records.push(record);
    })?;
    Ok(sessions)
}

/// The session with this number in the list, or with a name that begins so.
fn find<'a>(sessions: &'a [Past], which: &str) -> Result<(usize, &'a Past), Failure> {
    let wrong = |text: &str| Failure::new(ExitCode::Usage, format!("{text}; rs log lists them"));
    let named: Vec<_> = sessions.iter().enumerate().filter(|(_, past)| past.session().starts_with(which)).collect();
    // A name has eight digits, so a number that short is the place in the list.
    let number = which.parse::<usize>().ok().filter(|_| which.len() < 8).and_then(|number| number.checked_sub(1));
    if let Some((index, past)) = number.and_then(|index| Some((index, sessions.get(index)?))) {
        return Ok((index + 1, past));
    }
    match named.as_slice() {
        [(index, past)] => Ok((index + 1, past)),
        [] => Err(wrong(&format!("there is no session {}", words::plain(which)))),
        _ => Err(wrong(&format!("several sessions begin with {}: give the number", words::plain(which)))),
    }
}

impl Past {
    fn session(&self) -> &str {
        self.records.first().map_or("", |record| &record.session)
    }

    /// `2026-11-24 01:02:03 +01:00  1b2c3d4e  viewer  You were at Anna (…)  12 minutes, you left`.
    fn line(&self) -> String {
        let Some(first) = self.records.first() else { return String::new() };
        let side = if first.side == Side::Host { "host  " } else { "viewer" };
        let end = match page::end(&self.records) {
            Some((seconds, reason, side)) => format!("{}, {}", words::duration(seconds), words::reason(reason, side)),
            None => "no end recorded".to_owned(),
        };
        format!("{}  {}  {side}  {}; {end}", when(&first.at), words::plain(&first.session), page::title(&self.records))
    }
}

#[cfg(all(test, unix))]
mod tests;
