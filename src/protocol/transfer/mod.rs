//! Files, both ways: what is said about them in the control lane, and what their chunks say in the bulk lane. The two ends are
//! [`receiving`] and [`sending`]; both are sans-IO, the disk is the caller's. This file is the specification.
//!
//! ```text
//! sender                               receiver
//! Offer{number, name, size}     →                                  its user, or a rule, says yes or no
//!                               ←      Accept{number, offset, prefix}      what is there of it already, and its BLAKE3
//! Data{number, offset, bytes}*  →      from that offset, if the prefix is the same here; else from 0, and it starts over
//! Done{number, blake3}          →      of the whole file; bulk lane, behind the last byte
//!                               ←      Verified{number}, once it is whole, on the disk and has its name
//! ```
//!
//! - Numbers are the sender's, from 1, and rise. The session brings messages and chunks exactly once and in order over every change of
//!   path; so an offset only matters when a session or a process ended in between.
//! - The receiver may `Refuse` at any time, the sender may `Stop` at any time; what arrived stays as a partial file.
//! - A viewer may `Fetch` a path below the host's folder: the answer is an offer with that number, or `NoFetch`.
//! - Bounds: [`MAX_TRANSFERS`] unfinished ones in each direction, beyond them an offer is refused unread; [`MAX_NAME`], [`MAX_PATH`]
//!   and [`MAX_REASON`] bytes. Names are names ([`name`]); more bytes than offered, or others than the next, fail the transfer.

pub mod name;
pub mod receiving;
pub mod sending;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use name::MAX_NAME;

/// The longest path that can be fetched, in bytes.
pub const MAX_PATH: usize = 1024;
/// The longest reason, in bytes.
pub const MAX_REASON: usize = 256;
/// The most unfinished transfers in one direction.
pub const MAX_TRANSFERS: usize = 64;
/// What a chunk needs beside its bytes of the file, at most.
pub const OVERHEAD: usize = 1 + 5 + 10 + 5;

/// BLAKE3.
pub type Hash = [u8; 32];

/// A word about a file, in the control lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileMessage {
    /// The sender has a file.
    Offer(Offer),
    /// The receiver wants it.
    Accept {
        /// Which.
        number: u32,
        /// So many bytes it has already; at most the size.
        offset: u64,
        /// The hash of these.
        prefix: Hash,
    },
    /// The receiver does not want it, or no longer.
    Refuse {
        /// Which.
        number: u32,
        /// Why, for people.
        reason: String,
    },
    /// The sender gives up.
    Stop {
        /// Which.
        number: u32,
        /// Why, for people.
        reason: String,
    },
    /// The receiver has it, whole.
    Verified {
        /// Which.
        number: u32,
    },
    /// V→H. Offer this file, please.
    Fetch {
        /// The viewer's number for the request.
        number: u32,
        /// Below the host's folder.
        path: String,
    },
    /// H→V. It cannot be offered.
    NoFetch {
        /// The request's.
        number: u32,
        /// Why, for people.
        reason: String,
    },
}

impl FileMessage {
    /// Whether every field is within its bounds. A name that is none is refused by the receiver, not held against the session.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Offer(offer) => offer.name.len() <= MAX_PATH,
            Self::Accept { .. } | Self::Verified { .. } => true,
            Self::Refuse { reason, .. } | Self::Stop { reason, .. } | Self::NoFetch { reason, .. } => reason.len() <= MAX_REASON,
            Self::Fetch { path, .. } => path.len() <= MAX_PATH,
        }
    }

    /// The memory that it takes beside itself, about.
    #[must_use]
    pub fn heap(&self) -> usize {
        match self {
            Self::Offer(offer) => offer.name.len(),
            Self::Accept { .. } | Self::Verified { .. } => 0,
            Self::Refuse { reason, .. } | Self::Stop { reason, .. } | Self::NoFetch { reason, .. } => reason.len(),
            Self::Fetch { path, .. } => path.len(),
        }
    }
}

/// A file that could be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The sender's number.
    pub number: u32,
    /// Its name, without a folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The request that it answers.
    pub fetch: Option<u32>,
}

/// What a chunk of the bulk lane says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chunk<'a> {
    /// Bytes of a file.
    Data {
        /// Which.
        number: u32,
        /// Where they belong.
        offset: u64,
        /// At least one.
        bytes: &'a [u8],
    },
    /// That was all of it.
    Done {
        /// Which.
        number: u32,
        /// The hash of the whole.
        hash: Hash,
    },
}

impl<'a> Chunk<'a> {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Reads it; `None`: no honest peer sends that.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// A reason cut to its bounds.
#[must_use]
pub fn reason(text: &str) -> String {
    let mut end = text.len().min(MAX_REASON);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
