//! What the panel looks like. Each state has a file of its own; here are the frame around them and the parts that they share.

mod asked;
mod finished;
mod ready;
mod session;
#[cfg(test)]
mod tests;

use std::time::Instant;

use egui::{
    Align, Button, Color32, CornerRadius, Frame, Label, Layout, Margin, Response, RichText, ScrollArea, Sense, Ui, WidgetInfo,
    WidgetType, vec2,
};

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
    /// How high the foot was.
    foot: f32,
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

    /// Shows everything; returns how high the window should be, in points. Where the screen is lower than that, only what is between
    /// the head and the foot scrolls: who is here and what answers or ends it is always to be seen.
    pub(super) fn show(&mut self, ui: &mut Ui, model: &mut Model, now: Instant) -> f32 {
        let page = Page::of(model);
        // A question must be seen, and so must the end.
        self.shape.is_folded &= page.has_head();
        if page != Page::Session {
            self.session = session::Typed::default();
        }
        let max = ui.max_rect();
        ui.painter().rect_stroke(max, CornerRadius::ZERO, ui.visuals().window_stroke, egui::StrokeKind::Inside);
        // The scroll bar has the right margin for itself.
        let edge = Frame::new().inner_margin(Margin { right: 0, ..Margin::same(MARGIN) });
        edge.show(ui, |ui| {
            let width = ui.available_width() - f32::from(MARGIN);
            let head = if page.has_head() { part(ui, page, width, |ui| self.head(ui, model, page)) } else { 0.0 };
            let mut body = 0.0;
            if !self.shape.is_folded {
                let room = (ui.available_height() - self.foot).max(0.0);
                let scroll =
                    ScrollArea::vertical().id_salt(page as u8).auto_shrink([false, true]).max_height(room).min_scrolled_height(0.0);
                body = scroll.show(ui, |ui| part(ui, page, width, |ui| self.body(ui, model, page, now))).inner;
            }
            let foot = part(ui, page, width, |ui| self.foot(ui, model, page, now));
            if (foot - self.foot).abs() >= 0.5 {
                self.foot = foot;
                ui.ctx().request_discard("the foot has another height");
            }
            head + body + foot + 2.0 * f32::from(MARGIN)
        })
        .inner
    }

    fn head(&mut self, ui: &mut Ui, model: &mut Model, page: Page) {
        match page {
            Page::Ready => ready::head(ui, model, &mut self.shape),
            Page::Session => session::head(ui, model, &mut self.shape),
            Page::Asked | Page::Finished => {}
        }
    }

    fn body(&mut self, ui: &mut Ui, model: &mut Model, page: Page, now: Instant) {
        match page {
            Page::Asked => asked::body(ui, model),
            Page::Session => session::body(ui, model, &mut self.session, now),
            Page::Finished => finished::body(ui, model),
            Page::Ready => self.ready.body(ui, model),
        }
    }

    fn foot(&mut self, ui: &mut Ui, model: &mut Model, page: Page, now: Instant) {
        if self.shape.is_folded {
            return;
        }
        match page {
            Page::Asked => asked::foot(ui, model, now),
            Page::Session => session::foot(ui, model, &mut self.session),
            Page::Finished => finished::foot(ui, model),
            Page::Ready => {}
        }
        if self.shape.asks_to_close {
            close(ui, model, &mut self.shape);
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

/// What is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Asked,
    Session,
    Finished,
    Ready,
}

impl Page {
    fn of(model: &Model) -> Self {
        if model.request.is_some() {
            Self::Asked
        } else if !model.sessions.is_empty() {
            Self::Session
        } else if model.finished.is_some() {
            Self::Finished
        } else {
            Self::Ready
        }
    }

    fn has_head(self) -> bool {
        matches!(self, Self::Ready | Self::Session)
    }
}

/// A part of the page, so wide; how high it is with the space below it. Its widgets are others than those of another page at the same
/// place: a press on one of them is no click on what is there at its release.
fn part(ui: &mut Ui, page: Page, width: f32, add: impl FnOnce(&mut Ui)) -> f32 {
    let height = ui.push_id(page as u8, |ui| {
        ui.set_max_width(width);
        add(ui);
    });
    match height.response.rect.height() {
        0.0 => 0.0,
        height => height + ui.spacing().item_spacing.y,
    }
}

/// The question whether to stop: this window is how most people know that somebody may come.
fn close(ui: &mut Ui, model: &mut Model, shape: &mut Shape) {
    ui.separator();
    let session = if model.sessions.is_empty() { "Nobody" } else { "The session ends, and nobody" };
    ui.add(Label::new(format!("Stop hosting? {session} can reach this computer until you start rs again.")).wrap());
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

/// Gives a widget a name for screen readers, where what it shows is none.
fn called(response: Response, kind: WidgetType, name: &str) -> Response {
    response.widget_info(|| WidgetInfo::labeled(kind, response.enabled(), name));
    response
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
                let button = ui.add(Button::new(sign).min_size(vec2(28.0, 24.0))).on_hover_text(hint);
                called(button, WidgetType::Button, hint).clicked()
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
            if called(ui.button("Copy").on_hover_text(hint), WidgetType::Button, hint).clicked() {
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
