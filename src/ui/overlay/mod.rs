//! What lies over the picture in the viewer's window: pages while there is nothing to drive ([`pages`]), the toolbar ([`toolbar`],
//! and when it is there: [`reveal`]), chat and files at the side ([`chat`], [`files`]), and where to drop a file.
//!
//! What it knows and lays out is the [`desk`]'s; this is its window's side. Laid out by egui into a layer of its own ([`Soft`]). While
//! nothing of it is shown nothing is laid out, and the picture's way is what it would be without it. Else the stage blends the layer's
//! areas over the picture where either changed. Order of calls: events by [`Overlay::on_event`] and [`Overlay::follow`], then
//! [`Overlay::turn`] once in each turn of the window's loop, then [`Overlay::areas`] and [`Overlay::take_dirty`] for the stage.
//!
//! A key is the overlay's or the host's, never both, and never the wrong one's: from the moment the chat is opened keys wait in line
//! until its entry is there to take them, and a pass of egui takes them up to an Enter at most, for it forgets what follows one.
//! Modifiers wait with them: Ctrl+A would be an A else.

mod chat;
mod choice;
mod desk;
mod files;
mod pages;
mod reveal;
mod toolbar;

use std::time::{Duration, Instant};

use winit::{
    event::{ElementState, WindowEvent},
    keyboard::{Key, NamedKey},
    window::Window,
};

use self::{
    desk::{Desk, Scene},
    reveal::Reveal,
};
use super::{
    event::{ViewerAction, ViewerEvent},
    soft::{Soft, look},
    status::Status,
};
use crate::{
    protocol::input::{InputEvent, KeyboardMode},
    video::scale::Area,
};

pub(super) use toolbar::View;

/// How far a shadow reaches, in logical pixels.
const SHADOW: f32 = 18.0;
/// From one picture of something that moves by itself to the next.
const FRAME: Duration = Duration::from_millis(40);
/// So many keys wait in line at most; more are lost.
const MAX_HELD: usize = 512;

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
    /// Have keys understood so.
    Keyboard(KeyboardMode),
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

/// See the module.
pub(super) struct Overlay {
    soft: Soft,
    desk: Desk,
    reveal: Reveal,
    /// What is shown.
    scene: Scene,
    /// Keys that wait in line.
    held: Vec<WindowEvent>,
    /// A file hovers over the window.
    hovered: bool,
    /// How much of the window, at its right, chat or files cover.
    aside: i32,
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
    pub(super) fn new(window: &Window, patience: Duration, lossless: bool, keyboard: KeyboardMode) -> Self {
        Self {
            soft: Soft::new(window),
            desk: Desk::new(patience, lossless, keyboard),
            reveal: Reveal::default(),
            scene: Scene::default(),
            held: Vec::new(),
            hovered: false,
            aside: 0,
            areas: Vec::new(),
            solid: Vec::new(),
            dirty: Vec::new(),
            pointer: None,
            pressed: false,
        }
    }

    /// Follows what happens.
    pub(super) fn follow(&mut self, event: &ViewerEvent, now: Instant) {
        self.desk.follow(event, now);
        match event {
            // Figures have their board, and the title says the rest.
            ViewerEvent::Stats(_) | ViewerEvent::Path { .. } | ViewerEvent::Clipboard { .. } => return,
            ViewerEvent::Granted { .. } => self.reveal.greet(now),
            ViewerEvent::Chat { text, .. } => self.soft.cover(text),
            ViewerEvent::File(transfer) => self.soft.cover(&transfer.name),
            _ => {}
        }
        self.soft.repaint();
    }

    /// Opens this at the side, or closes what is open. What is typed from now on is for what opened.
    pub(super) fn open(&mut self, window: &Window, side: Option<Side>) {
        self.desk.open(side);
        self.surrender_focus();
        // The beginning of the chord that closed it, too: else what follows would wait behind it.
        self.forget_keys(window);
        self.soft.repaint();
    }

