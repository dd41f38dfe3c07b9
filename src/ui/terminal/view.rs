//! How the host's terminal looks. Large where there is room, plain text where there is not.

use std::time::Instant;

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Text},
    widgets::{Block, Padding, Paragraph, Wrap},
};

use super::{
    big,
    model::{Model, Note, Request, Session},
};
use crate::{
    protocol::{message::Holder, permission::Permission},
    ui::{
        event::{Reach, Side, Transfer, TransferState},
        qr, words,
    },
};

/// Files on their way that are shown at once.
const FILES: usize = 4;
/// The cells of a progress bar.
const BAR: usize = 20;

/// Draws everything.
pub(super) fn draw(model: &Model, now: Instant, frame: &mut Frame<'_>) {
    let [main, keys] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(frame.area());
    let (title, hint) = match (&model.request, &model.session) {
        _ if model.asks_to_quit => (" rs ", "End the session and quit?   y yes   n no"),
        (Some(_), _) => (" Somebody wants in ", "y let them in   n send them away"),
        (None, Some(_)) if model.switches => (" Session ", "1-6 switch   t for how long   any other key: back to the chat"),
        (None, Some(_)) => (
            " Session ",
            "Enter says what you typed   Ctrl+E end   Ctrl+T take control   Ctrl+G give control   Ctrl+P permissions   Ctrl+Q quit",
        ),
        (None, None) => (" rs ", "r new password   q quit"),
    };
    let block = Block::bordered().title(title.bold()).padding(Padding::horizontal(1));
    let inside = block.inner(main);
    frame.render_widget(block, main);
    frame.render_widget(Line::from(hint).reversed(), keys);
    match (&model.request, &model.session) {
        (Some(request), _) => asks(request, now, inside, frame),
        (None, Some(session)) => runs(model, session, now, inside, frame),
        (None, None) => waits(model, inside, frame),
    }
}

/// ID and password, ready to be read out.
fn waits(model: &Model, area: Rect, frame: &mut Frame<'_>) {
    let mut text = Text::default();
    for (number, line) in model.finished.iter().enumerate() {
        let line = Line::from(line.as_str());
        text.push_line(if number == 0 { line.bold().green() } else { line });
    }
    if !model.finished.is_empty() {
        text.push_line("");
    }
    if model.id.is_empty() {
        text.push_line("Starting …");
    } else {
        text.push_line("Tell the helper your ID");
        large(&mut text, &model.id, area.width, Color::Cyan);
        if let Some(password) = &model.password {
            text.push_line("and the password");
            large(&mut text, password, area.width, Color::Yellow);
        }
    }
    if let Some(reach) = model.reach {
        text.push_line(Line::from(format!("Others reach this machine {}.", words::reach(reach))).dim());
    }
    if let Some(address) = model.address.as_ref().filter(|_| model.reach != Some(Reach::Relayed)) {
        text.push_line(Line::from(words::plain(address)).dim());
    }
    if !model.link.is_empty() {
        text.push_line(Line::from(words::plain(&model.link)).dim());
    }
    if let Some(Note::Text(note) | Note::Ours(_, note)) = model.notes.back() {
        text.push_line(Line::from(note.as_str()).yellow());
    }
    let code = qr::half_blocks(&model.link).filter(|_| !model.link.is_empty());
    let wide = code.as_deref().and_then(|code| code.lines().next()).map_or(0, |line| line.chars().count());
    let high = code.as_deref().map_or(0, |code| code.lines().count());
    let (wide, high) = (u16::try_from(wide).unwrap_or(u16::MAX), u16::try_from(high).unwrap_or(u16::MAX));
    let used = wrapped(&text, area.width);
    let words = Paragraph::new(text.clone()).wrap(Wrap { trim: false });
    match code {
        Some(code) if area.width >= wide.saturating_add(82) && area.height >= high => {
            let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(wide)]).areas(area);
            frame.render_widget(words, left);
            frame.render_widget(Paragraph::new(code).style(on_dark()), right);
        }
        Some(code) if area.width >= wide && area.height >= used.saturating_add(high) => {
            let [top, bottom] = Layout::vertical([Constraint::Fill(1), Constraint::Length(high)]).areas(area);
            frame.render_widget(words, top);
            frame.render_widget(Paragraph::new(code).style(on_dark()), Rect { width: wide, ..bottom });
        }
        _ => frame.render_widget(words, area),
    }
}

/// A QR code must be dark on light whatever the terminal's colours are.
fn on_dark() -> Style {
    Style::new().fg(Color::White).bg(Color::Black)
}

