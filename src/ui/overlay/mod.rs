//! What lies over the picture in the viewer's window: pages while there is nothing to drive ([`pages`]), the toolbar ([`toolbar`],
//! and when it is there: [`reveal`]), chat and files at the side ([`chat`], [`files`]), and where to drop a file.
//!
//! Laid out by egui into a layer of its own ([`Soft`]). While nothing of it is shown nothing is laid out, and the picture's way is
//! what it would be without it. Else the stage blends the layer's areas over the picture where either changed. Order of calls: events
//! by [`Overlay::on_event`] and [`Overlay::follow`], then [`Overlay::turn`] once in each turn of the window's loop, then
//! [`Overlay::areas`] and [`Overlay::take_dirty`] for the stage.

mod chat;
mod files;
mod pages;
mod reveal;
mod toolbar;

use std::time::{Duration, Instant};

use egui::{Align, Align2, Area as Place, Color32, Frame, Id, Layout, Margin, Order, RichText, Stroke, Ui, vec2};
use winit::{
    event::{ElementState, WindowEvent},
    window::Window,
};

use self::{chat::Chat, files::Files, pages::Pages, reveal::Reveal};
use super::{
    event::{Screens, Timer, ViewerAction, ViewerEvent},
    soft::{Soft, look},
    status::{Phase, Status},
};
use crate::{
    protocol::{
        input::InputEvent,
        permission::{Permission, Permissions},
    },
    video::scale::Area,
};

pub(super) use toolbar::View;

/// How far a shadow reaches, in logical pixels.
const SHADOW: f32 = 18.0;
/// How wide chat and files are, if the window has the room.
const SIDE: f32 = 320.0;

/// From one picture of something that moves by itself to the next.
const FRAME: Duration = Duration::from_millis(40);

/// What was asked for by a click or a key in the overlay.
#[derive(Debug, PartialEq)]
pub(super) enum Wish {
    /// Something for the session.
    Act(ViewerAction),
    /// Keys for the host.
    Input(Vec<InputEvent>),
    /// The picture pixel for pixel, or all of it.
    ActualSize(bool),
    /// To full screen and back.
    FullScreen,
    /// The figures, or no longer.
    Figures,
    /// Save the picture.
    Screenshot,
    /// Open this at the side, or nothing.
    Side(Option<Side>),
    /// Leave.
    Leave,
}

/// What can be open beside the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What was said.
    Chat,
    /// What is on its way.
    Files,
}

/// What the overlay shows of the session.
struct Desk {
    chat: Chat,
    files: Files,
    side: Option<Side>,
    screens: Option<Screens>,
    permissions: Permissions,
    /// Permissions that end by themselves, as told then.
    timers: (Vec<Timer>, Instant),
    lossless: bool,
    /// Whether the figures are shown.
    figures: bool,
    /// "End" was pressed once; until then it means it.
    ending: Option<Instant>,
}

impl Desk {
    /// How long this permission lasts, if it ends by itself.
    fn seconds_left(&self, permission: Permission) -> Option<u64> {
        let (timers, told) = &self.timers;
        let timer = timers.iter().find(|timer| timer.permission == permission)?;
        Some(timer.seconds.saturating_sub(told.elapsed().as_secs()))
    }
}

/// See the module.
pub(super) struct Overlay {
    soft: Soft,
    context: Option<egui::Context>,
    desk: Desk,
    pages: Pages,
    reveal: Reveal,
    /// How long an interruption may last, and since when one does.
    patience: Duration,
    outage: Option<Instant>,
    /// A file hovers over the window.
    hovered: bool,
    /// Where something is drawn.
    areas: Vec<Area>,
    /// Where something is that takes the pointer, without its shadow.
    solid: Vec<Area>,
    /// What the stage has to draw again.
    dirty: Vec<Area>,
    pointer: Option<(f64, f64)>,
    /// A button went down over the overlay and is not up yet.
    pressed: bool,
}

