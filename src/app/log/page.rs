//! One session for people: as text, and as a page of HTML that needs nothing beside itself and runs nothing.

use super::record::{Record, What, when};
use crate::{protocol::message::EndReason, ui::event::Side, ui::words};

/// The most records that a page shows; the log has all.
pub(super) const MAX_RECORDS: usize = 2000;

/// Colours for light and dark, and no more than that.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
    table{border-collapse:collapse}td{padding:.25rem 1rem .25rem 0;vertical-align:top;overflow-wrap:anywhere}\
    td:first-child{white-space:nowrap;opacity:.7}footer{margin-top:2rem;opacity:.7}";

/// A session as a heading says it: who, and at which side.
pub(super) fn title(records: &[Record]) -> String {
    let started = records.iter().find_map(|record| match &record.what {
        What::Started { host, viewer, .. } => Some((record.side, host, viewer)),
        _ => None,
    });
    match started {
        Some((Side::Host, _, viewer)) => format!("{} was here", viewer.words()),
        Some((Side::Viewer, host, _)) => format!("You were at {}", host.words()),
        None => "A session whose beginning was not recorded".to_owned(),
    }
}

/// How long it lasted and why it ended, if that is known.
pub(super) fn end(records: &[Record]) -> Option<(u64, EndReason, Side)> {
    records.iter().rev().find_map(|record| match &record.what {
        What::Ended { reason, seconds, .. } => Some((*seconds, *reason, record.side)),
        _ => None,
    })
}

/// The page's file, named by day and session.
pub(super) fn name(records: &[Record]) -> String {
    let Some(first) = records.first() else { return "session.html".to_owned() };
    let side = if first.side == Side::Host { "host" } else { "viewer" };
    format!("{}-{}-{side}.html", first.at.get(..10).unwrap_or("day"), first.session)
}

/// A line for each record.
pub(super) fn text(records: &[Record]) -> String {
    let mut text = format!("{}\nSession {}\n\n", title(records), session(records));
    records.iter().for_each(|record| text += &format!("{}  {}\n", when(&record.at), record.words()));
    if end(records).is_none() {
        text += UNENDED;
        text.push('\n');
    }
    text
}

/// The page.
pub(super) fn html(records: &[Record]) -> String {
    let (title, session) = (escaped(&title(records)), escaped(&session(records)));
    let row = |record: &Record| format!("<tr><td>{}<td>{}\n", escaped(&when(&record.at)), escaped(&record.words()));
    let rows: String = records.iter().take(MAX_RECORDS).map(row).collect();
    let more = if records.len() < MAX_RECORDS { "" } else { "<p>The log has more records than are shown here.</p>\n" };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style></head>\n\
         <body><h1>{title}</h1>\n<p>Session {session}</p>\n<table>\n{rows}</table>\n{more}\
         <footer>Made from the session log, which counts: <code>rs log verify</code> tells whether it was changed, \
         <code>rs log {session}</code> shows this session. What was said, typed or copied is not kept.</footer>\n</body></html>\n"
    )
}

/// What to say of a session without an end.
pub(super) const UNENDED: &str = "No end was recorded: the session still runs, or rs was killed.";

fn session(records: &[Record]) -> String {
    records.first().map(|record| words::plain(&record.session)).unwrap_or_default()
}

/// Text that means nothing but itself, in an element or an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
