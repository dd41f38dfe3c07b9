//! What came in, and what of it is not acknowledged yet.

use std::time::{Duration, Instant};

/// The longest time for which a message stays unacknowledged because of us.
pub(super) const ACK_DELAY: Duration = Duration::from_millis(25);
/// So many messages are acknowledged at once.
pub(super) const ACK_EVERY: u32 = 16;

/// The acknowledgements that we owe.
#[derive(Default)]
pub(super) struct Acks {
    /// The next message wanted.
    pub(super) next: u64,
    /// Messages since the last acknowledgement, duplicates too.
    owed: u32,
    /// When they have to be acknowledged.
    pub(super) due: Option<Instant>,
    /// Pictures, or everything on a new path, must be acknowledged by a record of its own, at once.
    pub(super) urgent: bool,
}

impl Acks {
    pub(super) fn owe(&mut self, now: Instant) {
        self.owed += 1;
        self.urgent |= self.owed >= ACK_EVERY;
        self.due.get_or_insert(now + ACK_DELAY);
    }

    /// The acknowledgement of messages goes out now.
    pub(super) fn settle(&mut self) -> u64 {
        (self.owed, self.due) = (0, None);
        self.next
    }
}
