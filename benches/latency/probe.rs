//! The program on the viewer display: presses a key and times until the pixel turns.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rand::Rng;
use x11rb::{
    CURRENT_TIME,
    connection::Connection,
    protocol::{
        xproto::{AtomEnum, ConnectionExt, ImageFormat, InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MapState, Window},
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
};

use crate::{flip::DARK, kit::process::wait_for};

/// The key `a` on the keyboards of Xvfb.
const KEY: u8 = 38;
/// Between two presses: random, so that no timer of the system under test falls into step with us.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 60..=190;
/// Between two looks at the pixel.
const LOOK: Duration = Duration::from_micros(200);
/// How much lighter or darker the pixel must become.
const TURN: u8 = 60;
/// How much it must change to be another picture: less than two markers differ, more than JPEG does to one.
const STEP: u8 = 8;
/// A press that shows nothing for so long is lost.
const LOST: Duration = Duration::from_secs(2);
/// The pixel lies so far right of and below the centre: a pointer drawn into the picture starts in the centre.
const ASIDE: i16 = 40;
/// A smaller window is not the viewer's.
const LEAST_WINDOW: (u16, u16) = (640, 400);

/// A display with a pixel to watch.
pub(crate) struct Probe {
    x: RustConnection,
    root: Window,
    /// The viewer's window; none on the host display, where the flip window has the focus already.
    window: Option<Window>,
    pixel: (i16, i16),
}

impl Probe {
    /// Watches the host display itself.
    pub(crate) fn of_screen(display: &str) -> anyhow::Result<Self> {
        let (x, screen) = connect(Some(display))?;
        let screen = &x.setup().roots[screen];
        let (root, pixel) = (screen.root, beside_centre(0, 0, screen.width_in_pixels, screen.height_in_pixels));
        Ok(Self { x, root, window: None, pixel })
    }

    /// Watches the newest large window of a display with a window manager; waits until there is one.
    pub(crate) fn of_window(display: Option<&str>) -> anyhow::Result<Self> {
        let (x, screen) = connect(display)?;
        let root = x.setup().roots[screen].root;
        let (window, pixel) = wait_for("the viewer's window", || newest_window(&x, root))?;
        Ok(Self { x, root, window: Some(window), pixel })
    }

    /// Waits until the pixel shows a fresh flip window, with the focus on the viewer.
    pub(crate) fn wait_until_dark(&self) -> anyhow::Result<()> {
        if let Some(window) = self.window {
            self.x.set_input_focus(InputFocus::POINTER_ROOT, window, CURRENT_TIME)?.check()?;
        }
        let dark = luminance(DARK);
        wait_for("the picture in the viewer's window", || Ok((self.look()?.abs_diff(dark) <= 2).then_some(())))
    }

    /// Presses the key once, after a random pause; the time until the pixel turned, or `None` when it did not.
    pub(crate) fn press(&self) -> anyhow::Result<Option<Duration>> {
        thread::sleep(Duration::from_millis(rand::thread_rng().gen_range(PAUSE_MS)));
        let before = self.look()?;
        let start = Instant::now();
        for kind in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
            self.x.xtest_fake_input(kind, KEY, CURRENT_TIME, self.root, 0, 0, 0)?;
        }
        self.x.flush()?;
        while start.elapsed() < LOST {
            if self.look()?.abs_diff(before) > TURN {
                return Ok(Some(start.elapsed()));
            }
            thread::sleep(LOOK);
        }
        Ok(None)
    }

    /// How often the pixel changes meanwhile.
    pub(crate) fn changes(&self, window: Duration) -> anyhow::Result<u32> {
        let (start, mut before, mut changes) = (Instant::now(), self.look()?, 0);
        while start.elapsed() < window {
            thread::sleep(LOOK);
            let now = self.look()?;
            if now.abs_diff(before) > STEP {
                (before, changes) = (now, changes + 1);
            }
        }
        Ok(changes)
    }

    /// The pixel's luminance now. One pixel by the socket: no slower than by shared memory.
    fn look(&self) -> anyhow::Result<u8> {
        let (x, y) = self.pixel;
        let image = self.x.get_image(ImageFormat::Z_PIXMAP, self.root, x, y, 1, 1, u32::MAX)?.reply()?;
        let pixel = image.data.first_chunk().context("the display is not 24 bits deep")?;
        Ok(luminance(u32::from_le_bytes(*pixel)))
    }
}

/// `probe`: the newest window of DISPLAY.
pub(crate) fn by_hand(presses: usize) -> anyhow::Result<()> {
    let probe = Probe::of_window(None)?;
    probe.wait_until_dark()?;
    for _ in 0..presses {
        match probe.press()? {
            Some(time) => println!("{:.3}", time.as_secs_f64() * 1000.0),
            None => bail!("the pixel did not turn within {LOST:?}; is `flip` running on the host display?"),
        }
    }
    Ok(())
}

fn connect(display: Option<&str>) -> anyhow::Result<(RustConnection, usize)> {
    x11rb::connect(display).context("no X display; set DISPLAY")
}

/// The newest client window that is seen and large enough, and the pixel to watch in it.
fn newest_window(x: &RustConnection, root: Window) -> anyhow::Result<Option<(Window, (i16, i16))>> {
    let list = x.intern_atom(false, b"_NET_CLIENT_LIST")?.reply()?.atom;
    let list = x.get_property(false, root, list, AtomEnum::WINDOW, 0, 1024)?.reply()?;
    let Some(windows) = list.value32() else { return Ok(None) };
    for window in windows.collect::<Vec<_>>().into_iter().rev() {
        // A window may go while we ask about it.
        let Ok(looks) = x.get_window_attributes(window)?.reply() else { continue };
        let Ok(shape) = x.get_geometry(window)?.reply() else { continue };
        let Ok(place) = x.translate_coordinates(window, root, 0, 0)?.reply() else { continue };
        if looks.map_state == MapState::VIEWABLE && shape.width >= LEAST_WINDOW.0 && shape.height >= LEAST_WINDOW.1 {
            return Ok(Some((window, beside_centre(place.dst_x, place.dst_y, shape.width, shape.height))));
        }
    }
    Ok(None)
}

fn beside_centre(x: i16, y: i16, width: u16, height: u16) -> (i16, i16) {
    let half = |side: u16| i16::try_from(side / 2).unwrap_or(i16::MAX);
    (x.saturating_add(half(width)).saturating_add(ASIDE), y.saturating_add(half(height)).saturating_add(ASIDE))
}

/// The mean of B, G and R.
fn luminance(pixel: u32) -> u8 {
    let [b, g, r, _] = pixel.to_le_bytes().map(u16::from);
    ((b + g + r) / 3) as u8
}
