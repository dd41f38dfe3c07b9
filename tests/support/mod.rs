//! What the end-to-end tests and the demo share: private displays, the people in front of them, and the real binary.
//!
//! Rules:
//! - Only public behaviour is used: the command line, its JSON lines, exit codes, and what an X server shows.
//! - Nothing sleeps in order to be in step. [`until`] polls a condition with a deadline; a test that says "nothing happens"
//!   sends a marker behind the thing that must not happen and waits for the marker.
//! - No fixed ports, displays or folders: any number of tests run beside each other.
//! - Everything that was started ends with the value that stands for it. After a failure, each process tells what it printed.

#![allow(dead_code, reason = "each test crate and the demo use their own part of it")]

pub(crate) mod display;
pub(crate) mod image;
pub(crate) mod machine;
pub(crate) mod physical;
pub(crate) mod process;
pub(crate) mod rs;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take. Far more than it needs on a quiet machine, because tests run beside builds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

const POLL: Duration = Duration::from_millis(5);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The reason for unwinding after [`interrupt`].
pub(crate) struct Interrupted;

/// Makes whoever waits now, or starts to wait later, unwind with [`Interrupted`], so that everything is cleaned up.
pub(crate) fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Unwinds if [`interrupt`] was called.
pub(crate) fn check_interrupted() {
    if INTERRUPTED.load(Ordering::Relaxed) && !thread::panicking() {
        std::panic::resume_unwind(Box::new(Interrupted));
    }
}

/// The first `Some` that `condition` gives; panics with `what` when that takes longer than [`PATIENCE`].
#[track_caller]
pub(crate) fn until<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    match poll(PATIENCE, condition) {
        Some(value) => value,
        None => panic!("waited {} s in vain: {what}", PATIENCE.as_secs()),
    }
}

/// [`until`] for a condition without a value.
#[track_caller]
pub(crate) fn until_true(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || condition().then_some(()));
}

/// The first `Some` that `condition` gives within `patience`.
pub(crate) fn poll<T>(patience: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        check_interrupted();
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(POLL);
    }
}
