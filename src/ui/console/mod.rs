//! The viewer in a terminal: the host's screen in whatever the terminal can show, driven by its mouse and keyboard.
//!
//! Until the host lets us in, what happens is told in lines; a password is asked for there. Then the picture fills the window,
//! above a panel (chat or figures, when open) and a status line. It is shown by kitty's graphics, else by sixels, else by half
//! blocks ([`detect`] asks the terminal). Only what changed is sent, in a synchronised update, and the next frame when the
//! terminal has taken the one before ([`pace`]): behind a slow line the picture comes more rarely, but is never an old one.
//!
//! | after Ctrl+] | |
//! |---|---|
//! | `q` | leaves |
//! | `c` | opens the chat: Enter sends, Escape closes |
//! | `s` | the host's next screen |
//! | `f` | between all of the screen and its actual size; the part seen follows the mouse |
//! | `i` | figures |
//! | `a`, `r` | takes or refuses the file that is offered |
//! | `k` | Ctrl+Alt+Del on the host |
//! | `l` | draws everything anew |
//! | `]` | Ctrl+] on the host |
//!
//! Everything else goes to the host, Ctrl+C too ([`fingers`]). Nothing that a host sends gets to the terminal as it is: its
//! pictures pass encoders that write numbers, base64 and sixels, its words [`super::words::plain`]. The terminal is put back
//! whatever way this ends ([`tty`]).

mod blocks;
mod cells;
mod detect;
mod fingers;
mod kitty;
mod pace;
mod parse;
mod sixel;
mod surface;
mod text;
mod told;
mod tty;

use std::{
    future::pending,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, mpsc};

use self::{
    detect::{Ability, Form},
    fingers::Fingers,
    pace::Pace,
    parse::{Answer, Kind, Modifiers, Mouse, Name, Parser, Stroke, Told, What},
    surface::Surface,
    text::Lines,
    told::{PREFIX, Words},
    tty::Tty,
};
use super::{
    ViewerSeat,
    event::{Show, ViewerAction, ViewerEvent},
    hands::Hands,
    keymap,
    lines::{pieces, tell},
    picture::Picture,
    status::Phase,
    words,
};
use crate::protocol::message::MAX_CHAT;

/// From a frame to the next one at least: half blocks and sixels are many bytes, and nobody reads faster.
const INTERVAL: Duration = Duration::from_millis(50);
/// The same where pictures are compressed.
const KITTY_INTERVAL: Duration = Duration::from_millis(33);
/// What comes later than this after an Escape does not belong to it.
const ESCAPE: Duration = Duration::from_millis(40);
/// When input waits for a busy session: how soon to try again.
const RETRY: Duration = Duration::from_millis(8);

/// Whether stdin and stdout are a terminal that can show pictures.
///
/// # Errors
/// One line that says what to use instead.
pub fn check() -> anyhow::Result<()> {
    tty::check()
}

/// Runs the viewer in the terminal until the user leaves, or the session is over and they have read why.
///
/// # Errors
/// The terminal cannot be read or written.
pub async fn run(mut seat: ViewerSeat, id: String) -> anyhow::Result<()> {
    let mut words = Words::new(id);
    loop {
        let Some(event) = seat.events.recv().await else { return Ok(()) };
        words.follow(&event, Instant::now());
        if let ViewerEvent::Granted { permissions } = event {
            let mut hands = Hands::new();
            hands.permit(permissions);
            hands.set_connected(true);
            return show(seat, words, hands).await;
        }
        tell(&mut io::stdout(), &words::viewed(&event));
    }
}

/// Takes the terminal over, and leaves it with one line that says how the session ended.
async fn show(seat: ViewerSeat, words: Words, hands: Hands) -> anyhow::Result<()> {
    let ViewerSeat { mut events, actions, picture } = seat;
    let mut tty = Tty::open()?;
    let result = async {
        let (ability, parser, typed) = ask(&mut tty).await?;
        let mut face = Face::new(&ability, parser, words, hands, picture.clone(), actions);
        typed.into_iter().for_each(|told| face.take(told));
        face.run(&mut tty, &mut events).await.map(|()| face.ended)
    }
    .await;
    picture.on_change(Box::new(|| {}));
    tty.close().await;
    // The seat's actions are closed by now: whoever left without the end of the session hears of it here.
    let mut ended = result?;
    while ended.is_none()
        && let Some(event) = events.recv().await
    {
        ended = Some(event).filter(|event| matches!(event, ViewerEvent::SessionEnded { .. }));
    }
    ended.iter().for_each(|event| tell(&mut io::stdout(), &words::viewed(event)));
    Ok(())
}

