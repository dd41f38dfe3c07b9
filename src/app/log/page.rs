//! One session for people: as text, and as a page of HTML that needs nothing beside itself and runs nothing.

use super::record::{Record, What, when};
use crate::ui::{event::Side, words};

/// The most records that a page shows; the log has all.
pub(super) const MAX_RECORDS: usize = 2000;

/// Colours for light and dark, and no more than that.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
    table{border-collapse:collapse}td{padding:.25rem 1rem .25rem 0;vertical-align:top;overflow-wrap:anywhere}\
    td:first-child{white-space:nowrap;opacity:.7}footer{margin-top:2rem;opacity:.7}";

/// A session as a heading says it, by its first record: who, and at which side.
pub(super) fn title(first: &Record) -> String {
    match &first.what {
        What::Started { viewer, .. } if first.side == Side::Host => format!("{} was here", viewer.words()),
        What::Started { host, .. } => format!("You were at {}", host.words()),
        What::Refused { viewer, .. } => format!("{} did not come in", viewer.words()),
        _ => "A session whose beginning was not recorded".to_owned(),
    }
}

/// What a heading says of the end, if this record is one.
pub(super) fn end(last: &Record) -> Option<String> {
    match &last.what {
        What::Ended { reason, seconds, .. } => {
            Some(format!("{}, {}", words::duration(*seconds), words::reason(*reason, last.side)))
        }
        What::Refused { why, .. } => Some(why.words().to_owned()),
        _ => None,
    }
}

/// The page's file, named by day and session.
pub(super) fn name(records: &[Record]) -> String {
    let Some(first) = records.first() else { return "session.html".to_owned() };
    let side = if first.side == Side::Host { "host" } else { "viewer" };
    format!("{}-{}-{side}.html", first.at.get(..10).unwrap_or("day"), first.session)
}

/// What stands above the lines of a session.
pub(super) fn head(first: &Record) -> String {
    format!("{}\nSession {}\n\n", title(first), words::plain(&first.session))
}

/// A record's line.
pub(super) fn line(record: &Record) -> String {
    format!("{}  {}\n", when(&record.at), record.words())
}

/// The page.
pub(super) fn html(records: &[Record]) -> String {
    let about = |tell: fn(&Record) -> String| records.first().map(|first| escaped(&tell(first))).unwrap_or_default();
    let (title, session) = (about(title), about(|first| words::plain(&first.session)));
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
pub(super) const UNENDED: &str = "No end was recorded: the session still runs, or rs was killed.\n";

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
