//! The host's panel: a small window at the bottom right, on top of everything, that never takes the keyboard by itself.
//!
//! | when | shows |
//! |---|---|
//! | nobody is here | ID and password, link and QR code, how others reach this machine |
//! | somebody asks | who, the code to compare, what they ask for with ticks, Allow and Deny |
//! | a session runs | who sees or controls, a switch for each permission, chat, files, Take back, End |
//! | it is over | "The session is finished", how long, what was transferred, where its log is |
//!
//! It is a face over the public contract: [`run`] reads `--json` events from stdin and writes the host's lines to stdout, so it can do
//! nothing that a script could not, and the host lives on when it dies.
//!
//! **Only the person's hands count.** What it needs of the desktop is a [`Desk`]: pointer events come from there, each with its device
//! known ([`Touch`]), and the window's own pointer events are thrown away; for each key that the window got it says whether it came from a
//! real keyboard ([`Desk::counts`]). What is dropped on the window counts never: a program can drag, too. Nor may a program, by the way
//! that screen readers have, choose what the next key presses while somebody asks. Where the desktop cannot tell ([`Desk::cover`] fails), the panel does not open: it would promise what it cannot keep.
//!
//! It runs on the main thread and draws only when something happened.

mod model;
mod view;

use std::{
    io::{self, BufRead, Write},
    thread,
    time::Instant,
};

use anyhow::anyhow;
use egui_winit::accesskit_winit;
use winit::{
    application::ApplicationHandler,
    dpi::{LogicalSize, PhysicalPosition, PhysicalSize},
    event::{ElementState, Ime, WindowEvent},
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy},
    platform::{
        scancode::PhysicalKeyExtScancode,
        x11::{EventLoopBuilderExtX11, WindowAttributesExtX11, WindowType},
    },
    raw_window_handle::{HasWindowHandle, RawWindowHandle},
    window::{Window, WindowId, WindowLevel},
};

pub use super::soft::tag::Tag;
use super::{
    event::HostEvent,
    soft::{look, pane::Pane},
};
use crate::protocol::screens::Choice;
use model::Model;
use view::View;

/// How wide it is, in points.
const WIDTH: f64 = 348.0;
/// From the edges of the screen, in points.
const GAP: f64 = 14.0;
/// Room for a task bar at the bottom, in points.
const BAR: f64 = 34.0;
/// A wheel notch in points.
const NOTCH: f32 = 50.0;

/// What the person's pointer did in the panel's window. Positions are physical pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Touch {
    /// It is here now. Anybody may move it.
    Moved {
        /// From the left.
        x: f32,
        /// From the top.
        y: f32,
    },
    /// It is elsewhere.
    Left,
    /// A real button; an injected one is never told.
    Button {
        /// From the left.
        x: f32,
        /// From the top.
        y: f32,
        /// Pressed or released.
        down: bool,
    },
    /// A real wheel: notches to the right and down.
    Wheel(f32, f32),
}

/// A rectangle of the desktop: left, top, width, height.
pub type Place = (i16, i16, u16, u16);

/// What is drawn on the desktop besides the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// Frames around these screens; empty: around the whole desktop, if there is a colour.
    pub screens: Vec<Place>,
    /// The frame's colour as `0xRRGGBB`; `None`: no frame.
    pub colour: Option<u32>,
    /// Where a viewer points.
    pub pointer: Option<(u16, u16)>,
    /// The arrow to show there, with its name.
    pub tag: Tag,
}

/// What the panel needs of the desktop.
pub trait Desk {
    /// Takes over all that pointers do in this window, and tells it.
    ///
    /// # Errors
    /// The desktop cannot tell people from programs: one line.
    fn cover(&mut self, window: u32, tell: Box<dyn Fn(Touch) + Send>) -> Result<(), String>;
    /// Whether a press that the window got, of the key with this code of the kernel, was the person's. Asked once for each.
    fn counts(&self, code: u32) -> bool;
    /// Whether the person types now, and nothing else does.
    fn types(&self) -> bool;
    /// Draws these marks instead of those before.
    fn mark(&self, marks: Marks);
}

/// Runs the panel until stdin ends. Must be called on the main thread.
///
/// # Errors
/// There is no display, or it cannot tell people from programs: one line says what to do.
pub fn run(desk: impl Desk) -> anyhow::Result<()> {
    let mut builder = EventLoop::with_user_event();
    // A Wayland window can neither choose its place nor stay on top; XWayland's can.
    builder.with_x11();
    let event_loop = builder.build().map_err(|error| anyhow!("there is no display for the panel ({error}); use --panel none"))?;
    listen(event_loop.create_proxy())?;
    let mut panel = Panel {
        desk,
        proxy: event_loop.create_proxy(),
        model: Model::default(),
        view: View::default(),
        pane: None,
        height: 0.0,
        marks: Marks::default(),
        tagged: None,
        next: None,
        failure: None,
    };
    event_loop.run_app(&mut panel)?;
    panel.failure.map_or(Ok(()), Err)
}

