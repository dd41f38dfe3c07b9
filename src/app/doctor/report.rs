//! What is found, told: an aligned list for people, one JSON object a line for scripts.
//!
//! JSON: `finding` for each finding, with an ID `candidate` for each pair of addresses, and `doctor-done` at the end.

use std::io::{IsTerminal, Write, stdout};

use serde::Serialize;
use serde_json::Value;

use super::{
    findings::{Expect, Finding, Verdict},
    trial::Candidate,
};
use crate::{net::trace::Way, ui::words};

/// Columns of a finding: its mark and its topic.
const TOPIC: usize = 14;

/// Where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    json: bool,
    colour: bool,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        let colour = !json && stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour }
    }

    /// What is being done, for people.
    pub(super) fn progress(self, text: &str) {
        if !self.json {
            say(text);
        }
    }

    pub(super) fn finding(self, finding: &Finding) {
        if self.json {
            return say(&event("finding", finding));
        }
        let (mark, colour) = match finding.verdict {
            Verdict::Good => ("ok  ", 32),
            Verdict::Note => ("note", 33),
            Verdict::Bad => ("BAD ", 31),
        };
        let mark = if self.colour { format!("\u{1b}[{colour}m{mark}\u{1b}[0m") } else { mark.to_owned() };
        say(&format!("{mark}  {:TOPIC$} {}", finding.topic.name(), words::plain(&finding.text)));
        if let Some(advice) = &finding.advice {
            say(&format!("{:indent$}-> {}", "", words::plain(advice), indent = TOPIC + 7));
        }
    }

    pub(super) fn candidates(self, candidates: &[Candidate]) {
        if self.json {
            return candidates.iter().for_each(|candidate| say(&event("candidate", candidate)));
        }
        let rows: Vec<[String; 4]> =
            std::iter::once(["from", "to", "by", "result"].map(str::to_owned)).chain(candidates.iter().map(row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
        let (from, to, by) = (width(0), width(1), width(2));
        say("");
        for [own, remote, way, result] in &rows {
            say(&format!("  {own:from$}  {remote:to$}  {way:by$}  {result}"));
        }
        say("");
    }

    /// The last line. `path` is there when a host was asked for.
    pub(super) fn done(self, expect: Expect, reachable: bool, path: Option<&Value>) {
        if self.json {
            return say(&event("doctor-done", &Done { expect, text: expect.text(), reachable, path }));
        }
        say(&format!("\nConnections from here: {}.", expect.text()));
    }
}

fn row(candidate: &Candidate) -> [String; 4] {
    let way = match candidate.way {
        Way::Dialled => "dialled",
        Way::Punched => "hole punch",
        Way::CameIn => "came in",
    };
    let result = match (candidate.result, candidate.ms, candidate.reason) {
        ("connected", Some(ms), _) => format!("connected in {ms} ms"),
        (_, _, Some(reason)) => format!("failed: {reason}"),
        ("no-answer", ..) => "no answer so far".to_owned(),
        ("overtaken", ..) => "another was quicker".to_owned(),
        (result, ..) => result.to_owned(),
    };
    let local = candidate.local.as_ref().map_or_else(|| "(relay)".to_owned(), ToString::to_string);
    [local, shortened(&candidate.remote.to_string()), way.to_owned(), result]
}

/// Keys take the room of what matters: their last eight characters are enough to tell them apart.
fn shortened(address: &str) -> String {
    let mut parts: Vec<String> = address.split('/').map(str::to_owned).collect();
    for at in 1..parts.len() {
        let keep = parts[at].char_indices().rev().nth(7).map_or(0, |(at, _)| at);
        if parts[at - 1] == "p2p" && keep > 0 {
            parts[at] = format!("…{}", &parts[at][keep..]);
        }
    }
    parts.join("/")
}

/// The last line, for scripts.
#[derive(Serialize)]
struct Done<'a> {
    expect: Expect,
    text: &'a str,
    /// Whether the host, or without an ID a relay, can be reached.
    reachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a Value>,
}

fn event<T: Serialize>(event: &str, of: &T) -> String {
    #[derive(Serialize)]
    struct Named<'a, T> {
        event: &'a str,
        #[serde(flatten)]
        of: &'a T,
    }
    words::json(&Named { event, of })
}

fn say(line: &str) {
    let mut out = stdout().lock();
    // Whoever closed the output does not want it.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_addresses_are_shortened_and_nothing_else() {
        let key = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
        assert_eq!(
            shortened(&format!("/ip4/192.0.2.1/tcp/4001/p2p/{key}/p2p-circuit/p2p/{key}")),
            "/ip4/192.0.2.1/tcp/4001/p2p/…vnc6iDEp/p2p-circuit/p2p/…vnc6iDEp"
        );
        assert_eq!(shortened("/ip4/192.0.2.1/tcp/4001"), "/ip4/192.0.2.1/tcp/4001");
    }
}
