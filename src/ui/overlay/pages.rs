//! What stands over the dimmed picture while there is nothing to drive: choosing and finding the host, the password, waiting to be let in, an
//! interruption, and the end.

use std::time::{Duration, Instant};

use egui::{Align2, Area, Color32, Frame, Id, Margin, Order, RichText, TextEdit, Ui, vec2};
use zeroize::Zeroizing;

use super::{Wish, choice::Choice, desk, look};
use crate::ui::{
    event::ViewerAction,
    prompt::Secret,
    status::{Phase, Status},
    words,
};

/// How wide a page is, if the window has the room.
const WIDTH: f32 = 400.0;

/// What the user types on pages.
#[derive(Default)]
pub(super) struct Pages {
    /// Which host to visit.
    pub(super) choice: Choice,
    password: Zeroizing<String>,
    /// A password was sent, and no answer came yet.
    trying: bool,
    focused: bool,
}

impl Pages {
    /// The session is at another point.
    pub(super) fn turned(&mut self) {
        (self.trying, self.focused) = (false, false);
    }

    /// Draws the page of this phase. So much of the window, at the right, is for others. `outage`: since
    /// when an interruption lasts, and how long it may.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        status: &Status,
        others: f32,
        outage: Option<(Instant, Duration)>,
        wishes: &mut Vec<Wish>,
    ) {
        let width = WIDTH.min(ui.ctx().content_rect().width() - others - 24.0).max(120.0);
        let page = Area::new(Id::new("page")).order(Order::Middle).anchor(Align2::CENTER_CENTER, vec2(-others / 2.0, 0.0)).show(
            ui.ctx(),
            |ui| {
                let frame = Frame::window(ui.style()).inner_margin(Margin::symmetric(28, 24));
                frame.show(ui, |ui| {
                    ui.set_width((width - 56.0).max(60.0));
                    ui.vertical_centered(|ui| self.content(ui, status, outage, wishes));
                });
            },
        );
        desk::settle(&page.response);
    }

    fn content(&mut self, ui: &mut Ui, status: &Status, outage: Option<(Instant, Duration)>, wishes: &mut Vec<Wish>) {
        match &status.phase {
            Phase::Choosing(wrong) => {
                head(ui, "Which machine?");
                let wrong = wrong.as_deref().map(sentence);
                self.choice.show(ui, wrong.as_deref(), wishes);
                cancel(ui, "Close", wishes);
            }
            Phase::Connecting => {
                head(ui, &format!("Connecting to {}", status.name()));
                ui.add(egui::Spinner::new().size(26.0).color(look::ACCENT));
                detail(ui, "Looking on this network, and through the relays.");
                cancel(ui, "Cancel", wishes);
            }
            Phase::Asked(wrong) => self.ask(ui, status, wrong.as_deref(), wishes),
            Phase::Waiting => {
                head(ui, "Waiting to be let in");
                detail(ui, &format!("The person at {} is being asked.", status.name()));
                if let Some(code) = &status.code {
                    ui.add_space(6.0);
                    ui.label(RichText::new(code).size(44.0).strong().color(ui.visuals().hyperlink_color));
                    detail(
                        ui,
                        "They see the same code. Ask them to read it to you: then you know that it is you whom they let in.",
                    );
                }
                cancel(ui, "Cancel", wishes);
            }
            Phase::Running => {
                head(ui, "Connected");
                detail(ui, "Waiting for the first picture.");
            }
            Phase::Stalled => {
                head(ui, "The connection is gone");
                ui.add(egui::Spinner::new().size(26.0).color(look::ALERT));
                let left = outage.map(|(since, patience)| patience.saturating_sub(since.elapsed()).as_secs());
                let left = left.filter(|left| *left > 0).map(|left| format!(" for {}", clock(left))).unwrap_or_default();
                detail(ui, &format!("Trying to get it back{left}. Nothing is lost."));
                ui.ctx().request_repaint_after(Duration::from_secs(1));
                cancel(ui, "Leave", wishes);
            }
            Phase::Failed(why) => {
                head(ui, "No session");
                detail(ui, &sentence(why));
                cancel(ui, "Close", wishes);
            }
            Phase::Ended(headline, why) => {
                head(ui, headline);
                detail(ui, &sentence(why));
                if let Some(summary) = &status.summary {
                    detail(ui, summary);
                }
                if let Some(log) = &status.log {
                    log_of_session(ui, log);
                }
                cancel(ui, "Close", wishes);
            }
        }
    }

    fn ask(&mut self, ui: &mut Ui, status: &Status, wrong: Option<&str>, wishes: &mut Vec<Wish>) {
        head(ui, &format!("Password of {}", status.name()));
        match wrong {
            Some(wrong) => drop(ui.label(RichText::new(sentence(wrong)).color(look::ALERT))),
            None => detail(ui, "The person at the machine reads it out to you."),
        }
        ui.add_space(4.0);
        ui.add_enabled_ui(!self.trying, |ui| {
            let entry = TextEdit::singleline(&mut *self.password).password(true).desired_width(240.0);
            let field = ui.add(entry.margin(Margin::symmetric(10, 8)).font(egui::TextStyle::Heading));
            if !self.focused {
                field.request_focus();
                self.focused = !ui.is_sizing_pass() && field.enabled();
            }
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            ui.add_space(6.0);
            let button =
                egui::Button::new(RichText::new("Connect").color(Color32::WHITE)).fill(look::ACCENT).min_size(vec2(240.0, 34.0));
            if (ui.add(button).clicked() || entered) && !self.password.is_empty() {
                self.trying = true;
                let typed = std::mem::take(&mut self.password);
                wishes.push(Wish::Act(ViewerAction::Password(Secret(typed))));
            } else if entered {
                field.request_focus();
            }
        });
        cancel(ui, "Cancel", wishes);
    }
}

fn head(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).heading().strong());
    ui.add_space(4.0);
}

fn detail(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).weak());
}

/// Where the log is, and a button that copies that.
fn log_of_session(ui: &mut Ui, file: &str) {
    ui.add_space(8.0);
    detail(ui, "The log of this session:");
    let text = RichText::new(file).small();
    ui.add(egui::Label::new(text).truncate()).on_hover_text(file);
    if ui.button("Copy its path").clicked() {
        ui.ctx().copy_text(file.to_owned());
    }
}

fn cancel(ui: &mut Ui, text: &str, wishes: &mut Vec<Wish>) {
    ui.add_space(10.0);
    if ui.add(egui::Button::new(text).min_size(vec2(110.0, 32.0))).clicked() {
        wishes.push(Wish::Leave);
    }
}

/// With a capital and a full stop, and safe to show.
fn sentence(text: &str) -> String {
    let text = words::plain(text);
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{end}", first.collect::<String>(), letters.as_str())
}

/// `1:05`, `0:09`.
fn clock(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_sentences() {
        assert_eq!(sentence("the host's user said no"), "The host's user said no.");
        assert_eq!((sentence("Why?").as_str(), sentence("").as_str(), clock(125).as_str()), ("Why?", ".", "2:05"));
    }
}
