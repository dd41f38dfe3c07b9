//! The chat beside the picture: what was said, when, and whether our own lines arrived. What looks like a link is underlined and can
//! be copied; nothing opens by itself. At most [`MAX_LINES`] lines are kept.

use std::{collections::VecDeque, sync::Arc};

use egui::{
    Align, Color32, CornerRadius, Frame, Galley, Layout, Margin, RichText, ScrollArea, Stroke, TextEdit, TextStyle, Ui,
    text::{LayoutJob, TextFormat},
    vec2,
};

use super::{Wish, look};
use crate::{
    protocol::message::MAX_CHAT,
    ui::{
        event::{Side, ViewerAction},
        lines, words,
    },
};

/// Older lines are forgotten.
const MAX_LINES: usize = 200;
/// Between the words of a line and the edge of its bubble, at the left and at the right.
const BESIDE: f32 = 10.0;
/// The room that a time needs.
const LEAST: f32 = 52.0;

/// One line.
struct Line {
    from: Side,
    number: u64,
    /// `HH:MM`.
    time: String,
    text: String,
    delivered: bool,
}

/// The conversation.
#[derive(Default)]
pub(super) struct Chat {
    lines: VecDeque<Line>,
    unread: usize,
    entry: String,
    /// The entry line wants the keyboard.
    wants_focus: bool,
}

impl Chat {
    /// A line was said; `at` is RFC 3339.
    pub(super) fn say(&mut self, from: Side, number: u64, at: &str, text: &str, open: bool) {
        let time = at.get(11..16).unwrap_or_default().to_owned();
        self.lines.push_back(Line { from, number, time, text: words::plain(text), delivered: false });
        if self.lines.len() > MAX_LINES {
            self.lines.pop_front();
        }
        self.unread += usize::from(from == Side::Host && !open);
    }

    /// Our lines up to this one arrived.
    pub(super) fn delivered(&mut self, number: u64) {
        let arrived = |line: &&mut Line| line.from == Side::Viewer && line.number <= number;
        self.lines.iter_mut().filter(arrived).for_each(|line| line.delivered = true);
    }

    /// Lines that came while nobody looked.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// It is on the screen now.
    pub(super) fn opened(&mut self) {
        (self.unread, self.wants_focus) = (0, true);
    }

    /// It is not on the screen any more.
    pub(super) fn closed(&mut self) {
        self.wants_focus = false;
    }

    /// Whether the entry line is to have the keyboard, and does not yet.
    pub(super) fn wants_focus(&self) -> bool {
        self.wants_focus
    }

    /// Draws it, and says what the user wrote.
    pub(super) fn show(&mut self, ui: &mut Ui, connected: bool, wishes: &mut Vec<Wish>) {
        ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
            self.show_entry(ui, connected, wishes);
            ui.add_space(2.0);
            ui.separator();
            let history = ScrollArea::vertical().auto_shrink(false).stick_to_bottom(true);
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                history.show(ui, |ui| {
                    if self.lines.is_empty() {
                        ui.weak("What you write here is seen by the person at the machine, and by nobody else.");
                    }
                    self.lines.iter().for_each(|line| show_line(ui, line));
                })
            });
        });
    }

    fn show_entry(&mut self, ui: &mut Ui, connected: bool, wishes: &mut Vec<Wish>) {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let is_said = |entry: &str| connected && !entry.trim().is_empty();
                let sends = ui.add_enabled(is_said(&self.entry), egui::Button::new("Send")).clicked();
                let entry = TextEdit::singleline(&mut self.entry).hint_text("Message").desired_width(f32::INFINITY);
                let field = ui.add(entry.margin(Margin::symmetric(8, 6)));
                if self.wants_focus {
                    field.request_focus();
                    // A pass that only measures cannot give the keyboard away.
                    self.wants_focus = ui.is_sizing_pass() || !field.enabled();
                }
                let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                // Words and Enter may come in one pass.
                if (sends || entered) && is_said(&self.entry) {
                    let said = std::mem::take(&mut self.entry);
                    wishes.extend(lines::pieces(said.trim(), MAX_CHAT).into_iter().map(|text| Wish::Act(ViewerAction::Chat(text))));
                }
                if sends || entered {
                    field.request_focus();
                }
            });
        });
    }

    /// What is being written, for fonts to be found for it.
    pub(super) fn entry(&self) -> &str {
        &self.entry
    }
}

fn show_line(ui: &mut Ui, line: &Line) {
    let own = line.from == Side::Viewer;
    let (fill, ink) =
        if own { (look::ACCENT, Color32::WHITE) } else { (ui.visuals().widgets.inactive.bg_fill, ui.visuals().text_color()) };
    let links: Vec<&str> = line.text.split_whitespace().filter(|word| is_link(word)).collect();
    let room = (ui.available_width() * 0.86 - 2.0 * BESIDE).max(LEAST);
    let words = lay_words(ui, &line.text, ink, room);
    let width = words.size().x.max(if links.is_empty() { LEAST } else { 2.0 * LEAST }).min(room);
    ui.horizontal(|ui| {
        if own {
            ui.add_space((ui.available_width() - width - 2.0 * BESIDE).max(0.0));
        }
        let bubble = Frame::new().fill(fill).corner_radius(CornerRadius::same(9)).inner_margin(vec2(BESIDE, 6.0));
        bubble.show(ui, |ui| {
            ui.vertical(|ui| {
                ui.set_width(width);
                ui.spacing_mut().item_spacing.y = 2.0;
                ui.label(words);
                for link in links {
                    if ui.small_button("Copy link").on_hover_text(link).clicked() {
                        ui.ctx().copy_text(link.to_owned());
                    }
                }
                let mark = if line.delivered { " ✔" } else { "" };
                ui.label(RichText::new(format!("{}{mark}", line.time)).small().color(ink.gamma_multiply(0.75)));
            });
        });
    });
    ui.add_space(2.0);
}

/// The words of a line in so much room, links underlined.
fn lay_words(ui: &Ui, text: &str, ink: Color32, room: f32) -> Arc<Galley> {
    let mut job = LayoutJob::default();
    job.wrap.max_width = room;
    for word in text.split_inclusive(char::is_whitespace) {
        let underline = if is_link(word) { Stroke::new(1.0, ink) } else { Stroke::NONE };
        let font_id = TextStyle::Body.resolve(ui.style());
        job.append(word, 0.0, TextFormat { font_id, color: ink, underline, ..Default::default() });
    }
    ui.ctx().fonts_mut(|fonts| fonts.layout_job(job))
}

fn is_link(word: &str) -> bool {
    word.starts_with("https://") || word.starts_with("http://") || word.starts_with("rs://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_counted_and_marked_as_delivered() {
        let mut chat = Chat::default();
        for number in 1..=300 {
            chat.say(Side::Host, number, "2026-11-23T12:34:56+01:00", "hello", false);
        }
        assert_eq!((chat.lines.len(), chat.unread(), chat.lines[0].time.as_str()), (MAX_LINES, 300, "12:34"));
        chat.opened();
        chat.say(Side::Viewer, 1, "no time", "\u{1b}[31mred", true);
        chat.say(Side::Viewer, 2, "", "two", true);
        chat.delivered(1);
        let own: Vec<_> = chat.lines.iter().filter(|line| line.from == Side::Viewer).map(|line| line.delivered).collect();
        assert_eq!((own, chat.unread()), (vec![true, false], 0));
        assert!(!chat.lines.iter().any(|line| line.text.contains('\u{1b}')));
        assert!(chat.lines.iter().filter(|line| line.from == Side::Host).all(|line| !line.delivered));
    }
}
