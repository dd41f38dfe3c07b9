//! `rs` lets one person help another at their computer, with no company in between.
//!
//! The library is a house of three floors; imports point downwards only (`tests/floors.rs` holds it to that).
//!
//! | floor | modules | may use |
//! |---|---|---|
//! | 1, pure | [`protocol`], [`video`] | nothing of ours; no IO, no clock, no randomness of their own |
//! | 2, edges | [`desktop`], [`net`], [`ui`], [`store`], [`files`] | floor 1; never another edge |
//! | 3, composition | [`app`] | everything: the only place that knows all edges |
//!
//! [`cli`] holds the command line's types and [`logging`] the log's rules; both stand beside the floors and are used by
//! `main.rs` and by [`app`] only. `docs/ARCHITECTURE.md` has the same map as a picture, with the threads and the flow of data.

pub mod protocol;
pub mod video;

pub mod desktop;
pub mod files;
pub mod net;
pub mod store;
pub mod ui;

pub mod app;

pub mod cli;
pub mod logging;
