//! The pointer by `enigo`, keys and text by [`Keyboard`]: enigo knows the first group and level of the layout alone, and one key that it
//! remaps slows all later ones (24 ms each, measured).

use enigo::{Axis, Coordinate, Direction, Enigo, InputError, Mouse as _, Settings};
use x11rb::{
    connection::Connection,
    errors::ReplyError,
    protocol::{xinput, xtest},
};

use super::{DesktopError, Display, devices, glass::Shield, keyboard::Keyboard, lost};
use crate::{
    desktop::{Injector, capture::Options},
    protocol::input::{Button, InputEvent},
};

/// More notches of the wheel than this in one event are not a person's.
const MAX_NOTCHES: i16 = 64;

/// Injects into an X11 display.
pub(in crate::desktop) struct X11Injector {
    enigo: Enigo,
    display: Display,
    keyboard: Keyboard,
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
        let keyboard = Keyboard::new(&display)?;
        let shield = Shield::new(&display)?;
        Ok(Self { enigo, display, keyboard, shield })
    }

    fn take_events(&mut self) -> Result<(), DesktopError> {
        while let Some(event) = self.display.x.poll_for_event().map_err(lost)? {
            self.keyboard.follow(&event);
        }
        Ok(())
    }

    /// Whether this would press something in the panel, which only the person at the machine may. Releases always pass.
    fn is_for_panel(&self, event: &InputEvent) -> Result<bool, ReplyError> {
        match event {
            InputEvent::Button { down: true, .. } | InputEvent::Scroll { .. } => self.shield.is_under_pointer(&self.display),
            InputEvent::Key { down: true, .. } | InputEvent::Press { .. } | InputEvent::Text(_) => {
                self.shield.has_keyboard(&self.display)
            }
            InputEvent::Motion { .. } | InputEvent::Locks(_) => Ok(false),
            // What is held is let go everywhere.
            InputEvent::Button { down: false, .. } | InputEvent::Key { down: false, .. } => Ok(false),
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
        let Self { enigo: _, display, keyboard, .. } = self;
        let done = match event {
            InputEvent::Motion { x, y } => self.move_to(*x, *y),
            InputEvent::Button { button, down } => {
                if *down {
                    keyboard.settle(display)?;
                }
                self.enigo.button(enigo_button(*button), direction(*down))
            }
            InputEvent::Scroll { dx, dy } => self.scroll(*dx, *dy),
            InputEvent::Key { key, down: true } => return keyboard.press(display, *key),
            InputEvent::Key { key, down: false } => return keyboard.release(display, *key),
            InputEvent::Press { key, meaning } => return keyboard.press_meant(display, *key, *meaning),
            InputEvent::Text(text) => return keyboard.type_text(display, text),
            InputEvent::Locks(locks) => return keyboard.lock(display, *locks),
        };
        done.map_err(|error| DesktopError(format!("the desktop did not take the input ({error})")))
    }

    fn put_back(&mut self) -> Result<(), DesktopError> {
        self.take_events()?;
        self.keyboard.put_locks_back(&self.display)
    }

    fn take_untyped(&mut self) -> Option<char> {
        self.keyboard.take_untyped()
    }
}

impl Drop for X11Injector {
    fn drop(&mut self) {
        if let Err(error) = self.keyboard.give_back(&self.display) {
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
