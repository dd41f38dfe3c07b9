//! Frames around screens while somebody sees them: windows that no window manager moves, that take no input, and that climb up again
//! when something covers them, so that remote input cannot hide them.

use std::time::{Duration, Instant};

use x11rb::{
    connection::Connection,
    errors::ReplyOrIdError,
    protocol::{
        shape::SK,
        xfixes::ConnectionExt as _,
        xproto::{
            ConfigureWindowAux, ConnectionExt as _, CreateWindowAux, EventMask, StackMode, Visibility, VisibilityNotifyEvent,
            Window, WindowClass,
        },
    },
};

use super::Display;
use crate::desktop::guard::{Marks, Place};

/// How broad a frame is, in pixels.
const EDGE: u16 = 5;
/// The shortest time between two climbs: another window that insists as well must not keep the server busy.
const CLIMB: Duration = Duration::from_millis(50);

/// All frames that are shown.
#[derive(Default)]
pub(super) struct Frames {
    shown: Marks,
    windows: Vec<Window>,
    is_covered: bool,
    climbed: Option<Instant>,
}

impl Frames {
    /// Shows these instead.
    pub(super) fn show(&mut self, display: &Display, marks: &Marks) -> Result<(), ReplyOrIdError> {
        if (&marks.screens, marks.colour) == (&self.shown.screens, self.shown.colour) {
            return Ok(());
        }
        for window in self.windows.drain(..) {
            display.x.destroy_window(window)?;
        }
        self.shown = marks.clone();
        let Some(colour) = marks.colour else { return Ok(()) };
        let root = display.x.get_geometry(display.root)?.reply()?;
        let whole = [(0, 0, root.width, root.height)];
        let screens = if marks.screens.is_empty() { &whole[..] } else { &marks.screens };
        for edge in screens.iter().flat_map(|screen| edges(*screen)) {
            self.windows.push(bar(display, edge, colour)?);
        }
        Ok(())
    }

    /// The server says how much of a window is to be seen.
    pub(super) fn covered(&mut self, event: &VisibilityNotifyEvent) {
        self.is_covered |= event.state != Visibility::UNOBSCURED && self.windows.contains(&event.window);
    }

    /// Climbs up, if something covers a frame; returns when to call again, if it is too early.
    pub(super) fn climb(&mut self, display: &Display) -> Result<Option<Duration>, ReplyOrIdError> {
        if !self.is_covered {
            return Ok(None);
        }
        let now = Instant::now();
        let rest = self.climbed.map(|before| CLIMB.saturating_sub(now - before)).filter(|rest| !rest.is_zero());
        if rest.is_none() {
            (self.is_covered, self.climbed) = (false, Some(now));
            for window in &self.windows {
                display.x.configure_window(*window, &ConfigureWindowAux::new().stack_mode(StackMode::ABOVE))?;
            }
        }
        Ok(rest)
    }
}

/// The four sides of a screen's frame, inside of it; corners belong to the upper and the lower one.
fn edges((x, y, width, height): Place) -> [Place; 4] {
    let (right, bottom) = (width.saturating_sub(EDGE), height.saturating_sub(EDGE));
    let signed = |value: u16| i16::try_from(value).unwrap_or(i16::MAX);
    let (far_x, far_y, inner) = (x.saturating_add(signed(right)), y.saturating_add(signed(bottom)), y.saturating_add(signed(EDGE)));
    let between = bottom.saturating_sub(EDGE).max(1);
    [(x, y, width, EDGE), (x, far_y, width, EDGE), (x, inner, EDGE, between), (far_x, inner, EDGE, between)]
}

fn bar(display: &Display, (x, y, width, height): Place, colour: u32) -> Result<Window, ReplyOrIdError> {
    let (connection, screen) = (&display.x, display.screen());
    let window = connection.generate_id()?;
    let looks = CreateWindowAux::new().override_redirect(1).background_pixel(colour).event_mask(EventMask::VISIBILITY_CHANGE);
    let (class, visual) = (WindowClass::INPUT_OUTPUT, screen.root_visual);
    connection.create_window(screen.root_depth, window, display.root, x, y, width, height, 0, class, visual, &looks)?.check()?;
    let nothing = connection.generate_id()?;
    connection.xfixes_create_region(nothing, &[])?;
    connection.xfixes_set_window_shape_region(window, SK::INPUT, 0, 0, nothing)?;
    connection.xfixes_destroy_region(nothing)?;
    connection.map_window(window)?.check()?;
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_lies_inside_its_screen_and_its_sides_do_not_overlap() {
        let sides = edges((100, 50, 800, 600));
        assert_eq!(sides, [(100, 50, 800, 5), (100, 645, 800, 5), (100, 55, 5, 590), (895, 55, 5, 590)]);
        let tiny = edges((0, 0, 3, 3));
        assert!(tiny.iter().all(|(_, _, width, height)| *width > 0 && *height > 0), "X refuses windows without an area");
    }
}
