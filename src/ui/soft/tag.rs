//! A small picture to put on the desktop: an arrow, and the name of who points with it.

use std::sync::Arc;

use egui::{Align2, Color32, Context, FontDefinitions, FontId, Pos2, RawInput, Rect, Shape, Stroke, Vec2, ViewportId, pos2, vec2};
use egui_software_backend::{BufferMutRef, ColorFieldOrder, EguiSoftwareRender};

/// The longest name, in characters; what is longer is cut.
const MAX_NAME: usize = 24;
/// Room for it, in points.
const ROOM: Vec2 = vec2(480.0, 64.0);

/// A picture, row by row as `0xAARRGGBB`. The arrow's tip is its upper left corner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tag {
    /// Pixels in a row.
    pub width: u16,
    /// All rows.
    pub pixels: Arc<[u32]>,
}

/// Draws it, in this colour and at so many pixels a point.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small picture's sides")]
pub(super) fn draw(name: &str, colour: Color32, fonts: FontDefinitions, scale: f32) -> Tag {
    let name: String =
        if name.chars().count() > MAX_NAME { name.chars().take(MAX_NAME).chain(['…']).collect() } else { name.to_owned() };
    let context = Context::default();
    context.set_fonts(fonts);
    let mut input = RawInput { screen_rect: Some(Rect::from_min_size(Pos2::ZERO, ROOM)), ..RawInput::default() };
    input.viewports.entry(ViewportId::ROOT).or_default().native_pixels_per_point = Some(scale);
    let mut end = Pos2::ZERO;
    let output = context.run_ui(input, |ui| {
        let painter = ui.ctx().layer_painter(egui::LayerId::background());
        let text = painter.layout_no_wrap(name.clone(), FontId::proportional(13.0), Color32::WHITE);
        let board = Rect::from_min_size(pos2(11.0, 14.0), text.size() + vec2(14.0, 6.0));
        painter.rect(board, 5.0, colour, Stroke::new(1.0, Color32::WHITE), egui::StrokeKind::Inside);
        painter.galley(Align2::CENTER_CENTER.align_size_within_rect(text.size(), board).min, text, Color32::WHITE);
        let arrow = vec![pos2(0.5, 0.5), pos2(13.5, 11.5), pos2(0.5, 17.5)];
        painter.add(Shape::convex_polygon(arrow, colour, Stroke::new(1.0, Color32::WHITE)));
        end = board.max.min(ROOM.to_pos2());
    });
    let (width, height) = ((end.x * scale).ceil() as usize, (end.y * scale).ceil() as usize);
    let shapes = context.tessellate(output.shapes, scale);
    let mut pixels = vec![[0; 4]; width * height];
    let mut target = BufferMutRef::new(&mut pixels, width, height);
    EguiSoftwareRender::new(ColorFieldOrder::Bgra).render(&mut target, &shapes, &output.textures_delta, scale);
    Tag { width: u16::try_from(width).unwrap_or(u16::MAX), pixels: pixels.into_iter().map(straight).collect() }
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
        let tag = |name: &str, scale| draw(name, Color32::RED, FontDefinitions::default(), scale);
        let (short, long, large) = (tag("Anna", 1.0), tag("Anna Berg", 1.0), tag("Anna", 2.0));
        assert!(short.width < long.width && short.width < large.width);
        let pixel = |tag: &Tag, x: usize, y: usize| tag.pixels[y * usize::from(tag.width) + x];
        assert_eq!(pixel(&short, 4, 9), 0xffff_0000, "inside the arrow");
        assert_eq!(pixel(&short, usize::from(short.width) - 1, 0) >> 24, 0, "beside it");
        assert!(tag(&"W".repeat(5000), 1.0).width <= 480, "bounded");
    }
}