impl Overlay {
    /// For this window. `patience` is how long an interruption may last.
    pub(super) fn new(window: &Window, patience: Duration, lossless: bool) -> Self {
        let desk = Desk {
            chat: Chat::default(),
            files: Files::default(),
            side: None,
            screens: None,
            permissions: Permissions::NONE,
            timers: (Vec::new(), Instant::now()),
            lossless,
            figures: false,
            ending: None,
        };
        Self {
            soft: Soft::new(window),
            context: None,
            desk,
            pages: Pages::default(),
            reveal: Reveal::default(),
            patience,
            outage: None,
            hovered: false,
            areas: Vec::new(),
            solid: Vec::new(),
            dirty: Vec::new(),
            pointer: None,
            pressed: false,
        }
    }

    /// Follows what happens.
    pub(super) fn follow(&mut self, event: &ViewerEvent, now: Instant) {
        match event {
            ViewerEvent::Granted { permissions } => {
                self.desk.permissions = *permissions;
                self.reveal.greet(now);
            }
            ViewerEvent::Permissions { permissions, timers } => {
                (self.desk.permissions, self.desk.timers) = (*permissions, (timers.clone(), now));
            }
            ViewerEvent::Screens(screens) => self.desk.screens = Some(screens.clone()),
            ViewerEvent::Chat { from, number, at, text } => {
                self.soft.cover(text);
                self.desk.chat.say(*from, *number, at, text, self.desk.side == Some(Side::Chat));
            }
            ViewerEvent::ChatDelivered { number } => self.desk.chat.delivered(*number),
            ViewerEvent::File(transfer) => {
                self.soft.cover(&transfer.name);
                self.desk.files.follow(transfer);
            }
            ViewerEvent::Stalled => self.outage = Some(now),
            ViewerEvent::Resumed => self.outage = None,
            // Figures have their board, and the title says the rest.
            ViewerEvent::Stats(_) | ViewerEvent::Path { .. } | ViewerEvent::Clipboard { .. } => return,
            _ => {}
        }
        if !matches!(event, ViewerEvent::Picture { .. } | ViewerEvent::File(_)) {
            self.pages.turned();
        }
        self.soft.repaint();
    }

    /// Opens this at the side, or closes what is open.
    pub(super) fn open(&mut self, side: Option<Side>) {
        self.desk.side = side;
        if side == Some(Side::Chat) {
            self.desk.chat.opened();
        }
        self.soft.repaint();
    }

    /// Chat opens, or closes.
    pub(super) fn toggle_chat(&mut self) {
        self.open(if self.desk.side == Some(Side::Chat) { None } else { Some(Side::Chat) });
    }

    /// The toolbar comes, or goes.
    pub(super) fn toggle_bar(&mut self) {
        self.reveal.toggle(Instant::now());
        self.soft.repaint();
    }

    /// Whether the figures are shown, for their menu.
    pub(super) fn set_figures(&mut self, shown: bool) {
        self.desk.figures = shown;
        self.soft.repaint();
    }

