use proptest::prelude::*;

use super::*;
use crate::ui::keymap;

fn told(bytes: &[u8]) -> Vec<Told> {
    Parser::default().feed(bytes)
}

fn named(name: &'static str, modifiers: u8) -> Told {
    key(Name::Named(name), modifiers)
}

fn tap(name: Name, modifiers: u8) -> Told {
    Told::Key(Stroke { key: name, modifiers: Modifiers::of(modifiers), kind: Kind::Tap })
}

#[test]
fn keys_of_old_terminals() {
    assert_eq!(told("aß€😀".as_bytes()), ['a', 'ß', '€', '😀'].map(|it| key(Name::Char(it), 0)));
    assert_eq!(
        told(b"\r\t\x7f\x1b[A\x1bOP\x1b[Z"),
        [
            tap(Name::Named("return"), 0),
            tap(Name::Named("tab"), 0),
            tap(Name::Named("backspace"), 0),
            named("up", 0),
            named("f1", 0),
            named("tab", Modifiers::SHIFT)
        ]
    );
    assert_eq!(
        told(b"\x1b[1;5C\x1b[3~\x1b[15;2~"),
        [named("right", Modifiers::CTRL), named("delete", 0), named("f5", Modifiers::SHIFT)]
    );
    assert_eq!(
        told(b"\x03\x1d\x1bx\x1b\r"),
        [
            tap(Name::Char('c'), Modifiers::CTRL),
            tap(Name::Char(']'), Modifiers::CTRL),
            key(Name::Char('x'), Modifiers::ALT),
            tap(Name::Named("return"), Modifiers::ALT)
        ]
    );
}

#[test]
fn keys_of_kittys_protocol_go_up() {
    let at = |name, modifiers, kind| Told::Key(Stroke { key: name, modifiers: Modifiers::of(modifiers), kind });
    assert_eq!(
        told(b"\x1b[97;5u\x1b[97;5:2u\x1b[97;5:3u\x1b[1;1:3A\x1b[57414;1:3u\x1b[57441u"),
        [
            at(Name::Char('a'), Modifiers::CTRL, Kind::Press),
            at(Name::Char('a'), Modifiers::CTRL, Kind::Repeat),
            at(Name::Char('a'), Modifiers::CTRL, Kind::Release),
            at(Name::Named("up"), 0, Kind::Release),
            at(Name::Named("kp_enter"), 0, Kind::Release),
        ]
    );
}

/// As kitty 0.26 sends them: Return, then Caps Lock and a, Shift and 2, AltGr and q, Alt and a, keypad 7, one composed, one by an input method.
#[test]
fn keys_of_kittys_protocol_bring_their_text() {
    let at = |name, modifiers, kind| Told::Key(Stroke { key: name, modifiers: Modifiers::of(modifiers), kind });
    assert_eq!(
        told(
            b"\x1b[13u\x1b[13;1:3u\x1b[57358u\x1b[97;65;65u\x1b[57441u\x1b[50;2;64u\x1b[113;;64u\x1b[113;1:2;64u\x1b[97;3;97u\x1b[57406;129;55u"
        ),
        [
            at(Name::Named("return"), 0, Kind::Press),
            at(Name::Named("return"), 0, Kind::Release),
            at(Name::Char('A'), 0, Kind::Press),
            at(Name::Char('@'), Modifiers::SHIFT, Kind::Press),
            at(Name::Char('@'), 0, Kind::Press),
            at(Name::Char('@'), 0, Kind::Repeat),
            at(Name::Char('a'), Modifiers::ALT, Kind::Press),
            at(Name::Char('7'), 0, Kind::Press),
        ]
    );
    assert_eq!(told(b"\x1b[252;u\x1b[0;;26085:26412u"), [key(Name::Char('ü'), 0), Told::Paste("日本".to_owned())]);
    assert_eq!(told(b"\x1b[0;;27u"), [], "a control character is no text");
}

