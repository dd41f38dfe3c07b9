//! The host's face in plain lines: events to stdout (JSON Lines or words), commands from stdin. For scripts, and where there is
//! no terminal.
//!
//! | line | does |
//! |---|---|
//! | `accept`, `deny` | answers the one who asks |
//! | `accept LIST` | lets them in with only this of what they ask for |
//! | `chat TEXT` | says something |
//! | `allow LIST`, `revoke LIST` | gives and takes `view`, `point`, `mouse`, `keyboard`, `clipboard`, `files`; `control`: mouse and keyboard |
//! | `allow LIST for TIME` | gives it for `90s`, `10m`, `2h`, at most a day; then it ends by itself |
//! | `allow control` | lets the viewer drive (again), with what it may already or else with mouse and keyboard |
//! | `take` | drives oneself; the viewer keeps what it may do for later |
//! | `send FILE…` | sends files to the viewer; quotes around a name with spaces |
//! | `cancel N` | gives up file N |
//! | `stats` | tells the figures of each session |
//! | `rotate` | makes a new password of the same kind |
//! | `password TEXT` | makes this the permanent password; it is never echoed |
//! | `end` | ends the session |
//! | `quit` | ends everything |
//!
//! A wrong line is answered by a `warning` that lists what is possible; it never ends anything. The end of stdin ends nothing
//! either: the host goes on without input.

use std::{
    collections::VecDeque,
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::mpsc;

use super::{
    HostSeat,
    event::{HostAction, HostEvent, OwnPassword},
    stdin::{self, Line, MAX_LINE},
    words,
};
use crate::protocol::{
    grants::LONGEST,
    message::MAX_CHAT,
    permission::{Permission, Permissions},
};

/// What a host's line may be.
const HOST_LINES: &str = "type accept [PERMISSION], deny, chat TEXT, allow PERMISSION [for 10m], revoke PERMISSION, take, send FILE, \
     cancel N, stats, rotate, password TEXT, end or quit";

/// Runs the host's face in lines. Returns when the seat's events close.
pub async fn run_host(seat: HostSeat, json: bool) {
    let say = if json { words::json::<HostEvent> } else { words::host };
    let warn = |text| HostEvent::Warning { text };
    let mut calm = Calm::default();
    let wants = move |event: &HostEvent| calm.wants(Instant::now(), event, json);
    converse(seat.events, seat.actions, stdin::lines(), &mut io::stdout(), Manner { say, parse: host_line, warn, wants }).await;
}

/// Where a viewer points is for eyes: lines tell it once a second at most, and only as JSON. That it points no more follows what was told.
#[derive(Default)]
struct Calm {
    told: Option<Instant>,
    points: bool,
}

impl Calm {
    fn wants(&mut self, now: Instant, event: &HostEvent, json: bool) -> bool {
        match event {
            HostEvent::Pointer { at: Some(_), .. } => {
                let is_due = json && self.told.is_none_or(|told| now >= told + Duration::from_secs(1));
                if is_due {
                    (self.told, self.points) = (Some(now), true);
                }
                is_due
            }
            HostEvent::Pointer { at: None, .. } => std::mem::take(&mut self.points),
            _ => true,
        }
    }
}

/// What a host's line means.
///
/// # Errors
/// One line that says what is possible.
pub fn host_line(line: &str) -> Result<Vec<HostAction>, String> {
    let (word, rest) = word(line);
    let alone = |action| if rest.is_empty() { Ok(vec![action]) } else { Err(format!("{word} stands alone; {HOST_LINES}")) };
    match word {
        "" => Ok(Vec::new()),
        "accept" if rest.is_empty() => Ok(vec![HostAction::Accept(None)]),
        "accept" => Ok(vec![HostAction::Accept(Some(rest.parse().map_err(|error| format!("{error}"))?))]),
        "deny" => alone(HostAction::Deny),
        "stats" => alone(HostAction::Stats),
        "send" => Ok(vec![HostAction::Send(paths(rest)?)]),
        "cancel" => Ok(vec![HostAction::Cancel(transfer(rest)?)]),
        "rotate" => alone(HostAction::Rotate),
        "password" if !rest.is_empty() => Ok(vec![HostAction::OwnPassword(OwnPassword(rest.to_owned().into()))]),
        "take" => alone(HostAction::TakeControl),
        "end" => alone(HostAction::End),
        "quit" => alone(HostAction::Quit),
        "chat" => Ok(pieces(rest, MAX_CHAT).into_iter().map(HostAction::Chat).collect()),
        "allow" if rest.trim_end().eq_ignore_ascii_case("control") => Ok(vec![HostAction::GiveControl]),
        "allow" => allow(rest).map(|action| vec![action]),
        "revoke" => Ok(vec![HostAction::Revoke(permissions(rest)?)]),
        other => Err(format!("\"{}\" is not a command; {HOST_LINES}", words::plain(other))),
    }
}

/// `LIST`, or `LIST for TIME`.
fn allow(rest: &str) -> Result<HostAction, String> {
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    let lasting = match words.iter().position(|word| word.eq_ignore_ascii_case("for")) {
        Some(place) => Some(time(&words.split_off(place)[1..])?),
        None => None,
    };
    Ok(HostAction::Allow(permissions(&words.join(" "))?, lasting))
}

/// `90s`, `10m`, `2h`: at least a second, at most what a permission may last.
fn time(words: &[&str]) -> Result<Duration, String> {
    let parse = |text: &str| {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" | "S" => 1,
            "m" | "M" => 60,
            "h" | "H" => 3600,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
    };
    let time = if let [text] = words { parse(text) } else { None };
    time.filter(|time| (Duration::from_secs(1)..=LONGEST).contains(time))
        .ok_or_else(|| "for how long? a time such as 90s, 10m or 2h, and at most 24h".to_owned())
}

/// A list of permissions exactly as named: unlike a set that is offered, `mouse` alone does not bring `view` along.
fn permissions(list: &str) -> Result<Vec<Permission>, String> {
    let mut named = Vec::new();
    for word in list.split([',', ' ']).filter(|word| !word.is_empty()) {
        let set: Permissions = word.parse().map_err(|error| format!("{error}"))?;
        named.extend(set.iter().filter(|each| *each != Permission::View || word.eq_ignore_ascii_case("view")));
    }
    if named.is_empty() {
        Err("which permission? view, point, mouse, keyboard, clipboard, files, or control for mouse and keyboard".to_owned())
    } else {
        Ok(named)
    }
}

/// Names of files, separated by spaces; quotes around one that has spaces itself.
pub(super) fn paths(list: &str) -> Result<Vec<PathBuf>, String> {
    let (mut paths, mut rest) = (Vec::new(), list.trim());
    while !rest.is_empty() {
        let (path, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote is not closed")?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        paths.push(PathBuf::from(path));
        rest = after.trim_start();
    }
    if paths.is_empty() { Err("which file? type: send FILE".to_owned()) } else { Ok(paths) }
}

/// The number of a transfer.
pub(super) fn transfer(number: &str) -> Result<u32, String> {
    number.trim().parse().map_err(|_| "which file? give its number".to_owned())
}

/// The first word of a line, and the rest without the spaces around it.
pub(super) fn word(line: &str) -> (&str, &str) {
    let line = line.trim_start().trim_end_matches(['\r', '\n']);
    line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim_start()))
}

