//! How the pattern desktop looks: a header with the frame counter, colour bars, a lane with a moving box, and the input panel.
//!
//! Everything is painted through a clip rectangle, so that repainting only what changed gives the same picture as painting it all.

use super::Input;
use crate::{
    protocol::{input::InputEvent, message::CursorShape},
    video::frame::{Damage, Frame, Rect, Size},
};

/// The picture's size.
pub const SIZE: Size = Size { width: 1280, height: 720 };
/// Where the panel that tells about input is.
pub const PANEL: Rect = Rect { x: 0, y: 536, width: SIZE.width, height: 184 };
/// The colour (B, G, R) of the cross at the pointer; nothing else has it.
pub const CROSS_COLOR: Color = [255, 0, 255];

/// B, G, R.
type Color = [u8; 3];

const HEADER: Rect = Rect { x: 0, y: 0, width: SIZE.width, height: 88 };
const COUNTER: Rect = Rect { x: 960, y: 24, width: 320, height: 40 };
const BARS: Rect = Rect { x: 0, y: 88, width: SIZE.width, height: 368 };
const LANE: Rect = Rect { x: 0, y: 456, width: SIZE.width, height: 80 };
const BOX: Rect = Rect { x: 0, y: 464, width: 96, height: 64 };
/// How far the box moves in a tick.
const STEP: u32 = 24;
/// From the cross's middle to the end of an arm.
const ARM: u16 = 12;

const NAVY: Color = [0x3d, 0x21, 0x14];
const NIGHT: Color = [0x1e, 0x12, 0x0a];
const AMBER: Color = [0x11, 0xa3, 0xfc];
const PAPER: Color = [0xee, 0xf3, 0xf5];
const WHITE: Color = [0xff; 3];
/// White to blue at 75 %, in the order of their brightness.
const BAR_COLORS: [Color; 7] =
    [[0xbf, 0xbf, 0xbf], [0, 0xbf, 0xbf], [0xbf, 0xbf, 0], [0, 0xbf, 0], [0xbf, 0, 0xbf], [0, 0, 0xbf], [0xbf, 0, 0]];

/// All that the picture depends on.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// Ticks since the start.
    pub(super) tick: u32,
    /// The input so far.
    pub(super) input: Input,
}

impl Scene {
    /// Paints what lies inside `clip`.
    pub(super) fn paint(&self, frame: &mut Frame, clip: Rect) {
        let mut brush = Brush { frame, clip };
        brush.fill(HEADER, NAVY);
        brush.text(32, 24, 8, "RS TEST PICTURE", WHITE);
        brush.text(COUNTER.x, COUNTER.y, 8, &format!("{:08}", self.tick), AMBER);
        brush.fill(BARS, BAR_COLORS[0]);
        let width = BARS.width.div_ceil(7);
        for (x, color) in (0..).step_by(usize::from(width)).zip(BAR_COLORS) {
            brush.fill(Rect { x, width, ..BARS }, color);
        }
        brush.fill(LANE, NIGHT);
        brush.fill(self.moving_box(), AMBER);
        brush.fill(PANEL, PAPER);
        for (y, line) in (PANEL.y + 16..).step_by(40).zip(self.lines()) {
            brush.text(32, y, 4, &line, NAVY);
        }
        let (x, y) = self.input.pointer;
        brush.fill(Rect { y: y.saturating_sub(1), height: 3, ..self.cross() }, CROSS_COLOR);
        brush.fill(Rect { x: x.saturating_sub(1), width: 3, ..self.cross() }, CROSS_COLOR);
    }

    /// Where it differs from `before`.
    pub(super) fn changes(&self, before: &Self) -> Damage {
        let mut damage = Damage::none();
        let mut add = |rect: Rect| rect.clamp(SIZE).into_iter().for_each(|rect| damage.add(rect));
        if self.tick != before.tick {
            [COUNTER, before.moving_box(), self.moving_box()].into_iter().for_each(&mut add);
        }
        if self.input.pointer != before.input.pointer {
            [before.cross(), self.cross()].into_iter().for_each(&mut add);
        }
        if self.input != before.input {
            add(PANEL);
        }
        damage
    }

    /// There and back again.
    fn moving_box(&self) -> Rect {
        let track = u32::from(LANE.width - BOX.width);
        let way = self.tick.wrapping_mul(STEP) % (2 * track);
        Rect { x: u16::try_from(way.min(2 * track - way)).unwrap_or(0), ..BOX }
    }

    /// The square around the cross.
    fn cross(&self) -> Rect {
        let (x, y) = self.input.pointer;
        let (left, top) = (x.saturating_sub(ARM), y.saturating_sub(ARM));
        Rect { x: left, y: top, width: x + ARM + 1 - left, height: y + ARM + 1 - top }
    }

