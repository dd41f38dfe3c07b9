//! The records of a session: what travels, sealed, in the lanes. This file is their specification.
//!
//! - A record is one [`Record`] in postcard's encoding, with nothing behind it. Variants are numbered from 0 in the order of the
//!   file; new ones go to the end.
//! - [`Record::Picture`] travels in the video lane and nothing else does, [`Record::Chunk`] in the bulk lane and nothing else does;
//!   everything else travels in the control lane.
//! - The first record in a path's control lane is [`Record::Attach`]; it comes once.
//! - Sequence numbers start at 0. "Next" numbers are cumulative: everything below them has arrived.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

use super::{Lane, Output, Violation, path::PathId};
use crate::protocol::{
    lane::MAX_RECORD,
    message::{MAX_CURSOR, Message},
};

/// The longest record in the control lane, in bytes: the largest cursor and the fields around it.
pub(super) const MAX_CONTROL_RECORD: usize = MAX_CURSOR as usize * MAX_CURSOR as usize * 4 + 64;
/// The longest picture, in bytes: with the fields around it, it fills the longest record of the video lane.
pub(super) const MAX_PICTURE: usize = MAX_RECORD - 32;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record<'a> {
    /// Both, first on every path. The sender has everything below `control` and has done with every picture below `picture`:
    /// here the other side goes on. (Hosts get no pictures and say 0.)
    Attach {
        /// The next message wanted.
        control: u64,
        /// The next picture wanted.
        picture: u64,
    },
    /// V→H. Use this path, unless a higher epoch was given to another one that lives.
    Nominate {
        /// Rises by one with each nomination, from 1.
        epoch: u64,
    },
    /// Both. A numbered message.
    Message {
        /// Its number.
        seq: u64,
        /// As [`Record::Ack`]'s `control`, for free.
        ack: u64,
        /// The message.
        message: Cow<'a, Message>,
    },
    /// Both. The sender has every message below `control` and has done with every picture below `picture`.
    Ack {
        /// The next message wanted.
        control: u64,
        /// The next picture wanted; 0 from hosts.
        picture: u64,
    },
    /// Both. Answer at once, on the same path. Only one is under way on a path in each direction.
    Ping {
        /// Tells the pings of a path apart.
        number: u64,
    },
    /// Both. The answer.
    Pong {
        /// The ping's.
        number: u64,
        /// What the sender's clock shows, in microseconds from a beginning of its own.
        at: u64,
    },
    /// H→V, video lane. A picture for the codec, which needs every one of them, in order.
    Picture {
        /// Its number.
        number: u64,
        /// At most [`MAX_PICTURE`] bytes that only the codec understands.
        #[serde(borrow, serialize_with = "as_bytes")]
        payload: &'a [u8],
    },
    /// V→H. A picture came in on this path, whole; at once, also when it has come before on another one.
    Arrived {
        /// Its number.
        picture: u64,
        /// As [`Record::Pong`]'s.
        at: u64,
    },
    /// H→V. What the host knows of this path's link to the viewer.
    Link {
        /// Bytes a second.
        rate: u64,
        /// How long the last thing waited, in microseconds.
        queue: u64,
    },
    /// Both, bulk lane. A chunk of a file.
    Chunk {
        /// Its number.
        number: u64,
        /// At most [`MAX_CHUNK`](super::bulk::MAX_CHUNK) bytes.
        #[serde(borrow, serialize_with = "as_bytes")]
        payload: &'a [u8],
    },
    /// Both. A chunk came in on this path; at once, also when it has come before on another one.
    Reached {
        /// Its number.
        chunk: u64,
        /// As [`Record::Pong`]'s.
        at: u64,
    },
    /// Both. The sender has done with every chunk below this one.
    Taken {
        /// The next chunk that it has not done with.
        below: u64,
    },
}

impl<'a> Record<'a> {
    /// The lane that it belongs into.
    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::Picture { .. } => Lane::Video,
            Self::Chunk { .. } => Lane::Bulk,
            _ => Lane::Control,
        }
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("memory is the only limit of this encoding, and no field refuses to be encoded")
    }

    /// Reads a record that came in through `lane`. Takes no more memory than the record's own length.
    pub(super) fn decode(lane: Lane, bytes: &'a [u8]) -> Result<Self, Violation> {
        let longest = match lane {
            Lane::Control => MAX_CONTROL_RECORD,
            Lane::Video | Lane::Bulk => lane.limit(),
        };
        if bytes.len() > longest {
            return Err(Violation("a record is too long"));
        }
        let Ok((record, [])) = postcard::take_from_bytes::<Self>(bytes) else { return Err(Violation("not a record")) };
        if record.lane() != lane {
            return Err(Violation("a record is in the wrong lane"));
        }
        match &record {
            Self::Message { message, .. } if !message.is_valid() => Err(Violation("a message is out of its bounds")),
            _ => Ok(record),
        }
    }
}

/// Sends it on this path, in its lane.
pub(super) fn transmit(path: PathId, record: &Record<'_>) -> Output {
    Output::Transmit { path, lane: record.lane(), record: record.encode() }
}

/// Serde would encode a slice byte by byte; the result is the same.
fn as_bytes<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}
