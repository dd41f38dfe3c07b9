//! What two `rs` processes say to each other: identities, the authentication handshake, and the session.
//!
//! Pure: no sockets, files, clocks or randomness. Whoever calls brings the time (`Instant`), the random numbers (`rng`) and the
//! bytes, and carries away the bytes to send. So thousands of lives of a session run in a test in a second.

pub mod auth;
pub mod clipboard;
pub mod control;
pub mod cursors;
pub mod grants;
pub mod id;
pub mod input;
pub mod journal;
pub mod lane;
pub mod link;
pub mod message;
pub mod password;
pub mod permission;
pub mod screens;
pub mod session;
pub mod stats;
pub mod throttle;
pub mod transfer;
