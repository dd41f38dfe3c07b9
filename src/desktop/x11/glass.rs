//! The invisible window over the panel, and the thread that serves it: see [`crate::desktop::guard`].
//!
//! Both the panel's window and the glass carry the property [`PANEL`]: the injector never presses anything there.

use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, TryRecvError},
    time::Instant,
};

use x11rb::{
    connection::Connection,
    errors::{ReplyError, ReplyOrIdError},
    protocol::{
        Event,
        xfixes::{self, ConnectionExt as _},
        xinput::{self, ButtonPressEvent, ConnectionExt as _, DeviceId, XIEventMask},
        xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, PropMode, Window, WindowClass},
    },
    wrapper::ConnectionExt as _,
};

use super::{
    DesktopError, Display, WakeFd,
    devices::{Kind, devices},
    lost,
    marks::Shown,
    presses::Presses,
};
use crate::desktop::guard::{Hand, Order, Tell};

/// The property of windows that take no injected input.
const PANEL: &[u8] = b"_RS_PANEL";
/// The glass is as large as a window can be: what is beyond the panel's edges is cut off, and a panel that grows is covered at once.
const LARGEST: u16 = 0x7fff;
/// What X11 adds to a Linux key code.
const KEYCODE_OFFSET: u32 = 8;

/// See the module.
pub(in crate::desktop) struct Glass {
    display: Display,
    orders: Receiver<Order>,
    devices: BTreeMap<DeviceId, Kind>,
    presses: Presses,
    pane: Option<Pane>,
    marks: Shown,
    wake: WakeFd,
}

/// The glass itself.
struct Pane {
    tell: Tell,
    /// Whether a press was told, so that its release must be.
    is_down: bool,
}

impl Glass {
    pub(in crate::desktop) fn open(name: Option<&str>, orders: Receiver<Order>) -> Result<Self, DesktopError> {
        let display = Display::open(name)?;
        [xinput::X11_EXTENSION_NAME, xfixes::X11_EXTENSION_NAME].iter().try_for_each(|name| display.require(name))?;
        let all = xinput::EventMask { deviceid: xinput::Device::ALL.into(), mask: vec![XIEventMask::HIERARCHY] };
        let keys = XIEventMask::RAW_KEY_PRESS | XIEventMask::RAW_KEY_RELEASE;
        let masters = xinput::EventMask { deviceid: xinput::Device::ALL_MASTER.into(), mask: vec![keys] };
        let ask = || -> Result<_, ReplyError> {
            display.x.xinput_xi_query_version(2, 2)?.reply()?;
            display.x.xfixes_query_version(5, 0)?.reply()?;
            display.x.xinput_xi_select_events(display.root, &[all, masters])?.check()?;
            devices(&display)
        };
        let devices = ask().map_err(lost)?;
        Ok(Self {
            display,
            orders,
            devices,
            presses: Presses::default(),
            pane: None,
            marks: Shown::default(),
            wake: WakeFd::new()?,
        })
    }

    pub(in crate::desktop) fn wake_fd(&self) -> WakeFd {
        self.wake.clone()
    }

