//! A window that covers a display and shows frames.

use std::{fs::File, os::unix::fs::FileExt};

use anyhow::Context;
use rs::video::frame::{Frame, Rect, Size};
use rustix::fs::{MemfdFlags, memfd_create};
use x11rb::{
    COPY_DEPTH_FROM_PARENT,
    connection::Connection,
    protocol::{
        shm::ConnectionExt as _,
        xproto::{ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, Gcontext, ImageFormat, Window, WindowClass},
    },
    rust_connection::RustConnection,
};

/// The window, and memory shared with the X server: showing a frame costs the server one copy.
pub(crate) struct Screen {
    x: RustConnection,
    window: Window,
    gc: Gcontext,
    size: Size,
    memory: File,
    segment: u32,
}

impl Screen {
    /// Covers `display` with a black window of `size`.
    pub(crate) fn cover(display: &str, size: Size) -> anyhow::Result<Self> {
        let (x, screen) = x11rb::connect(Some(display)).with_context(|| format!("cannot reach the display {display}"))?;
        let screen = &x.setup().roots[screen];
        let (window, gc, segment) = (x.generate_id()?, x.generate_id()?, x.generate_id()?);
        let looks = CreateWindowAux::new().background_pixel(0).override_redirect(1).event_mask(EventMask::EXPOSURE);
        let Size { width, height } = size;
        x.create_window(COPY_DEPTH_FROM_PARENT, window, screen.root, 0, 0, width, height, 0, WindowClass::INPUT_OUTPUT, 0, &looks)?;
        x.create_gc(gc, window, &CreateGCAux::new())?;
        x.map_window(window)?;
        x.flush()?;
        // The first event is the exposure: from now on what is drawn is seen.
        x.wait_for_event()?;
        let memory = File::from(memfd_create("bench-frames", MemfdFlags::CLOEXEC)?);
        memory.set_len(size.pixels() as u64 * 4)?;
        x.shm_query_version()?.reply().context("the X server has no shared memory")?;
        x.shm_attach_fd(segment, memory.try_clone()?, false)?.check()?;
        Ok(Self { x, window, gc, size, memory, segment })
    }

    /// Shows this part of a frame; returns when the X server has drawn it.
    pub(crate) fn put(&mut self, frame: &Frame, area: Rect) -> anyhow::Result<()> {
        let Rect { x, y, width, height } = area;
        for row in y..y + height {
            let offset = (u64::from(row) * u64::from(self.size.width) + u64::from(x)) * 4;
            self.memory.write_all_at(frame.row(x, row, width), offset)?;
        }
        let (left, top, format) = (i16::try_from(x)?, i16::try_from(y)?, ImageFormat::Z_PIXMAP.into());
        let Size { width: total_width, height: total_height } = self.size;
        let (window, gc, depth) = (self.window, self.gc, 24);
        self.x
            .shm_put_image(
                window,
                gc,
                total_width,
                total_height,
                x,
                y,
                width,
                height,
                left,
                top,
                depth,
                format,
                false,
                self.segment,
                0,
            )?
            .check()?;
        Ok(())
    }
}
