//! Notices what changes on an X11 screen: pixels (DAMAGE), monitors and sizes (RANDR), the pointer (XFIXES, XInput2). Reads no pixels.
//!
//! Rules:
//! - An idle screen costs nothing: the thread sleeps in poll(2) until the server speaks.
//! - DAMAGE reports once when the region becomes non-empty; fetching the region empties it. Reports older than the fetch are stale.
//! - The pointer's position is asked for only after raw motion or damage (a warp sends no motion), at most [`POINTER_GAP`] apart.
//! - The pointer's shape is asked for at most [`POINTER_GAP`] apart too, however fast it is animated.
//! - RANDR tells of monitors that come, go, turn or change their size; the root window, of monitors that a user made (`--setmonitor`).

use std::time::{Duration, Instant};

use x11rb::{
    NONE,
    connection::{Connection, RequestConnection, SequenceNumber},
    errors::ReplyError,
    protocol::{
        Event,
        damage::{self, ConnectionExt as _},
        randr::{self, ConnectionExt as _},
        xfixes::{self, ConnectionExt as _},
        xinput::{self, ConnectionExt as _},
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Rectangle},
    },
};

#[cfg(feature = "scrap")]
use super::pixels;
use super::{Area, DesktopError, Display, WakeFd, lost, monitors::Monitors, rects};
use crate::{
    desktop::{Sight, View, Wake, capture::Options},
    protocol::{
        message::{CursorShape, ELSEWHERE, MAX_CURSOR},
        screens::Choice,
    },
    video::frame::{Damage, Frame, Rect},
};

/// The shortest time between two questions for the pointer's position, and between two for its shape: 30 in a second.
const POINTER_GAP: Duration = Duration::from_millis(33);

/// Watches one monitor, or the whole screen.
pub(in crate::desktop) struct Watch {
    display: Display,
    monitors: Monitors,
    view: View,
    damage: damage::Damage,
    region: xfixes::Region,
    wake: WakeFd,
    /// The request that last emptied the damage.
    emptied: SequenceNumber,
    /// The whole picture counts as damaged.
    is_all_damaged: bool,
    /// [`Sight::Damaged`] is to be told.
    tells_damage: bool,
    /// [`Sight::View`] is to be told.
    tells_view: bool,
    /// The pointer's shape may be another one.
    shape: Question,
    /// The pointer may be elsewhere.
    position: Question,
    /// Where the pointer was told to be.
    told: Option<(u16, u16)>,
}

/// Something to ask the server for, but not too often.
struct Question {
    is_open: bool,
    not_before: Instant,
}

impl Question {
    fn new() -> Self {
        Self { is_open: true, not_before: Instant::now() }
    }

    fn raise(&mut self) {
        self.is_open = true;
    }

    /// Whether to ask now.
    fn take(&mut self, now: Instant) -> bool {
        let is_due = self.is_open && now >= self.not_before;
        if is_due {
            (self.is_open, self.not_before) = (false, now + POINTER_GAP);
        }
        is_due
    }

    /// When to ask next.
    fn due(&self) -> Option<Instant> {
        self.is_open.then_some(self.not_before)
    }
}

impl Watch {
    pub(in crate::desktop) fn open(options: &Options) -> Result<Self, DesktopError> {
        let display = Display::open(options.x_display.as_deref())?;
        [damage::X11_EXTENSION_NAME, xfixes::X11_EXTENSION_NAME].iter().try_for_each(|name| display.require(name))?;
        if display.x.extension_information("XWAYLAND").map_err(lost)?.is_some() {
            tracing::warn!("this is XWayland: the viewer may see black where Wayland windows are; log in with an X11 session");
        }
        let (damage, region) = subscribe(&display).map_err(lost)?;
        // Asked for after the events are, so that no change is missed.
        let (monitors, view) = Monitors::open(&display, options.display)?;
        Ok(Self {
            display,
            monitors,
            view,
            damage,
            region,
            wake: WakeFd::new()?,
            emptied: 0,
            is_all_damaged: true,
            tells_damage: true,
            tells_view: false,
            shape: Question::new(),
            position: Question::new(),
            told: None,
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
        let View { x, y, size, .. } = self.view;
        let place = |at: u16| i16::try_from(at).unwrap_or(i16::MAX);
        Area { x: place(x), y: place(y), size }
    }

    /// See [`crate::desktop::Screen::view`].
    pub(in crate::desktop) fn view(&self) -> &View {
        &self.view
    }

    /// See [`crate::desktop::Screen::show`].
    pub(in crate::desktop) fn show(&mut self, choice: Choice) -> Result<(), DesktopError> {
        self.monitors.choose(&self.view, choice);
        self.look_around()
    }

    /// See [`crate::desktop::Screen::wait`].
    pub(in crate::desktop) fn wait(&mut self, timeout: Option<Duration>) -> Result<Sight, DesktopError> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            self.take_events()?;
            if let Some(sight) = self.notice() {
                return Ok(sight);
            }
            let now = Instant::now();
            let asked = if self.shape.take(now) {
                Some(self.shape()?)
            } else if self.position.take(now) {
                Some(self.position()?)
            } else {
                None
            };
            match asked {
                Some(Some(sight)) => return Ok(sight),
                Some(None) => continue, // an event may have come with the answer
                None => {}
            }
            if self.wake.take() || deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(Sight::Nothing);
            }
            let until = deadline.into_iter().chain(self.shape.due()).chain(self.position.due()).min();
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
        let (area, size) = (self.area(), self.view.size);
        let is_whole = std::mem::take(&mut self.is_all_damaged) || frame.size() != size;
        frame.resize(size);
        let mut damage = Damage::none();
        let rects = region.rectangles.iter().filter_map(|rect| inside(area, *rect));
        rects::merged(rects).into_iter().for_each(|rect| damage.add(rect));
        let pixels: usize = damage.rects().iter().map(|rect| rect.pixels()).sum();
        Ok(if is_whole || pixels >= size.pixels() / 2 { Damage::full(size) } else { damage })
    }