fn wrapped(text: &Text<'_>, width: u16) -> u16 {
    let rows = text.lines.iter().map(|line| line.width().div_ceil(usize::from(width.max(1))).max(1)).sum::<usize>();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// `what` in large letters if they fit, else in bold.
fn large(text: &mut Text<'_>, what: &str, width: u16, colour: Color) {
    let what = words::plain(what);
    match big::lines(&what).filter(|_| what.chars().count() * 4 <= usize::from(width)) {
        Some(lines) => lines.into_iter().for_each(|line| text.push_line(Line::from(line).fg(colour))),
        None => text.push_line(Line::from(what).fg(colour).bold()),
    }
    text.push_line("");
}

/// The question. There is no default: a stray key answers nothing.
fn asks(request: &Request, now: Instant, area: Rect, frame: &mut Frame<'_>) {
    let warning = if request.viewer.known { "Let them in only if you are speaking with them now." } else { words::SCAM };
    let keys = match request.pause(now) {
        0 => "y  let them in      n  send them away".to_owned(),
        seconds => format!("Take your time: y works in {seconds} s      n  send them away"),
    };
    let text = Text::from(vec![
        Line::from(format!("{} wants to help you", words::plain(&request.viewer.name))).bold(),
        Line::from(""),
        Line::from(format!("Key {}, {}.", words::plain(&request.viewer.key), words::known(&request.viewer))),
        Line::from(vec!["They see the code ".into(), words::plain(&request.code).bold(), ". Ask them to read it out.".into()]),
        Line::from(format!("They ask for: {}", request.wants)),
        Line::from(""),
        Line::from(warning).yellow(),
        Line::from(""),
        Line::from(keys).bold(),
    ]);
    let middle = area.height.saturating_sub(wrapped(&text, area.width)) / 3;
    let [_, part] = Layout::vertical([Constraint::Length(middle), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(text).alignment(Alignment::Center).wrap(Wrap { trim: false }), part);
}

/// Who is here, and the chat.
fn runs(model: &Model, session: &Session, now: Instant, area: Rect, frame: &mut Frame<'_>) {
    let drives = match session.holder {
        Holder::Local => Line::from("You are in control. Ctrl+G gives it to the helper.").green(),
        Holder::Remote if session.permissions.may_control() => {
            Line::from("The helper is in control. Touch mouse or keyboard to take it back; Ctrl+Alt+Shift+Esc ends everything.")
                .yellow()
        }
        Holder::Remote => Line::from("The helper only watches.").green(),
    };
    let path = if session.path.is_empty() { String::new() } else { format!("   ({})", session.path) };
    let mut head = Text::from(vec![
        Line::from(format!("{} is here{path}", words::viewer(&session.viewer))).bold(),
        Line::from(match &session.screens {
            Some(screens) => format!("They may: {}. They see {screens}.", session.may(now)),
            None => format!("They may: {}", session.may(now)),
        }),
        drives,
    ]);
    if model.switches {
        head.extend(switches(model, session));
    }
    head.extend(session.files.iter().take(FILES).map(|transfer| Line::from(file(transfer))));
    let rows = wrapped(&head, area.width);
    let [top, chat, entry] = Layout::vertical([Constraint::Length(rows), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    frame.render_widget(Paragraph::new(head).wrap(Wrap { trim: false }), top);
    let block = Block::new().borders(ratatui::widgets::Borders::TOP | ratatui::widgets::Borders::BOTTOM).title(" Chat ");
    let room = block.inner(chat);
    frame.render_widget(block, chat);
    let note = |note: &Note| match note {
        Note::Text(text) => Line::from(text.clone()),
        Note::Ours(number, text) if *number <= session.delivered => Line::from(vec![text.clone().into(), " ✓".green()]),
        Note::Ours(_, text) => Line::from(text.clone()),
    };
    let notes = Text::from(model.notes.iter().map(note).collect::<Vec<_>>());
    let hidden = wrapped(&notes, room.width).saturating_sub(room.height);
    frame.render_widget(Paragraph::new(notes).wrap(Wrap { trim: false }).scroll((hidden, 0)), room);
    let typed = Line::from(vec!["> ".bold(), model.entry.as_str().into()]);
    let beyond = u16::try_from((typed.width() + 1).saturating_sub(usize::from(entry.width))).unwrap_or(0);
    let end = u16::try_from(typed.width()).unwrap_or(u16::MAX).saturating_sub(beyond);
    frame.render_widget(Paragraph::new(typed).scroll((0, beyond)).style(Modifier::empty()), entry);
    frame.set_cursor_position((entry.x.saturating_add(end), entry.y));
}

/// Each permission with its number and its state, and for how long a switch gives it.
fn switches(model: &Model, session: &Session) -> [Line<'static>; 2] {
    let switch = |(index, permission): (usize, Permission)| {
        let state = if session.permissions.contains(permission) { "✓" } else { "·" };
        format!("{} {state} {}", index + 1, permission.name())
    };
    let all: Vec<String> = Permission::ALL.into_iter().enumerate().map(switch).collect();
    let lasting =
        model.lasting().map_or("until you take it away".to_owned(), |time| format!("for {}", words::duration(time.as_secs())));
    [Line::from(all.join("   ")).bold(), Line::from(format!("What you give now lasts {lasting} (t changes that)."))]
}

/// A file on its way: a bar while bytes go, else words.
fn file(transfer: &Transfer) -> String {
    let Transfer { name, size, done, state, .. } = transfer;
    if !matches!(state, TransferState::Running | TransferState::Paused) {
        return words::file(transfer, Side::Host);
    }
    let hundredths = if *size == 0 { 100 } else { u128::from(*done.min(size)) * 100 / u128::from(*size) };
    let filled = usize::try_from(hundredths).unwrap_or(100) * BAR / 100;
    let bar = "█".repeat(filled) + &"░".repeat(BAR - filled);
    let waits = if *state == TransferState::Paused { ", waits for the connection" } else { "" };
    format!("{bar} {hundredths} %  {}  ({} of {}{waits})", words::plain(name), words::bytes(*done), words::bytes(*size))
}

#[cfg(test)]
mod tests;
