//! The viewer's face without a picture: events to stdout (JSON Lines or words), commands from stdin.
//!
//! | line | does |
//! |---|---|
//! | `move X Y` | moves the pointer to this pixel of the picture |
//! | `point X Y`, `point away` | shows the host's user this pixel without touching anything, and no more |
//! | `click X Y [BUTTON]` | moves, presses and releases; `left`, `middle`, `right`, `back`, `forward` |
//! | `scroll DX DY` | turns the wheel, in notches to the right and down |
//! | `key COMBO` | presses a combination, as `ctrl+s` or `ctrl+alt+delete` (names: [`super::keymap`]) |
//! | `keyboard MODE` | has keys understood so: `auto`, `physical` (by position), `translate` (by character) |
//! | `type TEXT` | types text, whatever the host's layout |
//! | `chat TEXT` | says something |
//! | `screenshot FILE` | saves the picture as PNG once it is exact, or after five seconds as it is |
//! | `screens` | tells which screens the host has, and which is shown |
//! | `screen N`, `screen all`, `screen next` | has this one shown, counted from 0, or all in one, or the one after |
//! | `copy TEXT` | puts TEXT on the host's clipboard |
//! | `paste FILE` | saves what was last copied at the host: text, or a PNG |
//! | `lossless on`, `lossless off` | has every picture exact at once, or as the link allows |
//! | `send FILE…` | sends files to the host; quotes around a name with spaces |
//! | `fetch PATH` | has the host send a file below its folder |
//! | `save N`, `refuse N` | takes file N that is offered, or not |
//! | `cancel N` | gives up file N |
//! | `stats` | tells the session's figures |
//! | `quit` | leaves |
//!
//! A wrong line is answered by a `warning` that lists what is possible; it never ends the session. The end of stdin does not
//! either: the viewer goes on without input. Beside a window ([`Commands::ChatOnly`]) every line is chat.

use std::{io, path::PathBuf, str::FromStr};

use super::{
    ViewerSeat,
    event::{Show, ViewerAction, ViewerEvent},
    keymap,
    lines::{Manner, converse, paths, pieces, tell, transfer, word},
    stdin, words,
};
use crate::protocol::{
    input::{Button, InputEvent, KeyboardMode, MAX_TEXT},
    message::MAX_CHAT,
};

/// What a viewer's line may be.
const VIEWER_LINES: &str = "type move X Y, point X Y|away, click X Y [BUTTON], scroll DX DY, key COMBO, keyboard auto|physical|translate, \
     type TEXT, chat TEXT, screenshot FILE, copy TEXT, paste FILE, screens, screen N|all|next, lossless on|off, send FILE, fetch PATH, \
     save N, refuse N, cancel N, stats or quit";

/// What typed lines mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commands {
    /// All commands of the table above.
    All,
    /// Each line is chat: the rest is done in the window beside.
    ChatOnly,
}

/// Runs the viewer's face in lines. Returns when the seat's events close.
///
/// stdin is read only once the host let us in. Before that nothing can be done with a line, and a terminal belongs to the password
/// prompt: a second reader could take the password and show it as a command that it does not understand.
pub async fn run_viewer(seat: ViewerSeat, json: bool, commands: Commands) {
    let say = if json { words::json::<ViewerEvent> } else { words::viewed };
    let parse = match commands {
        Commands::All => viewer_line,
        Commands::ChatOnly => chat_line,
    };
    let warn = |text| ViewerEvent::Warning { text };
    let ViewerSeat { mut events, actions, .. } = seat;
    loop {
        let Some(event) = events.recv().await else { return };
        tell(&mut io::stdout(), &say(&event));
        if matches!(event, ViewerEvent::Granted { .. }) {
            break;
        }
    }
    converse(events, actions, stdin::lines(), &mut io::stdout(), Manner { say, parse, warn, wants: |_: &ViewerEvent| true }).await;
}

