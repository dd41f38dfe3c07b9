//! When the toolbar is there. It takes nothing of the host's picture away: it shows itself when the session begins and when it is
//! asked for, and when the pointer *rests* at the middle of the window's top edge. Whoever only passes there, or clicks there, means
//! the host's own menu bar; so a click forbids the toolbar until the pointer has left the edge. A small window is not greeted: the
//! toolbar would cover what one came to see.

use std::time::{Duration, Instant};

/// The edge, from the top, in logical pixels.
const EDGE: f64 = 3.0;
/// The handle shows while the pointer is so near.
const NEAR: f64 = 26.0;
/// Half of the width that counts as the middle.
const MIDDLE: f64 = 140.0;
/// How long the pointer rests at the edge first.
const REST: Duration = Duration::from_millis(400);
/// How long the toolbar stays when nobody points at it any more.
const LINGER: Duration = Duration::from_millis(900);
/// A window to greet is at least so wide and high, in logical pixels.
const ROOMY: (f64, f64) = (800.0, 500.0);
/// How long it stays when it was not the pointer that called it.
const GREETING: Duration = Duration::from_secs(4);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Reveal {
    until: Option<Instant>,
    /// Nobody called it.
    greets: bool,
    resting: Option<Instant>,
    near: bool,
    /// Clicked at the edge, and still there.
    forbidden: bool,
}

impl Reveal {
    /// Shows it for a while.
    pub(super) fn greet(&mut self, now: Instant) {
        (self.until, self.greets) = (Some(now + GREETING), true);
    }

    /// Between shown and hidden.
    pub(super) fn toggle(&mut self, now: Instant) {
        self.greets = false;
        self.until = if self.until.is_some() { None } else { Some(now + GREETING) };
    }

    /// Where the pointer is, in logical pixels of a window so wide; `None`: elsewhere.
    pub(super) fn point(&mut self, at: Option<(f64, f64)>, width: f64, now: Instant) {
        let within = |depth: f64| at.is_some_and(|(x, y)| y <= depth && (x - width / 2.0).abs() <= MIDDLE);
        self.near = within(NEAR);
        self.forbidden &= self.near;
        self.resting = (within(EDGE) && !self.forbidden).then(|| self.resting.unwrap_or(now));
    }

    /// A button was pressed over the picture.
    pub(super) fn press(&mut self) {
        self.forbidden = self.near;
        self.resting = None;
    }

    /// Time went by. `seen`: there is a picture to be seen, without a page over it; `used`: the pointer is on the toolbar, or a menu of
    /// it is open. `size`: the window's, in logical pixels.
    pub(super) fn pass(&mut self, seen: bool, used: bool, size: (f64, f64), now: Instant) {
        self.greets &= !used && self.until.is_some();
        if self.greets && !seen {
            // Nobody is greeted behind a page, however long the first picture takes.
            self.until = Some(now + GREETING);
        }
        if self.greets && (size.0 < ROOMY.0 || size.1 < ROOMY.1) {
            (self.until, self.greets) = (None, false);
        }
        if self.resting.is_some_and(|since| now >= since + REST) || (used && self.until.is_some()) {
            self.until = self.until.max(Some(now + LINGER));
        }
        self.until = self.until.filter(|until| *until > now);
    }

    /// Whether the toolbar is there.
    pub(super) fn is_shown(&self) -> bool {
        self.until.is_some()
    }

    /// Whether the handle is, which tells where to rest.
    pub(super) fn hints(&self) -> bool {
        self.near && !self.forbidden && self.until.is_none()
    }

    /// When something changes by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        let rested = self.resting.filter(|_| self.until.is_none()).map(|since| since + REST);
        rested.into_iter().chain(self.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE_MIDDLE: Option<(f64, f64)> = Some((400.0, 0.0));
    const LARGE: (f64, f64) = (800.0, 600.0);
    const BELOW: Option<(f64, f64)> = Some((400.0, 300.0));

    #[test]
    fn it_comes_when_the_pointer_rests_at_the_edge_and_goes_when_it_is_not_used() {
        let (mut reveal, start) = (Reveal::default(), Instant::now());
        reveal.point(EDGE_MIDDLE, 800.0, start);
        reveal.pass(true, false, LARGE, start);
        assert!(reveal.hints() && !reveal.is_shown() && reveal.due() == Some(start + REST));
        reveal.pass(true, false, LARGE, start + REST);
        assert!(reveal.is_shown() && !reveal.hints());
        reveal.point(BELOW, 800.0, start + REST);
        reveal.pass(true, true, LARGE, start + REST + LINGER / 2);
        reveal.pass(true, false, LARGE, start + REST + LINGER);
        assert!(reveal.is_shown(), "it was used meanwhile");
        reveal.pass(true, false, LARGE, start + REST + LINGER * 2);
        assert!(!reveal.is_shown() && reveal.due().is_none());
    }

    #[test]
    fn whoever_passes_or_clicks_at_the_edge_is_not_disturbed() {
        let (mut reveal, start) = (Reveal::default(), Instant::now());
        for (at, elapsed) in [(EDGE_MIDDLE, 0), (BELOW, 1), (EDGE_MIDDLE, 2), (Some((20.0, 0.0)), 3)] {
            let now = start + REST * elapsed / 3;
            reveal.point(at, 800.0, now);
            reveal.pass(true, false, LARGE, now);
        }
        reveal.pass(true, false, LARGE, start + REST * 5);
        assert!(!reveal.is_shown(), "a corner is not the middle");
        reveal.point(EDGE_MIDDLE, 800.0, start);
        reveal.press();
        reveal.point(Some((410.0, 1.0)), 800.0, start);
        reveal.pass(true, false, LARGE, start + REST * 9);
        assert!(!reveal.is_shown() && !reveal.hints(), "the click was for the host");
        reveal.point(BELOW, 800.0, start);
        reveal.point(EDGE_MIDDLE, 800.0, start);
        reveal.pass(true, false, LARGE, start + REST);
        assert!(reveal.is_shown(), "away and back again");
    }

    #[test]
    fn it_greets_and_can_be_called() {
        let (mut reveal, start) = (Reveal::default(), Instant::now());
        reveal.greet(start);
        reveal.pass(false, false, LARGE, start + GREETING);
        reveal.pass(true, false, LARGE, start + GREETING + LINGER);
        assert!(reveal.is_shown(), "the first picture took its time");
        reveal.pass(true, false, LARGE, start + GREETING * 2);
        assert!(!reveal.is_shown());
        reveal.greet(start);
        reveal.toggle(start);
        assert!(!reveal.is_shown());
        reveal.toggle(start);
        reveal.pass(true, false, LARGE, start + GREETING);
        assert!(!reveal.is_shown());
    }

    #[test]
    fn a_small_window_is_not_greeted_but_has_its_toolbar() {
        let (mut reveal, start) = (Reveal::default(), Instant::now());
        reveal.greet(start);
        reveal.pass(true, false, (640.0, 480.0), start);
        assert!(!reveal.is_shown());
        reveal.toggle(start);
        reveal.pass(true, false, (640.0, 480.0), start);
        assert!(reveal.is_shown());
    }
}
