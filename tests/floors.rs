//! The house keeps its floors: imports point downwards only, floor 1 is pure, and no file grows beyond a sitting.
//!
//! Comments, string literals and `#[cfg(test)]` modules do not count. A module name counts wherever it is named: in a `use`, in braces,
//! by `super::`, or in the middle of a line.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longer files have more than one subject.
const MAX_LINES: usize = 500;

/// Names of IO, clocks, threads and randomness. Floor 1 gets the time and the random numbers as arguments.
const IMPURE: [&str; 14] = [
    "tokio",
    "libp2p",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "thread_rng",
    "OsRng",
    "from_entropy",
    "rand::random",
    "File::",
];

/// The top-level modules that `module` may name, besides itself.
fn may_use(module: &str) -> &'static [&'static str] {
    match module {
        "protocol" | "video" => &[],
        "desktop" | "net" | "ui" | "store" | "files" => &["protocol", "video"],
        "logging" => &[],
        "cli" => &["protocol", "video", "desktop", "net", "store"],
        // The composition and the crate's roots.
        _ => &["protocol", "video", "desktop", "net", "ui", "store", "files", "app", "cli", "logging"],
    }
}

const MODULES: [&str; 10] = ["protocol", "video", "desktop", "net", "ui", "store", "files", "app", "cli", "logging"];

#[test]
fn imports_point_downwards_and_floor_one_is_pure() {
    let faults: Vec<String> = sources().iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_a_sitting() {
    let long: Vec<String> = sources()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("src/{}: {lines} lines, at most {MAX_LINES}: split it", path.display()))
        .collect();
    assert!(long.is_empty(), "\n{}\n", long.join("\n"));
}

/// All of `src/**/*.rs`, with paths from `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                files.push((path.strip_prefix(&root).expect("it is below src").to_owned(), text));
            }
        }
    }
    assert!(files.len() > 20, "these are not the sources");
    files
}

/// What `text`, the file at `path` (from `src`), does that its floor may not.
fn faults(path: &Path, text: &str) -> Vec<String> {
    let module = path.iter().next().and_then(|first| Path::new(first).file_stem()?.to_str()).expect("a path of ours");
    let whole_test = is_test(path);
    let code = if whole_test { String::new() } else { code(text) };
    let at = |what: String| format!("src/{}: {what}", path.display());
    let climbs = named_modules(&code, levels(path))
        .into_iter()
        .filter(|named| *named != module && !may_use(module).contains(named))
        .map(|named| at(format!("`{module}` may not use `{named}`")));
    let pure = matches!(module, "protocol" | "video");
    let impure = IMPURE.iter().filter(|name| pure && names(&code, name)).map(|name| at(format!("`{name}` on floor 1")));
    climbs.chain(impure).collect()
}

/// Whether the file is compiled for tests only: `tests.rs`, `testing.rs`, or in a folder `tests`.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| matches!(part.to_str(), Some("tests" | "tests.rs" | "testing.rs")))
}

/// The top-level modules that the code names by a path from the crate's root: `crate::net`, `crate::{net::x, …}`, or `super::…::net`
/// with as many `super` as `levels` from this file to the root.
fn named_modules(code: &str, levels: usize) -> Vec<&'static str> {
    let squeezed = code.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ::", "::").replace(":: ", "::");
    let mut found: Vec<&'static str> = Vec::new();
    for root in ["crate::".to_owned(), "rs::".to_owned(), "super::".repeat(levels)].iter().filter(|root| !root.is_empty()) {
        for (at, _) in squeezed.match_indices(root.as_str()) {
            let starts_a_path = !squeezed[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            let heads = heads(&squeezed[at + root.len()..]).into_iter().filter(|_| starts_a_path);
            found.extend(heads.filter_map(|head| MODULES.into_iter().find(|module| *module == head)));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// How many `super` lead from the file at `path` (from `src`) to the crate's root.
fn levels(path: &Path) -> usize {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("lib.rs" | "main.rs") => 0,
        Some("mod.rs") => path.iter().count() - 1,
        _ => path.iter().count(),
    }
}

/// The first names of a path or, with braces, of each path in them.
fn heads(rest: &str) -> Vec<&str> {
    let name = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(group) = rest.strip_prefix('{') else { return vec![&rest[..name(rest)]] };
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, symbol) in group.char_indices() {
        match symbol {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let part = group[start..at].trim_start();
                found.push(&part[..name(part)]);
                start = at + 1;
                if symbol == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether the code has this name as a whole: `tokio`, but not `tokio_like` or `my_tokio`.
fn names(code: &str, name: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let after = &code[at + name.len()..];
        !code[..at].ends_with(part_of_word) && (name.ends_with(':') || !after.starts_with(part_of_word))
    })
}

/// The text without comments, the insides of string literals and `#[cfg(test)]` modules.
fn code(text: &str) -> String {
    let bare = without_comments_and_strings(text);
    let mut kept = String::new();
    let mut rest = bare.as_str();
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at + "#[cfg(test)]".len()..];
        // The item ends with the brace that closes its first one, or at a semicolon before any.
        let mut depth = 0usize;
        let end = rest.char_indices().find_map(|(at, symbol)| {
            match symbol {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && matches!(symbol, '}' | ';')).then_some(at + 1)
        });
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    kept + rest
}

fn without_comments_and_strings(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            'r' if !kept.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw_string(rest),
            '"' => string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skip == 0 {
            kept.push(first);
        }
        rest = &rest[skip.max(first.len_utf8()).min(rest.len())..];
    }
    kept
}

