//! What the overlay knows of the session, and how it is laid out. No window is needed for it: [`Desk::follow`] takes what happens,
//! [`Desk::show`] lays out a [`Scene`] in any egui.

use std::time::{Duration, Instant};

use egui::{Align, Align2, Area, Color32, Context, Frame, Id, Label, Layout, Margin, Order, RichText, Stroke, Ui, vec2};

use super::{Side, View, Wish, chat::Chat, files::Files, look, pages::Pages, toolbar};
use crate::{
    protocol::{
        input::KeyboardMode,
        permission::{Permission, Permissions},
    },
    ui::{
        event::{Screens, Timer, ViewerEvent},
        status::{Phase, Status},
    },
};

/// How wide chat and files are, if the window has the room.
const SIDE: f32 = 320.0;
/// What is being composed is so far above the lower edge.
const COMPOSED: f32 = 40.0;

/// What is shown at this moment. Nothing of it: the overlay is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scene {
    /// A page over the dimmed picture.
    pub(super) page: bool,
    /// The toolbar.
    pub(super) bar: bool,
    /// The handle that tells where the toolbar comes.
    pub(super) hint: bool,
    /// What is open at the side.
    pub(super) side: Option<Side>,
    /// Where to drop the file that hovers.
    pub(super) target: bool,
    /// What is being composed for the host.
    pub(super) composing: bool,
}

impl Scene {
    /// Whether there is nothing to lay out.
    pub(super) fn is_hidden(self) -> bool {
        self == Self::default()
    }

    /// Whether any of it takes the pointer.
    pub(super) fn is_solid(self) -> bool {
        self.page || self.bar || self.side.is_some()
    }
}

/// What the overlay knows.
pub(super) struct Desk {
    pub(super) chat: Chat,
    pub(super) files: Files,
    pub(super) pages: Pages,
    pub(super) side: Option<Side>,
    pub(super) screens: Option<Screens>,
    pub(super) permissions: Permissions,
    /// Permissions that end by themselves, as told then.
    timers: (Vec<Timer>, Instant),
    pub(super) lossless: bool,
    /// How keys are understood.
    pub(super) keyboard: KeyboardMode,
    /// Whether the figures are shown.
    pub(super) figures: bool,
    /// What is being composed for the host, and not there yet.
    pub(super) composed: String,
    /// "End" was pressed once; until then it means it.
    pub(super) ending: Option<Instant>,
    /// How long an interruption may last, and since when one does.
    patience: Duration,
    outage: Option<Instant>,
}

impl Desk {
    /// Before anything happened. `patience` is how long an interruption may last.
    pub(super) fn new(patience: Duration, lossless: bool, keyboard: KeyboardMode) -> Self {
        Self {
            chat: Chat::default(),
            files: Files::default(),
            pages: Pages::default(),
            side: None,
            screens: None,
            permissions: Permissions::NONE,
            timers: (Vec::new(), Instant::now()),
            lossless,
            keyboard,
            figures: false,
            composed: String::new(),
            ending: None,
            patience,
            outage: None,
        }
    }

    /// Follows what happens.
    pub(super) fn follow(&mut self, event: &ViewerEvent, now: Instant) {
        match event {
            ViewerEvent::HostWanted { hosts, .. } => self.pages.choice.offer(hosts),
            ViewerEvent::Granted { permissions } => self.permissions = *permissions,
            ViewerEvent::Permissions { permissions, timers } => {
                (self.permissions, self.timers) = (*permissions, (timers.clone(), now));
            }
            ViewerEvent::Screens(screens) => self.screens = Some(screens.clone()),
            ViewerEvent::Chat { from, number, at, text } => {
                self.chat.say(*from, *number, at, text, self.side == Some(Side::Chat));
            }
            ViewerEvent::ChatDelivered { number } => self.chat.delivered(*number),
            ViewerEvent::File(transfer) => self.files.follow(transfer),
            ViewerEvent::Stalled => self.outage = Some(now),
            ViewerEvent::Resumed => self.outage = None,
            ViewerEvent::SessionEnded { .. } => self.open(None),
            _ => {}
        }
        let same_page = matches!(
            event,
            ViewerEvent::Picture { .. } | ViewerEvent::Chat { .. } | ViewerEvent::ChatDelivered { .. } | ViewerEvent::File(_)
        );
        if !same_page {
            self.pages.turned();
        }
    }

    /// Opens this at the side, or closes what is open.
    pub(super) fn open(&mut self, side: Option<Side>) {
        self.side = side;
        match side {
            Some(Side::Chat) => self.chat.opened(),
            _ => self.chat.closed(),
        }
    }

