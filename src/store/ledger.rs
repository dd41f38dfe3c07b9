//! The form of `known_hosts`, `known_viewers` and `known_relays`: one peer a line, `KEY DATE LABEL`, made to be read and edited by hand.
//!
//! KEY is a public key as base64url without padding, DATE the day it was first seen (UTC), LABEL the rest of the line. Empty lines and
//! lines that begin with `#` are kept as they are. Any other line is an error: a pin that cannot be read must not look like no pin.

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use data_encoding::BASE64URL_NOPAD;

use crate::protocol::id::PeerKey;

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: PeerKey,
    /// `YYYY-MM-DD`.
    pub(super) since: String,
    /// Printable, one line.
    pub(super) label: String,
}

#[derive(Debug)]
enum Line {
    Entry(Entry),
    Remark(String),
}

/// A parsed file.
#[derive(Debug, Default)]
pub(super) struct Ledger(Vec<Line>);

impl Ledger {
    /// Parses a file; an error is the number of the bad line, counted from 1.
    pub(super) fn parse(text: &str) -> Result<Self, usize> {
        let line = |(index, text)| Line::parse(text).ok_or(index + 1);
        text.lines().enumerate().map(line).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    pub(super) fn by_key(&self, key: &PeerKey) -> Option<&Entry> {
        self.entries().find(|entry| entry.key == *key)
    }

    pub(super) fn by_label(&self, label: &str) -> Option<&Entry> {
        self.entries().find(|entry| entry.label == label)
    }

    /// Renames the peer with this key, or adds it as first seen on `today`. Returns whether anything changed.
    pub(super) fn put(&mut self, key: PeerKey, label: &str, today: impl FnOnce() -> String) -> bool {
        let known = self.0.iter_mut().find_map(|line| match line {
            Line::Entry(entry) if entry.key == key => Some(entry),
            _ => None,
        });
        match known {
            Some(entry) if entry.label == label => return false,
            Some(entry) => label.clone_into(&mut entry.label),
            None => self.add(key, label, today()),
        }
        true
    }

    /// Adds a peer.
    pub(super) fn add(&mut self, key: PeerKey, label: &str, since: String) {
        self.0.push(Line::Entry(Entry { key, since, label: label.to_owned() }));
    }

    pub(super) fn render(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, line| {
            match line {
                Line::Entry(Entry { key, since, label }) => {
                    let entry = format!("{} {since} {label}", BASE64URL_NOPAD.encode(&key.0));
                    text.push_str(entry.trim_end());
                }
                Line::Remark(remark) => text.push_str(remark),
            }
            text.push('\n');
            text
        })
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter_map(|line| match line {
            Line::Entry(entry) => Some(entry),
            Line::Remark(_) => None,
        })
    }
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        if text.chars().any(char::is_control) {
            return None;
        }
        if text.trim().is_empty() || text.starts_with('#') {
            return Some(Self::Remark(text.to_owned()));
        }
        let mut parts = text.splitn(3, ' ');
        let key = BASE64URL_NOPAD.decode(parts.next()?.as_bytes()).ok()?;
        let key = PeerKey(key.try_into().ok()?);
        let since = parts.next().filter(|date| is_date(date))?.to_owned();
        Some(Self::Entry(Entry { key, since, label: parts.next().unwrap_or_default().to_owned() }))
    }
}

/// A label that keeps to its line and says its name in reasonable length.
pub(super) fn label(text: &str) -> String {
    /// Longer names are cut, in characters.
    const LONGEST: usize = 64;
    let printable: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    printable.trim().to_owned()
}

/// The day in UTC, as `YYYY-MM-DD`. A clock before 1970 counts as 1970.
pub(super) fn date(now: SystemTime) -> String {
    let days = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400;
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. Years begin in March, so a leap day is a year's last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let mut text = String::new();
    write!(text, "{year:04}-{month:02}-{day:02}").expect("a String takes everything");
    text
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_written_as_people_read_them() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01");
        assert_eq!(at(951_782_400), "2000-02-29");
        assert_eq!(at(951_868_800), "2000-03-01");
        assert_eq!(at(1_798_761_599), "2026-12-31");
        assert_eq!(date(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01");
    }

    #[test]
    fn remarks_survive_and_a_bad_line_is_named() {
        let key = BASE64URL_NOPAD.encode(&[7; 32]);
        let text = format!("# my machines\n\n{key} 2026-01-31 the shop\n{key} 2026-01-31\n");
        assert_eq!(Ledger::parse(&text).expect("good lines").render(), text);
        for bad in ["x", &key, &format!("{key} yesterday shop"), &format!("{key} 2026-01-31 a\tb"), "AAAA 2026-01-31 shop"] {
            assert_eq!(Ledger::parse(&format!("# ok\n{bad}\n")).expect_err(bad), 2);
        }
    }

    #[test]
    fn a_peer_that_comes_again_keeps_its_first_day_and_gets_its_new_name() {
        let mut ledger = Ledger::default();
        assert!(ledger.put(PeerKey([1; 32]), "anna", || "2026-01-01".into()));
        assert!(!ledger.put(PeerKey([1; 32]), "anna", || "2026-02-02".into()));
        assert!(ledger.put(PeerKey([1; 32]), "bert", || "2026-02-02".into()));
        let entry = ledger.by_key(&PeerKey([1; 32])).expect("it was put there");
        assert_eq!((entry.since.as_str(), entry.label.as_str()), ("2026-01-01", "bert"));
    }

    proptest! {
        #[test]
        fn any_name_keeps_to_its_line(name in any::<String>(), key in any::<[u8; 32]>()) {
            let name = label(&name);
            let mut ledger = Ledger::default();
            ledger.put(PeerKey(key), &name, || "2026-01-01".into());
            let again = Ledger::parse(&ledger.render()).expect("what was written can be read");
            prop_assert_eq!(again.by_key(&PeerKey(key)).map(|entry| entry.label.as_str()), Some(name.as_str()));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in any::<String>()) {
            let _ = Ledger::parse(&text);
        }
    }
}
