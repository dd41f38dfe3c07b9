//! The link: `rs://<16 digits>?k=<base64url public key>&r=<relay>`, `r` may repeat. Never a password in it.
//!
//! Rules of reading, strict because links come from anywhere:
//! - `k` stands there exactly once (base64url, no padding, 43 characters) and must hash to the digits: parsing costs that Argon2id, 20 ms.
//! - `r` is percent-encoded UTF-8: at most [`MAX_RELAYS`], each 1 to [`MAX_RELAY`] bytes without control characters.
//! - A parameter that is not known is refused, not skipped: a link is obeyed whole or not at all, and `password=` never looks as if it worked.

use std::{fmt, str::FromStr};

use data_encoding::BASE64URL_NOPAD;

use super::id::{HostId, PeerKey};

/// The most relays in a link.
pub const MAX_RELAYS: usize = 8;
/// The longest relay, in bytes.
pub const MAX_RELAY: usize = 256;
/// The longest link: every byte of every relay percent-encoded, and what stands around them.
const MAX_LINK: usize = 128 + MAX_RELAYS * (3 * MAX_RELAY + 3);

/// A parsed link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The host.
    pub id: HostId,
    /// Its key; hashes to `id`.
    pub key: PeerKey,
    /// Its relays, as text (a multiaddr or `host[:port]`); at most 8 of at most 256 bytes each.
    pub relays: Vec<String>,
}

/// Not a link, and what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is not a whole rs:// link ({0}); copy it again from the host")]
pub struct LinkError(pub String);

/// What is written can be read: relays beyond the limits are left out.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rs://{}?k={}", self.id.digits(), BASE64URL_NOPAD.encode(&self.key.0))?;
        for relay in self.relays.iter().filter(|relay| is_relay(relay)).take(MAX_RELAYS) {
            f.write_str("&r=")?;
            for byte in relay.bytes() {
                if is_plain(byte) { write!(f, "{}", char::from(byte))? } else { write!(f, "%{byte:02X}")? }
            }
        }
        Ok(())
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        if text.len() > MAX_LINK {
            return Err(bad("it is too long"));
        }
        let rest = text.strip_prefix("rs://").ok_or_else(|| bad("it does not begin with rs://"))?;
        let (digits, query) = rest.split_once('?').ok_or_else(|| bad("its key is missing"))?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad("the ID in it has something else than digits"));
        }
        let id: HostId = digits.parse().map_err(|error| bad(&format!("{error}")))?;
        let (key, relays) = parameters(query)?;
        if HostId::of(&key) != id {
            return Err(bad("its key and its ID do not belong together"));
        }
        Ok(Self { id, key, relays })
    }
}

fn parameters(query: &str) -> Result<(PeerKey, Vec<String>), LinkError> {
    let mut key = None;
    let mut relays = Vec::new();
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("k", value)) if key.is_none() => key = Some(decode_key(value)?),
            Some(("r", value)) if relays.len() < MAX_RELAYS => relays.push(decode_relay(value)?),
            Some(("k", _)) => return Err(bad("it has two keys")),
            Some(("r", _)) => return Err(bad("it has too many relays")),
            _ => return Err(bad("it has a part that this version does not know")),
        }
    }
    Ok((key.ok_or_else(|| bad("its key is missing"))?, relays))
}

fn decode_key(value: &str) -> Result<PeerKey, LinkError> {
    let bytes = BASE64URL_NOPAD.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(PeerKey).ok_or_else(|| bad("its key is damaged"))
}

fn decode_relay(value: &str) -> Result<String, LinkError> {
    let damaged = || bad("a relay in it is damaged");
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit =
                    || rest.next().and_then(|byte| char::from(byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
                let high = digit().ok_or_else(damaged)?;
                high << 4 | digit().ok_or_else(damaged)?
            }
            _ if is_plain(byte) => byte,
            _ => return Err(damaged()),
        });
    }
    String::from_utf8(bytes).ok().filter(|relay| is_relay(relay)).ok_or_else(damaged)
}

