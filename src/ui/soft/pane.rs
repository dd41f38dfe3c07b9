//! A window that shows nothing but a [`Soft`] layer on plain ground.

use std::{num::NonZeroU32, sync::Arc};

use anyhow::anyhow;
use egui_winit::winit::window::Window;

use super::{Soft, look};

/// A window, its surface and its widgets.
pub(crate) struct Pane {
    /// The window.
    pub(crate) window: Arc<Window>,
    /// Its widgets.
    pub(crate) soft: Soft,
    surface: softbuffer::Surface<Arc<Window>, Arc<Window>>,
}

impl Pane {
    /// Prepares a window for widgets.
    ///
    /// # Errors
    /// The display does not let us draw.
    pub(crate) fn new(window: Window) -> anyhow::Result<Self> {
        let window = Arc::new(window);
        let context = softbuffer::Context::new(window.clone()).map_err(failed)?;
        let surface = softbuffer::Surface::new(&context, window.clone()).map_err(failed)?;
        let soft = Soft::new(&window);
        Ok(Self { window, soft, surface })
    }

    /// Lays out and draws, in the window's size. Nothing is to be seen of it before [`Self::show`].
    pub(crate) fn paint(&mut self, ui: impl FnMut(&mut egui::Ui)) {
        self.soft.paint(&self.window, ui);
    }

    /// Shows what was drawn.
    ///
    /// # Errors
    /// The display took the surface away.
    pub(crate) fn show(&mut self) -> anyhow::Result<()> {
        let size = self.window.inner_size();
        let (Some(width), Some(height)) = (NonZeroU32::new(size.width), NonZeroU32::new(size.height)) else { return Ok(()) };
        self.surface.resize(width, height).map_err(failed)?;
        let mut buffer = self.surface.buffer_mut().map_err(failed)?;
        buffer.fill(look::ground(self.soft.is_dark()));
        self.soft.blend_all(&mut buffer, size.width as usize);
        buffer.present().map_err(failed)
    }
}

fn failed(error: softbuffer::SoftBufferError) -> anyhow::Error {
    anyhow!("this display cannot be drawn on ({error})")
}