/// Asks the terminal what it can. What was typed meanwhile is handed back.
async fn ask(tty: &mut Tty) -> anyhow::Result<(Ability, Parser, Vec<Told>)> {
    let (mut ability, mut parser, mut typed) = (Ability::default(), Parser::default(), Vec::new());
    write(tty, detect::questions(&std::env::var("TERM").unwrap_or_default())).await?;
    let answers = async {
        while !ability.complete {
            let Some(bytes) = tty.input.recv().await else { return };
            for told in parser.feed(&bytes) {
                match told {
                    Told::Answer(answer) => ability.follow(answer),
                    other => typed.push(other),
                }
            }
        }
    };
    // One that does not answer at all shows half blocks.
    let _ = tokio::time::timeout(detect::PATIENCE, answers).await;
    if let Ok(window) = crossterm::terminal::window_size() {
        ability.measure((window.columns, window.rows), (window.width, window.height));
    }
    let mut modes = b"\x1b[2J".to_vec();
    if ability.pixel_mouse && ability.cell().is_some() {
        modes.extend_from_slice(tty::PIXEL_MOUSE);
    }
    if ability.key_ups {
        tty.has_key_ups();
        modes.extend_from_slice(tty::KEY_UPS);
    }
    if ability.form(true) == Form::Kitty {
        tty.has_images();
    }
    write(tty, modes).await?;
    Ok((ability, parser, typed))
}

/// Writes when what was written before is out.
async fn write(tty: &mut Tty, bytes: Vec<u8>) -> anyhow::Result<()> {
    if !tty.send(bytes.clone()) {
        tty.written.recv().await.transpose()?;
        tty.send(bytes);
    }
    tty.written.recv().await.transpose()?;
    Ok(())
}

struct Face {
    words: Words,
    hands: Hands,
    fingers: Fingers,
    parser: Parser,
    picture: Picture,
    actions: mpsc::Sender<ViewerAction>,
    surface: Surface,
    lines: Lines,
    pace: Pace,
    /// Pixels of the picture for one unit of the mouse's places, and how far into it the mouse is.
    mouse_scale: (f64, f64, f64),
    /// The window in cells.
    window: (u16, u16),
    /// The rows below the picture now.
    below: u16,
    /// The headline that is shown instead of the picture.
    headline: Option<(String, String)>,
    /// Where the mouse is, in pixels of the picture as shown.
    hand: Option<(f64, f64)>,
    /// The whole window must be written anew.
    whole: bool,
    /// There may be something to send.
    stale: bool,
    leaving: bool,
    ended: Option<ViewerEvent>,
}

impl Face {
    fn new(
        ability: &Ability,
        parser: Parser,
        words: Words,
        hands: Hands,
        picture: Picture,
        actions: mpsc::Sender<ViewerAction>,
    ) -> Self {
        let truecolor = std::env::var("COLORTERM").is_ok_and(|value| matches!(value.as_str(), "truecolor" | "24bit"));
        let form = ability.form(truecolor);
        let cell = ability.pixels(form);
        let (width, height) = (f64::from(cell.0), f64::from(cell.1));
        let mouse_scale = match ability.cell() {
            Some(real) if ability.pixel_mouse => (width / f64::from(real.0), height / f64::from(real.1), 0.0),
            _ => (width, height, 0.5),
        };
        Self {
            words,
            hands,
            fingers: Fingers::new(ability.key_ups),
            parser,
            picture,
            actions,
            surface: Surface::new(form, cell),
            lines: Lines::default(),
            pace: Pace::new(if form == Form::Kitty { KITTY_INTERVAL } else { INTERVAL }),
            mouse_scale,
            window: (0, 0),
            below: 0,
            headline: None,
            hand: None,
            whole: true,
            stale: true,
            leaving: false,
            ended: None,
        }
    }