/// Within the limits of a relay's text. What it means is the network's affair.
fn is_relay(relay: &str) -> bool {
    (1..=MAX_RELAY).contains(&relay.len()) && !relay.chars().any(char::is_control)
}

/// May stand in the query as it is: RFC 3986's unreserved characters and those of addresses.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/:@,".contains(&byte)
}

fn bad(what: &str) -> LinkError {
    LinkError(what.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn text(tail: &str) -> String {
        format!("rs://9339252274203124?k={KEY}{tail}")
    }

    #[test]
    fn a_link_is_read_and_written_back() {
        let whole = text("&r=/ip4/203.0.113.9/udp/4001/quic-v1&r=relay.example:4001&r=%5B2001:db8::1%5D:4001");
        let link: Link = whole.parse().unwrap();
        assert_eq!(link.id.to_string(), "9339-2522-7420-3124");
        assert_eq!(link.relays, ["/ip4/203.0.113.9/udp/4001/quic-v1", "relay.example:4001", "[2001:db8::1]:4001"]);
        assert_eq!(link.to_string(), whole);
    }

    #[test]
    fn a_key_that_does_not_hash_to_the_id_is_refused() {
        let other = text("").replace("9339252274203124", "7844222159562817");
        assert_eq!(other.parse::<Link>(), Err(bad("its key and its ID do not belong together")));
    }

    #[test]
    fn everything_unknown_doubled_or_damaged_is_refused() {
        let nine = "&r=a".repeat(9);
        let long = format!("&r={}", "a".repeat(257));
        for tail in [
            "&password=k7m4-q2xp",
            "&",
            "&r=",
            "&r=%4",
            "&r=%zz",
            "&r=%ff",
            "&r=%0a",
            "&r=a+b",
            "&r=a#b",
            "&r=ä",
            "&r",
            "&R=a",
            "#k7m4",
            &format!("&k={KEY}"),
            &nine,
            &long,
        ] {
            assert!(text(tail).parse::<Link>().is_err(), "{tail}");
        }
        for whole in [
            "",
            "rs://",
            "rs://9339252274203124",
            "rs://9339252274203124?",
            "RS://x",
            &text("").replace("9339", "9339-"),
            &text("=")[..],
            &text("").replace("rs://", "http://"),
            &text("").replace("Ro", "Rp"),
            &text("").replace("20312", "20313"),
        ] {
            assert!(whole.parse::<Link>().is_err(), "{whole}");
        }
    }

    #[test]
    fn relays_beyond_the_limits_are_not_written() {
        let mut link: Link = text("").parse().unwrap();
        link.relays = (0..20).map(|number| format!("relay{number}")).chain(["x".repeat(300), String::new()]).rev().collect();
        assert_eq!(link.to_string().parse::<Link>().unwrap().relays.len(), MAX_RELAYS);
    }

    proptest! {
        #[test]
        fn any_relays_survive_the_round_trip(relays in prop::collection::vec("\\PC{1,64}", 0..=MAX_RELAYS)) {
            // The query alone: the ID costs an Argon2id.
            let id = "9339252274203124".parse().unwrap();
            let link = Link { id, key: PeerKey([7; 32]), relays: relays.clone() }.to_string();
            let (_, query) = link.split_once('?').unwrap();
            let (key, again) = parameters(query).unwrap();
            prop_assert_eq!(key, PeerKey([7; 32]));
            prop_assert_eq!(again, relays);
        }

        #[test]
        fn any_query_ends_in_a_value(query in "(k=|r=|&|%|[ -~]|\\PC){0,60}") {
            let _ = parameters(&query);
        }

        #[test]
        fn any_text_ends_in_a_value(text in "(rs://)?\\PC{0,60}") {
            let _ = text.parse::<Link>();
        }
    }
}