/// What a viewer's line means: the actions in order.
///
/// # Errors
/// One line that says what is possible.
pub fn viewer_line(line: &str) -> Result<Vec<ViewerAction>, String> {
    let (word, rest) = word(line);
    let numbers: Vec<&str> = rest.split_whitespace().collect();
    let input = |events: Vec<InputEvent>| Ok(events.into_iter().map(ViewerAction::Input).collect());
    match (word, numbers.as_slice()) {
        ("", _) => Ok(Vec::new()),
        ("move", [x, y]) => input(vec![motion(x, y)?]),
        ("point", ["away"]) => Ok(vec![ViewerAction::PointAway]),
        ("point", [x, y]) => Ok(vec![ViewerAction::Point { x: number(x)?, y: number(y)? }]),
        ("click", [x, y]) => input(click(motion(x, y)?, Button::Left)),
        ("click", [x, y, which]) => input(click(motion(x, y)?, button(which)?)),
        ("scroll", [dx, dy]) => input(vec![InputEvent::Scroll { dx: number(dx)?, dy: number(dy)? }]),
        ("key", [combo]) => input(keymap::combo(combo)?),
        ("keyboard", [mode]) => Ok(vec![ViewerAction::Keyboard(keyboard(mode)?)]),
        ("type", [_, ..]) => input(pieces(rest, MAX_TEXT).into_iter().map(InputEvent::Text).collect()),
        ("chat", _) => chat_line(rest),
        ("screenshot", [_, ..]) => Ok(vec![ViewerAction::Screenshot(PathBuf::from(rest.trim_end()))]),
        ("copy", [_, ..]) => Ok(vec![ViewerAction::Copy(rest.to_owned())]),
        ("paste", [_, ..]) => Ok(vec![ViewerAction::Paste(PathBuf::from(rest.trim_end()))]),
        ("screens", []) => Ok(vec![ViewerAction::Screens]),
        ("screen", ["all"]) => Ok(vec![ViewerAction::Show(Show::All)]),
        ("screen", ["next"]) => Ok(vec![ViewerAction::Show(Show::Next)]),
        ("screen", [index]) => Ok(vec![ViewerAction::Show(Show::One(number(index)?))]),
        ("lossless", ["on"]) => Ok(vec![ViewerAction::Lossless(true)]),
        ("lossless", ["off"]) => Ok(vec![ViewerAction::Lossless(false)]),
        ("stats", []) => Ok(vec![ViewerAction::Stats]),
        ("send", [_, ..]) => Ok(vec![ViewerAction::Send(paths(rest)?)]),
        ("fetch", [_, ..]) => Ok(vec![ViewerAction::Fetch(rest.trim_end().to_owned())]),
        ("save", [number]) => Ok(vec![ViewerAction::Save(transfer(number)?)]),
        ("refuse", [number]) => Ok(vec![ViewerAction::Refuse(transfer(number)?)]),
        ("cancel", [number]) => Ok(vec![ViewerAction::Cancel(transfer(number)?)]),
        ("quit", []) => Ok(vec![ViewerAction::Quit]),
        _ => Err(format!(
            "\"{}\" is not understood; {VIEWER_LINES}",
            words::plain(&line.trim().chars().take(60).collect::<String>())
        )),
    }
}

/// The whole line is chat.
fn chat_line(line: &str) -> Result<Vec<ViewerAction>, String> {
    Ok(pieces(line.trim(), MAX_CHAT).into_iter().map(ViewerAction::Chat).collect())
}

fn click(to: InputEvent, button: Button) -> Vec<InputEvent> {
    vec![to, InputEvent::Button { button, down: true }, InputEvent::Button { button, down: false }]
}

fn motion(x: &str, y: &str) -> Result<InputEvent, String> {
    Ok(InputEvent::Motion { x: number(x)?, y: number(y)? })
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("\"{}\" is not a number that fits here; {VIEWER_LINES}", words::plain(text)))
}

fn keyboard(mode: &str) -> Result<KeyboardMode, String> {
    let named = KeyboardMode::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(mode));
    named.ok_or_else(|| format!("\"{}\" is not a keyboard mode; use auto, physical or translate", words::plain(mode)))
}

