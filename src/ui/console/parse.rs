//! What a terminal sends, byte by byte: keys, mouse, pasted text, and its answers to our questions.
//!
//! Own code rather than `crossterm`'s reader, because that one keeps to itself the answers that pictures depend on (which
//! graphics there are, how large a cell is, that a frame was taken: `CSI 0 n`). Everything is bounded: a sequence by
//! [`MAX_SEQUENCE`], a paste by [`MAX_PASTE`]. What is not known is passed over.
//!
//! An Escape alone looks like the beginning of a sequence; [`Parser::flush`] says that nothing came after it.

use crate::protocol::input::Button;

/// The longest sequence; a longer one is thrown away.
const MAX_SEQUENCE: usize = 4096;
/// The most of a paste that is kept until its end comes; a longer one is handed over in pieces.
const MAX_PASTE: usize = 64 << 10;
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Something that the terminal told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A key went down, repeats, or went up.
    Key(Stroke),
    /// The mouse did something.
    Mouse(Mouse),
    /// Pasted text.
    Paste(String),
    /// Whether the terminal has the keyboard now.
    Focus(bool),
    /// It answers a question.
    Answer(Answer),
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) key: Name,
    pub(super) modifiers: Modifiers,
    pub(super) kind: Kind,
}

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The one that gives this character.
    Char(char),
    /// One of [`crate::ui::keymap`]'s names.
    Named(&'static str),
}

/// What became of a key. Most terminals tell nothing but presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Press,
    Repeat,
    Release,
    /// A press told in the old way, as a control character: nothing tells that the key goes up.
    Tap,
}

/// What is held along, as bits: xterm's number of modifiers less one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modifiers(u8);

impl Modifiers {
    pub(super) const SHIFT: u8 = 1;
    pub(super) const ALT: u8 = 2;
    pub(super) const CTRL: u8 = 4;
    pub(super) const SUPER: u8 = 8;

    pub(super) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    pub(super) fn of(bits: u8) -> Self {
        Self(bits & 0xf)
    }
}

/// What the mouse did, and where: columns and rows from 0, or pixels where those were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mouse {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) what: What,
    pub(super) modifiers: Modifiers,
}

/// See [`Mouse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Motion,
    Button(Button, bool),
    /// Notches to the right and down.
    Wheel(i8, i8),
}

/// An answer of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All before the question was taken (`CSI 5 n`).
    Taken,
    /// What it is (DA1): whether it knows sixel. Terminals answer in order, so that this one, asked last, says that no more comes.
    Attributes { sixel: bool },
    /// It knows kitty's graphics.
    Graphics,
    /// Pixels of a cell, across and down.
    Cell(u16, u16),
    /// Its mouse can tell pixels.
    PixelMouse,
    /// It has the 24-bit colour that was asked for.
    Truecolor,
    /// How many colours a sixel picture may have.
    Colours(u16),
    /// It knows kitty's keyboard protocol: keys that go up are told.
    KeyUps,
}

/// See the module.
#[derive(Default)]
pub(super) struct Parser {
    waiting: Vec<u8>,
    pasting: bool,
}

/// What the beginning of the input is.
enum Step {
    /// More bytes are needed to tell.
    Unfinished,
    /// So many bytes, and what they say, if anything.
    Took(usize, Option<Told>),
    /// A paste begins after so many bytes.
    Paste(usize),
}

impl Parser {
    /// More bytes came.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Told> {
        self.waiting.extend_from_slice(bytes);
        let (mut told, mut at) = (Vec::new(), 0);
        loop {
            let rest = &self.waiting[at..];
            if rest.is_empty() {
                break;
            }
            if self.pasting {
                let (used, text, ended) = pasted(rest);
                at += used;
                told.extend(text.filter(|text| !text.is_empty()).map(Told::Paste));
                self.pasting = !ended;
                if !ended {
                    break;
                }
                continue;
            }
            match step(rest) {
                Step::Unfinished if rest.len() > MAX_SEQUENCE => at = self.waiting.len(),
                Step::Unfinished => break,
                Step::Took(used, said) => {
                    at += used;
                    told.extend(said);
                }
                Step::Paste(used) => {
                    at += used;
                    self.pasting = true;
                }
            }
        }
        self.waiting.drain(..at);
        told
    }

    /// Whether an Escape waits for what comes after it.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pasting && self.waiting.first() == Some(&0x1b)
    }

    /// Nothing came after it for a while: it was the key.
    pub(super) fn flush(&mut self) -> Vec<Told> {
        if !self.is_waiting() {
            return Vec::new();
        }
        let waiting = std::mem::take(&mut self.waiting);
        match waiting.as_slice() {
            [_] => vec![key(Name::Named("escape"), 0)],
            [_, introducer] if introducer.is_ascii_graphic() => vec![key(Name::Char(char::from(*introducer)), Modifiers::ALT)],
            _ => Vec::new(),
        }
    }
}

