//! The monitors of an X11 screen, and which of them is shown.
//!
//! Rules:
//! - A monitor is known by its name: its place in the list changes when another one goes.
//! - The person at the machine decides: with `--display N` there is this one monitor, and no other is ever shown, not even when it is
//!   unplugged.
//! - Else the viewer chooses. When the chosen one goes, the primary one takes its place, or the first one.
//! - Only what lies on the screen counts: while it shrinks, a monitor may reach beyond it.

use x11rb::{
    connection::RequestConnection,
    protocol::{
        randr::{self, ConnectionExt as _},
        xproto::ConnectionExt as _,
    },
};

use super::{DesktopError, Display, lost};
use crate::{
    desktop::View,
    protocol::screens::{Choice, MAX_SCREENS, ScreenInfo},
    video::frame::Size,
};

/// What is to be shown.
pub(super) struct Monitors {
    /// The person's choice is final.
    is_fixed: bool,
    /// The monitor's name; `None`: all in one.
    wanted: Option<String>,
}

impl Monitors {
    /// `display`: the only one to be shown, counted from 0.
    pub(super) fn open(display: &Display, only: Option<usize>) -> Result<(Self, View), DesktopError> {
        let mut monitors = Self { is_fixed: only.is_some(), wanted: None };
        if let Some(index) = only {
            display.require(randr::X11_EXTENSION_NAME)?;
            let list = list(display, root(display)?)?;
            let monitor = list.get(index).ok_or_else(|| no_monitor(index, &list))?;
            monitors.wanted = Some(monitor.name.clone());
        }
        let view = monitors.view(display)?;
        Ok((monitors, view))
    }

    /// From now on this one of those that `view` offers.
    pub(super) fn choose(&mut self, view: &View, choice: Choice) {
        if self.is_fixed {
            return;
        }
        match choice {
            Choice::All => self.wanted = None,
            Choice::One(index) => {
                if let Some(screen) = view.screens.get(usize::from(index)) {
                    self.wanted = Some(screen.name.clone());
                }
            }
        }
    }

    /// What there is and what is shown of it now.
    pub(super) fn view(&mut self, display: &Display) -> Result<View, DesktopError> {
        let root = root(display)?;
        let mut screens = list(display, root)?;
        if self.is_fixed {
            screens.retain(|screen| Some(&screen.name) == self.wanted.as_ref());
            if screens.is_empty() {
                let name = self.wanted.as_deref().unwrap_or_default();
                return Err(DesktopError(format!("the monitor {name} is gone; plug it in, or choose another one by --display")));
            }
        }
        screens.truncate(MAX_SCREENS);
        let (width, height) = root;
        let offers_all = !self.is_fixed && Size::new(width, height).is_some();
        if self.wanted.is_none() && offers_all {
            let size = Size { width, height };
            return Ok(View { screens, offers_all, shown: Choice::All, x: 0, y: 0, size });
        }
        let named = screens.iter().position(|screen| Some(&screen.name) == self.wanted.as_ref());
        let index = named.or_else(|| screens.iter().position(|screen| screen.primary)).unwrap_or(0);
        let ScreenInfo { name, x, y, width, height, .. } = screens[index].clone();
        self.wanted = Some(name);
        let too_large = || DesktopError(format!("a screen of {width}x{height} is not supported; set a smaller size"));
        let size = Size::new(width, height).ok_or_else(too_large)?;
        // There are at most 16.
        let shown = Choice::One(u8::try_from(index).unwrap_or(0));
        Ok(View { screens, offers_all, shown, x, y, size })
    }
}

/// The size of all screens together.
fn root(display: &Display) -> Result<(u16, u16), DesktopError> {
    let root = display.x.get_geometry(display.root).map_err(lost)?.reply().map_err(lost)?;
    Ok((root.width, root.height))
}

/// All monitors in RANDR's order; the whole screen where there are none, or no RANDR.
fn list(display: &Display, root: (u16, u16)) -> Result<Vec<ScreenInfo>, DesktopError> {
    let mut screens = Vec::new();
    if display.x.extension_information(randr::X11_EXTENSION_NAME).map_err(lost)?.is_some() {
        for monitor in display.x.randr_get_monitors(display.root, true).map_err(lost)?.reply().map_err(lost)?.monitors {
            let name = display.x.get_atom_name(monitor.name).map_err(lost)?.reply().map_err(lost)?.name;
            screens.extend(on_screen(&monitor, &String::from_utf8_lossy(&name), root));
        }
    }
    if screens.is_empty() {
        let (width, height) = root;
        screens.push(ScreenInfo { name: "screen".into(), x: 0, y: 0, width, height, primary: true });
    }
    Ok(screens)
}

/// The part of the monitor that is on the screen, if there is any.
fn on_screen(monitor: &randr::MonitorInfo, name: &str, (width, height): (u16, u16)) -> Option<ScreenInfo> {
    let clip = |start: i16, length: u16, limit: u16| {
        let from = i32::from(start).max(0);
        let to = (i32::from(start) + i32::from(length)).min(limit.into());
        let (from, length) = (u16::try_from(from).ok()?, u16::try_from(to - from).ok()?);
        (length > 0).then_some((from, length))
    };
    let (x, width) = clip(monitor.x, monitor.width, width)?;
    let (y, height) = clip(monitor.y, monitor.height, height)?;
    Some(ScreenInfo { name: ScreenInfo::clean_name(name), x, y, width, height, primary: monitor.primary })
}

fn no_monitor(index: usize, screens: &[ScreenInfo]) -> DesktopError {
    let describe = |(index, screen): (usize, &ScreenInfo)| format!("{index} ({}, {}x{})", screen.name, screen.width, screen.height);
    let list: Vec<String> = screens.iter().enumerate().map(describe).collect();
    DesktopError(format!("there is no monitor {index}; choose --display from: {}", list.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_that_reaches_beyond_the_screen_is_cut() {
        let place = |x, y| {
            let monitor = randr::MonitorInfo { x, y, width: 400, height: 300, ..Default::default() };
            on_screen(&monitor, "DP-1", (800, 300)).map(|screen| (screen.x, screen.y, screen.width, screen.height))
        };
        assert_eq!(place(400, 0), Some((400, 0, 400, 300)));
        assert_eq!(place(700, 100), Some((700, 100, 100, 200)));
        assert_eq!(place(-100, -50), Some((0, 0, 300, 250)));
        assert_eq!((place(800, 0), place(-400, 0), place(i16::MAX, 0)), (None, None, None));
    }
}
