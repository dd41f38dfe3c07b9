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
    shape: Shape,
    ready: ready::Ready,
    session: session::Typed,
}

/// How much of the window is shown.
#[derive(Default)]
struct Shape {
    /// Only the first line.
    is_folded: bool,
    /// The question whether to stop, too.
    asks_to_close: bool,
}

impl View {
    /// Somebody wants to close the window: the person is asked whether to stop hosting.
    pub(super) fn ask_to_close(&mut self) {
        self.shape = Shape { is_folded: false, asks_to_close: true };
    }

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
        let shape = &mut self.shape;
        if model.request.is_some() {
            // A question must be seen.
            shape.is_folded = false;
            asked::show(ui, model, now);
        } else if !model.sessions.is_empty() {
            session::show(ui, model, &mut self.session, shape, now);
        } else if model.finished.is_some() {
            shape.is_folded = false;
            finished::show(ui, model);
        } else {
            self.ready.show(ui, model, shape);
        }
        if model.sessions.is_empty() {
            self.session = session::Typed::default();
        }
        if shape.is_folded {
            return;
        }
        if shape.asks_to_close {
            close(ui, model, shape);
        }
        if let Some((text, _)) = &model.news {
            small(ui, text);
        }
        if let Some((text, _)) = &model.warning {
            ui.add_space(4.0);
            note(ui, ui.visuals().warn_fg_color, text);
        }
    }
}

/// The question whether to stop: this window is how most people know that somebody may come.
fn close(ui: &mut Ui, model: &mut Model, shape: &mut Shape) {
    ui.separator();
    let session = if model.sessions.is_empty() { "" } else { "The session ends, and " };
    ui.add(Label::new(format!("Stop hosting? {session}nobody can reach this computer until you start rs again.")).wrap());
    ui.horizontal(|ui| {
        if ui.add(plain("Keep on")).clicked() {
            shape.asks_to_close = false;
        }
        at_right(ui, |ui| {
            if ui.add(strong("Stop", look::ALERT)).clicked() {
                model.say("quit");
            }
        });
    });
}

/// At the right end of a line.
fn at_right(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    ui.with_layout(Layout::right_to_left(Align::Center), add);
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

/// One line at the left, and the buttons of the window at the right.
fn title(ui: &mut Ui, shape: &mut Shape, left: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        left(ui);
        at_right(ui, |ui| {
            let button = |ui: &mut Ui, sign: &str, hint: &str| {
                ui.spacing_mut().button_padding.x = 4.0;
                ui.add(Button::new(sign).min_size(vec2(28.0, 24.0))).on_hover_text(hint).clicked()
            };
            if button(ui, "✖", "Stop hosting") {
                (shape.is_folded, shape.asks_to_close) = (false, true);
            }
            let (sign, hint) = if shape.is_folded { ("+", "Show everything") } else { ("–", "Show one line only") };
            if button(ui, sign, hint) {
                shape.is_folded = !shape.is_folded;
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
        at_right(ui, |ui| {
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
