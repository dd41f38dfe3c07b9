//! The host's face in a terminal.
//!
//! | when | shows | keys |
//! |---|---|---|
//! | nobody is here | ID and password in large letters, link and QR code where there is room | `r` new password, `q` quit |
//! | somebody asks | who, their key, since when they are known, the code, what they want; a warning, and a pause before the first yes of all | `y`, `n`; nothing is the default |
//! | a session runs | who, what they may do and for how long, who drives, chat with what arrived (✓), files | text and Enter chat; Ctrl+E end, Ctrl+G give control, Ctrl+T take it, Ctrl+P permissions, Ctrl+Q quit |
//! | after Ctrl+P | each permission with its switch | `1` to `6` switch, `t` for how long; any other key goes back |
//! | it is over | "The session is finished": its duration, what was transferred, the log; below, the first screen with the new password | as at first |
//!
//! Quitting while somebody is here asks once more. The terminal is put back on every way out, a panic included.

mod big;
mod model;
mod view;

use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream};
use futures::StreamExt;
use ratatui::DefaultTerminal;

use super::HostSeat;
use model::Model;

/// Runs the terminal until the seat's events close. Use it when stdin and stdout are terminals, else [`super::lines::run_host`].
///
/// # Errors
/// The terminal cannot be read or written.
pub async fn run_host(seat: HostSeat) -> anyhow::Result<()> {
    // This also restores the terminal on a panic.
    let mut terminal = ratatui::try_init()?;
    let result = run(seat, &mut terminal).await;
    ratatui::restore();
    result
}

async fn run(seat: HostSeat, terminal: &mut DefaultTerminal) -> anyhow::Result<()> {
    let HostSeat { mut events, actions } = seat;
    let (mut model, mut input, mut typing) = (Model::default(), EventStream::new(), true);
    loop {
        let now = Instant::now();
        terminal.draw(|frame| view::draw(&model, now, frame))?;
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => model.follow(Instant::now(), event),
                None => return Ok(()),
            },
            room = actions.reserve(), if model.has_action() => match (room, model.next_action()) {
                (Ok(room), Some(action)) => room.send(action),
                // Nobody listens any more: the end of the events is on its way.
                _ => model.forget_actions(),
            },
            event = input.next(), if typing => match event {
                Some(Ok(Event::Key(key))) => model.key(Instant::now(), key),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => typing = false,
            },
            () = tokio::time::sleep(Duration::from_secs(1)), if model.counts_down(now) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        protocol::permission::Permissions,
        ui::{
            QUEUE,
            event::{HostAction, HostEvent, Viewer},
        },
    };

    /// To be looked at: run it with `--ignored --nocapture` in a terminal. `r` has somebody ask, `y` lets them in, Ctrl+Q then `y` ends it.
    #[tokio::test]
    #[ignore = "needs a terminal and a person"]
    async fn a_host_to_look_at() {
        let ((events, told), (actions, mut acted)) = (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
        let viewer = Viewer { name: "Anna".to_owned(), key: "1a2b3c4d".to_owned(), known: false, since: None };
        let (id, password) = ("9339-2522-7420-3124".to_owned(), Some("k7m4-q2xp".to_owned()));
        let link = "rs://9339252274203124?k=11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned();
        events.send(HostEvent::Ready { id, password, link, listen: Vec::new() }).await.expect("open");
        let host = async move {
            let (session, permissions) = ("s1".to_owned(), Permissions::all());
            while let Some(action) = acted.recv().await {
                let (session, viewer) = (session.clone(), viewer.clone());
                let event = match action {
                    HostAction::Rotate => {
                        HostEvent::Request { session, viewer, wants: permissions, code: "123 456".to_owned(), pause: 0 }
                    }
                    HostAction::Accept(_) => HostEvent::SessionStarted { session, viewer, permissions },
                    HostAction::Quit => break,
                    other => HostEvent::Warning { text: format!("{other:?}") },
                };
                events.send(event).await.expect("open");
            }
            drop(events);
        };
        let (result, ()) = tokio::join!(run_host(HostSeat { events: told, actions }), host);
        result.expect("a terminal");
    }
}
