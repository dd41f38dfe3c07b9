//! The toolbar's buttons and menus.

use std::time::{Duration, Instant};

use egui::{Align2, Area, Button, Color32, Frame, Id, Margin, Order, RichText, Ui, vec2};

use super::{
    Side, Wish,
    desk::{self, Desk},
    look,
};
use crate::{
    protocol::{input::KeyboardMode, message::Holder, permission::Permission, screens::Choice},
    ui::{
        event::{Show, ViewerAction},
        keymap,
        status::Status,
        words,
    },
};

/// How long "End" waits to be pressed again.
const SURE: Duration = Duration::from_secs(4);
/// What no keyboard sends to a window, or a desktop keeps to itself: what it is called, and the keys.
const SPECIAL: &[(&str, &str)] = &[
    ("Ctrl+Alt+Del", "ctrl+alt+Delete"),
    ("Ctrl+Alt+Backspace", "ctrl+alt+Backspace"),
    ("Ctrl+Esc", "ctrl+Escape"),
    ("Alt+Tab", "alt+Tab"),
    ("Alt+F4", "alt+F4"),
    ("Super", "super"),
    ("Print Screen", "Print"),
];
/// How keys can be understood.
const KEYBOARDS: &[(KeyboardMode, &str)] = &[
    (KeyboardMode::Auto, "What is printed on them, if that differs"),
    (KeyboardMode::Translate, "Always what is printed on them"),
    (KeyboardMode::Physical, "By position, as at the host's keyboard"),
];
/// The host's text consoles.
const CONSOLES: std::ops::RangeInclusive<u8> = 1..=12;

/// How the picture lies in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ui) struct View {
    /// One pixel for one, rather than all of it to be seen.
    pub(in crate::ui) actual_size: bool,
    /// Without borders.
    pub(in crate::ui) full_screen: bool,
}

/// Draws it, and says what was pressed.
pub(super) fn show(ui: &mut Ui, desk: &mut Desk, status: &Status, view: View, wishes: &mut Vec<Wish>) {
    // Beside what is open at the side, not over it.
    let side = if desk.side.is_some() { desk::side_width(ui.ctx()) } else { 0.0 };
    let room = ui.ctx().content_rect().width() - side - 16.0;
    let bar = Area::new(Id::new("toolbar")).order(Order::Middle).anchor(Align2::CENTER_TOP, vec2(-side / 2.0, 6.0));
    let shown = bar.show(ui.ctx(), |ui| {
        Frame::window(ui.style()).inner_margin(Margin::symmetric(8, 6)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            ui.spacing_mut().button_padding = vec2(9.0, 5.0);
            ui.set_max_width(room.max(80.0));
            let buttons = |ui: &mut Ui| buttons(ui, desk, status, view, wishes);
            // In a narrow window the buttons take several rows.
            if room < 660.0 { ui.horizontal_wrapped(buttons) } else { ui.horizontal(buttons) }
        })
    });
    desk::settle(&shown.response);
}

/// The handle that tells where to rest the pointer.
pub(super) fn hint(ui: &mut Ui) {
    let handle = Area::new(Id::new("handle")).order(Order::Middle).interactable(false).anchor(Align2::CENTER_TOP, vec2(0.0, 0.0));
    handle.show(ui.ctx(), |ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(84.0, 4.0), egui::Sense::hover());
        ui.painter().rect_filled(rect, 2.0, look::ACCENT);
    });
}

fn buttons(ui: &mut Ui, desk: &mut Desk, status: &Status, view: View, wishes: &mut Vec<Wish>) {
    ui.menu_button("View ⏷", |ui| view_menu(ui, desk, view, wishes));
    if desk.screens.as_ref().is_some_and(|screens| screens.screens.len() > 1) {
        ui.menu_button("Screens ⏷", |ui| screens_menu(ui, desk, wishes));
    }
    ui.menu_button("Keys ⏷", |ui| keys_menu(ui, desk, wishes)).response.on_hover_text("Keys that this desktop keeps to itself");
    let unread = if desk.chat.unread() > 0 { format!("Chat ({})", desk.chat.unread()) } else { "Chat".to_owned() };
    side_button(ui, desk, Side::Chat, unread, wishes);
    let offers = if desk.files.offers() > 0 { format!("Files ({})", desk.files.offers()) } else { "Files".to_owned() };
    side_button(ui, desk, Side::Files, offers, wishes);
    if ui.button("Screenshot").on_hover_text("Saves the picture as PNG").clicked() {
        wishes.push(Wish::Screenshot);
    }
    ui.separator();
    let (mark, ink) = match status.is_exact() {
        Some(true) => ("exact", look::GOOD),
        Some(false) => ("catching up", look::ALERT),
        None => ("no picture", ui.visuals().weak_text_color()),
    };
    // As easy to read on dark.
    let ink = if ui.visuals().dark_mode { ink.lerp_to_gamma(Color32::WHITE, 0.35) } else { ink };
    ui.menu_button(RichText::new(format!("• {mark} ⏷")).color(ink), |ui| quality_menu(ui, desk, wishes));
    let driver = match status.holder() {
        _ if !desk.permissions.may_control() => "view only",
        Holder::Remote => "you drive",
        Holder::Local => "they drive",
    };
    ui.menu_button(format!("{driver} ⏷"), |ui| permissions_menu(ui, desk, status));
    ui.separator();
    end_button(ui, desk, wishes);
}

fn side_button(ui: &mut Ui, desk: &Desk, side: Side, text: String, wishes: &mut Vec<Wish>) {
    if ui.add(Button::new(text).selected(desk.side == Some(side))).clicked() {
        wishes.push(Wish::Side(if desk.side == Some(side) { None } else { Some(side) }));
    }
}

