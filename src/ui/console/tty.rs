//! The terminal itself: raw mode and its modes put on and back, its input and output on threads of their own.
//!
//! Output goes out a frame at a time, so that a terminal that takes nothing blocks that thread and not the keyboard. Whatever way
//! the viewer ends — an error, a signal, a panic of any thread — the terminal is put back: images deleted, the mouse and keyboard
//! modes off, the alternate screen left, raw mode ended.

use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    os::fd::AsFd,
    sync::Once,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::anyhow;
use crossterm::terminal;
use tokio::sync::mpsc;

use super::{
    kitty,
    parse::{Answer, Parser, Told},
};

/// Alternate screen, cleared; no cursor, no line wrap; focus, pasted text and all motion of the mouse told.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?25l\x1b[?7l\x1b[?1004h\x1b[?2004h\x1b[?1003h\x1b[?1006h";
/// All of that back, after the modes below, and a synchronised update that was broken off ended.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[?1016l\x1b[?1006l\x1b[?1003l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[0m\x1b[2J\x1b[?25h\x1b[?1049l";
/// Mouse places in pixels.
pub(super) const PIXEL_MOUSE: &[u8] = b"\x1b[?1016h";
/// Kitty's keyboard: keys told apart, told when they go up, all of them in this way, with their text. Fewer of these flags would do
/// but for Return, Tab and Backspace: without the third one, kitty 0.26 tells each of these twice.
pub(super) const KEY_UPS: &[u8] = b"\x1b[>27u";
const NO_KEY_UPS: &[u8] = b"\x1b[<u";

/// How long the last output may take before it is given up.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whether there is something to put back, and what the terminal was found to understand.
static RAW: AtomicBool = AtomicBool::new(false);
static HAS_IMAGES: AtomicBool = AtomicBool::new(false);
static HAS_KEY_UPS: AtomicBool = AtomicBool::new(false);

/// Whether stdin and stdout are a terminal that can show pictures.
///
/// # Errors
/// One line that says what to use instead.
pub(super) fn check() -> anyhow::Result<()> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(anyhow!("--view terminal needs a terminal as standard input and output; use --view none for scripts"));
    }
    let name = std::env::var("TERM").unwrap_or_default();
    if name.is_empty() || name == "dumb" {
        return Err(anyhow!("this terminal cannot show pictures (TERM is {name:?}); use --view none, or a terminal that can"));
    }
    Ok(())
}

/// A terminal in raw mode. Dropping it puts it back.
pub(super) struct Tty {
    /// What it sends; closes when it is gone.
    pub(super) input: mpsc::Receiver<Vec<u8>>,
    output: Option<std::sync::mpsc::SyncSender<Vec<u8>>>,
    /// The result of each write, in order.
    pub(super) written: mpsc::Receiver<io::Result<()>>,
}

impl Tty {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// It cannot be read, written or set.
    pub(super) fn open() -> anyhow::Result<Self> {
        let mut keyboard = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let mut screen = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        put_back_on_panic();
        terminal::enable_raw_mode()?;
        RAW.store(true, Ordering::SeqCst);

        let (told, input) = mpsc::channel(16);
        thread::Builder::new().name("terminal-in".to_owned()).spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = read(&mut keyboard, &mut bytes) {
                if told.blocking_send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        })?;
        let (output, frames) = std::sync::mpsc::sync_channel::<Vec<u8>>(1);
        let (results, written) = mpsc::channel(4);
        thread::Builder::new().name("terminal-out".to_owned()).spawn(move || {
            while let Ok(bytes) = frames.recv() {
                if results.blocking_send(screen.write_all(&bytes)).is_err() {
                    break;
                }
            }
        })?;
        let tty = Self { input, output: Some(output), written };
        tty.send(ENTER.to_vec());
        Ok(tty)
    }

    /// Hands over some output. Only when the one before was written: else it is not sent, and false is returned.
    pub(super) fn send(&self, bytes: Vec<u8>) -> bool {
        self.output.as_ref().is_some_and(|output| output.try_send(bytes).is_ok())
    }

    /// Images are going to be shown.
    pub(super) fn has_images(&self) {
        HAS_IMAGES.store(true, Ordering::SeqCst);
    }

    /// [`KEY_UPS`] is going to be asked for.
    pub(super) fn has_key_ups(&self) {
        HAS_KEY_UPS.store(true, Ordering::SeqCst);
    }

    /// Whether it is still in raw mode: a panic anywhere puts it back.
    pub(super) fn is_ours(&self) -> bool {
        RAW.load(Ordering::SeqCst)
    }

    /// Leaves the terminal as it was found, after what it was still to take and to tell: a late answer is no input for the shell.
    pub(super) async fn close(mut self) {
        let last = [farewell(), b"\x1b[c".to_vec()].concat();
        let words = async {
            while !self.send(last.clone()) {
                if self.written.recv().await.is_none_or(|result| result.is_err()) {
                    return;
                }
            }
            let mut parser = Parser::default();
            while let Some(bytes) = self.input.recv().await {
                if parser.feed(&bytes).iter().any(|told| matches!(told, Told::Answer(Answer::Attributes { .. }))) {
                    break;
                }
            }
        };
        // A terminal that takes nothing any more, or does not answer, is not waited for.
        let _ = tokio::time::timeout(LAST_WORDS, words).await;
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.output = None;
        put_back();
    }
}

/// Interrupted reads go on.
fn read(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn farewell() -> Vec<u8> {
    let mut last = Vec::new();
    if HAS_IMAGES.load(Ordering::SeqCst) {
        last.extend_from_slice(kitty::FORGET);
    }
    if HAS_KEY_UPS.load(Ordering::SeqCst) {
        last.extend_from_slice(NO_KEY_UPS);
    }
    last.extend_from_slice(LEAVE);
    last
}

/// Puts the terminal back, once.
fn put_back() {
    if RAW.swap(false, Ordering::SeqCst) {
        let _ = terminal::disable_raw_mode();
    }
}

/// A panic's words belong on the screen that the user gets back.
fn put_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if RAW.load(Ordering::SeqCst) {
                let _ = io::stdout().write_all(&farewell());
                let _ = io::stdout().flush();
                put_back();
            }
            before(panic);
        }));
    });
}
