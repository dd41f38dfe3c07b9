//! The session: two sides, several paths, exactly-once control messages, a picture that never queues.

pub mod path;

use std::time::{Duration, Instant};

use path::{PathId, PathKind};

use super::message::{EndReason, Message};

/// Which side this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Shares its screen; follows the viewer's nominations.
    Host,
    /// Sees it; nominates paths.
    Viewer,
}

/// A stream of records with its own rules of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Numbered, acknowledged, replayed.
    Control = 0,
    /// The picture.
    Video = 1,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// Both lanes are open on this path.
    PathUp(PathId, PathKind),
    /// The path's connection is gone.
    PathDown(PathId),
    /// A whole record came in.
    Received {
        /// On this path.
        path: PathId,
        /// In this lane.
        lane: Lane,
        /// The record.
        record: &'a [u8],
    },
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What a session wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this record.
    Transmit {
        /// On this path.
        path: PathId,
        /// In this lane.
        lane: Lane,
        /// The record.
        record: Vec<u8>,
    },
    /// Tell this.
    Event(Event),
    /// Nothing more now; call again with [`Input::Timeout`] at this time (`None`: only with other input).
    Timeout(Option<Instant>),
}

/// What a session tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A control message, exactly once and in order.
    Message(Message),
    /// Host: there is credit for one more picture; answer with [`Session::send_picture`] when the screen changed.
    WantPicture,
    /// Viewer: a picture, each exactly once and in order; call [`Session::picture_done`] when it is decoded.
    Picture(Vec<u8>),
    /// The session uses this path now.
    PathChanged(PathId, PathKind),
    /// No path is left: let go of all keys, redial.
    Stalled,
    /// A path is back.
    Resumed,
    /// It is over; nothing follows.
    Ended(EndReason),
}

/// Too much waits to be sent: the message was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too much is waiting to be sent")]
pub struct Full;

/// One session, one side.
pub struct Session;

impl Session {
    /// A session without a path yet. `resume` is how long it may be without one.
    #[must_use]
    pub fn new(_role: Role, _resume: Duration, _now: Instant) -> Self {
        unimplemented!()
    }

    /// Takes an input, then wants [`Session::poll_output`] drained.
    pub fn handle_input(&mut self, _now: Instant, _input: Input<'_>) {
        unimplemented!()
    }

    /// Sends a control message.
    ///
    /// # Errors
    /// [`Full`].
    pub fn send(&mut self, _now: Instant, _message: Message) -> Result<(), Full> {
        unimplemented!()
    }

    /// Host: sends a picture; uses up the credit of one [`Event::WantPicture`].
    pub fn send_picture(&mut self, _now: Instant, _picture: Vec<u8>) {
        unimplemented!()
    }

    /// Viewer: the oldest picture told is decoded.
    pub fn picture_done(&mut self, _now: Instant) {
        unimplemented!()
    }

    /// Ends the session and tells the peer if a path is left. [`Event::Ended`] follows.
    pub fn end(&mut self, _now: Instant, _reason: EndReason) {
        unimplemented!()
    }

    /// The path in use, if any, and its smoothed round trip, once measured.
    #[must_use]
    pub fn current_path(&self) -> Option<(PathId, PathKind, Option<Duration>)> {
        unimplemented!()
    }

    /// The next thing to do. Call until [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        unimplemented!()
    }
}
