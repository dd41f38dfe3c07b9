//! Files and copies in an event.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Side;

/// A file on its way, as `--json` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Counted from 1 for each side that sends, in a session.
    pub number: u32,
    /// Who sends it.
    pub from: Side,
    /// Its name, without a folder.
    pub name: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes that the receiver has.
    pub done: u64,
    /// How it stands.
    pub state: TransferState,
    /// Where it is on this machine, once known.
    pub file: Option<PathBuf>,
    /// BLAKE3 in hex, once it is verified.
    pub blake3: Option<String>,
    /// Why it failed or was refused, and what to do.
    pub reason: Option<String>,
}

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferState {
    /// The receiver's user has not said yes yet.
    Offered,
    /// Bytes go.
    Running,
    /// The connection is interrupted; it goes on by itself.
    Paused,
    /// It arrived, and its hash is right.
    Done,
    /// It did not; what arrived is kept, so that another try goes on there.
    Failed,
    /// One of both did not want it.
    Refused,
}

/// Something that was copied, as `--json` shows it: never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// `text` or `image`.
    pub kind: CopiedKind,
    /// Its bytes: UTF-8, or four a pixel.
    pub bytes: u64,
}

/// What can be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopiedKind {
    /// Text; what was formatted comes as plain text.
    Text,
    /// A picture.
    Image,
}
