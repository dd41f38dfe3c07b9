//! The clipboard of a session, the same at host and viewer: this machine's clipboard and the [`Exchange`] with the other side's.
//!
//! Nothing is read, told or taken before it is permitted, nor after. What is copied while the session has no path is not shared later.

use tokio::sync::mpsc;

use crate::{
    desktop::clipboard::{Clipboard, ClipboardEvent},
    protocol::clipboard::{Broken, ClipboardMessage, Content, Exchange, Kind, News, Refusal},
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
        Self { own, part, is_permitted, board, events, copied, exchange: Exchange::default(), kept }
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

    /// Follows it; [`Self::messages`] has what is to be sent. `has_path`: whether the other side can be reached now.
    pub(super) fn follow(&mut self, event: ClipboardEvent, has_path: bool) -> Option<Told> {
        match event {
            ClipboardEvent::Copied(_) if !self.is_permitted => None,
            ClipboardEvent::Copied(content) if has_path => {
                self.exchange.offer(content);
                None
            }
            ClipboardEvent::Copied(_) => {
                Some(Told::Warning("what you copied was not shared: the connection is interrupted; copy it again later".to_owned()))
            }
            ClipboardEvent::TooLong(kind, bytes) => Some(Told::Warning(format!(
                "what you copied has {:.1} MB, and was not shared: at most {} MB of {} are; send it as a file",
                megabytes(bytes),
                kind.limit() >> 20,
                if kind == Kind::Text { "text" } else { "picture" },
            ))),
            ClipboardEvent::Failed(error) => Some(Told::Warning(error.to_string())),
        }
    }

    /// Shares this, as if it had been copied here.
    pub(super) fn offer(&mut self, text: String) -> Option<Told> {
        let refused = |text: &str| Some(Told::Warning(text.to_owned()));
        if !self.is_permitted {
            return refused("the clipboard may not be shared; ask the host's user to type: allow clipboard");
        }
        match Content::new(Kind::Text, text.into_bytes()) {
            Ok(content) => self.exchange.offer(content),
            Err(_) => return refused("there is nothing to copy, or it is too long; at most 4 MB of text are shared"),
        }
        None
    }

    /// [`Part::Hand`]: the newest copy from the other side.
    pub(super) fn kept(&self) -> Option<&Content> {
        self.kept.as_ref()
    }

    /// Takes what the other side says.
    ///
    /// # Errors
    /// It broke the protocol.
    pub(super) fn receive(&mut self, message: ClipboardMessage) -> Result<Option<Told>, Broken> {
        let refusal = match self.part {
            _ if !self.is_permitted => Some(Refusal::NotPermitted),
            Part::Nowhere => Some(Refusal::NoClipboard),
            Part::Desktop | Part::Hand => None,
        };
        if let (Some(why), ClipboardMessage::Part { .. }) = (refusal, &message) {
            self.exchange.refuse(&message, why);
            return Ok(None);
        }
        let other = if self.own == Side::Host { Side::Viewer } else { Side::Host };
        Ok(self.exchange.receive(message)?.map(|news| match news {
            News::Arrived(content) => {
                let copied = copied(content.kind(), content.bytes().len());
                match &self.board {
                    Some(board) => board.put(content),
                    None => self.kept = Some(content),
                }
                Told::Shared(other, copied)
            }
            News::Delivered(kind, bytes) => Told::Shared(self.own, copied(kind, bytes)),
            News::Refused(Refusal::NotPermitted) => {
                Told::Warning("what you copied was not shared: the host's user does not permit it".to_owned())
            }
            News::Refused(Refusal::NoClipboard) => {
                Told::Warning("what you copied was not shared: the other side has no clipboard, or does not share it".to_owned())
            }
        }))
    }

    /// The next message to send.
    pub(super) fn message(&mut self) -> Option<ClipboardMessage> {
        self.exchange.poll()
    }

    /// The last message could not be sent.
    pub(super) fn unsent(&mut self) -> Told {
        self.exchange.forget();
        Told::Warning("what was copied was not shared: the other side does not keep up; copy it again".to_owned())
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
