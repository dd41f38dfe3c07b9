//! The messages of a session's control lane. This file is their specification: a sentence per variant, every limit a const.
//!
//! Control messages are numbered, acknowledged and replayed after a change of path: each arrives exactly once, in order
//! (see [`crate::protocol::session`]). The encoding is postcard.

use serde::{Deserialize, Serialize};

use super::{
    clipboard::ClipboardMessage,
    grants::{LONGEST, Timer},
    input::{InputEvent, MAX_TEXT},
    permission::Permissions,
    screens::{Choice, Screens},
    stats::HostStats,
    transfer::FileMessage,
};

/// The longest chat line, in bytes of UTF-8.
pub const MAX_CHAT: usize = 4096;
/// The widest and tallest cursor, in pixels.
pub const MAX_CURSOR: u16 = 256;

/// Where [`Message::CursorPosition`] says the pointer is when it is on no pixel of the picture, such as on another monitor.
pub const ELSEWHERE: (u16, u16) = (u16::MAX, u16::MAX);

/// Which side this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Shares its screen; follows the viewer's nominations.
    Host,
    /// Sees it; nominates paths.
    Viewer,
}

impl Role {
    /// The other side's.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::Host => Self::Viewer,
            Self::Viewer => Self::Host,
        }
    }
}

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

impl CursorShape {
    /// Whether it is within its bounds: the size, as many pixels as it says, and the pixel that points is one of them.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let pixels = usize::from(self.width) * usize::from(self.height);
        let points_inside = pixels == 0 || (self.hot_x < self.width && self.hot_y < self.height);
        self.width <= MAX_CURSOR && self.height <= MAX_CURSOR && self.bgra.len() == pixels * 4 && points_inside
    }
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

impl EndReason {
    /// Whether this side may say so. That a session is lost each side finds out by itself.
    #[must_use]
    pub fn may_come_from(self, role: Role) -> bool {
        match self {
            Self::HostEnded | Self::PasswordRotated | Self::HostQuit | Self::ScreenLost => role == Role::Host,
            Self::ViewerLeft => role == Role::Viewer,
            Self::ProtocolError => true,
            Self::Lost => false,
        }
    }
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
    /// H→V. What the viewer may do from now on, and which of it ends by itself, each at most once.
    Permissions(Permissions, Vec<Timer>),
    /// H→V. The pointer looks like this now. Both sides remember it ([`super::cursors`]).
    CursorShape(CursorShape),
    /// H→V. The pointer is at this pixel of the picture, or [`ELSEWHERE`]; sent when something other than the viewer moved it. The newest one wins.
    CursorPosition {
        /// Pixels from the left.
        x: u16,
        /// Pixels from the top.
        y: u16,
    },
    /// Both, each with its own reasons. The sender ends the session; nothing follows.
    End(EndReason),
    /// H→V. The screens there are and which the picture shows; the first message about the picture, and again when any of it changes.
    Screens(Screens),
    /// V→H. Show this; ignored unless it was offered and the viewer may see.
    ShowScreen(Choice),
    /// V→H. From here on, the viewer's coordinates are pixels of the view with this number; before the first one, of view 0.
    Aim(u32),
    /// H→V. The pointer looks like the shape with this number now; the viewer remembers it, or the host broke the protocol.
    KnownCursor(u32),
    /// V→H. Whether every picture from here on shall be exact at once, whatever the link; before the first one it need not be.
    Lossless(bool),
    /// V→H. Answer with [`Message::Stats`]; a later question may stand for this one.
    AskStats,
    /// H→V. The host's figures. Its percentiles are in order.
    Stats(HostStats),
    /// Both. A part of what was copied, or the answer to one ([`super::clipboard`]). Refused unless permitted.
    Clipboard(ClipboardMessage),
    /// H→V. This character could not be typed: no key gives it, and none was free. Told of the first one in a session.
    Untyped(char),
    /// V→H. The viewer points at this pixel of the view that it aims at, and touches nothing. The newest one wins.
    Point {
        /// Pixels from the left.
        x: u16,
        /// Pixels from the top.
        y: u16,
    },
    /// V→H. The viewer points no more.
    PointAway,
    /// Both. A word about a file ([`super::transfer`]); the host refuses it without the permission.
    File(FileMessage),
}

impl Message {
    /// Whether a newer one of the same kind, sent right after it, makes this one pointless.
    #[must_use]
    pub fn is_droppable(&self) -> bool {
        match self {
            Self::Input(event) => event.is_droppable(),
            Self::CursorPosition { .. } | Self::KnownCursor(_) | Self::ShowScreen(_) => true,
            Self::Lossless(_) | Self::AskStats | Self::Stats(_) | Self::Point { .. } => true,
            Self::Chat(_) | Self::Control(_) | Self::Permissions(..) | Self::CursorShape(_) | Self::End(_) => false,
            Self::Screens(_) | Self::Aim(_) | Self::PointAway | Self::Clipboard(_) | Self::Untyped(_) | Self::File(_) => false,
        }
    }

