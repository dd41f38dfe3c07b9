//! The viewer's faces, and the log of its session beside them.

use futures::future::join_all;
use tokio::sync::mpsc;

use crate::{
    app::{log::Recorder, outlet::Outlet},
    ui::{
        self, ViewerSeat,
        event::{ViewerAction, ViewerEvent},
        picture::Picture,
    },
};

/// The seats of all faces, as outlets of what happens; the lines come first.
#[derive(Default)]
pub(super) struct Faces {
    outlets: Vec<Outlet<ViewerEvent>>,
    /// Keeps the log, once somebody let us in.
    pub(super) recorder: Option<Recorder>,
}

impl Faces {
    pub(super) fn add(&mut self, picture: &Picture) -> (ViewerSeat, mpsc::Receiver<ViewerAction>) {
        let (sender, events) = mpsc::channel(ui::QUEUE);
        let (actions, acted) = mpsc::channel(ui::QUEUE);
        self.outlets.push(Outlet::new(sender));
        (ViewerSeat { events, actions, picture: picture.clone() }, acted)
    }

    /// Tells every face, without waiting for any.
    pub(super) fn tell(&mut self, event: &ViewerEvent) {
        let mut event = event.clone();
        let warning = self.recorder.as_mut().and_then(|recorder| recorder.viewer(&mut event));
        for event in warning.into_iter().chain([event]) {
            self.outlets.iter_mut().for_each(|face| face.tell(event.clone()));
        }
    }

    /// Tells the face that asks for figures: the window, if there is one, since lines beside it are chat.
    pub(super) fn tell_asker(&mut self, event: &ViewerEvent) {
        self.outlets.iter_mut().next_back().into_iter().for_each(|face| face.tell(event.clone()));
    }

    /// Tells the window, if there is one.
    pub(super) fn tell_window(&mut self, event: &ViewerEvent) {
        self.outlets.iter_mut().skip(1).for_each(|face| face.tell(event.clone()));
    }

    /// Whether something waits for a face: call [`Self::flush`] beside everything else.
    pub(super) fn is_waiting(&self) -> bool {
        self.outlets.iter().any(Outlet::is_waiting)
    }

    /// Passes on what waits. Cancel-safe.
    pub(super) async fn flush(&mut self) {
        join_all(self.outlets.iter_mut().map(Outlet::flush)).await;
    }

    /// The last events, but not for a face that is stuck.
    pub(super) async fn finish(mut self) {
        join_all(self.outlets.iter_mut().map(Outlet::finish)).await;
    }

    /// Closes the window, if there is one.
    pub(super) fn close_window(&mut self) {
        self.outlets.truncate(1);
    }
}
