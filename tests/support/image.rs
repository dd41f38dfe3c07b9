//! Pictures: read from a display or a PNG file, compared, searched, put together, written.

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::Path,
};

/// A colour: red, green, blue.
pub(crate) type Colour = [u8; 3];

/// A picture of `width * height` colours, rows from the top.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// Pixels from left to right.
    pub(crate) width: usize,
    /// Pixels from top to bottom.
    pub(crate) height: usize,
    /// The colours.
    pub(crate) pixels: Vec<Colour>,
}

impl Image {
    /// A picture of one colour.
    pub(crate) fn filled(width: usize, height: usize, colour: Colour) -> Self {
        Self { width, height, pixels: vec![colour; width * height] }
    }

    /// The pixel at this place.
    pub(crate) fn at(&self, x: usize, y: usize) -> Colour {
        self.pixels[y * self.width + x]
    }

    /// How many pixels have this colour.
    pub(crate) fn count(&self, colour: Colour) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }

    /// The part of it that starts at `x`, `y`.
    pub(crate) fn part(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        let rows = (y..y + height).flat_map(|row| &self.pixels[row * self.width + x..][..width]);
        Self { width, height, pixels: rows.copied().collect() }
    }

    /// Where `other` is in this picture, pixel for pixel.
    pub(crate) fn find(&self, other: &Self) -> Option<(usize, usize)> {
        if other.width > self.width || other.height > self.height {
            return None;
        }
        let rows = 0..=self.height - other.height;
        rows.flat_map(|y| (0..=self.width - other.width).map(move |x| (x, y))).find(|&(x, y)| self.shows(other, x, y))
    }

    /// Whether `other` is at this place, pixel for pixel.
    pub(crate) fn shows(&self, other: &Self, x: usize, y: usize) -> bool {
        x + other.width <= self.width
            && y + other.height <= self.height
            && other
                .pixels
                .chunks_exact(other.width)
                .enumerate()
                .all(|(row, pixels)| &self.pixels[(y + row) * self.width + x..][..other.width] == pixels)
    }

    /// Draws `other` at this place; it must fit.
    pub(crate) fn draw(&mut self, other: &Self, x: usize, y: usize) {
        for (row, pixels) in other.pixels.chunks_exact(other.width).enumerate() {
            self.pixels[(y + row) * self.width + x..][..other.width].copy_from_slice(pixels);
        }
    }

    /// Reads a PNG file with 8 bits a sample.
    ///
    /// # Errors
    /// It is not there, or not such a file (yet).
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let file = File::open(file).map_err(|error| error.to_string())?;
        let mut reader = png::Decoder::new(BufReader::new(file)).read_info().map_err(|error| error.to_string())?;
        let mut bytes = vec![0; reader.output_buffer_size().ok_or("the picture is too large")?];
        let info = reader.next_frame(&mut bytes).map_err(|error| error.to_string())?;
        let samples = info.color_type.samples();
        if info.bit_depth != png::BitDepth::Eight || samples < 3 {
            return Err(format!("a colour picture with 8 bits a sample was expected, not {:?}", info.color_type));
        }
        let pixels = bytes[..info.buffer_size()].chunks_exact(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Ok(Self { width: info.width as usize, height: info.height as usize, pixels })
    }

    /// Writes a PNG file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, file: &Path) -> Result<(), String> {
        let size = |length: usize| u32::try_from(length).map_err(|error| error.to_string());
        let output = BufWriter::new(File::create(file).map_err(|error| error.to_string())?);
        let mut encoder = png::Encoder::new(output, size(self.width)?, size(self.height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
        writer.write_image_data(self.pixels.as_flattened()).map_err(|error| error.to_string())?;
        writer.finish().map_err(|error| error.to_string())
    }
}
