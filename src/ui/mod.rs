//! The faces of `rs`: what people and scripts see and do. Every face is fed by the same events and gives the same actions, so
//! a window, a terminal, plain lines and JSON are functions over one [`ViewerSeat`] or [`HostSeat`].

pub mod console;
pub mod event;
pub mod figures;
pub mod headless;
pub mod keymap;
pub mod lines;
pub mod panel;
pub mod picture;
pub mod prompt;
pub mod qr;
pub mod recall;
pub mod screenshot;
pub mod terminal;
pub mod whole;
pub mod window;
pub mod words;

mod board;
mod canvas;
mod hands;
mod locks;
mod overlay;
mod soft;
mod stage;
mod status;
mod stdin;
mod typing;

use tokio::sync::mpsc;

use event::{HostAction, HostEvent, ViewerAction, ViewerEvent};
use picture::Picture;

/// Events and actions that may wait in a channel.
pub const QUEUE: usize = 256;

/// The viewer's seat: what any of its faces gets. When the face drops it, the viewer leaves.
pub struct ViewerSeat {
    /// What happens, in order; it closes when all is over.
    pub events: mpsc::Receiver<ViewerEvent>,
    /// What the user does.
    pub actions: mpsc::Sender<ViewerAction>,
    /// The picture and the pointer.
    pub picture: Picture,
}

/// The host's seat: what any of its faces gets.
pub struct HostSeat {
    /// What happens, in order; it closes when all is over.
    pub events: mpsc::Receiver<HostEvent>,
    /// What the user does.
    pub actions: mpsc::Sender<HostAction>,
}
