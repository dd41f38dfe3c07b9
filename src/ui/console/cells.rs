//! Cells of a terminal, counted from 0, and the few sequences that every encoder needs.

use std::io::Write;

/// A rectangle of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) column: u16,
    pub(super) row: u16,
    pub(super) columns: u16,
    pub(super) rows: u16,
}

/// Moves the cursor.
pub(super) fn go(out: &mut Vec<u8>, column: u16, row: u16) {
    // Writing into memory does not fail.
    let _ = write!(out, "\x1b[{};{}H", u32::from(row) + 1, u32::from(column) + 1);
}

/// Where a terminal's output is read back in tests.
#[cfg(test)]
pub(super) mod tests {
    /// Panics unless `out` is text and sequences that we mean to write, and nothing else: the whole list is here.
    pub(in super::super) fn assert_harmless(out: &[u8]) {
        let text = std::str::from_utf8(out).expect("UTF-8");
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if first != '\x1b' {
                assert!(!first.is_control(), "{first:?} in {rest:.60?}");
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let used = match rest.as_bytes().get(1) {
                Some(b'[') => csi(rest),
                Some(b'_') => {
                    let end = rest.find("\x1b\\").expect("an end");
                    assert!(rest.starts_with("\x1b_G"), "{rest:.60?}");
                    assert!(rest[3..end].chars().all(|it| it.is_ascii_graphic()), "{rest:.60?}");
                    end + 2
                }
                Some(b'P') => {
                    let end = rest.find("\x1b\\").expect("an end");
                    assert!(rest[2..end].chars().all(|it| it.is_ascii_graphic()), "{rest:.60?}");
                    assert!(
                        rest[2..].trim_start_matches(|it: char| it.is_ascii_digit() || it == ';').starts_with('q'),
                        "{rest:.60?}"
                    );
                    end + 2
                }
                _ => panic!("not ours: {rest:.60?}"),
            };
            rest = &rest[used..];
        }
    }

    /// The length of a control sequence, if it is a place, a colour, an erased line or screen, a synchronised update or our question.
    fn csi(rest: &str) -> usize {
        let end = rest[2..].find(|it: char| ('@'..='~').contains(&it)).expect("a final byte") + 2;
        let (parameters, last) = (&rest[2..end], &rest[end..=end]);
        let numbers = parameters.chars().all(|it| it.is_ascii_digit() || it == ';');
        let ours = match last {
            "H" | "m" => numbers,
            "K" => parameters.is_empty(),
            "J" => parameters == "2",
            "n" => parameters == "5",
            "h" | "l" => parameters == "?2026",
            _ => false,
        };
        assert!(ours, "not ours: {rest:.60?}");
        end + 1
    }
}