    /// Whether it tells how things are, once: both sides would go on differing if it got lost.
    #[must_use]
    pub fn is_state(&self) -> bool {
        matches!(self, Self::Control(_) | Self::Permissions(..) | Self::Screens(_) | Self::Aim(_) | Self::PointAway)
    }

    /// Whether every field is within the bounds above. Checked where a message is sent and where it comes in.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Chat(text) => text.len() <= MAX_CHAT,
            Self::Input(InputEvent::Text(text)) => text.len() <= MAX_TEXT,
            Self::CursorShape(shape) => shape.is_valid(),
            Self::Screens(screens) => screens.is_valid(),
            Self::Stats(stats) => stats.is_valid(),
            Self::Clipboard(message) => message.is_valid(),
            Self::File(message) => message.is_valid(),
            Self::Permissions(permissions, timers) => are_valid(*permissions, timers),
            Self::Input(_) | Self::Control(_) | Self::CursorPosition { .. } | Self::End(_) => true,
            Self::Point { .. } | Self::PointAway | Self::Untyped(_) => true,
            Self::ShowScreen(_) | Self::Aim(_) | Self::KnownCursor(_) | Self::Lossless(_) | Self::AskStats => true,
        }
    }

    /// Whether this side may send it.
    #[must_use]
    pub fn may_come_from(&self, role: Role) -> bool {
        match self {
            Self::Input(_) | Self::ShowScreen(_) | Self::Aim(_) => role == Role::Viewer,
            Self::Lossless(_) | Self::AskStats | Self::Point { .. } | Self::PointAway => role == Role::Viewer,
            Self::Control(_) | Self::Permissions(..) | Self::CursorShape(_) | Self::CursorPosition { .. } => role == Role::Host,
            Self::Screens(_) | Self::KnownCursor(_) | Self::Stats(_) | Self::Untyped(_) => role == Role::Host,
            Self::File(FileMessage::Fetch { .. }) => role == Role::Viewer,
            Self::File(FileMessage::NoFetch { .. }) => role == Role::Host,
            Self::Chat(_) | Self::Clipboard(_) | Self::File(_) => true,
            Self::End(reason) => reason.may_come_from(role),
        }
    }
}

/// Each timer is for something that is permitted, weakest first and each once, and none lasts longer than one can be given.
fn are_valid(permissions: Permissions, timers: &[Timer]) -> bool {
    timers.iter().all(|timer| permissions.contains(timer.permission) && timer.seconds <= LONGEST.as_secs())
        && timers.is_sorted_by(|one, next| one.permission < next.permission)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::permission::Permission;

    fn cursor(width: u16, height: u16, hot: u16, bytes: usize) -> Message {
        Message::CursorShape(CursorShape { width, height, hot_x: hot, hot_y: hot, bgra: vec![0; bytes] })
    }

    #[test]
    fn timers_are_for_what_is_permitted_in_order_and_each_once() {
        let timer = |permission| Timer { permission, seconds: LONGEST.as_secs() };
        let message = |timers: &[Timer]| Message::Permissions("control".parse().expect("known"), timers.to_vec());
        let (view, mouse, files) = (timer(Permission::View), timer(Permission::Mouse), timer(Permission::Files));
        assert!(message(&[]).is_valid() && message(&[view, mouse]).is_valid());
        let long = Timer { seconds: LONGEST.as_secs() + 1, ..mouse };
        for wrong in [&[mouse, view][..], &[mouse, mouse], &[files], &[long]] {
            assert!(!message(wrong).is_valid(), "{wrong:?}");
        }
    }

    #[test]
    fn bounds_are_inclusive() {
        let text = |length| Message::Input(InputEvent::Text("x".repeat(length)));
        let chat = |length| Message::Chat("x".repeat(length));
        for valid in
            [chat(0), chat(MAX_CHAT), text(MAX_TEXT), cursor(0, 0, 0, 0), cursor(2, 1, 0, 8), cursor(256, 256, 255, 262_144)]
        {
            assert!(valid.is_valid(), "{valid:?}");
        }
        for invalid in [chat(MAX_CHAT + 1), text(MAX_TEXT + 1), cursor(1, 1, 0, 5), cursor(2, 2, 2, 16), cursor(257, 1, 0, 1028)] {
            assert!(!invalid.is_valid(), "{invalid:?}");
        }
    }
}
