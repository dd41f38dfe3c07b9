//! Nobody is here: what to read out to the helper.

use egui::{Color32, ColorImage, Image, RichText, TextEdit, TextureHandle, TextureOptions, Ui, WidgetType, vec2};
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroize;

use super::{Shape, at_right, called, dot, large, small, strong, title};
use crate::{
    protocol::password::MIN_OWN,
    ui::{event::Reach, panel::model::Model, soft::look},
};

/// The largest password that can be typed, in characters.
const MAX_OWN: usize = 128;
/// The code's side, in points.
const CODE: f32 = 168.0;

/// What was opened and typed.
#[derive(Default)]
pub(super) struct Ready {
    /// The own password as far as it is typed, while its field is open.
    own: Option<String>,
    /// The link that the code was made for, and the code.
    code: Option<(String, Option<TextureHandle>)>,
}

/// That it is ready, or not yet.
pub(super) fn head(ui: &mut Ui, model: &Model, shape: &mut Shape) {
    let waits = model.id.is_empty();
    title(ui, shape, |ui| {
        dot(ui, if waits { ui.visuals().weak_text_color() } else { look::GOOD });
        ui.label(RichText::new(if waits { "Starting…" } else { "Ready for help" }).heading());
    });
}

impl Ready {
    pub(super) fn body(&mut self, ui: &mut Ui, model: &mut Model) {
        if model.id.is_empty() {
            return;
        }
        small(ui, reach(model.reach));
        ui.add_space(8.0);
        small(ui, "Your ID");
        large(ui, &model.id.clone(), 22.0, "Copy the ID", |_| {});
        ui.add_space(4.0);
        self.password(ui, model);
        ui.add_space(4.0);
        self.link(ui, &model.link);
        ui.separator();
        small(ui, "Nobody is connected. Tell ID and password only to somebody you know and called yourself.");
    }

    fn password(&mut self, ui: &mut Ui, model: &mut Model) {
        small(ui, "Password");
        let known = model.password.clone();
        let shown = known.as_deref().unwrap_or("your own");
        let menu = |ui: &mut Ui| {
            let sign = RichText::new("⟳").size(17.0);
            let button = ui.menu_button(sign, |ui| {
                if ui.button("New random password").clicked() {
                    model.say("rotate");
                    ui.close();
                }
                if ui.button("Use my own password").clicked() {
                    self.own = Some(String::new());
                    ui.close();
                }
            });
            called(button.response.on_hover_text("Change the password"), WidgetType::Button, "Change the password");
        };
        if known.is_some() {
            large(ui, shown, 22.0, "Copy the password", menu);
        } else {
            ui.horizontal(|ui| {
                ui.label(RichText::new(shown).size(18.0).weak());
                at_right(ui, menu);
            });
        }
        self.own_password(ui, model);
    }

    /// The field for a password of one's own.
    fn own_password(&mut self, ui: &mut Ui, model: &mut Model) {
        let Some(own) = &mut self.own else { return };
        let field = TextEdit::singleline(own)
            .password(true)
            .char_limit(MAX_OWN)
            .hint_text("Your own password")
            .desired_width(f32::INFINITY);
        let typed = called(ui.add(field), WidgetType::TextEdit, "Your own password");
        let missing = MIN_OWN.saturating_sub(own.chars().count());
        let fits = missing == 0 && !own.trim().is_empty();
        small(ui, if fits { "It stays until you change it.".to_owned() } else { format!("{missing} more characters are needed.") });
        let mut done = false;
        ui.horizontal(|ui| {
            let entered = typed.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if ui.add_enabled(fits, strong("Use it", look::ACCENT)).clicked() || entered && fits {
                model.own_password(own);
                done = true;
            }
            done |= ui.add(super::plain("Cancel")).clicked();
        });
        if done {
            own.zeroize();
            self.own = None;
        }
    }

    fn link(&mut self, ui: &mut Ui, link: &str) {
        ui.collapsing("Link and QR code", |ui| {
            if self.code.as_ref().is_none_or(|(made_for, _)| made_for != link) {
                self.code = Some((link.to_owned(), code(ui, link)));
            }
            if let Some((_, Some(code))) = &self.code {
                ui.vertical_centered(|ui| ui.add(Image::new((code.id(), vec2(CODE, CODE))).alt_text("The link as a QR code")));
            }
            ui.horizontal(|ui| {
                if ui.button("Copy the link").clicked() {
                    ui.ctx().copy_text(link.to_owned());
                }
                small(ui, "It holds no password.");
            });
        });
    }
}

/// The link as a picture, dark on light whatever the theme: some readers know no other.
fn code(ui: &Ui, link: &str) -> Option<TextureHandle> {
    const QUIET: usize = 3;
    let code = QrCode::with_error_correction_level(link, EcLevel::L).ok()?;
    let side = code.width() + 2 * QUIET;
    let mut image = ColorImage::filled([side, side], Color32::WHITE);
    for (index, colour) in code.to_colors().into_iter().enumerate() {
        if colour == qrcode::Color::Dark {
            let (x, y) = (QUIET + index % code.width(), QUIET + index / code.width());
            image.pixels[y * side + x] = Color32::BLACK;
        }
    }
    Some(ui.ctx().load_texture("link", image, TextureOptions::NEAREST))
}

/// How others reach this machine.
fn reach(reach: Option<Reach>) -> &'static str {
    match reach {
        Some(Reach::Relayed) => "Reachable from anywhere.",
        Some(Reach::Lan) => "Reachable on this network, and elsewhere by its full address.",
        Some(Reach::Direct) => "Reachable by its full address only.",
        None => "Looking for a way to be reached…",
    }
}
