//! It is over. This stays until the person has read it.

use egui::{Label, RichText, Ui};

use super::{at_right, small, strong};
use crate::ui::{event::Side, panel::model::Model, soft::look, words};

pub(super) fn show(ui: &mut Ui, model: &mut Model) {
    let Some(finished) = &model.finished else { return };
    ui.label(RichText::new("The session is finished").heading());
    let who = if finished.viewer.is_empty() { "Your helper" } else { &finished.viewer };
    let lasted = words::duration(finished.seconds);
    ui.add(
        Label::new(format!("{who} was connected for {lasted}. It ended because {}.", words::reason(finished.reason, Side::Host)))
            .wrap(),
    );
    ui.add_space(4.0);
    let summary = &finished.summary;
    small(ui, "Transferred");
    ui.label(format!("Picture: {}", words::bytes(summary.picture_bytes)));
    ui.label(match summary.files {
        0 => "Files: none".to_owned(),
        1 => format!("Files: 1 ({})", words::bytes(summary.file_bytes)),
        files => format!("Files: {files} ({})", words::bytes(summary.file_bytes)),
    });
    if let Some(log) = &summary.log {
        let path = words::plain(&log.display().to_string());
        ui.add_space(4.0);
        small(ui, "Log of this session");
        ui.horizontal(|ui| {
            if ui.button("Copy").on_hover_text("Copy the path of the log").clicked() {
                ui.ctx().copy_text(path.clone());
            }
            ui.add(Label::new(RichText::new(&path).small()).truncate()).on_hover_text(&path);
        });
    }
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        at_right(ui, |ui| {
            if ui.add(strong("OK", look::ACCENT)).clicked() {
                model.close_finished();
            }
        });
    });
}
