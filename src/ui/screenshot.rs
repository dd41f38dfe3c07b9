//! The picture as a PNG file: exactly what the host's screen shows, without any pointer.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::whole;
use crate::video::frame::Frame;

/// The picture could not be saved; one line for people.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be saved to {}: {reason}; choose another file", file.display())]
pub struct ScreenshotError {
    /// Where it should have gone.
    pub file: PathBuf,
    /// Why it did not.
    pub reason: io::Error,
}

/// Where a picture of this host goes when nobody says: `rs-ID-DATE.png` among the user's pictures, else in the working folder.
#[must_use]
pub fn place(id: &str) -> PathBuf {
    let name = format!("rs-{id}-{}.png", jiff::ZonedDateTime::now().strftime("%Y-%m-%d-%H%M%S"));
    let pictures =
        directories::UserDirs::new().and_then(|user| user.picture_dir().map(Path::to_owned)).filter(|folder| folder.is_dir());
    pictures.or_else(|| std::env::current_dir().ok()).unwrap_or_default().join(name)
}

/// Saves `frame` as an RGB PNG; a file that is there already is replaced in one step.
///
/// # Errors
/// [`ScreenshotError`].
pub fn save(frame: &Frame, file: &Path) -> Result<(), ScreenshotError> {
    let fail = |reason| ScreenshotError { file: file.to_owned(), reason };
    whole::save(file, |out| write(frame, out)).map_err(fail)
}

fn write(frame: &Frame, out: &mut impl Write) -> io::Result<()> {
    let size = frame.size();
    let mut encoder = png::Encoder::new(out, size.width.into(), size.height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    let mut row = Vec::with_capacity(usize::from(size.width) * 3);
    for y in 0..size.height {
        row.clear();
        row.extend(frame.row(0, y, size.width).chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]));
        stream.write_all(&row)?;
    }
    stream.finish()?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::video::frame::Size;

    fn colourful() -> Frame {
        let mut frame = Frame::new(Size { width: 5, height: 3 });
        frame.data_mut().iter_mut().zip(0_u8..).for_each(|(byte, value)| *byte = value * 4);
        frame
    }

    #[test]
    fn the_file_shows_exactly_the_frame_and_replaces_an_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("shot.png");
        fs::write(&file, "old").expect("writable");
        let frame = colourful();
        save(&frame, &file).expect("saved");
        let mut reader = png::Decoder::new(io::BufReader::new(File::open(&file).expect("there"))).read_info().expect("a PNG");
        let mut rgb = vec![0; reader.output_buffer_size().expect("small")];
        let info = reader.next_frame(&mut rgb).expect("whole");
        assert_eq!((info.width, info.height, info.color_type), (5, 3, png::ColorType::Rgb));
        let expected: Vec<u8> = frame.data().chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        assert_eq!(rgb, expected);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn what_cannot_be_saved_says_so_in_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = save(&colourful(), &folder.path().join("no/such/folder.png")).expect_err("no folder").to_string();
        assert!(text.contains("folder.png") && !text.contains('\n'), "{text}");
        assert!(save(&colourful(), Path::new("/")).is_err());
    }
}