fn view_menu(ui: &mut Ui, desk: &Desk, view: View, wishes: &mut Vec<Wish>) {
    ui.set_min_width(220.0);
    let mut item = |ui: &mut Ui, on: bool, text: &str, keys: &str, wish: Wish| {
        if ui.add(Button::selectable(on, text).shortcut_text(keys)).clicked() {
            wishes.push(wish);
            ui.close();
        }
    };
    item(ui, !view.actual_size, "Fit into the window", "", Wish::ActualSize(false));
    item(ui, view.actual_size, "Actual size", "Ctrl+Alt+1", Wish::ActualSize(true));
    ui.separator();
    item(ui, view.full_screen, "Full screen", "Ctrl+Alt+F", Wish::FullScreen);
    item(ui, desk.figures, "Statistics", "Ctrl+Alt+I", Wish::Figures);
}

fn screens_menu(ui: &mut Ui, desk: &Desk, wishes: &mut Vec<Wish>) {
    ui.set_min_width(200.0);
    let Some(screens) = &desk.screens else { return };
    let mut item = |ui: &mut Ui, choice: Choice, text: &str, show: Show| {
        if ui.add(Button::selectable(screens.shown == choice, text)).clicked() {
            wishes.push(Wish::Act(ViewerAction::Show(show)));
            ui.close();
        }
    };
    for (index, screen) in (0..).zip(&screens.screens) {
        let main = if screen.primary { ", main" } else { "" };
        let text = format!("{}  {} × {}{main}", words::plain(&screen.name), screen.width, screen.height);
        item(ui, Choice::One(index), &text, Show::One(index));
    }
    item(ui, Choice::All, "All in one picture", Show::All);
}

fn keys_menu(ui: &mut Ui, desk: &Desk, wishes: &mut Vec<Wish>) {
    ui.set_min_width(190.0);
    let mut item = |ui: &mut Ui, text: &str, combo: &str| {
        if ui.add(Button::selectable(false, text)).clicked() {
            wishes.extend(keymap::combo(combo).ok().map(Wish::Input));
            ui.close();
        }
    };
    SPECIAL.iter().for_each(|(text, combo)| item(ui, text, combo));
    ui.menu_button("Ctrl+Alt+F1 … F12", |ui| {
        CONSOLES.for_each(|number| item(ui, &format!("Ctrl+Alt+F{number}"), &format!("ctrl+alt+F{number}")));
    });
    ui.separator();
    ui.menu_button("Keys type ⏵", |ui| {
        for (mode, text) in KEYBOARDS {
            if ui.add(Button::selectable(desk.keyboard == *mode, *text)).clicked() {
                wishes.push(Wish::Keyboard(*mode));
                ui.close();
            }
        }
    });
}

fn quality_menu(ui: &mut Ui, desk: &mut Desk, wishes: &mut Vec<Wish>) {
    ui.set_max_width(260.0);
    if ui.checkbox(&mut desk.lossless, "Always exact").clicked() {
        wishes.push(Wish::Act(ViewerAction::Lossless(desk.lossless)));
    }
    ui.label(
        RichText::new("Otherwise moving parts may be softer while the link is slow; what rests becomes exact.").small().weak(),
    );
}

fn permissions_menu(ui: &mut Ui, desk: &Desk, status: &Status) {
    ui.set_min_width(210.0);
    for permission in Permission::ALL {
        let has = desk.permissions.contains(permission);
        let left = desk.seconds_left(permission).map(|left| format!("  {}:{:02}", left / 60, left % 60)).unwrap_or_default();
        let mark = if has { RichText::new("✔").color(look::GOOD) } else { RichText::new("–").weak() };
        ui.horizontal(|ui| {
            ui.add_sized(vec2(16.0, 18.0), egui::Label::new(mark));
            let name = RichText::new(format!("{}{left}", meaning(permission)));
            ui.label(if has { name } else { name.weak() });
        });
    }
    ui.separator();
    let text = match status.holder() {
        Holder::Remote => "The person at the machine takes control by moving their mouse.",
        Holder::Local => "The person at the machine drives now.",
    };
    ui.label(RichText::new(text).small().weak());
    ui.label(RichText::new("Only they can change this.").small().weak());
    ui.ctx().request_repaint_after(Duration::from_secs(1));
}

fn meaning(permission: Permission) -> &'static str {
    match permission {
        Permission::View => "See the screen",
        Permission::Point => "Point at things",
        Permission::Mouse => "Use the mouse",
        Permission::Keyboard => "Type",
        Permission::Clipboard => "Share the clipboard",
        Permission::Files => "Send and fetch files",
    }
}

fn end_button(ui: &mut Ui, desk: &mut Desk, wishes: &mut Vec<Wish>) {
    let now = Instant::now();
    desk.ending = desk.ending.filter(|until| *until > now);
    let text = RichText::new(if desk.ending.is_some() { "End now?" } else { "End" }).color(Color32::WHITE);
    if ui.add(Button::new(text).fill(look::ALERT)).on_hover_text("Ends the session (Ctrl+Alt+Q)").clicked() {
        match desk.ending.take() {
            Some(_) => wishes.push(Wish::Leave),
            None => desk.ending = Some(now + SURE),
        }
    }
    if desk.ending.is_some() {
        ui.ctx().request_repaint_after(SURE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_key_can_be_sent() {
        for combo in
            SPECIAL.iter().map(|(_, combo)| (*combo).to_owned()).chain(CONSOLES.map(|number| format!("ctrl+alt+F{number}")))
        {
            let events = keymap::combo(&combo).unwrap_or_else(|error| panic!("{combo}: {error}"));
            assert_eq!(events.len() % 2, 0, "{combo} is pressed and released");
        }
    }
}
