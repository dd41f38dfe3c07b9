//! What the panel looks like. Each state has a file of its own; here are the frame around them and the parts that they share.

mod asked;
mod finished;
mod ready;
mod session;

use std::time::Instant;

use egui::{Align, Button, Color32, CornerRadius, Frame, Label, Layout, Margin, RichText, ScrollArea, Sense, Ui, vec2};

use super::model::Model;
use crate::{protocol::permission::Permission, ui::soft::look};

/// Around everything, in points.
const MARGIN: i8 = 16;
/// Beside text on a tinted ground.
const INSET: i8 = 10;

/// What belongs to the window rather than to the host.
#[derive(Default)]
pub(super) struct View {
    /// Only the first line is shown.
    is_folded: bool,
    ready: ready::Ready,
    session: session::Entry,
}

impl View {
    /// Shows everything; returns how high the window should be, in points.
    pub(super) fn show(&mut self, ui: &mut Ui, model: &mut Model, now: Instant) -> f32 {
        let mut height = 0.0;
        let edge = Frame::new().inner_margin(Margin::same(MARGIN));
        let max = ui.max_rect();
        ui.painter().rect_stroke(max, CornerRadius::ZERO, ui.visuals().window_stroke, egui::StrokeKind::Inside);
        edge.show(ui, |ui| {
            ScrollArea::vertical().auto_shrink([false, true]).show(ui, |ui| {
                ui.set_width(ui.available_width());
                self.state(ui, model, now);
                height = ui.min_rect().height();
            });
        });
        height + 2.0 * f32::from(MARGIN)
    }

    fn state(&mut self, ui: &mut Ui, model: &mut Model, now: Instant) {
        if model.request.is_some() {
            // A question must be seen.
            self.is_folded = false;
            asked::show(ui, model, now);
        } else if !model.sessions.is_empty() {
            session::show(ui, model, &mut self.session, &mut self.is_folded);
        } else if model.finished.is_some() {
            self.is_folded = false;
            finished::show(ui, model);
        } else {
            self.ready.show(ui, model, &mut self.is_folded);
        }
        if let Some((text, _)) = &model.warning
            && !self.is_folded
        {
            ui.add_space(4.0);
            note(ui, ui.visuals().warn_fg_color, text);
        }
    }
}

/// Small words above or below something.
fn small(ui: &mut Ui, text: impl Into<String>) {
    ui.add(Label::new(RichText::new(text).small().weak()).wrap());
}

/// A button that goes on, or one that ends.
fn strong(text: &str, fill: Color32) -> Button<'_> {
    Button::new(RichText::new(text).color(Color32::WHITE)).fill(fill).min_size(vec2(96.0, 34.0))
}

/// A button of the usual colour and the same height.
fn plain(text: &str) -> Button<'_> {
    Button::new(text).min_size(vec2(96.0, 34.0))
}

/// Words on a tinted ground that should not be overlooked.
fn note(ui: &mut Ui, colour: Color32, text: &str) {
    let frame = Frame::new()
        .fill(colour.gamma_multiply(0.14))
        .stroke((1.0, colour.gamma_multiply(0.6)))
        .corner_radius(6)
        .inner_margin(Margin::symmetric(INSET, 8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.add(Label::new(RichText::new(text).size(13.5)).wrap());
    });
}

/// One line at the left, and the button that folds the window at the right.
fn title(ui: &mut Ui, is_folded: &mut bool, left: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        left(ui);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let (sign, hint) = if *is_folded { ("+", "Show everything") } else { ("–", "Show one line only") };
            if ui.add(Button::new(sign).min_size(vec2(28.0, 24.0))).on_hover_text(hint).clicked() {
                *is_folded = !*is_folded;
            }
        });
    });
}

/// A dot that says how things stand.
fn dot(ui: &mut Ui, colour: Color32) {
    let (place, _) = ui.allocate_exact_size(vec2(12.0, 20.0), Sense::hover());
    ui.painter().circle_filled(place.center(), 5.0, colour);
}

/// Something to read out, large, with a button to copy it and more after that.
fn large(ui: &mut Ui, text: &str, size: f32, hint: &str, more: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(text).size(size).monospace());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("Copy").on_hover_text(hint).clicked() {
                ui.ctx().copy_text(text.to_owned());
            }
            more(ui);
        });
    });
}

/// A permission in words.
fn means(permission: Permission) -> &'static str {
    match permission {
        Permission::View => "See the screen",
        Permission::Point => "Point at things",
        Permission::Mouse => "Use the mouse",
        Permission::Keyboard => "Use the keyboard",
        Permission::Clipboard => "Share the clipboard",
        Permission::Files => "Exchange files",
    }
}

/// The colour of who drives.
fn driving(drives: bool) -> Color32 {
    if drives { look::ALERT } else { look::ACCENT }
}
