//! The viewer's window surface: the picture scaled into it, the host's pointer and what [`Status`] tells over it.
//!
//! Only what changed is drawn and presented: damage of the picture, the pointer's old and new place, and whatever lies over
//! those. The surface's own age of its buffer says how many presents back that must reach.

use std::{collections::VecDeque, num::NonZeroU32, sync::Arc};

use anyhow::anyhow;
use winit::{dpi::PhysicalSize, window::Window};

use super::{
    board::Row,
    canvas::{Canvas, Lettering},
    overlay::{Overlay, View},
    picture::{Picture, State},
    status::Status,
};
use crate::{
    protocol::message::ELSEWHERE,
    video::{
        frame::{Damage, Size},
        scale::{Area, Placement, Scaler},
    },
};

/// Around the picture.
const BORDER: u32 = 0x0014_1618;
/// Below words.
const SHADE: u32 = 0x000b_0d10;
/// Words.
const INK: u32 = 0x00f2_f4f5;
/// Less important words.
const FAINT_INK: u32 = 0x00b4_bcc2;
/// Below the banner.
const ACCENT: u32 = 0x00b3_5900;
/// Presents remembered; older buffers are drawn whole.
const MAX_AGE: usize = 4;

/// A window and how to draw into it.
pub(super) struct Stage {
    /// The window.
    pub(super) window: Arc<Window>,
    surface: softbuffer::Surface<Arc<Window>, Arc<Window>>,
    size: PhysicalSize<u32>,
    scaler: Scaler,
    lettering: Lettering,
    placement: Placement,
    /// One window pixel for each of the picture's, rather than all of it to be seen.
    actual_size: bool,
    /// Everything must be drawn.
    whole: bool,
    pointer: Option<Area>,
    /// Where the board was drawn, and which of its versions.
    board: (Option<Area>, u64),
    /// How much of the window the overlay covered at its right.
    aside: i32,
    /// Whether the picture was last drawn dimmed.
    dimmed: bool,
    presented: VecDeque<Vec<Area>>,
}

/// Something that lies over the picture.
enum Layer {
    Pointer,
    Box { shade: u32, cover: u8, lines: Vec<(String, u32, u32)> },
    Overlay,
    Board { rows: Vec<Row>, columns: [i32; 3], size: u32 },
}

impl Stage {
    /// Prepares a window for drawing.
    pub(super) fn new(window: Window) -> anyhow::Result<Self> {
        let window = Arc::new(window);
        let context = softbuffer::Context::new(window.clone()).map_err(no_surface)?;
        let surface = softbuffer::Surface::new(&context, window.clone()).map_err(no_surface)?;
        let placement = Placement::fit(Size { width: 1, height: 1 }, (1, 1));
        Ok(Self {
            window,
            surface,
            size: PhysicalSize::default(),
            scaler: Scaler::default(),
            lettering: Lettering::new()?,
            placement,
            actual_size: false,
            whole: true,
            pointer: None,
            board: (None, 0),
            aside: 0,
            dimmed: false,
            presented: VecDeque::new(),
        })
    }

    /// Where the picture lies.
    pub(super) fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Draws everything next time.
    pub(super) fn redraw_all(&mut self) {
        self.whole = true;
    }

    /// The picture pixel for pixel, or all of it.
    pub(super) fn show_actual_size(&mut self, actual_size: bool) {
        self.actual_size = actual_size;
        self.whole = true;
    }

    /// How the picture lies in the window.
    pub(super) fn view(&self) -> View {
        View { actual_size: self.actual_size, full_screen: self.window.fullscreen().is_some() }
    }

    /// Places the picture anew, for its size, the window's and where the pointer is.
    pub(super) fn place(&mut self, picture: Size, hand: Option<(f64, f64)>) {
        let side = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let window = (side(self.size.width), side(self.size.height));
        let middle = (f64::from(window.0) / 2.0, f64::from(window.1) / 2.0);
        let placement = if self.actual_size {
            Placement::one_to_one(picture, window, hand.unwrap_or(middle))
        } else {
            Placement::fit(picture, window)
        };
        if placement != self.placement {
            self.placement = placement;
            self.whole = true;
        }
    }