    /// Asks for the view again, and counts the whole picture as damaged.
    pub(in crate::desktop) fn refresh(&mut self) -> Result<(), DesktopError> {
        self.look_around()?;
        (self.is_all_damaged, self.tells_damage) = (true, true);
        Ok(())
    }

    /// Asks for the view again.
    fn look_around(&mut self) -> Result<(), DesktopError> {
        let view = self.monitors.view(&self.display)?;
        if view == self.view {
            return Ok(());
        }
        if !view.shows_same_place(&self.view) {
            (self.is_all_damaged, self.tells_damage, self.told) = (true, true, None);
            self.position.raise();
        }
        (self.view, self.tells_view) = (view, true);
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
            self.look_around()?;
        }
        Ok(())
    }

    /// Tells whether the view has to be asked for again.
    fn take_queued_events(&mut self) -> Result<bool, DesktopError> {
        let mut is_view_stale = false;
        while let Some((event, sequence)) = self.display.x.poll_for_event_with_sequence().map_err(lost)? {
            match event {
                Event::DamageNotify(_) if sequence >= self.emptied => {
                    self.tells_damage = true;
                    self.position.raise();
                }
                Event::RandrScreenChangeNotify(_) | Event::RandrNotify(_) => is_view_stale = true,
                Event::ConfigureNotify(event) if event.window == self.display.root => is_view_stale = true,
                Event::XfixesCursorNotify(_) => self.shape.raise(),
                Event::XinputRawMotion(_) => self.position.raise(),
                _ => {}
            }
        }
        Ok(is_view_stale)
    }

    /// The next thing to tell, of what is known already.
    fn notice(&mut self) -> Option<Sight> {
        if std::mem::take(&mut self.tells_view) {
            return Some(Sight::View);
        }
        std::mem::take(&mut self.tells_damage).then_some(Sight::Damaged)
    }

    /// What the pointer looks like, if the server says: it does not when the program that made the shape has just ended.
    fn shape(&self) -> Result<Option<Sight>, DesktopError> {
        let image = match self.display.x.xfixes_get_cursor_image().map_err(lost)?.reply() {
            Ok(image) => image,
            Err(ReplyError::X11Error(_)) => return Ok(None),
            Err(error) => return Err(lost(error)),
        };
        // A larger one is cut, which no real theme reaches.
        let (width, height) = (image.width.min(MAX_CURSOR), image.height.min(MAX_CURSOR));
        let rows = image.cursor_image.chunks_exact(usize::from(image.width.max(1))).take(usize::from(height));
        let bgra = rows.flat_map(|row| &row[..usize::from(width)]).flat_map(|argb| argb.to_le_bytes()).collect();
        let (hot_x, hot_y) = (image.xhot.min(width.saturating_sub(1)), image.yhot.min(height.saturating_sub(1)));
        Ok(Some(Sight::CursorShape(CursorShape { width, height, hot_x, hot_y, bgra })))
    }

    /// Where the pointer is, if that is not where it was.
    fn position(&mut self) -> Result<Option<Sight>, DesktopError> {
        let found = self.display.x.query_pointer(self.display.root).map_err(lost)?.reply().map_err(lost)?;
        let place = Rectangle { x: found.root_x, y: found.root_y, width: 1, height: 1 };
        let on_picture = inside(self.area(), place).filter(|_| found.same_screen);
        let (x, y) = on_picture.map_or(ELSEWHERE, |Rect { x, y, .. }| (x, y));
        let is_new = self.told.replace((x, y)) != Some((x, y));
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
    x.change_window_attributes(root, &ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY))?.check()?;
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
