//! Whether Caps Lock and Num Lock are on at the viewer's keyboard. `winit` does not tell, so X11 is asked directly, by the name of their
//! lights: the modifier that Num Lock is differs among layouts. Elsewhere nobody knows, and the keys themselves go to the host.

use winit::event_loop::ActiveEventLoop;

use crate::protocol::input::Locks;

/// Reads the locks.
pub(super) struct LockReader {
    #[cfg(target_os = "linux")]
    lights: Option<x11::Lights>,
}

impl LockReader {
    /// For the display that the window is on.
    pub(super) fn open(event_loop: &ActiveEventLoop) -> Self {
        #[cfg(target_os = "linux")]
        {
            use winit::platform::x11::ActiveEventLoopExtX11 as _;
            Self { lights: event_loop.is_x11().then(x11::Lights::open).flatten() }
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = event_loop;
            Self {}
        }
    }

    /// The locks now; `None` where they cannot be known. One round trip to the display.
    pub(super) fn read(&self) -> Option<Locks> {
        #[cfg(target_os = "linux")]
        return self.lights.as_ref()?.read().ok();
        #[cfg(not(target_os = "linux"))]
        None
    }
}

#[cfg(target_os = "linux")]
mod x11 {
    use x11rb::{
        errors::ReplyError,
        protocol::{
            xkb::{ConnectionExt as _, ID, LedClass},
            xproto::{Atom, ConnectionExt as _},
        },
        rust_connection::RustConnection,
    };

    use super::Locks;

    pub(super) struct Lights {
        x: RustConnection,
        caps: Atom,
        num: Atom,
    }

    impl Lights {
        pub(super) fn open() -> Option<Self> {
            let (x, _) = RustConnection::connect(None).ok()?;
            let setup = || -> Result<(Atom, Atom), ReplyError> {
                x.xkb_use_extension(1, 0)?.reply()?;
                let (caps, num) = (x.intern_atom(false, b"Caps Lock")?, x.intern_atom(false, b"Num Lock")?);
                Ok((caps.reply()?.atom, num.reply()?.atom))
            };
            let (caps, num) = setup().ok()?;
            Some(Self { x, caps, num })
        }

        pub(super) fn read(&self) -> Result<Locks, ReplyError> {
            let (keyboard, class, id) = (u16::from(ID::USE_CORE_KBD), LedClass::DFLT_XI_CLASS, u16::from(ID::DFLT_XI_ID));
            let ask = |light| self.x.xkb_get_named_indicator(keyboard, class, id, light);
            let (caps, num) = (ask(self.caps)?, ask(self.num)?);
            Ok(Locks { caps: caps.reply()?.on, num: num.reply()?.on })
        }
    }
}