    /// Brings the window up to date. `hand` is where the local pointer is, `driving` whether it is the host's pointer too.
    pub(super) fn paint(
        &mut self,
        picture: &Picture,
        status: &Status,
        overlay: &mut Overlay,
        hand: Option<(f64, f64)>,
        driving: bool,
    ) -> anyhow::Result<()> {
        self.fit_surface()?;
        if self.size.width == 0 || self.size.height == 0 {
            return Ok(());
        }
        let mut state = picture.lock();
        let damage = std::mem::replace(&mut state.damage, Damage::none());
        let decoded = state.decoded.take();
        self.place(state.frame.size(), hand);
        let dimmed = status.page(state.shown);
        let mut dirty: Vec<Area> = damage.rects().iter().map(|rect| self.placement.touched(*rect)).collect();
        dirty.append(&mut overlay.take_dirty());
        let pointer = if !dimmed { self.pointer_area(&state, if driving { hand } else { None }, driving) } else { None };
        if pointer != self.pointer || std::mem::take(&mut state.pointer_changed) {
            dirty.extend(self.pointer.into_iter().chain(pointer));
            self.pointer = pointer;
        }
        let everything = Area { x: 0, y: 0, width: self.size.width.cast_signed(), height: self.size.height.cast_signed() };
        let (rows, version) = status.board.drawn();
        self.whole |= std::mem::replace(&mut self.aside, overlay.aside()) != overlay.aside();
        let free = Area { width: (everything.width - self.aside).max(1), ..everything };
        let board = rows.map(|rows| self.board(rows, free));
        if version != self.board.1 {
            let area = board.as_ref().map(|(area, _)| *area);
            dirty.extend(self.board.0.into_iter().chain(area));
            self.board = (area, version);
        }
        if self.whole || self.dimmed != dimmed {
            dirty = vec![everything];
        }
        if dirty.is_empty() {
            return Ok(());
        }
        let mut layers = self.layers(status, free);
        layers.extend(board);
        layers.extend(overlay.areas().iter().map(|area| (*area, Layer::Overlay)));
        let mut buffer = self.surface.buffer_mut().map_err(no_surface)?;
        let latest = dirty.clone();
        match usize::from(buffer.age()) {
            0 => dirty = vec![everything],
            age if age - 1 > self.presented.len() => dirty = vec![everything],
            age => dirty.extend(self.presented.iter().take(age - 1).flatten()),
        }
        // What lies over something redrawn is redrawn whole, and so on: blending twice would show.
        for _ in 0..layers.len() {
            let over = |area: &Area| dirty.iter().any(|dirty| dirty.intersection(*area).is_some());
            let more: Vec<Area> = layers.iter().map(|(area, _)| *area).filter(|area| over(area) && !dirty.contains(area)).collect();
            dirty.extend(more);
        }
        let width = self.size.width as usize;
        let mut canvas = Canvas { pixels: &mut buffer, width };
        for area in &dirty {
            if !state.shown || area.intersection(self.placement.area()) != Some(*area) {
                canvas.cover(*area, BORDER, 255);
            }
            if state.shown {
                self.scaler.draw(&state.frame, &self.placement, *area, canvas.pixels, width);
            }
            if dimmed {
                canvas.cover(*area, SHADE, 190);
            }
        }
        for (area, layer) in layers.iter().filter(|(area, _)| dirty.contains(area) || dirty.contains(&everything)) {
            match layer {
                Layer::Pointer => state.cursor.iter().for_each(|shape| canvas.pointer(shape, *area)),
                Layer::Board { rows, columns, size } => draw_board(&mut canvas, &mut self.lettering, *area, rows, *columns, *size),
                Layer::Overlay => {
                    let [x, y, across, down] =
                        [area.x, area.y, area.width, area.height].map(|value| usize::try_from(value).unwrap_or(0));
                    overlay.layer().blend(canvas.pixels, width, (x, y), (across, down));
                }
                Layer::Box { shade, cover, lines } => draw_box(&mut canvas, &mut self.lettering, *area, (*shade, *cover), lines),
            }
        }
        drop(state);
        let damage: Vec<softbuffer::Rect> =
            dirty.iter().filter_map(|area| area.intersection(everything)).filter_map(rect).collect();
        buffer.present_with_damage(&damage).map_err(no_surface)?;
        decoded.into_iter().for_each(|decoded| picture.presented(decoded));
        self.whole = false;
        self.dimmed = dimmed;
        self.presented.push_front(latest);
        self.presented.truncate(MAX_AGE);
        Ok(())
    }

    /// Follows the window's size.
    fn fit_surface(&mut self) -> anyhow::Result<()> {
        let size = self.window.inner_size();
        let (Some(width), Some(height)) = (NonZeroU32::new(size.width), NonZeroU32::new(size.height)) else {
            self.size = size;
            return Ok(());
        };
        if size != self.size {
            self.surface.resize(width, height).map_err(no_surface)?;
            self.size = size;
            self.whole = true;
            self.presented.clear();
        }
        Ok(())
    }

    /// Where the host's pointer is drawn: at the hand while we drive, else where the host says.
    #[expect(clippy::cast_possible_truncation, reason = "places in a window")]
    fn pointer_area(&self, state: &State, hand: Option<(f64, f64)>, driving: bool) -> Option<Area> {
        let shape = state.cursor.as_ref().filter(|shape| state.shown && shape.width > 0 && shape.height > 0)?;
        let on_picture = || Some(state.pointer).filter(|pointer| *pointer != ELSEWHERE);
        let (x, y) = if driving { hand? } else { on_picture().map(|(x, y)| self.placement.to_window(x, y))? };
        let scale = f64::from(self.placement.area().width) / f64::from(self.placement.picture().width.max(1));
        // Smaller than half nobody finds it.
        let scale = scale.max(0.5);
        let side = |length: u16| (f64::from(length) * scale).round().max(1.0) as i32;
        let place = |at: f64, hot: u16| (at - f64::from(hot) * scale).round() as i32;
        Some(Area { x: place(x, shape.hot_x), y: place(y, shape.hot_y), width: side(shape.width), height: side(shape.height) })
    }

