//! `rs panel`: the window that `rs host` starts as a child. Joins the face to the desktop.

use crate::{
    cli::ExitCode,
    desktop::guard::{self, Guard, Hand},
    ui::panel::{self, Desk, Marks, Tag, Touch},
};

use super::Failure;

/// Shows the panel until stdin ends. Must be called on the main thread.
///
/// # Errors
/// There is no display for it.
pub fn run() -> Result<(), Failure> {
    let no_screen = |error: &dyn std::fmt::Display| Failure::new(ExitCode::NoScreen, error);
    let guard = Guard::start().map_err(|error| no_screen(&error))?;
    panel::run(Desktop(guard)).map_err(|error| no_screen(&error))
}

struct Desktop(Guard);

impl Desk for Desktop {
    fn cover(&mut self, window: u32, tell: Box<dyn Fn(Touch) + Send>) -> Result<(), String> {
        let tell = move |hand| {
            tell(match hand {
                Hand::Moved(x, y) => Touch::Moved { x, y },
                Hand::Left => Touch::Left,
                Hand::Button(x, y, down) => Touch::Button { x, y, down },
                Hand::Wheel(x, y) => Touch::Wheel(x, y),
            });
        };
        self.0.cover(window, Box::new(tell)).map_err(|error| error.to_string())
    }

    fn counts(&self, code: u32) -> bool {
        self.0.counts(code)
    }

    fn types(&self) -> bool {
        self.0.types()
    }

    fn mark(&self, marks: Marks) {
        let Marks { screens, colour, pointer, tag: Tag { width, pixels, tip } } = marks;
        self.0.mark(guard::Marks { screens, colour, pointer, label: guard::Label { width, pixels, tip } });
    }
}
