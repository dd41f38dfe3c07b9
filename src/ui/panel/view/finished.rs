//! It is over. This stays until the person has read it.

use egui::{Label, RichText, Ui, WidgetType};

use super::{at_right, called, small, strong};
use crate::ui::{event::Side, panel::model::Model, soft::look, words};

/// How long, what was transferred, and where that is written.
pub(super) fn body(ui: &mut Ui, model: &mut Model) {
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
            let hint = "Copy the path of the log";
            if called(ui.button("Copy").on_hover_text(hint), WidgetType::Button, hint).clicked() {
                ui.ctx().copy_text(path.clone());
            }
            ui.add(Label::new(RichText::new(&path).small()).truncate()).on_hover_text(&path);
        });
    }
}

/// It was read.
pub(super) fn foot(ui: &mut Ui, model: &mut Model) {
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        at_right(ui, |ui| {
            if ui.add(strong("OK", look::ACCENT)).clicked() {
                model.close_finished();
            }
        });
    });
}
