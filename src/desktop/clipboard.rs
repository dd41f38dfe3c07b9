//! This machine's clipboard: tells what is copied here, and takes what was copied elsewhere.
//!
//! - Nothing is read until somebody copies: what was there at the start is not told.
//! - What any `rs` put on the clipboard is never told: no echo, and nothing that came from one session leaves through another one, be
//!   it of another process. So what is put leaves a mark beside the clipboard; what is read is compared with it.
//! - What is put stays as long as the process: the X11 clipboard is where its owner is.
//! - A secret, as password managers mark theirs, is told as such, and is not read.
//! - Text is plain, images are pixels; what is both counts as text. What is longer than its limit is told as such.

use std::{
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use tokio::sync::mpsc::Sender;

use super::{DesktopError, Wake};
#[cfg(target_os = "linux")]
use super::{spawn, x11::Selection};
use crate::protocol::clipboard::{Content, Kind};

/// The largest image, in pixels: 128 MiB of memory.
const MAX_PIXELS: usize = 32 << 20;

/// What happens at the clipboard.
#[derive(Debug)]
pub enum ClipboardEvent {
    /// Somebody copied this here.
    Copied(Content),
    /// Somebody copied so many bytes of this, which is more than is shared.
    TooLong(Kind, usize),
    /// Somebody copied a secret here.
    Secret,
    /// Something could not be put there or read: why, in one line.
    Failed(DesktopError),
}

/// What is on a clipboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clip {
    Text(String),
    Image { width: usize, height: usize, rgba: Vec<u8> },
}

/// What is to be told of what was copied.
#[derive(Debug)]
pub(super) enum Found {
    Clip(Clip),
    /// Its owner says that it is one.
    Secret,
}

/// A watched clipboard. Dropping it ends the watch.
pub struct Clipboard {
    puts: mpsc::Sender<Content>,
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Clipboard {
    /// Watches the clipboard of this session. Events that find the channel full are left out.
    ///
    /// # Errors
    /// There is no clipboard: in one line why.
    #[cfg(target_os = "linux")]
    pub fn start(events: Sender<ClipboardEvent>) -> Result<Self, DesktopError> {
        let (puts, waiting) = mpsc::channel();
        let open = || {
            let selection = Selection::open()?;
            let wake = selection.wake_fd();
            Ok((selection, wake))
        };
        let run = move |selection| {
            if let Err(error) = watch(selection, &waiting, &events) {
                tracing::warn!(%error, "the clipboard is no longer watched");
                let _ = events.try_send(ClipboardEvent::Failed(error));
            }
        };
        let (thread, wake) = spawn("clipboard", open, run)?;
        Ok(Self { puts, wake: Arc::new(move || wake.wake()), thread: Some(thread) })
    }

    /// There is none on this platform yet.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub fn start(_events: Sender<ClipboardEvent>) -> Result<Self, DesktopError> {
        Err(DesktopError("the clipboard of this platform cannot be shared yet".into()))
    }

    /// Puts this on the clipboard.
    pub fn put(&self, content: Content) {
        // A watch that broke has said so.
        let _ = self.puts.send(content);
        (self.wake)();
    }
}

