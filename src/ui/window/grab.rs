//! The desktop's own shortcuts (Alt+Tab, Alt+F4, Super) for the host, while the window fills the screen and what is typed is for the
//! host.
//!
//! On X11 the window grabs the keyboard, over the very connection that `winit` has: with another one every key would go there. The
//! grab passes keys on as they would come without it, so nothing else changes. While somebody else has the keyboard, a menu or a
//! window manager in the midst of its Alt+Tab, it is tried again. On other desktops there is nothing to grab with, and the shortcuts
//! stay with the desktop. The display frees the keyboard of a window that goes, also of one that crashed.
//!
//! What the user reads says what is true then, and always the way out, which is a chord that the window looks for before all others.

use std::time::{Duration, Instant};

use winit::window::Window;

/// How soon to try again, when somebody else has the keyboard.
const RETRY: Duration = Duration::from_millis(100);
/// So many tries are normal: a window manager has the keyboard until its keys are up.
const PATIENT: u32 = 10;

const HOSTS: &str = "Full screen. Shortcuts such as Alt+Tab go to the host, too. Ctrl+Alt+F leaves full screen.";
const OTHERS: &str =
    "Full screen. Shortcuts such as Alt+Tab stay here: another program has the keyboard. Ctrl+Alt+F leaves full screen.";
const DESKTOPS: &str = "Full screen. Ctrl+Alt+F leaves it.";

/// See the module.
#[derive(Default)]
pub(super) struct Shortcuts {
    keyboard: system::Keyboard,
    claim: Claim,
}

impl Shortcuts {
    /// Follows the window: whether it fills the screen, and whether what is typed is for the host. Gives what the user should read.
    pub(super) fn follow(&mut self, window: &Window, full_screen: bool, typing: bool, now: Instant) -> Option<&'static str> {
        let Self { keyboard, claim } = self;
        let wanted = full_screen && typing && keyboard.can_grab(window);
        claim.pass(full_screen, wanted, now, |grab| if grab { keyboard.grab(window) } else { keyboard.release(window) })
    }

    /// When to try again.
    pub(super) fn due(&self) -> Option<Instant> {
        if let Whose::Others { again, .. } = self.claim.whose { Some(again) } else { None }
    }
}

/// Whose the shortcuts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Whose {
    #[default]
    Desktops,
    Hosts,
    /// Tried so often in vain, and again then.
    Others {
        tries: u32,
        again: Instant,
    },
}

/// When to grab, when to release, and what to tell.
#[derive(Debug, Default)]
struct Claim {
    whose: Whose,
    /// What was told last, since full screen was entered.
    told: Option<&'static str>,
}

impl Claim {
    /// `hold` grabs the keyboard, and tells whether that worked, or releases it.
    fn pass(&mut self, full: bool, wanted: bool, now: Instant, hold: impl FnOnce(bool) -> bool) -> Option<&'static str> {
        self.whose = match self.whose {
            Whose::Hosts if !wanted => {
                hold(false);
                Whose::Desktops
            }
            _ if !wanted => Whose::Desktops,
            Whose::Hosts => Whose::Hosts,
            Whose::Others { again, .. } if now < again => return None,
            _ if hold(true) => Whose::Hosts,
            Whose::Others { tries, .. } => Whose::Others { tries: tries.saturating_add(1), again: now + RETRY },
            Whose::Desktops => Whose::Others { tries: 1, again: now + RETRY },
        };
        if !full {
            self.told = None;
            return None;
        }
        let text = match self.whose {
            Whose::Desktops => DESKTOPS,
            Whose::Hosts => HOSTS,
            Whose::Others { tries, .. } if tries > PATIENT => OTHERS,
            Whose::Others { .. } => return None,
        };
        // Once, and when the shortcuts become the host's later: not at each change of the focus.
        let news = self.told.is_none() || (text == HOSTS && self.told != Some(HOSTS));
        news.then(|| *self.told.insert(text))
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{cell::OnceCell, ffi::c_ulong};

    use winit::{
        raw_window_handle::{HasDisplayHandle as _, HasWindowHandle as _, RawDisplayHandle, RawWindowHandle},
        window::Window,
    };
    use x11_dl::xlib::{CurrentTime, Display, GrabModeAsync, GrabSuccess, True, Xlib};

    /// The keyboard of the display that a window is on.
    #[derive(Default)]
    pub(super) struct Keyboard {
        /// The library that `winit` has loaded already, once it is wanted.
        xlib: OnceCell<Option<Xlib>>,
    }

