//! The picture at the viewer: what it shows, whether it is exact, figures, and screenshots.

use std::time::Instant;

use super::{Decoded, News, Session};
use crate::{
    app::{Failure, path_info},
    cli::ExitCode,
    protocol::{
        message::{EndReason, Message},
        permission::Permission,
    },
    ui::{
        event::ViewerEvent,
        figures::{Stages, Stats},
        screenshot,
    },
    video::decoder::DecodeError,
};

impl Session {
    /// The picture on hand shows something else, or the list is another one.
    pub(super) fn screens_changed(&mut self, news: Option<News>) {
        let Some(News { aim, lost }) = news else { return };
        aim.into_iter().for_each(|view| drop(self.driver.send(Message::Aim(view))));
        self.tell_screens();
        if let Some(lost) = lost {
            self.warn(format!("the host's screen {lost} is gone; another one is shown"));
        }
    }

    pub(super) fn tell_screens(&mut self) {
        if let Some(screens) = self.shown.screens().cloned() {
            self.faces.tell(&ViewerEvent::Screens(screens.into()));
        }
    }

    /// Nobody waits for a picture that the host's user does not show.
    pub(super) fn leave_if_blind(&mut self) {
        if self.leave_after_screenshot && !self.permissions.contains(Permission::View) {
            let text = "the host's user does not show the screen; ask them to type: allow view";
            self.failure.get_or_insert_with(|| Failure::new(ExitCode::Refused, text));
            self.driver.end(EndReason::ViewerLeft);
        }
    }

    pub(super) fn decoded(&mut self, decoded: Result<Decoded, DecodeError>) {
        match decoded {
            Ok(decoded) => {
                self.driver.picture_done();
                let news = self.shown.picture_decoded();
                self.screens_changed(news);
                let now = Instant::now();
                self.figures.decoded(&decoded, now);
                self.exactness.decoded(decoded.is_exact, now);
                self.tell_exactness();
                self.save_screenshots();
            }
            Err(error) => {
                self.warn(error.to_string());
                self.driver.end(EndReason::ProtocolError);
            }
        }
    }

    /// Something has waited long enough.
    pub(super) fn in_time(&mut self) {
        self.tell_exactness();
        self.save_screenshots();
        if self.figures.due().is_some_and(|due| due <= Instant::now()) {
            self.tell_figures();
        }
    }

    pub(super) fn tell_exactness(&mut self) {
        if let Some(exact) = self.exactness.news(Instant::now()) {
            self.faces.tell(&ViewerEvent::Picture { exact });
        }
    }

    /// Answers every question there is.
    pub(super) fn tell_figures(&mut self) {
        let path = self.driver.current_path().and_then(|(path, kind, _)| {
            let known = self.network.paths.get(&path)?;
            Some(path_info(kind, known.transport))
        });
        let known = self.figures.now(self.exactness.is_exact(), Instant::now());
        let present = self.picture.presenting().map(Into::into);
        let (rtt_ms, link) = (self.rtt_ms(), self.driver.link().into());
        let stats = ViewerEvent::Stats(Box::new(Stats { rtt_ms, link, path, stages: Stages { present, ..known.stages }, ..known }));
        (0..self.figures.take_questions()).for_each(|_| self.faces.tell_asker(&stats));
    }

    /// Saves what was asked for, once there is a picture that is fit for it.
    pub(super) fn save_screenshots(&mut self) {
        if self.screenshots.is_empty() {
            return;
        }
        let (files, frame, exact) = {
            let state = self.picture.lock();
            let files = if state.shown { self.screenshots.take(state.exact, Instant::now()) } else { Vec::new() };
            if files.is_empty() {
                return;
            }
            (files, state.frame.clone(), state.exact)
        };
        for file in files {
            match tokio::task::block_in_place(|| screenshot::save(&frame, &file)) {
                Ok(()) => self.faces.tell(&ViewerEvent::Screenshot { file, exact }),
                Err(error) if self.leave_after_screenshot => self.failure = Some(Failure::other(error)),
                Err(error) => self.warn(error.to_string()),
            }
        }
        if self.leave_after_screenshot {
            self.driver.end(EndReason::ViewerLeft);
        }
    }
}