/// Bytes used of a paste, its text, and whether it ended.
fn pasted(rest: &[u8]) -> (usize, Option<String>, bool) {
    let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
    if let Some(end) = rest.windows(PASTE_ENDS.len()).position(|window| window == PASTE_ENDS) {
        return (end + PASTE_ENDS.len(), text(&rest[..end]), true);
    }
    if rest.len() <= MAX_PASTE {
        return (0, None, false);
    }
    // Neither a character nor the end's sequence is cut.
    let most = rest.len() - PASTE_ENDS.len();
    let whole = std::str::from_utf8(&rest[..most]).map_or_else(|error| error.valid_up_to().max(1), str::len);
    (whole, text(&rest[..whole]), false)
}

fn key(key: Name, modifiers: u8) -> Told {
    Told::Key(Stroke { key, modifiers: Modifiers::of(modifiers), kind: Kind::Press })
}

fn step(rest: &[u8]) -> Step {
    match rest {
        [0x1b] => Step::Unfinished,
        [0x1b, b'[', ..] => control_sequence(rest),
        [0x1b, b'O'] => Step::Unfinished,
        [0x1b, b'O', name, ..] => Step::Took(3, letter(*name).map(|name| key(name, 0))),
        [0x1b, b'_' | b'P' | b']' | b'^' | b'X', ..] => string(rest),
        [0x1b, 0x1b, ..] => Step::Took(1, Some(key(Name::Named("escape"), 0))),
        [0x1b, after @ ..] => match step(after) {
            Step::Took(used, Some(Told::Key(stroke))) => {
                let modifiers = Modifiers::of(stroke.modifiers.0 | Modifiers::ALT);
                Step::Took(used + 1, Some(Told::Key(Stroke { modifiers, ..stroke })))
            }
            Step::Took(used, _) => Step::Took(used + 1, None),
            other => other,
        },
        _ => character(rest),
    }
}

/// A control character or one in UTF-8.
fn character(rest: &[u8]) -> Step {
    let first = rest[0];
    let tap = |key, modifiers| Step::Took(1, Some(Told::Key(Stroke { key, modifiers: Modifiers::of(modifiers), kind: Kind::Tap })));
    let named = |name| tap(Name::Named(name), 0);
    let with_ctrl = |sign: u8| tap(Name::Char(char::from(sign)), Modifiers::CTRL);
    match first {
        0x00 => tap(Name::Named("space"), Modifiers::CTRL),
        0x0d => named("return"),
        0x09 => named("tab"),
        0x08 | 0x7f => named("backspace"),
        0x01..=0x1a => with_ctrl(first | 0x60),
        0x1b..=0x1f => with_ctrl(first | 0x40),
        _ => {
            let length = match first {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 1,
            };
            let Some(bytes) = rest.get(..length) else { return Step::Unfinished };
            let character = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
            // What is no character is passed over by one byte.
            character.map_or(Step::Took(1, None), |it| Step::Took(length, Some(key(Name::Char(it), 0))))
        }
    }
}

/// APC, DCS, OSC, PM, SOS: up to the string terminator.
fn string(rest: &[u8]) -> Step {
    let Some(end) = rest.windows(2).skip(2).position(|pair| pair == b"\x1b\\").map(|at| at + 2) else {
        return Step::Unfinished;
    };
    let content = &rest[2..end];
    let answer = match rest[1] {
        b'_' if content.starts_with(b"Gi=31") && content.ends_with(b";OK") => Some(Answer::Graphics),
        // Parameters of SGR, with whichever sign between the numbers.
        b'P' if content.starts_with(b"1$r") && (content.ends_with(b":1:2:3m") || content.ends_with(b";1;2;3m")) => {
            Some(Answer::Truecolor)
        }
        _ => None,
    };
    Step::Took(end + 2, answer.map(Told::Answer))
}

