//! The X11 screen: what [`Watch`] notices, read by [`Pixels`].

use std::time::Duration;

use x11rb::errors::ReplyError;

use super::{DesktopError, Watch, lost, pixels::Pixels};
use crate::{
    desktop::{Screen, Sight, View, Wake, capture::Options},
    protocol::screens::Choice,
    video::frame::{Damage, Frame},
};

/// How often the size may change between asking for it and reading the pixels.
const ATTEMPTS: usize = 8;

/// A screen read by DAMAGE and shared memory.
pub(in crate::desktop) struct X11Screen {
    watch: Watch,
    pixels: Pixels,
}

impl X11Screen {
    pub(in crate::desktop) fn open(options: &Options) -> Result<Self, DesktopError> {
        let watch = Watch::open(options)?;
        let pixels = Pixels::new(watch.display())?;
        Ok(Self { watch, pixels })
    }
}

impl Screen for X11Screen {
    fn view(&self) -> &View {
        self.watch.view()
    }

    fn show(&mut self, choice: Choice) -> Result<(), DesktopError> {
        self.watch.show(choice)
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Sight, DesktopError> {
        self.watch.wait(timeout)
    }

    fn grab(&mut self, frame: &mut Frame) -> Result<Damage, DesktopError> {
        for _ in 0..ATTEMPTS {
            let damage = self.watch.take_damage(frame)?;
            match self.pixels.read(self.watch.display(), self.watch.area(), &damage, frame) {
                Ok(()) => return Ok(damage),
                // The screen shrank since we asked for its size.
                Err(ReplyError::X11Error(_)) => self.watch.refresh()?,
                Err(error) => return Err(lost(error)),
            }
        }
        Err(lost("its pixels cannot be read"))
    }

    fn wake(&self) -> Wake {
        self.watch.waker()
    }
}
