//! The picture of a session at the host: what the capture thread tells, what the viewer wishes, and the figures.

use std::time::Instant;

use super::HostSession;
use crate::{
    app::{host::shown::Shown, path_info},
    desktop::{View, capture::CaptureEvent},
    protocol::{
        message::{EndReason, Message},
        permission::Permission,
        screens::Choice,
    },
    ui::{event::HostEvent, figures::HostFigures},
};

impl HostSession {
    pub(super) fn captured(&mut self, captured: CaptureEvent) {
        let may_see = self.grants.permissions().contains(Permission::View);
        let shown = self.shown.as_mut();
        match captured {
            // Even when the permission went meanwhile: it was taken before that, and the codec's stream has no holes.
            CaptureEvent::Picture(made) => {
                self.figures.add(&made, Instant::now());
                self.driver.send_picture(made.payload, made.at);
                shown.into_iter().for_each(Shown::picture_sent);
            }
            CaptureEvent::View(view) => self.view_changed(view),
            CaptureEvent::Still => {
                shown.into_iter().for_each(Shown::still);
                self.announce_screens();
            }
            CaptureEvent::CursorShape(shape) if may_see => {
                if let Some(shown) = shown {
                    shown.cursor(shape, |message| self.driver.send(message).is_ok());
                }
            }
            CaptureEvent::CursorPosition { x, y } if may_see => {
                if let Some(message) = shown.and_then(|shown| shown.position(x, y)) {
                    let _ = self.driver.send(message);
                }
            }
            CaptureEvent::CursorShape(_) | CaptureEvent::CursorPosition { .. } => {}
            CaptureEvent::Failed(error) => {
                self.warn(format!("the screen can no longer be shared: {error}"));
                self.driver.end(EndReason::ScreenLost);
            }
        }
    }

    /// The viewer wants to see something else: whoever may see, may see all that is offered.
    pub(super) fn show(&self, choice: Choice) {
        if let (Some(capture), Some(shown)) = (&self.capture, &self.shown)
            && self.grants.permissions().contains(Permission::View)
            && shown.offers(choice)
        {
            capture.show(choice);
        }
    }

    fn view_changed(&mut self, view: View) {
        let lost = self.shown.as_mut().and_then(|shown| shown.change(view));
        self.announce_screens();
        if let Some(lost) = lost {
            self.warn(format!("the screen {lost} is gone; {} sees another one now", self.viewer));
        }
    }

    /// Every picture exact at once, or as the link allows: unless our own user decided.
    pub(super) fn wish_lossless(&self, wish: bool) {
        self.capture.iter().for_each(|capture| capture.set_lossless(self.lossless || wish));
    }

    /// The viewer asked.
    pub(super) fn answer_figures(&mut self) {
        let stats = self.figures.told(self.driver.queue_and_wire());
        // A viewer that takes nothing asks again.
        let _ = self.driver.send(Message::Stats(stats));
    }

    /// Our own user asked.
    pub(super) fn tell_figures(&mut self) {
        let path = self.driver.current_path().and_then(|(id, kind, _)| Some(path_info(kind, *self.transports.get(&id)?)));
        let figures = HostFigures {
            rtt_ms: self.rtt_ms(),
            link: self.driver.link().into(),
            path,
            ..self.figures.shown(self.driver.queue_and_wire(), Instant::now())
        };
        self.tell(HostEvent::Stats { session: self.name.clone(), figures: Box::new(figures) });
    }
}
