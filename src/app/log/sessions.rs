//! Which session each record belongs to, told in one pass over a log of any length: what is kept of a session is a line, and no more than
//! [`OPEN`] of them wait for their end.

use std::collections::VecDeque;

use super::{
    page,
    record::{Record, What, when},
};
use crate::ui::{event::Side, words};

/// Sessions that may wait for their end at the same time. Of more than these, the oldest counts as one without.
const OPEN: usize = 1024;

/// A session as the list shows it.
pub(super) struct Past {
    /// Counted from 1, in the order they began.
    pub(super) number: u64,
    /// Its name.
    pub(super) session: String,
    /// Whether somebody was let in.
    pub(super) is_session: bool,
    side: Side,
    at: String,
    title: String,
    end: Option<String>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Sessions {
    begun: u64,
    waiting: VecDeque<Past>,
}

impl Sessions {
    /// The session of the next record, and whether it is its first one.
    pub(super) fn follow(&mut self, record: &Record) -> (&Past, bool) {
        let begins = matches!(record.what, What::Started { .. } | What::Refused { .. });
        // Those that run beside each other are few and new.
        let same = |past: &Past| (&past.session, past.side) == (&record.session, record.side);
        let known = self.waiting.iter().rposition(same).filter(|_| !begins);
        let place = known.unwrap_or_else(|| {
            self.begun += 1;
            self.waiting.push_back(Past::new(self.begun, record));
            self.waiting.len() - 1
        });
        let past = &mut self.waiting[place];
        past.end = page::end(record).or(past.end.take());
        (past, known.is_none())
    }

    /// The next one in their order of which all is known.
    pub(super) fn done(&mut self) -> Option<Past> {
        let all_known = self.waiting.len() > OPEN || self.waiting.front().is_some_and(|past| past.end.is_some());
        if all_known { self.waiting.pop_front() } else { None }
    }

    /// The others, at the end of the log.
    pub(super) fn rest(self) -> impl Iterator<Item = Past> {
        self.waiting.into_iter()
    }
}

impl Past {
    fn new(number: u64, first: &Record) -> Self {
        let Record { session, side, at, what } = first;
        let is_session = !matches!(what, What::Refused { .. });
        Self { number, session: session.clone(), is_session, side: *side, at: at.clone(), title: page::title(first), end: None }
    }

    /// `2026-11-24 01:02:03 +01:00  1b2c3d4e  viewer  You were at Anna (…); 12 minutes, you left`.
    pub(super) fn line(&self) -> String {
        let side = if self.side == Side::Host { "host  " } else { "viewer" };
        let end = self.end.as_deref().unwrap_or("no end recorded");
        format!("{}  {}  {side}  {}; {end}", when(&self.at), words::plain(&self.session), self.title)
    }
}