#[test]
fn every_name_is_a_key_of_the_table() {
    let codes = (0..0x1_0000).filter_map(by_code);
    let all = codes.chain((0..64).filter_map(by_number)).chain((0..=255).filter_map(letter));
    for name in all {
        let Name::Named(name) = name else { continue };
        assert!(keymap::by_name(name).is_some(), "{name}");
    }
}

#[test]
fn the_mouse_is_told_with_its_buttons_wheel_and_modifiers() {
    let at = |x, y, what, modifiers| Told::Mouse(Mouse { x, y, what, modifiers: Modifiers::of(modifiers) });
    assert_eq!(
        told(b"\x1b[<35;5;7M\x1b[<16;1;1M\x1b[<2;1;1m\x1b[<65;300;2M"),
        [
            at(4, 6, What::Motion, 0),
            at(0, 0, What::Button(Button::Left, true), Modifiers::CTRL),
            at(0, 0, What::Button(Button::Right, false), 0),
            at(299, 1, What::Wheel(0, 1), 0),
        ]
    );
    assert_eq!(told(b"\x1b[<0;0;1M\x1b[<0;99999;1M"), [], "there is no column 0");
}

#[test]
fn answers_come_between_keys_in_any_pieces() {
    let all: &[u8] =
        b"a\x1b_Gi=31;OK\x1b\\\x1b[6;18;9t\x1bP1$r0;48:2::1:2:3m\x1b\\\x1b[?1016;2$y\x1b[?1;0;256S\x1b[?0u\x1b[?62;4;22c\x1b[0nb";
    let expected: Vec<Told> = [key(Name::Char('a'), 0)]
        .into_iter()
        .chain(
            [
                Answer::Graphics,
                Answer::Cell(9, 18),
                Answer::Truecolor,
                Answer::PixelMouse,
                Answer::Colours(256),
                Answer::KeyUps,
                Answer::Attributes { sixel: true },
                Answer::Taken,
            ]
            .map(Told::Answer),
        )
        .chain([key(Name::Char('b'), 0)])
        .collect();
    assert_eq!(told(all), expected);
    let mut parser = Parser::default();
    let single: Vec<Told> = all.iter().flat_map(|byte| parser.feed(&[*byte])).collect();
    assert_eq!(single, expected);
    assert_eq!(
        told(b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1bP0$r\x1b\\\x1bP1$r0;48:5:16m\x1b\\\x1b[?1016;0$y\x1b[?1;3;0S\x1b[?62;22c"),
        [Told::Answer(Answer::Attributes { sixel: false })]
    );
}

#[test]
fn an_escape_alone_is_the_key_once_nothing_follows() {
    let mut parser = Parser::default();
    assert!(parser.feed(b"\x1b").is_empty() && parser.is_waiting());
    assert_eq!(parser.flush(), [named("escape", 0)]);
    assert!(!parser.is_waiting() && parser.flush().is_empty());
    assert_eq!(told(b"\x1b\x1b[A"), [named("escape", 0), named("up", 0)]);
}

#[test]
fn pasted_text_is_text_whatever_it_holds_and_comes_in_pieces_when_it_is_long() {
    assert_eq!(told(b"\x1b[200~rm \x1b[A\x03\x1b[201~x"), [Told::Paste("rm \x1b[A\x03".to_owned()), key(Name::Char('x'), 0)]);
    let mut parser = Parser::default();
    let long = "ä".repeat(MAX_PASTE);
    let mut bytes = b"\x1b[200~".to_vec();
    bytes.extend_from_slice(long.as_bytes());
    let mut told: Vec<Told> = bytes.chunks(1000).flat_map(|chunk| parser.feed(chunk)).collect();
    assert!(parser.waiting.len() <= MAX_PASTE + 1000);
    told.extend(parser.feed(PASTE_ENDS));
    let text: String = told.into_iter().map(|told| if let Told::Paste(text) = told { text } else { panic!("{told:?}") }).collect();
    assert!(text == long);
}

proptest! {
    #[test]
    fn nothing_panics_hangs_or_grows(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut parser = Parser::default();
        for chunk in chunks {
            parser.feed(&chunk);
            prop_assert!(parser.waiting.len() <= MAX_PASTE + 200);
        }
        parser.flush();
    }
}