/// `text` cut into pieces of at most `limit` bytes, between characters; nothing for no text.
pub(super) fn pieces(text: &str, limit: usize) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for character in text.chars() {
        match pieces.last_mut() {
            Some(last) if last.len() + character.len_utf8() <= limit => last.push(character),
            _ => pieces.push(character.into()),
        }
    }
    pieces
}

/// How one side's events are said, its lines are understood, and its user is warned.
pub(super) struct Manner<Event, Parse, Warn, Wants> {
    /// An event as one line.
    pub(super) say: fn(&Event) -> String,
    /// A line's actions.
    pub(super) parse: Parse,
    /// The event that warns.
    pub(super) warn: Warn,
    /// Whether an event is told.
    pub(super) wants: Wants,
}

/// Tells events and takes lines until the events close. Waiting for room among the actions never holds up the events.
pub(super) async fn converse<Event: Serialize, Action>(
    mut events: mpsc::Receiver<Event>,
    actions: mpsc::Sender<Action>,
    mut typed: mpsc::Receiver<Line>,
    out: &mut impl Write,
    mut manner: Manner<Event, impl Fn(&str) -> Result<Vec<Action>, String>, impl Fn(String) -> Event, impl FnMut(&Event) -> bool>,
) {
    let mut pending: VecDeque<Action> = VecDeque::new();
    let mut typing = true;
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) if (manner.wants)(&event) => tell(out, &(manner.say)(&event)),
                Some(_) => {}
                None => return,
            },
            room = actions.reserve(), if !pending.is_empty() => match (room, pending.pop_front()) {
                (Ok(room), Some(action)) => room.send(action),
                // Nobody listens any more: the end of the events is on its way.
                _ => { pending.clear(); typing = false; }
            },
            line = typed.recv(), if typing && pending.is_empty() => {
                let understood = match line {
                    Some(Line::Text(line)) => (manner.parse)(&line),
                    Some(Line::TooLong) => Err(format!("a line has at most {MAX_LINE} bytes; this one was not read")),
                    None => { typing = false; Ok(Vec::new()) }
                };
                match understood {
                    Ok(actions) => pending.extend(actions),
                    Err(text) => tell(out, &(manner.say)(&(manner.warn)(text))),
                }
            },
        }
    }
}

