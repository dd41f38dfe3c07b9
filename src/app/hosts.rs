//! `rs hosts`, and whom `rs connect` means when it is given a name or nothing.

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;
use tokio::sync::mpsc;

use super::Failure;
use crate::{
    cli::{ExitCode, HostsArgs, HostsChange, Target, Whom},
    protocol::id::HostId,
    store::{Host, Store},
    ui::event::{Known, ViewerEvent},
};

/// How many hosts are offered to choose from.
const OFFERED: usize = 20;

/// Shows or changes the list.
///
/// # Errors
/// The state folder cannot be used, or a name cannot be given.
pub fn run(args: HostsArgs) -> Result<(), Failure> {
    let store = Store::open()?;
    match args.change {
        Some(HostsChange::Name { id, name }) => {
            store.name_host(id, &name)?.map_err(|error| Failure::new(ExitCode::Usage, error))?;
        }
        Some(HostsChange::Forget { id }) => {
            if !store.forget_host(id)? {
                return Err(Failure::new(ExitCode::Usage, format!("{id} is not in the list; rs hosts shows it")));
            }
        }
        None => show(&store.hosts()?, args.json)?,
    }
    Ok(())
}

fn show(hosts: &[Host], json: bool) -> Result<(), Failure> {
    /// One line with `--json`.
    #[derive(Serialize)]
    struct Line<'a> {
        id: String,
        name: Option<&'a str>,
        last: &'a str,
    }
    let mut out = io::stdout().lock();
    if hosts.is_empty() && !json {
        return writeln!(out, "No host was visited yet. Connect to one with: rs connect ID").map_err(Failure::other);
    }
    for host in hosts {
        let name = Some(host.name.as_str()).filter(|name| !name.is_empty());
        let line = match json {
            true => serde_json::to_string(&Line { id: host.id.to_string(), name, last: &host.last }).map_err(Failure::other)?,
            false => line(host),
        };
        writeln!(out, "{line}").map_err(Failure::other)?;
    }
    Ok(())
}

/// `9339-2522-7420-3124  2026-11-23 12:00  Anna`.
fn line(host: &Host) -> String {
    format!("{}  {}  {}", host.id, last(host), host.name).trim_end().to_owned()
}

