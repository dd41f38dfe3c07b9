//! `rs cp`: a session whose face copies files and leaves.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use crate::{
    app::{Failure, files::Place},
    cli::{ExitCode, cp::Copy},
    files::Source,
    protocol::permission::Permission,
    ui::{
        ViewerSeat,
        event::{Transfer, TransferState, ViewerAction, ViewerEvent},
        words,
    },
};

/// Where what comes goes, and what it is called.
///
/// # Errors
/// What is fetched cannot be put there, or what is to be sent cannot be: nobody is asked for that.
pub(super) fn place(copy: &Copy) -> Result<Place, Failure> {
    match copy {
        Copy::To(_, files, name) => {
            for file in files {
                let wrong = |reason| Failure::new(ExitCode::Other, format!("{}: {reason}", words::plain(&file.to_string_lossy())));
                Source::open(file).map_err(wrong)?;
            }
            Ok(Place { send_as: name.clone(), ..Place::new(None, None) })
        }
        Copy::From(_, _, to) if to.is_dir() => Ok(Place::new(Some(to.clone()), None)),
        Copy::From(_, _, to) => {
            let wrong = || Failure::new(ExitCode::Usage, format!("{} is not a place for a file", to.display()));
            let name = to.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?.to_owned();
            let folder = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !folder.is_dir() {
                return Err(Failure::new(ExitCode::Usage, format!("there is no folder {}; make it first", folder.display())));
            }
            Ok(Place { save_as: Some(name), ..Place::new(Some(folder.to_path_buf()), None) })
        }
    }
}

/// Does it, and leaves. An error where not everything arrived.
pub(super) async fn run(mut seat: ViewerSeat, json: bool, copy: Copy) -> Result<(), Failure> {
    let (mut left, actions) = match copy {
        Copy::To(_, files, _) => (files.len(), ViewerAction::Send(files.into_iter().map(absolute).collect())),
        Copy::From(_, path, _) => (1, ViewerAction::Fetch(path)),
    };
    let mut actions = Some(actions);
    let mut failure = None;
    while let Some(event) = seat.events.recv().await {
        match (&event, json) {
            (_, true) => say(&words::json(&event)),
            (ViewerEvent::File(transfer), false) => progress(transfer, &words::viewed(&event)),
            (ViewerEvent::Waiting { .. } | ViewerEvent::Warning { .. } | ViewerEvent::Stalled | ViewerEvent::Resumed, false) => {
                hint(&words::viewed(&event), true);
            }
            _ => {}
        }
        match event {
            ViewerEvent::Granted { permissions } if !permissions.contains(Permission::Files) => {
                let text = "the host's user does not allow files; ask them to type: allow files";
                failure = Some(Failure::new(ExitCode::Refused, text));
                let _ = seat.actions.send(ViewerAction::Quit).await;
            }
            ViewerEvent::Granted { .. } => {
                if let Some(action) = actions.take() {
                    let _ = seat.actions.send(action).await;
                }
            }
            ViewerEvent::File(transfer) => {
                let code = match transfer.state {
                    TransferState::Done => None,
                    TransferState::Failed => Some(ExitCode::Other),
                    TransferState::Refused => Some(ExitCode::Refused),
                    TransferState::Offered | TransferState::Running | TransferState::Paused => continue,
                };
                if let Some(code) = code {
                    let reason = transfer.reason.unwrap_or_default();
                    failure.get_or_insert_with(|| Failure::new(code, format!("{}: {reason}", words::plain(&transfer.name))));
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    let _ = seat.actions.send(ViewerAction::Quit).await;
                }
            }
            _ => {}
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None if left > 0 => {
            Err(Failure::new(ExitCode::Lost, "the session ended before everything was copied; run it again, it goes on"))
        }
        None => Ok(()),
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What arrived stays to be read; how far the others are is one line of a terminal.
fn progress(transfer: &Transfer, line: &str) {
    match transfer.state {
        TransferState::Done => {
            hint("", false);
            say(line);
        }
        // Told as the failure, at the end.
        TransferState::Failed | TransferState::Refused => hint("", false),
        TransferState::Offered | TransferState::Running | TransferState::Paused => hint(line, false),
    }
}

/// For people only: a script sees results and errors.
fn hint(line: &str, stays: bool) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r\u{1b}[K{line}{}", if stays { "\n" } else { "" });
        let _ = terminal.flush();
    }
}
