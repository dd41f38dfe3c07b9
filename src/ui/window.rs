//! The viewer's window: the host's screen, driven by mouse and keyboard.
//!
//! It opens at once and shows how being let in goes on. What lies over the picture (toolbar, chat, files, pages) is the
//! [`overlay`](super::overlay)'s; what is clicked or typed there stays here. Everything else goes to the host but seven chords:
//! Ctrl+Alt+F full screen, Ctrl+Alt+1 actual size (the part seen follows the pointer), Ctrl+Alt+S the host's next screen,
//! Ctrl+Alt+I the figures, Ctrl+Alt+C chat, Ctrl+Alt+T the toolbar, Ctrl+Alt+Q leave. A chord releases on the host what was held
//! for it. In full screen the desktop's own shortcuts go to the host too ([`grab`]). Keys travel by position and meaning
//! ([`super::typing`]), composed text as text. On losing focus or control everything held is released.
//!
//! Runs on the main thread (macOS demands it) and sleeps while nothing happens. A new picture wakes it and is on screen after
//! one turn of the event loop.

use std::{
    env,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use tokio::sync::mpsc;
use winit::{
    application::ApplicationHandler,
    dpi::{LogicalSize, PhysicalSize},
    event::{ElementState, MouseButton, MouseScrollDelta, WindowEvent},
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopBuilder, EventLoopProxy},
    keyboard::ModifiersState,
    window::{Fullscreen, Window, WindowId},
};

use self::grab::Shortcuts;
use super::{
    ViewerSeat,
    event::{TransferState, ViewerAction, ViewerEvent},
    hands::Hands,
    locks::LockReader,
    overlay::{Overlay, Side, Wish},
    picture::Picture,
    screenshot,
    stage::Stage,
    status::{Phase, Status},
};
use crate::{
    protocol::{
        input::{Button, InputEvent, KeyboardMode},
        permission::Permission,
    },
    video::frame::Size,
};

/// How much of the screen a picture that does not fit may take.
const MOST_OF_SCREEN: f64 = 0.85;
/// A wheel notch in pixels, for touch pads.
const NOTCH: f64 = 40.0;
/// When input waits for a busy session: how soon to try again.
const RETRY: Duration = Duration::from_millis(8);

/// How the window behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The host's ID; empty when the user is to choose one ([`ViewerEvent::HostWanted`]).
    pub id: String,
    /// What the user calls the host.
    pub name: Option<String>,
    /// How long an interruption may last.
    pub patience: Duration,
    /// Close at the end of the session rather than tell it and wait for the user.
    pub close_at_end: bool,
    /// How keys are understood at first.
    pub keyboard: KeyboardMode,
    /// Whether every picture was asked to be exact.
    pub lossless: bool,
}

/// Whether there seems to be a display for a window.
#[must_use]
pub fn has_display() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set)
}

/// Runs the window until the user closes it, or the session ends without a word for the user ([`ViewerSeat::events`] closes and no
/// [`ViewerEvent::SessionEnded`] came). Must be called on the main thread.
///
/// # Errors
/// There is no display, or the window cannot be drawn: one line says what to do.
pub fn run(seat: ViewerSeat, options: Options) -> anyhow::Result<()> {
    run_on(seat, options, EventLoop::with_user_event())
}

fn run_on(seat: ViewerSeat, options: Options, mut builder: EventLoopBuilder<Wake>) -> anyhow::Result<()> {
    let event_loop = builder.build().map_err(|error| anyhow!("there is no display for the window ({error}); use --view none"))?;
    let ViewerSeat { events, actions, picture } = seat;
    forward(events, event_loop.create_proxy())?;
    let told = Arc::new(AtomicBool::new(false));
    let (proxy, pending) = (event_loop.create_proxy(), told.clone());
    picture.on_change(Box::new(move || {
        // One wake-up is enough until it was taken; a closed loop needs none.
        if !pending.swap(true, Ordering::AcqRel) {
            let _ = proxy.send_event(Wake::Picture);
        }
    }));
    let mut face = Face::new(options, picture, told, actions);
    event_loop.run_app(&mut face)?;
    face.picture.on_change(Box::new(|| {}));
    face.failure.map_or(Ok(()), Err)
}

/// Passes the session's events on to the loop, on a thread that ends with either.
fn forward(mut events: mpsc::Receiver<ViewerEvent>, proxy: EventLoopProxy<Wake>) -> anyhow::Result<()> {
    thread::Builder::new().name("window-events".to_owned()).spawn(move || {
        while let Some(event) = events.blocking_recv() {
            if proxy.send_event(Wake::Event(event)).is_err() {
                return;
            }
        }
        let _ = proxy.send_event(Wake::Closed);
    })?;
    Ok(())
}

