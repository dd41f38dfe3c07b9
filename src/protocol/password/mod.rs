//! Passwords and what a host keeps of them.
//!
//! Rules:
//! - Generated passwords are lower-case Crockford base32 (no i, l, o, u) in groups of four: 8 symbols (40 bits) for one time,
//!   12 (60 bits) for good. 32 symbols, so five random bits are one symbol and nothing is biased.
//! - A text that looks like a generated password, that is 8 or 12 Crockford symbols once spaces and hyphens are gone, has one
//!   canonical form: lower case, o read as 0, i and l as 1, groups of four. Every other text is its own canonical form, apart from
//!   the line end that a file or a pipe leaves behind. So what was shown, read out and typed is always the same password, and a
//!   user's own password stays what they typed.
//! - OPAQUE never sees the text: it gets SHA-512("rs-password-v1:" ‖ canonical form), so that no length is special.
//! - A host keeps a [`Verifier`], never a password. A one-time password is shown again and again, so the host's app keeps it in
//!   memory; a permanent one is gone once registered.

mod opaque;

use opaque_ke::{ServerRegistration, ServerSetup};
use rand::{CryptoRng, RngCore};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

pub(super) use opaque::{ClientProof, ProofError, ServerProof, SessionKey};

use super::id::{PeerKey, is_separator};

/// The fewest characters of a user's own permanent password.
pub const MIN_OWN: usize = 12;
const ONE_TIME: usize = 8;
const PERMANENT: usize = 12;
const GROUP: usize = 4;
/// Crockford's base32 (<https://www.crockford.com/base32.html>) in lower case.
const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A password as typed, brought to its one form; wiped from memory when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// The password is not good enough.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a permanent password needs at least 12 characters; this one has {0}")]
pub struct TooShort(pub usize);

impl Password {
    /// A one-time password: 8 symbols of Crockford base32 in lower case, 40 bits, shown `k7m4-q2xp`.
    pub fn one_time<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        Self::generate(ONE_TIME, rng)
    }

    /// A permanent password: 12 symbols, 60 bits, shown `k7m4-q2xp-9rtb`.
    pub fn permanent<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        Self::generate(PERMANENT, rng)
    }

    /// A permanent password of the user's own. A generated one-time password is too short for it, however it is spaced.
    ///
    /// # Errors
    /// [`TooShort`].
    pub fn own(text: &str) -> Result<Self, TooShort> {
        let password = Self::typed(text);
        let length = symbols(&password.0).map_or_else(|| password.0.chars().count(), |symbols| symbols.len());
        if length < MIN_OWN { Err(TooShort(length)) } else { Ok(password) }
    }

    /// What somebody typed to connect.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// As shown to the host's user.
    #[must_use]
    pub fn show(&self) -> &str {
        &self.0
    }

    fn generate<R: RngCore + CryptoRng>(length: usize, rng: &mut R) -> Self {
        let mut random = Zeroizing::new([0_u8; PERMANENT]);
        rng.fill_bytes(&mut random[..]);
        for byte in &mut *random {
            *byte = SYMBOLS[usize::from(*byte % 32)];
        }
        Self(grouped(&random[..length]))
    }

    /// The one form of all the ways to write this password.
    fn canonical(&self) -> Zeroizing<String> {
        symbols(&self.0).map_or_else(|| self.0.clone(), |symbols| grouped(&symbols))
    }

    /// What OPAQUE takes for the password.
    fn digest(&self) -> Zeroizing<[u8; 64]> {
        let mut hash = Sha512::new_with_prefix(b"rs-password-v1:");
        hash.update(self.canonical().as_bytes());
        let mut output = hash.finalize();
        let digest = Zeroizing::new(output.into());
        output.as_mut_slice().zeroize();
        digest
    }
}

/// The symbols of a text that looks like a generated password, normalised.
fn symbols(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(PERMANENT));
    for character in text.chars().filter(|character| !is_separator(*character)) {
        let symbol = match u8::try_from(character).ok()?.to_ascii_lowercase() {
            b'o' => b'0',
            b'i' | b'l' => b'1',
            symbol if SYMBOLS.contains(&symbol) => symbol,
            _ => return None,
        };
        if symbols.len() == PERMANENT {
            return None;
        }
        symbols.push(symbol);
    }
    matches!(symbols.len(), ONE_TIME | PERMANENT).then_some(symbols)
}

fn grouped(symbols: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(PERMANENT + PERMANENT / GROUP));
    for (index, symbol) in symbols.iter().enumerate() {
        if index > 0 && index % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(*symbol));
    }
    text
}

/// What a host keeps to check a password: the OPAQUE server setup and registration record. Tells nothing without a guess at Argon2 cost.
///
/// Valid only for the host key that it was made for.
#[derive(Clone)]
pub struct Verifier {
    host: PeerKey,
    setup: ServerSetup<opaque::Suite>,
    record: ServerRegistration<opaque::Suite>,
}

/// The stored record is damaged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the password record is damaged")]
pub struct DamagedVerifier;

impl Verifier {
    const VERSION: u8 = 1;
    const SETUP: usize = 128;
    const RECORD: usize = 192;
    /// Version, host key, setup, record.
    const LENGTH: usize = 1 + 32 + Self::SETUP + Self::RECORD;

    /// Registers `password` for the host with this key. Takes 0.1–0.4 s: Argon2id, 64 MiB.
    pub fn new<R: RngCore + CryptoRng>(password: &Password, host: &PeerKey, rng: &mut R) -> Self {
        let setup = ServerSetup::new(rng);
        let record = opaque::register(&password.digest(), &setup, host, rng);
        Self { host: *host, setup, record }
    }

