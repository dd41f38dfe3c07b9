//! The chain of the session log: records of which none can be changed, taken out, put in or moved without it showing.
//!
//! A record is one line of JSON: its `number`, counted from 1, `previous`, the BLAKE3 hash of the line before it (32 zero bytes for the
//! first), and the `record` itself. So every line stands for all before it, and what a change breaks is found by reading the lines in order
//! ([`Tip::follow`]). That the end was cut off, or that all of it was written anew, a chain alone does not show: the [`Head`] does, which
//! says where the log ends, and where it begins once old records were let go. It is signed with the identity key. Whoever has that key can
//! write another log; nothing here hinders them.
//!
//! Lines are compared as bytes, never parsed and written again: there is no second form that has the same hash.

use std::fmt;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest line, in bytes: far more than the longest names need.
pub const MAX_LINE: usize = 64 << 10;
/// The first word of a signed head: its version, and what keeps its signature apart from any other made with the same key.
const FORM: &str = "rs-log-1";

/// BLAKE3 of a line, without its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    fn of(line: &[u8]) -> Self {
        Self(*blake3::hash(line).as_bytes())
    }

    fn parse(hex: &str) -> Option<Self> {
        HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

/// 64 hex digits.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        Self::parse(&hex).ok_or_else(|| serde::de::Error::custom("a hash has 64 hex digits"))
    }
}

/// What every line begins with.
#[derive(Deserialize)]
struct Link {
    number: u64,
    previous: Hash,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is none of ours any more.
    #[error("this is not a record")]
    Unreadable,
    /// It has another number than the one that comes next.
    #[error("record {found} stands where record {expected} should: something was taken out, put in or moved here")]
    Number {
        /// The number that comes next.
        expected: u64,
        /// The line's.
        found: u64,
    },
    /// Its link is not the hash of the line before it.
    #[error("the record before this one was changed, or this one's link to it")]
    Link,
}

/// The end of a chain, or of what was read of it so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// How many records there are.
    pub count: u64,
    /// The hash of the last one.
    pub hash: Hash,
}

impl Tip {
    /// The end of a chain without a record.
    pub const NONE: Self = Self { count: 0, hash: Hash([0; 32]) };

    /// The line of a new record, without the line's end; the chain ends with it then.
    ///
    /// # Errors
    /// It cannot be written as JSON, or is longer than [`MAX_LINE`].
    pub fn add(&mut self, record: &impl Serialize) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct Line<'a, R> {
            number: u64,
            previous: Hash,
            record: &'a R,
        }
        let line = serde_json::to_string(&Line { number: self.count + 1, previous: self.hash, record })?;
        if line.len() > MAX_LINE {
            return Err(serde::ser::Error::custom("the record is too long"));
        }
        *self = Self { count: self.count + 1, hash: Hash::of(line.as_bytes()) };
        Ok(line)
    }

    /// Goes on to the next line, given without its end.
    ///
    /// # Errors
    /// It does not follow.
    pub fn follow(&mut self, line: &[u8]) -> Result<(), Fault> {
        let link: Link = serde_json::from_slice(line).map_err(|_| Fault::Unreadable)?;
        let expected = self.count + 1;
        if link.number != expected {
            return Err(Fault::Number { expected, found: link.number });
        }
        if link.previous != self.hash {
            return Err(Fault::Link);
        }
        *self = Self { count: expected, hash: Hash::of(line) };
        Ok(())
    }
}

/// Where the log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the first file.
    pub first: u32,
    /// The chain's end in front of that file: records before it were let go.
    pub before: Tip,
    /// The chain's end.
    pub tip: Tip,
    /// The number of the file with the last record.
    pub file: u32,
    /// That file's length in bytes.
    pub length: u64,
}

