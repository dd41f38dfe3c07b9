//! The picture: frames, what changed in them, and the codec between two screens.
//!
//! Pure, and independent of [`crate::protocol`]: a session carries the codec's bytes without looking into them.

pub mod budget;
mod damage;
pub mod decoder;
pub mod encoder;
pub mod frame;
mod payload;
pub mod scale;