/// One line out, at once. A reader that went away must not end the session.
pub(super) fn tell(out: &mut impl Write, line: &str) {
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads stdout");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::{
            message::{EndReason, Holder},
            screens::{self, Choice},
        },
        ui::{
            QUEUE,
            event::{Reach, Side, Summary, Viewer},
        },
    };

    fn one(line: &str) -> HostAction {
        host_line(line).expect("a command").pop().expect("one action")
    }

    #[test]
    fn every_line_of_the_contract_is_understood() {
        assert_eq!(one("accept"), HostAction::Accept(None));
        assert_eq!(one("accept view, point"), HostAction::Accept("point".parse().ok()));
        assert_eq!(one("  deny  "), HostAction::Deny);
        assert_eq!(one("rotate"), HostAction::Rotate);
        assert_eq!(one("stats"), HostAction::Stats);
        assert_eq!(one("take"), HostAction::TakeControl);
        assert_eq!(one("end"), HostAction::End);
        assert_eq!(one("quit"), HostAction::Quit);
        assert_eq!(one("chat hello  there"), HostAction::Chat("hello  there".to_owned()));
        let files = ["a b.txt", "/tmp/c"].map(PathBuf::from).to_vec();
        assert_eq!(one("send \"a b.txt\"  /tmp/c"), HostAction::Send(files));
        assert_eq!(one("cancel 3"), HostAction::Cancel(3));
        assert_eq!(one("allow control"), HostAction::GiveControl);
        assert_eq!(one("allow mouse"), HostAction::Allow(vec![Permission::Mouse], None));
        for (line, seconds) in [("allow mouse for 90s", 90), ("allow mouse for 10m ", 600), ("allow mouse FOR 24h", 86_400)] {
            assert_eq!(one(line), HostAction::Allow(vec![Permission::Mouse], Some(Duration::from_secs(seconds))));
        }
        let driving = vec![Permission::Mouse, Permission::Keyboard];
        assert_eq!(one("allow control, files for 1s"), {
            HostAction::Allow([driving, vec![Permission::Files]].concat(), Some(Duration::from_secs(1)))
        });
        assert_eq!(one("revoke view,keyboard"), HostAction::Revoke(vec![Permission::View, Permission::Keyboard]));
        assert_eq!(host_line("").expect("nothing"), []);
        assert_eq!(host_line("chat").expect("nothing to say"), []);
    }

    #[test]
    fn a_wrong_line_tells_what_is_possible() {
        for wrong in ["halp", "deny now", "\u{1b}[2J"] {
            let text = host_line(wrong).expect_err("not a command");
            assert!(text.contains("accept [PERMISSION], deny") && !text.contains('\u{1b}') && !text.contains('\n'), "{text}");
        }
        assert!(host_line("send").is_err() && host_line("send \"a").is_err() && host_line("cancel x").is_err());
        assert!(host_line("allow").is_err() && host_line("allow flying").is_err());
        for wrong in
            ["for", "for 0s", "for 25h", "for 10", "for m", "for 10m now", "for -1m", "for 1µ", "for 99999999999999999999h"]
        {
            let text = host_line(&format!("allow mouse {wrong}")).expect_err(wrong);
            assert!(text.contains("10m"), "{text}");
        }
    }

    #[test]
    fn a_pointer_does_not_flood_the_lines_and_its_end_is_told_if_it_was() {
        let (mut calm, start) = (Calm::default(), Instant::now());
        let pointer = |at| HostEvent::Pointer { session: "s1".to_owned(), at };
        let mut told = |ms, at, json| calm.wants(start + Duration::from_millis(ms), &pointer(at), json);
        assert!(!told(0, Some((1, 1)), false) && !told(0, None, false), "not in words");
        assert!(told(1, Some((1, 1)), true) && !told(1000, Some((2, 2)), true));
        assert!(told(1000, None, true) && !told(1000, None, true));
        assert!(!told(1000, Some((3, 3)), true) && !told(1000, None, true));
        assert!(told(1001, Some((4, 4)), true));
    }

    #[test]
    fn long_chat_is_cut_between_characters() {
        let text = "ä".repeat(MAX_CHAT);
        let parts = pieces(&text, MAX_CHAT);
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.len() <= MAX_CHAT));
        assert_eq!(parts.concat(), text);
    }

    #[test]
    fn json_of_every_host_event_is_the_contract() {
        let session = || "s1".to_owned();
        let who = Viewer { name: "Anna".to_owned(), key: "1a2b3c4d".to_owned(), known: true, since: Some("2026-11-20".to_owned()) };
        let wants: Permissions = "control".parse().expect("permissions");
        let cases = [
            (
                HostEvent::Ready {
                    id: "9339-2522-7420-3124".to_owned(),
                    password: Some("k7m4-q2xp".to_owned()),
                    link: "rs://9339252274203124".to_owned(),
                    listen: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
                },
                r#"{"event":"ready","id":"9339-2522-7420-3124","password":"k7m4-q2xp","link":"rs://9339252274203124","listen":["/ip4/127.0.0.1/tcp/1"]}"#,
            ),
            (HostEvent::Reachable { kind: Reach::Relayed }, r#"{"event":"reachable","kind":"relayed"}"#),
            (
                HostEvent::Request { session: session(), viewer: who.clone(), wants, code: "123 456".to_owned(), pause: 10 },
                r#"{"event":"request","session":"s1","viewer":{"name":"Anna","key":"1a2b3c4d","known":true,"since":"2026-11-20"},"wants":["view","mouse","keyboard"],"code":"123 456","pause":10}"#,
            ),
            (
                HostEvent::SessionStarted { session: session(), viewer: who, permissions: Permissions::view_only() },
                r#"{"event":"session-started","session":"s1","viewer":{"name":"Anna","key":"1a2b3c4d","known":true,"since":"2026-11-20"},"permissions":["view"]}"#,
            ),
            (
                HostEvent::Path { session: session(), kind: "direct".to_owned(), transport: "quic".to_owned(), rtt_ms: Some(3) },
                r#"{"event":"path","session":"s1","kind":"direct","transport":"quic","rtt_ms":3}"#,
            ),
            (
                HostEvent::Chat {
                    session: session(),
                    from: Side::Viewer,
                    number: 2,
                    at: "2026-11-23T12:00:00+01:00".to_owned(),
                    text: "hi\u{9b}31m".to_owned(),
                },
                r#"{"event":"chat","session":"s1","from":"viewer","number":2,"at":"2026-11-23T12:00:00+01:00","text":"hi\u009b31m"}"#,
            ),
            (
                HostEvent::Control { session: session(), holder: Holder::Local },
                r#"{"event":"control","session":"s1","holder":"local"}"#,
            ),
            (
                HostEvent::Permissions { session: session(), permissions: Permissions::NONE, timers: Vec::new() },
                r#"{"event":"permissions","session":"s1","permissions":[],"timers":[]}"#,
            ),
            (
                HostEvent::Screens { session: session(), screens: screens::tests::row(1, Choice::All).into() },
                r#"{"event":"screens","session":"s1","screens":[{"name":"S0","x":0,"y":0,"width":100,"height":50,"primary":true}],"shown":"all"}"#,
            ),
            (
                HostEvent::PasswordRotated { password: "k7m4-q2xp".to_owned() },
                r#"{"event":"password-rotated","password":"k7m4-q2xp"}"#,
            ),
            (
                HostEvent::SessionEnded {
                    session: session(),
                    reason: EndReason::ViewerLeft,
                    seconds: 7,
                    summary: Summary::default(),
                },
                r#"{"event":"session-ended","session":"s1","reason":"viewer-left","seconds":7,"summary":{"picture_bytes":0,"files":0,"file_bytes":0,"log":null}}"#,
            ),
            (HostEvent::Warning { text: "so".to_owned() }, r#"{"event":"warning","text":"so"}"#),
        ];
        for (event, expected) in cases {
            assert_eq!(words::json(&event), expected);
            assert!(!words::host(&event).chars().any(char::is_control));
        }
    }

    #[tokio::test]
    async fn events_go_out_lines_come_in_and_the_end_of_stdin_ends_nothing() {
        let ((event, events), (actions, mut acted), (typist, typed)) = (mpsc::channel(QUEUE), mpsc::channel(1), mpsc::channel(4));
        for line in ["accept", "chat a", "nonsense", "chat b"] {
            typist.send(Line::Text(line.to_owned())).await.expect("open");
        }
        drop(typist);
        let face = tokio::spawn(async move {
            let mut out = Vec::new();
            let warn = |text| HostEvent::Warning { text };
            let manner = Manner { say: words::json::<HostEvent>, parse: host_line, warn, wants: |_: &HostEvent| true };
            converse(events, actions, typed, &mut out, manner).await;
            String::from_utf8(out).expect("text")
        });
        for expected in [HostAction::Accept(None), HostAction::Chat("a".to_owned()), HostAction::Chat("b".to_owned())] {
            assert_eq!(acted.recv().await, Some(expected));
        }
        event.send(HostEvent::Reachable { kind: Reach::Lan }).await.expect("still running");
        drop(event);
        let out = face.await.expect("no panic");
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[0].starts_with(r#"{"event":"warning","text":"\"nonsense\" is not a command"#), "{out}");
        assert_eq!(lines[1..], [r#"{"event":"reachable","kind":"lan"}"#]);
    }
}