    async fn run(&mut self, tty: &mut Tty, events: &mut mpsc::Receiver<ViewerEvent>) -> anyhow::Result<()> {
        let changed = Arc::new(Notify::new());
        let notify = changed.clone();
        self.picture.on_change(Box::new(move || notify.notify_one()));
        let mut signals = Signals::new()?;
        let mut open = true;
        while !self.leaving && tty.is_ours() {
            let now = Instant::now();
            self.stale |= self.words.status.expire(now);
            if self.words.status.phase == Phase::Running && self.words.status.board.asks(now) {
                self.hands.ask(ViewerAction::Stats);
            }
            let all_went = self.hands.flush(&self.actions);
            if self.stale && self.pace.is_free(now) {
                self.stale = false;
                let frame = self.frame()?;
                if !frame.is_empty() && tty.send(frame) {
                    self.pace.sent(now);
                }
            }
            let escape = self.parser.is_waiting();
            let wake = self.wake_at(now, all_went, escape);
            tokio::select! {
                event = events.recv(), if open => match event {
                    Some(event) => self.follow(event),
                    None => open = false,
                },
                () = changed.notified() => self.stale = true,
                bytes = tty.input.recv() => match bytes {
                    Some(bytes) => self.parser.feed(&bytes).into_iter().for_each(|told| self.take(told)),
                    None => self.leaving = true,
                },
                result = tty.written.recv() => {
                    result.transpose()?;
                    self.pace.written(Instant::now());
                }
                resized = signals.next() => {
                    self.leaving |= !resized;
                    (self.whole, self.stale) = (true, true);
                }
                () = sleep_until(wake) => if escape {
                    self.parser.flush().into_iter().for_each(|told| self.take(told));
                },
            }
            // Over without a word for the user: there is nothing to read.
            self.leaving |= !open && self.ended.is_none();
        }
        self.fingers.let_go(&mut self.hands);
        self.hands.ask(ViewerAction::Quit);
        // What does not fit any more is told by the closing of the channel.
        self.hands.flush(&self.actions);
        Ok(())
    }

    fn wake_at(&self, now: Instant, all_went: bool, escape: bool) -> Option<Instant> {
        let status = &self.words.status;
        let ask = status.board.ask_at().filter(|_| status.phase == Phase::Running);
        let retry = (!all_went).then(|| now + RETRY);
        let frame = self.pace.wake_at().filter(|_| self.stale);
        let escape = escape.then(|| now + ESCAPE);
        [status.next_expiry(), ask, retry, frame, escape].into_iter().flatten().min()
    }

    fn follow(&mut self, event: ViewerEvent) {
        self.words.follow(&event, Instant::now());
        match &event {
            ViewerEvent::Granted { permissions } | ViewerEvent::Permissions { permissions, .. } => {
                self.fingers.let_go(&mut self.hands);
                self.hands.permit(*permissions);
            }
            ViewerEvent::Control { holder } => {
                self.fingers.let_go(&mut self.hands);
                self.hands.set_holder(*holder);
            }
            ViewerEvent::Stalled | ViewerEvent::Resumed | ViewerEvent::SessionEnded { .. } => {
                self.fingers.let_go(&mut self.hands);
                self.hands.set_connected(self.words.status.phase == Phase::Running);
            }
            _ => {}
        }
        if matches!(event, ViewerEvent::SessionEnded { .. }) {
            self.ended = Some(event);
        }
        self.stale = true;
    }

    // What the terminal tells.

    fn take(&mut self, told: Told) {
        match told {
            Told::Answer(Answer::Taken) => self.pace.answered(),
            Told::Answer(_) | Told::Focus(true) => {}
            Told::Focus(false) => self.fingers.let_go(&mut self.hands),
            Told::Mouse(mouse) => self.mouse(mouse),
            Told::Paste(text) if self.words.entry.is_some() => self.words.type_text(&text),
            Told::Paste(text) => self.hands.write(&text),
            Told::Key(stroke) => self.key(stroke),
        }
        self.stale = true;
    }

    fn key(&mut self, stroke: Stroke) {
        let down = stroke.kind != Kind::Release;
        let prefix = stroke.key == Name::Char(PREFIX) && stroke.modifiers == Modifiers::of(Modifiers::CTRL);
        if self.ended.is_some() {
            self.leaving |= down;
        } else if self.words.prefixed && down {
            self.words.prefixed = false;
            self.command(stroke);
        } else if prefix && down {
            self.words.prefixed = true;
            self.fingers.let_go(&mut self.hands);
        } else if self.words.entry.is_some() && down {
            self.edit(stroke);
        } else {
            self.fingers.key(stroke, &mut self.hands);
        }
    }

    /// A key after the prefix. Any other than those of the table does nothing.
    fn command(&mut self, stroke: Stroke) {
        let Name::Char(key) = stroke.key else { return };
        let words = &mut self.words;
        match key {
            'q' => self.leaving = true,
            'c' => words.entry = if words.entry.is_some() { None } else { Some(String::new()) },
            's' => self.hands.ask(ViewerAction::Show(Show::Next)),
            'f' => self.surface.toggle_actual_size(),
            'i' => words.status.board.toggle(Instant::now()),
            'a' => words.offered.take().into_iter().for_each(|number| self.hands.ask(ViewerAction::Save(number))),
            'r' => words.offered.take().into_iter().for_each(|number| self.hands.ask(ViewerAction::Refuse(number))),
            'k' => self.combination("ctrl+alt+delete"),
            ']' => self.combination("ctrl+]"),
            'l' => self.whole = true,
            _ => {}
        }
    }