impl Drop for Clipboard {
    fn drop(&mut self) {
        // The thread ends when it finds nobody at the other end.
        self.puts = mpsc::channel().0;
        (self.wake)();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Until nobody puts anything any more.
#[cfg(target_os = "linux")]
fn watch(selection: Selection, puts: &mpsc::Receiver<Content>, events: &Sender<ClipboardEvent>) -> Result<(), DesktopError> {
    loop {
        loop {
            match puts.try_recv() {
                Ok(content) => {
                    if let Err(error) = decode(&content).and_then(|clip| selection.put(clip)) {
                        let _ = events.try_send(ClipboardEvent::Failed(error));
                    }
                }
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
            }
        }
        if selection.wait()?
            && let Some(found) = selection.read()?
        {
            let event = match found {
                Found::Clip(clip) => encode(clip),
                Found::Secret => ClipboardEvent::Secret,
            };
            // Whoever does not listen now has no use for it later.
            let _ = events.try_send(event);
        }
    }
}

/// As it travels.
fn encode(clip: Clip) -> ClipboardEvent {
    let (kind, bytes) = match clip {
        Clip::Text(text) => (Kind::Text, text.into_bytes()),
        Clip::Image { width, height, rgba } if rgba.len() / 4 <= MAX_PIXELS => match to_png(width, height, &rgba) {
            Ok(png) => (Kind::Image, png),
            Err(error) => return ClipboardEvent::Failed(unusable(error)),
        },
        Clip::Image { rgba, .. } => return ClipboardEvent::TooLong(Kind::Image, rgba.len()),
    };
    let length = bytes.len();
    Content::new(kind, bytes).map_or(ClipboardEvent::TooLong(kind, length), ClipboardEvent::Copied)
}

/// As it was copied. A PNG that claims to be larger than [`MAX_PIXELS`] is refused before it is unpacked.
fn decode(content: &Content) -> Result<Clip, DesktopError> {
    if let Some(text) = content.text() {
        return Ok(Clip::Text(text.to_owned()));
    }
    let mut decoder = png::Decoder::new(std::io::Cursor::new(content.bytes()));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let header = decoder.read_header_info().map_err(unusable)?;
    let (width, height) = (header.width as usize, header.height as usize);
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(unusable("it is too large"));
    }
    let mut reader = decoder.read_info().map_err(unusable)?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or_else(|| unusable("it is too large"))?];
    let shape = reader.next_frame(&mut pixels).map_err(unusable)?;
    let rgba = match shape.color_type {
        png::ColorType::GrayscaleAlpha => pixels.chunks_exact(2).flat_map(|at| [at[0], at[0], at[0], at[1]]).collect(),
        _ => pixels,
    };
    Ok(Clip::Image { width, height, rgba })
}

fn to_png(width: usize, height: usize, rgba: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let side = |pixels| u32::try_from(pixels).unwrap_or(0);
    let mut encoder = png::Encoder::new(&mut bytes, side(width), side(height));
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgba)?;
    writer.finish()?;
    Ok(bytes)
}

fn unusable(error: impl std::fmt::Display) -> DesktopError {
    DesktopError(format!("a copied picture cannot be used ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_come_back_whatever_their_alpha() {
        let rgba: Vec<u8> = (0..=255).collect();
        let clip = Clip::Image { width: 8, height: 8, rgba };
        let ClipboardEvent::Copied(content) = encode(clip.clone()) else { panic!("fit") };
        assert_eq!(content.kind(), Kind::Image);
        assert_eq!(decode(&content).expect("our own PNG"), clip);
    }

    #[test]
    fn text_comes_back_and_what_is_too_long_is_told() {
        let ClipboardEvent::Copied(content) = encode(Clip::Text("hé".into())) else { panic!("fit") };
        assert_eq!(decode(&content).expect("text"), Clip::Text("hé".into()));
        let length = Kind::Text.limit() + 1;
        assert!(matches!(encode(Clip::Text("x".repeat(length))), ClipboardEvent::TooLong(Kind::Text, told) if told == length));
    }

    #[test]
    fn a_png_that_is_none_or_too_large_is_refused() {
        let none = Content::new(Kind::Image, b"\x89PNG\r\n\x1a\nrubbish".to_vec()).expect("only bytes");
        assert!(decode(&none).is_err());
        let mut large = Vec::new();
        let mut encoder = png::Encoder::new(&mut large, 60_000, 60_000);
        encoder.set_color(png::ColorType::Rgba);
        drop(encoder.write_header().expect("a header"));
        let bomb = Content::new(Kind::Image, large).expect("only bytes");
        assert!(decode(&bomb).is_err_and(|error| error.0.contains("too large")));
    }
}
