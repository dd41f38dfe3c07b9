//! Somebody asks: who it is, what they want, and the person's yes or no. Nothing has the keyboard, so that no key says yes by chance.

use std::time::Instant;

use egui::{RichText, Ui};

use super::{at_right, means, note, plain, small, strong};
use crate::ui::{panel::model::Model, soft::look};

/// Said to whoever is asked by a stranger.
const SCAM: &str = "Banks, the police and computer companies never call and ask for this. \
                    If you did not ask this person for help yourself, press Deny.";

/// Who, and what they ask for.
pub(super) fn body(ui: &mut Ui, model: &mut Model) {
    let Some(request) = &mut model.request else { return };
    ui.label(RichText::new(format!("{} asks to help you", request.viewer.name)).heading());
    let since = request.viewer.since.as_deref().map(|day| format!("Was here before, first on {day}"));
    let known = if request.viewer.known {
        since.unwrap_or_else(|| "Was here before".to_owned())
    } else {
        "Never was here before".to_owned()
    };
    small(ui, format!("{known}. Key {}.", request.viewer.key));
    ui.add_space(4.0);
    if !request.viewer.known {
        note(ui, look::ALERT, SCAM);
    }
    ui.add_space(2.0);
    small(ui, "Ask them for this code. It must be the same on their screen.");
    ui.vertical_centered(|ui| ui.label(RichText::new(&request.code).size(26.0).monospace()));
    ui.separator();
    small(ui, "They may:");
    for permission in request.wants.iter() {
        let mut given = request.given.contains(permission);
        if ui.checkbox(&mut given, means(permission)).changed() {
            if given { request.given.insert(permission) } else { request.given.remove(permission) }
        }
    }
}

/// Yes or no.
pub(super) fn foot(ui: &mut Ui, model: &mut Model, now: Instant) {
    let Some(request) = &model.request else { return };
    ui.add_space(4.0);
    let wait = request.from.saturating_duration_since(now).as_secs_f32().ceil();
    let text = if wait > 0.0 { format!("Allow ({wait})") } else { "Allow".to_owned() };
    let may = wait == 0.0 && request.given.without_blind().iter().next().is_some();
    ui.horizontal(|ui| {
        if ui.add(plain("Deny")).clicked() {
            model.deny();
        }
        at_right(ui, |ui| {
            if ui.add_enabled(may, strong(&text, look::ACCENT)).clicked() {
                model.accept(now);
            }
        });
    });
}