/// When it was visited last, in local time.
fn last(host: &Host) -> String {
    let local = host.last.parse::<jiff::Timestamp>().map(|at| at.to_zoned_datetime(jiff::tz::TimeZone::system()));
    local.map_or_else(|_| host.last.clone(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

/// What the user calls a host.
fn name(host: &Host) -> Option<String> {
    Some(host.name.clone()).filter(|name| !name.is_empty())
}

/// What the user calls this host.
///
/// # Errors
/// The list cannot be read.
pub(super) fn name_of(store: &Store, id: HostId) -> Result<Option<String>, Failure> {
    Ok(store.hosts()?.iter().find(|host| host.id == id).and_then(name))
}

/// Whom the user means: what they typed, the host that they call so, or the one they choose from the list.
///
/// # Errors
/// Nobody is called so, or nobody can be asked.
pub(super) fn whom(given: Option<Whom>, store: &Store, json: bool) -> Result<Target, Failure> {
    match given {
        Some(whom) => found(whom, store),
        None if json || !can_ask() => Err(Failure::new(ExitCode::Usage, "to which host? give its ID: rs connect ID")),
        None => choose(&store.hosts()?, &mut io::stdin().lock(), &mut io::stderr().lock()),
    }
}

/// Whether there is a terminal to ask on.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Has the face ask that `tell` tells, until the answer is a host.
///
/// # Errors
/// The list cannot be read, or the window is closed.
pub(super) async fn ask(answers: &mut mpsc::Receiver<String>, mut tell: impl FnMut(ViewerEvent)) -> Result<Target, Failure> {
    let store = Store::open()?;
    let mut wrong = None;
    loop {
        let known = |host: &Host| Known { id: host.id.to_string(), name: name(host), last: last(host) };
        let hosts = store.hosts()?.iter().take(OFFERED).map(known).collect();
        tell(ViewerEvent::HostWanted { hosts, wrong });
        let answer = answers.recv().await.ok_or_else(nobody)?;
        let whom = answer.parse().map_err(|error| Failure::new(ExitCode::Usage, error));
        match whom.and_then(|whom| found(whom, &store)) {
            Ok(target) => {
                let (id, name) = (target.id(), name_of(&store, target.id())?);
                tell(ViewerEvent::HostChosen { id: id.to_string(), name });
                return Ok(target);
            }
            Err(failure) => wrong = Some(failure.text),
        }
    }
}

/// How to find whom the user named.
fn found(whom: Whom, store: &Store) -> Result<Target, Failure> {
    match whom {
        Whom::Target(target) => Ok(target),
        Whom::Named(name) => match store.host_named(&name)? {
            Some(host) => Ok(Target::Id(host.id)),
            None => {
                Err(Failure::new(ExitCode::Usage, format!("no host has the name \"{name}\"; rs hosts shows those that have one")))
            }
        },
    }
}

fn nobody() -> Failure {
    Failure::new(ExitCode::Usage, "no host was chosen; give its ID: rs connect ID")
}

/// Asks for one of the list by number, or by anything that `rs connect` takes.
fn choose(hosts: &[Host], input: &mut impl BufRead, output: &mut impl Write) -> Result<Target, Failure> {
    let hosts = &hosts[..hosts.len().min(OFFERED)];
    for (number, host) in (1..).zip(hosts) {
        writeln!(output, "{number:3}  {}", line(host)).map_err(Failure::other)?;
    }
    let hint = if hosts.is_empty() { "The host's ID: " } else { "Number or ID (Enter for 1): " };
    write!(output, "{hint}").and_then(|()| output.flush()).map_err(Failure::other)?;
    let mut answer = String::new();
    let read = input.read_line(&mut answer).map_err(Failure::other)?;
    let number = match answer.trim() {
        "" if read > 0 => 1,
        answer => answer.parse().unwrap_or(0),
    };
    match hosts.get(usize::wrapping_sub(number, 1)) {
        Some(host) => Ok(Target::Id(host.id)),
        None if answer.trim().is_empty() => Err(nobody()),
        None => match answer.parse() {
            Ok(Whom::Target(target)) => Ok(target),
            Ok(Whom::Named(name)) => {
                let called = hosts.iter().find(|host| host.name.eq_ignore_ascii_case(&name));
                called.map(|host| Target::Id(host.id)).ok_or_else(nobody)
            }
            Err(error) => Err(Failure::new(ExitCode::Usage, error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::{HostId, PeerKey};

    #[test]
    fn a_host_is_chosen_by_number_name_or_id() {
        let host = |seed, name: &str| Host {
            id: HostId::of(&PeerKey([seed; 32])),
            last: "2026-11-23T10:00:00Z".to_owned(),
            name: name.to_owned(),
        };
        let hosts = [host(1, "Anna"), host(2, "")];
        let chosen = |hosts: &[Host], answer: &str| {
            let mut shown = Vec::new();
            let target = choose(hosts, &mut answer.as_bytes(), &mut shown);
            (target.map(|target| target.id()).map_err(|failure| failure.code), String::from_utf8(shown).expect("text"))
        };
        let other = HostId::of(&PeerKey([3; 32]));
        for (answer, id) in [("\n", hosts[0].id), ("2\n", hosts[1].id), ("anna\n", hosts[0].id), (&format!("{other}\n"), other)] {
            assert_eq!(chosen(&hosts, answer).0, Ok(id), "{answer}");
        }
        for answer in ["", "3\n", "0\n", "bert\n", "9339-2522\n"] {
            assert_eq!(chosen(&hosts, answer).0, Err(ExitCode::Usage), "{answer}");
        }
        let (nobody, shown) = chosen(&[], "\n");
        assert_eq!((nobody, shown.as_str()), (Err(ExitCode::Usage), "The host's ID: "));
        assert!(chosen(&hosts, "1\n").1.contains("  1  ") && chosen(&hosts, "1\n").1.contains("Anna"));
    }
}
