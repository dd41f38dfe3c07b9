//! A supporter's window on a host's screen.

use crate::{
    desktop::Notebook,
    support::{
        display::Display,
        image::Image,
        machine::{Host, Viewer},
        process::Process,
        until, until_true,
    },
};

/// The host's screen in pixels.
const SIZE: (u16, u16) = (640, 480);

/// A host with a notebook on its screen, and a supporter who drives it in a window that has the keyboard.
pub(crate) struct Scene {
    // The viewer goes before the displays.
    pub(crate) viewer: Viewer,
    pub(crate) host: Host,
    pub(crate) notebook: Notebook,
    /// The supporter's screen.
    pub(crate) desk: Display,
    /// The host's screen.
    pub(crate) machine: Display,
    _manager: Process,
    /// The supporter's window.
    pub(crate) window: u32,
}

impl Scene {
    /// `line` is added to the viewer's arguments.
    #[track_caller]
    pub(crate) fn start(line: &str) -> Self {
        let machine = Display::start(SIZE.0, SIZE.1);
        let notebook = Notebook::on(&machine);
        let desk = Display::start(1200, 900);
        let manager = desk.run_window_manager();
        let mut host = Host::on(&machine, "");
        let viewer = Viewer::window(&desk, &host.direct("tcp"), &host.password, line);
        host.accept();
        viewer.is_in_session();
        let window = desk.window(&host.id);
        let scene = Self { viewer, host, notebook, desk, machine, _manager: manager, window };
        scene.desk.focus(window);
        scene.drives();
        scene
    }

    /// Waits until what is done in the window goes to the host: its page before the session takes keys too.
    #[track_caller]
    pub(crate) fn drives(&self) {
        until_true("the window drives", || self.desk.title(self.window).contains("you are in control"));
    }

    /// The upper part of the host's screen, where the notebook is. The pointer, which the window draws too, is kept below it.
    fn shown(&self) -> Image {
        self.machine.picture().part(0, 0, SIZE.0.into(), 400)
    }

    /// Where the host's screen begins on the supporter's, once its picture is there.
    #[track_caller]
    pub(crate) fn origin(&self) -> (i16, i16) {
        self.desk.point(1, 1);
        self.machine.point(600, 450);
        let (x, y) = until("the window shows the host's screen, pixel for pixel", || self.desk.picture().find(&self.shown()));
        let small = |length| i16::try_from(length).expect("a screen is small");
        (small(x), small(y))
    }
}
