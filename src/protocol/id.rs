//! Identities: the key, and the ID that people read out.
//!
//! Rules:
//! - `S = Argon2id(password = the 32-byte Ed25519 public key, salt = "rs-id-v1" ‖ eight zero bytes, m = 19456 KiB, t = 2, p = 1, 16 bytes)`.
//! - `ID = (S as a big-endian u128) mod 10^15` as 15 digits, then one Damm check digit, shown `dddd-dddd-dddd-dddd`.
//! - The stretching makes each try of somebody who looks for a key with a given ID cost an Argon2id; the ID itself has 49.8 bits.
//! - Input ignores spaces and hyphens, also those that word processors and chats put in their place. The check digit finds every
//!   wrong digit and every swap of neighbours.
//! - An ID routes; it is not the proof. The proof is in [`super::auth`].

use std::{fmt, str::FromStr};

use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Digits of an ID, the check digit included.
const DIGITS: usize = 16;
/// One more than the largest number before the check digit.
const MODULUS: u128 = 10_u128.pow(15);
const SALT: &[u8; 16] = b"rs-id-v1\0\0\0\0\0\0\0\0";
/// Room for Argon2id, in blocks of 1 KiB: more than is used, because glibc gives blocks above 32 MiB back to the system when they are
/// freed. Smaller ones stay in its arenas, and a relay that checks many new hosts grew by gigabytes.
const ROOM: usize = 33 << 10;

/// A peer's Ed25519 public key, as 32 bytes: what its libp2p peer ID and its `rs` ID are made from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub [u8; 32]);

/// The first eight hex digits: enough to tell peers apart in a log.
impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// The ID: 15 digits and a check digit, shown `dddd-dddd-dddd-dddd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(u64);

/// Not an ID, and what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    /// Other than 16 digits.
    #[error("an ID has 16 digits, like 9339-2522-7420-3124; this one has {0}")]
    Length(usize),
    /// Something else than digits, spaces and hyphens.
    #[error("an ID has only digits, like 9339-2522-7420-3124; {0:?} is not one")]
    Character(char),
    /// A typing error.
    #[error("this ID has a typing error (its check digit is wrong); compare it with the one on the host's screen")]
    Check,
}

impl HostId {
    /// The ID of a key. Takes about 20 ms and 19 MiB: it is stretched with Argon2id on purpose.
    #[must_use]
    pub fn of(key: &PeerKey) -> Self {
        let params = Params::new(19_456, 2, 1, Some(16)).expect("parameters within Argon2's limits");
        let (mut stretched, mut memory) = ([0; 16], Vec::with_capacity(ROOM));
        memory.resize(params.block_count(), Block::default());
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(&key.0, SALT, &mut stretched, &mut memory)
            .expect("lengths within Argon2's limits");
        let number = u64::try_from(u128::from_be_bytes(stretched) % MODULUS).expect("less than 10^15");
        let check = damm(format!("{number:015}").bytes().map(|digit| digit - b'0'));
        Self(number * 10 + u64::from(check))
    }

    /// The 16 digits without hyphens.
    #[must_use]
    pub fn digits(self) -> String {
        format!("{:016}", self.0)
    }
}

/// Four groups of four digits.
impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        write!(f, "{}-{}-{}-{}", &digits[..4], &digits[4..8], &digits[8..12], &digits[12..])
    }
}

impl FromStr for HostId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut digits = [0_u8; DIGITS];
        let mut count = 0;
        for character in text.chars().filter(|character| !is_separator(*character)) {
            let digit = character.to_digit(10).ok_or(IdError::Character(character))?;
            if let Some(slot) = digits.get_mut(count) {
                *slot = u8::try_from(digit).expect("a decimal digit");
            }
            count += 1;
        }
        if count != DIGITS {
            return Err(IdError::Length(count));
        }
        if damm(digits) != 0 {
            return Err(IdError::Check);
        }
        Ok(Self(digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))))
    }
}

/// What people and programs put between groups: any space, hyphen or dash, and the invisible marks that come along with a paste.
pub(super) fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || matches!(character,
            '-' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' // hyphens and dashes
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}') // invisible
}

/// The Damm check digit (H. M. Damm, "Total anti-symmetrische Quasigruppen", 2004) of some digits; 0 when the last one is already right.
fn damm(digits: impl IntoIterator<Item = u8>) -> u8 {
    #[rustfmt::skip]
    const TABLE: [[u8; 10]; 10] = [
        [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
        [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
        [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
        [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
        [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
        [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
        [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
        [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
        [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
        [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
    ];
    digits.into_iter().fold(0, |interim, digit| TABLE[usize::from(interim)][usize::from(digit)])
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    fn key(hex: &str) -> PeerKey {
        PeerKey(HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap())
    }

    /// Any ID with a right check digit, without the price of Argon2id.
    fn any_id() -> impl Strategy<Value = HostId> {
        (0..10_u64.pow(15)).prop_map(|number| {
            let check = damm(format!("{number:015}").bytes().map(|digit| digit - b'0'));
            HostId(number * 10 + u64::from(check))
        })
    }

    #[test]
    fn the_vectors_of_the_specification_hold() {
        let first = key("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(HostId::of(&first).to_string(), "9339-2522-7420-3124");
        let second = key("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        assert_eq!(HostId::of(&second).to_string(), "7844-2221-5956-2817");
    }

    #[test]
    fn damm_of_572_is_4() {
        assert_eq!(damm([5, 7, 2]), 4);
        assert_eq!(damm([5, 7, 2, 4]), 0);
    }

    #[test]
    fn spaces_and_hyphens_of_every_kind_are_ignored() {
        let id: HostId = "9339-2522-7420-3124".parse().unwrap();
        for text in
            ["9339252274203124", " 9339 2522 7420 3124\r\n", "9339–2522—7420\u{2011}3124", "9339\u{a0}2522\u{202f}7420\u{200b}3124"]
        {
            assert_eq!(text.parse(), Ok(id), "{text:?}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        assert_eq!("9339-2522-7420-312".parse::<HostId>(), Err(IdError::Length(15)));
        assert_eq!("".parse::<HostId>(), Err(IdError::Length(0)));
        assert_eq!("9".repeat(100_000).parse::<HostId>(), Err(IdError::Length(100_000)));
        assert_eq!("9339-2522-7420-312x".parse::<HostId>(), Err(IdError::Character('x')));
        assert_eq!("9339-2522-7420-3125".parse::<HostId>(), Err(IdError::Check));
        assert_eq!("٩339-2522-7420-3124".parse::<HostId>(), Err(IdError::Character('٩')));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(id in any_id()) {
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.digits().parse(), Ok(id));
            prop_assert_eq!(id.digits().len(), DIGITS);
        }

        #[test]
        fn every_wrong_digit_and_every_swap_of_neighbours_is_refused(id in any_id()) {
            let right = id.digits().into_bytes();
            for place in 0..DIGITS {
                for digit in (b'0'..=b'9').filter(|digit| *digit != right[place]) {
                    let mut wrong = right.clone();
                    wrong[place] = digit;
                    prop_assert_eq!(String::from_utf8(wrong).unwrap().parse::<HostId>(), Err(IdError::Check));
                }
                let mut swapped = right.clone();
                swapped.swap(place, (place + 1).min(DIGITS - 1));
                if swapped != right {
                    prop_assert_eq!(String::from_utf8(swapped).unwrap().parse::<HostId>(), Err(IdError::Check));
                }
            }
        }

        #[test]
        fn any_text_ends_in_a_value(text in ".{0,40}") {
            let _ = text.parse::<HostId>();
        }
    }
}
