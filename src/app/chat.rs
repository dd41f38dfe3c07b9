//! Chat lines as faces are told of them: numbered from 1 for each side, and stamped with this machine's time.

use jiff::ZonedDateTime;

use crate::ui::event::Side;

/// The lines of one session.
#[derive(Debug, Default)]
pub(super) struct Chat {
    host: u64,
    viewer: u64,
}

impl Chat {
    /// The number of a new line of that side, and the time as RFC 3339 with the local offset, to the second.
    pub(super) fn next(&mut self, from: Side) -> (u64, String) {
        let number = match from {
            Side::Host => &mut self.host,
            Side::Viewer => &mut self.viewer,
        };
        *number += 1;
        (*number, ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }
}
