use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};

use super::*;
use crate::{
    protocol::{message::EndReason, permission::Permissions},
    ui::event::{HostAction, HostEvent, Reach, Side, Summary, Timer, Transfer, TransferState, Viewer},
};

/// The time of all tests, unless they say otherwise.
fn now() -> Instant {
    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);
    *NOW
}

fn screen(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
    terminal.draw(|frame| draw(model, now(), frame)).expect("memory");
    let buffer = terminal.backend().buffer();
    let rows: Vec<String> =
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect();
    rows.join("\n")
}

fn ready() -> Model {
    let mut model = Model::default();
    model.follow(
        now(),
        HostEvent::Ready {
            id: "9339-2522-7420-3124".to_owned(),
            password: Some("k7m4-q2xp".to_owned()),
            link: "rs://9339252274203124?k=11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned(),
            listen: Vec::new(),
        },
    );
    model.follow(now(), HostEvent::Reachable { kind: Reach::Relayed });
    model
}

fn anna() -> Viewer {
    Viewer { name: "Anna\u{1b}[2J".to_owned(), key: "1a2b3c4d".to_owned(), known: false, since: None }
}

fn asked() -> Model {
    let mut model = ready();
    model.follow(
        now(),
        HostEvent::Request {
            session: "s1".to_owned(),
            viewer: anna(),
            wants: Permissions::all(),
            code: "123 456".to_owned(),
            pause: 0,
        },
    );
    model
}

fn running() -> Model {
    let mut model = asked();
    model.follow(now(), HostEvent::SessionStarted { session: "s1".to_owned(), viewer: anna(), permissions: Permissions::all() });
    model.follow(
        now(),
        HostEvent::Chat {
            session: "s1".to_owned(),
            from: Side::Viewer,
            number: 1,
            at: "2026-11-23T12:00:00+01:00".to_owned(),
            text: "hello\nthere".to_owned(),
        },
    );
    model
}

fn press(model: &mut Model, code: KeyCode, modifiers: KeyModifiers) -> Vec<HostAction> {
    model.key(now(), KeyEvent::new(code, modifiers));
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
    let shown = screen(&model, 90, 16);
    for part in [
        "Anna\u{fffd}[2J wants to help you",
        "Key 1a2b3c4d, here for the first time.",
        "They see the code 123 456. Ask them to read it out.",
        "They ask for: view, point, mouse, keyboard, clipboard, files",
        "Never let in somebody who called you",
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
│ The helper is in control. Touch mouse or keyboard to take it back;         │
│ Ctrl+Alt+Shift+Esc ends everything.                                        │
│  Chat ──────────────────────────────────────────────────────────────────── │
│ 12:00 viewer: hello there                                                  │
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
    assert!(screen(&model, 78, 12).contains("End the session and quit?"));
    assert_eq!(letter(&mut model, 'n'), []);
    assert_eq!(control(&mut model, 'q'), []);
    assert_eq!(letter(&mut model, 'y'), [HostAction::Quit]);
    assert_eq!(letter(&mut ready(), 'q'), [HostAction::Quit]);
    assert_eq!(letter(&mut ready(), 'r'), [HostAction::Rotate]);
}

#[test]
fn after_a_session_its_end_and_the_new_password_are_shown() {
    let mut model = running();
    model.follow(
        now(),
        HostEvent::SessionEnded {
            session: "s1".to_owned(),
            reason: EndReason::ViewerLeft,
            seconds: 725,
            summary: Summary { picture_bytes: 12_300_000, files: 2, file_bytes: 1_200_000, log: Some("/home/anna/log".into()) },
        },
    );
    model.follow(now(), HostEvent::PasswordRotated { password: "zzzz-0000".to_owned() });
    let shown = screen(&model, 60, 20);
    assert!(shown.contains("The session is finished — 12 minutes") && !shown.contains("k7m4"), "{shown}");
    assert!(shown.contains("Transferred: 12.3 MB of picture, 2 files with 1.2 MB"), "{shown}");
    assert!(shown.contains("The log is in /home/anna/log"), "{shown}");
    let large = big::lines("zzzz-0000").expect("known");
    assert!(large.iter().all(|line| shown.contains(line.trim_end())), "{shown}");
}

#[test]
fn the_first_yes_of_all_waits_and_a_no_does_not() {
    let request = |pause| HostEvent::Request {
        session: "s1".to_owned(),
        viewer: anna(),
        wants: Permissions::all(),
        code: "123 456".to_owned(),
        pause,
    };
    let mut model = ready();
    model.follow(now(), request(10));
    assert!(model.counts_down(now()) && screen(&model, 80, 16).contains("y works in 10 s"));
    assert_eq!(letter(&mut model, 'y'), [], "too early");
    model.key(now() + Duration::from_secs(10), KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE));
    assert_eq!(model.next_action(), Some(HostAction::Accept(None)));
    assert_eq!(letter(&mut model, 'n'), [], "it was answered");
    model.follow(now(), HostEvent::Warning { text: "not yet".to_owned() });
    assert_eq!(letter(&mut model, 'n'), [HostAction::Deny], "the answer was not taken");
    model.follow(now(), HostEvent::RequestOver { session: "s1".to_owned() });
    assert!(screen(&model, 80, 20).contains("Tell the helper your ID"));
}

