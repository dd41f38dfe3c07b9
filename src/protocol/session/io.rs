//! What goes into a session and what comes out of it.

use std::time::{Duration, Instant};

use super::path::{Carrier, PathId, PathKind};
use crate::protocol::message::{EndReason, Message};
pub use crate::protocol::{lane::Lane, message::Role};

/// What happens to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// All lanes are open on this path.
    PathUp(PathId, PathKind, Carrier),
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
    /// Host: there is credit for one more picture; answer with [`super::Session::send_picture`] when the screen changed. Not told again
    /// before that answer, whatever happens to the paths.
    WantPicture(Credit),
    /// Viewer: a picture, each exactly once and in order; call [`super::Session::picture_done`] when it is decoded.
    Picture(Vec<u8>),
    /// There is room for a chunk of so many bytes; answer with [`super::Session::send_bulk`]. Told once [`super::Session::bulk_ready`].
    WantBulk(usize),
    /// A chunk, each exactly once and in order; call [`super::Session::bulk_done`] when it is taken.
    Bulk(Vec<u8>),
    /// The session uses this path now.
    PathChanged(PathId, PathKind),
    /// So many of the chat lines that were sent here have arrived at the peer. It only rises.
    Delivered(u64),
    /// No path is left: let go of all keys, redial.
    Stalled,
    /// A path is back; [`Event::PathChanged`] follows.
    Resumed,
    /// It is over; nothing follows.
    Ended(EndReason),
}

/// Leave to make one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// So many bytes the link can take now.
    pub bytes: u64,
    /// The link's rate in bytes a second, once known.
    pub rate: Option<u64>,
}

/// What is known of a path's link, from host to viewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkEstimate {
    /// Bytes a second that it carries.
    pub rate: Option<u64>,
    /// The smoothed round trip.
    pub rtt: Option<Duration>,
    /// The least round trip.
    pub least_rtt: Option<Duration>,
    /// How long things wait on their way.
    pub queue: Option<Duration>,
}

/// Too much waits to be sent, or the message itself is longer than its bounds: it was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too much is waiting to be sent")]
pub struct Full;

/// What the peer did that no honest peer does.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the other side broke the protocol: {0}")]
pub(super) struct Violation(pub(super) &'static str);
