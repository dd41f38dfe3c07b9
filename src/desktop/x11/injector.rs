//! Pointer and keyboard by `enigo`, text by [`Typist`].
//!
//! Keys go out as physical key codes (`raw`), so the layout decides, and never through enigo's keysym path: one remapped key would
//! slow all later ones of that instance (24 ms each, measured).

use enigo::{Axis, Coordinate, Direction, Enigo, InputError, Keyboard as _, Mouse as _, Settings};
use x11rb::{
    connection::Connection,
    errors::ReplyError,
    protocol::{xinput, xtest},
};

use super::{DesktopError, Display, devices, glass::Shield, lost, text::Typist};
use crate::{
    desktop::{Injector, capture::Options, keys},
    protocol::input::{Button, InputEvent},
};

/// What X11 adds to a Linux key code.
const KEYCODE_OFFSET: u16 = 8;
/// More notches of the wheel than this in one event are not a person's.
const MAX_NOTCHES: i16 = 64;

/// Injects into an X11 display.
pub(in crate::desktop) struct X11Injector {
    enigo: Enigo,
    display: Display,
    typist: Typist,
    shield: Shield,
}

impl X11Injector {
    pub(in crate::desktop) fn open(options: &Options) -> Result<Self, DesktopError> {
        let display = Display::open(options.x_display.as_deref())?;
        [xtest::X11_EXTENSION_NAME, xinput::X11_EXTENSION_NAME].iter().try_for_each(|name| display.require(name))?;
        devices::sweep(&display).map_err(lost)?;
        let settings = Settings { linux_delay: 0, x11_display: options.x_display.clone(), ..Settings::default() };
        let enigo = Enigo::new(&settings).map_err(|error| {
            DesktopError(format!("the keyboard and pointer cannot be driven ({error}); share the screen with --view-only"))
        })?;
        let typist = Typist::new(&display)?;
        let shield = Shield::new(&display)?;
        Ok(Self { enigo, display, typist, shield })
    }

    fn take_events(&mut self) -> Result<(), DesktopError> {
        while let Some(event) = self.display.x.poll_for_event().map_err(lost)? {
            self.typist.follow(&event);
        }
        Ok(())
    }

    /// Whether this would press something in the panel, which only the person at the machine may. Releases always pass.
    fn is_for_panel(&self, event: &InputEvent) -> Result<bool, ReplyError> {
        match event {
            InputEvent::Button { down: true, .. } | InputEvent::Scroll { .. } => self.shield.is_under_pointer(&self.display),
            InputEvent::Key { down: true, .. } | InputEvent::Text(_) => self.shield.has_keyboard(&self.display),
            _ => Ok(false),
        }
    }

    /// The server keeps the pointer on the desktop, wherever it is sent.
    fn move_to(&mut self, x: u16, y: u16) -> Result<(), InputError> {
        self.enigo.move_mouse(x.into(), y.into(), Coordinate::Abs)
    }

    fn scroll(&mut self, dx: i16, dy: i16) -> Result<(), InputError> {
        for (notches, axis) in [(dx, Axis::Horizontal), (dy, Axis::Vertical)] {
            self.enigo.scroll(i32::from(notches.clamp(-MAX_NOTCHES, MAX_NOTCHES)), axis)?;
        }
        Ok(())
    }
}

impl Injector for X11Injector {
    fn inject(&mut self, event: &InputEvent) -> Result<(), DesktopError> {
        self.take_events()?;
        if self.is_for_panel(event).map_err(lost)? {
            return Ok(());
        }
        let done = match event {
            InputEvent::Motion { x, y } => self.move_to(*x, *y),
            InputEvent::Button { button, down } => self.enigo.button(enigo_button(*button), direction(*down)),
            InputEvent::Scroll { dx, dy } => self.scroll(*dx, *dy),
            InputEvent::Key { key, down } => match keys::evdev(*key) {
                Some(code) => self.enigo.raw(code + KEYCODE_OFFSET, direction(*down)),
                None => return Err(DesktopError(format!("this computer has no key {:#04x}", key.0))),
            },
            InputEvent::Text(text) => return self.typist.type_text(&self.display, text),
        };
        done.map_err(|error| DesktopError(format!("the desktop did not take the input ({error})")))
    }
}

impl Drop for X11Injector {
    fn drop(&mut self) {
        if let Err(error) = self.typist.give_back(&self.display) {
            tracing::debug!(%error, "borrowed keycodes stay mapped");
        }
    }
}

fn direction(down: bool) -> Direction {
    if down { Direction::Press } else { Direction::Release }
}

fn enigo_button(button: Button) -> enigo::Button {
    match button {
        Button::Left => enigo::Button::Left,
        Button::Middle => enigo::Button::Middle,
        Button::Right => enigo::Button::Right,
        Button::Back => enigo::Button::Back,
        Button::Forward => enigo::Button::Forward,
    }
}
