use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};

use super::*;
use crate::{
    protocol::{message::EndReason, permission::Permissions},
    ui::event::{HostAction, HostEvent, Reach, Side, Summary, Viewer},
};

fn screen(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
    terminal.draw(|frame| draw(model, frame)).expect("memory");
    let buffer = terminal.backend().buffer();
    let rows: Vec<String> =
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect();
    rows.join("\n")
}

fn ready() -> Model {
    let mut model = Model::default();
    model.follow(HostEvent::Ready {
        id: "9339-2522-7420-3124".to_owned(),
        password: Some("k7m4-q2xp".to_owned()),
        link: "rs://9339252274203124?k=11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned(),
        listen: Vec::new(),
    });
    model.follow(HostEvent::Reachable { kind: Reach::Relayed });
    model
}

fn anna() -> Viewer {
    Viewer { name: "Anna\u{1b}[2J".to_owned(), key: "1a2b3c4d".to_owned(), known: false, since: None }
}

fn asked() -> Model {
    let mut model = ready();
    model.follow(HostEvent::Request {
        session: "s1".to_owned(),
        viewer: anna(),
        wants: Permissions::all(),
        code: "123 456".to_owned(),
        pause: 0,
    });
    model
}

fn running() -> Model {
    let mut model = asked();
    model.follow(HostEvent::SessionStarted { session: "s1".to_owned(), viewer: anna(), permissions: Permissions::all() });
    model.follow(HostEvent::Chat {
        session: "s1".to_owned(),
        from: Side::Viewer,
        number: 1,
        at: "2026-11-23T12:00:00+01:00".to_owned(),
        text: "hello\nthere".to_owned(),
    });
    model
}

fn press(model: &mut Model, code: KeyCode, modifiers: KeyModifiers) -> Vec<HostAction> {
    model.key(KeyEvent::new(code, modifiers));
    std::iter::from_fn(|| model.next_action()).collect()
}

fn letter(model: &mut Model, letter: char) -> Vec<HostAction> {
    press(model, KeyCode::Char(letter), KeyModifiers::NONE)
}

fn control(model: &mut Model, letter: char) -> Vec<HostAction> {
    press(model, KeyCode::Char(letter), KeyModifiers::CONTROL)
}

#[test]
fn id_and_password_are_large() {
    let expected = "\
┌ rs ──────────────────────────────────────────────────────────────────────────────┐
│ Tell the helper your ID                                                          │
│ █▀█ ▀▀█ ▀▀█ █▀█     ▀▀█ █▀▀ ▀▀█ ▀▀█     ▀▀█ █ █ ▀▀█ █▀█     ▀▀█ ▄█  ▀▀█ █ █      │
│ ▀▀█  ▀█  ▀█ ▀▀█ ▀▀▀ █▀▀ ▀▀█ █▀▀ █▀▀ ▀▀▀  ▄▀ ▀▀█ █▀▀ █ █ ▀▀▀  ▀█  █  █▀▀ ▀▀█      │
│ ▀▀▀ ▀▀▀ ▀▀▀ ▀▀▀     ▀▀▀ ▀▀▀ ▀▀▀ ▀▀▀      ▀    ▀ ▀▀▀ ▀▀▀     ▀▀▀ ▀▀▀ ▀▀▀   ▀      │
│                                                                                  │
│ and the password                                                                 │
│ █ █ ▀▀█ █▄█ █ █     ▄▀▄ ▀▀█ █ █ █▀▄                                              │
│ █▀▄  ▄▀ █▀█ ▀▀█ ▀▀▀ ▀▄▀ █▀▀ ▄▀▄ █▀                                               │
│ ▀ ▀  ▀  ▀ ▀   ▀       ▀ ▀▀▀ ▀ ▀ ▀                                                │
│                                                                                  │
│ Others reach this machine from everywhere, by the ID.                            │
│ rs://9339252274203124?k=11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo              │
└──────────────────────────────────────────────────────────────────────────────────┘
r new password   q quit";
    let shown = screen(&ready(), 84, 15);
    assert_eq!(shown, expected, "\n{shown}");
}

