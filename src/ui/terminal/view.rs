//! How the host's terminal looks. Large where there is room, plain text where there is not.

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Text},
    widgets::{Block, Padding, Paragraph, Wrap},
};

use super::{
    big,
    model::{Model, Request, Session},
};
use crate::{
    protocol::message::Holder,
    ui::{event::Reach, qr, words},
};

/// Draws everything.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let [main, keys] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(frame.area());
    let (title, hint) = match (&model.request, &model.session) {
        _ if model.asks_to_quit => (" rs ", "End the session and quit?   y yes   n no"),
        (Some(_), _) => (" Somebody wants in ", "y let them in   n send them away"),
        (None, Some(_)) => {
            (" Session ", "Enter says what you typed   Ctrl+E end   Ctrl+T take control   Ctrl+G give control   Ctrl+Q quit")
        }
        (None, None) => (" rs ", "r new password   q quit"),
    };
    let block = Block::bordered().title(title.bold()).padding(Padding::horizontal(1));
    let inside = block.inner(main);
    frame.render_widget(block, main);
    frame.render_widget(Line::from(hint).reversed(), keys);
    match (&model.request, &model.session) {
        (Some(request), _) => asks(request, inside, frame),
        (None, Some(session)) => runs(model, session, inside, frame),
        (None, None) => waits(model, inside, frame),
    }
}

/// ID and password, ready to be read out.
fn waits(model: &Model, area: Rect, frame: &mut Frame<'_>) {
    let mut text = Text::default();
    if let Some(finished) = &model.finished {
        text.push_line(Line::from(finished.as_str()).bold().green());
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
    if let Some(note) = model.notes.back() {
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
fn asks(request: &Request, area: Rect, frame: &mut Frame<'_>) {
    let known = if request.viewer.known { "This key was here before." } else { "This key is here for the first time." };
    let text = Text::from(vec![
        Line::from(format!("{} wants to help you", words::plain(&request.viewer.name))).bold(),
        Line::from(""),
        Line::from(format!("Key {}. {known}", words::plain(&request.viewer.key))),
        Line::from(format!("They ask for: {}", request.wants)),
        Line::from(""),
        Line::from("Let them in only if you are speaking with them now.").yellow(),
        Line::from(""),
        Line::from("y  let them in      n  send them away").bold(),
    ]);
    let middle = area.height.saturating_sub(wrapped(&text, area.width)) / 3;
    let [_, part] = Layout::vertical([Constraint::Length(middle), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(text).alignment(Alignment::Center).wrap(Wrap { trim: false }), part);
}

/// Who is here, and the chat.
fn runs(model: &Model, session: &Session, area: Rect, frame: &mut Frame<'_>) {
    let drives = match session.holder {
        Holder::Local => Line::from("You are in control. Ctrl+G gives it to the helper.").green(),
        Holder::Remote if session.permissions.may_control() => {
            Line::from("The helper is in control. Move the mouse to take it back.").yellow()
        }
        Holder::Remote => Line::from("The helper only watches.").green(),
    };
    let path = if session.path.is_empty() { String::new() } else { format!("   ({})", session.path) };
    let head = Text::from(vec![
        Line::from(format!("{} is here{path}", words::viewer(&session.viewer))).bold(),
        Line::from(match &session.screens {
            Some(screens) => format!("They may: {}. They see {screens}.", session.permissions),
            None => format!("They may: {}", session.permissions),
        }),
        drives,
    ]);
    let rows = wrapped(&head, area.width);
    let [top, chat, entry] = Layout::vertical([Constraint::Length(rows), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    frame.render_widget(Paragraph::new(head).wrap(Wrap { trim: false }), top);
    let block = Block::new().borders(ratatui::widgets::Borders::TOP | ratatui::widgets::Borders::BOTTOM).title(" Chat ");
    let room = block.inner(chat);
    frame.render_widget(block, chat);
    let notes = Text::from(model.notes.iter().map(|note| Line::from(note.as_str())).collect::<Vec<_>>());
    let hidden = wrapped(&notes, room.width).saturating_sub(room.height);
    frame.render_widget(Paragraph::new(notes).wrap(Wrap { trim: false }).scroll((hidden, 0)), room);
    let typed = Line::from(vec!["> ".bold(), model.entry.as_str().into()]);
    let beyond = u16::try_from((typed.width() + 1).saturating_sub(usize::from(entry.width))).unwrap_or(0);
    let end = u16::try_from(typed.width()).unwrap_or(u16::MAX).saturating_sub(beyond);
    frame.render_widget(Paragraph::new(typed).scroll((0, beyond)).style(Modifier::empty()), entry);
    frame.set_cursor_position((entry.x.saturating_add(end), entry.y));
}

#[cfg(test)]
mod tests;
