//! A link as a QR code for the terminal: half blocks, two modules to a character cell.

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// The code as lines of text, with its quiet zone, for light text on a dark ground; `None` when the text is too long for a code.
#[must_use]
pub fn half_blocks(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    // A dark terminal shows a full block light: dark modules must be the empty ones.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_a_rectangle_and_too_much_text_is_refused() {
        let code = half_blocks("rs://9339252274203124?k=11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").expect("short enough");
        let widths: Vec<usize> = code.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]) && widths.len() == widths[0].div_ceil(2), "{widths:?}");
        assert!(code.starts_with('█'), "the quiet zone is light");
        assert!(half_blocks(&"x".repeat(4000)).is_none());
    }
}
