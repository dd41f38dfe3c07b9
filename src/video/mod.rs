//! The picture: frames, what changed in them, and the codec between two screens.
//!
//! Pure, and independent of [`crate::protocol`]: a session carries the codec's bytes without looking into them.

mod areas;
pub mod budget;
mod cache;
pub mod decoder;
mod detect;
pub mod encoder;
pub mod frame;
mod mask;
mod motion;
mod moves;
mod order;
mod palette;
mod payload;
mod photo;
mod pieces;
mod pixels;
mod rate;
pub mod scale;
mod streams;
mod transform;