/// Reads the host's events on a thread of their own.
fn listen(proxy: EventLoopProxy<Wake>) -> io::Result<()> {
    thread::Builder::new().name("panel-events".to_owned()).spawn(move || {
        for line in io::stdin().lock().lines() {
            // Events of a newer host than this face knows are not for it.
            let event = line.ok().map(|line| serde_json::from_str(&line));
            let told = match event {
                Some(Ok(event)) => proxy.send_event(Wake::Event(Box::new(event))),
                Some(Err(error)) => {
                    tracing::debug!(%error, "an event was not understood");
                    Ok(())
                }
                None => break,
            };
            if told.is_err() {
                return;
            }
        }
        let _ = proxy.send_event(Wake::Closed);
    })?;
    Ok(())
}

/// What wakes the loop from outside.
enum Wake {
    Event(Box<HostEvent>),
    Touch(Touch),
    Wish(accesskit_winit::Event),
    /// The host is gone.
    Closed,
}

impl From<accesskit_winit::Event> for Wake {
    fn from(wish: accesskit_winit::Event) -> Self {
        Self::Wish(wish)
    }
}

struct Panel<D> {
    desk: D,
    proxy: EventLoopProxy<Wake>,
    model: Model,
    view: View,
    pane: Option<Pane>,
    /// The window's height in points, as it was last asked for.
    height: f64,
    marks: Marks,
    /// Who pointed last, and what that looks like, each way round.
    tagged: Option<(String, [Tag; 4])>,
    /// When what was painted last is not true any more.
    next: Option<Instant>,
    failure: Option<anyhow::Error>,
}

impl<D: Desk> ApplicationHandler<Wake> for Panel<D> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        if self.pane.is_none() {
            match self.open(event_loop) {
                Ok(pane) => self.pane = Some(pane),
                Err(error) => self.fail(event_loop, error),
            }
        }
    }

    fn user_event(&mut self, event_loop: &ActiveEventLoop, wake: Wake) {
        match wake {
            Wake::Event(event) => self.follow(*event),
            Wake::Touch(touch) => self.touch(touch),
            Wake::Wish(wish) => {
                let asks = matches!(wish.window_event, accesskit_winit::WindowEvent::ActionRequested(_));
                if let Some(pane) = &mut self.pane
                    && !(asks && self.model.request.is_some())
                {
                    pane.soft.on_wish(wish);
                }
            }
            Wake::Closed => event_loop.exit(),
        }
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let Some(pane) = &mut self.pane else { return };
        match &event {
            // Those of the desk count, for they tell their device.
            WindowEvent::CursorMoved { .. }
            | WindowEvent::CursorEntered { .. }
            | WindowEvent::CursorLeft { .. }
            | WindowEvent::MouseInput { .. }
            | WindowEvent::MouseWheel { .. }
            | WindowEvent::Touch(_)
            | WindowEvent::DroppedFile(_)
            | WindowEvent::HoveredFile(_) => return,
            // Any program can ask for that. So the person is asked.
            WindowEvent::CloseRequested => {
                self.view.ask_to_close();
                pane.soft.repaint();
                return;
            }
            WindowEvent::Ime(Ime::Preedit(..) | Ime::Commit(_)) if !self.desk.types() => return,
            // What is held already when the focus comes was pressed for somebody else.
            WindowEvent::KeyboardInput { event: key, is_synthetic, .. }
                if key.state == ElementState::Pressed
                    && (*is_synthetic || !key.physical_key.to_scancode().is_some_and(|code| self.desk.counts(code))) =>
            {
                return;
            }
            WindowEvent::Destroyed => {
                self.pane = None;
                return self.fail(event_loop, anyhow!("another program destroyed the panel's window"));
            }
            WindowEvent::RedrawRequested | WindowEvent::Resized(_) | WindowEvent::ScaleFactorChanged { .. } => pane.soft.repaint(),
            _ => {}
        }
        pane.soft.on_event(&pane.window, &event);
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        let now = Instant::now();
        self.model.expire(now);
        if let Err(error) = self.paint(now) {
            return self.fail(event_loop, error);
        }
        self.say();
        let due = self.pane.as_ref().and_then(|pane| pane.soft.due());
        let next = due.into_iter().chain(self.next).min();
        event_loop.set_control_flow(next.map_or(ControlFlow::Wait, ControlFlow::WaitUntil));
    }
}