    /// What lies over the picture, lowest first.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "font sizes")]
    fn layers(&mut self, status: &Status, all: Area) -> Vec<(Area, Layer)> {
        let scale = self.window.scale_factor().clamp(0.5, 8.0);
        let small = (15.0 * scale) as u32;
        let gap = (small / 2).cast_signed();
        let room = all.width - 4 * gap;
        let mut layers: Vec<(Area, Layer)> = self.pointer.into_iter().map(|area| (area, Layer::Pointer)).collect();
        if let Some(banner) = status.banner() {
            let lines = self.wrap(banner, small, INK, room);
            let (width, height) = self.extent(&lines, gap);
            let area = Area { x: (all.width - width) / 2, y: gap, width, height };
            layers.push((area, Layer::Box { shade: ACCENT, cover: 235, lines }));
        }
        let lines: Vec<_> = status.notes().flat_map(|note| self.wrap(note, small, INK, room)).collect();
        if !lines.is_empty() {
            let (width, height) = self.extent(&lines, gap);
            let area = Area { x: gap, y: all.height - height - gap, width, height };
            layers.push((area, Layer::Box { shade: SHADE, cover: 205, lines }));
        }
        layers
    }

    /// The board in the upper right corner; in a low window its letters are smaller.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "font sizes")]
    fn board(&mut self, rows: &[Row], all: Area) -> (Area, Layer) {
        let wanted = (14.0 * self.window.scale_factor().clamp(0.5, 8.0)) as u32;
        // A line is 5/4 of its letters, and there is a gap of two lines in all.
        let room = all.height.unsigned_abs() as usize * 4 / 5 / (rows.len() + 2);
        let size = wanted.min(u32::try_from(room).unwrap_or(u32::MAX)).max(1);
        let gap = (size / 2).cast_signed();
        let columns = [0, 1, 2].map(|column| {
            let widest = rows.iter().map(|row| self.lettering.width(&row[column], size)).max();
            widest.unwrap_or(0) + 2 * gap
        });
        let (width, height) = (columns.iter().sum(), rows.iter().map(|_| line_height(size)).sum::<i32>() + 2 * gap);
        let area = Area { x: all.width - width - gap, y: gap, width, height };
        (area, Layer::Board { rows: rows.to_vec(), columns, size })
    }

    fn wrap(&mut self, text: &str, size: u32, ink: u32, room: i32) -> Vec<(String, u32, u32)> {
        self.lettering.lines(text, size, room.max(1)).into_iter().map(|line| (line.to_owned(), size, ink)).collect()
    }

    /// The size of a box around `lines`.
    fn extent(&mut self, lines: &[(String, u32, u32)], gap: i32) -> (i32, i32) {
        let width = lines.iter().map(|(line, size, _)| self.lettering.width(line, *size)).max().unwrap_or(0);
        (width + 2 * gap, lines.iter().map(|(_, size, _)| line_height(*size)).sum::<i32>() + gap)
    }
}

fn line_height(size: u32) -> i32 {
    (size * 5 / 4).cast_signed()
}

/// Centres one size of lines, and keeps chat to the left: boxes are as wide as their longest line.
fn draw_box(
    canvas: &mut Canvas<'_>,
    lettering: &mut Lettering,
    area: Area,
    (shade, cover): (u32, u8),
    lines: &[(String, u32, u32)],
) {
    canvas.cover(area, shade, cover);
    let content: i32 = lines.iter().map(|(_, size, _)| line_height(*size)).sum();
    let margin = (area.height - content) / 2;
    let mut y = area.y + margin;
    for (line, size, ink) in lines {
        let centred = cover == 0;
        let x = if centred { area.x + (area.width - lettering.width(line, *size)) / 2 } else { area.x + 2 * margin };
        canvas.write(lettering, line, (x, y), *size, *ink);
        y += line_height(*size);
    }
}

/// A name at the left, values at the right of their columns.
fn draw_board(canvas: &mut Canvas<'_>, lettering: &mut Lettering, area: Area, rows: &[Row], columns: [i32; 3], size: u32) {
    let gap = (size / 2).cast_signed();
    canvas.cover(area, SHADE, 215);
    for ([name, first, second], y) in rows.iter().zip((area.y + gap..).step_by(line_height(size).unsigned_abs() as usize)) {
        canvas.write(lettering, name, (area.x + gap, y), size, FAINT_INK);
        for (value, right) in [(first, columns[0] + columns[1]), (second, columns.iter().sum())] {
            let x = area.x + right - gap - lettering.width(value, size);
            canvas.write(lettering, value, (x, y), size, INK);
        }
    }
}

fn rect(area: Area) -> Option<softbuffer::Rect> {
    let side = |value: i32| u32::try_from(value).ok();
    Some(softbuffer::Rect {
        x: side(area.x)?,
        y: side(area.y)?,
        width: NonZeroU32::new(side(area.width)?)?,
        height: NonZeroU32::new(side(area.height)?)?,
    })
}

fn no_surface(error: softbuffer::SoftBufferError) -> anyhow::Error {
    anyhow!("cannot draw into the window ({error}); use --view none")
}
