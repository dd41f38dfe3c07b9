//! Tells the person at the machine from injected input, by XInput2 raw events.
//!
//! Rules:
//! - A raw event carries the device it came from. The server's XTEST devices carry injected input; every other device is a person's,
//!   one that was plugged in a moment ago included.
//! - A key, a button, the wheel or a touch counts at once. Motion counts from the second event, or from more than [`SHAKE`] pixels, within
//!   [`WINDOW`]: a truck that passes moves a mouse by one.
//! - Warps (by programs) send no raw event and so never count.
//! - Raw events come whatever window has the focus, and while a program has grabbed the keyboard: so the combination that ends
//!   everything ([`super::chord`]) works everywhere.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection,
    errors::ReplyError,
    protocol::{
        Event,
        xinput::{self, ConnectionExt as _, DeviceId, XIEventMask},
    },
};

use super::{
    DesktopError, Display, WakeFd,
    chord::Chord,
    devices::{Kind, devices},
    lost,
};
use crate::desktop::{capture::Options, takeover::Act};

/// Motion within this time belongs together.
const WINDOW: Duration = Duration::from_millis(100);
/// A single motion of no more pixels than this does not count.
const SHAKE: f64 = 3.0;

/// Waits for the person.
pub(in crate::desktop) struct Person {
    display: Display,
    devices: BTreeMap<DeviceId, Kind>,
    motion: Motion,
    chord: Chord,
    wake: WakeFd,
}

impl Person {
    pub(in crate::desktop) fn open(options: &Options) -> Result<Self, DesktopError> {
        let display = Display::open(options.x_display.as_deref())?;
        display.require(xinput::X11_EXTENSION_NAME)?;
        subscribe(&display).map_err(lost)?;
        let devices = devices(&display).map_err(lost)?;
        Ok(Self { display, devices, motion: Motion::default(), chord: Chord::default(), wake: WakeFd::new()? })
    }

    /// What ends [`Person::wait`].
    pub(in crate::desktop) fn wake_fd(&self) -> WakeFd {
        self.wake.clone()
    }

    /// Waits until the person did something. `None`: woken.
    pub(in crate::desktop) fn wait(&mut self) -> Result<Option<Act>, DesktopError> {
        loop {
            while let Some(event) = self.display.x.poll_for_event().map_err(lost)? {
                if let Some(act) = self.act(&event)? {
                    return Ok(Some(act));
                }
            }
            if self.wake.take() {
                return Ok(None);
            }
            self.display.sleep(&self.wake, None)?;
        }
    }

    /// What the person did, if it was the person and if it counts.
    fn act(&mut self, event: &Event) -> Result<Option<Act>, DesktopError> {
        let touches = match event {
            Event::XinputHierarchy(_) => {
                self.chord.forget();
                self.devices = devices(&self.display).map_err(lost)?;
                false
            }
            Event::XinputDeviceChanged(_) => {
                self.devices = devices(&self.display).map_err(lost)?;
                false
            }
            Event::XinputRawKeyPress(event) if self.is_real(event.sourceid) => {
                if self.chord.press(event.detail) {
                    return Ok(Some(Act::Panic));
                }
                true
            }
            Event::XinputRawKeyRelease(event) if self.is_real(event.sourceid) => {
                self.chord.release(event.detail);
                false
            }
            Event::XinputRawButtonPress(event) => self.is_real(event.sourceid),
            Event::XinputRawTouchBegin(event) => self.is_real(event.sourceid),
            Event::XinputRawMotion(event) if self.is_real(event.sourceid) => {
                let is_relative = self.devices.get(&event.sourceid) == Some(&Kind::Relative);
                self.motion.counts(Instant::now(), if is_relative { distance(event) } else { 0.0 })
            }
            _ => false,
        };
        Ok(touches.then_some(Act::Touch))
    }

    fn is_real(&self, source: DeviceId) -> bool {
        self.devices.get(&source) != Some(&Kind::Injected)
    }
}

fn subscribe(display: &Display) -> Result<(), ReplyError> {
    let (x, root) = (&display.x, display.root);
    x.xinput_xi_query_version(2, 2)?.reply()?;
    let keys = XIEventMask::RAW_KEY_PRESS | XIEventMask::RAW_KEY_RELEASE;
    let raw = keys | XIEventMask::RAW_MOTION | XIEventMask::RAW_BUTTON_PRESS | XIEventMask::RAW_TOUCH_BEGIN;
    let masters = xinput::EventMask { deviceid: xinput::Device::ALL_MASTER.into(), mask: vec![raw | XIEventMask::DEVICE_CHANGED] };
    // The hierarchy is told for all devices together only.
    let all = xinput::EventMask { deviceid: xinput::Device::ALL.into(), mask: vec![XIEventMask::HIERARCHY] };
    x.xinput_xi_select_events(root, &[masters, all])?.check()
}

/// How far a relative device moved: its first two axes, of those that the event tells.
fn distance(event: &xinput::RawMotionEvent) -> f64 {
    let axes = event.valuator_mask.first().copied().unwrap_or(0);
    let told = (axes & 0b11).count_ones() as usize;
    let value = |fixed: &xinput::Fp3232| f64::from(fixed.integral) + f64::from(fixed.frac) / (f64::from(u32::MAX) + 1.0);
    event.axisvalues.iter().take(told).map(|fixed| value(fixed).powi(2)).sum::<f64>().sqrt()
}

/// The motion of the last moment.
#[derive(Default)]
struct Motion {
    /// When it began.
    since: Option<Instant>,
}

impl Motion {
    /// Adds an event; tells whether it is the person's intent.
    fn counts(&mut self, now: Instant, distance: f64) -> bool {
        let is_second = self.since.is_some_and(|start| now.saturating_duration_since(start) <= WINDOW);
        if !is_second {
            self.since = Some(now);
        }
        is_second || distance > SHAKE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_small_motion_does_not_count_but_two_or_a_large_one_do() {
        let start = Instant::now();
        let mut motion = Motion::default();
        assert!(!motion.counts(start, 1.0));
        assert!(!motion.counts(start + WINDOW * 2, 3.0), "too long after the first");
        assert!(motion.counts(start + WINDOW * 3, 0.5), "the second within the window");
        assert!(motion.counts(start + WINDOW * 9, 3.5), "a large one");
    }
}
