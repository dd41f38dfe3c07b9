//! The encoder.

use super::frame::{Damage, Frame};

/// Turns frames into payloads, each a change against the last one encoded.
pub struct Encoder;

impl Encoder {
    /// An encoder whose first payload is a keyframe.
    ///
    /// # Errors
    /// zstd cannot be set up.
    pub fn new() -> std::io::Result<Self> {
        unimplemented!()
    }

    /// The payload that brings the decoder's picture to `frame`, or `None` when nothing changed. `damage` tells where to look
    /// (all changes since the last call must be inside); a frame of another size is a keyframe.
    ///
    /// # Errors
    /// zstd failed.
    pub fn encode(&mut self, _frame: &Frame, _damage: &Damage) -> std::io::Result<Option<Vec<u8>>> {
        unimplemented!()
    }
}