    impl Keyboard {
        pub(super) fn can_grab(&self, window: &Window) -> bool {
            handles(window).is_some() && self.xlib().is_some()
        }

        #[expect(unsafe_code, reason = "winit 0.30 cannot grab a keyboard, and lends its connection as a bare pointer")]
        pub(super) fn grab(&self, window: &Window) -> bool {
            let (Some(xlib), Some((display, window))) = (self.xlib(), handles(window)) else { return false };
            // SAFETY: `winit` opened the display and closes it after its last window, which is borrowed here; both are used on the
            // event loop's thread alone. What is wrong with a window is told to winit's error handler.
            unsafe { (xlib.XGrabKeyboard)(display, window, True, GrabModeAsync, GrabModeAsync, CurrentTime) == GrabSuccess }
        }

        #[expect(unsafe_code, reason = "as for grab")]
        pub(super) fn release(&self, window: &Window) -> bool {
            let (Some(xlib), Some((display, _))) = (self.xlib(), handles(window)) else { return false };
            // SAFETY: as above.
            unsafe {
                (xlib.XUngrabKeyboard)(display, CurrentTime);
                (xlib.XFlush)(display);
            }
            true
        }

        fn xlib(&self) -> Option<&Xlib> {
            self.xlib.get_or_init(|| Xlib::open().ok()).as_ref()
        }
    }

    /// winit's connection and the window's number there; `None` where there is no X11.
    fn handles(window: &Window) -> Option<(*mut Display, c_ulong)> {
        match (window.display_handle().ok()?.as_raw(), window.window_handle().ok()?.as_raw()) {
            (RawDisplayHandle::Xlib(display), RawWindowHandle::Xlib(window)) => {
                Some((display.display?.as_ptr().cast(), window.window))
            }
            _ => None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use winit::window::Window;

    /// A keyboard that nobody knows how to grab.
    #[derive(Default)]
    pub(super) struct Keyboard;

    impl Keyboard {
        pub(super) fn can_grab(&self, _: &Window) -> bool {
            false
        }

        pub(super) fn grab(&self, _: &Window) -> bool {
            false
        }

        pub(super) fn release(&self, _: &Window) -> bool {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One pass, in which a grab works or not: what was told, and what was asked of the keyboard.
    fn pass(claim: &mut Claim, (full, wanted): (bool, bool), now: Instant, works: bool) -> (Option<&'static str>, Option<bool>) {
        let mut asked = None;
        let told = claim.pass(full, wanted, now, |grab| {
            asked = Some(grab);
            works
        });
        (told, asked)
    }

    #[test]
    fn the_keyboard_is_grabbed_once_and_released_when_it_is_not_the_hosts_or_full_screen_ends() {
        let (mut claim, now) = (Claim::default(), Instant::now());
        assert_eq!(pass(&mut claim, (false, false), now, true), (None, None));
        assert_eq!(pass(&mut claim, (true, true), now, true), (Some(HOSTS), Some(true)));
        assert_eq!(pass(&mut claim, (true, true), now, true), (None, None));
        assert_eq!(pass(&mut claim, (true, false), now, true), (None, Some(false)), "another window has the focus");
        assert_eq!(pass(&mut claim, (true, true), now, true), (None, Some(true)), "it was told before");
        assert_eq!(pass(&mut claim, (false, false), now, true), (None, Some(false)));
        assert_eq!(pass(&mut claim, (true, false), now, true), (Some(DESKTOPS), None), "the host's user drives");
        assert_eq!(pass(&mut claim, (true, true), now, true), (Some(HOSTS), Some(true)), "now we do");
    }

    #[test]
    fn it_is_tried_again_while_others_have_the_keyboard_and_nothing_is_claimed_meanwhile() {
        let (mut claim, mut now) = (Claim::default(), Instant::now());
        for _ in 0..PATIENT {
            assert_eq!(pass(&mut claim, (true, true), now, false), (None, Some(true)));
            assert_eq!(pass(&mut claim, (true, true), now + RETRY / 2, true), (None, None), "not at once");
            now += RETRY;
        }
        assert_eq!(pass(&mut claim, (true, true), now, false), (Some(OTHERS), Some(true)));
        assert_eq!(pass(&mut claim, (true, true), now + RETRY, false), (None, Some(true)));
        assert_eq!(pass(&mut claim, (true, true), now + RETRY * 2, true), (Some(HOSTS), Some(true)));
    }
}
