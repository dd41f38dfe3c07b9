//! Notices what changes on an X11 screen: pixels (DAMAGE), sizes (RANDR), the pointer (XFIXES, XInput2). Reads no pixels.
//!
//! Rules:
//! - An idle screen costs nothing: the thread sleeps in poll(2) until the server speaks.
//! - DAMAGE reports once when the region becomes non-empty; fetching the region empties it. Reports older than the fetch are stale.
//! - The pointer's position is asked for only after raw motion or damage (a warp sends no motion), at most [`POINTER_GAP`] apart.

use std::time::{Duration, Instant};

use x11rb::{
    NONE,
    connection::{Connection, RequestConnection, SequenceNumber},
    protocol::{
        Event,
        damage::{self, ConnectionExt as _},
        randr::{self, ConnectionExt as _},
        xfixes::{self, ConnectionExt as _},
        xinput::{self, ConnectionExt as _},
        xproto::{ConnectionExt as _, Rectangle},
    },
};

#[cfg(feature = "scrap")]
use super::pixels;
use super::{Area, DesktopError, Display, WakeFd, lost, open};
use crate::{
    desktop::{Sight, Wake, capture::Options},
    protocol::message::{CursorShape, MAX_CURSOR},
    video::frame::{Damage, Frame, Rect},
};

/// The shortest time between two questions for the pointer's position: 30 in a second.
const POINTER_GAP: Duration = Duration::from_millis(33);

/// Watches one monitor, or the whole screen.
pub(in crate::desktop) struct Watch {
    display: Display,
    monitor: Option<usize>,
    area: Area,
    damage: damage::Damage,
    region: xfixes::Region,
    wake: WakeFd,
    /// The request that last emptied the damage.
    emptied: SequenceNumber,
    /// The whole picture counts as damaged.
    is_all_damaged: bool,
    /// [`Sight::Damaged`] is to be told.
    tells_damage: bool,
    is_shape_new: bool,
    pointer: Pointer,
}

/// When to ask where the pointer is, and what was told.
struct Pointer {
    may_have_moved: bool,
    not_before: Instant,
    told: Option<(u16, u16)>,
}

impl Watch {
    pub(in crate::desktop) fn open(options: &Options) -> Result<Self, DesktopError> {
        let (display, area) = open(options)?;
        [damage::X11_EXTENSION_NAME, xfixes::X11_EXTENSION_NAME].iter().try_for_each(|name| display.require(name))?;
        if display.x.extension_information("XWAYLAND").map_err(lost)?.is_some() {
            tracing::warn!("this is XWayland: the viewer may see black where Wayland windows are; log in with an X11 session");
        }
        let (damage, region) = subscribe(&display).map_err(lost)?;
        Ok(Self {
            display,
            monitor: options.display,
            area,
            damage,
            region,
            wake: WakeFd::new()?,
            emptied: 0,
            is_all_damaged: true,
            tells_damage: true,
            is_shape_new: true,
            pointer: Pointer { may_have_moved: true, not_before: Instant::now(), told: None },
        })
    }

    pub(in crate::desktop) fn display(&self) -> &Display {
        &self.display
    }

    /// Refuses a server whose pixels cannot be read through shared memory, for those that have no other way.
    #[cfg(feature = "scrap")]
    pub(in crate::desktop) fn require_shared_pixels(&self) -> Result<(), DesktopError> {
        pixels::check_format(&self.display)?;
        if pixels::shares_memory(&self.display).map_err(lost)? {
            return Ok(());
        }
        Err(DesktopError("the X server shares no memory with this computer; use --capture x11".into()))
    }

    /// What is shown now.
    pub(in crate::desktop) fn area(&self) -> Area {
        self.area
    }

