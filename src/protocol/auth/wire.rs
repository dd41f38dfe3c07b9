//! What the handshake's messages carry: postcard, nothing after it.
//!
//! A payload with another first byte than [`VERSION`] is of another version and is not read further.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::{AuthError, Code, Permissions};
use crate::protocol::id::PeerKey;

/// The version that this program speaks.
pub(super) const VERSION: u8 = 1;
/// The longest display name, in bytes of UTF-8.
pub const MAX_NAME: usize = 64;
/// What stands before the signed x25519 key.
const SIGNED: &[u8; 19] = b"rs-noise-static-v1:";

/// The payload of #2, and the beginning of that of #3.
#[derive(Serialize, Deserialize)]
pub(super) struct Identity<'a> {
    version: u8,
    key: [u8; 32],
    signature: &'a [u8],
}

/// The payload of #3.
#[derive(Serialize, Deserialize)]
pub(super) struct Introduction<'a> {
    #[serde(borrow)]
    pub(super) identity: Identity<'a>,
    pub(super) name: &'a str,
    pub(super) wants: Permissions,
}

/// What the host says after #3.
#[derive(Serialize, Deserialize)]
pub(super) enum HostSays<'a> {
    Open,
    AskOnly,
    Busy { milliseconds: u32 },
    Ke2(&'a [u8]),
    Waiting { code: Code },
    Granted { permissions: Permissions, session: [u8; 16], material: Option<&'a [u8]> },
    Denied(DenyReason),
}

/// What the viewer says after #3.
#[derive(Serialize, Deserialize)]
pub(super) enum ViewerSays<'a> {
    Ke1(&'a [u8]),
    Ke3(&'a [u8]),
}

/// Why a host says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DenyReason {
    /// The user pressed no.
    User,
    /// Nobody answered in time.
    Timeout,
    /// Too many sessions.
    Full,
    /// The password was changed meanwhile.
    PasswordRotated,
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "the host's user said no; ask them",
            Self::Timeout => "nobody answered at the host; try again when its user is there",
            Self::Full => "the host has as many sessions as it allows; try again later",
            Self::PasswordRotated => "the password was changed meanwhile; ask for the new one",
        })
    }
}

/// Signs a Noise static key; the 64 bytes for [`Identity::new`].
pub(super) fn sign(key: &SigningKey, noise_static: &[u8; 32]) -> [u8; 64] {
    key.sign(&signed(noise_static)).to_bytes()
}

impl<'a> Identity<'a> {
    pub(super) fn new(key: &SigningKey, signature: &'a [u8; 64]) -> Self {
        Self { version: VERSION, key: key.verifying_key().to_bytes(), signature }
    }

    /// The key, if its owner signed this Noise static key.
    pub(super) fn verify(&self, noise_static: &[u8]) -> Result<PeerKey, AuthError> {
        let bad = |_| AuthError::Protocol("a signature that does not hold");
        let noise_static = noise_static.try_into().map_err(|_| AuthError::Protocol("no static key"))?;
        let signature = Signature::from_slice(self.signature).map_err(bad)?;
        VerifyingKey::from_bytes(&self.key).map_err(bad)?.verify_strict(&signed(noise_static), &signature).map_err(bad)?;
        Ok(PeerKey(self.key))
    }
}

fn signed(noise_static: &[u8; 32]) -> [u8; 51] {
    let mut message = [0; 51];
    message[..SIGNED.len()].copy_from_slice(SIGNED);
    message[SIGNED.len()..].copy_from_slice(noise_static);
    message
}

/// Reads a payload of #2 or #3.
pub(super) fn decode_versioned<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, AuthError> {
    if payload.first() == Some(&VERSION) { decode(payload) } else { Err(AuthError::Protocol("another version")) }
}

/// Reads a message, whole.
pub(super) fn decode<'a, T: Deserialize<'a>>(message: &'a [u8]) -> Result<T, AuthError> {
    match postcard::take_from_bytes(message) {
        Ok((decoded, [])) => Ok(decoded),
        _ => Err(AuthError::Protocol("an unreadable message")),
    }
}

/// A name fit to be shown in a line of text: without control characters, line separators, marks that turn the direction of text
/// and invisible ones; trimmed; cut to [`MAX_NAME`] bytes.
pub(super) fn clean_name(name: &str) -> String {
    let mut clean = String::new();
    for character in name.trim().chars().filter(|character| is_shown(*character)) {
        if clean.len() + character.len_utf8() > MAX_NAME {
            break;
        }
        clean.push(character);
    }
    clean.trim().to_owned()
}

fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_what_could_deceive() {
        assert_eq!(clean_name("  Ann\n\u{1b}[31m \u{202e}eveN\u{2066}\u{feff} "), "Ann[31m eveN");
        assert_eq!(clean_name("Zoë 😀"), "Zoë 😀");
        assert_eq!(clean_name(&"ä".repeat(100)), "ä".repeat(32));
        assert_eq!(clean_name("\u{200b}\r\n"), "");
    }

    #[test]
    fn a_signature_is_for_one_key_and_one_static() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let signature = sign(&key, &[2; 32]);
        let identity = Identity::new(&key, &signature);
        assert_eq!(identity.verify(&[2; 32]), Ok(PeerKey(key.verifying_key().to_bytes())));
        assert!(identity.verify(&[3; 32]).is_err());
        assert!(Identity::new(&SigningKey::from_bytes(&[4; 32]), &signature).verify(&[2; 32]).is_err());
        assert!(Identity { version: VERSION, key: [0; 32], signature: &[0; 64] }.verify(&[2; 32]).is_err(), "a key of small order");
        assert!(Identity { version: VERSION, key: identity.key, signature: &signature[..63] }.verify(&[2; 32]).is_err());
    }

    #[test]
    fn another_version_and_trailing_bytes_are_refused() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let signature = sign(&key, &[2; 32]);
        let mut bytes = postcard::to_stdvec(&Identity::new(&key, &signature)).unwrap();
        assert_eq!(bytes.len(), 1 + 32 + 1 + 64);
        assert!(decode_versioned::<Identity<'_>>(&bytes).is_ok());
        bytes.push(0);
        assert_eq!(decode_versioned::<Identity<'_>>(&bytes).err(), Some(AuthError::Protocol("an unreadable message")));
        bytes[0] = 2;
        assert_eq!(decode_versioned::<Identity<'_>>(&bytes).err(), Some(AuthError::Protocol("another version")));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_do_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<HostSays<'_>>(&bytes);
            let _ = decode::<ViewerSays<'_>>(&bytes);
            let _ = decode_versioned::<Introduction<'_>>(&bytes);
        }

        #[test]
        fn any_name_becomes_short_and_shown(name in any::<String>()) {
            let clean = clean_name(&name);
            prop_assert!(clean.len() <= MAX_NAME && clean.chars().all(is_shown));
            prop_assert_eq!(clean_name(&clean), clean);
        }
    }
}
