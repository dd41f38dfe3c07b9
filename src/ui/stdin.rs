//! Lines from stdin, read on a thread of their own: a read that never returns must not hold up the end of the program.

use std::{
    io::{self, BufRead, Read},
    thread,
};

use tokio::sync::mpsc;

/// The longest line, in bytes. The rest of a longer one is thrown away.
pub(crate) const MAX_LINE: usize = 64 << 10;
/// Lines that may wait; then reading waits, and with it whoever types.
const WAITING: usize = 16;

/// One line as typed, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// What was typed; bytes that are not UTF-8 are replaced.
    Text(String),
    /// More than [`MAX_LINE`] bytes.
    TooLong,
}

/// Starts reading stdin. The channel closes at its end; that says nothing about the session, which goes on without input.
pub(crate) fn lines() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let reading = thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(Some(line)) = next(&mut input) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    if let Err(error) = reading {
        tracing::warn!(%error, "stdin is not read");
    }
    receiver
}

/// The next line, or `None` at the end of the input.
fn next(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let limit = MAX_LINE + 2;
    if input.by_ref().take(limit as u64).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let whole = bytes.ends_with(b"\n") || bytes.len() < limit;
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    if !whole {
        skip_line(input)?;
    }
    let fits = whole && bytes.len() <= MAX_LINE;
    Ok(Some(if fits { Line::Text(String::from_utf8_lossy(&bytes).into_owned()) } else { Line::TooLong }))
}

/// Throws away what is left of a line.
fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let waiting = input.fill_buf()?;
        if waiting.is_empty() {
            return Ok(());
        }
        let end = waiting.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(waiting.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> Vec<Line> {
        std::iter::from_fn(|| next(&mut input).expect("memory does not fail")).collect()
    }

    #[test]
    fn lines_come_without_their_ends_and_the_last_needs_none() {
        let text = |text: &str| Line::Text(text.to_owned());
        assert_eq!(all(b"one\r\n\ntwo"), [text("one"), text(""), text("two")]);
    }

    #[test]
    fn a_line_without_end_does_not_grow_and_the_next_one_is_whole() {
        let mut input = vec![b'x'; MAX_LINE * 3];
        input.extend_from_slice(b"\nnext\n");
        assert_eq!(all(&input), [Line::TooLong, Line::Text("next".to_owned())]);
        assert_eq!(all(&vec![b'x'; MAX_LINE]), [Line::Text("x".repeat(MAX_LINE))]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(all(b"a\xffb\n"), [Line::Text("a\u{fffd}b".to_owned())]);
    }
}
