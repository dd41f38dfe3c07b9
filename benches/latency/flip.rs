//! The program on the host display: shows the next picture at each key press, or so many times a second.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use x11rb::{
    COPY_DEPTH_FROM_PARENT, CURRENT_TIME,
    connection::Connection,
    protocol::{
        Event,
        xproto::{ConnectionExt, CreateGCAux, CreateWindowAux, EventMask, ImageFormat, InputFocus, WindowClass},
    },
    wrapper::ConnectionExt as _,
};

use crate::kit::letters::{hash, letter};

/// The grey at the start.
pub(crate) const DARK: u32 = 0x20_2020;
/// The greys of the pictures' markers: each is far from the next one, and none is like another.
const GREYS: [u8; 6] = [0x20, 0xf0, 0x40, 0xd0, 0x60, 0xb0];
/// Side of the square in the centre: what [`Change::Small`] changes, and the marker in all others.
const SQUARE: u16 = 200;

/// What changes on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Change {
    /// 200x200 pixels of one colour in the centre
    Small,
    /// All of it, of one colour
    Full,
    /// All of it: pages of black letters on white
    Text,
    /// All of it: soft shades with grain, like photos
    Photo,
}

impl Change {
    pub(crate) const ALL: [Self; 4] = [Self::Small, Self::Full, Self::Text, Self::Photo];

    /// As the command line has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Full => "full",
            Self::Text => "text",
            Self::Photo => "photo",
        }
    }

    /// Pixels, and so much of the screen; the marker in the centre tells the pictures apart.
    fn picture(self, number: usize, width: u16, height: u16) -> Vec<u32> {
        let grey = u32::from(GREYS[number]) * 0x01_0101;
        let marker = |side: u16, at: u16| (side / 2).abs_diff(at) < SQUARE / 2;
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixel = |(x, y): (u16, u16)| match self {
            _ if marker(width, x) && marker(height, y) => grey,
            Self::Small | Self::Full => grey,
            Self::Text => text(number as u32, x.into(), y.into()),
            Self::Photo => photo(number as u32, x.into(), y.into()),
        };
        places.map(pixel).collect()
    }
}

/// Covers the screen, takes the focus and says `ready`. Then shows the next picture at each key press, or `rate` times a second,
/// until it is killed.
pub(crate) fn flip(change: Change, rate: Option<u32>) -> anyhow::Result<()> {
    let (x, screen) = x11rb::connect(None).context("no X display; set DISPLAY")?;
    let screen = &x.setup().roots[screen];
    let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);

    let window = x.generate_id()?;
    let looks = CreateWindowAux::new()
        .background_pixel(DARK)
        .override_redirect(1)
        .event_mask(EventMask::KEY_PRESS | EventMask::EXPOSURE | EventMask::FOCUS_CHANGE);
    x.create_window(COPY_DEPTH_FROM_PARENT, window, screen.root, 0, 0, width, height, 0, WindowClass::INPUT_OUTPUT, 0, &looks)?;
    let gc = x.generate_id()?;
    x.create_gc(gc, window, &CreateGCAux::new().graphics_exposures(0))?;

    let [left, top, across, down] = match change {
        Change::Small => [width.saturating_sub(SQUARE) / 2, height.saturating_sub(SQUARE) / 2, SQUARE, SQUARE],
        _ => [0, 0, width, height],
    };
    let mut pictures = Vec::new();
    for number in 0..GREYS.len() {
        let picture = x.generate_id()?;
        x.create_pixmap(screen.root_depth, picture, window, across, down)?;
        let pixels: Vec<u8> = change.picture(number, across, down).into_iter().flat_map(u32::to_le_bytes).collect();
        x.put_image(ImageFormat::Z_PIXMAP, picture, gc, across, down, 0, 0, 0, screen.root_depth, &pixels)?;
        pictures.push(picture);
    }
    x.sync()?;
    x.map_window(window)?;
    x.flush()?;

    let (left, top) = (i16::try_from(left)?, i16::try_from(top)?);
    let mut pictures = pictures.into_iter().cycle();
    let mut show = || -> anyhow::Result<()> {
        let picture = pictures.next().context("a cycle has no end")?;
        x.copy_area(picture, window, gc, 0, 0, left, top, across, down)?;
        Ok(x.flush()?)
    };
    loop {
        match x.wait_for_event()? {
            // Only a window that is seen can have the focus.
            Event::Expose(_) => x.set_input_focus(InputFocus::NONE, window, CURRENT_TIME)?.check()?,
            Event::FocusIn(_) => {
                show()?;
                println!("ready");
                std::io::stdout().flush()?;
                if let Some(rate) = rate {
                    at_rate(rate, show)?;
                    return Ok(());
                }
            }
            Event::KeyPress(_) => show()?,
            _ => {}
        }
    }
}

fn at_rate(rate: u32, mut show: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let start = Instant::now();
    for number in 1.. {
        thread::sleep((Duration::from_secs(1) * number / rate).saturating_sub(start.elapsed()));
        show()?;
    }
    Ok(())
}

/// Black letters on white, another text on each page.
fn text(page: u32, x: u32, y: u32) -> u32 {
    if letter(page * 61 + y / 16, x, y % 16).1 { 0 } else { 0xff_ffff }
}

/// A slope of another colour on each page, with three bits of grain.
fn photo(page: u32, x: u32, y: u32) -> u32 {
    let grain = hash(y * 4099 + x + page * 7_919_113);
    let shade = |base: u32, shift: u32| (base / 8 + page * 37) % 224 + (grain >> shift & 7);
    shade(x, 0) | shade(y, 3) << 8 | shade(x + y, 6) << 16
}
