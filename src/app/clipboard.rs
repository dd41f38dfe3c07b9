//! The clipboard of a session, the same at host and viewer: this machine's clipboard and the [`Exchange`] with the other side's.
//!
//! Nothing is read, told or taken before it is permitted, nor after. What is copied while the session has no path is not shared later.
//! After each call, [`Sharing::news`] has what people should know.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::driver::Driver;
use crate::{
    desktop::clipboard::{Clipboard, ClipboardEvent},
    protocol::{
        clipboard::{ClipboardMessage, Content, Exchange, Kind, News, Refusal},
        message::{EndReason, Message},
    },
    ui::event::{Copied, CopiedKind, Side},
};

/// Things copied here that may wait; somebody who copies faster loses the newer ones.
const WAITING: usize = 8;

/// What takes part at this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// This machine's clipboard.
    Desktop,
    /// What somebody [gives](Sharing::offer) and [takes](Sharing::kept) by hand.
    Hand,
    /// Nothing.
    Nowhere,
}

/// See the module.
pub(super) struct Sharing {
    own: Side,
    part: Part,
    is_permitted: bool,
    board: Option<Clipboard>,
    events: mpsc::Sender<ClipboardEvent>,
    copied: mpsc::Receiver<ClipboardEvent>,
    exchange: Exchange,
    /// [`Part::Hand`]: the newest copy from the other side.
    kept: Option<Content>,
    news: VecDeque<Told>,
}

/// What people are told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A copy reached the other side of where it was made.
    Shared(Side, Copied),
    /// Why one did not.
    Warning(String),
}

impl Sharing {
    /// `own`: which side this is.
    pub(super) fn new(own: Side, part: Part) -> Self {
        let (events, copied) = mpsc::channel(WAITING);
        let (is_permitted, board, kept) = (false, None, None);
        Self { own, part, is_permitted, board, events, copied, exchange: Exchange::default(), kept, news: VecDeque::new() }
    }

    /// Whether it is permitted from now on.
    pub(super) fn permit(&mut self, is_permitted: bool) {
        if std::mem::replace(&mut self.is_permitted, is_permitted) == is_permitted {
            return;
        }
        self.exchange.forget();
        // Its thread is waited for; what it found last is not told any more.
        tokio::task::block_in_place(|| self.board = None);
        while self.copied.try_recv().is_ok() {}
        if is_permitted && self.part == Part::Desktop {
            match tokio::task::block_in_place(|| Clipboard::start(self.events.clone())) {
                Ok(board) => self.board = Some(board),
                Err(error) => {
                    tracing::info!(%error, "the clipboard is not shared");
                    self.part = Part::Nowhere;
                }
            }
        }
    }

    /// The next thing that happens at this machine's clipboard. Cancel-safe.
    pub(super) async fn next(&mut self) -> ClipboardEvent {
        match self.copied.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// Follows it.
    pub(super) fn follow(&mut self, event: ClipboardEvent, driver: &mut Driver) {
        match event {
            ClipboardEvent::Copied(_) if !self.is_permitted => {}
            ClipboardEvent::Copied(content) if driver.current_path().is_some() => self.exchange.offer(content),
            ClipboardEvent::Copied(_) => {
                self.warn("what you copied was not shared: the connection is interrupted; copy it again later");
            }
            ClipboardEvent::Secret => {
                self.warn(
                    "what you copied was not shared: the program it comes from marks it as a secret, as password managers do",
                );
            }
            ClipboardEvent::TooLong(kind, bytes) => self.warn(format!(
                "what you copied has {:.1} MB, and was not shared: at most {} MB of {} are; send it as a file",
                megabytes(bytes),
                kind.limit() >> 20,
                if kind == Kind::Text { "text" } else { "picture" },
            )),
            ClipboardEvent::Failed(error) => self.warn(error.to_string()),
        }
        self.pump(driver);
    }

    /// Shares this, as if it had been copied here.
    pub(super) fn offer(&mut self, text: String, driver: &mut Driver) {
        if !self.is_permitted {
            return self.warn("the clipboard may not be shared; ask the host's user to type: allow clipboard");
        }
        match Content::new(Kind::Text, text.into_bytes()) {
            Ok(content) => self.exchange.offer(content),
            Err(_) => self.warn("there is nothing to copy, or it is too long; at most 4 MB of text are shared"),
        }
        self.pump(driver);
    }

    /// [`Part::Hand`]: the newest copy from the other side.
    pub(super) fn kept(&self) -> Option<&Content> {
        self.kept.as_ref()
    }

    /// Takes what the other side says. A side that breaks the protocol ends the session.
    pub(super) fn receive(&mut self, message: ClipboardMessage, driver: &mut Driver) {
        let refusal = match self.part {
            _ if !self.is_permitted => Some(Refusal::NotPermitted),
            Part::Nowhere => Some(Refusal::NoClipboard),
            Part::Desktop | Part::Hand => None,
        };
        if let (Some(why), ClipboardMessage::Part { .. }) = (refusal, &message) {
            self.exchange.refuse(&message, why);
        } else {
            match self.exchange.receive(message) {
                Ok(news) => news.into_iter().for_each(|news| self.learn(news)),
                Err(_) => driver.end(EndReason::ProtocolError),
            }
        }
        self.pump(driver);
    }

    /// What people should know.
    pub(super) fn news(&mut self) -> Option<Told> {
        self.news.pop_front()
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Arrived(content) => {
                let other = if self.own == Side::Host { Side::Viewer } else { Side::Host };
                self.news.push_back(Told::Shared(other, copied(content.kind(), content.bytes().len())));
                match &self.board {
                    Some(board) => board.put(content),
                    None => self.kept = Some(content),
                }
            }
            News::Delivered(kind, bytes) => self.news.push_back(Told::Shared(self.own, copied(kind, bytes))),
            News::Refused(Refusal::NotPermitted) => {
                self.warn("what you copied was not shared: the host's user does not permit it");
            }
            News::Refused(Refusal::NoClipboard) => {
                self.warn("what you copied was not shared: the other side has no clipboard, or does not share it");
            }
        }
    }

    fn pump(&mut self, driver: &mut Driver) {
        while let Some(message) = self.exchange.poll() {
            if driver.send(Message::Clipboard(message)).is_err() {
                self.exchange.forget();
                self.warn("what was copied was not shared: the other side does not keep up; copy it again");
            }
        }
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.news.push_back(Told::Warning(text.into()));
    }
}

fn copied(kind: Kind, bytes: usize) -> Copied {
    let kind = match kind {
        Kind::Text => CopiedKind::Text,
        Kind::Image => CopiedKind::Image,
    };
    Copied { kind, bytes: bytes as u64 }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
