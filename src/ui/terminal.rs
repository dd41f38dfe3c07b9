//! The host's face in a terminal.
//!
//! | when | shows | keys |
//! |---|---|---|
//! | nobody is here | ID and password in large letters, link and QR code where there is room | `r` new password, `q` quit |
//! | somebody asks | who, their key, whether they were here before, what they want | `y`, `n`; nothing is the default |
//! | a session runs | who, what they may do, who drives, chat | text and Enter chat; Ctrl+E end, Ctrl+G give control, Ctrl+T take it, Ctrl+Q quit |
//! | it is over | "The session is finished" with its duration, above the first screen with the new password | as at first |
//!
//! Quitting while somebody is here asks once more. The terminal is put back on every way out, a panic included.

mod big;
mod model;
mod view;

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
        terminal.draw(|frame| view::draw(&model, frame))?;
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => model.follow(event),
                None => return Ok(()),
            },
            room = actions.reserve(), if model.has_action() => match (room, model.next_action()) {
                (Ok(room), Some(action)) => room.send(action),
                // Nobody listens any more: the end of the events is on its way.
                _ => model.forget_actions(),
            },
            event = input.next(), if typing => match event {
                Some(Ok(Event::Key(key))) => model.key(key),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => typing = false,
            },
        }
    }
}
