//! The X11 clipboard: the selection CLIPBOARD. `arboard` reads and owns it; XFIXES tells when it has a new owner.
//!
//! The mark of what an `rs` put there is a property of the root window with its hash: set before the selection is taken, so that
//! whoever reads the new content finds the mark. It tells nothing to those who cannot read the clipboard anyway.
//!
//! Password managers offer one target more, [`HINT`]. Its owner is asked for that first, and nothing is read of a secret. An owner that
//! does not answer may be one too; so may a new owner that comes while the old one is read, whose content is then read anew.

use std::{
    cell::Cell,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arboard::{Clipboard, Error, ImageData};
use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        xfixes::{self, ConnectionExt as _, SelectionEventMask},
        xproto::{Atom, AtomEnum, ConnectionExt as _, CreateWindowAux, PropMode, Window, WindowClass},
    },
    wrapper::ConnectionExt as _,
};

use super::{DesktopError, Display, WakeFd, lost};
use crate::desktop::clipboard::{Clip, Found};

/// What was put stays as long as this: for the whole process, whatever becomes of the session that it came from.
static OWNER: Mutex<Option<Clipboard>> = Mutex::new(None);

/// The name of the mark.
const MARK: &[u8] = b"_RS_CLIPBOARD";
/// The target by which password managers tell that what they copied is a secret, and what it says then.
const HINT: &[u8] = b"x-kde-passwordManagerHint";
/// See [`HINT`].
const SECRET: &[u8] = b"secret";
/// How long an owner may take to answer; `arboard` waits as long for content.
const ANSWER: Duration = Duration::from_secs(4);

/// The clipboard of a display.
pub(in crate::desktop) struct Selection {
    display: Display,
    clipboard: Atom,
    mark: Atom,
    hint: Atom,
    /// Something was copied that [`Selection::wait`] has not told.
    copied: Cell<bool>,
    wake: WakeFd,
}

impl Selection {
    pub(in crate::desktop) fn open() -> Result<Self, DesktopError> {
        let display = Display::open(None)?;
        display.require(xfixes::X11_EXTENSION_NAME)?;
        let atom = |name| -> Result<Atom, DesktopError> {
            Ok(display.x.intern_atom(false, name).map_err(lost)?.reply().map_err(lost)?.atom)
        };
        let (clipboard, mark, hint) = (atom(b"CLIPBOARD")?, atom(MARK)?, atom(HINT)?);
        display.x.xfixes_query_version(5, 0).map_err(lost)?.reply().map_err(lost)?;
        let changes = SelectionEventMask::SET_SELECTION_OWNER;
        display.x.xfixes_select_selection_input(display.root, clipboard, changes).map_err(lost)?.check().map_err(lost)?;
        Ok(Self { display, clipboard, mark, hint, copied: Cell::new(false), wake: WakeFd::new()? })
    }

    /// What ends [`Selection::wait`].
    pub(in crate::desktop) fn wake_fd(&self) -> WakeFd {
        self.wake.clone()
    }

    /// Waits. True: something was copied. False: woken.
    pub(in crate::desktop) fn wait(&self) -> Result<bool, DesktopError> {
        loop {
            while let Some(event) = self.display.x.poll_for_event().map_err(lost)? {
                self.notice(&event);
            }
            if self.copied.take() {
                return Ok(true);
            }
            if self.wake.take() {
                return Ok(false);
            }
            self.display.sleep(&self.wake, None)?;
        }
    }

    fn notice(&self, event: &Event) {
        if matches!(event, Event::XfixesSelectionNotify(notice) if notice.owner != x11rb::NONE) {
            self.copied.set(true);
        }
    }

    /// What is there now, unless an `rs` put it there, or it is nothing that can be shared.
    pub(in crate::desktop) fn read(&self) -> Result<Option<Found>, DesktopError> {
        match self.is_secret()? {
            Some(false) => {}
            Some(true) => return Ok(Some(Found::Secret)),
            None => return Ok(None),
        }
        let Some(clip) = content()? else { return Ok(None) };
        let mark = self.display.x.get_property(false, self.display.root, self.mark, AtomEnum::CARDINAL, 0, 8);
        let mark = mark.map_err(lost)?.reply().map_err(lost)?.value;
        // With that answer came the news of every owner whose content it could be.
        while let Some(event) = self.display.x.poll_for_event().map_err(lost)? {
            self.notice(&event);
        }
        let is_ours = mark == hash(&clip);
        Ok((!is_ours && !self.copied.get()).then_some(Found::Clip(clip)))
    }

