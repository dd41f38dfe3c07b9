//! Keys at the window: its own chords, else the overlay's (see there), else the host's.

use std::time::Instant;

use winit::{
    event::{ElementState, Ime, KeyEvent, WindowEvent},
    event_loop::ActiveEventLoop,
    keyboard::{KeyCode, ModifiersState, PhysicalKey},
    platform::modifier_supplement::KeyEventExtModifierSupplement as _,
};

use super::Face;
use crate::{
    protocol::input::{InputEvent, Key, KeyboardMode},
    ui::{
        event::{Show, ViewerAction},
        keymap,
        locks::LockReader,
        overlay::Wish,
        typing::{self, Stroke},
    },
};

impl Face {
    /// Does a chord of the window's own. Returns whether it was one.
    pub(super) fn chord(&mut self, event_loop: &ActiveEventLoop, event: &WindowEvent) -> bool {
        let WindowEvent::KeyboardInput { event, .. } = event else { return false };
        let down = event.state == ElementState::Pressed && !event.repeat;
        let PhysicalKey::Code(code) = event.physical_key else { return false };
        if !down || !self.modifiers.control_key() || !self.modifiers.alt_key() {
            return false;
        }
        let (Some(stage), Some(overlay)) = (&self.stage, &mut self.overlay) else { return false };
        match code {
            KeyCode::KeyF => self.fulfil(event_loop, Wish::FullScreen),
            KeyCode::Digit1 => {
                let wish = Wish::ActualSize(!stage.view().actual_size);
                self.fulfil(event_loop, wish);
            }
            KeyCode::KeyS => self.hands.ask(ViewerAction::Show(Show::Next)),
            KeyCode::KeyI => self.fulfil(event_loop, Wish::Figures),
            KeyCode::KeyC if self.status.is_let_in() => overlay.toggle_chat(&stage.window),
            KeyCode::KeyT => overlay.toggle_bar(),
            KeyCode::KeyQ => self.leave(event_loop),
            _ => return false,
        }
        self.hands.let_go();
        true
    }

    /// The desktop's shortcuts are the host's while its keys are, in full screen.
    pub(super) fn follow_shortcuts(&mut self, now: Instant) {
        let Some(stage) = &self.stage else { return };
        let shown = self.picture.lock().shown;
        let typing = stage.window.has_focus() && self.hands.may_type() && !self.typing && !self.status.page(shown);
        if let Some(text) = self.shortcuts.follow(&stage.window, stage.view().full_screen, typing, now) {
            self.status.hint(text, now);
            self.redraw();
        }
    }

    /// A key that is not the overlay's.
    pub(super) fn key(&mut self, event_loop: &ActiveEventLoop, event: &KeyEvent) {
        let code = if let PhysicalKey::Code(code) = event.physical_key { Some(code) } else { None };
        let leaves = matches!(code, Some(KeyCode::Escape | KeyCode::Enter | KeyCode::NumpadEnter));
        if leaves && event.state == ElementState::Pressed && self.status.is_over() {
            self.leave(event_loop);
        } else {
            self.typed(code.and_then(keymap::by_code), event);
        }
    }

    /// A key for the host.
    fn typed(&mut self, key: Option<Key>, event: &KeyEvent) {
        let locks = self.locks.as_ref().and_then(LockReader::read);
        if let Some(locks) = locks.filter(|_| !event.repeat) {
            self.hands.lock(locks);
        }
        if event.state == ElementState::Released {
            key.into_iter().for_each(|key| self.hands.act(InputEvent::Key { key, down: false }));
        } else if !event.repeat || key.is_none() {
            let chord = self.modifiers.intersects(ModifiersState::CONTROL | ModifiersState::ALT | ModifiersState::SUPER);
            let (plain, text) = (event.key_without_modifiers(), event.text.as_deref());
            let stroke = Stroke { key, logical: &event.logical_key, plain: &plain, text, chord };
            typing::press(&stroke, self.keyboard, locks.is_some()).into_iter().for_each(|event| self.hands.act(event));
        }
    }

    /// Has keys understood so from now on.
    pub(super) fn set_keyboard(&mut self, mode: KeyboardMode) {
        self.hands.let_go();
        self.keyboard = mode;
        self.hands.ask(ViewerAction::Keyboard(mode));
        self.overlay.iter_mut().for_each(|overlay| overlay.set_keyboard(mode));
        self.allow_composing();
    }

    /// In physical mode the host composes what is for it.
    pub(super) fn allow_composing(&self) {
        self.stage.iter().for_each(|stage| stage.window.set_ime_allowed(self.keyboard != KeyboardMode::Physical));
    }

    /// What an input method composes for the host: shown here until it is done, then text for the host.
    pub(super) fn composed(&mut self, event: Ime) {
        let so_far = match event {
            Ime::Enabled => return,
            Ime::Preedit(text, _) => text,
            Ime::Commit(text) => {
                self.hands.write(&text);
                String::new()
            }
            Ime::Disabled => String::new(),
        };
        self.overlay.iter_mut().for_each(|overlay| overlay.compose(&so_far));
    }
}
