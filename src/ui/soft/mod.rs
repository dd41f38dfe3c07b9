//! egui without a GPU: widgets laid out by egui, drawn by the processor, for any window that `softbuffer` shows.
//!
//! [`Soft`] is one egui for one winit window. It owns no surface: what it draws is a layer, premultiplied and transparent where there
//! is no widget, that [`Soft::blend`] puts over whatever is in a buffer already (a picture, or a plain ground). Order of calls:
//!
//! 1. [`Soft::new`], and [`Soft::accessible`] while the window is still invisible;
//! 2. [`Soft::on_event`] with each event of the window;
//! 3. when [`Soft::is_due`]: [`Soft::paint`], then [`Soft::blend`] into the surface, and present;
//! 4. sleep until [`Soft::due`]. Nothing is drawn while nothing happens.
//!
//! Letters come from egui's own fonts; for characters that those lack, [`Soft::cover`] adds fonts of the system ([`fonts`]).
//! Following a link is never egui's business: its wish to open one is dropped.

mod clipboard;
mod fonts;
pub(crate) mod look;
pub(crate) mod pane;
pub(crate) mod tag;

use std::time::{Duration, Instant};

use egui_software_backend::{BufferMutRef, ColorFieldOrder, EguiSoftwareRender};
use egui_winit::{
    accesskit_winit,
    winit::{
        event::WindowEvent,
        event_loop::{ActiveEventLoop, EventLoopProxy},
        window::Window,
    },
};

use clipboard::Clipboard;
use fonts::Fonts;

/// A layer without an area is not drawn; one of more pixels a side than this is nobody's screen.
const MAX_SIDE: u32 = 16_384;

/// egui for one window.
pub(crate) struct Soft {
    context: egui::Context,
    state: egui_winit::State,
    renderer: EguiSoftwareRender,
    /// The layer: premultiplied, blue first.
    pixels: Vec<[u8; 4]>,
    size: (usize, usize),
    fonts: Fonts,
    clipboard: Clipboard,
    /// When egui wants to be drawn again.
    due: Option<Instant>,
}

impl Soft {
    /// For this window, in the colours of [`look`].
    #[expect(clippy::cast_possible_truncation, reason = "a scale factor")]
    pub(crate) fn new(window: &Window) -> Self {
        let context = egui::Context::default();
        look::dress(&context);
        let theme = window.theme().or_else(look::wished);
        let scale = window.scale_factor() as f32;
        let state = egui_winit::State::new(context.clone(), egui::ViewportId::ROOT, window, Some(scale), theme, None);
        Self {
            context,
            state,
            renderer: EguiSoftwareRender::new(ColorFieldOrder::Bgra),
            pixels: Vec::new(),
            size: (0, 0),
            fonts: Fonts::default(),
            clipboard: Clipboard::default(),
            due: Some(Instant::now()),
        }
    }

    /// Tells screen readers what there is. The window must not be visible yet. What they ask for comes as `Wish` to the loop: pass
    /// it to [`Self::on_wish`].
    pub(crate) fn accessible<Wish>(&mut self, event_loop: &ActiveEventLoop, window: &Window, proxy: EventLoopProxy<Wish>)
    where
        Wish: From<accesskit_winit::Event> + Send,
    {
        self.state.init_accesskit(event_loop, window, proxy);
    }

    /// What a screen reader wants. A press is not taken from it, for any program could ask for one: the person presses by key.
    pub(crate) fn on_wish(&mut self, wish: accesskit_winit::Event) {
        match wish.window_event {
            accesskit_winit::WindowEvent::InitialTreeRequested => self.context.enable_accesskit(),
            accesskit_winit::WindowEvent::AccessibilityDeactivated => self.context.disable_accesskit(),
            accesskit_winit::WindowEvent::ActionRequested(request) => {
                use egui::accesskit::Action;
                if matches!(request.action, Action::Focus | Action::ScrollIntoView | Action::ScrollToPoint) {
                    self.state.on_accesskit_action_request(request);
                }
            }
        }
        self.repaint();
    }

    /// Takes an event of the window; tells whether a widget used it up.
    pub(crate) fn on_event(&mut self, window: &Window, event: &WindowEvent) -> bool {
        if let WindowEvent::KeyboardInput { .. } = event
            && self.context.egui_wants_keyboard_input()
            && self.state.egui_input().modifiers.command
            && let Some(text) = self.clipboard.get()
        {
            self.state.set_clipboard_text(text);
        }
        let response = self.state.on_window_event(window, event);
        if response.repaint {
            self.repaint();
        }
        response.consumed
    }

    /// An input event that came by another way than the window's.
    pub(crate) fn push(&mut self, event: egui::Event) {
        self.state.egui_input_mut().events.push(event);
        self.repaint();
    }

    /// Its egui.
    pub(crate) fn context(&self) -> &egui::Context {
        &self.context
    }