/// What wakes the loop from outside.
enum Wake {
    /// The picture or the pointer changed.
    Picture,
    /// Something happened.
    Event(ViewerEvent),
    /// Nothing more will.
    Closed,
}

struct Face {
    options: Options,
    status: Status,
    picture: Picture,
    /// Whether a [`Wake::Picture`] is on its way.
    told: Arc<AtomicBool>,
    actions: mpsc::Sender<ViewerAction>,
    hands: Hands,
    stage: Option<Stage>,
    /// There as soon as the stage is.
    overlay: Option<Overlay>,
    modifiers: ModifiersState,
    /// What is typed is for the overlay.
    typing: bool,
    keyboard: KeyboardMode,
    /// Since the window is open.
    locks: Option<LockReader>,
    shortcuts: Shortcuts,
    /// Where the local pointer is, while it is over the window.
    hand: Option<(f64, f64)>,
    /// The picture's size that the window was last made for.
    opened_for: Option<Size>,
    /// Whether there may be something to draw.
    stale: bool,
    failure: Option<anyhow::Error>,
    /// What happened before the window was there.
    early: Vec<ViewerEvent>,
}

impl ApplicationHandler<Wake> for Face {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        if self.stage.is_none() {
            match self.open(event_loop) {
                Ok(stage) => {
                    let mut overlay = Overlay::new(&stage.window, self.options.patience, self.options.lossless, self.keyboard);
                    // What happened before the window was there.
                    self.early.drain(..).for_each(|event| overlay.follow(&event, Instant::now()));
                    (self.stage, self.overlay) = (Some(stage), Some(overlay));
                    // A picture that came before the window woke nobody.
                    self.follow_size(event_loop);
                }
                Err(error) => self.fail(event_loop, error),
            }
        }
    }

    fn user_event(&mut self, event_loop: &ActiveEventLoop, wake: Wake) {
        match wake {
            Wake::Picture => {
                self.told.store(false, Ordering::Release);
                self.stale = true;
                self.follow_size(event_loop);
            }
            Wake::Event(event) => self.follow(event_loop, &event),
            Wake::Closed if self.status.is_over() && !self.options.close_at_end => {}
            Wake::Closed => event_loop.exit(),
        }
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        if self.chord(event_loop, &event) {
            return;
        }
        let taken = match (&self.stage, &mut self.overlay) {
            (Some(stage), Some(overlay)) => overlay.on_event(&stage.window, &event, Instant::now()),
            _ => false,
        };
        match event {
            WindowEvent::CloseRequested => self.leave(event_loop),
            WindowEvent::RedrawRequested | WindowEvent::Resized(_) | WindowEvent::ScaleFactorChanged { .. } => self.redraw(),
            WindowEvent::DroppedFile(file) => self.drop_file(file),
            WindowEvent::CursorMoved { position, .. } if taken => {
                self.hand = Some((position.x, position.y));
                self.stale = true;
                self.show_system_pointer();
            }
            WindowEvent::MouseInput { .. } | WindowEvent::MouseWheel { .. } | WindowEvent::Ime(_) if taken => {}
            WindowEvent::KeyboardInput { ref event, .. } if taken && event.state == ElementState::Pressed => {}
            WindowEvent::Focused(false) => self.hands.let_go(),
            WindowEvent::ModifiersChanged(modifiers) => self.modifiers = modifiers.state(),
            WindowEvent::KeyboardInput { event, .. } => self.key(event_loop, &event),
            WindowEvent::Ime(event) => self.composed(event),
            WindowEvent::CursorMoved { position, .. } => self.moved((position.x, position.y)),
            WindowEvent::CursorLeft { .. } => {
                self.hand = None;
                self.hands.point_away();
                self.stale = true;
            }
            WindowEvent::MouseInput { state, button, .. } => self.button(state == ElementState::Pressed, button),
            WindowEvent::MouseWheel { delta, .. } => match delta {
                MouseScrollDelta::LineDelta(x, y) => self.hands.turn(-f64::from(x), -f64::from(y)),
                MouseScrollDelta::PixelDelta(by) => self.hands.turn(-by.x / NOTCH, -by.y / NOTCH),
            },
            _ => {}
        }
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        let now = Instant::now();
        if self.status.expire(now) {
            self.redraw();
        }
        if self.status.phase == Phase::Running && self.status.board.asks(now) {
            self.hands.ask(ViewerAction::Stats);
        }
        self.turn_overlay(event_loop, now);
        self.follow_shortcuts(now);
        if self.stale && !event_loop.exiting() {
            self.stale = false;
            let driving = self.hands.in_control();
            if let (Some(stage), Some(overlay)) = (&mut self.stage, &mut self.overlay) {
                // Over the overlay the pointer is not the host's.
                let hand = self.hand.filter(|_| !overlay.has_pointer());
                if let Err(error) = stage.paint(&self.picture, &self.status, overlay, hand, driving) {
                    self.fail(event_loop, error);
                }
            }
        }
        let retry = (!self.hands.flush(&self.actions)).then(|| now + RETRY);
        let ask = self.status.board.ask_at().filter(|_| self.status.phase == Phase::Running);
        let overlay = self.overlay.as_ref().and_then(Overlay::due);
        let next = self.status.next_expiry().into_iter().chain(ask).chain(retry).chain(overlay).chain(self.shortcuts.due()).min();
        event_loop.set_control_flow(next.map_or(ControlFlow::Wait, ControlFlow::WaitUntil));
    }
}

