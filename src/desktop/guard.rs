//! What the panel needs of the desktop: to know which hand touched it, and to draw around the screen.
//!
//! **Why a pane of glass.** A window's events do not tell programs from people: winit passes on what the server's master pointer did.
//! To ask a second connection "which device was that?" would race with the first one. So [`Guard::cover`] lays an invisible window
//! over the panel and takes its pointer events there, each of which carries the slave device it came from: one event, one answer,
//! nothing to pair. What comes from an XTEST device is not told, and neither is what comes from a device that cannot be looked up.
//!
//! **Keys** reach the window with the focus, on winit's connection (which knows layouts and input methods) and without their device.
//! [`Guard::counts`] pairs each press with the raw events that the server told of that key until then, which do carry their device:
//! what was typed by XTEST does not count, whatever the person holds meanwhile, and neither does what another program sent to the
//! window, which has no raw event. Where it cannot tell, the press does not count.
//!
//! What an input method composed has no key of its own: [`Guard::types`] asks whether the person types, and nothing else does.
//!
//! What goes in and out has types of its own here, and again in the panel's contract with its desktop: a face and a desktop know nothing
//! of each other, and `app::panel`, which joins them, turns each into the other by name, so that one that lacks a field does not compile.
//!
//! **Marks** are windows that take no input at all. Frames climb up again when something covers them; a pointer goes away when it has
//! not been told for a while.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use super::DesktopError;
#[cfg(target_os = "linux")]
use super::{
    spawn,
    x11::{Glass, WakeFd},
};

/// What a hand did over the panel, in pixels of its window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hand {
    /// The pointer is here now, whoever moved it.
    Moved(f32, f32),
    /// It is elsewhere.
    Left,
    /// The first button of a real device, at this place.
    Button(f32, f32, bool),
    /// Notches to the right and down, of a real device.
    Wheel(f32, f32),
}

/// A rectangle of the desktop: left, top, width, height.
pub type Place = (i16, i16, u16, u16);

/// What is drawn on the desktop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// Each gets a frame; none: the whole desktop.
    pub screens: Vec<Place>,
    /// The frames' colour as `0xRRGGBB`; `None`: no frames.
    pub colour: Option<u32>,
    /// Where somebody points: the picture's tip is put there.
    pub pointer: Option<(u16, u16)>,
    /// The picture of an arrow, with the name of who points.
    pub label: Label,
}

/// A small picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// Pixels in a row.
    pub width: u16,
    /// Row by row, `0xAARRGGBB`; what is less than half opaque is left out.
    pub pixels: Arc<[u32]>,
    /// Where in the picture its tip is.
    pub tip: (u16, u16),
}

/// Told what hands do.
pub type Tell = Box<dyn Fn(Hand) + Send>;

/// What the thread is to do.
pub(super) enum Order {
    Cover(u32, Tell, Sender<Result<(), DesktopError>>),
    Counts(u32, Sender<bool>),
    Types(Sender<bool>),
    Mark(Marks),
    End,
}

/// See the module. Dropping it takes everything off the desktop.
#[cfg(target_os = "linux")]
pub struct Guard {
    orders: Sender<Order>,
    wake: WakeFd,
    thread: Option<JoinHandle<()>>,
}

#[cfg(target_os = "linux")]
impl Guard {
    /// Connects to the display that `DISPLAY` names.
    ///
    /// # Errors
    /// There is none, or it cannot tell devices apart: one line.
    pub fn start() -> Result<Self, DesktopError> {
        let (orders, waiting): (_, Receiver<Order>) = channel();
        let open = move || {
            let glass = Glass::open(None, waiting)?;
            let wake = glass.wake_fd();
            Ok((glass, wake))
        };
        let run = |mut glass: Glass| {
            if let Err(error) = glass.work() {
                tracing::error!(%error, "the panel takes no clicks any more");
            }
        };
        let (thread, wake) = spawn("panel-guard", open, run)?;
        Ok(Self { orders, wake, thread: Some(thread) })
    }

    /// Takes over all that pointers do in this window, for good.
    ///
    /// # Errors
    /// The display does not let us: one line.
    pub fn cover(&self, window: u32, tell: Tell) -> Result<(), DesktopError> {
        let (done, answer) = channel();
        self.order(Order::Cover(window, tell, done));
        answer.recv().unwrap_or_else(|_| Err(DesktopError("the display is gone".to_owned())))
    }

    /// Whether a press that the covered window got, of the key with this code of the kernel, was the person's. Ask once for each.
    #[must_use]
    pub fn counts(&self, code: u32) -> bool {
        self.ask(|done| Order::Counts(code, done))
    }

    /// Whether the person types now, and nothing else does.
    #[must_use]
    pub fn types(&self) -> bool {
        self.ask(Order::Types)
    }

    /// No answer is a no.
    fn ask(&self, order: impl FnOnce(Sender<bool>) -> Order) -> bool {
        let (done, answer) = channel();
        self.order(order(done));
        answer.recv().unwrap_or(false)
    }

    /// Draws these marks instead of those before.
    pub fn mark(&self, marks: Marks) {
        self.order(Order::Mark(marks));
    }

    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
        self.wake.wake();
    }
}

#[cfg(target_os = "linux")]
impl Drop for Guard {
    fn drop(&mut self) {
        self.order(Order::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