impl Head {
    /// One line: `rs-log-1 FIRST COUNT HASH COUNT HASH FILE LENGTH SIGNATURE`, in the order of the fields; the signature is of what stands
    /// before it.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = self.unsigned();
        let signature = HEXLOWER.encode(&key.sign(text.as_bytes()).to_bytes());
        format!("{text} {signature}\n")
    }

    /// The head in this text, if this key signed it.
    #[must_use]
    pub fn verify(text: &str, key: &VerifyingKey) -> Option<Self> {
        let (unsigned, signature) = text.strip_suffix('\n')?.rsplit_once(' ')?;
        let signature: [u8; 64] = HEXLOWER.decode(signature.as_bytes()).ok()?.try_into().ok()?;
        key.verify_strict(unsigned.as_bytes(), &Signature::from_bytes(&signature)).ok()?;
        let mut words = unsigned.split(' ');
        if words.next()? != FORM {
            return None;
        }
        let first = words.next()?.parse().ok()?;
        let mut tip = || Some(Tip { count: words.next()?.parse().ok()?, hash: Hash::parse(words.next()?)? });
        let (before, tip) = (tip()?, tip()?);
        let (file, length) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let head = Self { first, before, tip, file, length };
        (head.unsigned() == unsigned).then_some(head)
    }

    fn unsigned(&self) -> String {
        let Self { first, before, tip, file, length } = self;
        format!("{FORM} {first} {} {} {} {} {file} {length}", before.count, before.hash, tip.count, tip.hash)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn chain(words: &[String]) -> (Vec<String>, Tip) {
        let mut tip = Tip::NONE;
        let lines = words.iter().map(|word| tip.add(&json!({ "word": word })).expect("short")).collect();
        (lines, tip)
    }

    /// Where reading these lines stops, counted from 0, and why; `None`: they are whole, and end where the head says.
    fn checked<L: AsRef<[u8]>>(lines: &[L], end: Tip) -> Option<usize> {
        let mut tip = Tip::NONE;
        let stop = lines.iter().position(|line| tip.follow(line.as_ref()).is_err());
        stop.or((tip != end).then_some(lines.len()))
    }

    fn words() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(".{0,12}", 1..12)
    }

    proptest! {
        #[test]
        fn a_chain_that_nobody_touched_is_whole(words in words()) {
            let (lines, tip) = chain(&words);
            prop_assert_eq!(checked(&lines, tip), None);
            prop_assert_eq!(tip.count, words.len() as u64);
        }

        #[test]
        fn a_changed_byte_shows_in_its_line_or_the_next(words in words(), line: prop::sample::Index, byte: prop::sample::Index, mask in 1..=255_u8) {
            let (lines, tip) = chain(&words);
            let mut lines: Vec<_> = lines.into_iter().map(String::into_bytes).collect();
            let line = line.index(lines.len());
            let byte = byte.index(lines[line].len());
            lines[line][byte] ^= mask;
            let found = checked(&lines, tip).expect("it shows");
            prop_assert!(found == line || found == line + 1, "line {} was changed, and {} named", line, found);
        }

        #[test]
        fn a_line_taken_out_shows_where_it_was(words in words(), line: prop::sample::Index) {
            let (mut lines, tip) = chain(&words);
            let line = line.index(lines.len());
            lines.remove(line);
            prop_assert_eq!(checked(&lines, tip), Some(line));
        }

        #[test]
        fn a_line_put_in_shows(words in words(), at: prop::sample::Index, from: prop::sample::Index) {
            let (mut lines, tip) = chain(&words);
            let (at, copy) = (at.index(lines.len() + 1), lines[from.index(lines.len())].clone());
            lines.insert(at, copy);
            // The same line twice: whichever of both is the copy.
            let found = checked(&lines, tip).expect("it shows");
            prop_assert!(found == at || (found == at + 1 && lines[at] == lines[at + 1]), "{} at {}", found, at);
        }

        #[test]
        fn a_forged_line_shows_even_where_it_fits(words in words(), at: prop::sample::Index) {
            let (lines, tip) = chain(&words);
            let at = at.index(lines.len() + 1);
            let mut forged = Tip::NONE;
            lines[..at].iter().for_each(|line| forged.follow(line.as_bytes()).expect("whole"));
            let line = forged.add(&json!({ "word": "forged" })).expect("short");
            let mut all = lines.clone();
            all.insert(at, line.clone());
            prop_assert_eq!(checked(&all, tip), Some(at + 1), "put in");
            if let Some(place) = all.get(at + 1).map(|_| at) {
                let mut replaced = lines;
                replaced[place] = line;
                prop_assert_eq!(checked(&replaced, tip), Some(at + 1), "in the place of another");
            }
        }

        #[test]
        fn lines_that_change_places_show(words in words(), one: prop::sample::Index, other: prop::sample::Index) {
            let (mut lines, tip) = chain(&words);
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
            prop_assert_eq!(checked(&lines, tip), (one != other).then_some(one.min(other)));
        }

        #[test]
        fn an_end_that_was_cut_off_shows(words in words(), kept: prop::sample::Index) {
            let (lines, tip) = chain(&words);
            let kept = kept.index(lines.len());
            prop_assert_eq!(checked(&lines[..kept], tip), Some(kept));
        }

        #[test]
        fn a_head_counts_only_with_its_own_signature(counts: [u64; 2], hashes: [[u8; 32]; 2], first: u32, file: u32, length: u64, byte: prop::sample::Index, mask in 1..=127_u8) {
            let key = SigningKey::from_bytes(&[7; 32]);
            let [before, tip] = [0, 1].map(|at| Tip { count: counts[at], hash: Hash(hashes[at]) });
            let head = Head { first, before, tip, file, length };
            let text = head.sign(&key);
            prop_assert_eq!(Head::verify(&text, &key.verifying_key()), Some(head));
            prop_assert_eq!(Head::verify(&text, &SigningKey::from_bytes(&[8; 32]).verifying_key()), None);
            let mut changed = text.into_bytes();
            let byte = byte.index(changed.len());
            changed[byte] ^= mask;
            if let Ok(changed) = String::from_utf8(changed) {
                prop_assert_eq!(Head::verify(&changed, &key.verifying_key()), None);
            }
        }
    }

    #[test]
    fn a_record_that_is_too_long_leaves_the_chain_as_it_is() {
        let mut tip = Tip::NONE;
        assert!(tip.add(&json!({ "word": "x".repeat(MAX_LINE) })).is_err());
        assert_eq!(tip, Tip::NONE);
    }
}