fn button(name: &str) -> Result<Button, String> {
    match name.to_ascii_lowercase().as_str() {
        "left" | "1" => Ok(Button::Left),
        "middle" | "2" => Ok(Button::Middle),
        "right" | "3" => Ok(Button::Right),
        "back" | "8" => Ok(Button::Back),
        "forward" | "9" => Ok(Button::Forward),
        other => Err(format!("\"{}\" is not a button; use left, middle, right, back or forward", words::plain(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::{
            input::{Key, Meaning},
            message::{EndReason, Holder},
            permission::Permissions,
            screens::{self, Choice},
            stats::ModeBytes,
        },
        ui::{
            event::{Copied, CopiedKind, PathInfo, Side, Summary},
            figures::{HostStages, LinkFigures, Milliseconds, PictureFigures, Stages, Stats},
        },
    };

    fn inputs(line: &str) -> Vec<InputEvent> {
        let input = |action| if let ViewerAction::Input(event) = action { event } else { panic!("{action:?}") };
        viewer_line(line).expect("a command").into_iter().map(input).collect()
    }

    #[test]
    fn text_is_typed_with_the_spaces_at_its_end() {
        assert_eq!(viewer_line("type a b  "), Ok(vec![ViewerAction::Input(InputEvent::Text("a b  ".to_owned()))]));
    }

    #[test]
    fn every_line_of_the_contract_is_understood() {
        let (press, release) =
            (|button| InputEvent::Button { button, down: true }, |button| InputEvent::Button { button, down: false });
        assert_eq!(inputs("move 3 4"), [InputEvent::Motion { x: 3, y: 4 }]);
        assert_eq!(inputs("click 3 4"), [InputEvent::Motion { x: 3, y: 4 }, press(Button::Left), release(Button::Left)]);
        assert_eq!(inputs("click 3 4 Right")[1..], [press(Button::Right), release(Button::Right)]);
        assert_eq!(inputs("scroll 0 -2"), [InputEvent::Scroll { dx: 0, dy: -2 }]);
        assert_eq!(
            inputs("key ctrl+s").iter().map(|event| !matches!(event, InputEvent::Key { down: false, .. })).collect::<Vec<_>>(),
            [true, true, false, false]
        );
        assert_eq!(inputs("key a")[0], InputEvent::Press { key: Key(4), meaning: Meaning::Character('a') });
        assert_eq!(viewer_line("keyboard Physical"), Ok(vec![ViewerAction::Keyboard(KeyboardMode::Physical)]));
        assert!(viewer_line("keyboard loud").is_err_and(|text| text.contains("auto, physical or translate")));
        assert_eq!(inputs("type  héllo  wörld"), [InputEvent::Text("héllo  wörld".to_owned())]);
        assert_eq!(viewer_line("chat hi there").expect("chat"), [ViewerAction::Chat("hi there".to_owned())]);
        assert_eq!(
            viewer_line("screenshot /tmp/a b.png").expect("file"),
            [ViewerAction::Screenshot(PathBuf::from("/tmp/a b.png"))]
        );
        assert_eq!(viewer_line("screens").expect("screens"), [ViewerAction::Screens]);
        for (line, show) in [("screen 2", Show::One(2)), ("screen all", Show::All), ("screen next", Show::Next)] {
            assert_eq!(viewer_line(line).expect(line), [ViewerAction::Show(show)]);
        }
        assert_eq!(viewer_line("point 3 4").expect("point"), [ViewerAction::Point { x: 3, y: 4 }]);
        assert_eq!(viewer_line("point away").expect("point"), [ViewerAction::PointAway]);
        assert_eq!(viewer_line("stats").expect("stats"), [ViewerAction::Stats]);
        assert_eq!(viewer_line("copy a  b").expect("copy"), [ViewerAction::Copy("a  b".to_owned())]);
        assert_eq!(viewer_line("paste x y.txt").expect("paste"), [ViewerAction::Paste(PathBuf::from("x y.txt"))]);
        assert_eq!(viewer_line("send /tmp/x").expect("send"), [ViewerAction::Send(vec![PathBuf::from("/tmp/x")])]);
        assert_eq!(viewer_line("fetch a/b c").expect("fetch"), [ViewerAction::Fetch("a/b c".to_owned())]);
        for (line, action) in
            [("save 2", ViewerAction::Save(2)), ("refuse 2", ViewerAction::Refuse(2)), ("cancel 2", ViewerAction::Cancel(2))]
        {
            assert_eq!(viewer_line(line).expect(line), [action]);
        }
        assert_eq!(viewer_line("lossless on").expect("lossless"), [ViewerAction::Lossless(true)]);
        assert_eq!(viewer_line("lossless off").expect("lossless"), [ViewerAction::Lossless(false)]);
        assert_eq!(viewer_line("quit").expect("quit"), [ViewerAction::Quit]);
        assert_eq!(viewer_line("  ").expect("nothing"), []);
        assert_eq!(chat_line("quit").expect("chat"), [ViewerAction::Chat("quit".to_owned())]);
    }

    #[test]
    fn wrong_lines_tell_what_is_possible() {
        for wrong in [
            "move 3",
            "move -1 4",
            "move 70000 4",
            "click a b",
            "scroll 1",
            "key",
            "type",
            "screenshot",
            "quit now",
            "fly",
            "screen",
            "screen -1",
            "screens all",
            "lossless",
            "lossless maybe",
            "point",
            "point 1",
            "point -1 2",
        ] {
            let text = viewer_line(wrong).expect_err(wrong);
            assert!(text.contains("move X Y"), "{text}");
        }
        assert!(viewer_line("click 1 2 nose").is_err_and(|text| text.contains("middle")));
        assert!(viewer_line("key ctrl+nose").is_err_and(|text| text.contains("nose")));
    }

    fn at() -> String {
        "2026-11-23T12:00:00+01:00".to_owned()
    }

    #[test]
    fn json_of_every_viewer_event_is_the_contract() {
        let path = || PathInfo { kind: "relayed".to_owned(), transport: "tcp".to_owned() };
        let cases = [
            (
                ViewerEvent::Connected { id: "9339-2522-7420-3124".to_owned(), path: path() },
                r#"{"event":"connected","id":"9339-2522-7420-3124","path":{"kind":"relayed","transport":"tcp"}}"#,
            ),
            (ViewerEvent::Waiting { code: Some("123 456".to_owned()) }, r#"{"event":"waiting","code":"123 456"}"#),
            (ViewerEvent::Granted { permissions: Permissions::view_only() }, r#"{"event":"granted","permissions":["view"]}"#),
            (
                ViewerEvent::Permissions { permissions: Permissions::NONE, timers: Vec::new() },
                r#"{"event":"permissions","permissions":[],"timers":[]}"#,
            ),
            (
                ViewerEvent::Path { path: path(), rtt_ms: None },
                r#"{"event":"path","kind":"relayed","transport":"tcp","rtt_ms":null}"#,
            ),
            (
                ViewerEvent::Chat { from: Side::Host, number: 1, at: at(), text: "a\nb".to_owned() },
                r#"{"event":"chat","from":"host","number":1,"at":"2026-11-23T12:00:00+01:00","text":"a\nb"}"#,
            ),
            (ViewerEvent::Control { holder: Holder::Remote }, r#"{"event":"control","holder":"remote"}"#),
            (
                ViewerEvent::Screens(screens::tests::row(1, Choice::One(0)).into()),
                r#"{"event":"screens","screens":[{"name":"S0","x":0,"y":0,"width":100,"height":50,"primary":true}],"shown":0}"#,
            ),
            (ViewerEvent::Picture { exact: true }, r#"{"event":"picture","exact":true}"#),
            (
                ViewerEvent::Screenshot { file: PathBuf::from("/tmp/x.png"), exact: false },
                r#"{"event":"screenshot","file":"/tmp/x.png","exact":false}"#,
            ),
            (
                ViewerEvent::Stats(Box::new(Stats {
                    frames: 2,
                    picture_bytes: 1500,
                    decode_ms_mean: 0.5,
                    rtt_ms: Some(9),
                    link: LinkFigures { rate_bps: Some(2_000_000), queue_ms: Some(20) },
                    first_picture_ms: None,
                    picture: PictureFigures { width: 4, height: 3, exact: true, pictures_per_s: 1.5, bytes_per_s: 800 },
                    stages: Stages {
                        host: HostStages { wire: Some(Milliseconds { p50_ms: 4.5, p95_ms: 9.0 }), ..HostStages::default() },
                        ..Stages::default()
                    },
                    bytes: Some(ModeBytes { control: 1, indexed: 2, raw: 3, photo: 4, lossy: 5 }),
                    path: Some(path()),
                })),
                r#"{"event":"stats","frames":2,"picture_bytes":1500,"decode_ms_mean":0.5,"rtt_ms":9,"rate_bps":2000000,"queue_ms":20,"first_picture_ms":null,"width":4,"height":3,"exact":true,"pictures_per_s":1.5,"bytes_per_s":800,"stages":{"capture":null,"detect":null,"encode":null,"queue":null,"wire":{"p50_ms":4.5,"p95_ms":9.0},"decode":null,"present":null},"bytes":{"control":1,"indexed":2,"raw":3,"photo":4,"lossy":5},"path":{"kind":"relayed","transport":"tcp"}}"#,
            ),
            (
                ViewerEvent::Clipboard { from: Side::Host, copied: Copied { kind: CopiedKind::Image, bytes: 9 } },
                r#"{"event":"clipboard","from":"host","kind":"image","bytes":9}"#,
            ),
            (ViewerEvent::Pasted { file: PathBuf::from("/tmp/x.txt") }, r#"{"event":"pasted","file":"/tmp/x.txt"}"#),
            (ViewerEvent::Stalled, r#"{"event":"stalled"}"#),
            (ViewerEvent::Resumed, r#"{"event":"resumed"}"#),
            (
                ViewerEvent::SessionEnded { reason: EndReason::HostEnded, seconds: 61, summary: Summary::default() },
                r#"{"event":"session-ended","reason":"host-ended","seconds":61,"summary":{"picture_bytes":0,"files":0,"file_bytes":0,"log":null}}"#,
            ),
            (ViewerEvent::Warning { text: "so".to_owned() }, r#"{"event":"warning","text":"so"}"#),
        ];
        for (event, expected) in cases {
            assert_eq!(words::json(&event), expected);
            assert!(!words::viewed(&event).chars().any(char::is_control));
        }
    }

    #[test]
    fn what_a_peer_writes_cannot_reach_the_terminal() {
        let evil = ViewerEvent::Chat {
            from: Side::Host,
            number: 1,
            at: at(),
            text: "\u{1b}]0;x\u{7}\r\nviewer: yes\u{202e}\u{9b}1m".to_owned(),
        };
        let line = words::viewed(&evil);
        assert_eq!(line, "host: \u{fffd}]0;x\u{fffd}  viewer: yes\u{fffd}\u{fffd}1m");
    }
}
