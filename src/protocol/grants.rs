//! What a viewer may do now, and until when: permissions that the host's user gives for good or for a while.
//!
//! - The newest word counts: a permission given for ten minutes ends then, also if it was there without an end before; given without an
//!   end it stays.
//! - Nothing that [needs](Permission::needs_view) the picture outlives the permission to see it.
//! - While [paused](Grants::pause) the viewer may nothing, and what it was given waits; a new permission ends the pause.
//! - Time is an argument. Call [`Grants::expire`] when [`Grants::due`] has come; what ends then ends exactly as if it was taken away.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::permission::{Permission, Permissions};

/// The longest time for which something can be given; what shall last longer is given without an end.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A permission that ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which.
    pub permission: Permission,
    /// In so many seconds, rounded up.
    pub seconds: u64,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    permissions: Permissions,
    /// The ends of those that have one.
    ends: BTreeMap<Permission, Instant>,
    is_paused: bool,
}

impl Grants {
    /// These, without an end.
    #[must_use]
    pub fn new(permissions: Permissions) -> Self {
        Self { permissions: permissions.without_blind(), ends: BTreeMap::new(), is_paused: false }
    }

    /// What the viewer may do now.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        if self.is_paused { Permissions::NONE } else { self.permissions }
    }

    /// Suspends everything, or gives it back. True: that is a change.
    pub fn pause(&mut self, is_paused: bool) -> bool {
        std::mem::replace(&mut self.is_paused, is_paused) != is_paused
    }

    /// Gives these, for good or for a while of at most [`LONGEST`]. What needs the picture brings it along, with the same end.
    pub fn allow(&mut self, now: Instant, given: &[Permission], lasting: Option<Duration>) {
        self.is_paused = false;
        let given: Permissions = given.iter().copied().collect();
        let brings_view = !self.permissions.contains(Permission::View) && given.iter().any(Permission::needs_view);
        let given = if brings_view { given | Permission::View } else { given };
        for permission in given.iter() {
            self.permissions.insert(permission);
            match lasting {
                Some(lasting) => drop(self.ends.insert(permission, now + lasting.min(LONGEST))),
                None => drop(self.ends.remove(&permission)),
            }
        }
    }

    /// Takes these away, and what needs them.
    pub fn revoke(&mut self, taken: &[Permission]) {
        taken.iter().for_each(|permission| self.permissions.remove(*permission));
        self.permissions = self.permissions.without_blind();
        self.ends.retain(|permission, _| self.permissions.contains(*permission));
    }

    /// When the next of them ends.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.ends.values().min().copied()
    }

    /// Takes away what has ended. True: something has.
    pub fn expire(&mut self, now: Instant) -> bool {
        let ended: Vec<Permission> = self.ends.iter().filter(|(_, end)| **end <= now).map(|(permission, _)| *permission).collect();
        self.revoke(&ended);
        !ended.is_empty()
    }

    /// Those that end by themselves, weakest first.
    #[must_use]
    pub fn timers(&self, now: Instant) -> Vec<Timer> {
        let timer = |permission| {
            let left = self.end(permission)?.saturating_duration_since(now);
            Some(Timer { permission, seconds: left.as_secs() + u64::from(left.subsec_nanos() > 0) })
        };
        self.permissions().iter().filter_map(timer).collect()
    }

    fn end(&self, permission: Permission) -> Option<Instant> {
        let with_view = permission.needs_view().then(|| self.ends.get(&Permission::View)).flatten();
        self.ends.get(&permission).into_iter().chain(with_view).min().copied()
    }
}

#[cfg(test)]
mod tests {
    use Permission::{Clipboard, Files, Keyboard, Mouse, Point, View};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn left(grants: &Grants, now: Instant) -> Vec<(Permission, u64)> {
        grants.timers(now).into_iter().map(|Timer { permission, seconds }| (permission, seconds)).collect()
    }

    #[test]
    fn a_pause_suspends_everything_keeps_it_and_ends_with_the_next_permission() {
        let (mut grants, start) = (Grants::new(Permissions::all()), Instant::now());
        grants.allow(start, &[Mouse], Some(MINUTE));
        assert!(grants.pause(true) && !grants.pause(true));
        assert_eq!((grants.permissions(), grants.timers(start)), (Permissions::NONE, Vec::new()));
        assert!(grants.expire(start + MINUTE), "timers go on meanwhile");
        assert!(grants.pause(false));
        assert_eq!(grants.permissions(), [View, Point, Keyboard, Clipboard, Files].into_iter().collect());
        grants.pause(true);
        grants.allow(start, &[View], None);
        assert!(grants.permissions().contains(Keyboard));
    }

    #[test]
    fn a_permission_for_a_while_ends_by_itself_and_the_others_stay() {
        let (mut grants, start) = (Grants::new(Permissions::view_only()), Instant::now());
        grants.allow(start, &[Mouse], Some(10 * MINUTE));
        grants.allow(start, &[Files], Some(MINUTE));
        assert_eq!(left(&grants, start + MINUTE / 2), [(Mouse, 570), (Files, 30)]);
        assert_eq!(grants.due(), Some(start + MINUTE));
        assert!(!grants.expire(start + MINUTE - Duration::from_nanos(1)));
        assert_eq!(left(&grants, start + MINUTE - Duration::from_nanos(1)).last(), Some(&(Files, 1)), "rounded up");
        assert!(grants.expire(start + MINUTE));
        assert_eq!(grants.permissions().to_string(), "view, mouse");
        assert!(grants.expire(start + 11 * MINUTE));
        assert_eq!((grants.permissions(), grants.due()), (Permissions::view_only(), None));
    }

    #[test]
    fn the_newest_word_counts() {
        let (mut grants, start) = (Grants::new(Permissions::all()), Instant::now());
        grants.allow(start, &[Clipboard], Some(MINUTE));
        grants.allow(start, &[Clipboard], Some(3 * MINUTE));
        assert_eq!(left(&grants, start), [(Clipboard, 180)]);
        grants.allow(start, &[Clipboard], None);
        assert_eq!(grants.due(), None);
        grants.allow(start, &[Mouse], Some(MINUTE));
        grants.revoke(&[Mouse]);
        assert!(grants.due().is_none() && !grants.expire(start + MINUTE), "what was taken away does not end again");
    }

    #[test]
    fn nothing_that_needs_the_picture_outlives_it() {
        let (mut grants, start) = (Grants::new(Permissions::NONE), Instant::now());
        grants.allow(start, &[Point], Some(2 * MINUTE));
        assert_eq!(left(&grants, start), [(View, 120), (Point, 120)], "it brings the picture along");
        grants.allow(start, &[Keyboard, Files], None);
        assert_eq!(left(&grants, start), [(View, 120), (Point, 120), (Keyboard, 120)]);
        assert!(grants.expire(start + 2 * MINUTE));
        assert_eq!(grants.permissions().to_string(), "files");
        assert_eq!(Grants::new([Mouse].into_iter().collect()).permissions(), Permissions::NONE);
    }

    #[test]
    fn a_time_without_end_is_bounded() {
        let (mut grants, start) = (Grants::new(Permissions::all()), Instant::now());
        grants.allow(start, &[Mouse], Some(Duration::MAX));
        assert_eq!(left(&grants, start), [(Mouse, LONGEST.as_secs())]);
    }
}
