//! Frames around screens while somebody sees them: windows that no window manager moves, that take no input, and that climb up again
//! when something covers them, so that remote input cannot hide them. And the arrow of somebody who points, which does not climb: it
//! comes up when it moves, and goes when it has rested for [`REST`].

use std::time::{Duration, Instant};

use x11rb::{
    connection::Connection,
    errors::ReplyOrIdError,
    protocol::{
        shape::SK,
        xfixes::ConnectionExt as _,
        xproto::{
            ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, ImageFormat, ImageOrder, Rectangle,
            StackMode, Visibility, VisibilityNotifyEvent, Window, WindowClass,
        },
    },
};

use super::Display;
use crate::desktop::guard::{Label, Marks, Place};

/// How broad a frame is, in pixels.
const EDGE: u16 = 5;
/// The shortest time between two climbs: another window that insists as well must not keep the server busy.
const CLIMB: Duration = Duration::from_millis(50);
/// How long the arrow of somebody who points stays without a new place.
const REST: Duration = Duration::from_secs(2);

/// All marks that are shown.
#[derive(Default)]
pub(super) struct Shown {
    marks: Marks,
    frames: Vec<Window>,
    is_covered: bool,
    climbed: Option<Instant>,
    arrow: Option<Window>,
    /// When the arrow goes.
    rests: Option<Instant>,
}

impl Shown {
    /// Shows these instead.
    pub(super) fn show(&mut self, display: &Display, marks: Marks) -> Result<(), ReplyOrIdError> {
        if (&marks.screens, marks.colour) != (&self.marks.screens, self.marks.colour) {
            self.frame(display, &marks)?;
        }
        if marks.label != self.marks.label
            && let Some(arrow) = self.arrow.take()
        {
            display.x.destroy_window(arrow)?;
        }
        if let Some(place) = marks.pointer {
            self.point(display, place, &marks.label)?;
        } else if self.rests.is_some() {
            self.rests = Some(Instant::now());
        }
        self.marks = marks;
        Ok(())
    }

    fn frame(&mut self, display: &Display, marks: &Marks) -> Result<(), ReplyOrIdError> {
        for window in self.frames.drain(..) {
            display.x.destroy_window(window)?;
        }
        let Some(colour) = marks.colour else { return Ok(()) };
        let root = display.x.get_geometry(display.root)?.reply()?;
        let whole = [(0, 0, root.width, root.height)];
        let screens = if marks.screens.is_empty() { &whole[..] } else { &marks.screens };
        for edge in screens.iter().flat_map(|screen| edges(*screen)) {
            let looks = CreateWindowAux::new().background_pixel(colour).event_mask(EventMask::VISIBILITY_CHANGE);
            let window = untouchable(display, edge, &looks)?;
            display.x.map_window(window)?.check()?;
            self.frames.push(window);
        }
        Ok(())
    }

    fn point(&mut self, display: &Display, (x, y): (u16, u16), label: &Label) -> Result<(), ReplyOrIdError> {
        let arrow = match self.arrow {
            Some(arrow) => arrow,
            None => match drawn(display, label)? {
                Some(arrow) => *self.arrow.insert(arrow),
                None => return Ok(()),
            },
        };
        let (left, above) = label.tip;
        let (x, y) = (i32::from(x) - i32::from(left), i32::from(y) - i32::from(above));
        let place = ConfigureWindowAux::new().x(x).y(y).stack_mode(StackMode::ABOVE);
        display.x.configure_window(arrow, &place)?;
        display.x.map_window(arrow)?;
        self.rests = Some(Instant::now() + REST);
        Ok(())
    }

    /// The server says how much of a window is to be seen.
    pub(super) fn covered(&mut self, event: &VisibilityNotifyEvent) {
        self.is_covered |= event.state != Visibility::UNOBSCURED && self.frames.contains(&event.window);
    }

    /// Does what is due; returns when to call again.
    pub(super) fn tend(&mut self, display: &Display) -> Result<Option<Duration>, ReplyOrIdError> {
        let now = Instant::now();
        if self.rests.take_if(|until| *until <= now).is_some()
            && let Some(arrow) = self.arrow
        {
            display.x.unmap_window(arrow)?;
        }
        let rests = self.rests.map(|until| until - now);
        Ok(self.climb(display, now)?.into_iter().chain(rests).min())
    }