/// `CSI parameters final`.
fn control_sequence(rest: &[u8]) -> Step {
    let Some(end) = rest[2..].iter().position(|byte| (0x40..=0x7e).contains(byte) || *byte == 0x1b).map(|at| at + 2) else {
        return Step::Unfinished;
    };
    if rest[end] == 0x1b {
        // Broken off by the next one.
        return Step::Took(end, None);
    }
    let parameters = std::str::from_utf8(&rest[2..end]).unwrap_or_default();
    if (parameters, rest[end]) == ("200", b'~') {
        return Step::Paste(end + 1);
    }
    Step::Took(end + 1, meaning(parameters, rest[end]))
}

fn meaning(parameters: &str, last: u8) -> Option<Told> {
    let (mark, numbers) = match parameters.chars().next() {
        Some(mark @ ('<' | '?' | '>')) => (Some(mark), &parameters[1..]),
        _ => (None, parameters),
    };
    let fields: Vec<Vec<u32>> =
        numbers.split(';').map(|field| field.split(':').map(|number| number.parse().unwrap_or(0)).collect()).collect();
    let field = |at: usize| fields.get(at).and_then(|field| field.first()).copied().unwrap_or(0);
    let small = |at: usize| u16::try_from(field(at)).ok();
    let answer = |answer| Some(Told::Answer(answer));
    match (mark, last) {
        (Some('<'), b'M' | b'm') => mouse(field(0), (small(1)?.checked_sub(1)?, small(2)?.checked_sub(1)?), last == b'M'),
        (Some('?'), b'c') => answer(Answer::Attributes { sixel: (1..fields.len()).any(|at| field(at) == 4) }),
        (Some('?'), b'u') => answer(Answer::KeyUps),
        (Some('?'), b'S') if (field(0), field(1)) == (1, 0) => answer(Answer::Colours(small(2)?)),
        // DECRPM: 1 is set, 2 is not set; both can be changed.
        (Some('?'), b'y') if field(0) == 1016 && matches!(numbers.split(';').nth(1), Some("1$" | "2$")) => {
            answer(Answer::PixelMouse)
        }
        (None, b'n') if field(0) == 0 => answer(Answer::Taken),
        (None, b't') if field(0) == 6 => answer(Answer::Cell(small(2)?, small(1)?)),
        (None, b'I') => Some(Told::Focus(true)),
        (None, b'O') => Some(Told::Focus(false)),
        (None, b'Z') => Some(key(Name::Named("tab"), Modifiers::SHIFT)),
        (None, b'u') => typed(&fields).or_else(|| Some(stroke(by_code(field(0))?, &fields))),
        (None, b'~') => Some(stroke(by_number(field(0))?, &fields)),
        (None, name) => Some(stroke(letter(name)?, &fields)),
        _ => None,
    }
}

/// The second field has modifiers plus one, and the kind after a colon.
fn stroke(key: Name, fields: &[Vec<u32>]) -> Told {
    let second = |at: usize| fields.get(1).and_then(|field| field.get(at)).copied();
    let bits = second(0).unwrap_or(1).saturating_sub(1) & 0xf;
    let kind = match second(1) {
        Some(2) => Kind::Repeat,
        Some(3) => Kind::Release,
        _ => Kind::Press,
    };
    Told::Key(Stroke { key, modifiers: Modifiers::of(u8::try_from(bits).unwrap_or(0)), kind })
}

/// The text of a key of kitty's protocol, from its third field: what the terminal's layout, locks and input method made of it.
fn typed(fields: &[Vec<u32>]) -> Option<Told> {
    let Told::Key(Stroke { modifiers, kind, .. }) = stroke(Name::Char(' '), fields) else { return None };
    if kind == Kind::Release || modifiers.has(Modifiers::CTRL | Modifiers::ALT | Modifiers::SUPER) {
        return None;
    }
    let text = fields.get(2)?.iter().filter_map(|code| char::from_u32(*code)).filter(|it| !it.is_control());
    let text: String = text.collect();
    let mut characters = text.chars();
    match (characters.next()?, characters.next()) {
        (character, None) => Some(Told::Key(Stroke { key: Name::Char(character), modifiers, kind })),
        _ => Some(Told::Paste(text)),
    }
}