    /// See [`crate::desktop::Screen::wait`].
    pub(in crate::desktop) fn wait(&mut self, timeout: Option<Duration>) -> Result<Sight, DesktopError> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            self.take_events()?;
            if let Some(sight) = self.notice()? {
                return Ok(sight);
            }
            if self.pointer.may_have_moved && Instant::now() >= self.pointer.not_before {
                match self.position()? {
                    Some(sight) => return Ok(sight),
                    None => continue, // an event may have come with the answer
                }
            }
            let now = Instant::now();
            if self.wake.take() || deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(Sight::Nothing);
            }
            let pointer = self.pointer.may_have_moved.then_some(self.pointer.not_before);
            let until = deadline.into_iter().chain(pointer).min();
            self.display.sleep(&self.wake, until.map(|until| until.saturating_duration_since(now)))?;
        }
    }

    /// Where the picture changed since the last call, relative to the area; `frame` gets the area's size. Either the whole picture
    /// or rectangles that together are less than half of it.
    pub(in crate::desktop) fn take_damage(&mut self, frame: &mut Frame) -> Result<Damage, DesktopError> {
        self.tells_damage = false;
        let x = &self.display.x;
        self.emptied = x.damage_subtract(self.damage, NONE, self.region).map_err(lost)?.sequence_number();
        let region = x.xfixes_fetch_region(self.region).map_err(lost)?.reply().map_err(lost)?;
        self.take_events()?; // the size may have changed before the damage was fetched
        let size = self.area.size;
        let is_whole = std::mem::take(&mut self.is_all_damaged) || frame.size() != size;
        frame.resize(size);
        let mut damage = Damage::none();
        region.rectangles.iter().filter_map(|rect| inside(self.area, *rect)).for_each(|rect| damage.add(rect));
        let pixels: usize = damage.rects().iter().map(|rect| rect.pixels()).sum();
        Ok(if is_whole || pixels >= size.pixels() / 2 { Damage::full(size) } else { damage })
    }

    /// Asks for the area again, and counts the whole picture as damaged.
    pub(in crate::desktop) fn refresh(&mut self) -> Result<(), DesktopError> {
        self.area = self.display.area(self.monitor)?;
        self.is_all_damaged = true;
        self.tells_damage = true;
        Ok(())
    }

    pub(in crate::desktop) fn waker(&self) -> Wake {
        let wake = self.wake.clone();
        std::sync::Arc::new(move || wake.wake())
    }

    /// Follows all events that have come. Must be the last exchange before a sleep: any answer may bring events along, which then no
    /// longer wake us.
    fn take_events(&mut self) -> Result<(), DesktopError> {
        while self.take_queued_events()? {
            if self.display.area(self.monitor)? != self.area {
                self.refresh()?;
            }
        }
        Ok(())
    }

    /// Tells whether the area has to be asked for again.
    fn take_queued_events(&mut self) -> Result<bool, DesktopError> {
        let mut is_area_stale = false;
        while let Some((event, sequence)) = self.display.x.poll_for_event_with_sequence().map_err(lost)? {
            match event {
                Event::DamageNotify(_) if sequence >= self.emptied => {
                    self.tells_damage = true;
                    self.pointer.may_have_moved = true;
                }
                Event::RandrScreenChangeNotify(_) | Event::RandrNotify(_) => is_area_stale = true,
                Event::XfixesCursorNotify(_) => self.is_shape_new = true,
                Event::XinputRawMotion(_) => self.pointer.may_have_moved = true,
                _ => {}
            }
        }
        Ok(is_area_stale)
    }

    /// The next thing to tell.
    fn notice(&mut self) -> Result<Option<Sight>, DesktopError> {
        if std::mem::take(&mut self.is_shape_new) {
            return self.shape().map(Some);
        }
        Ok(std::mem::take(&mut self.tells_damage).then_some(Sight::Damaged))
    }

    fn shape(&self) -> Result<Sight, DesktopError> {
        let image = self.display.x.xfixes_get_cursor_image().map_err(lost)?.reply().map_err(lost)?;
        // A larger one is cut, which no real theme reaches.
        let (width, height) = (image.width.min(MAX_CURSOR), image.height.min(MAX_CURSOR));
        let rows = image.cursor_image.chunks_exact(usize::from(image.width.max(1))).take(usize::from(height));
        let bgra = rows.flat_map(|row| &row[..usize::from(width)]).flat_map(|argb| argb.to_le_bytes()).collect();
        let (hot_x, hot_y) = (image.xhot.min(width.saturating_sub(1)), image.yhot.min(height.saturating_sub(1)));
        Ok(Sight::CursorShape(CursorShape { width, height, hot_x, hot_y, bgra }))
    }

    /// Where the pointer is, if it is on the picture and not where it was.
    fn position(&mut self) -> Result<Option<Sight>, DesktopError> {
        self.pointer.may_have_moved = false;
        self.pointer.not_before = Instant::now() + POINTER_GAP;
        let found = self.display.x.query_pointer(self.display.root).map_err(lost)?.reply().map_err(lost)?;
        let place = Rectangle { x: found.root_x, y: found.root_y, width: 1, height: 1 };
        let Some(Rect { x, y, .. }) = inside(self.area, place).filter(|_| found.same_screen) else { return Ok(None) };
        let is_new = self.pointer.told.replace((x, y)) != Some((x, y));
        Ok(is_new.then_some(Sight::CursorPosition { x, y }))
    }
}

/// Negotiates the extensions' versions and asks for their events.
fn subscribe(display: &Display) -> Result<(damage::Damage, xfixes::Region), x11rb::errors::ReplyOrIdError> {
    let (x, root) = (&display.x, display.root);
    x.damage_query_version(1, 1)?.reply()?;
    x.xfixes_query_version(5, 0)?.reply()?;
    let (damage, region) = (x.generate_id()?, x.generate_id()?);
    x.damage_create(damage, root, damage::ReportLevel::NON_EMPTY)?.check()?;
    x.xfixes_create_region(region, &[])?.check()?;
    x.xfixes_select_cursor_input(root, xfixes::CursorNotifyMask::DISPLAY_CURSOR)?.check()?;
    if x.extension_information(randr::X11_EXTENSION_NAME)?.is_some() {
        x.randr_query_version(1, 5)?.reply()?;
        let mask = randr::NotifyMask::SCREEN_CHANGE | randr::NotifyMask::CRTC_CHANGE | randr::NotifyMask::OUTPUT_CHANGE;
        x.randr_select_input(root, mask)?.check()?;
    }
    if x.extension_information(xinput::X11_EXTENSION_NAME)?.is_some() {
        x.xinput_xi_query_version(2, 2)?.reply()?;
        let mask = vec![xinput::XIEventMask::RAW_MOTION];
        x.xinput_xi_select_events(root, &[xinput::EventMask { deviceid: xinput::Device::ALL_MASTER.into(), mask }])?.check()?;
    }
    Ok((damage, region))
}

/// The part of `rect` (in the root window) that is in `area`, relative to it.
fn inside(area: Area, rect: Rectangle) -> Option<Rect> {
    let clip = |start: i16, length: u16, origin: i16, limit: u16| {
        let first = i32::from(start) - i32::from(origin);
        let (from, to) = (first.max(0), (first + i32::from(length)).min(i32::from(limit)));
        let (from, length) = (u16::try_from(from).ok()?, u16::try_from(to - from).ok()?);
        (length > 0).then_some((from, length))
    };
    let (x, width) = clip(rect.x, rect.width, area.x, area.size.width)?;
    let (y, height) = clip(rect.y, rect.height, area.y, area.size.height)?;
    Some(Rect { x, y, width, height })
}
