//! The `scrap` backend on X11: its pixels, but never its word.
//!
//! Rules (each from a measured failure of scrap 0.5 on X11):
//! - Our own [`Watch`] tells when something changed and how large the screen is; scrap's `Ok` may be an old or black picture.
//! - Its rectangle comes from us: scrap's own list of displays reads freed memory.
//! - After each change of the area the capturer is made anew: after a shrink it shows the old picture for ever.
//! - Its SysV segment is open to every user and outlives a crash: once the server has it, it is closed and marked for removal.

use std::{ffi::CString, fs, rc::Rc, time::Duration};

use scrap::x11::{Capturer, Rect as ScrapRect, Server};

use super::{
    DesktopError, Screen, Sight, View, Wake,
    capture::Options,
    x11::{Area, Watch},
};
use crate::{
    protocol::screens::Choice,
    video::frame::{Damage, Frame, clear_x},
};

/// A screen whose pixels come from `scrap`.
pub(super) struct ScrapScreen {
    watch: Watch,
    server: Rc<Server>,
    capturer: Option<(Area, Capturer)>,
}

impl ScrapScreen {
    pub(super) fn open(options: &Options) -> Result<Self, DesktopError> {
        let watch = Watch::open(options)?;
        watch.require_shared_pixels()?;
        let server = connect(options.x_display.as_deref())?;
        Ok(Self { watch, server: Rc::new(server), capturer: None })
    }

    /// The newest picture of `area`, rows without padding.
    fn pixels(&mut self, area: Area) -> Result<&[u8], DesktopError> {
        if self.capturer.as_ref().is_none_or(|(captured, _)| *captured != area) {
            self.capturer = None; // frees the old one's memory first
            self.capturer = Some((area, capturer(&self.server, self.watch.display().root, area)?));
        }
        match &mut self.capturer {
            Some((_, capturer)) => Ok(capturer.frame()),
            None => Err(failed("no capturer")),
        }
    }
}

impl Screen for ScrapScreen {
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
        let damage = self.watch.take_damage(frame)?;
        if damage.is_empty() {
            return Ok(damage);
        }
        let stride = frame.stride();
        let pixels = self.pixels(self.watch.area())?;
        for rect in damage.rects() {
            for y in rect.y..rect.y + rect.height {
                let start = usize::from(y) * stride + usize::from(rect.x) * 4;
                let row = frame.row_mut(rect.x, y, rect.width);
                row.copy_from_slice(&pixels[start..start + usize::from(rect.width) * 4]);
                clear_x(row);
            }
        }
        Ok(damage)
    }

    fn wake(&self) -> Wake {
        self.watch.waker()
    }
}

fn connect(name: Option<&str>) -> Result<Server, DesktopError> {
    let name = name.map(CString::new).transpose().map_err(failed)?;
    let server = Server::connect(name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr().cast()));
    server.map_err(|error| failed(format!("{error:?}")))
}

#[expect(unsafe_code, reason = "scrap's constructor for a given rectangle is unsafe")]
fn capturer(server: &Rc<Server>, root: u32, area: Area) -> Result<Capturer, DesktopError> {
    let rect = ScrapRect { x: area.x, y: area.y, w: area.size.width, h: area.size.height };
    // SAFETY: `root` is the root window of the same X server's screen and `area` lies in it; scrap only stores them and sends them in
    // requests, whose buffer it sizes by `rect`.
    let display = unsafe { scrap::x11::Display::new(Rc::clone(server), true, rect, root) };
    let mut capturer = Capturer::new(display).map_err(failed)?;
    // Waits until the server answers, so that it has attached the segment.
    capturer.frame();
    seal(area.size.pixels() * 4 * 2);
    Ok(capturer)
}

/// Closes scrap's segment (of `len` bytes) to other users, and has it removed when the last one detaches.
fn seal(len: usize) {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let me = std::process::id().to_string();
    let mut columns = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let Some(head) = columns.next() else { return };
    let column = |name| head.iter().position(|title| *title == name);
    let (Some(id), Some(size), Some(creator)) = (column("shmid"), column("size"), column("cpid")) else { return };
    let len = len.to_string();
    for row in columns.filter(|row| row.get(creator) == Some(&me.as_str()) && row.get(size) == Some(&len.as_str())) {
        if let Some(id) = row.get(id).and_then(|id| id.parse().ok()) {
            close_segment(id);
        }
    }
}

#[expect(unsafe_code, reason = "SysV shared memory has no safe interface")]
fn close_segment(id: i32) {
    // SAFETY: a plain C struct of numbers, for which zero is a value; the calls read and write only it. Removal takes effect when the
    // last process detaches, so the mappings of scrap and of the server stay valid.
    unsafe {
        let mut segment: libc::shmid_ds = std::mem::zeroed();
        if libc::shmctl(id, libc::IPC_STAT, &raw mut segment) == 0 {
            segment.shm_perm.mode = 0;
            libc::shmctl(id, libc::IPC_SET, &raw mut segment);
        }
        libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut());
    }
}

fn failed(error: impl std::fmt::Display) -> DesktopError {
    DesktopError(format!("scrap cannot read the screen ({error}); use --capture x11"))
}
