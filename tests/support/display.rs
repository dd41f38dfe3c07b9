//! A private X display; `keys` has what is typed and clicked there.
//!
//! [`Display::start`] runs Xvfb on a free display number (`-displayfd`). What the methods type and click comes from XTEST: that is
//! right for the *supporter's* display, where a person uses a window. On the *host's* display XTEST is what `rs` itself uses, so the
//! host's person is [`Display::person`], who has a mouse of their own.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use x11rb::{
    connection::Connection,
    properties::WmSizeHints,
    protocol::{
        randr::{self, ConnectionExt as _},
        xproto::{
            self, AtomEnum, ClientMessageEvent, ConfigureWindowAux, ConnectionExt as _, EventMask, ImageFormat, InputFocus,
            KeyButMask, KeyPressEvent, MapState, Window,
        },
    },
    rust_connection::RustConnection,
};

use super::{
    image::{Colour, Image},
    physical::Physical,
    process::Process,
    until, until_true,
};

mod keys;

/// A display. Dropping it ends the server, and with it every program on it.
pub(crate) struct Display {
    // Before the server: the connection is closed first.
    connection: RustConnection,
    screen: usize,
    name: String,
    /// `None` for a display that somebody else runs.
    server: Option<Process>,
}

impl Display {
    /// Starts a display of this size in pixels, 24 bits deep.
    ///
    /// # Panics
    /// In one line, when there is no Xvfb.
    pub(crate) fn start(width: u16, height: u16) -> Self {
        Self::of_depth(width, height, 24)
    }

    /// The same, with so many bits a pixel.
    pub(crate) fn of_depth(width: u16, height: u16, depth: u8) -> Self {
        let size = format!("{width}x{height}x{depth}");
        Self::run_by("Xvfb", &["-screen", "0", &size, "-noreset", "-nolisten", "tcp", "+extension", "RANDR"])
    }

    /// A display that can grow beyond the size it started with, by TigerVNC's server.
    pub(crate) fn that_grows(width: u16, height: u16) -> Self {
        let size = format!("{width}x{height}");
        // No port: it listens on a socket that nobody uses.
        Self::run_by("Xtigervnc", &["-geometry", &size, "-depth", "24", "-rfbport", "-1", "-SecurityTypes", "None", "-noreset"])
    }

    /// By any X server that chooses its number and tells it.
    fn run_by(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(["-displayfd", "1"]).args(arguments);
        let mut server = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
        let output = server.child().stdout.take().expect("it was piped");
        let mut number = String::new();
        BufReader::new(output).read_line(&mut number).expect("a server's output can be read");
        assert!(!number.trim().is_empty(), "{program} did not start a display: {arguments:?}");
        let name = format!(":{}", number.trim());
        let (connection, screen) = RustConnection::connect(Some(&name)).expect("a started display takes connections");
        Self { connection, screen, name, server: Some(server) }
    }

    /// The X display that the person who runs this sits at, if there is one. (An X server inside Wayland does not count: what
    /// is typed by XTEST does not arrive there.)
    pub(crate) fn of_this_person() -> Option<Self> {
        let name = std::env::var("DISPLAY").ok().filter(|_| std::env::var_os("WAYLAND_DISPLAY").is_none())?;
        let (connection, screen) = RustConnection::connect(Some(&name)).ok()?;
        Some(Self { connection, screen, name, server: None })
    }

    /// Whether this is a display of our own.
    pub(crate) fn is_private(&self) -> bool {
        self.server.is_some()
    }

