//! Whom to connect to, and which relays to meet at, as people type them. The addresses inside are [`crate::net::address`]'s.

use std::{fmt, str::FromStr};

use libp2p::Multiaddr;

use crate::{
    net::{
        RelayAddress,
        address::{self, AddressError},
    },
    protocol::{
        id::{HostId, IdError, PeerKey},
        link::{Link, LinkError},
    },
};

/// Whom to connect to: `ID`, `ID@ADDRESS` or `rs://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Found on the local network or through a relay.
    Id(HostId),
    /// Dialled where the user says.
    At(HostId, Option<PeerKey>, Vec<Multiaddr>),
    /// With its key, and relays to meet at.
    Link(Link),
}

/// Whom to connect to, perhaps by the name that the user gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// As it can be found.
    Target(Target),
    /// As the user calls it; [`crate::app`] looks it up.
    Named(String),
}

impl FromStr for Whom {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if crate::store::is_name(text.trim()) { Ok(Self::Named(text.trim().to_owned())) } else { text.parse().map(Self::Target) }
    }
}

/// Not a target, and what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// The ID is wrong.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The link is wrong.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The part behind the `@` is wrong.
    #[error("behind the @: {0}")]
    Address(#[from] AddressError),
}

impl Target {
    /// The host's ID.
    #[must_use]
    pub fn id(&self) -> HostId {
        match self {
            Self::Id(id) | Self::At(id, ..) => *id,
            Self::Link(link) => link.id,
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if text.contains("://") {
            return Ok(Self::Link(text.parse()?));
        }
        let Some((id, at)) = text.split_once('@') else { return Ok(Self::Id(text.parse()?)) };
        let id = id.parse()?;
        let (key, addresses) = address::peer(at)?;
        Ok(Self::At(id, key, addresses))
    }
}

/// A relay: where it is, and its one spelling, under which its key is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    text: String,
    /// Where to dial, and the key where the text names it.
    pub address: RelayAddress,
}

/// The multiaddr as it was given, or `host:port` in lower case.
impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Relay {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        // Host names are the same in any case; the keys in multiaddrs are not.
        let text = if text.starts_with('/') { text.to_owned() } else { text.to_ascii_lowercase() };
        let address = address::relay(&text)?;
        let plain = address.addresses.iter().find_map(address::tcp_text).filter(|_| !text.starts_with('/'));
        Ok(Self { text: plain.unwrap_or(text), address })
    }
}

/// A relay to join: its key must be known, for its word is passed on.
///
/// # Errors
/// Not a relay's address with its key.
pub fn with_key(text: &str) -> Result<Multiaddr, String> {
    match address::relay(text).map_err(|error| error.to_string())? {
        RelayAddress { addresses, key: Some(key) } if addresses.len() == 1 => Ok(address::with_key(&addresses[0], key)),
        _ => Err("this is not a multiaddr that ends in /p2p/…; copy it from the output of the other relay".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(text: &str) -> Option<(String, Vec<String>)> {
        let relay: Relay = text.parse().ok()?;
        Some((relay.to_string(), relay.address.addresses.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn a_plain_relay_is_tried_over_quic_tcp_and_websocket() {
        for (text, name, base, port) in [
            ("Relay.Example.org", "relay.example.org:4001", "/dns/relay.example.org", 4001),
            ("relay.example.org:443", "relay.example.org:443", "/dns/relay.example.org", 443),
            ("192.0.2.7:5000", "192.0.2.7:5000", "/ip4/192.0.2.7", 5000),
            ("2001:db8::7", "[2001:db8::7]:4001", "/ip6/2001:db8::7", 4001),
            ("[2001:db8::7]:5000", "[2001:db8::7]:5000", "/ip6/2001:db8::7", 5000),
        ] {
            let addresses = vec![format!("{base}/udp/{port}/quic-v1"), format!("{base}/tcp/{port}"), format!("{base}/tcp/443/ws")];
            assert_eq!(relay(text), Some((name.to_owned(), addresses)), "{text}");
        }
    }

    #[test]
    fn a_relay_with_its_key_keeps_it_apart_from_the_address() {
        let key = libp2p::identity::Keypair::generate_ed25519().public();
        let given = format!("/ip4/192.0.2.7/tcp/4001/p2p/{}", key.to_peer_id());
        let relay: Relay = given.parse().expect("a whole address");
        assert_eq!(relay.address.addresses, ["/ip4/192.0.2.7/tcp/4001".parse().expect("a multiaddr")]);
        assert_eq!(relay.address.key, Some(PeerKey(key.try_into_ed25519().expect("it is Ed25519").to_bytes())));
        assert_eq!(with_key(&given).expect("whole").to_string(), given);
    }

    #[test]
    fn a_target_is_an_id_an_id_at_an_address_or_a_link() {
        let id: HostId = "9339-2522-7420-3124".parse().expect("a good ID");
        assert_eq!(" 9339 2522 7420 3124 ".parse(), Ok(Target::Id(id)));
        let address: Multiaddr = "/ip4/192.0.2.7/udp/4001/quic-v1".parse().expect("a multiaddr");
        assert_eq!(format!("{id}@{address}").parse(), Ok(Target::At(id, None, vec![address])));
        for text in [
            "",
            "@",
            "9339-2522-7420-3124@",
            "9339-2522-7420-3124@/x",
            "9339-2522-7420-3125@/ip4/192.0.2.7/tcp/1",
            "rs://",
            "http://a",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_begins_with_a_letter_is_a_name_but_for_links() {
        assert_eq!("Anna's laptop".parse(), Ok(Whom::Named("Anna's laptop".to_owned())));
        assert!(matches!("9339-2522-7420-3124".parse(), Ok(Whom::Target(Target::Id(_)))));
        for text in ["", "rs://", "9339-2522-7420-312x", "anna@shop"] {
            assert!(text.parse::<Whom>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_relay_is_refused() {
        for text in [
            "",
            ":4001",
            "a b",
            "host:0",
            "host:65536",
            "host:x",
            "-a",
            "a..b",
            "[::1",
            "[::1]x",
            "/",
            "/tcp",
            "/p2p/Qm",
            "http://a",
        ] {
            assert!(text.parse::<Relay>().is_err(), "{text}");
        }
        assert!(with_key("/ip4/192.0.2.7/tcp/4001").is_err());
    }
}
