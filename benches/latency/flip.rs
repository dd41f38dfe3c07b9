//! The program on the host display: turns over between dark and light at each key press.

use std::io::Write;

use anyhow::Context;
use x11rb::{
    COPY_DEPTH_FROM_PARENT, CURRENT_TIME,
    connection::Connection,
    protocol::{
        Event,
        xproto::{ConnectionExt, CreateGCAux, CreateWindowAux, EventMask, InputFocus, Rectangle, WindowClass},
    },
};

/// The colour at the start.
pub(crate) const DARK: u32 = 0x20_2020;
const LIGHT: u32 = 0xf0_f0f0;
/// Side of the square in the centre that [`Change::Small`] turns over.
const SQUARE: u16 = 200;

/// How much of the screen turns over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Change {
    /// 200x200 pixels in the centre
    Small,
    /// All of it
    Full,
}

/// Covers the screen, takes the focus, says `ready` and serves key presses until it is killed.
pub(crate) fn flip(change: Change) -> anyhow::Result<()> {
    let (x, screen) = x11rb::connect(None).context("no X display; set DISPLAY")?;
    let screen = &x.setup().roots[screen];
    let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);

    let window = x.generate_id()?;
    let looks = CreateWindowAux::new()
        .background_pixel(DARK)
        .override_redirect(1)
        .event_mask(EventMask::KEY_PRESS | EventMask::EXPOSURE | EventMask::FOCUS_CHANGE);
    x.create_window(COPY_DEPTH_FROM_PARENT, window, screen.root, 0, 0, width, height, 0, WindowClass::INPUT_OUTPUT, 0, &looks)?;
    let (dark, light) = (x.generate_id()?, x.generate_id()?);
    x.create_gc(dark, window, &CreateGCAux::new().foreground(DARK))?;
    x.create_gc(light, window, &CreateGCAux::new().foreground(LIGHT))?;
    x.map_window(window)?;
    x.flush()?;

    let area = match change {
        Change::Full => Rectangle { x: 0, y: 0, width, height },
        Change::Small => {
            let middle = |side: u16| i16::try_from(side.saturating_sub(SQUARE) / 2).unwrap_or(0);
            Rectangle { x: middle(width), y: middle(height), width: SQUARE, height: SQUARE }
        }
    };
    let mut colours = [light, dark].into_iter().cycle();
    loop {
        match x.wait_for_event()? {
            // Only a window that is seen can have the focus.
            Event::Expose(_) => x.set_input_focus(InputFocus::NONE, window, CURRENT_TIME)?.check()?,
            Event::FocusIn(_) => {
                println!("ready");
                std::io::stdout().flush()?;
            }
            Event::KeyPress(_) => {
                x.poly_fill_rectangle(window, colours.next().context("a cycle has no end")?, &[area])?;
                x.flush()?;
            }
            _ => {}
        }
    }
}