    /// What belongs into `DISPLAY`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The person in front of this display.
    pub(crate) fn person(&self) -> Physical<'_> {
        Physical::of(&self.connection)
    }

    /// A command that will show its windows here and sees nothing else of the environment's display.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.name).env_remove("WAYLAND_DISPLAY");
        if self.is_private() {
            command.env_remove("XAUTHORITY");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts a program here.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Process {
        Process::start(self.command(program).args(arguments))
    }

    /// Starts the window manager and waits until it manages.
    #[track_caller]
    pub(crate) fn run_window_manager(&self) -> Process {
        let manager = self.run("openbox", &["--sm-disable"]);
        // It says that it is there before it manages, and a window that is mapped between both is nobody's: so a window is tried.
        let (trial, like_root) = (self.connection.generate_id().expect("numbers are left"), x11rb::COPY_DEPTH_FROM_PARENT);
        let (class, none) = (xproto::WindowClass::INPUT_OUTPUT, &xproto::CreateWindowAux::new());
        self.connection
            .create_window(like_root, trial, self.root(), 0, 0, 1, 1, 0, class, x11rb::COPY_FROM_PARENT, none)
            .expect("the display takes requests");
        until_true("openbox manages the display", || {
            self.connection.map_window(trial).expect("the display takes requests").check().expect("it is ours");
            self.windows_of(self.root(), "_NET_SUPPORTING_WM_CHECK").is_some()
                && self.windows_of(self.root(), "_NET_CLIENT_LIST") == Some(trial)
        });
        self.connection.destroy_window(trial).expect("the display takes requests");
        until_true("the trial is over", || self.windows_of(self.root(), "_NET_CLIENT_LIST").is_none());
        manager
    }

    // What there is.

    fn root(&self) -> Window {
        self.connection.setup().roots[self.screen].root
    }

    /// The size now, in pixels.
    pub(crate) fn size(&self) -> (u16, u16) {
        self.geometry(self.root()).map(|(_, _, width, height)| (width, height)).expect("a display has a root window")
    }

    /// Place on the screen and size of a window; `None` when it is gone.
    pub(crate) fn geometry(&self, window: Window) -> Option<(i16, i16, u16, u16)> {
        let geometry = self.connection.get_geometry(window).ok()?.reply().ok()?;
        let place = self.connection.translate_coordinates(window, self.root(), 0, 0).ok()?.reply().ok()?;
        Some((place.dst_x, place.dst_y, geometry.width, geometry.height))
    }

    /// The size that a window that cannot be resized asks for; `None` when it does not, or is gone.
    pub(crate) fn wanted_size(&self, window: Window) -> Option<(i32, i32)> {
        WmSizeHints::get_normal_hints(&self.connection, window).ok()?.reply().ok()??.min_size
    }

    /// The visible window with this text in its title or class, or `None`.
    pub(crate) fn find_window(&self, text: &str) -> Option<Window> {
        self.tree(self.root()).into_iter().find(|window| {
            self.is_visible(*window)
                && [self.title(*window), self.property(*window, AtomEnum::WM_CLASS.into())].iter().any(|name| name.contains(text))
        })
    }

    /// Waits for [`Self::find_window`].
    #[track_caller]
    pub(crate) fn window(&self, text: &str) -> Window {
        until(&format!("a window called \"{text}\""), || self.find_window(text))
    }

    /// The title of a window, empty when it has none.
    pub(crate) fn title(&self, window: Window) -> String {
        let modern = self.property(window, self.atom("_NET_WM_NAME"));
        if modern.is_empty() { self.property(window, AtomEnum::WM_NAME.into()) } else { modern }
    }

    /// All that a screen shows.
    pub(crate) fn picture(&self) -> Image {
        let (width, height) = self.size();
        self.area(0, 0, width, height)
    }

    /// What a window shows; `None` when it is gone or not wholly on the screen.
    pub(crate) fn picture_of(&self, window: Window) -> Option<Image> {
        let (_, _, width, height) = self.geometry(window)?;
        self.read(window, 0, 0, width, height)
    }

    /// The colour of one pixel.
    pub(crate) fn pixel(&self, x: i16, y: i16) -> Colour {
        self.area(x, y, 1, 1).pixels[0]
    }

    fn area(&self, x: i16, y: i16, width: u16, height: u16) -> Image {
        self.read(self.root(), x, y, width, height).expect("the area is on the screen")
    }

    fn read(&self, window: Window, x: i16, y: i16, width: u16, height: u16) -> Option<Image> {
        let bgrx = self.connection.get_image(ImageFormat::Z_PIXMAP, window, x, y, width, height, !0).ok()?.reply().ok()?.data;
        let pixels = bgrx.chunks_exact(4).map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        Some(Image { width: width.into(), height: height.into(), pixels })
    }

    /// Where the pointer is.
    pub(crate) fn pointer(&self) -> (i16, i16) {
        let pointer =
            self.connection.query_pointer(self.root()).expect("the display takes requests").reply().expect("there is a pointer");
        (pointer.root_x, pointer.root_y)
    }

    /// Whether a pointer button is held.
    pub(crate) fn holds_a_button(&self) -> bool {
        let pointer =
            self.connection.query_pointer(self.root()).expect("the display takes requests").reply().expect("there is a pointer");
        pointer.mask.intersects(xproto::KeyButMask::BUTTON1 | xproto::KeyButMask::BUTTON2 | xproto::KeyButMask::BUTTON3)
    }

    /// The key codes held down now.
    pub(crate) fn held_keys(&self) -> HashSet<u8> {
        let held = self.connection.query_keymap().expect("the display takes requests").reply().expect("there is a keyboard").keys;
        (0..=u8::MAX).filter(|code| held[usize::from(code / 8)] & (1 << (code % 8)) != 0).collect()
    }

    /// Whether Caps Lock and Num Lock are on, as layouts have them: Num Lock is the second modifier.
    pub(crate) fn locks(&self) -> (bool, bool) {
        let pointer =
            self.connection.query_pointer(self.root()).expect("the display takes requests").reply().expect("there is a pointer");
        (pointer.mask.contains(xproto::KeyButMask::LOCK), pointer.mask.contains(xproto::KeyButMask::MOD2))
    }

    /// Gives a window the keyboard, and waits until it has it.
    #[track_caller]
    pub(crate) fn focus(&self, window: Window) {
        self.activate(window);
        until_true("the window has the keyboard", || {
            if self.has_focus(window) {
                return true;
            }
            let _ = self.connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).map(|sent| sent.check());
            false
        });
    }

    /// Whether a window, or one inside it, has the keyboard.
    pub(crate) fn has_focus(&self, window: Window) -> bool {
        let focus = self.connection.get_input_focus().expect("the display takes requests").reply().expect("there is a focus").focus;
        self.tree(window).contains(&focus)
    }

    /// Whether a program has the keyboard to itself (`GrabKeyboard`).
    pub(crate) fn keyboard_is_grabbed(&self) -> bool {
        let (now, mode) = (x11rb::CURRENT_TIME, xproto::GrabMode::ASYNC);
        let grab = self.connection.grab_keyboard(true, self.root(), now, mode, mode).expect("the display takes requests");
        let free = grab.reply().expect("there is a keyboard").status == xproto::GrabStatus::SUCCESS;
        if free {
            self.connection.ungrab_keyboard(now).expect("the display takes requests").check().expect("it was ours");
        }
        !free
    }

    /// Asks the window manager to close a window, as a click on its cross does (EWMH `_NET_CLOSE_WINDOW`).
    pub(crate) fn close(&self, window: Window) {
        self.tell_manager(window, "_NET_CLOSE_WINDOW", [x11rb::CURRENT_TIME, 2, 0, 0, 0]);
    }

    /// Takes a window away from the program that it belongs to, as `xdotool windowclose` does.
    pub(crate) fn destroy(&self, window: Window) {
        self.connection.destroy_window(window).expect("the display takes requests").check().expect("the window is there");
    }

    /// Sends a window a press and a release of a key, as `xdotool key --window` does: no key goes down.
    pub(crate) fn send_key(&self, window: Window, keycode: u8) {
        for (response_type, mask) in
            [(xproto::KEY_PRESS_EVENT, EventMask::KEY_PRESS), (xproto::KEY_RELEASE_EVENT, EventMask::KEY_RELEASE)]
        {
            let event = KeyPressEvent {
                response_type,
                detail: keycode,
                sequence: 0,
                time: x11rb::CURRENT_TIME,
                root: self.root(),
                event: window,
                child: x11rb::NONE,
                root_x: 0,
                root_y: 0,
                event_x: 0,
                event_y: 0,
                state: KeyButMask::default(),
                same_screen: true,
            };
            let sent = self.connection.send_event(false, window, mask, event);
            sent.expect("the display takes requests").check().expect("the window is there");
        }
    }

    /// Moves and sizes a window.
    pub(crate) fn place(&self, window: Window, x: i32, y: i32, width: u32, height: u32) {
        let place = ConfigureWindowAux::new().x(x).y(y).width(width).height(height);
        self.connection.configure_window(window, &place).expect("the display takes requests").check().expect("the window is there");
    }

    /// Gives the screen another size, at most the one it started with, as a person does in the display settings.
    pub(crate) fn resize(&self, width: u16, height: u16) {
        self.try_resize(width, height).expect("the display has RANDR 1.2 and takes the size");
        until_true("the screen has the new size", || self.size() == (width, height));
    }

    /// Makes a monitor of a part of the screen, as a person does with `xrandr --setmonitor`; a `*` before its name makes it primary.
    /// The first one takes the server's output, `screen`; the others have `none`.
    #[track_caller]
    pub(crate) fn set_monitor(&self, name: &str, (x, y, width, height): (u16, u16, u16, u16), output: &str) {
        self.xrandr(&["--setmonitor", name, &format!("{width}/100x{height}/100+{x}+{y}"), output]);
    }

    /// Runs `xrandr` here.
    #[track_caller]
    pub(crate) fn xrandr(&self, arguments: &[&str]) {
        let status = self.command("xrandr").args(arguments).status().expect("xrandr runs");
        assert!(status.success(), "xrandr {arguments:?}");
    }

    fn try_resize(&self, width: u16, height: u16) -> Result<(), x11rb::errors::ReplyOrIdError> {
        let (root, none) = (self.root(), x11rb::NONE);
        let resources = self.connection.randr_get_screen_resources(root)?.reply()?;
        let (crtc, output) = (resources.crtcs[0], resources.outputs[0]);
        let known = resources.modes.iter().find(|mode| (mode.width, mode.height) == (width, height));
        let mode = match known {
            Some(mode) => mode.id,
            None => {
                let name = format!("{width}x{height}");
                let name_len = u16::try_from(name.len()).unwrap_or_default();
                let mode = randr::ModeInfo { width, height, name_len, ..Default::default() };
                self.connection.randr_create_mode(root, mode, name.as_bytes())?.reply()?.mode
            }
        };
        self.connection.randr_add_output_mode(output, mode)?.check()?;
        let _grab = self.connection.grab_server()?;
        let rotation = randr::Rotation::ROTATE0;
        let now = x11rb::CURRENT_TIME;
        self.connection.randr_set_crtc_config(crtc, now, now, 0, 0, none, rotation, &[])?.reply()?;
        self.connection.randr_set_screen_size(root, width, height, u32::from(width) / 4, u32::from(height) / 4)?.check()?;
        self.connection.randr_set_crtc_config(crtc, now, now, 0, 0, mode, rotation, &[output])?.reply()?;
        self.connection.ungrab_server()?.check()?;
        Ok(())
    }

    // Parts.

    fn is_visible(&self, window: Window) -> bool {
        let attributes = self.connection.get_window_attributes(window).ok().and_then(|cookie| cookie.reply().ok());
        attributes.is_some_and(|attributes| attributes.map_state == MapState::VIEWABLE)
    }

    /// A window and all inside it; windows that vanish meanwhile are left out.
    fn tree(&self, window: Window) -> Vec<Window> {
        let children = self.connection.query_tree(window).ok().and_then(|cookie| cookie.reply().ok()).map(|tree| tree.children);
        std::iter::once(window).chain(children.unwrap_or_default().into_iter().flat_map(|child| self.tree(child))).collect()
    }

    fn atom(&self, name: &str) -> xproto::Atom {
        self.connection
            .intern_atom(false, name.as_bytes())
            .expect("the display takes requests")
            .reply()
            .expect("atoms are cheap")
            .atom
    }

    fn property(&self, window: Window, property: xproto::Atom) -> String {
        let value = self
            .connection
            .get_property(false, window, property, AtomEnum::ANY, 0, 256)
            .ok()
            .and_then(|cookie| cookie.reply().ok());
        value.map(|value| String::from_utf8_lossy(&value.value).into_owned()).unwrap_or_default()
    }

    fn windows_of(&self, window: Window, property: &str) -> Option<Window> {
        let value = self.connection.get_property(false, window, self.atom(property), AtomEnum::WINDOW, 0, 1).ok()?.reply().ok()?;
        value.value32()?.next()
    }

    /// Asks the window manager, if there is one, to raise a window and give it the keyboard (EWMH `_NET_ACTIVE_WINDOW`).
    fn activate(&self, window: Window) {
        self.tell_manager(window, "_NET_ACTIVE_WINDOW", [2, x11rb::CURRENT_TIME, 0, 0, 0]); // 2: asked by the user
    }

    fn tell_manager(&self, window: Window, what: &str, data: [u32; 5]) {
        let message = ClientMessageEvent::new(32, window, self.atom(what), data);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        let sent = self.connection.send_event(false, self.root(), mask, message);
        sent.expect("the display takes requests").check().expect("the root window takes messages");
    }
}

/// Names of keys that give no sign (keysymdef.h).
pub(crate) mod keysym {
    /// Caps Lock.
    pub(crate) const CAPS_LOCK: u32 = 0xffe5;
    /// Num Lock.
    pub(crate) const NUM_LOCK: u32 = 0xff7f;
    /// Enter.
    pub(crate) const RETURN: u32 = 0xff0d;
    /// The left Shift key.
    pub(crate) const SHIFT: u32 = 0xffe1;
    /// The left Control key.
    pub(crate) const CONTROL: u32 = 0xffe3;
    /// The left Alt key.
    pub(crate) const ALT: u32 = 0xffe9;
    /// F4.
    pub(crate) const F4: u32 = 0xffc1;
}