#[test]
fn a_narrow_terminal_has_plain_text_and_a_tall_one_the_code() {
    let narrow = screen(&ready(), 40, 16);
    assert!(narrow.contains("9339-2522-7420-3124"), "{narrow}");
    assert!(!narrow.contains("▄▄▄▄▄▄▄"), "{narrow}");
    let code = qr::half_blocks(&ready().link).expect("fits");
    let tall = screen(&ready(), 84, 50);
    assert!(code.lines().all(|line| tall.contains(line.trim_end())), "{tall}");
    let wide = screen(&ready(), 160, 26);
    assert!(code.lines().all(|line| wide.contains(line.trim_end())), "{wide}");
}

#[test]
fn tiny_terminals_do_no_harm() {
    for model in [ready(), asked(), running()] {
        for (width, height) in [(1, 1), (2, 3), (10, 2), (3, 40)] {
            screen(&model, width, height);
        }
    }
}

#[test]
fn the_question_has_no_default() {
    let mut model = asked();
    let shown = screen(&model, 70, 16);
    for part in [
        "Anna\u{fffd}[2J wants to help you",
        "Key 1a2b3c4d. This key is here for the first time.",
        "They ask for: view, point, mouse, keyboard, clipboard, files",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    for key in [KeyCode::Enter, KeyCode::Esc, KeyCode::Char('r'), KeyCode::Char('q'), KeyCode::Char(' ')] {
        assert_eq!(press(&mut model, key, KeyModifiers::NONE), []);
    }
    assert_eq!(letter(&mut model, 'y'), [HostAction::Accept(None)]);
    assert_eq!(letter(&mut asked(), 'n'), [HostAction::Deny]);
}

#[test]
fn in_a_session_letters_are_chat_and_chords_act() {
    let mut model = running();
    let expected = "\
┌ Session ───────────────────────────────────────────────────────────────────┐
│ Anna\u{fffd}[2J (key 1a2b3c4d, here for the first time) is here                   │
│ They may: view, point, mouse, keyboard, clipboard, files                   │
│ The helper is in control. Move the mouse to take it back.                  │
│  Chat ──────────────────────────────────────────────────────────────────── │
│ viewer: hello there                                                        │
│                                                                            │
│ ────────────────────────────────────────────────────────────────────────── │
│ > q?                                                                       │
└────────────────────────────────────────────────────────────────────────────┘
Enter says what you typed   Ctrl+E end   Ctrl+T take control   Ctrl+G give con";
    assert_eq!(letter(&mut model, 'q'), []);
    assert_eq!(letter(&mut model, '?'), []);
    let shown = screen(&model, 78, 11);
    assert_eq!(shown, expected, "\n{shown}");
    assert_eq!(press(&mut model, KeyCode::Enter, KeyModifiers::NONE), [HostAction::Chat("q?".to_owned())]);
    assert_eq!(control(&mut model, 'g'), [HostAction::GiveControl]);
    assert_eq!(control(&mut model, 't'), [HostAction::TakeControl]);
    assert_eq!(control(&mut model, 'e'), [HostAction::End]);
}

#[test]
fn quitting_a_session_asks_once_more() {
    let mut model = running();
    assert_eq!(control(&mut model, 'q'), []);
    assert!(screen(&model, 78, 11).contains("End the session and quit?"));
    assert_eq!(letter(&mut model, 'n'), []);
    assert_eq!(control(&mut model, 'q'), []);
    assert_eq!(letter(&mut model, 'y'), [HostAction::Quit]);
    assert_eq!(letter(&mut ready(), 'q'), [HostAction::Quit]);
    assert_eq!(letter(&mut ready(), 'r'), [HostAction::Rotate]);
}

#[test]
fn after_a_session_its_end_and_the_new_password_are_shown() {
    let mut model = running();
    model.follow(HostEvent::SessionEnded {
        session: "s1".to_owned(),
        reason: EndReason::ViewerLeft,
        seconds: 725,
        summary: Summary::default(),
    });
    model.follow(HostEvent::PasswordRotated { password: "zzzz-0000".to_owned() });
    let shown = screen(&model, 50, 20);
    assert!(shown.contains("The session is finished — 12 minutes") && !shown.contains("k7m4"), "{shown}");
    let large = big::lines("zzzz-0000").expect("known");
    assert!(large.iter().all(|line| shown.contains(line.trim_end())), "{shown}");
}