    /// Takes an event of the window. Whether it was for the overlay: then it is not for the host.
    pub(super) fn on_event(&mut self, window: &Window, event: &WindowEvent, picture: bool, now: Instant) -> bool {
        match event {
            WindowEvent::CursorMoved { position, .. } => self.pointer = Some((position.x, position.y)),
            WindowEvent::CursorLeft { .. } => self.pointer = None,
            WindowEvent::HoveredFile(_) => self.hovered = true,
            WindowEvent::HoveredFileCancelled | WindowEvent::DroppedFile(_) => self.hovered = false,
            _ => {}
        }
        if matches!(event, WindowEvent::CursorMoved { .. } | WindowEvent::CursorLeft { .. }) {
            let scale = window.scale_factor();
            let at = self.pointer.filter(|_| picture).map(|(x, y)| (x / scale, y / scale));
            let hinted = self.reveal.hints();
            self.reveal.point(at, f64::from(window.inner_size().width) / scale, now);
            if self.reveal.hints() != hinted {
                self.soft.repaint();
            }
        }
        if matches!(event, WindowEvent::HoveredFile(_) | WindowEvent::HoveredFileCancelled | WindowEvent::DroppedFile(_)) {
            self.soft.repaint();
        }
        if self.areas.is_empty() {
            // Modifiers and the pointer's place must be known when something comes up.
            if matches!(event, WindowEvent::ModifiersChanged(_) | WindowEvent::CursorMoved { .. } | WindowEvent::Focused(_)) {
                let due = self.soft.due();
                self.soft.on_event(window, event);
                self.soft.restore(due);
            }
            if matches!(event, WindowEvent::MouseInput { state: ElementState::Pressed, .. }) {
                self.reveal.press();
            }
            return false;
        }
        // Moving about over the picture is nothing to the widgets, unless it leaves one.
        let over = self.has_pointer();
        let typing = self.wants_keys();
        self.soft.on_event(window, event);
        match event {
            WindowEvent::MouseInput { state: ElementState::Pressed, .. } => {
                self.pressed = over || self.has_menu();
                if !self.pressed {
                    self.reveal.press();
                    self.surrender_focus();
                }
                self.pressed
            }
            WindowEvent::MouseInput { state: ElementState::Released, .. } => std::mem::take(&mut self.pressed),
            WindowEvent::CursorMoved { .. } | WindowEvent::MouseWheel { .. } => over,
            WindowEvent::KeyboardInput { .. } | WindowEvent::Ime(_) => typing,
            _ => false,
        }
    }

    /// Whether the pointer is on something of the overlay. By what was laid out last, not by what egui heard last: a click can come
    /// in the same turn as the motion before it.
    #[expect(clippy::cast_possible_truncation, reason = "a place in a window")]
    pub(super) fn has_pointer(&self) -> bool {
        let at = self.pointer.map(|(x, y)| Area { x: x as i32, y: y as i32, width: 1, height: 1 });
        self.pressed || at.is_some_and(|at| self.solid.iter().any(|area| area.intersection(at).is_some()))
    }

    /// Whether what is typed is for the overlay.
    fn wants_keys(&self) -> bool {
        !self.areas.is_empty() && self.context.as_ref().is_some_and(egui::Context::egui_wants_keyboard_input)
    }

    fn has_menu(&self) -> bool {
        self.context.as_ref().is_some_and(egui::Context::any_popup_open)
    }

    /// What was clicked outside takes the keyboard.
    fn surrender_focus(&self) {
        if let Some(context) = &self.context {
            context.memory_mut(|memory| memory.focused().into_iter().for_each(|id| memory.surrender_focus(id)));
        }
    }

    /// Brings the layer up to date, if anything of it changed. `picture`: there is one to be seen.
    pub(super) fn turn(&mut self, window: &Window, status: &Status, view: View, picture: bool, now: Instant) -> Vec<Wish> {
        let bar = self.reveal.is_shown();
        let on_bar = bar && (self.has_pointer() || self.has_menu());
        self.reveal.pass(on_bar, now);
        if self.reveal.is_shown() != bar {
            self.soft.repaint();
        }
        if !self.soft.is_due(now) {
            return Vec::new();
        }
        let page = status.page(picture);
        let bar = picture && !page && self.reveal.is_shown();
        let hint = picture && !page && self.reveal.hints();
        let side = self.desk.side.filter(|_| status.is_let_in());
        if !page && !bar && !hint && side.is_none() && !self.hovered {
            self.soft.restore(None);
            self.dirty.append(&mut self.areas);
            self.solid.clear();
            self.surrender_focus();
            return Vec::new();
        }
        let (mut wishes, mut solid, mut areas) = (Vec::new(), Vec::new(), Vec::new());
        let (desk, pages) = (&mut self.desk, &mut self.pages);
        let outage = self.outage.map(|since| (since, self.patience));
        let (hovered, context) = (self.hovered, &mut self.context);
        self.soft.paint(window, |ui| {
            context.get_or_insert_with(|| ui.ctx().clone());
            if page {
                pages.show(ui, status, outage, &mut wishes);
            }
            if let Some(side) = side {
                show_side(ui, desk, side, status, &mut wishes);
            }
            if bar {
                toolbar::show(ui, desk, status, view, &mut wishes);
            } else if hint {
                toolbar::hint(ui);
            }
            if hovered {
                show_target(ui, desk.permissions.contains(Permission::Files));
            }
            solid = laid_out(ui.ctx(), 0.0);
            areas = laid_out(ui.ctx(), SHADOW);
        });
        let areas = areas.into_iter().fold(Vec::new(), apart);
        // What turns and blinks needs no more than this; input is answered at once.
        let next = self.soft.due().map(|due| due.max(now + FRAME));
        self.soft.restore(next);
        let entry = self.desk.chat.entry().to_owned();
        self.soft.cover(&entry);
        self.dirty.append(&mut self.areas);
        self.dirty.extend(&areas);
        (self.areas, self.solid) = (areas, if bar || page || side.is_some() { solid } else { Vec::new() });
        wishes
    }

