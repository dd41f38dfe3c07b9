//! Files beside the picture: what is on its way, what the host offers, and a line to send one from. At most [`MAX_SHOWN`] are kept.

use std::path::PathBuf;

use egui::{Align, Layout, Margin, ProgressBar, RichText, ScrollArea, TextEdit, Ui};

use super::{Wish, look};
use crate::ui::{
    event::{Side, Transfer, TransferState, ViewerAction},
    words,
};

/// Older ones are forgotten.
const MAX_SHOWN: usize = 64;

/// The transfers, newest last.
#[derive(Default)]
pub(super) struct Files {
    transfers: Vec<Transfer>,
    entry: String,
    wrong: Option<String>,
}

impl Files {
    /// How a transfer stands now.
    pub(super) fn follow(&mut self, transfer: &Transfer) {
        let same = |known: &&mut Transfer| (known.number, known.from) == (transfer.number, transfer.from);
        match self.transfers.iter_mut().find(same) {
            Some(known) => known.clone_from(transfer),
            None => self.transfers.push(transfer.clone()),
        }
        if self.transfers.len() > MAX_SHOWN {
            self.transfers.remove(0);
        }
    }

    /// Offers that wait for an answer.
    pub(super) fn offers(&self) -> usize {
        let offered = |transfer: &&Transfer| transfer.from == Side::Host && transfer.state == TransferState::Offered;
        self.transfers.iter().filter(offered).count()
    }

    /// Draws them.
    pub(super) fn show(&mut self, ui: &mut Ui, permitted: bool, wishes: &mut Vec<Wish>) {
        ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
            ui.add_enabled_ui(permitted, |ui| self.show_entry(ui, wishes));
            let hint = match (&self.wrong, permitted) {
                (_, false) => "The person at the machine has not allowed files.",
                (Some(wrong), _) => wrong,
                _ => "Drop files on the picture, or type where one is.",
            };
            ui.label(RichText::new(hint).small().weak());
            ui.separator();
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                    if self.transfers.is_empty() {
                        ui.weak("No file is on its way.");
                    }
                    self.transfers.iter().rev().for_each(|transfer| show_transfer(ui, transfer, wishes));
                })
            });
        });
    }

    fn show_entry(&mut self, ui: &mut Ui, wishes: &mut Vec<Wish>) {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let ready = !self.entry.trim().is_empty();
                let sends = ui.add_enabled(ready, egui::Button::new("Send")).clicked();
                let entry = TextEdit::singleline(&mut self.entry).hint_text("/path/to/file").desired_width(f32::INFINITY);
                let field = ui.add(entry.margin(Margin::symmetric(8, 6)));
                let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                if (sends || entered) && !self.entry.trim().is_empty() {
                    let file = PathBuf::from(self.entry.trim());
                    if file.is_file() {
                        self.entry.clear();
                        self.wrong = None;
                        wishes.push(Wish::Act(ViewerAction::Send(vec![file])));
                    } else {
                        self.wrong = Some("There is no such file.".to_owned());
                    }
                }
            });
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a part of a bar")]
fn show_transfer(ui: &mut Ui, transfer: &Transfer, wishes: &mut Vec<Wish>) {
    let incoming = transfer.from == Side::Host;
    ui.horizontal(|ui| {
        ui.label(if incoming { "⬇" } else { "⬆" });
        ui.add(egui::Label::new(RichText::new(words::plain(&transfer.name)).strong()).truncate());
    });
    let size = words::bytes(transfer.size);
    match transfer.state {
        TransferState::Offered if incoming => {
            ui.horizontal(|ui| {
                ui.weak(size);
                let save = egui::Button::new(RichText::new("Save").color(egui::Color32::WHITE)).fill(look::ACCENT);
                if ui.add(save).clicked() {
                    wishes.push(Wish::Act(ViewerAction::Save(transfer.number)));
                }
                if ui.button("Refuse").clicked() {
                    wishes.push(Wish::Act(ViewerAction::Refuse(transfer.number)));
                }
            });
        }
        TransferState::Offered | TransferState::Running | TransferState::Paused => {
            let part = if transfer.size == 0 { 0.0 } else { transfer.done as f32 / transfer.size as f32 };
            ui.add(ProgressBar::new(part).desired_height(8.0).fill(look::ACCENT));
            ui.horizontal(|ui| {
                let state = match transfer.state {
                    TransferState::Offered => "waits for the person at the machine",
                    TransferState::Paused => "interrupted; it goes on by itself",
                    _ => "on its way",
                };
                ui.label(RichText::new(format!("{} of {size}, {state}", words::bytes(transfer.done))).small().weak());
                if ui.small_button("Cancel").clicked() {
                    wishes.push(Wish::Act(ViewerAction::Cancel(transfer.number)));
                }
            });
        }
        TransferState::Done => {
            let place = transfer.file.as_ref().filter(|_| incoming).map(|file| format!(", in {}", file.display()));
            let text = format!("✔ {size}, verified{}", words::plain(&place.unwrap_or_default()));
            ui.label(RichText::new(text).small().color(look::GOOD));
        }
        TransferState::Failed | TransferState::Refused => {
            let reason = transfer.reason.as_deref().map(words::plain);
            ui.label(RichText::new(reason.unwrap_or_else(|| "It was not transferred.".to_owned())).small().color(look::ALERT));
        }
    }
    ui.add_space(6.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_followed_by_its_number_and_side() {
        let transfer = |number, from, done, state| Transfer {
            number,
            from,
            name: "a".to_owned(),
            size: 9,
            done,
            state,
            file: None,
            blake3: None,
            reason: None,
        };
        let mut files = Files::default();
        files.follow(&transfer(1, Side::Host, 0, TransferState::Offered));
        files.follow(&transfer(1, Side::Viewer, 0, TransferState::Offered));
        assert_eq!((files.transfers.len(), files.offers()), (2, 1));
        files.follow(&transfer(1, Side::Host, 5, TransferState::Running));
        assert_eq!((files.transfers.len(), files.offers(), files.transfers[0].done), (2, 0, 5));
        (2..500).for_each(|number| files.follow(&transfer(number, Side::Host, 0, TransferState::Offered)));
        assert_eq!(files.transfers.len(), MAX_SHOWN);
    }
}
