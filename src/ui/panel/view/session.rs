//! Somebody is here: who sees or controls, what they may do, the chat, the files.

use std::time::{Duration, Instant};

use egui::{
    Align, Button, Color32, CornerRadius, Frame, Label, Layout, Margin, ProgressBar, RichText, ScrollArea, TextEdit, Ui,
    WidgetType, vec2,
};

use super::{INSET, Shape, at_right, called, driving, means, plain, small, strong, title};
use crate::{
    protocol::{message::MAX_CHAT, permission::Permission},
    ui::{
        event::{Side, Transfer, TransferState},
        panel::model::{Model, Said, Session},
        soft::look,
        words,
    },
};

/// The chat's height, in points.
const CHAT: f32 = 132.0;
/// The longest name of a file that can be typed, in characters.
const MAX_PATH: usize = 1024;
/// So many files are shown; older ones are in the log.
const FILES: usize = 3;

/// What is being typed.
#[derive(Default)]
pub(super) struct Typed {
    /// The chat line.
    line: String,
    /// The name of a file to send, while its field is open.
    file: Option<String>,
}

/// Who is here, and what takes control back or ends it.
pub(super) fn head(ui: &mut Ui, model: &mut Model, shape: &mut Shape) {
    for (index, session) in model.sessions.iter().enumerate() {
        banner(ui, session, (index == 0).then_some(&mut *shape));
    }
    let Some(first) = model.sessions.first().filter(|_| !shape.is_folded) else { return };
    if let Some(line) = controls(ui, first, model.sessions.len() > 1) {
        model.say(line);
    }
}

/// What they may do, the files, and the chat.
pub(super) fn body(ui: &mut Ui, model: &mut Model, typed: &mut Typed, now: Instant) {
    let Some(first) = model.sessions.first() else { return };
    if model.sessions.len() > 1 {
        small(ui, "What you switch, write, send or end here is for all of them.");
    } else {
        small(ui, format!("Connected: {}", if first.path.is_empty() { "finding the best way…" } else { &first.path }));
    }
    // What the person does is said after everything is shown: the model is only looked at meanwhile.
    let permit = permissions(ui, first, now);
    ui.separator();
    files(ui, first);
    let sent = file_entry(ui, &mut typed.file, first.permissions.contains(Permission::Files));
    ui.separator();
    chat(ui, first);
    match permit {
        Some((permission, Wish::Give)) => model.permit(&[permission], true),
        Some((permission, Wish::Take)) => model.permit(&[permission], false),
        Some((permission, Wish::Lend(time))) => model.lend(permission, time),
        None => {}
    }
    if sent.is_some_and(|path| model.send_file(&path)) {
        typed.file = None;
    }
}

/// The line being typed.
pub(super) fn foot(ui: &mut Ui, model: &mut Model, typed: &mut Typed) {
    if let Some(text) = entry(ui, &mut typed.line) {
        model.chat(&text);
    }
}

/// The mark that cannot be overlooked; the first one carries the buttons of the window.
fn banner(ui: &mut Ui, session: &Session, shape: Option<&mut Shape>) {
    let text = format!("{} {}", session.viewer.name, session.does());
    let buttons = if shape.is_some() { 84.0 } else { 0.0 };
    let label = |ui: &mut Ui| {
        let width = ui.available_width() - buttons;
        let label = Label::new(RichText::new(text).size(16.0).color(Color32::WHITE)).wrap();
        ui.scope(|ui| {
            ui.set_max_width(width);
            ui.add(label);
        });
    };
    let frame =
        Frame::new().fill(driving(session.drives())).corner_radius(CornerRadius::same(6)).inner_margin(Margin::symmetric(INSET, 8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        match shape {
            Some(shape) => title(ui, shape, label),
            None => label(ui),
        }
    });
}

/// What the person wants of a permission.
enum Wish {
    Give,
    Take,
    /// For so long, as the host's lines have it.
    Lend(&'static str),
}

/// A switch for each permission, with a choice for how long; what was wished.
fn permissions(ui: &mut Ui, session: &Session, now: Instant) -> Option<(Permission, Wish)> {
    let mut wish = None;
    ui.spacing_mut().interact_size.y = 22.0;
    for permission in Permission::ALL {
        let is_given = session.permissions.contains(permission);
        ui.horizontal(|ui| {
            let mut given = is_given;
            if ui.checkbox(&mut given, means(permission)).changed() {
                wish = Some((permission, if given { Wish::Give } else { Wish::Take }));
            }
            at_right(ui, |ui| {
                ui.spacing_mut().button_padding = vec2(6.0, 1.0);
                let left = session.left(permission, now).filter(|_| is_given).map(left);
                let stands = left.unwrap_or_else(|| if is_given { "no limit".to_owned() } else { "for a while".to_owned() });
                let menu = RichText::new(format!("{stands} ⏷")).small();
                let choices =
                    [("For 10 minutes", Wish::Lend("10m")), ("For 1 hour", Wish::Lend("1h")), ("Without a limit", Wish::Give)];
                let button = ui.menu_button(menu, |ui| {
                    for (text, choice) in choices {
                        if ui.button(text).clicked() {
                            wish = Some((permission, choice));
                            ui.close();
                        }
                    }
                });
                called(button.response, WidgetType::Button, &format!("{}: {stands}", means(permission)));
            });
        });
    }
    ui.spacing_mut().interact_size.y = 28.0;
    wish
}

/// `9 min left`, in the last minute `30 s left`.
fn left(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    if seconds > 60 { format!("{} min left", seconds.div_ceil(60)) } else { format!("{seconds} s left") }
}

/// Who drives, and the end.
fn controls(ui: &mut Ui, session: &Session, several: bool) -> Option<&'static str> {
    let mut line = None;
    ui.horizontal(|ui| {
        // The press takes control already, as any touch does: the release must not be a click on what is there now.
        if session.drives() {
            if ui.push_id("take", |ui| ui.add(strong("Take control back", look::ACCENT))).inner.clicked() {
                line = Some("take");
            }
        } else if ui.push_id("give", |ui| ui.add(plain("Give control"))).inner.clicked() {
            line = Some("allow control");
        }
        at_right(ui, |ui| {
            let end = strong(if several { "End all" } else { "End" }, look::ALERT);
            if ui.add(end).on_hover_text("End the session").clicked() {
                line = Some("end");
            }
        });
    });
    line
}

