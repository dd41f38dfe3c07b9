//! The clipboard for text fields and copy buttons. It is opened at its first use: most windows never need it.

/// The clipboard, if this desktop has one.
#[derive(Default)]
pub(super) struct Clipboard(Option<arboard::Clipboard>);

impl Clipboard {
    /// What was copied, if it is text.
    pub(super) fn get(&mut self) -> Option<String> {
        self.open()?.get_text().ok()
    }

    /// Copies. Whoever pastes asks this process for it, so it is there as long as the window is.
    pub(super) fn set(&mut self, text: String) {
        if let Some(Err(error)) = self.open().map(|clipboard| clipboard.set_text(text)) {
            tracing::warn!(%error, "nothing was copied");
        }
    }

    fn open(&mut self) -> Option<&mut arboard::Clipboard> {
        if self.0.is_none() {
            self.0 = arboard::Clipboard::new().map_err(|error| tracing::warn!(%error, "there is no clipboard")).ok();
        }
        self.0.as_mut()
    }
}
