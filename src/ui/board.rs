//! The board: the session's figures in a corner of the viewer's window, as rows of a name and two values.
//!
//! Hidden it costs nothing: the figures are asked for only while it is shown, once a second, and drawn only when they are new.

use std::time::{Duration, Instant};

use super::{figures::Stats, words};

/// From one question to the next.
const EVERY: Duration = Duration::from_secs(1);

/// A name and its values.
pub(super) type Row = [String; 3];

/// See the module.
#[derive(Default)]
pub(super) struct Board {
    /// What is drawn while it is shown.
    rows: Option<Vec<Row>>,
    /// When to ask next.
    ask_at: Option<Instant>,
    /// Changes with what is to be drawn.
    version: u64,
}

impl Board {
    /// Between shown and hidden.
    pub(super) fn toggle(&mut self, now: Instant) {
        self.version += 1;
        match self.rows.take() {
            Some(_) => self.ask_at = None,
            None => (self.rows, self.ask_at) = (Some(vec![row("figures", "coming", "")]), Some(now)),
        }
    }

    /// Whether to ask for figures now.
    pub(super) fn asks(&mut self, now: Instant) -> bool {
        let asks = self.ask_at.is_some_and(|at| at <= now);
        if asks {
            self.ask_at = Some(now + EVERY);
        }
        asks
    }

    /// When to ask next, while it is shown.
    pub(super) fn ask_at(&self) -> Option<Instant> {
        self.ask_at
    }

    /// New figures.
    pub(super) fn follow(&mut self, stats: &Stats) {
        if let Some(rows) = &mut self.rows {
            *rows = table(stats);
            self.version += 1;
        }
    }

    /// What is to be drawn, and a number that changes with it.
    pub(super) fn drawn(&self) -> (Option<&[Row]>, u64) {
        (self.rows.as_deref(), self.version)
    }
}

fn row(name: &str, first: impl Into<String>, second: impl Into<String>) -> Row {
    [name.to_owned(), first.into(), second.into()]
}

/// The figures as rows.
#[expect(clippy::cast_precision_loss, reason = "rounded for people")]
fn table(stats: &Stats) -> Vec<Row> {
    let known = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let mut rows = vec![row("ms", "p50", "p95")];
    rows.extend(stats.stages.named().map(|(name, stage)| {
        let time = |of: fn(&super::figures::Milliseconds) -> f64| known(stage.as_ref().map(|stage| format!("{:.1}", of(stage))));
        row(name, time(|stage| stage.p50_ms), time(|stage| stage.p95_ms))
    }));
    let picture = &stats.picture;
    let mbit = |bits: u64| format!("{:.2}", bits as f64 / 1e6);
    rows.push(row("pictures", format!("{:.0} /s", picture.pictures_per_s), stats.frames.to_string()));
    rows.push(row("Mbit/s", mbit(picture.bytes_per_s * 8), format!("of {}", known(stats.link.rate_bps.map(mbit)))));
    let ms = |value: Option<u64>| known(value.map(|value| value.to_string()));
    rows.push(row("round trip, queue", ms(stats.rtt_ms), ms(stats.link.queue_ms)));
    for (name, bytes) in stats.bytes.iter().flat_map(|bytes| {
        [("control", bytes.control), ("indexed", bytes.indexed), ("raw", bytes.raw), ("photo", bytes.photo), ("lossy", bytes.lossy)]
    }) {
        rows.push(row(name, format!("{:.1}", bytes as f64 / 1e3), "kB"));
    }
    let path = stats.path.as_ref().map(|path| (words::plain(&path.kind), words::plain(&path.transport)));
    let (kind, transport) = path.unwrap_or_default();
    rows.push(row("path", kind, transport));
    rows.push(row(words::exactness(picture.exact), format!("{} x", picture.width), picture.height.to_string()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::figures::{Milliseconds, Stages};

    #[test]
    fn a_hidden_board_asks_and_draws_nothing_and_a_shown_one_once_a_second() {
        let (now, mut board) = (Instant::now(), Board::default());
        board.follow(&Stats::default());
        assert_eq!((board.asks(now), board.ask_at(), board.drawn()), (false, None, (None, 0)));
        board.toggle(now);
        assert!(board.asks(now) && !board.asks(now + EVERY / 2) && board.ask_at() == Some(now + EVERY));
        let shown = board.drawn().1;
        assert!(board.drawn().0.is_some());
        board.follow(&Stats::default());
        assert_ne!(board.drawn().1, shown, "new figures are drawn");
        board.toggle(now);
        assert_eq!((board.drawn().0, board.ask_at()), (None, None));
    }

    #[test]
    fn every_stage_has_a_row_and_what_is_unknown_a_dash() {
        let decode = Some(Milliseconds { p50_ms: 0.25, p95_ms: 12.0 });
        let rows = table(&Stats { stages: Stages { decode, ..Stages::default() }, ..Stats::default() });
        let find = |name: &str| rows.iter().find(|row| row[0] == name).cloned();
        assert_eq!(find("decode"), Some(row("decode", "0.2", "12.0")));
        for name in ["capture", "detect", "encode", "queue", "wire", "present"] {
            assert_eq!(find(name), Some(row(name, "–", "–")));
        }
        assert!(find("catching up").is_some());
    }
}