    /// Climbs up, if something covers a frame; returns when to call again, if it is too early.
    fn climb(&mut self, display: &Display, now: Instant) -> Result<Option<Duration>, ReplyOrIdError> {
        if !self.is_covered {
            return Ok(None);
        }
        let rest = self.climbed.map(|before| CLIMB.saturating_sub(now - before)).filter(|rest| !rest.is_zero());
        if rest.is_none() {
            (self.is_covered, self.climbed) = (false, Some(now));
            for window in &self.frames {
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

/// A window that takes no input and that no window manager moves.
fn untouchable(display: &Display, (x, y, width, height): Place, looks: &CreateWindowAux) -> Result<Window, ReplyOrIdError> {
    let (connection, screen) = (&display.x, display.screen());
    let window = connection.generate_id()?;
    let looks = looks.override_redirect(1);
    let (class, visual) = (WindowClass::INPUT_OUTPUT, screen.root_visual);
    connection.create_window(screen.root_depth, window, display.root, x, y, width, height, 0, class, visual, &looks)?.check()?;
    shape(display, window, SK::INPUT, &[])?;
    Ok(window)
}

fn shape(display: &Display, window: Window, kind: SK, parts: &[Rectangle]) -> Result<(), ReplyOrIdError> {
    let region = display.x.generate_id()?;
    display.x.xfixes_create_region(region, parts)?;
    display.x.xfixes_set_window_shape_region(window, kind, 0, 0, region)?;
    display.x.xfixes_destroy_region(region)?;
    Ok(())
}

/// The label as a window, where the display takes four bytes a pixel; it repaints itself.
fn drawn(display: &Display, label: &Label) -> Result<Option<Window>, ReplyOrIdError> {
    let (connection, depth) = (&display.x, display.screen().root_depth);
    let height = u16::try_from(label.pixels.len().checked_div(label.width.into()).unwrap_or(0)).unwrap_or(0);
    let formats = &connection.setup().pixmap_formats;
    let fits = formats.iter().any(|format| format.depth == depth && format.bits_per_pixel == 32);
    if height == 0 || depth < 24 || !fits {
        return Ok(None);
    }
    let bytes: Vec<u8> = match connection.setup().image_byte_order {
        ImageOrder::MSB_FIRST => label.pixels.iter().flat_map(|pixel| pixel.to_be_bytes()).collect(),
        _ => label.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect(),
    };
    let (picture, pen) = (connection.generate_id()?, connection.generate_id()?);
    connection.create_pixmap(depth, picture, display.root, label.width, height)?;
    connection.create_gc(pen, picture, &CreateGCAux::new())?;
    connection.put_image(ImageFormat::Z_PIXMAP, picture, pen, label.width, height, 0, 0, 0, depth, &bytes)?;
    let looks = CreateWindowAux::new().background_pixmap(picture);
    let window = untouchable(display, (0, 0, label.width, height), &looks)?;
    connection.free_gc(pen)?;
    connection.free_pixmap(picture)?;
    shape(display, window, SK::BOUNDING, &opaque(label))?;
    Ok(Some(window))
}

/// What is to be seen of a label: the runs of each row.
fn opaque(label: &Label) -> Vec<Rectangle> {
    let mut runs: Vec<Rectangle> = Vec::new();
    for (y, row) in (0_i16..).zip(label.pixels.chunks_exact(label.width.max(1).into())) {
        for (x, pixel) in (0_i16..).zip(row) {
            match runs.last_mut() {
                _ if pixel >> 31 == 0 => {}
                Some(run) if run.y == y && run.x + i16::try_from(run.width).unwrap_or(i16::MAX) == x => run.width += 1,
                _ => runs.push(Rectangle { x, y, width: 1, height: 1 }),
            }
        }
    }
    runs
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

    #[test]
    fn what_is_not_half_opaque_is_no_part_of_a_label() {
        let (full, half) = (0xff12_3456, 0x7f12_3456);
        let label = Label { width: 4, pixels: [full, full, half, full, half, full, full, full].into(), tip: (0, 0) };
        let runs: Vec<_> = opaque(&label).iter().map(|run| (run.x, run.y, run.width, run.height)).collect();
        assert_eq!(runs, [(0, 0, 2, 1), (3, 0, 1, 1), (1, 1, 3, 1)]);
        assert!(opaque(&Label::default()).is_empty());
    }
}
