//! What is told below the picture: the status line, and a panel with the chat or the figures.

use std::{collections::VecDeque, time::Instant};

use super::text::{Line, Look, tail, width};
use crate::{
    protocol::message::MAX_CHAT,
    ui::{
        event::{Side, TransferState, ViewerEvent},
        lines::pieces,
        status::{Phase, Status},
        words,
    },
};

/// The key before each of the viewer's own commands, as people know it from telnet.
pub(super) const PREFIX: char = ']';
const COMMANDS: &str = "q leave  c chat  s next screen  f fit/actual size  i figures  a/r take/refuse the file  k Ctrl+Alt+Del  l draw anew  ] Ctrl+]  other keys: back";
/// More chat lines than these are forgotten.
const MAX_CHAT_LINES: usize = 200;
/// The panel's lines in a window that is high enough.
const MOST_LINES: u16 = 8;

/// See the module.
pub(super) struct Words {
    /// What the viewer's window tells too.
    pub(super) status: Status,
    permissions: String,
    rtt_ms: Option<u64>,
    /// The chat line being typed, while the chat is open.
    pub(super) entry: Option<String>,
    chat: VecDeque<Said>,
    /// The newest file that waits for an answer.
    pub(super) offered: Option<u32>,
    /// Whether the next key is a command.
    pub(super) prefixed: bool,
}

struct Said {
    from: Side,
    number: u64,
    at: String,
    text: String,
    delivered: bool,
}

impl Words {
    /// Before the host answered.
    pub(super) fn new(id: String) -> Self {
        let (permissions, chat) = (String::new(), VecDeque::new());
        Self { status: Status::new(id, None), permissions, rtt_ms: None, entry: None, chat, offered: None, prefixed: false }
    }

    /// Follows what happens.
    pub(super) fn follow(&mut self, event: &ViewerEvent, now: Instant) {
        match event {
            ViewerEvent::Granted { permissions } | ViewerEvent::Permissions { permissions, .. } => {
                self.permissions = permissions.to_string();
            }
            ViewerEvent::Path { rtt_ms, .. } => self.rtt_ms = *rtt_ms,
            ViewerEvent::Chat { from, number, at, text } => {
                self.chat.push_back(Said { from: *from, number: *number, at: clock(at), text: text.clone(), delivered: false });
                if self.chat.len() > MAX_CHAT_LINES {
                    self.chat.pop_front();
                }
                // In the open chat it is seen; else the status line has it for a while.
                if self.entry.is_some() {
                    return;
                }
            }
            ViewerEvent::File(transfer) if transfer.from == Side::Host => {
                if transfer.state == TransferState::Offered {
                    self.offered = Some(transfer.number);
                } else if self.offered == Some(transfer.number) {
                    self.offered = None;
                }
            }
            ViewerEvent::ChatDelivered { number } => {
                let ours = self.chat.iter_mut().filter(|said| said.from == Side::Viewer && said.number <= *number);
                ours.for_each(|said| said.delivered = true);
            }
            _ => {}
        }
        // Its list of chords is the window's.
        let first = matches!(event, ViewerEvent::Granted { .. });
        self.status.follow(event, now);
        if first {
            self.status.expire(now + std::time::Duration::from_secs(3600));
        }
    }

    /// The lines below a picture in a window of this size: the panel, then the status line.
    pub(super) fn lines(&self, columns: u16, rows: u16) -> Vec<Line> {
        let most = usize::from((rows / 3).clamp(3, MOST_LINES));
        let mut lines = if self.entry.is_some() { self.chat_lines(columns, most) } else { self.figures(columns, most) };
        lines.push(self.bar(columns));
        lines
    }

    /// What stands in the middle instead of a picture.
    pub(super) fn headline(&self, shown: bool) -> Option<(String, String)> {
        let (head, detail) = match &self.status.phase {
            Phase::Choosing(_) | Phase::Connecting | Phase::Asked(_) => ("Connecting …", self.status.name().to_owned()),
            Phase::Waiting => {
                let code = self.status.code.as_ref().map(|code| format!(" They see the code {code}.")).unwrap_or_default();
                ("Waiting for the host's user", format!("They are being asked to let you in.{code}"))
            }
            Phase::Running if !shown => ("Connected", "Waiting for the first picture.".to_owned()),
            Phase::Stalled if !shown => ("The connection is gone", "Trying to get it back. Nothing is lost.".to_owned()),
            // The picture stays; the status line says it.
            Phase::Running | Phase::Stalled => return None,
            Phase::Failed(why) => ("There will be no session", format!("{} — press any key", words::plain(why))),
            Phase::Ended(headline, why) => (headline.as_str(), format!("{why} — press any key")),
        };
        Some((head.to_owned(), detail))
    }

    /// Adds to the chat line what was typed, as far as it may grow.
    pub(super) fn type_text(&mut self, text: &str) {
        if let Some(entry) = &mut self.entry {
            entry.extend(text.chars().filter(|character| !character.is_control()));
            *entry = pieces(entry, MAX_CHAT).into_iter().next().unwrap_or_default();
        }
    }