impl<D: Desk> Panel<D> {
    fn open(&mut self, event_loop: &ActiveEventLoop) -> anyhow::Result<Pane> {
        let attributes = Window::default_attributes()
            .with_title("rs")
            .with_name("rs-panel", "rs-panel")
            .with_x11_window_type(vec![WindowType::Utility])
            .with_inner_size(LogicalSize::new(WIDTH, 420.0))
            // Whatever place: it tells the window manager that we choose it.
            .with_position(PhysicalPosition::new(0, 0))
            .with_decorations(false)
            .with_resizable(false)
            .with_window_level(WindowLevel::AlwaysOnTop)
            .with_active(false)
            .with_visible(false);
        let window = event_loop
            .create_window(attributes)
            .map_err(|error| anyhow!("cannot open the panel on this display ({error}); use --panel none"))?;
        let number = match window.window_handle().map(|handle| handle.as_raw()) {
            Ok(RawWindowHandle::Xlib(handle)) => u32::try_from(handle.window).ok(),
            Ok(RawWindowHandle::Xcb(handle)) => Some(handle.window.get()),
            _ => None,
        };
        let number = number.ok_or_else(|| anyhow!("this display has no X11 windows; use --panel none"))?;
        let proxy = self.proxy.clone();
        let tell = Box::new(move |touch| drop(proxy.send_event(Wake::Touch(touch))));
        self.desk.cover(number, tell).map_err(|why| anyhow!("{why}; use --panel none"))?;
        let mut pane = Pane::new(window)?;
        pane.soft.accessible(event_loop, &pane.window, self.proxy.clone());
        Ok(pane)
    }

    fn fail(&mut self, event_loop: &ActiveEventLoop, error: anyhow::Error) {
        self.failure.get_or_insert(error);
        event_loop.exit();
    }

    fn follow(&mut self, event: HostEvent) {
        if let Some(pane) = &mut self.pane {
            match &event {
                HostEvent::Chat { text, .. } => pane.soft.cover(text),
                HostEvent::Request { viewer, .. } | HostEvent::SessionStarted { viewer, .. } => pane.soft.cover(&viewer.name),
                HostEvent::File { transfer, .. } => pane.soft.cover(&transfer.name),
                _ => {}
            }
            pane.soft.repaint();
        }
        self.model.follow(event, Instant::now());
        let marks = self.wanted_marks();
        if marks != self.marks {
            self.desk.mark(marks.clone());
            self.marks = marks;
        }
    }

    /// The frame and the pointer that belong to the sessions there are.
    fn wanted_marks(&mut self) -> Marks {
        let seen = self.model.sessions.iter().filter(|session| session.sees());
        let Some(first) = seen.clone().next() else { return Marks::default() };
        let colour = if seen.clone().any(model::Session::drives) { look::ALERT } else { look::ACCENT };
        let [red, green, blue, _] = colour.to_array();
        let shown = |index: usize| match first.shown {
            Choice::All => true,
            Choice::One(only) => usize::from(only) == index,
        };
        let signed = |value: u16| i16::try_from(value).unwrap_or(i16::MAX);
        let screens = first.screens.iter().enumerate().filter(|(index, _)| shown(*index));
        let pointing = seen.clone().find_map(|session| Some((session.pointing?, &session.viewer.name)));
        if let (Some((_, name)), Some(pane)) = (pointing, &mut self.pane)
            && self.tagged.as_ref().is_none_or(|(tagged, _)| tagged != name)
        {
            self.tagged = Some((name.clone(), pane.soft.tags(name, look::ACCENT)));
        }
        let tag = pointing.and_then(|(place, _)| Some(fitting(&self.tagged.as_ref()?.1, place, self.monitor_at(place))));
        Marks {
            screens: screens.map(|(_, screen)| (signed(screen.x), signed(screen.y), screen.width, screen.height)).collect(),
            colour: Some(u32::from_be_bytes([0, red, green, blue])),
            pointer: pointing.map(|(place, _)| place),
            tag: tag.cloned().unwrap_or_default(),
        }
    }

    /// The monitor there: left, top, right, bottom.
    fn monitor_at(&self, (x, y): (u16, u16)) -> Option<[i32; 4]> {
        let monitors = self.pane.as_ref()?.window.available_monitors();
        let edges = |monitor: winit::monitor::MonitorHandle| {
            let (place, size) = (monitor.position(), monitor.size().cast::<i32>());
            [place.x, place.y, place.x + size.width, place.y + size.height]
        };
        let holds =
            |[left, top, right, bottom]: &[i32; 4]| (*left..*right).contains(&x.into()) && (*top..*bottom).contains(&y.into());
        monitors.map(edges).find(holds)
    }

