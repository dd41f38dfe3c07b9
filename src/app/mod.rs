//! Composition: the only place that knows all edges. One module per command, and what they share.
//!
//! | module | does |
//! |---|---|
//! | [`host`] | `rs host`: the door, the sessions, the faces |
//! | [`panel`] | `rs panel`: the host's window, started by `rs host` |
//! | [`viewer`] | `rs connect`: find, authenticate, see and drive |
//! | [`hosts`] | `rs hosts`: hosts that were visited, and their names |
//! | [`log`] | `rs log`: the session log, which both sides keep |
//! | [`manual`] | `rs completions` and `rs man` |
//! | [`relay`] | `rs relay` |
//! | [`doctor`] | `rs doctor`: what stands between this machine and a direct connection |
//! | [`rotate_password`] | `rs rotate-password`, over the host's local socket |

pub mod doctor;
pub mod host;
pub mod hosts;
pub mod log;
pub mod manual;
pub mod panel;
pub mod relay;
pub mod rotate_password;
pub mod viewer;

mod chat;
mod clipboard;
mod control_socket;
mod driver;
mod files;
mod outlet;
mod packets;
mod relays;

use std::fmt;

use ed25519_dalek::SigningKey;

use crate::{
    cli::ExitCode,
    net::{self, Transport},
    protocol::{id::PeerKey, message::EndReason, session::path::PathKind},
    store::StoreError,
    ui::event::PathInfo,
};

/// Why a command ended: what a script sees and what a person reads.
#[derive(Debug)]
pub struct Failure {
    /// For scripts.
    pub code: ExitCode,
    /// For people: one line, what happened and what to do next.
    pub text: String,
}

impl Failure {
    /// A failure with this code.
    pub fn new(code: ExitCode, text: impl fmt::Display) -> Self {
        // One line, whatever a library put into its message.
        let text = text.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { code, text }
    }

    /// A failure of no special kind.
    pub fn other(text: impl fmt::Display) -> Self {
        Self::new(ExitCode::Other, text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = if matches!(error, StoreError::PinnedOtherwise { .. }) { ExitCode::IdentityChanged } else { ExitCode::Other };
        Self::new(code, error)
    }
}

impl From<net::Stopped> for Failure {
    fn from(error: net::Stopped) -> Self {
        Self::other(error)
    }
}

/// The public half of an identity.
fn peer_key(identity: &SigningKey) -> PeerKey {
    PeerKey(identity.verifying_key().to_bytes())
}

/// How this machine calls itself: the configured name, or `user@machine`.
fn display_name(configured: Option<String>) -> String {
    configured.unwrap_or_else(|| {
        let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "someone".to_owned());
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("{user}@{machine}")
    })
}

fn path_info(kind: PathKind, transport: Transport) -> PathInfo {
    PathInfo { kind: kind.name().to_owned(), transport: transport.name().to_owned() }
}

/// How a viewer leaves after a session that ended like this.
fn exit_code(reason: EndReason) -> ExitCode {
    match reason {
        EndReason::HostEnded | EndReason::ViewerLeft | EndReason::PasswordRotated | EndReason::HostQuit => ExitCode::Fine,
        EndReason::Lost | EndReason::ScreenLost => ExitCode::Lost,
        EndReason::ProtocolError => ExitCode::Other,
    }
}

/// Ctrl+C, or being asked to stop.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