fn mouse(code: u32, (x, y): (u16, u16), down: bool) -> Option<Told> {
    let held = [(4, Modifiers::SHIFT), (8, Modifiers::ALT), (16, Modifiers::CTRL)];
    let modifiers = held.into_iter().filter(|(bit, _)| code & bit != 0).fold(0, |all, (_, modifier)| all | modifier);
    let what = match (code & 32 != 0, code & 0b1100_0011) {
        (true, _) => What::Motion,
        (_, 0) => What::Button(Button::Left, down),
        (_, 1) => What::Button(Button::Middle, down),
        (_, 2) => What::Button(Button::Right, down),
        (_, 64) => What::Wheel(0, -1),
        (_, 65) => What::Wheel(0, 1),
        (_, 66) => What::Wheel(-1, 0),
        (_, 67) => What::Wheel(1, 0),
        (_, 128) => What::Button(Button::Back, down),
        (_, 129) => What::Button(Button::Forward, down),
        _ => return None,
    };
    Some(Told::Mouse(Mouse { x, y, what, modifiers: Modifiers::of(modifiers) }))
}

/// The keys of `CSI … letter` and `SS3 letter`.
fn letter(name: u8) -> Option<Name> {
    let name = match name {
        b'A' => "up",
        b'B' => "down",
        b'C' => "right",
        b'D' => "left",
        b'E' => "kp_begin",
        b'F' => "end",
        b'H' => "home",
        b'M' => "kp_enter",
        b'P' => "f1",
        b'Q' => "f2",
        b'R' => "f3",
        b'S' => "f4",
        _ => return None,
    };
    Some(Name::Named(name))
}

/// The keys of `CSI number ~`.
fn by_number(number: u32) -> Option<Name> {
    const NUMBERED: [&str; 35] = [
        "", "home", "insert", "delete", "end", "prior", "next", "home", "end", "", "", "f1", "f2", "f3", "f4", "f5", "", "f6",
        "f7", "f8", "f9", "f10", "", "f11", "f12", "f13", "f14", "", "f15", "f16", "", "f17", "f18", "f19", "f20",
    ];
    if number == 29 {
        return Some(Name::Named("menu"));
    }
    let name = NUMBERED.get(usize::try_from(number).ok()?)?;
    (!name.is_empty()).then_some(Name::Named(name))
}

/// The keys of kitty's `CSI code u`.
fn by_code(code: u32) -> Option<Name> {
    const SINGLE: [&str; 3] = ["print", "pause", "menu"];
    const KEYPAD: [&str; 29] = [
        "kp_0",
        "kp_1",
        "kp_2",
        "kp_3",
        "kp_4",
        "kp_5",
        "kp_6",
        "kp_7",
        "kp_8",
        "kp_9",
        "kp_decimal",
        "kp_divide",
        "kp_multiply",
        "kp_subtract",
        "kp_add",
        "kp_enter",
        "kp_equal",
        "kp_separator",
        "kp_left",
        "kp_right",
        "kp_up",
        "kp_down",
        "kp_prior",
        "kp_next",
        "kp_home",
        "kp_end",
        "kp_insert",
        "kp_delete",
        "kp_begin",
    ];
    const FUNCTION: [&str; 12] = ["f13", "f14", "f15", "f16", "f17", "f18", "f19", "f20", "f21", "f22", "f23", "f24"];
    let from = |table: &'static [&'static str], first: u32| table.get(usize::try_from(code.checked_sub(first)?).ok()?).copied();
    let named = match code {
        9 => Some("tab"),
        13 => Some("return"),
        27 => Some("escape"),
        32 => Some("space"),
        127 => Some("backspace"),
        57359 => Some("scroll_lock"),
        57361..57364 => from(&SINGLE, 57361),
        57376..57388 => from(&FUNCTION, 57376),
        57399..57428 => from(&KEYPAD, 57399),
        // The private use area has modifiers, which come with each key, Caps and Num Lock, which the text has in it, and media keys.
        57344..63744 => return None,
        _ => None,
    };
    named.map(Name::Named).or_else(|| char::from_u32(code).filter(|it| !it.is_control()).map(Name::Char))
}

#[cfg(test)]
mod tests;
