//! A small picture to put on the desktop: an arrow, and the name of who points with it.

use std::sync::Arc;

use egui::{Align2, Color32, Context, FontDefinitions, FontId, Pos2, RawInput, Rect, Shape, Stroke, Vec2, ViewportId, pos2, vec2};
use egui_software_backend::{BufferMutRef, ColorFieldOrder, EguiSoftwareRender};

/// The longest name, in characters; what is longer is cut.
const MAX_NAME: usize = 24;
/// Room for it, in points.
const ROOM: Vec2 = vec2(480.0, 64.0);

/// A picture, row by row as `0xAARRGGBB`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tag {
    /// Pixels in a row.
    pub width: u16,
    /// All rows.
    pub pixels: Arc<[u32]>,
    /// The pixel at the arrow's tip: a corner.
    pub tip: (u16, u16),
}

impl Tag {
    /// How many rows it has.
    pub(crate) fn height(&self) -> u16 {
        u16::try_from(self.pixels.len().checked_div(self.width.into()).unwrap_or(0)).unwrap_or(u16::MAX)
    }
}

/// Draws it, in this colour and at so many pixels a point, with the tip at each of its corners: upper left, upper right, lower left,
/// lower right.
pub(super) fn draw(name: &str, colour: Color32, fonts: FontDefinitions, scale: f32) -> [Tag; 4] {
    let name: String =
        if name.chars().count() > MAX_NAME { name.chars().take(MAX_NAME).chain(['…']).collect() } else { name.to_owned() };
    let context = Context::default();
    context.set_fonts(fonts);
    let mut renderer = EguiSoftwareRender::new(ColorFieldOrder::Bgra);
    [(false, false), (true, false), (false, true), (true, true)]
        .map(|turned| one(&context, &mut renderer, &name, colour, scale, turned))
}

/// Turned to the left, and upwards, or not.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small picture's sides")]
fn one(
    context: &Context,
    renderer: &mut EguiSoftwareRender,
    name: &str,
    colour: Color32,
    scale: f32,
    (left, up): (bool, bool),
) -> Tag {
    let mut input = RawInput { screen_rect: Some(Rect::from_min_size(Pos2::ZERO, ROOM)), ..RawInput::default() };
    input.viewports.entry(ViewportId::ROOT).or_default().native_pixels_per_point = Some(scale);
    let mut size = Vec2::ZERO;
    let output = context.run_ui(input, |ui| {
        let painter = ui.ctx().layer_painter(egui::LayerId::background());
        let text = painter.layout_no_wrap(name.to_owned(), FontId::proportional(13.0), Color32::WHITE);
        let board = Rect::from_min_size(pos2(11.0, 14.0), text.size() + vec2(14.0, 6.0));
        // Whole pixels, so that the tip is on one.
        size = (board.max.to_vec2().min(ROOM) * scale).ceil() / scale;
        let turned = |at: Pos2| pos2(if left { size.x - at.x } else { at.x }, if up { size.y - at.y } else { at.y });
        let board = Rect::from_two_pos(turned(board.min), turned(board.max));
        painter.rect(board, 5.0, colour, Stroke::new(1.0, Color32::WHITE), egui::StrokeKind::Inside);
        painter.galley(Align2::CENTER_CENTER.align_size_within_rect(text.size(), board).min, text, Color32::WHITE);
        let mut arrow = [pos2(0.5, 0.5), pos2(13.5, 11.5), pos2(0.5, 17.5)].map(turned).to_vec();
        if left != up {
            // A mirror turns the other way round, and shapes go round clockwise.
            arrow.reverse();
        }
        painter.add(Shape::convex_polygon(arrow, colour, Stroke::new(1.0, Color32::WHITE)));
    });
    let (width, height) = ((size.x * scale).round() as usize, (size.y * scale).round() as usize);
    let shapes = context.tessellate(output.shapes, scale);
    let mut pixels = vec![[0; 4]; width * height];
    let mut target = BufferMutRef::new(&mut pixels, width, height);
    renderer.render(&mut target, &shapes, &output.textures_delta, scale);
    let end = |turns: bool, side: usize| if turns { u16::try_from(side.saturating_sub(1)).unwrap_or(u16::MAX) } else { 0 };
    Tag {
        width: u16::try_from(width).unwrap_or(u16::MAX),
        pixels: pixels.into_iter().map(straight).collect(),
        tip: (end(left, width), end(up, height)),
    }
}

/// Blue first and premultiplied, as `0xAARRGGBB`.
fn straight([blue, green, red, cover]: [u8; 4]) -> u32 {
    let full = |part: u8| (u32::from(part) * 255).checked_div(cover.into()).unwrap_or(0).min(255);
    u32::from(cover) << 24 | full(red) << 16 | full(green) << 8 | full(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_its_tip_at_the_corner_and_is_wider_for_a_longer_name() {
        let tags = |name: &str, scale| draw(name, Color32::RED, FontDefinitions::default(), scale);
        let tag = |name: &str, scale| tags(name, scale)[0].clone();
        let (short, long, large) = (tag("Anna", 1.0), tag("Anna Berg", 1.0), tag("Anna", 2.0));
        assert!(short.width < long.width && short.width < large.width);
        let pixel = |tag: &Tag, x: usize, y: usize| tag.pixels[y * usize::from(tag.width) + x];
        assert_eq!(pixel(&short, 4, 9), 0xffff_0000, "inside the arrow");
        assert_eq!(pixel(&short, usize::from(short.width) - 1, 0) >> 24, 0, "beside it");
        assert!(tag(&"W".repeat(5000), 1.0).width <= 480, "bounded");
        for (tag, (right, below)) in tags("Anna", 1.5).iter().zip([(false, false), (true, false), (false, true), (true, true)]) {
            let (x, y) = (usize::from(tag.tip.0), usize::from(tag.tip.1));
            assert_eq!((x > 0, y > 0), (right, below));
            let inwards = |at: usize, turns: bool, by: usize| if turns { at - by } else { at + by };
            assert_eq!(pixel(tag, inwards(x, right, 6), inwards(y, below, 13)), 0xffff_0000, "inside the arrow");
        }
    }
}