    /// Whether its owner says that it is a secret; nothing when it does not answer, or we are woken before.
    fn is_secret(&self) -> Result<Option<bool>, DesktopError> {
        let Display { x, root, .. } = &self.display;
        // A window for each question, so that a late answer is nobody's.
        let window = x.generate_id().map_err(lost)?;
        let aux = CreateWindowAux::new();
        x.create_window(0, window, *root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, x11rb::COPY_FROM_PARENT, &aux).map_err(lost)?;
        x.convert_selection(window, self.clipboard, self.hint, self.hint, x11rb::CURRENT_TIME).map_err(lost)?;
        x.flush().map_err(lost)?;
        let answer = self.answer(window)?;
        x.destroy_window(window).map_err(lost)?;
        x.flush().map_err(lost)?;
        Ok(answer)
    }

    fn answer(&self, window: Window) -> Result<Option<bool>, DesktopError> {
        let deadline = Instant::now() + ANSWER;
        loop {
            while let Some(event) = self.display.x.poll_for_event().map_err(lost)? {
                match event {
                    Event::SelectionNotify(answer) if answer.requestor == window && answer.property == x11rb::NONE => {
                        return Ok(Some(false));
                    }
                    Event::SelectionNotify(answer) if answer.requestor == window => {
                        let value = self.display.x.get_property(true, window, answer.property, AtomEnum::ANY, 0, 16);
                        let value = value.map_err(lost)?.reply().map_err(lost)?.value;
                        return Ok(Some(value.starts_with(SECRET)));
                    }
                    other => self.notice(&other),
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            if self.wake.take() {
                // It is for those who wait for what is copied.
                self.wake.wake();
                return Ok(None);
            }
            self.display.sleep(&self.wake, Some(left))?;
        }
    }

    /// Puts it there, and leaves the mark.
    pub(in crate::desktop) fn put(&self, clip: Clip) -> Result<(), DesktopError> {
        let Display { x, root, .. } = &self.display;
        x.change_property8(PropMode::REPLACE, *root, self.mark, AtomEnum::CARDINAL, &hash(&clip)).map_err(lost)?;
        x.sync().map_err(lost)?;
        let mut owner = owner()?;
        let Some(board) = owner.as_mut() else { return Ok(()) };
        match clip {
            Clip::Text(text) => board.set_text(text),
            Clip::Image { width, height, rgba } => board.set_image(ImageData { width, height, bytes: rgba.into() }),
        }
        .map_err(broken)
    }
}

/// Text first: what is both, such as a table of a spreadsheet, is meant as text.
fn content() -> Result<Option<Clip>, DesktopError> {
    let mut owner = owner()?;
    let Some(board) = owner.as_mut() else { return Ok(None) };
    match board.get_text() {
        Ok(text) if text.is_empty() => return Ok(None),
        Ok(text) => return Ok(Some(Clip::Text(text))),
        // Owners without text say so in many ways.
        Err(error) => tracing::debug!(%error, "what was copied is no text"),
    }
    match board.get_image() {
        Ok(ImageData { width, height, bytes }) => Ok(Some(Clip::Image { width, height, rgba: bytes.into_owned() })),
        Err(error) => {
            tracing::debug!(%error, "what was copied is neither text nor a picture");
            Ok(None)
        }
    }
}

/// The process's own clipboard, made at the first use.
fn owner() -> Result<MutexGuard<'static, Option<Clipboard>>, DesktopError> {
    let mut owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if owner.is_none() {
        *owner = Some(Clipboard::new().map_err(broken)?);
    }
    Ok(owner)
}

fn hash(clip: &Clip) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("rs clipboard mark v1");
    match clip {
        Clip::Text(text) => hasher.update(b"text").update(text.as_bytes()),
        Clip::Image { width, height, rgba } => {
            hasher.update(b"image").update(&width.to_be_bytes()).update(&height.to_be_bytes()).update(rgba)
        }
    };
    hasher.finalize().into()
}

fn broken(error: Error) -> DesktopError {
    DesktopError(format!("the clipboard cannot be used ({error})"))
}