impl Face {
    fn new(options: Options, picture: Picture, told: Arc<AtomicBool>, actions: mpsc::Sender<ViewerAction>) -> Self {
        Self {
            status: Status::new(options.id.clone(), options.name.clone()),
            keyboard: options.keyboard,
            locks: None,
            shortcuts: Shortcuts::default(),
            options,
            picture,
            told,
            actions,
            hands: Hands::new(),
            stage: None,
            overlay: None,
            modifiers: ModifiersState::empty(),
            typing: false,
            hand: None,
            opened_for: None,
            stale: false,
            failure: None,
            early: Vec::new(),
        }
    }

    fn open(&mut self, event_loop: &ActiveEventLoop) -> anyhow::Result<Stage> {
        let attributes =
            Window::default_attributes().with_title(self.status.title()).with_inner_size(LogicalSize::new(960.0, 600.0));
        let attributes = attributes.with_window_icon(icon::icon());
        let window = event_loop
            .create_window(attributes)
            .map_err(|error| anyhow!("cannot open a window on this display ({error}); use --view none"))?;
        window.set_ime_allowed(self.keyboard != KeyboardMode::Physical);
        self.locks = Some(LockReader::open(event_loop));
        let stage = Stage::new(window)?;
        self.stale = true;
        Ok(stage)
    }

    fn fail(&mut self, event_loop: &ActiveEventLoop, error: anyhow::Error) {
        self.failure.get_or_insert(error);
        self.leave(event_loop);
    }

    /// Lets go of everything, says good-bye, closes.
    fn leave(&mut self, event_loop: &ActiveEventLoop) {
        self.hands.let_go();
        self.hands.ask(ViewerAction::Quit);
        // What does not fit any more is told by the closing of the channel.
        self.hands.flush(&self.actions);
        event_loop.exit();
    }

    fn redraw(&mut self) {
        self.stale = true;
        self.stage.iter_mut().for_each(Stage::redraw_all);
    }

    /// The first picture, and each of another size, decides how large the window is.
    fn follow_size(&mut self, event_loop: &ActiveEventLoop) {
        let size = {
            let state = self.picture.lock();
            state.shown.then(|| state.frame.size())
        };
        let (Some(size), Some(stage)) = (size, &self.stage) else { return };
        if self.opened_for.replace(size) == Some(size) || stage.window.fullscreen().is_some() || stage.window.is_maximized() {
            return;
        }
        let monitor = stage.window.current_monitor().or_else(|| event_loop.primary_monitor());
        let wanted = wanted_size(size, monitor.map(|monitor| monitor.size()), stage.window.scale_factor());
        let _ = stage.window.request_inner_size(wanted);
        self.redraw();
    }

    fn follow(&mut self, event_loop: &ActiveEventLoop, event: &ViewerEvent) {
        self.status.chat_open = self.overlay.as_ref().is_some_and(Overlay::shows_chat);
        self.status.follow(event, Instant::now());
        match &mut self.overlay {
            Some(overlay) => overlay.follow(event, Instant::now()),
            None => self.early.push(event.clone()),
        }
        match event {
            // The stage sees by itself whether anything is to be drawn.
            ViewerEvent::Stats(_) => return self.stale = true,
            ViewerEvent::Picture { .. } => return self.show_title(),
            ViewerEvent::ChatDelivered { .. } => return,
            ViewerEvent::File(transfer) if matches!(transfer.state, TransferState::Running | TransferState::Paused) => return,
            ViewerEvent::Granted { permissions } | ViewerEvent::Permissions { permissions, .. } => self.hands.permit(*permissions),
            ViewerEvent::Control { holder } => self.hands.set_holder(*holder),
            ViewerEvent::SessionEnded { .. } | ViewerEvent::Failed { .. } if self.options.close_at_end => event_loop.exit(),
            _ => {}
        }
        self.hands.set_connected(self.status.phase == Phase::Running);
        self.show_title();
        self.show_system_pointer();
        self.redraw();
    }

    fn show_title(&self) {
        if let Some(stage) = &self.stage {
            stage.window.set_title(&self.status.title());
        }
    }