    fn combination(&mut self, keys: &str) {
        keymap::combo(keys).unwrap_or_default().into_iter().for_each(|event| self.hands.act(event));
    }

    /// A key for the chat line.
    fn edit(&mut self, stroke: Stroke) {
        let words = &mut self.words;
        match (stroke.key, &mut words.entry) {
            (Name::Named("return" | "kp_enter"), Some(entry)) => {
                let said = std::mem::take(entry);
                let lines = pieces(said.trim(), MAX_CHAT).into_iter().filter(|line| !line.is_empty());
                lines.for_each(|line| self.hands.ask(ViewerAction::Chat(line)));
            }
            (Name::Named("escape"), entry) => *entry = None,
            (Name::Named("backspace"), Some(entry)) => drop(entry.pop()),
            (Name::Char(character), _) if !stroke.modifiers.has(Modifiers::CTRL | Modifiers::ALT) => {
                words.type_text(character.encode_utf8(&mut [0; 4]));
            }
            _ => {}
        }
    }

    fn mouse(&mut self, mouse: Mouse) {
        let (across, down, inside) = self.mouse_scale;
        let at = ((f64::from(mouse.x) + inside) * across, (f64::from(mouse.y) + inside) * down);
        let over = at.1 < f64::from(self.surface.size().1) && self.headline.is_none();
        self.hand = over.then_some(at);
        let picture = {
            let state = self.picture.lock();
            state.shown.then(|| state.frame.size())
        };
        let place = picture.filter(|_| over).map(|size| {
            self.surface.place(size, self.hand);
            self.surface.placement().to_picture(at.0, at.1)
        });
        if self.ended.is_none() || !matches!(mouse.what, What::Motion) {
            self.fingers.mouse(mouse, place, &mut self.hands);
        }
    }

    // What the terminal shows.

    /// The bytes that bring the terminal up to date; none if it is.
    fn frame(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut out = Vec::new();
        let size = crossterm::terminal::size().unwrap_or((80, 24));
        let lines = self.words.lines(size.0, size.1);
        let below = u16::try_from(lines.len()).unwrap_or(1);
        let shown = self.picture.lock().shown;
        let headline = self.words.headline(shown);
        if self.whole || size != self.window || below != self.below || headline != self.headline {
            (self.whole, self.window, self.below, self.headline) = (false, size, below, headline);
            if self.surface.is_of(Form::Kitty) {
                out.extend_from_slice(kitty::FORGET);
            }
            out.extend_from_slice(b"\x1b[0m\x1b[2J");
            self.lines.forget();
            let rows = size.1.saturating_sub(below);
            self.surface.resize(size.0, rows);
            if let Some((head, detail)) = &self.headline {
                text::headline(&mut out, (size.0, rows), head, detail);
            }
        }
        if self.headline.is_none() {
            let driving = self.hands.in_control();
            let mut state = self.picture.lock();
            let decoded = state.decoded.take();
            self.surface.follow(&mut state, self.hand, driving);
            drop(state);
            self.surface.send(&mut out)?;
            decoded.into_iter().for_each(|decoded| self.picture.presented(decoded));
        }
        self.lines.show(&mut out, size.1.saturating_sub(below), size.0, &lines);
        if out.is_empty() {
            return Ok(out);
        }
        let question: &[u8] = if self.pace.asks() { b"\x1b[5n" } else { b"" };
        Ok([b"\x1b[?2026h", out.as_slice(), b"\x1b[?2026l", question].concat())
    }
}

/// Sleeps until then; for ever without a time.
async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => pending().await,
    }
}

/// Signals that matter to a terminal's face.
struct Signals {
    resize: tokio::signal::unix::Signal,
    ends: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let ends = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?];
        Ok(Self { resize: signal(SignalKind::window_change())?, ends })
    }

    /// Waits for one: true when the window has another size, false when the process is to end. Cancel-safe.
    async fn next(&mut self) -> bool {
        let [terminate, interrupt, hangup] = &mut self.ends;
        tokio::select! {
            _ = self.resize.recv() => true,
            _ = terminate.recv() => false,
            _ = interrupt.recv() => false,
            _ = hangup.recv() => false,
        }
    }
}
