//! What the terminal can: it is asked, and what it does not answer it cannot.
//!
//! All questions go out at once, that for its attributes (DA1), which every terminal answers, last: its answer says that no
//! other one comes. [`PATIENCE`] is enough for a far machine by ssh.

use std::time::Duration;

use super::{kitty, parse::Answer};

/// How long answers are waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Colours of a terminal that knows sixel and does not say how many: the VT340 had so many.
const FEWEST_COLOURS: u16 = 16;
/// A cell in pixels, where only the terminal knows: pictures by kitty's protocol are scaled to their cells by the terminal.
const USUAL_CELL: (u16, u16) = (10, 20);
/// Larger cells than these are a mistake.
const MOST_CELL: u16 = 256;

/// A colour that is none of a palette, whether the terminal has it (DECRQSS), and its own colours again.
const COLOUR: &[u8] = b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[0m";
/// A cell's size, the mouse in pixels, sixel's colours, kitty's keyboard, attributes.
const OTHERS: &[u8] = b"\x1b[16t\x1b[?1016$p\x1b[?1;1;0S\x1b[?u\x1b[c";

/// The questions to a terminal that calls itself `term`. `tmux` and `screen` pass no graphics on, and tmux would take that question for
/// the title of its window.
pub(super) fn questions(term: &str) -> Vec<u8> {
    let passes_nothing = ["tmux", "screen"].iter().any(|name| term.starts_with(name));
    let graphics = if passes_nothing { b"" } else { kitty::QUESTION };
    [graphics, COLOUR, OTHERS].concat()
}

/// How pictures get to the terminal, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By kitty's protocol.
    Kitty,
    /// By sixels in so many colours.
    Sixel(u16),
    /// By half blocks, in 24-bit colour or not.
    Blocks { truecolor: bool },
}

/// What was answered so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Ability {
    graphics: bool,
    sixel: bool,
    truecolor: bool,
    colours: Option<u16>,
    cell: Option<(u16, u16)>,
    /// The mouse can tell pixels.
    pub(super) pixel_mouse: bool,
    /// Keys that go up can be told.
    pub(super) key_ups: bool,
    /// No more answers come.
    pub(super) complete: bool,
}

impl Ability {
    /// Follows an answer.
    pub(super) fn follow(&mut self, answer: Answer) {
        match answer {
            Answer::Graphics => self.graphics = true,
            Answer::Attributes { sixel } => (self.sixel, self.complete) = (sixel, true),
            Answer::Truecolor => self.truecolor = true,
            Answer::Colours(colours) => self.colours = Some(colours),
            Answer::Cell(width, height) => self.cell = sane((width, height)).or(self.cell),
            Answer::PixelMouse => self.pixel_mouse = true,
            Answer::KeyUps => self.key_ups = true,
            Answer::Taken => {}
        }
    }

    /// The system knows the size of the window, in cells and in pixels.
    pub(super) fn measure(&mut self, (columns, rows): (u16, u16), (width, height): (u16, u16)) {
        let side = |pixels: u16, cells: u16| pixels.checked_div(cells).unwrap_or(0);
        self.cell = self.cell.or_else(|| sane((side(width, columns), side(height, rows))));
    }

    /// How pictures get there. `truecolor`: the terminal is said to have 24-bit colour, whether it answers that or not.
    pub(super) fn form(&self, truecolor: bool) -> Form {
        match self.cell {
            _ if self.graphics => Form::Kitty,
            // Sixels are pixels of the screen: without a cell's size nobody knows where they end.
            Some(_) if self.sixel => Form::Sixel(self.colours.unwrap_or(FEWEST_COLOURS).clamp(FEWEST_COLOURS, 256)),
            _ => Form::Blocks { truecolor: truecolor || self.truecolor },
        }
    }

    /// Pixels of a cell on the screen, if they are known.
    pub(super) fn cell(&self) -> Option<(u16, u16)> {
        self.cell
    }

    /// Pixels of a cell in the pictures that are sent.
    pub(super) fn pixels(&self, form: Form) -> (u16, u16) {
        if matches!(form, Form::Blocks { .. }) { (1, 2) } else { self.cell.unwrap_or(USUAL_CELL) }
    }
}

fn sane(cell: (u16, u16)) -> Option<(u16, u16)> {
    let fits = |side| (2..=MOST_CELL).contains(&side);
    (fits(cell.0) && fits(cell.1)).then_some(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(answers: &[Answer]) -> Ability {
        let mut ability = Ability::default();
        answers.iter().for_each(|answer| ability.follow(*answer));
        ability
    }

    #[test]
    fn the_best_form_that_was_answered_is_taken() {
        let sixel = Answer::Attributes { sixel: true };
        assert_eq!(after(&[]).form(true), Form::Blocks { truecolor: true });
        assert_eq!(
            after(&[Answer::Truecolor]).form(false),
            Form::Blocks { truecolor: true },
            "also where COLORTERM is lost, as by ssh"
        );
        assert_eq!(after(&[Answer::Graphics, sixel]).form(true), Form::Kitty);
        assert_eq!(after(&[sixel]).form(false), Form::Blocks { truecolor: false }, "a cell's size is not known");
        assert_eq!(after(&[Answer::Cell(9, 18), sixel]).form(true), Form::Sixel(16));
        assert_eq!(after(&[Answer::Cell(9, 18), Answer::Colours(1024), sixel]).form(true), Form::Sixel(256));
        assert!(after(&[sixel]).complete && !after(&[Answer::Graphics]).complete);
    }

    #[test]
    fn a_multiplexer_is_not_asked_for_graphics() {
        let asks = |term: &str| questions(term).starts_with(kitty::QUESTION);
        assert!(asks("xterm-256color") && asks("xterm-kitty"));
        assert!(!["tmux-256color", "screen", "screen-256color"].into_iter().any(asks));
        assert!(questions("screen").ends_with(b"\x1b[c"));
    }

    #[test]
    fn a_cells_size_comes_from_the_terminal_or_the_system_and_is_sane() {
        let mut ability = after(&[Answer::Cell(0, 18), Answer::Cell(5000, 18)]);
        assert_eq!(ability.pixels(Form::Kitty), USUAL_CELL);
        ability.measure((80, 24), (0, 0));
        ability.measure((0, 0), (800, 600));
        assert_eq!(ability.cell(), None);
        ability.measure((80, 24), (640, 384));
        assert_eq!((ability.cell(), ability.pixels(Form::Sixel(16))), (Some((8, 16)), (8, 16)));
        assert_eq!(ability.pixels(Form::Blocks { truecolor: true }), (1, 2));
    }
}
