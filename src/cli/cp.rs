//! `rs cp`: which side a path is on.
//!
//! `TARGET:PATH` is on the host, where `TARGET` is what `rs connect` takes: an ID, `ID@ADDRESS` or a link. These have colons themselves, so the
//! last colon behind which a path can begin counts: the one with the longest target before it. Everything else is a file here; one
//! whose name looks like a target is written with a folder before it, as `./NAME`.

use std::{convert::Infallible, path::PathBuf, str::FromStr};

use clap::Args;

use super::{NetArgs, PasswordArgs, Target};

/// `rs cp`.
#[derive(Debug, Args)]
pub struct CpArgs {
    /// Files here and ID: or ID:NAME, or ID:PATH and a file or folder here
    #[arg(value_name = "PATH", num_args = 2.., required = true)]
    pub paths: Vec<End>,
    /// Relays and listen addresses.
    #[command(flatten)]
    pub net: NetArgs,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
    /// Tell what happens as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// One end of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A file or folder on this machine.
    Here(PathBuf),
    /// A name or path in the host's folder.
    There(Box<Target>, String),
}

impl FromStr for End {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let split = text.rmatch_indices(':').find_map(|(at, _)| Some((text[..at].parse::<Target>().ok()?, &text[at + 1..])));
        Ok(match split {
            Some((target, path)) => Self::There(Box::new(target), path.to_owned()),
            None => Self::Here(PathBuf::from(text)),
        })
    }
}

/// What is copied where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copy {
    /// These files to the host, under this name if there is one.
    To(Box<Target>, Vec<PathBuf>, Option<String>),
    /// This path from the host, to here.
    From(Box<Target>, String, PathBuf),
}

/// What these ends mean.
///
/// # Errors
/// They mean nothing: what would.
pub fn copy(mut ends: Vec<End>) -> Result<Copy, &'static str> {
    let last = ends.pop();
    let mut here = Vec::new();
    for end in &ends {
        match end {
            End::Here(path) => here.push(path.clone()),
            End::There(..) => {}
        }
    }
    match (last, ends.as_slice()) {
        (Some(End::There(target, name)), files) if here.len() == files.len() => match (name.as_str(), files.len()) {
            ("", _) => Ok(Copy::To(target, here, None)),
            (_, 1) => Ok(Copy::To(target, here, Some(name))),
            _ => Err("several files keep their names; end with ID: and nothing behind the colon"),
        },
        (Some(End::Here(to)), [End::There(target, path)]) if !path.is_empty() => Ok(Copy::From(target.clone(), path.clone(), to)),
        (Some(End::Here(_)), [End::There(..)]) => Err("which file? name it behind the colon, as ID:FILE"),
        _ => Err("one side is a host: rs cp FILE... ID:[NAME], or rs cp ID:FILE DEST"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> End {
        text.parse().expect("never refused")
    }

    #[test]
    fn the_longest_target_before_a_colon_counts() {
        const ID: &str = "0000-0000-0000-0000";
        for (target, path) in [(ID.to_owned(), ""), (ID.to_owned(), "a:b"), (format!("{ID}@127.0.0.1:4001"), "logs/x")] {
            if let Ok(parsed) = target.parse::<Target>() {
                assert_eq!(end(&format!("{target}:{path}")), End::There(Box::new(parsed), path.to_owned()));
            }
        }
        for here in ["a", "./a:b", "/tmp/a b", "C:\\x", "a:b"] {
            assert_eq!(end(here), End::Here(PathBuf::from(here)));
        }
    }

    #[test]
    fn a_copy_has_one_side_there() {
        for wrong in [vec!["a", "b"], vec!["a"], vec!["b", "."]] {
            assert!(copy(wrong.into_iter().map(end).collect()).is_err());
        }
    }
}