    fn touch(&mut self, touch: Touch) {
        let Some(pane) = &mut self.pane else { return };
        let scale = pane.soft.scale();
        let at = |x: f32, y: f32| egui::pos2(x / scale, y / scale);
        match touch {
            Touch::Moved { x, y } => pane.soft.push(egui::Event::PointerMoved(at(x, y))),
            Touch::Left => pane.soft.push(egui::Event::PointerGone),
            Touch::Button { x, y, down } => {
                pane.soft.push(egui::Event::PointerMoved(at(x, y)));
                let (button, modifiers) = (egui::PointerButton::Primary, egui::Modifiers::NONE);
                pane.soft.push(egui::Event::PointerButton { pos: at(x, y), button, pressed: down, modifiers });
                // The person touched it: what they type now is for it.
                if down {
                    pane.window.focus_window();
                }
            }
            Touch::Wheel(x, y) => pane.soft.push(egui::Event::MouseWheel {
                unit: egui::MouseWheelUnit::Point,
                delta: egui::vec2(-x * NOTCH, -y * NOTCH),
                phase: egui::TouchPhase::Move,
                modifiers: egui::Modifiers::NONE,
            }),
        }
    }

    /// Draws, if it is time; the window becomes as high as what it shows.
    fn paint(&mut self, now: Instant) -> anyhow::Result<()> {
        let Some(pane) = &mut self.pane else { return Ok(()) };
        if !pane.soft.is_due(now) && self.next.is_none_or(|next| next > now) {
            return Ok(());
        }
        self.next = self.model.next_change(now);
        let (view, model, mut height) = (&mut self.view, &mut self.model, 0.0);
        pane.paint(|ui| height = view.show(ui, model, now));
        let height = f64::from(height.ceil());
        if (height - self.height).abs() >= 1.0 {
            self.height = height;
            // Before it is shown: nobody sees a page without the wish for its size being on the way.
            self.settle();
        }
        self.pane.as_mut().map_or(Ok(()), Pane::show)
    }

    /// Sizes the window and puts it to the bottom right of the screen it is on. The first time it shows it, too.
    fn settle(&self) {
        let Some(pane) = &self.pane else { return };
        let window = &pane.window;
        let Some(monitor) = window.primary_monitor().or_else(|| window.current_monitor()) else { return };
        let scale = window.scale_factor();
        let (place, room) = (monitor.position(), monitor.size());
        let size: PhysicalSize<u32> =
            LogicalSize::new(WIDTH, self.height.min(f64::from(room.height) / scale - BAR - GAP)).to_physical(scale);
        #[expect(clippy::cast_possible_truncation, reason = "a screen's length")]
        let left = |gap: f64, room: u32, size: u32| (f64::from(room) - f64::from(size) - gap * scale).max(0.0) as i32;
        let at = (place.x + left(GAP, room.width, size.width), place.y + left(BAR, room.height, size.height));
        let _ = window.request_inner_size(size);
        window.set_outer_position(PhysicalPosition::new(at.0, at.1));
        window.set_visible(true);
    }

    /// Hands over what the person said.
    fn say(&mut self) {
        let lines = self.model.take_lines();
        if !lines.is_empty() {
            let mut out = io::stdout().lock();
            let said = lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
            if let Err(error) = said {
                tracing::debug!(%error, "the host does not listen");
            }
        }
    }
}

/// The first of these that lies wholly on the monitor when its tip is there; none does: the first.
fn fitting(tags: &[Tag; 4], (x, y): (u16, u16), monitor: Option<[i32; 4]>) -> &Tag {
    let fits = |tag: &&Tag| {
        let (left, top) = (i32::from(x) - i32::from(tag.tip.0), i32::from(y) - i32::from(tag.tip.1));
        let (right, bottom) = (left + i32::from(tag.width), top + i32::from(tag.height()));
        monitor.is_some_and(|edges| left >= edges[0] && top >= edges[1] && right <= edges[2] && bottom <= edges[3])
    };
    tags.iter().find(fits).unwrap_or(&tags[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_who_points_turns_away_from_the_edges_of_the_screen() {
        let tag = |tip| Tag { width: 100, pixels: vec![0; 100 * 30].into(), tip };
        let tags = [tag((0, 0)), tag((99, 0)), tag((0, 29)), tag((99, 29))];
        let monitor = Some([800, 0, 1600, 600]);
        let turned = |place| fitting(&tags, place, monitor).tip;
        assert_eq!(turned((900, 100)), (0, 0));
        assert_eq!(turned((1550, 100)), (99, 0));
        assert_eq!(turned((800, 590)), (0, 29));
        assert_eq!(turned((1599, 599)), (99, 29));
        assert_eq!(fitting(&tags, (1599, 599), None).tip, (0, 0));
    }
}
