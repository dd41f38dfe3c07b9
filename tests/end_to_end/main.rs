//! The real binary, from end to end: every promise of the command line, with real processes, sockets and displays.

#[path = "../support/mod.rs"]
mod support;

mod rig;