    fn lines(&self) -> [String; 4] {
        let input = &self.input;
        let (x, y) = input.pointer;
        let (across, down) = input.scrolled;
        let held = input.pressed.clone().release_all();
        let held: Vec<String> = held.iter().map(name).collect();
        [
            format!("POINTER {x},{y}  WHEEL {across},{down}"),
            format!("HELD {}", held.join(" ")),
            format!("LAST {}", input.last.as_ref().map(name).unwrap_or_default()),
            format!("TEXT {}", input.typed.iter().collect::<String>()),
        ]
    }
}

fn name(event: &InputEvent) -> String {
    match event {
        InputEvent::Motion { .. } => "MOTION".into(),
        InputEvent::Button { button, .. } => format!("{button:?}"),
        InputEvent::Scroll { .. } => "WHEEL".into(),
        InputEvent::Key { key, .. } | InputEvent::Press { key, .. } => format!("KEY-{:02X}", key.0),
        InputEvent::Text(_) | InputEvent::Locks(_) => "TEXT".into(),
    }
}

/// The pattern desktop's pointer: a small arrow.
pub(super) fn arrow() -> CursorShape {
    const SIDE: u16 = 12;
    let pixel = |x: u16, y: u16| match (x, y) {
        _ if x > y || x + y / 2 > SIDE => [0; 4],
        _ if x == 0 || x == y || x + y / 2 == SIDE || y == SIDE - 1 => [0, 0, 0, 255],
        _ => [255; 4],
    };
    let bgra = (0..SIDE).flat_map(|y| (0..SIDE).flat_map(move |x| pixel(x, y))).collect();
    CursorShape { width: SIDE, height: SIDE, hot_x: 0, hot_y: 0, bgra }
}

/// Paints into a frame, but only inside `clip`.
struct Brush<'a> {
    frame: &'a mut Frame,
    clip: Rect,
}

impl Brush<'_> {
    fn fill(&mut self, rect: Rect, [b, g, r]: Color) {
        let (left, right) = (rect.x.max(self.clip.x), (rect.x + rect.width).min(self.clip.x + self.clip.width));
        let (top, bottom) = (rect.y.max(self.clip.y), (rect.y + rect.height).min(self.clip.y + self.clip.height));
        if left >= right {
            return;
        }
        for y in top..bottom {
            self.frame.row_mut(left, y, right - left).chunks_exact_mut(4).for_each(|pixel| pixel.copy_from_slice(&[b, g, r, 0]));
        }
    }

    fn text(&mut self, x: u16, y: u16, scale: u16, text: &str, color: Color) {
        let starts = (x..SIZE.width - 4 * scale).step_by(usize::from(4 * scale));
        for (x, character) in starts.zip(text.chars()) {
            let rows = glyph(character);
            for bit in 0..15 {
                if rows >> (14 - bit) & 1 == 1 {
                    self.fill(Rect { x: x + bit % 3 * scale, y: y + bit / 3 * scale, width: scale, height: scale }, color);
                }
            }
        }
    }
}

/// Three by five dots: an octal digit for each row from the top. Lower case looks like upper case; the unknown is a box.
fn glyph(character: char) -> u16 {
    let upper = character.to_ascii_uppercase();
    let index = u32::from(upper).checked_sub(u32::from(' ')).and_then(|index| usize::try_from(index).ok());
    match upper {
        '{' => 0o32623,
        '|' => 0o22222,
        '}' => 0o62326,
        '~' => 0o03600,
        _ => index.and_then(|index| GLYPHS.get(index)).copied().unwrap_or(0o75557),
    }
}

/// From the space to the back-tick, in ASCII order.
#[rustfmt::skip]
const GLYPHS: [u16; 65] = [
    0o00000, 0o22202, 0o55000, 0o57575, 0o36236, 0o51245, 0o25256, 0o22000, 0o12221, 0o42224, 0o05250, 0o02720, 0o00024, 0o00700, 0o00002, 0o11244,
    0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71122, 0o75757, 0o75717, 0o02020, 0o02024, 0o12421, 0o07070, 0o42124, 0o71202,
    0o75547, 0o25755, 0o65656, 0o34443, 0o65556, 0o74647, 0o74644, 0o34553, 0o55755, 0o72227, 0o11152, 0o55655, 0o44447, 0o57755, 0o65555, 0o25552,
    0o65644, 0o25573, 0o65655, 0o34216, 0o72222, 0o55557, 0o55552, 0o55775, 0o55255, 0o55222, 0o71247, 0o64446, 0o44211, 0o31113, 0o25000, 0o00007,
    0o42000,
];
