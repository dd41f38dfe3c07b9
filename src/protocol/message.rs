//! The messages of a session's control lane. This file is their specification: a sentence per variant, every limit a const.
//!
//! Control messages are numbered, acknowledged and replayed after a change of path: each arrives exactly once, in order
//! (see [`crate::protocol::session`]). The encoding is postcard.

use serde::{Deserialize, Serialize};

use super::{input::InputEvent, permission::Permissions};

/// The longest chat line, in bytes of UTF-8.
pub const MAX_CHAT: usize = 4096;
/// The widest and tallest cursor, in pixels.
pub const MAX_CURSOR: u16 = 256;
/// The longest reason or name, in bytes of UTF-8.
pub const MAX_LABEL: usize = 128;

/// Who drives the host's pointer and keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// The person at the machine.
    Local,
    /// The viewer.
    Remote,
}

/// The shape of the host's pointer, drawn by the viewer itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorShape {
    /// Pixels; at most [`MAX_CURSOR`]. Zero: the pointer is hidden.
    pub width: u16,
    /// Pixels; at most [`MAX_CURSOR`].
    pub height: u16,
    /// The pixel that points, from the left.
    pub hot_x: u16,
    /// The pixel that points, from the top.
    pub hot_y: u16,
    /// `width * height` pixels, rows from the top, each B, G, R, A with premultiplied alpha.
    pub bgra: Vec<u8>,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// The person at the host ended it.
    HostEnded,
    /// The viewer left.
    ViewerLeft,
    /// The password was changed, and with it all sessions that it opened.
    PasswordRotated,
    /// `rs host` was stopped.
    HostQuit,
    /// No path came back within the resume time.
    Lost,
    /// The other side broke the protocol.
    ProtocolError,
    /// The host can no longer capture its screen.
    ScreenLost,
}

/// One control message. `V→H` is sent by viewers, `H→V` by hosts; the wrong direction ends the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// V→H. Do this. Ignored unless permitted and the viewer has control.
    Input(InputEvent),
    /// Both. A chat line of at most [`MAX_CHAT`] bytes.
    Chat(String),
    /// H→V. Who drives now.
    Control(Holder),
    /// H→V. What the viewer may do from now on.
    Permissions(Permissions),
    /// H→V. The pointer looks like this now.
    CursorShape(CursorShape),
    /// H→V. The pointer is at this pixel of the picture; sent when something other than the viewer moved it. The newest one wins.
    CursorPosition {
        /// Pixels from the left.
        x: u16,
        /// Pixels from the top.
        y: u16,
    },
    /// Both. The sender ends the session; nothing follows.
    End(EndReason),
}

impl Message {
    /// Whether a newer one of the same kind, sent right after it, makes this one pointless.
    #[must_use]
    pub fn is_droppable(&self) -> bool {
        match self {
            Self::Input(event) => event.is_droppable(),
            Self::CursorPosition { .. } => true,
            Self::Chat(_) | Self::Control(_) | Self::Permissions(_) | Self::CursorShape(_) | Self::End(_) => false,
        }
    }
}