    /// Chat opens, or closes.
    pub(super) fn toggle_chat(&mut self, window: &Window) {
        self.open(window, if self.desk.side == Some(Side::Chat) { None } else { Some(Side::Chat) });
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

    /// This much is composed for the host; nothing if it is done.
    pub(super) fn compose(&mut self, text: &str) {
        if self.desk.composed != text {
            text.clone_into(&mut self.desk.composed);
            self.soft.cover(text);
            self.soft.repaint();
        }
    }

    /// How keys are understood, for their menu.
    pub(super) fn set_keyboard(&mut self, mode: KeyboardMode) {
        self.desk.keyboard = mode;
        self.soft.repaint();
    }

    /// Takes an event of the window. Whether it was for the overlay: then it is not for the host.
    pub(super) fn on_event(&mut self, window: &Window, event: &WindowEvent, now: Instant) -> bool {
        match event {
            WindowEvent::CursorMoved { position, .. } => self.pointer = Some((position.x, position.y)),
            WindowEvent::CursorLeft { .. } => self.pointer = None,
            WindowEvent::HoveredFile(_) => self.hovered = true,
            WindowEvent::HoveredFileCancelled | WindowEvent::DroppedFile(_) => self.hovered = false,
            _ => {}
        }
        if matches!(event, WindowEvent::CursorMoved { .. } | WindowEvent::CursorLeft { .. }) {
            let scale = window.scale_factor();
            let at = self.pointer.map(|(x, y)| (x / scale, y / scale));
            let hinted = self.reveal.hints();
            self.reveal.point(at, f64::from(window.inner_size().width) / scale, now);
            if self.reveal.hints() != hinted {
                self.soft.repaint();
            }
        }
        if matches!(event, WindowEvent::HoveredFile(_) | WindowEvent::HoveredFileCancelled | WindowEvent::DroppedFile(_)) {
            self.soft.repaint();
        }
        if matches!(event, WindowEvent::KeyboardInput { .. } | WindowEvent::Ime(_)) {
            return self.on_key(window, event);
        }
        if matches!(event, WindowEvent::ModifiersChanged(_)) && !self.held.is_empty() {
            self.held.push(event.clone());
            return false;
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
            _ => false,
        }
    }

    /// A key, or composed text.
    fn on_key(&mut self, window: &Window, event: &WindowEvent) -> bool {
        if self.wants_keys() {
            if self.held.len() < MAX_HELD {
                self.held.push(event.clone());
            }
            self.soft.repaint();
            return true;
        }
        // Without a field of ours only a page and a menu can be walked through by key: elsewhere Tab is the host's.
        if self.has_menu() || self.scene.page {
            self.soft.on_event(window, event);
        }
        self.has_menu()
    }

    /// Gives egui the keys that wait, up to an Enter, if the field that they are for is there.
    fn feed(&mut self, window: &Window) {
        if self.desk.chat.wants_focus() {
            return;
        }
        let enter = self.held.iter().position(is_enter);
        let now = enter.map_or(self.held.len(), |index| index + 1);
        for event in self.held.drain(..now) {
            self.soft.on_event(window, &event);
        }
    }

    /// Drops the keys that wait, but not which modifiers are held.
    fn forget_keys(&mut self, window: &Window) {
        for event in self.held.drain(..).filter(|event| matches!(event, WindowEvent::ModifiersChanged(_))) {
            self.soft.on_event(window, &event);
        }
    }

    /// Whether the pointer is on something of the overlay. By what was laid out last, not by what egui heard last: a click can come
    /// in the same turn as the motion before it.
    #[expect(clippy::cast_possible_truncation, reason = "a place in a window")]
    pub(super) fn has_pointer(&self) -> bool {
        let at = self.pointer.map(|(x, y)| Area { x: x as i32, y: y as i32, width: 1, height: 1 });
        self.pressed || at.is_some_and(|at| self.solid.iter().any(|area| area.intersection(at).is_some()))
    }

    /// Whether what is typed is for a field of the overlay.
    pub(super) fn wants_keys(&self) -> bool {
        self.desk.chat.wants_focus() || !self.held.is_empty() || self.soft.context().egui_wants_keyboard_input()
    }

    fn has_menu(&self) -> bool {
        self.soft.context().any_popup_open()
    }

    /// What was clicked outside takes the keyboard.
    fn surrender_focus(&self) {
        self.soft.context().memory_mut(|memory| memory.focused().into_iter().for_each(|id| memory.surrender_focus(id)));
    }

    /// How much of the window, at its right, chat or files cover.
    pub(super) fn aside(&self) -> i32 {
        self.aside
    }

    /// Whether what is said is to be seen at once.
    pub(super) fn shows_chat(&self) -> bool {
        self.desk.side == Some(Side::Chat)
    }

    /// Brings the layer up to date, if anything of it changed. `picture`: there is one to be seen.
    #[expect(clippy::cast_possible_truncation, reason = "a part of a window")]
    pub(super) fn turn(&mut self, window: &Window, status: &Status, view: View, picture: bool, now: Instant) -> Vec<Wish> {
        let bar = self.reveal.is_shown();
        let on_bar = self.scene.bar && (self.has_pointer() || self.has_menu());
        let size = window.inner_size().to_logical(window.scale_factor());
        let seen = picture && !status.page(picture);
        self.reveal.pass(seen, on_bar, (size.width, size.height), now);
        if self.reveal.is_shown() != bar {
            self.soft.repaint();
        }
        if !self.soft.is_due(now) {
            return Vec::new();
        }
        let scene = self.scene(status, picture);
        self.scene = scene;
        if scene.is_hidden() {
            self.hide(window);
            return Vec::new();
        }
        self.feed(window);
        let mut wishes = Vec::new();
        let desk = &mut self.desk;
        self.soft.paint(window, |ui| desk.show(ui, scene, status, view, &mut wishes));
        let [solid, areas] = [0.0, SHADOW].map(|around| laid_out(self.soft.context(), around));
        let areas = areas.into_iter().fold(Vec::new(), apart);
        // What turns and blinks needs no more than this; input is answered at once.
        let next = self.soft.due().map(|due| due.max(now + FRAME));
        self.soft.restore(next);
        if !self.held.is_empty() {
            self.soft.repaint();
        }
        let entry = self.desk.chat.entry().to_owned();
        self.soft.cover(&entry);
        self.aside = scene.side.map_or(0, |_| (desk::side_width(self.soft.context()) * self.soft.scale()).ceil() as i32);
        self.dirty.append(&mut self.areas);
        self.dirty.extend(&areas);
        (self.areas, self.solid) = (areas, if scene.is_solid() { solid } else { Vec::new() });
        wishes
    }

    /// What is to be seen now. `picture`: there is one.
    fn scene(&self, status: &Status, picture: bool) -> Scene {
        let page = status.page(picture);
        Scene {
            page,
            bar: picture && !page && self.reveal.is_shown(),
            hint: picture && !page && self.reveal.hints(),
            side: self.desk.side.filter(|_| status.is_let_in()),
            target: self.hovered,
            composing: picture && !page && !self.desk.composed.is_empty(),
        }
    }

    /// Nothing is shown until something happens.
    fn hide(&mut self, window: &Window) {
        self.aside = 0;
        self.dirty.append(&mut self.areas);
        self.solid.clear();
        self.forget_keys(window);
        self.desk.open(None);
        self.surrender_focus();
        self.soft.restore(None);
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

/// Where areas of egui are in the pass that has ended, in pixels, with so much around them; the ground, which egui lists as an area
/// as large as the window, is none. Within a pass egui would also list what was there in the pass before, and takes the pointer no more.
#[expect(clippy::cast_possible_truncation, reason = "places in a window")]
fn laid_out(context: &egui::Context, around: f32) -> Vec<Area> {
    let scale = context.pixels_per_point();
    let whole = context.content_rect();
    let rects = context.memory(|memory| {
        let areas = memory.areas();
        let shown = areas.visible_layer_ids().into_iter().filter(|layer| *layer != egui::LayerId::background());
        shown.filter_map(|layer| memory.area_rect(layer.id)).collect::<Vec<_>>()
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

/// Whether this key ends what is written.
fn is_enter(event: &WindowEvent) -> bool {
    matches!(event, WindowEvent::KeyboardInput { event, .. }
        if event.state == ElementState::Pressed && event.logical_key == Key::Named(NamedKey::Enter))
}

#[cfg(test)]
mod tests;
