//! Fonts of the system for characters that egui's own lack, such as Arabic or Chinese ones: looked for when the first one is to be
//! shown, each character once, and at most [`MAX_FONTS`] fonts of at most [`MAX_BYTES`] each. A search reads every font of the system, and
//! the window waits for it; so after [`MAX_VAIN`] of them that found nothing there are no more.

use std::{collections::HashSet, sync::Arc};

use egui::{
    FontData, FontDefinitions, FontFamily, FontId,
    epaint::text::{Fonts as Checked, TextOptions},
};

/// So many are added at most.
const MAX_FONTS: usize = 4;
/// Larger ones are passed over.
const MAX_BYTES: usize = 32 << 20;
/// So many searches may find nothing.
const MAX_VAIN: usize = 3;
/// So many characters are looked for at most; by then somebody plays.
const MAX_ASKED: usize = 4096;

/// What was looked for, and what was found.
#[derive(Default)]
pub(super) struct Fonts {
    asked: HashSet<char>,
    added: Vec<(String, FontData)>,
    vain: usize,
    system: Option<fontdb::Database>,
}

impl Fonts {
    /// Adds fonts until each character of `text` can be shown, or there are none.
    pub(super) fn cover(&mut self, context: &egui::Context, text: &str) {
        let before = self.added.len();
        let new = text.chars().filter(|character| !character.is_ascii() && !character.is_control() && !character.is_whitespace());
        for character in new {
            if self.asked.len() < MAX_ASKED && self.asked.insert(character) && !self.has(context, character) {
                self.find(character);
            }
        }
        if self.added.len() > before {
            context.set_fonts(self.definitions());
        }
    }

    fn has(&self, context: &egui::Context, character: char) -> bool {
        // Before its first frame a context has no fonts; its own are the built-in ones.
        let ready = context.cumulative_pass_nr() > 0;
        ready && context.fonts_mut(|fonts| fonts.has_glyph(&FontId::default(), character))
            || self.added.iter().any(|(_, font)| has_glyph(font, character))
    }

    fn find(&mut self, character: char) {
        if self.added.len() >= MAX_FONTS || self.vain >= MAX_VAIN {
            return;
        }
        let system = self.system.get_or_insert_with(|| {
            let mut system = fontdb::Database::new();
            system.load_system_fonts();
            system
        });
        let mut faces: Vec<_> = system.faces().filter(|face| face.style == fontdb::Style::Normal).collect();
        faces.sort_by_key(|face| {
            let is_sans = face.families.iter().any(|(name, _)| name.contains("Sans"));
            (face.weight.0.abs_diff(400), face.monospaced, !is_sans)
        });
        let found = faces.into_iter().find_map(|face| {
            let read =
                |data: &[u8], index| (data.len() <= MAX_BYTES).then(|| FontData { index, ..FontData::from_owned(data.to_vec()) });
            let font = system.with_face_data(face.id, read).flatten()?;
            has_glyph(&font, character).then(|| (face.post_script_name.clone(), font))
        });
        self.vain += usize::from(found.is_none());
        self.added.extend(found);
    }

    /// egui's own fonts, and those that were added.
    pub(super) fn definitions(&self) -> FontDefinitions {
        let mut definitions = FontDefinitions::default();
        for (name, font) in &self.added {
            definitions.font_data.insert(name.clone(), Arc::new(font.clone()));
            definitions.families.values_mut().for_each(|family| family.push(name.clone()));
        }
        definitions
    }
}

/// Whether the font can be read and has the character.
fn has_glyph(font: &FontData, character: char) -> bool {
    const ONLY: &str = "only";
    let definitions = FontDefinitions {
        font_data: [(ONLY.to_owned(), Arc::new(font.clone()))].into(),
        families: [(FontFamily::Proportional, vec![ONLY.to_owned()]), (FontFamily::Monospace, vec![ONLY.to_owned()])].into(),
    };
    // egui takes it for granted that a font can be read.
    is_font(font) && Checked::new(TextOptions::default(), definitions).has_glyph(&FontId::default(), character)
}

/// Whether the file is a font at all: the first four bytes tell, and a font of the system that lies about them is not hostile.
fn is_font(font: &FontData) -> bool {
    matches!(font.font.first_chunk::<4>(), Some([0, 1, 0, 0] | b"OTTO" | b"true" | b"ttcf"))
}
