//! Lines of text below the picture: cut to the window, made safe, written only where they changed.

use std::io::Write;

use ratatui::text::Span;

use super::cells::go;
use crate::ui::words;

/// How a line looks: parameters of `SGR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As text of the terminal.
    Plain,
    /// The status line.
    Bar,
    /// The status line while something is wrong.
    Alarm,
    /// A headline.
    Bold,
}

impl Look {
    fn parameters(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bar => "0;7",
            Self::Alarm => "0;1;37;41",
            Self::Bold => "0;1",
        }
    }
}

/// A line and its look.
pub(super) type Line = (String, Look);

/// The lines that the terminal shows now, by row.
#[derive(Default)]
pub(super) struct Lines {
    shown: Vec<(u16, Line)>,
}

impl Lines {
    /// The terminal was cleared.
    pub(super) fn forget(&mut self) {
        self.shown.clear();
    }

    /// Shows `lines` from `top` on, each exactly `columns` wide, whatever is in them.
    pub(super) fn show(&mut self, out: &mut Vec<u8>, top: u16, columns: u16, lines: &[Line]) {
        let wanted: Vec<(u16, Line)> = (top..).zip(lines.iter().map(|(text, look)| (fit(text, columns), *look))).collect();
        for line in wanted.iter().filter(|line| !self.shown.contains(line)) {
            write_line(out, line.0, &line.1);
        }
        self.shown = wanted;
    }
}

/// Writes headline and details into the middle of an empty area of this size.
pub(super) fn headline(out: &mut Vec<u8>, (columns, rows): (u16, u16), head: &str, detail: &str) {
    let top = (rows / 2).saturating_sub(1);
    for (row, text, look) in [(top, head, Look::Bold), (top + 1, detail, Look::Plain)] {
        if row < rows {
            let text = words::plain(text);
            let space = usize::from(columns).saturating_sub(width(&text)) / 2;
            write_line(out, row, &(fit(&format!("{}{text}", " ".repeat(space)), columns), look));
        }
    }
}

fn write_line(out: &mut Vec<u8>, row: u16, (text, look): &Line) {
    go(out, 0, row);
    // Writing into memory does not fail.
    let _ = write!(out, "\x1b[{}m{text}\x1b[0m", look.parameters());
}

/// Columns that `text` takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// `text` without anything that moves a cursor, cut or filled up to `columns`. Measured as a whole: what follows a character can make
/// it wider, as the selector does that asks for a coloured emoji.
fn fit(text: &str, columns: u16) -> String {
    let (mut fitted, room) = (String::new(), usize::from(columns));
    for character in words::plain(text).chars() {
        // Marks without a width of their own could be endless.
        if fitted.len() > 8 * room && width(character.encode_utf8(&mut [0; 4])) == 0 {
            continue;
        }
        fitted.push(character);
        if width(&fitted) > room {
            fitted.pop();
            break;
        }
    }
    let used = width(&fitted);
    fitted.extend(std::iter::repeat_n(' ', room - used));
    fitted
}

/// The end of `text`, as much as fits into `columns`.
pub(super) fn tail(text: &str, columns: usize) -> &str {
    let mut from = text.len();
    for (at, _) in text.char_indices().rev() {
        if width(&text[at..]) > columns {
            break;
        }
        from = at;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::cells::tests::assert_harmless, *};

    #[test]
    fn only_lines_that_changed_are_written() {
        let (mut out, mut lines) = (Vec::new(), Lines::default());
        let all = |second: &str| [("one".to_owned(), Look::Plain), (second.to_owned(), Look::Bar)];
        lines.show(&mut out, 3, 5, &all("two"));
        assert_eq!(String::from_utf8_lossy(&out), "\x1b[4;1H\x1b[0mone  \x1b[0m\x1b[5;1H\x1b[0;7mtwo  \x1b[0m");
        out.clear();
        lines.show(&mut out, 3, 5, &all("three, four"));
        assert_eq!(String::from_utf8_lossy(&out), "\x1b[5;1H\x1b[0;7mthree\x1b[0m");
    }

    #[test]
    fn wide_letters_are_not_cut_in_two() {
        assert_eq!(fit("日本語", 5), "日本 ");
        assert_eq!((fit("", 2), fit("a\x1b[2J", 4)), ("  ".to_owned(), "a�[2".to_owned()));
        assert_eq!((tail("日本語", 5), tail("abc", 9)), ("本語", "abc"));
    }

    #[test]
    fn an_emoji_that_a_selector_widens_is_cut_as_a_whole() {
        assert_eq!((fit("🕯\u{fe0f}", 1), fit("🕯\u{fe0f}", 3)), ("🕯".to_owned(), "🕯\u{fe0f} ".to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_gets_a_sequence_out(texts in prop::collection::vec(any::<String>(), 1..4), columns in 1..200_u16) {
            let mut out = Vec::new();
            let lines: Vec<Line> = texts.iter().map(|text| (text.clone(), Look::Bar)).collect();
            Lines::default().show(&mut out, 0, columns, &lines);
            headline(&mut out, (columns, 4), &texts[0], &texts[texts.len() - 1]);
            assert_harmless(&out);
            prop_assert!(lines.iter().all(|(text, _)| width(&fit(text, columns)) == usize::from(columns)));
        }
    }
}