    /// Until it is told to end.
    pub(in crate::desktop) fn work(&mut self) -> Result<(), DesktopError> {
        loop {
            self.follow_all().map_err(lost)?;
            self.wake.take();
            loop {
                match self.orders.try_recv() {
                    Ok(Order::Cover(window, tell, done)) => {
                        let covered = self.cover(window, tell).map_err(lost);
                        let _ = done.send(covered);
                    }
                    Ok(Order::Counts(code, done)) => {
                        self.catch_up().map_err(lost)?;
                        let _ = done.send(self.presses.counts(code + KEYCODE_OFFSET, Instant::now()));
                    }
                    Ok(Order::Types(done)) => {
                        self.catch_up().map_err(lost)?;
                        let _ = done.send(self.presses.types(Instant::now()));
                    }
                    Ok(Order::Mark(marks)) => self.marks.show(&self.display, marks).map_err(lost)?,
                    Err(TryRecvError::Empty) => break,
                    Ok(Order::End) | Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            let rest = self.marks.tend(&self.display).map_err(lost)?;
            self.display.x.flush().map_err(lost)?;
            self.display.sleep(&self.wake, rest)?;
        }
    }

    fn follow_all(&mut self) -> Result<(), ReplyError> {
        while let Some(event) = self.display.x.poll_for_event()? {
            self.follow(&event)?;
        }
        Ok(())
    }

    /// Follows all that the server told anybody until now: its answer comes after that.
    fn catch_up(&mut self) -> Result<(), ReplyError> {
        self.display.x.get_input_focus()?.reply()?;
        self.follow_all()
    }

    fn cover(&mut self, parent: Window, tell: Tell) -> Result<(), ReplyOrIdError> {
        let x = &self.display.x;
        let window = x.generate_id()?;
        let (none, class) = (CreateWindowAux::new(), WindowClass::INPUT_ONLY);
        x.create_window(0, window, parent, 0, 0, LARGEST, LARGEST, 0, class, 0, &none)?.check()?;
        let mark = x.intern_atom(false, PANEL)?.reply()?.atom;
        for window in [window, parent] {
            x.change_property32(PropMode::REPLACE, window, mark, AtomEnum::CARDINAL, &[1])?.check()?;
        }
        let mask =
            XIEventMask::BUTTON_PRESS | XIEventMask::BUTTON_RELEASE | XIEventMask::MOTION | XIEventMask::ENTER | XIEventMask::LEAVE;
        let masters = xinput::EventMask { deviceid: xinput::Device::ALL_MASTER.into(), mask: vec![mask] };
        x.xinput_xi_select_events(window, &[masters])?.check()?;
        let focus = xinput::EventMask {
            deviceid: xinput::Device::ALL_MASTER.into(),
            mask: vec![XIEventMask::FOCUS_IN | XIEventMask::FOCUS_OUT],
        };
        x.xinput_xi_select_events(parent, &[focus])?.check()?;
        x.map_window(window)?.check()?;
        self.pane = Some(Pane { tell, is_down: false });
        Ok(())
    }

    fn follow(&mut self, event: &Event) -> Result<(), ReplyError> {
        match event {
            Event::XinputHierarchy(_) => {
                self.presses.forget_held();
                self.devices = devices(&self.display)?;
            }
            Event::XinputRawKeyPress(event) => {
                let is_real = self.is_real(event.sourceid)?;
                self.presses.press(event.detail, is_real, Instant::now());
            }
            Event::XinputRawKeyRelease(event) if self.is_real(event.sourceid)? => self.presses.release(event.detail),
            Event::XinputFocusIn(_) => self.presses.focus(true),
            Event::XinputFocusOut(_) => self.presses.focus(false),
            Event::VisibilityNotify(event) => self.marks.covered(event),
            Event::XinputMotion(event) => self.tell(Hand::Moved(pixels(event.event_x), pixels(event.event_y))),
            Event::XinputEnter(event) => self.tell(Hand::Moved(pixels(event.event_x), pixels(event.event_y))),
            // A window manager's grab, at a click, takes no pointer away.
            Event::XinputLeave(event) if event.mode == xinput::NotifyMode::NORMAL => self.tell(Hand::Left),
            Event::XinputButtonPress(event) if self.is_real(event.sourceid)? => self.pressed(event),
            Event::XinputButtonRelease(event) if event.detail == 1 => {
                if let Some(pane) = &mut self.pane
                    && std::mem::take(&mut pane.is_down)
                {
                    (pane.tell)(Hand::Button(pixels(event.event_x), pixels(event.event_y), false));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn pressed(&mut self, event: &ButtonPressEvent) {
        let Some(pane) = &mut self.pane else { return };
        let hand = match event.detail {
            1 => {
                pane.is_down = true;
                Hand::Button(pixels(event.event_x), pixels(event.event_y), true)
            }
            4 => Hand::Wheel(0.0, -1.0),
            5 => Hand::Wheel(0.0, 1.0),
            6 => Hand::Wheel(-1.0, 0.0),
            7 => Hand::Wheel(1.0, 0.0),
            _ => return,
        };
        (pane.tell)(hand);
    }

    /// Whether a person holds this device. One that is not known is looked up; one that cannot be is not theirs.
    fn is_real(&mut self, source: DeviceId) -> Result<bool, ReplyError> {
        if !self.devices.contains_key(&source) {
            self.devices = devices(&self.display)?;
        }
        Ok(is_real(self.devices.get(&source)))
    }

    fn tell(&self, hand: Hand) {
        if let Some(pane) = &self.pane {
            (pane.tell)(hand);
        }
    }
}

fn is_real(kind: Option<&Kind>) -> bool {
    matches!(kind, Some(Kind::Relative | Kind::Absolute))
}

/// 16.16 fixed point.
#[expect(clippy::cast_precision_loss, reason = "a place in a window")]
fn pixels(fixed: xinput::Fp1616) -> f32 {
    fixed as f32 / 65_536.0
}

/// Whether a press now would reach the panel: the pointer is over it, or it has the keyboard.
pub(super) struct Shield {
    mark: u32,
}

impl Shield {
    pub(super) fn new(display: &Display) -> Result<Self, DesktopError> {
        let atom = display.x.intern_atom(false, PANEL).map_err(lost)?.reply().map_err(lost)?;
        Ok(Self { mark: atom.atom })
    }

    /// Whether the window under the pointer is the panel's.
    pub(super) fn is_under_pointer(&self, display: &Display) -> Result<bool, ReplyError> {
        let mut window = display.root;
        loop {
            window = match display.x.query_pointer(window)?.reply() {
                Ok(found) if found.child != x11rb::NONE => found.child,
                // The deepest one, or one that went meanwhile.
                Ok(_) | Err(ReplyError::X11Error(_)) => return Ok(false),
                Err(error) => return Err(error),
            };
            if self.is_panel(display, window)? {
                return Ok(true);
            }
        }
    }

    /// Whether the window with the keyboard is the panel's.
    pub(super) fn has_keyboard(&self, display: &Display) -> Result<bool, ReplyError> {
        let focus = display.x.get_input_focus()?.reply()?.focus;
        // 0 and 1 stand for none and for the pointer's root.
        if focus <= 1 { Ok(false) } else { self.is_panel(display, focus) }
    }

    fn is_panel(&self, display: &Display, window: Window) -> Result<bool, ReplyError> {
        match display.x.get_property(false, window, self.mark, AtomEnum::ANY, 0, 1)?.reply() {
            Ok(mark) => Ok(mark.value_len > 0),
            Err(ReplyError::X11Error(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