    /// Draws at the next turn.
    pub(crate) fn repaint(&mut self) {
        self.due = Some(Instant::now());
    }

    /// Puts back what [`Self::due`] said: for a layer of which nothing is shown.
    pub(crate) fn restore(&mut self, due: Option<Instant>) {
        self.due = due;
    }

    /// When to draw next; `None`: when something happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether to draw now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Makes sure that `text` can be shown, as far as this machine has fonts for it. Call it for what people wrote.
    pub(crate) fn cover(&mut self, text: &str) {
        self.fonts.cover(&self.context, text);
    }

    /// The pictures of an arrow with a name, in our fonts and at our scale: see [`tag::draw`].
    pub(crate) fn tags(&mut self, name: &str, colour: egui::Color32) -> [tag::Tag; 4] {
        self.cover(name);
        tag::draw(name, colour, self.fonts.definitions(), self.scale())
    }

    /// Physical pixels for one of egui's points.
    pub(crate) fn scale(&self) -> f32 {
        self.context.pixels_per_point()
    }

    /// Whether it is drawn light on dark.
    pub(crate) fn is_dark(&self) -> bool {
        self.context.theme() == egui::Theme::Dark
    }

    /// Lays out and draws the layer anew, in the window's size.
    pub(crate) fn paint(&mut self, window: &Window, ui: impl FnMut(&mut egui::Ui)) {
        tracing::trace!("widgets are laid out");
        let size = window.inner_size();
        let input = self.state.take_egui_input(window);
        let mut output = self.context.run_ui(input, ui);
        for command in std::mem::take(&mut output.platform_output.commands) {
            if let egui::OutputCommand::CopyText(text) = command {
                self.clipboard.set(text);
            }
        }
        self.state.handle_platform_output(window, output.platform_output);
        let wait = output.viewport_output.values().map(|viewport| viewport.repaint_delay).min().unwrap_or(Duration::MAX);
        self.due = Instant::now().checked_add(wait).filter(|_| wait < Duration::from_secs(3600));
        if size.width == 0 || size.height == 0 || size.width > MAX_SIDE || size.height > MAX_SIDE {
            return;
        }
        self.size = (size.width as usize, size.height as usize);
        self.pixels.clear();
        self.pixels.resize(self.size.0 * self.size.1, [0; 4]);
        let shapes = self.context.tessellate(output.shapes, output.pixels_per_point);
        let mut target = BufferMutRef::new(&mut self.pixels, self.size.0, self.size.1);
        self.renderer.render(&mut target, &shapes, &output.textures_delta, output.pixels_per_point);
    }

    /// Puts the part of the layer that begins at `at` and is `extent` large over the same part of `buffer`, whose rows have `stride`
    /// pixels (`0x00RRGGBB`, as `softbuffer` has them). What lies outside of either is left out.
    pub(crate) fn blend(&self, buffer: &mut [u32], stride: usize, at: (usize, usize), extent: (usize, usize)) {
        if stride == 0 || self.pixels.is_empty() {
            return;
        }
        let right = (at.0 + extent.0).min(self.size.0).min(stride);
        let bottom = (at.1 + extent.1).min(self.size.1).min(buffer.len() / stride);
        for row in at.1..bottom {
            let Some(over) = self.pixels.get(row * self.size.0 + at.0.min(right)..row * self.size.0 + right) else { return };
            let Some(below) = buffer.get_mut(row * stride + at.0.min(right)..row * stride + right) else { return };
            below.iter_mut().zip(over).for_each(|(below, over)| *below = blended(*below, *over));
        }
    }

    /// [`Self::blend`] of everything.
    pub(crate) fn blend_all(&self, buffer: &mut [u32], stride: usize) {
        self.blend(buffer, stride, (0, 0), self.size);
    }
}

/// `over`, premultiplied and blue first, over an opaque pixel.
fn blended(below: u32, over: [u8; 4]) -> u32 {
    let [blue, green, red, cover] = over.map(u32::from);
    match cover {
        0 if over == [0; 4] => below,
        255 => red << 16 | green << 8 | blue,
        _ => {
            let part = |shift: u32, over: u32| (over + ((below >> shift & 0xff) * (255 - cover) + 127) / 255).min(255) << shift;
            part(16, red) | part(8, green) | part(0, blue)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_covers_shines_through_or_leaves_alone() {
        let ground = 0x0010_2030;
        assert_eq!(blended(ground, [0, 0, 0, 0]), ground);
        assert_eq!(blended(ground, [1, 2, 3, 255]), 0x0003_0201);
        assert_eq!(blended(0x00ff_ffff, [0, 0, 0, 128]), 0x007f_7f7f, "half a shadow");
        assert_eq!(blended(0x00ff_ffff, [255, 255, 255, 0]), 0x00ff_ffff, "light that is added never overflows");
    }
}
