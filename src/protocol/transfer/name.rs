//! Names of files that come from somebody else. A name that is refused is never changed into another one: the sender renames it.

/// The longest name, in bytes: with what is put around it while the file is partial, it fits into the 255 of usual file systems.
pub const MAX_NAME: usize = 200;
/// How a partial file ends, see [`part`].
pub const PART: &str = ".rs-part";

/// Names that Windows keeps for devices, whatever follows behind a dot.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2", "lpt3",
    "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Whether this is a plain name of one file on every system.
///
/// # Errors
/// Why not, in words that end a sentence.
pub fn check(name: &str) -> Result<(), &'static str> {
    let is_bad = |character: char| {
        character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
    };
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    if name.is_empty() || name == "." || name == ".." {
        Err("it has no name")
    } else if name.len() > MAX_NAME {
        Err("its name is longer than 200 bytes")
    } else if name.contains(['/', '\\']) {
        Err("its name has a slash or a backslash in it")
    } else if cfg!(windows) && name.contains(['<', '>', ':', '"', '|', '?', '*']) {
        Err("its name has a character that cannot be in one here")
    } else if name.chars().any(is_bad) {
        Err("its name has control characters")
    } else if DEVICES.contains(&stem.as_str()) {
        Err("its name is that of a device on Windows")
    } else if name.ends_with(['.', ' ']) {
        Err("its name ends with a dot or a space")
    } else if name.ends_with(PART) {
        Err("its name is that of a partial file")
    } else {
        Ok(())
    }
}

/// The name to try after `tried` others were taken: `name (2).ext`.
#[must_use]
pub fn next(name: &str, tried: u32) -> String {
    match (tried, name.rsplit_once('.')) {
        (0, _) => name.to_owned(),
        (tried, Some((stem, extension))) if !stem.is_empty() => format!("{stem} ({}).{extension}", tried + 1),
        (tried, _) => format!("{name} ({})", tried + 1),
    }
}

/// The name of the partial file of this name, from the sender with this tag: eight hexadecimal digits.
#[must_use]
pub fn part(name: &str, tag: &str) -> String {
    format!(".{name}.{tag}{PART}")
}

/// Whether a file with this name is a partial one.
#[must_use]
pub fn is_part(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(PART)).and_then(|rest| rest.rsplit_once('.'));
    parts.is_some_and(|(name, tag)| check(name).is_ok() && tag.len() == 8 && tag.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names() {
        for name in ["a", ".bashrc", "Bericht äöü.pdf", "a b (2).tar.gz", "console", "nullify.txt", &"x".repeat(MAX_NAME)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "/etc/passwd",
            "a/b",
            "..\\a",
            "a\0b",
            "a\nb",
            "\u{1b}[2J",
            "fdp.\u{202e}exe",
            "CON",
            "nul.txt",
            "Lpt1.",
            "a.",
            "a ",
            "x.rs-part",
            &"x".repeat(300),
        ] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn only_our_own_partial_files_are_known_as_such() {
        assert!(is_part(&part("a b (2).tar.gz", "00c0ffee")));
        for name in
            ["a.00c0ffee.rs-part", ".a.rs-part", ".a.00c0ffee", ".a.00c0ffe.rs-part", ".a.x0c0ffee.rs-part", "..00c0ffee.rs-part"]
        {
            assert!(!is_part(name), "{name}");
        }
    }

    #[test]
    fn what_is_there_gets_a_number_behind_the_stem() {
        let names: Vec<_> = (0..3).map(|tried| next("a.b.txt", tried)).collect();
        assert_eq!(names, ["a.b.txt", "a.b (2).txt", "a.b (3).txt"]);
        assert_eq!([next("a", 1), next(".bashrc", 1)], ["a (2)", ".bashrc (2)"]);
    }
}
