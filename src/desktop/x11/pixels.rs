//! Reads pixels of the root window: through shared memory where the server is on this machine, else over the wire.

use std::os::{fd::AsFd, unix::net::UnixStream};

use x11rb::{
    connection::{Connection, RequestConnection},
    errors::ReplyError,
    protocol::{
        shm::{self, ConnectionExt as _},
        xproto::{ConnectionExt as _, ImageFormat, ImageOrder},
    },
};

use super::{Area, DesktopError, Display, lost, memory::SharedMemory};
use crate::video::frame::{Damage, Frame, Rect, clear_x};

/// Reads pixels.
pub(super) struct Pixels {
    is_shm_usable: bool,
    segment: Option<Segment>,
}

/// Shared memory that the server knows as `id`.
struct Segment {
    id: shm::Seg,
    memory: SharedMemory,
}

impl Pixels {
    /// Checks that pixels are B, G, R, X bytes, and how they can be read.
    pub(super) fn new(display: &Display) -> Result<Self, DesktopError> {
        check_format(display)?;
        let is_shm_usable = shares_memory(display).map_err(lost)?;
        if !is_shm_usable {
            tracing::warn!("the X server shares no memory with us: reading the screen is slow");
        }
        Ok(Self { is_shm_usable, segment: None })
    }

    /// Copies the parts of `area` that are in `damage` into `frame`, which has the area's size. The rectangles together must not be
    /// larger than the area.
    pub(super) fn read(&mut self, display: &Display, area: Area, damage: &Damage, frame: &mut Frame) -> Result<(), ReplyError> {
        self.attach(display, area.size.pixels() * 4)?;
        match &self.segment {
            Some(segment) => segment.read(display, area, damage.rects(), frame),
            None => damage.rects().iter().try_for_each(|rect| read_over_the_wire(display, area, *rect, frame)),
        }
    }

    /// Makes sure that the segment holds `len` bytes, if there can be one.
    fn attach(&mut self, display: &Display, len: usize) -> Result<(), ReplyError> {
        if !self.is_shm_usable || self.segment.as_ref().is_some_and(|segment| segment.memory.len() >= len) {
            return Ok(());
        }
        if let Some(old) = self.segment.take() {
            display.x.shm_detach(old.id)?;
        }
        let Ok((memory, fd)) = SharedMemory::new(len) else {
            self.is_shm_usable = false;
            return Ok(());
        };
        let Ok(id) = display.x.generate_id() else {
            self.is_shm_usable = false;
            return Ok(());
        };
        match display.x.shm_attach_fd(id, fd, false)?.check() {
            Ok(()) => self.segment = Some(Segment { id, memory }),
            Err(ReplyError::X11Error(error)) => {
                tracing::warn!(?error, "the X server refuses shared memory: reading the screen is slow");
                self.is_shm_usable = false;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Segment {
    /// Asks for all rectangles, one behind the other in the memory, before it waits for the first.
    fn read(&self, display: &Display, area: Area, rects: &[Rect], frame: &mut Frame) -> Result<(), ReplyError> {
        let mut end = 0;
        let mut replies = Vec::with_capacity(rects.len());
        for rect in rects {
            let (x, y) = position(area, *rect);
            let offset = u32::try_from(end).unwrap_or(u32::MAX);
            let (width, height) = (rect.width, rect.height);
            replies.push(display.x.shm_get_image(
                display.root,
                x,
                y,
                width,
                height,
                !0,
                ImageFormat::Z_PIXMAP.into(),
                self.id,
                offset,
            )?);
            end += rect.pixels() * 4;
        }
        let mut offset = 0;
        for (rect, reply) in rects.iter().zip(replies) {
            reply.reply()?;
            for y in rect.y..rect.y + rect.height {
                let row = frame.row_mut(rect.x, y, rect.width);
                self.memory.copy_to(offset, row);
                clear_x(row);
                offset += row.len();
            }
        }
        Ok(())
    }
}

fn read_over_the_wire(display: &Display, area: Area, rect: Rect, frame: &mut Frame) -> Result<(), ReplyError> {
    let (x, y) = position(area, rect);
    let image = display.x.get_image(ImageFormat::Z_PIXMAP, display.root, x, y, rect.width, rect.height, !0)?.reply()?;
    for (y, row) in (rect.y..rect.y + rect.height).zip(image.data.chunks_exact(usize::from(rect.width) * 4)) {
        let to = frame.row_mut(rect.x, y, rect.width);
        to.copy_from_slice(row);
        clear_x(to);
    }
    Ok(())
}

/// Where the rectangle's top left is in the root window.
fn position(area: Area, rect: Rect) -> (i16, i16) {
    (area.x.saturating_add_unsigned(rect.x), area.y.saturating_add_unsigned(rect.y))
}

/// Whether the server can use a descriptor of ours. It may offer the extension through a TCP tunnel as well, where it cannot.
pub(super) fn shares_memory(display: &Display) -> Result<bool, ReplyError> {
    let is_local = display.x.stream().as_fd().try_clone_to_owned().is_ok_and(|fd| UnixStream::from(fd).peer_addr().is_ok());
    if !is_local || display.x.extension_information(shm::X11_EXTENSION_NAME)?.is_none() {
        return Ok(false);
    }
    let version = display.x.shm_query_version()?.reply()?;
    Ok((version.major_version, version.minor_version) >= (1, 2))
}

/// 24-bit colour in 32-bit little-endian pixels is what every common server has; the codec speaks nothing else.
pub(super) fn check_format(display: &Display) -> Result<(), DesktopError> {
    let (setup, screen) = (display.x.setup(), display.screen());
    let depth = screen.root_depth;
    let is_wide = setup.pixmap_formats.iter().any(|format| format.depth == depth && format.bits_per_pixel == 32);
    let visuals = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
    let is_bgr = visuals
        .filter(|visual| visual.visual_id == screen.root_visual)
        .any(|visual| (visual.red_mask, visual.green_mask, visual.blue_mask) == (0xff_0000, 0xff00, 0xff));
    if is_wide && is_bgr && setup.image_byte_order == ImageOrder::LSB_FIRST {
        return Ok(());
    }
    let what = if matches!(depth, 24 | 32) { "its colours in an unusual order".into() } else { format!("{depth}-bit colour") };
    Err(DesktopError(format!("the screen has {what}, which rs cannot share; set it to 24-bit colour, or use --capture pattern")))
}
