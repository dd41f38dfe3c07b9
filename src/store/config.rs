//! `config.toml`: what a person would otherwise type again and again. All of it is optional, and the command line wins.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

/// How long a session waits for a lost network, unless the file says otherwise.
const RESUME: Duration = Duration::from_secs(120);

/// How long the first yes of all on a machine is not taken, in seconds: time to think.
const CONSENT_PAUSE: u64 = 10;

/// How much of the session log is kept, in MiB, unless the file says otherwise: some ten thousand sessions.
const LOG_MEGABYTES: u64 = 64;

/// The configuration file.
///
/// ```toml
/// relay = ["relay.example.org"]
/// listen = ["/ip4/0.0.0.0/udp/4001/quic-v1"]
/// name = "Anna"
/// resume_seconds = 300
/// hand_back = 30
/// consent_pause = 0
/// files = "/home/anna/from-others"
/// log_megabytes = 0
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Relays, as for `--relay`.
    pub relay: Vec<String>,
    /// Listen addresses, as for `--listen`.
    pub listen: Vec<String>,
    /// The name that the other side sees; without it, the login name.
    pub name: Option<String>,
    /// How long a session waits for a lost network, in seconds; without it, two minutes.
    pub resume_seconds: Option<u64>,
    /// As for `--hand-back`, in seconds; 0 is never.
    pub hand_back: Option<u64>,
    /// How long the first yes of all on this machine is not taken, in seconds: 10, and less only where people practise or programs test.
    pub consent_pause: Option<u64>,
    /// The folder for files that are received and fetched, as for `--files`; without it, `rs` among the user's downloads.
    pub files: Option<PathBuf>,
    /// How much of the session log is kept, in MiB, at least its newest file and the one before; 0 is all. Without it, 64.
    pub log_megabytes: Option<u64>,
}

impl Config {
    /// How long a session waits for a lost network.
    #[must_use]
    pub fn resume(&self) -> Duration {
        self.resume_seconds.map_or(RESUME, Duration::from_secs)
    }

    /// How long the first yes of all on this machine is not taken; at most a minute, since the question waits for two.
    #[must_use]
    pub fn consent_pause(&self) -> Duration {
        Duration::from_secs(self.consent_pause.unwrap_or(CONSENT_PAUSE).min(60))
    }

    /// The most bytes of the session log that are kept; `None`: all.
    pub(super) fn log_bytes(&self) -> Option<u64> {
        Some(self.log_megabytes.unwrap_or(LOG_MEGABYTES)).filter(|megabytes| *megabytes > 0).map(|it| it.saturating_mul(1 << 20))
    }

    /// Parses the file; an error says in one line what is wrong and in which line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let reason = error.message().lines().collect::<Vec<_>>().join("; ");
            match error.span() {
                Some(span) => {
                    format!("line {}: {reason}", text.as_bytes()[..span.start.min(text.len())].split(|b| *b == b'\n').count())
                }
                None => reason,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_fine_and_every_key_is_optional() {
        assert_eq!(Config::parse(""), Ok(Config::default()));
        let config = Config::parse("relay = [\"a.example\", \"b.example:4002\"]\nname = \"Anna\"").expect("good keys");
        assert_eq!(config.relay, ["a.example", "b.example:4002"]);
        assert_eq!(config.name.as_deref(), Some("Anna"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_in_one_line() {
        let error = Config::parse("name = \"Anna\"\nrelais = []\n").expect_err("a misspelt key");
        assert!(error.starts_with("line 2: ") && error.contains("relais") && !error.contains('\n'), "{error}");
        let error = Config::parse("relay = \"a\"").expect_err("not a list");
        assert!(error.starts_with("line 1: ") && !error.contains('\n'), "{error}");
        assert!(Config::parse("relay = [").is_err());
    }
}
