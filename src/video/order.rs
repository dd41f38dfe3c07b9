//! Row by row or column by column: whichever is seen to cost less on this desktop.
//!
//! Text wants columns (a letter's pixels stay together), most other drawn things want rows, and the wrong order costs up to three
//! times as much. So both are tried, each through a fast zstd stream of its own that has seen everything in its order, and the sums
//! of what they cost decide. All rectangles follow the same choice: what is told in both orders is found in neither.

use std::io;

use zstd::stream::raw::{self, CParameter};

use super::{
    frame::{Frame, Rect},
    pixels::{Order, collect},
    streams::compress,
};

const LEVEL: i32 = 1;
/// log2 of the window in bytes, one byte a pixel.
const WINDOW_LOG: u32 = 21;
/// Smaller rectangles say nothing.
const LEAST_PIXELS: usize = 32;
/// The sums forget what lies so many pixels back.
const MEMORY: f64 = 4e6;
/// Of a large picture so many pixels are tried, so that trying costs half a millisecond at most.
const MOST_PIXELS: usize = 128 << 10;

/// The running choice. The picture after a new start does not count: all of it is new, and columns are the better guess.
pub(super) struct Chooser {
    /// For rows and columns.
    trials: [raw::Encoder<'static>; 2],
    costs: [f64; 2],
    has_started: bool,
    /// Pixels left to try in this picture.
    room: usize,
    pixels: Vec<u32>,
    bytes: Vec<u8>,
    compressed: Vec<u8>,
}

impl Chooser {
    pub(super) fn new() -> io::Result<Self> {
        let trial = || -> io::Result<_> {
            let mut stream = raw::Encoder::new(LEVEL)?;
            stream.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
            Ok(stream)
        };
        Ok(Self {
            trials: [trial()?, trial()?],
            costs: [0.0; 2],
            has_started: false,
            room: 0,
            pixels: Vec::new(),
            bytes: Vec::new(),
            compressed: Vec::new(),
        })
    }

    /// A picture begins; whether everything in it is new.
    pub(super) fn begin(&mut self, is_new: bool) {
        self.room = MOST_PIXELS;
        self.has_started = !is_new;
    }

    /// The order for a drawn rectangle.
    pub(super) fn choose(&mut self, frame: &Frame, rect: Rect) -> io::Result<Order> {
        if rect.pixels() >= LEAST_PIXELS && rect.pixels() <= self.room {
            self.room -= rect.pixels();
            self.attempt(frame, rect)?;
        }
        let [rows, columns] = self.costs;
        Ok(if self.has_started && rows < columns { Order::Rows } else { Order::Columns })
    }

    fn attempt(&mut self, frame: &Frame, rect: Rect) -> io::Result<()> {
        let memory = (1.0 - rect.pixels() as f64 / MEMORY).max(0.0);
        for (index, order) in [Order::Rows, Order::Columns].into_iter().enumerate() {
            collect(frame, rect, order, &mut self.pixels);
            self.bytes.clear();
            // The top byte of a product stands for the colour: what matters is where pixels are the same.
            self.bytes.extend(self.pixels.iter().map(|pixel| (pixel.wrapping_mul(0x9e37_79b1) >> 24) as u8));
            compress(&mut self.trials[index], &self.bytes, &mut self.compressed)?;
            if self.has_started {
                self.costs[index] = self.costs[index] * memory + self.compressed.len() as f64;
            }
        }
        Ok(())
    }
}