/// The length of the raw string that `text` begins with, or 0.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let (start, end) = (2 + hashes, format!("\"{}", "#".repeat(hashes)));
    text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
}

/// The length of the string that `text` begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = !escaped && *c == '"';
        escaped = !escaped && *c == '\\';
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// The length of the character literal that `text` begins with, or 0 for a lifetime.
fn character(text: &str) -> usize {
    let inside = &text[1..];
    if inside.starts_with('\\') {
        return inside[2..].find('\'').map_or(0, |at| at + 4);
    }
    let Some(one) = inside.chars().next() else { return 0 };
    if inside[one.len_utf8()..].starts_with('\'') { one.len_utf8() + 2 } else { 0 }
}

mod the_checker {
    use super::*;

    fn faulty(path: &str, text: &str) -> bool {
        !faults(Path::new(path), text).is_empty()
    }

    #[test]
    fn sees_imports_that_climb_however_they_are_written() {
        for (path, text) in [
            ("protocol/id.rs", "use crate::net::Node;"),
            ("protocol/id.rs", "use crate::{\n    video::frame::{Size, Rect},\n};"),
            ("protocol/session/path.rs", "use super::super::super::net;"),
            ("protocol/mod.rs", "use super::net::Node;"),
            ("video/frame.rs", "fn f() -> crate::protocol::id::HostId { todo!() }"),
            ("net/node.rs", "use crate::{protocol::{id, link}, store::Store};"),
            ("ui/mod.rs", "use crate::desktop;"),
            ("store.rs", "use super::app;"),
            ("desktop/x11.rs", "pub(crate) use crate :: cli :: Cli;"),
            ("logging.rs", "use crate::store;"),
        ] {
            assert!(faulty(path, text), "{path}: {text}");
        }
    }

    #[test]
    fn lets_imports_that_point_down_pass() {
        for (path, text) in [
            ("net/node.rs", "use crate::{net::Event, protocol::{id::HostId, net}, video};\nuse super::ui;"),
            ("app/host.rs", "use crate::{desktop, net, store, ui};"),
            ("protocol/session/mod.rs", "use super::{message, net};\nuse crate::protocol::id;"),
            ("lib.rs", "pub mod app;"),
            (
                "video/frame.rs",
                "// use crate::net;\n/* crate::net */ const A: &str = \"crate::net\"; const B: &str = r#\"crate::net \"quoted\"\"#;",
            ),
            ("video/frame.rs", "const Q: char = '\"'; // crate::net\nconst B: char = '\\''; fn f<'a>() {} // \" crate::net"),
        ] {
            assert_eq!(faults(Path::new(path), text), [""; 0], "{text}");
        }
    }

    #[test]
    fn sees_io_clocks_and_randomness_on_floor_one_only() {
        for name in IMPURE {
            let text = format!("fn f() {{ {name}x(); }}").replace("x()", if name.ends_with(':') { "open()" } else { "()" });
            assert!(faulty("protocol/id.rs", &text) && faulty("video/encoder.rs", &text), "{text}");
            assert!(!faulty("store/mod.rs", &text), "{text}");
        }
        assert!(!faulty("protocol/id.rs", "use std::time::Instant; fn tokio_like(profile: Profile) {}"));
        assert!(!faulty("video/encoder.rs", "fn new() -> std::io::Result<()> { Ok(()) }"));
    }

    #[test]
    fn skips_test_modules_and_looks_on_behind_them() {
        let test = "#[cfg(test)]\nmod tests {\n    use crate::net; fn f() { tokio::spawn(); } }\n";
        assert!(!faulty("protocol/id.rs", test));
        assert!(faulty("protocol/id.rs", &format!("{test}use crate::net;")));
        assert!(faulty("protocol/id.rs", "#[cfg(test)]\nmod tests;\nuse crate::net;"));
    }
}
