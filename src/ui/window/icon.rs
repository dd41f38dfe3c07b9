//! The window's icon: a pointer on a round ground, drawn here so that no file has to come along.

use winit::window::Icon;

/// Pixels of a side.
const SIDE: u32 = 64;
const GROUND: [u8; 3] = [0x1f, 0x6f, 0xd6];
/// A pointer's outline on a side of 64: the arrow, then its shaft.
const ARROW: [[(f32, f32); 3]; 2] = [[(22.0, 13.0), (22.0, 47.0), (46.0, 37.0)], [(27.0, 36.0), (36.0, 33.0), (42.0, 53.0)]];

/// The icon, if this desktop takes one.
pub(super) fn icon() -> Option<Icon> {
    Icon::from_rgba((0..SIDE * SIDE).flat_map(|at| pixel(at % SIDE, at / SIDE)).collect(), SIDE, SIDE).ok()
}

/// A pixel from sixteen samples, for smooth edges.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "64 pixels and their colours"
)]
fn pixel(x: u32, y: u32) -> [u8; 4] {
    let samples = (0..16).map(|part| (x as f32 + (part % 4) as f32 / 4.0 + 0.125, y as f32 + (part / 4) as f32 / 4.0 + 0.125));
    let (mut ground, mut arrow) = (0.0, 0.0);
    for at in samples {
        let (dx, dy) = (at.0 - 32.0, at.1 - 32.0);
        ground += f32::from(u8::from(dx * dx + dy * dy < 31.0 * 31.0)) / 16.0;
        arrow += f32::from(u8::from(ARROW.iter().any(|corners| is_inside(at, corners)))) / 16.0;
    }
    let [red, green, blue] = GROUND.map(|part| (f32::from(part) * (1.0 - arrow) + 255.0 * arrow) as u8);
    [red, green, blue, (ground * 255.0) as u8]
}

fn is_inside((x, y): (f32, f32), [a, b, c]: &[(f32, f32); 3]) -> bool {
    let side = |from: &(f32, f32), to: &(f32, f32)| (to.0 - from.0) * (y - from.1) - (to.1 - from.1) * (x - from.0) <= 0.0;
    let (first, second, third) = (side(a, b), side(b, c), side(c, a));
    first == second && second == third
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_round_with_a_pointer_in_its_middle() {
        assert!(icon().is_some());
        assert_eq!((pixel(0, 0)[3], pixel(26, 30), pixel(50, 14)), (0, [255; 4], [0x1f, 0x6f, 0xd6, 255]));
    }
}