    /// Over the picture the host's pointer stands for the local one, when we drive and know its shape.
    fn show_system_pointer(&self) {
        let Some(stage) = &self.stage else { return };
        let area = stage.placement().area();
        let over = self.hand.is_some_and(|(x, y)| {
            (f64::from(area.x)..f64::from(area.x + area.width)).contains(&x)
                && (f64::from(area.y)..f64::from(area.y + area.height)).contains(&y)
        });
        let over = over && !self.overlay.as_ref().is_some_and(Overlay::has_pointer);
        let replaced = over && self.hands.in_control() && self.picture.lock().cursor.is_some();
        stage.window.set_cursor_visible(!replaced);
    }

    fn moved(&mut self, at: (f64, f64)) {
        self.hand = Some(at);
        self.stale = true;
        let size = self.picture.lock().frame.size();
        if let Some(stage) = &mut self.stage {
            stage.place(size, self.hand);
            let (x, y) = stage.placement().to_picture(at.0, at.1);
            self.hands.act(InputEvent::Motion { x, y });
        }
        self.show_system_pointer();
    }

    fn button(&mut self, down: bool, button: MouseButton) {
        let button = match button {
            MouseButton::Left => Button::Left,
            MouseButton::Middle => Button::Middle,
            MouseButton::Right => Button::Right,
            MouseButton::Back => Button::Back,
            MouseButton::Forward => Button::Forward,
            MouseButton::Other(_) => return,
        };
        self.hands.act(InputEvent::Button { button, down });
    }

    /// Lays the overlay out again if anything of it changed, and does what was asked for in it.
    fn turn_overlay(&mut self, event_loop: &ActiveEventLoop, now: Instant) {
        let (Some(stage), Some(overlay)) = (&self.stage, &mut self.overlay) else { return };
        let shown = self.picture.lock().shown;
        let wishes = overlay.turn(&stage.window, &self.status, stage.view(), shown, now);
        self.stale |= overlay.is_dirty();
        let typing = overlay.wants_keys();
        if std::mem::replace(&mut self.typing, typing) && !typing {
            // A field of egui's takes composing along when it closes.
            self.allow_composing();
        }
        wishes.into_iter().for_each(|wish| self.fulfil(event_loop, wish));
    }

    fn fulfil(&mut self, event_loop: &ActiveEventLoop, wish: Wish) {
        let (Some(stage), Some(overlay)) = (&mut self.stage, &mut self.overlay) else { return };
        match wish {
            Wish::Act(action) => self.hands.ask(action),
            Wish::Input(events) => events.into_iter().for_each(|event| self.hands.act(event)),
            Wish::ActualSize(actual_size) => {
                stage.show_actual_size(actual_size);
                self.redraw();
            }
            Wish::FullScreen => {
                let full = stage.window.fullscreen().is_none().then_some(Fullscreen::Borderless(None));
                stage.window.set_fullscreen(full);
                self.redraw();
            }
            Wish::Figures => {
                self.status.board.toggle(Instant::now());
                overlay.set_figures(self.status.board.drawn().0.is_some());
                // Only its own corner is drawn.
                self.stale = true;
            }
            Wish::Screenshot => self.hands.ask(ViewerAction::Screenshot(screenshot::place(self.status.id()))),
            Wish::Keyboard(mode) => self.set_keyboard(mode),
            Wish::Side(side) => overlay.open(&stage.window, side),
            Wish::Leave => self.leave(event_loop),
        }
    }

    /// Something for the user to read.
    fn tell(&mut self, text: &str) {
        self.status.note(text.to_owned(), Instant::now());
        self.redraw();
    }

    /// A file was dropped on the window.
    fn drop_file(&mut self, file: PathBuf) {
        if !self.status.may(Permission::Files) {
            return self.tell("Nothing was sent: the person at the machine has not allowed files.");
        }
        self.hands.ask(ViewerAction::Send(vec![file]));
        if let (Some(stage), Some(overlay)) = (&self.stage, &mut self.overlay) {
            overlay.open(&stage.window, Some(Side::Files));
        }
    }
}

/// The picture's own size if the monitor has room for it, or a multiple of it on a dense one (`dense` is its scale factor), else scaled
/// to [`MOST_OF_SCREEN`].
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a screen's size")]
fn wanted_size(picture: Size, monitor: Option<PhysicalSize<u32>>, dense: f64) -> PhysicalSize<u32> {
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    let most = monitor.map_or(1.0, |monitor| {
        let scale = f64::from(monitor.width) / width;
        scale.min(f64::from(monitor.height) / height)
    });
    let multiple = dense.min(most * MOST_OF_SCREEN).floor().max(1.0);
    let scale = if most > 1.0 || monitor.is_none() { multiple } else { most * MOST_OF_SCREEN };
    PhysicalSize::new((width * scale).max(1.0) as u32, (height * scale).max(1.0) as u32)
}

mod grab;
mod icon;
mod keys;
#[cfg(test)]
mod tests;