fn files(ui: &mut Ui, session: &Session) {
    ui.spacing_mut().interact_size.y = 16.0;
    for transfer in session.files.iter().rev().take(FILES) {
        file(ui, transfer);
    }
    ui.spacing_mut().interact_size.y = 28.0;
}

/// The button to send a file, or the field for its name; the name that was entered.
fn file_entry(ui: &mut Ui, file: &mut Option<String>, may: bool) -> Option<String> {
    let Some(path) = file else {
        if ui.add_enabled(may, Button::new("Send a file…")).on_disabled_hover_text("Exchange files is off").clicked() {
            *file = Some(String::new());
        }
        return None;
    };
    let (mut sent, mut cancelled) = (None, false);
    ui.horizontal(|ui| {
        at_right(ui, |ui| {
            cancelled = ui.button("Cancel").clicked();
            let send = ui.button("Send").clicked();
            let field = TextEdit::singleline(path).char_limit(MAX_PATH).hint_text("/folder/file").desired_width(f32::INFINITY);
            let typed = called(ui.add(field.margin(Margin::symmetric(8, 6))), WidgetType::TextEdit, "The file to send");
            let entered = typed.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            sent = (send || entered).then(|| path.clone());
        });
    });
    if cancelled {
        *file = None;
    }
    sent
}

#[expect(clippy::cast_precision_loss, reason = "a bar's length")]
fn file(ui: &mut Ui, transfer: &Transfer) {
    let Transfer { from, name, size, done, state, reason, .. } = transfer;
    let way = if *from == Side::Host { "⬆" } else { "⬇" };
    let stands = match state {
        TransferState::Offered => "offered".to_owned(),
        TransferState::Running => format!("{} of {}", words::bytes(*done), words::bytes(*size)),
        TransferState::Paused => "waits for the connection".to_owned(),
        TransferState::Done => format!("{}, verified", words::bytes(*size)),
        TransferState::Failed => "failed".to_owned(),
        TransferState::Refused => "refused".to_owned(),
    };
    ui.horizontal(|ui| {
        at_right(ui, |ui| {
            ui.label(RichText::new(stands).small().weak());
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(RichText::new(format!("{way} {name}")).small()).truncate()).on_hover_text(name);
            });
        });
    });
    if matches!(state, TransferState::Running | TransferState::Paused) {
        let bar = ProgressBar::new(*done as f32 / (*size).max(1) as f32).desired_height(6.0).fill(look::ACCENT);
        called(ui.add(bar), WidgetType::ProgressIndicator, name);
    }
    if let Some(reason) = reason {
        small(ui, reason);
    }
}

/// What was said.
fn chat(ui: &mut Ui, session: &Session) {
    small(ui, "Chat");
    ScrollArea::vertical()
        .id_salt("chat")
        .max_height(CHAT)
        .min_scrolled_height(CHAT)
        .auto_shrink([false, false])
        .stick_to_bottom(true)
        .show(ui, |ui| {
            if session.chat.is_empty() {
                small(ui, format!("Write to {} here.", session.viewer.name));
            }
            session.chat.iter().for_each(|said| line(ui, session, said));
        });
}

/// Something to say; what was said.
fn entry(ui: &mut Ui, entry: &mut String) -> Option<String> {
    let mut said = None;
    ui.horizontal(|ui| {
        at_right(ui, |ui| {
            let send = ui.button("Send").clicked();
            let field = TextEdit::singleline(entry).char_limit(MAX_CHAT / 4).hint_text("Message").desired_width(f32::INFINITY);
            let typed = called(ui.add(field.margin(Margin::symmetric(8, 6))), WidgetType::TextEdit, "Message");
            let entered = typed.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if send || entered {
                // Enter takes the focus away, also from an empty field.
                typed.request_focus();
                said = (!entry.trim().is_empty()).then(|| std::mem::take(entry));
            }
        });
    });
    said
}

/// Text only: an address in it is shown and leads nowhere.
fn line(ui: &mut Ui, session: &Session, said: &Said) {
    let is_ours = said.from == Side::Host;
    let who = if is_ours { "You" } else { &session.viewer.name };
    let mark = match is_ours {
        true if said.number <= session.delivered => "  ✔",
        true => "  …",
        false => "",
    };
    small(ui, format!("{who}  {}{mark}", said.at));
    ui.add(Label::new(&said.text).wrap().selectable(true));
}