    /// Whether it was made for this host key. Of another one it would refuse every password.
    #[must_use]
    pub fn is_for(&self, host: &PeerKey) -> bool {
        self.host == *host
    }

    /// For the file `password.opaque`.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::LENGTH));
        bytes.push(Self::VERSION);
        bytes.extend_from_slice(&self.host.0);
        bytes.extend_from_slice(&Zeroizing::new(self.setup.serialize()));
        bytes.extend_from_slice(&Zeroizing::new(self.record.serialize()));
        bytes
    }

    /// From the file.
    ///
    /// # Errors
    /// [`DamagedVerifier`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedVerifier> {
        let (Some((&Self::VERSION, rest)), Self::LENGTH) = (bytes.split_first(), bytes.len()) else { return Err(DamagedVerifier) };
        let (host, rest) = rest.split_at(32);
        let (setup, record) = rest.split_at(Self::SETUP);
        Ok(Self {
            host: PeerKey(host.try_into().map_err(|_| DamagedVerifier)?),
            setup: ServerSetup::deserialize(setup).map_err(|_| DamagedVerifier)?,
            record: ServerRegistration::deserialize(record).map_err(|_| DamagedVerifier)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::auth::testing::SeededRng;

    const HOST: PeerKey = PeerKey([7; 32]);

    #[test]
    fn generated_passwords_have_their_shape_and_never_an_ambiguous_letter() {
        let mut rng = SeededRng::new(1);
        for _ in 0..200 {
            let (short, long) = (Password::one_time(&mut rng), Password::permanent(&mut rng));
            assert_eq!((short.show().len(), long.show().len()), (9, 14));
            for password in [&short, &long] {
                assert!(
                    password
                        .show()
                        .split('-')
                        .all(|group| group.len() == 4 && group.bytes().all(|symbol| SYMBOLS.contains(&symbol)))
                );
                assert_eq!(password.canonical().as_str(), password.show());
                assert!(password.digest() == Password::typed(password.show()).digest());
            }
        }
    }

    #[test]
    fn all_symbols_are_equally_likely() {
        let mut rng = SeededRng::new(2);
        let mut counts = [0_u32; 32];
        for _ in 0..4000 {
            for symbol in Password::one_time(&mut rng).show().bytes().filter(|symbol| *symbol != b'-') {
                counts[SYMBOLS.iter().position(|candidate| *candidate == symbol).unwrap()] += 1;
            }
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_read_out_password_may_be_typed_in_many_ways() {
        for text in ["k7m4-q2xp", "K7M4Q2XP", " k7 m4 q2 xp ", "k7m4\u{2013}q2xp\r\n", "K7M4\u{a0}Q2XP"] {
            assert_eq!(Password::typed(text).canonical().as_str(), "k7m4-q2xp", "{text:?}");
        }
        assert_eq!(Password::typed("oOiIlL01").canonical().as_str(), "0011-1101");
        assert_eq!(Password::typed("k7m4q2xp9rtb").canonical().as_str(), "k7m4-q2xp-9rtb");
    }

    #[test]
    fn an_own_password_stays_as_it_is() {
        for text in ["Correct Horse Battery", "  leading and trailing  ", "k7m4-q2xp-9", "uuuuuuuu", "pässword-with-ümlauts"] {
            assert_eq!(Password::typed(text).canonical().as_str(), text);
            assert_eq!(Password::typed(&format!("{text}\r\n")).canonical().as_str(), text);
        }
    }

    #[test]
    fn own_passwords_need_twelve_characters() {
        assert_eq!(Password::own("Short-1").err(), Some(TooShort(7)));
        assert_eq!(Password::own("elevenchars\n").err(), Some(TooShort(11)));
        assert_eq!(Password::own("k7m4 -- q2xp").err(), Some(TooShort(8)), "spacing adds nothing to eight symbols");
        assert_eq!(Password::own("ääääääääääää").unwrap().show(), "ääääääääääää");
    }

    #[test]
    fn a_verifier_survives_its_file_and_knows_its_host() {
        let verifier = Verifier::new(&Password::typed("k7m4-q2xp"), &HOST, &mut SeededRng::new(3));
        let bytes = verifier.to_bytes();
        assert_eq!(bytes.len(), Verifier::LENGTH);
        let Ok(again) = Verifier::from_bytes(&bytes) else { panic!("reads its own bytes") };
        assert!(again.to_bytes() == bytes);
        assert!(again.is_for(&HOST) && !again.is_for(&PeerKey([8; 32])));
        for length in 0..bytes.len() {
            assert!(Verifier::from_bytes(&bytes[..length]).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        let mut newer = bytes.to_vec();
        newer[0] += 1;
        assert!(Verifier::from_bytes(&longer).is_err() && Verifier::from_bytes(&newer).is_err());
    }

    proptest! {
        #[test]
        fn own_and_typed_always_agree(text in "\\PC{0,30}(\r?\n)?") {
            if let Ok(own) = Password::own(&text) {
                prop_assert!(own.digest() == Password::typed(&text).digest());
                prop_assert!(own.digest() == Password::typed(own.show()).digest());
            }
        }

        #[test]
        fn any_bytes_are_a_verifier_or_damaged(bytes in prop::collection::vec(any::<u8>(), 353)) {
            let _ = Verifier::from_bytes(&[&[1], &bytes[1..]].concat());
        }
    }
}
