//! What a viewer may do. Granted, narrowed and enforced on the host only.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing that a viewer may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// See the screen.
    View,
    /// Show the person at the machine where to look: a pointer with the viewer's name, which touches nothing.
    Point,
    /// Move the pointer, press its buttons, scroll.
    Mouse,
    /// Press keys and type text.
    Keyboard,
    /// Share what is copied, both ways.
    Clipboard,
    /// Send and fetch files.
    Files,
}

impl Permission {
    /// All of them, weakest first.
    pub const ALL: [Self; 6] = [Self::View, Self::Point, Self::Mouse, Self::Keyboard, Self::Clipboard, Self::Files];

    /// The word used on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Point => "point",
            Self::Mouse => "mouse",
            Self::Keyboard => "keyboard",
            Self::Clipboard => "clipboard",
            Self::Files => "files",
        }
    }

    /// Whether it means nothing to somebody who does not see the screen: whoever may not see must not act blindly.
    #[must_use]
    pub fn needs_view(self) -> bool {
        matches!(self, Self::Point | Self::Mouse | Self::Keyboard)
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of [`Permission`]s. On the wire a bit set, lowest bit = [`Permission::View`]; bits unknown to this version are ignored.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Permissions(u32);

impl Permissions {
    /// Nothing at all.
    pub const NONE: Self = Self(0);

    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Permission::ALL.into_iter().collect()
    }

    /// Only the picture.
    #[must_use]
    pub fn view_only() -> Self {
        Self(Permission::View.bit())
    }

    /// Whether `permission` is in the set.
    #[must_use]
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether the viewer may drive anything (mouse or keyboard).
    #[must_use]
    pub fn may_control(self) -> bool {
        self.contains(Permission::Mouse) || self.contains(Permission::Keyboard)
    }

    /// Adds one.
    pub fn insert(&mut self, permission: Permission) {
        self.0 |= permission.bit();
    }

    /// Takes one away.
    pub fn remove(&mut self, permission: Permission) {
        self.0 &= !permission.bit();
    }

    /// Adds [`Permission::View`] where something [needs it](Permission::needs_view).
    #[must_use]
    pub fn with_view(self) -> Self {
        if self.iter().any(Permission::needs_view) { self | Permission::View } else { self }
    }

    /// Without what [needs](Permission::needs_view) [`Permission::View`], unless that is there.
    #[must_use]
    pub fn without_blind(self) -> Self {
        self.iter().filter(|permission| self.contains(Permission::View) || !permission.needs_view()).collect()
    }

    /// What is in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The permissions in the set, weakest first.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

impl From<u32> for Permissions {
    fn from(bits: u32) -> Self {
        Self(bits & Permissions::all().0)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

/// Names in a list for people and JSON (`["view","mouse"]`), the bit set on the wire.
impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_seq(self.iter()) } else { serializer.serialize_u32(self.0) }
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Names in a list or a bit set, as above. Unknown names are an error, unknown bits are ignored.
impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
        } else {
            u32::deserialize(deserializer).map(Self::from)
        }
    }
}

/// `view, mouse, keyboard`, or `nothing`.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("nothing");
        }
        for (index, permission) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(permission.name())?;
        }
        Ok(())
    }
}

/// The word is not the name of a permission.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{0}\" is not a permission; use view, point, mouse, keyboard, clipboard, files, or control for mouse and keyboard")]
pub struct UnknownPermission(String);

/// A comma-separated list; `control` stands for mouse and keyboard. A list with something that [needs](Permission::needs_view) it
/// includes view.
impl FromStr for Permissions {
    type Err = UnknownPermission;

    fn from_str(list: &str) -> Result<Self, UnknownPermission> {
        let mut permissions = Self::NONE;
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let word = word.to_ascii_lowercase();
            match Permission::ALL.into_iter().find(|permission| permission.name() == word) {
                Some(permission) => permissions.insert(permission),
                None if word == "control" => permissions = permissions | Permission::Mouse | Permission::Keyboard,
                None => return Err(UnknownPermission(word)),
            }
        }
        Ok(permissions.with_view())
    }
}

impl std::ops::BitOr<Permission> for Permissions {
    type Output = Self;

    fn bitor(mut self, permission: Permission) -> Self {
        self.insert(permission);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_is_mouse_and_keyboard_and_includes_view() {
        let parsed: Permissions = "control".parse().expect("a known word");
        assert_eq!(parsed.to_string(), "view, mouse, keyboard");
        assert_eq!("files".parse::<Permissions>().expect("a known word").to_string(), "files");
    }

    #[test]
    fn nobody_acts_blindly() {
        let mut permissions = Permissions::all();
        permissions.remove(Permission::View);
        assert_eq!(permissions.without_blind().to_string(), "clipboard, files");
        assert_eq!(permissions.with_view(), Permissions::all());
    }

    #[test]
    fn unknown_words_are_refused_and_unknown_bits_ignored() {
        assert!("view,fly".parse::<Permissions>().is_err());
        assert_eq!(Permissions::from(0xffff_ffc0), Permissions::NONE);
    }

    #[test]
    fn json_has_names_and_the_wire_has_bits() {
        let view = Permissions::view_only();
        assert_eq!(serde_json::to_string(&view).expect("serialises"), r#"["view"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(r#"["view"]"#).expect("names"), view);
        assert_eq!(postcard::to_stdvec(&view).expect("serialises"), [1]);
        assert_eq!(postcard::from_bytes::<Permissions>(&[0xff, 0x7f]).expect("bits"), Permissions::all());
    }
}
