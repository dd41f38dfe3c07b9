//! The log: to stderr, one compact line an event, filtered by `RS_LOG` (`warn` when unset). A bare level up to
//! `info` shows what `rs` itself says; `debug`, `trace` and filters such as `libp2p=info` show its libraries too. stdout belongs to the user and to scripts.
//!
//! | level | for | may contain |
//! |---|---|---|
//! | `error` | `rs` cannot do what was asked | words, IDs |
//! | `warn` | it goes on, but somebody should know | words, IDs |
//! | `info` | steps of a session: started, path changed, ended | IDs, short keys, kinds of paths |
//! | `debug` | for a bug report | full addresses |
//! | `trace` | for us | sizes and states of everything |
//!
//! No password, secret or full address above `debug`; no password or secret at any level. What may not be told at a level is
//! wrapped in [`Redacted`]. Typed text, chat and the clipboard are never logged.

use std::{
    fmt,
    io::{IsTerminal, stderr},
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The environment variable with the filter, such as `debug` or `rs::net=trace,warn`.
pub const VARIABLE: &str = "RS_LOG";

/// The log cannot be started; the text says why and what to do, in one line.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `RS_LOG` is not a filter.
    #[error("{VARIABLE} is not a log filter ({0}); use a level such as info, or rs=debug")]
    Filter(String),
    /// Something in this process logs already.
    #[error("the log was started twice")]
    Started,
}

/// Starts the log. Once per process, before anything is logged.
///
/// # Errors
/// [`LogError`].
pub fn init() -> Result<(), LogError> {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let filter = EnvFilter::try_new(directives(&wanted)).map_err(|error| LogError::Filter(error.to_string()))?;
    tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .try_init()
        .map_err(|_| LogError::Started)
}

/// What to let through. A bare level up to `info` is for our own words only: the libraries' have addresses in them.
fn directives(wanted: &str) -> String {
    let wanted = wanted.trim();
    match wanted.parse::<LevelFilter>() {
        Ok(level) if level <= LevelFilter::INFO => format!("off,rs={level}"),
        Ok(_) => wanted.to_owned(),
        Err(_) if wanted.is_empty() => "off,rs=warn".to_owned(),
        Err(_) => wanted.to_owned(),
    }
}

/// A value that must not be read in a log: it shows as `…`, whatever it is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Redacted<T>(pub T);

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_value_tells_nothing() {
        let secret = Redacted("k7m4-q2xp");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(secret)), "… … Some(…)");
    }
}
