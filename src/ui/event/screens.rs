//! The host's screens in an event: the one that is shown is a number, or `"all"`.

use serde::{Deserialize, Serialize};

use crate::protocol::screens::{self, Choice, ScreenInfo};

/// The host's screens as `--json` shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screens {
    /// Which there are, counted from 0.
    pub screens: Vec<ScreenInfo>,
    /// `"all"`, or the number of the one that is shown.
    #[serde(serialize_with = "number_or_all", deserialize_with = "parse_number_or_all")]
    pub shown: Choice,
}

impl From<screens::Screens> for Screens {
    fn from(screens: screens::Screens) -> Self {
        Self { screens: screens.list, shown: screens.shown }
    }
}

fn number_or_all<S: serde::Serializer>(choice: &Choice, serializer: S) -> Result<S::Ok, S::Error> {
    match choice {
        Choice::All => serializer.serialize_str("all"),
        Choice::One(index) => serializer.serialize_u8(*index),
    }
}

fn parse_number_or_all<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Choice, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shown {
        Number(u8),
        Word(String),
    }
    match Shown::deserialize(deserializer)? {
        Shown::Number(index) => Ok(Choice::One(index)),
        Shown::Word(word) if word == "all" => Ok(Choice::All),
        Shown::Word(_) => Err(serde::de::Error::custom("a screen is a number or \"all\"")),
    }
}

/// Which of the host's screens to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// This one, counted from 0.
    One(u8),
    /// All in one picture.
    All,
    /// The one after; after the last one all in one, then the first one again.
    Next,
}