#[test]
fn switches_give_and_take_each_permission_for_as_long_as_is_chosen() {
    let mut model = running();
    assert_eq!(letter(&mut model, '1'), [], "a digit is chat");
    assert_eq!(control(&mut model, 'p'), []);
    assert_eq!(letter(&mut model, '3'), [HostAction::Revoke(vec![Permission::Mouse])]);
    model.follow(
        now(),
        HostEvent::Permissions {
            session: "s1".to_owned(),
            permissions: "view,keyboard".parse().expect("known"),
            timers: vec![Timer { permission: Permission::Keyboard, seconds: 90 }],
        },
    );
    let shown = screen(&model, 90, 14);
    assert!(shown.contains("1 ✓ view   2 · point   3 · mouse   4 ✓ keyboard   5 · clipboard   6 · files"), "{shown}");
    assert!(shown.contains("They may: view, keyboard (1 minute left)"), "{shown}");
    assert!(model.counts_down(now()));
    assert_eq!(letter(&mut model, '6'), [HostAction::Allow(vec![Permission::Files], None)]);
    assert_eq!(letter(&mut model, 't'), []);
    assert_eq!(letter(&mut model, '6'), [HostAction::Allow(vec![Permission::Files], Some(Duration::from_secs(600)))]);
    assert_eq!(press(&mut model, KeyCode::Esc, KeyModifiers::NONE), []);
    assert_eq!(letter(&mut model, '2'), [], "chat again");
}

#[test]
fn own_chat_is_marked_when_it_arrived() {
    let mut model = running();
    for number in [1, 2] {
        let (session, at, text) = ("s1".to_owned(), "2026-11-23T12:34:56+01:00".to_owned(), format!("line {number}"));
        model.follow(now(), HostEvent::Chat { session, from: Side::Host, number, at, text });
    }
    model.follow(now(), HostEvent::ChatDelivered { session: "s1".to_owned(), number: 1 });
    let shown = screen(&model, 90, 14);
    assert!(shown.contains("12:34 you: line 1 ✓") && !shown.contains("line 2 ✓"), "{shown}");
}

#[test]
fn a_file_has_a_bar_while_it_is_on_its_way_and_a_line_afterwards() {
    let mut model = running();
    let transfer = |done, state| Transfer {
        number: 1,
        from: Side::Viewer,
        name: "a.zip\u{1b}[2J".to_owned(),
        size: 2_000_000,
        done,
        state,
        file: Some("/home/anna/Downloads/a.zip".into()),
        blake3: None,
        reason: None,
    };
    let mut follow = |done, state| {
        model.follow(now(), HostEvent::File { session: "s1".to_owned(), transfer: transfer(done, state) });
        screen(&model, 100, 14)
    };
    let shown = follow(900_000, TransferState::Running);
    assert!(shown.contains("█████████░░░░░░░░░░░ 45 %  a.zip\u{fffd}[2J  (900.0 kB of 2.0 MB)"), "{shown}");
    let shown = follow(2_000_000, TransferState::Done);
    assert!(shown.contains("is verified, and in /home/anna/Downloads/a.zip") && !shown.contains('░'), "{shown}");
}
