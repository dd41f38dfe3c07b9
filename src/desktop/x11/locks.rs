//! Caps Lock and Num Lock of this machine, while they are as the viewer's are.
//!
//! Rules:
//! - When the viewer drives no more, each lock is put back as it was found.
//! - One that somebody here changed meanwhile is theirs, and stays.
//! - A lock that the viewer toggles as a key (`key Caps_Lock`, physical mode) is a deed like any other, and stays too.

/// Which locks are ours to put back. Locks are bits, each a modifier.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mirrored {
    /// Those that are not as they were found.
    changed: u16,
    /// What they all were set to.
    set: u16,
}

impl Mirrored {
    /// Of the locks, which are `now` so, those in `affected` will be as `wanted`.
    pub(super) fn set(&mut self, now: u16, wanted: u16, affected: u16) {
        self.changed = self.ours(now) ^ ((now ^ wanted) & affected);
        self.set = (now & !affected) | (wanted & affected);
    }

    /// Which locks to put back, and what they were.
    pub(super) fn put_back(&mut self, now: u16) -> (u16, u16) {
        let ours = self.ours(now);
        *self = Self::default();
        (ours, ours & !now)
    }

    /// What was changed, and by nobody else since.
    fn ours(&self, now: u16) -> u16 {
        self.changed & !(now ^ self.set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: u16 = 1 << 1;
    const NUM: u16 = 1 << 4;
    const BOTH: u16 = CAPS | NUM;
    /// A lock that is none of ours.
    const OTHER: u16 = 1 << 7;

    #[test]
    fn what_was_changed_is_put_back_once() {
        let mut mirrored = Mirrored::default();
        mirrored.set(NUM | OTHER, CAPS, BOTH);
        assert_eq!(mirrored.put_back(CAPS | OTHER), (BOTH, NUM));
        assert_eq!(mirrored.put_back(NUM), (0, 0), "nothing is ours any more");
    }

    #[test]
    fn what_came_back_by_itself_is_left_alone() {
        let mut mirrored = Mirrored::default();
        mirrored.set(0, CAPS, BOTH);
        mirrored.set(CAPS, NUM, BOTH);
        assert_eq!(mirrored.put_back(NUM), (NUM, 0));
        mirrored.set(CAPS, CAPS, BOTH);
        assert_eq!(mirrored.put_back(CAPS), (0, 0));
    }

    #[test]
    fn what_somebody_here_changed_is_theirs() {
        let mut mirrored = Mirrored::default();
        mirrored.set(0, BOTH, BOTH);
        assert_eq!(mirrored.put_back(CAPS), (CAPS, 0), "they turned Num Lock off");
        // They turn Caps Lock off and on between two tellings: it is theirs as they left it.
        mirrored.set(0, CAPS, BOTH);
        mirrored.set(0, 0, BOTH);
        assert_eq!(mirrored.put_back(0), (0, 0));
        mirrored.set(CAPS, 0, BOTH);
        mirrored.set(CAPS, 0, BOTH);
        assert_eq!(mirrored.put_back(0), (CAPS, CAPS), "they turned it on, and the viewer's turned it off again");
    }
}