    /// When [`Self::turn`] has something to do without an event.
    pub(super) fn due(&self) -> Option<Instant> {
        self.soft.due().into_iter().chain(self.reveal.due()).min()
    }

    /// Where the layer has something.
    pub(super) fn areas(&self) -> &[Area] {
        &self.areas
    }

    /// The layer.
    pub(super) fn layer(&self) -> &Soft {
        &self.soft
    }

    /// Whether anything is to be drawn again.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// What is to be drawn again, since this was asked last.
    pub(super) fn take_dirty(&mut self) -> Vec<Area> {
        std::mem::take(&mut self.dirty)
    }
}

/// Where areas of egui are in this pass, in pixels, with so much around them.
#[expect(clippy::cast_possible_truncation, reason = "places in a window")]
fn laid_out(context: &egui::Context, around: f32) -> Vec<Area> {
    let scale = context.pixels_per_point();
    let whole = context.content_rect();
    let rects = context.memory(|memory| {
        let areas = memory.areas();
        let shown = areas.visible_layer_ids();
        shown.into_iter().filter_map(|layer| memory.area_rect(layer.id)).collect::<Vec<_>>()
    });
    let area = |rect: egui::Rect| {
        let rect = rect.expand(around).intersect(whole) * scale;
        let (x, y) = (rect.min.x.floor() as i32, rect.min.y.floor() as i32);
        Area { x, y, width: rect.max.x.ceil() as i32 - x, height: rect.max.y.ceil() as i32 - y }
    };
    rects.into_iter().filter(|rect| rect.is_positive()).map(area).collect()
}

/// Adds an area to others; those that meet become one, for a layer must not be blended twice.
fn apart(mut others: Vec<Area>, mut area: Area) -> Vec<Area> {
    while let Some(index) = others.iter().position(|other| other.intersection(area).is_some()) {
        area = area.union(others.swap_remove(index));
    }
    others.push(area);
    others
}

/// How wide chat and files are.
fn side_width(ui: &Ui) -> f32 {
    SIDE.min(ui.ctx().content_rect().width() * 0.6)
}

fn show_side(ui: &mut Ui, desk: &mut Desk, side: Side, status: &Status, wishes: &mut Vec<Wish>) {
    let (whole, width) = (ui.ctx().content_rect(), side_width(ui));
    Place::new(Id::new("side")).order(Order::Background).anchor(Align2::RIGHT_TOP, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
        let frame = Frame::new().fill(ui.visuals().panel_fill).stroke(ui.visuals().window_stroke).inner_margin(Margin::same(12));
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
                Side::Chat => desk.chat.show(ui, status.phase == Phase::Running, wishes),
                Side::Files => desk.files.show(ui, desk.permissions.contains(Permission::Files), wishes),
            }
        });
    });
}

/// Where a file that hovers over the window can be dropped.
fn show_target(ui: &mut Ui, permitted: bool) {
    Place::new(Id::new("target")).order(Order::Foreground).anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_that_meet_become_one() {
        let area = |x, width| Area { x, y: 0, width, height: 10 };
        let found = [area(0, 10), area(30, 10), area(20, 5), area(8, 14)].into_iter().fold(Vec::new(), apart);
        assert_eq!(found, [area(30, 10), area(0, 25)]);
    }
}