    /// How long this permission lasts, if it ends by itself.
    pub(super) fn seconds_left(&self, permission: Permission) -> Option<u64> {
        let (timers, told) = &self.timers;
        let timer = timers.iter().find(|timer| timer.permission == permission)?;
        Some(timer.seconds.saturating_sub(told.elapsed().as_secs()))
    }

    /// Lays the scene out, and says what was pressed.
    pub(super) fn show(&mut self, ui: &mut Ui, scene: Scene, status: &Status, view: View, wishes: &mut Vec<Wish>) {
        if scene.page {
            // Beside what is open at the side, as the toolbar.
            let side = if scene.side.is_some() { side_width(ui.ctx()) } else { 0.0 };
            let outage = self.outage.map(|since| (since, self.patience));
            self.pages.show(ui, status, side, outage, wishes);
        }
        if let Some(side) = scene.side {
            self.show_side(ui, side, status, wishes);
        }
        if scene.bar {
            toolbar::show(ui, self, status, view, wishes);
        } else if scene.hint {
            toolbar::hint(ui);
        }
        if scene.target {
            show_target(ui, self.permissions.contains(Permission::Files));
        }
        if scene.composing {
            show_composed(ui, &self.composed);
        }
    }

    fn show_side(&mut self, ui: &mut Ui, side: Side, status: &Status, wishes: &mut Vec<Wish>) {
        let (whole, width) = (ui.ctx().content_rect(), side_width(ui.ctx()));
        Area::new(Id::new("side")).order(Order::Background).anchor(Align2::RIGHT_TOP, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
            let frame =
                Frame::new().fill(ui.visuals().panel_fill).stroke(ui.visuals().window_stroke).inner_margin(Margin::same(12));
            frame.show(ui, |ui| {
                ui.set_width(width - 26.0);
                ui.set_height(whole.height() - 26.0);
                ui.horizontal(|ui| {
                    for (other, name) in [(Side::Chat, "Chat"), (Side::Files, "Files")] {
                        if ui.add(egui::Button::selectable(side == other, RichText::new(name).strong())).clicked() {
                            wishes.push(Wish::Side(Some(other)));
                        }
                    }
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        if ui.button("✖").on_hover_text("Close (Ctrl+Alt+C)").clicked() {
                            wishes.push(Wish::Side(None));
                        }
                    });
                });
                ui.separator();
                match side {
                    Side::Chat => self.chat.show(ui, status.phase == Phase::Running, wishes),
                    Side::Files => self.files.show(ui, self.permissions.contains(Permission::Files), wishes),
                }
            });
        });
    }
}

/// Lays out once more if this, which is anchored by its size, was of another one before: egui places it by the size it had then.
pub(super) fn settle(shown: &egui::Response) {
    let (id, size) = (shown.id.with("size"), shown.rect.size());
    let before = shown.ctx.data_mut(|data| std::mem::replace(data.get_temp_mut_or(id, size), size));
    if before != size {
        shown.ctx.request_discard("an anchored area has another size");
    }
}

/// How wide chat and files are.
pub(super) fn side_width(context: &Context) -> f32 {
    SIDE.min(context.content_rect().width() * 0.6)
}

/// What an input method has composed so far: the host does not have it yet, so it cannot show it.
fn show_composed(ui: &mut Ui, text: &str) {
    let area = Area::new(Id::new("composed")).order(Order::Foreground).interactable(false);
    area.anchor(Align2::CENTER_BOTTOM, vec2(0.0, -COMPOSED)).show(ui.ctx(), |ui| {
        Frame::window(ui.style()).inner_margin(Margin::symmetric(12, 8)).show(ui, |ui| {
            // The area would stay as narrow as it was at first.
            ui.add(Label::new(RichText::new(text).heading().underline()).extend());
        });
    });
}

/// Where a file that hovers over the window can be dropped.
fn show_target(ui: &mut Ui, permitted: bool) {
    Area::new(Id::new("target")).order(Order::Foreground).anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
        let (ink, text) = if permitted {
            (look::ACCENT, "Drop to send to the host")
        } else {
            (look::ALERT, "The person at the machine has not allowed files")
        };
        let frame = Frame::window(ui.style()).stroke(Stroke::new(3.0, ink)).inner_margin(Margin::symmetric(48, 40));
        frame.show(ui, |ui| {
            ui.label(RichText::new(text).heading().color(if permitted { ui.visuals().text_color() } else { Color32::WHITE }))
        });
    });
}
