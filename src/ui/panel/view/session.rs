//! Somebody is here: who sees or controls, what they may do, the chat, the files.

use egui::{Align, Color32, CornerRadius, Frame, Label, Layout, Margin, ProgressBar, RichText, ScrollArea, TextEdit, Ui};

use super::{INSET, driving, means, plain, small, strong, title};
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
/// So many files are shown; older ones are in the log.
const FILES: usize = 3;

/// The chat line as far as it is typed.
#[derive(Default)]
pub(super) struct Entry(String);

pub(super) fn show(ui: &mut Ui, model: &mut Model, entry: &mut Entry, is_folded: &mut bool) {
    let Some(first) = model.sessions.first() else { return };
    let others = model.sessions.len() - 1;
    banner(ui, first, others, is_folded);
    if *is_folded {
        return;
    }
    small(ui, format!("Connected: {}", if first.path.is_empty() { "finding the best way…" } else { &first.path }));
    // What the person does is said after everything is shown: the model is only looked at meanwhile.
    let permit = permissions(ui, first);
    let line = controls(ui, first);
    ui.separator();
    files(ui, first);
    let said = chat(ui, first, entry);
    if let Some((permission, give)) = permit {
        model.permit(&[permission], give);
    }
    line.into_iter().for_each(|line| model.say(line));
    said.into_iter().for_each(|text| model.chat(&text));
}

/// The mark that cannot be overlooked.
fn banner(ui: &mut Ui, session: &Session, others: usize, is_folded: &mut bool) {
    let others = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    let text = format!("{} {}{others}", session.viewer.name, session.does());
    let frame =
        Frame::new().fill(driving(session.drives())).corner_radius(CornerRadius::same(6)).inner_margin(Margin::symmetric(INSET, 8));
    frame.show(ui, |ui| {
        title(ui, is_folded, |ui| {
            let width = ui.available_width() - 40.0;
            let label = Label::new(RichText::new(text).size(16.0).color(Color32::WHITE)).wrap();
            ui.scope(|ui| {
                ui.set_max_width(width);
                ui.add(label);
            });
        });
    });
}

/// A switch for each permission; what was switched.
fn permissions(ui: &mut Ui, session: &Session) -> Option<(Permission, bool)> {
    let mut switched = None;
    egui::Grid::new("permissions").num_columns(2).spacing([14.0, 2.0]).show(ui, |ui| {
        for (index, permission) in Permission::ALL.into_iter().enumerate() {
            let mut given = session.permissions.contains(permission);
            if ui.checkbox(&mut given, means(permission)).changed() {
                switched = Some((permission, given));
            }
            if index % 2 == 1 {
                ui.end_row();
            }
        }
    });
    switched
}

/// Who drives, and the end.
fn controls(ui: &mut Ui, session: &Session) -> Option<&'static str> {
    let mut line = None;
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        if session.drives() {
            if ui.add(strong("Take control back", look::ACCENT)).clicked() {
                line = Some("take");
            }
        } else if ui.add(plain("Give control")).clicked() {
            line = Some("allow control");
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.add(strong("End", look::ALERT)).on_hover_text("End the session").clicked() {
                line = Some("end");
            }
        });
    });
    line
}

fn files(ui: &mut Ui, session: &Session) {
    for transfer in session.files.iter().rev().take(FILES) {
        file(ui, transfer);
    }
    if !session.files.is_empty() {
        ui.separator();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bar's length")]
fn file(ui: &mut Ui, transfer: &Transfer) {
    let Transfer { from, name, size, done, state, .. } = transfer;
    let way = if *from == Side::Host { "↑" } else { "↓" };
    let stands = match state {
        TransferState::Offered => "offered".to_owned(),
        TransferState::Running => format!("{} of {}", words::bytes(*done), words::bytes(*size)),
        TransferState::Paused => "waits for the connection".to_owned(),
        TransferState::Done => format!("{}, verified", words::bytes(*size)),
        TransferState::Failed => "failed".to_owned(),
        TransferState::Refused => "refused".to_owned(),
    };
    ui.add(Label::new(RichText::new(format!("{way} {name} — {stands}")).small()).truncate());
    if matches!(state, TransferState::Running | TransferState::Paused) {
        ui.add(ProgressBar::new(*done as f32 / (*size).max(1) as f32).desired_height(6.0));
    }
}

/// The lines, and the one being typed; what was said.
fn chat(ui: &mut Ui, session: &Session, Entry(entry): &mut Entry) -> Option<String> {
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
    let mut said = None;
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let send = ui.button("Send").clicked();
            let field = TextEdit::singleline(entry).char_limit(MAX_CHAT / 4).hint_text("Message").desired_width(f32::INFINITY);
            let typed = ui.add(field.margin(Margin::symmetric(8, 6)));
            let entered = typed.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if (send || entered) && !entry.trim().is_empty() {
                said = Some(std::mem::take(entry));
                typed.request_focus();
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