    fn bar(&self, columns: u16) -> Line {
        if self.prefixed {
            return (format!("Ctrl+{PREFIX} and {COMMANDS}"), Look::Bar);
        }
        if self.status.phase == Phase::Stalled {
            return ("The connection is gone; trying to get it back. Nothing is lost.".to_owned(), Look::Alarm);
        }
        let look = if self.status.banner().is_some() { Look::Alarm } else { Look::Bar };
        let rtt = self.rtt_ms.map(|rtt| format!(" · {rtt} ms")).unwrap_or_default();
        let left = format!("{}{rtt} · may: {}", self.status.line(), self.permissions);
        let note = self.status.notes().last();
        let right = format!("  {}  Ctrl+{PREFIX}: commands", note.unwrap_or_default());
        // What is new goes before what is known.
        let room = usize::from(columns).saturating_sub(width(&right));
        let left: String = left
            .chars()
            .scan(0, |used, it| {
                *used += width(it.encode_utf8(&mut [0; 4]));
                (*used <= room).then_some(it)
            })
            .collect();
        let gap = room.saturating_sub(width(&left));
        (format!("{left}{}{right}", " ".repeat(gap)), look)
    }

    fn chat_lines(&self, columns: u16, most: usize) -> Vec<Line> {
        let entry = self.entry.as_deref().unwrap_or_default();
        let prompt = "chat (Enter sends, Escape closes)> ";
        let room = usize::from(columns).saturating_sub(width(prompt) + 1);
        let line = |said: &Said| {
            let who = if said.from == Side::Viewer { "you" } else { "host" };
            let mark = if said.delivered { " ✓" } else { "" };
            (format!("{} {who}: {}{mark}", said.at, said.text), Look::Plain)
        };
        let before = self.chat.len().saturating_sub(most - 1);
        let empty = std::iter::repeat_n((String::new(), Look::Plain), (most - 1).saturating_sub(self.chat.len()));
        let said = self.chat.iter().skip(before).map(line);
        empty.chain(said).chain([(format!("{prompt}{}▏", tail(entry, room)), Look::Bold)]).collect()
    }

    /// The figures' rows, as many beside each other as needed; nothing while they are not asked for.
    fn figures(&self, columns: u16, most: usize) -> Vec<Line> {
        const WIDTH: usize = 34;
        let Some(rows) = self.status.board.drawn().0 else { return Vec::new() };
        let beside = (usize::from(columns) / WIDTH).max(1);
        let high = rows.len().div_ceil(beside).min(most).max(1);
        let row =
            |at: usize| rows.get(at).map(|[name, first, second]| format!("{name:<18}{first:>7} {second:>7} ")).unwrap_or_default();
        let line = |y: usize| (0..beside).map(|x| row(x * high + y)).collect::<String>();
        (0..high).map(|y| (line(y), Look::Plain)).collect()
    }
}

/// `14:05` of `2026-11-23T14:05:09+01:00`.
fn clock(at: &str) -> String {
    at.get(11..16).unwrap_or("--:--").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::permission::Permissions;

    fn words() -> Words {
        let mut words = Words::new("9339-2522-7420-3124".to_owned());
        words.follow(&ViewerEvent::Granted { permissions: Permissions::all() }, Instant::now());
        words
    }

    fn chat(number: u64, from: Side, text: &str) -> ViewerEvent {
        ViewerEvent::Chat { from, number, at: "2026-11-23T14:05:09+01:00".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_status_line_tells_who_drives_and_how_commands_are_given() {
        let mut words = words();
        let (bar, look) = words.bar(120);
        assert!(bar.contains("9339-2522-7420-3124 · you are in control · may: view") && bar.ends_with("Ctrl+]: commands"), "{bar}");
        assert_eq!((width(&bar), look), (120, Look::Bar));
        words.follow(&chat(1, Side::Host, "hello"), Instant::now());
        assert!(words.bar(80).0.contains("host: hello"), "{:?}", words.bar(80));
        words.follow(&ViewerEvent::Stalled, Instant::now());
        assert_eq!(words.bar(80).1, Look::Alarm);
        assert!(words.headline(true).is_none() && words.headline(false).is_some());
    }

    #[test]
    fn the_chat_has_times_and_says_what_arrived() {
        let mut words = words();
        words.entry = Some("next".to_owned());
        for number in 1..20 {
            words.follow(&chat(number, Side::Viewer, "mine"), Instant::now());
        }
        words.follow(&ViewerEvent::ChatDelivered { number: 18 }, Instant::now());
        let lines: Vec<String> = words.lines(60, 24).into_iter().map(|(text, _)| text).collect();
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[5..7], ["14:05 you: mine ✓", "14:05 you: mine"]);
        assert!(lines[7].ends_with("> next▏"), "{}", lines[7]);
    }

    #[test]
    fn chat_is_bounded() {
        let mut words = words();
        for number in 0..1000 {
            words.follow(&chat(number, Side::Host, "x"), Instant::now());
        }
        assert_eq!(words.chat.len(), MAX_CHAT_LINES);
    }
}
