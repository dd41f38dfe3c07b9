//! What people type for a host or a relay, as types.
//!
//! - A host: an ID, `ID@MULTIADDR`, or an `rs://` link.
//! - A relay: `HOST[:PORT]` (port 4001 unless given; over QUIC and TCP; its key is learned at first contact) or a multiaddr, with or
//!   without `/p2p/KEY` at its end. Relays in links and in `config.toml` have the same form.

use std::{fmt, net::IpAddr, str::FromStr};

use libp2p::{Multiaddr, PeerId, identity::PublicKey, multiaddr::Protocol};

use crate::{
    net::RelayAddress,
    protocol::{
        id::{HostId, IdError, PeerKey},
        link::{Link, LinkError},
    },
};

/// The port of a relay that was given without one.
pub const RELAY_PORT: u16 = 4001;

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A host somewhere.
    Id(HostId),
    /// A host at this address.
    At(HostId, Multiaddr),
    /// A host with its key and relays.
    Link(Link),
}

/// Not a target; the text says why and what to do, in one line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// The ID is wrong.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The link is wrong.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// What follows the `@` is wrong.
    #[error("\"{0}\" after the @ is not a multiaddr; it should look like /ip4/192.0.2.7/udp/4001/quic-v1")]
    Address(String),
}

impl Target {
    /// The host's ID.
    #[must_use]
    pub fn id(&self) -> HostId {
        match self {
            Self::Id(id) | Self::At(id, _) => *id,
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
        let Some((id, address)) = text.split_once('@') else { return Ok(Self::Id(text.parse()?)) };
        match address.parse::<Multiaddr>() {
            Ok(parsed) if !parsed.is_empty() => Ok(Self::At(id.parse()?, parsed)),
            _ => Err(TargetError::Address(address.to_owned())),
        }
    }
}

/// A relay, as it was given: its text (in one spelling, for `known_relays`) and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    text: String,
    /// Where it is.
    pub address: RelayAddress,
}

/// Not a relay's address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{0}\" is not a relay's address; use HOST, HOST:PORT or a multiaddr such as /dns/relay.example.org/tcp/4001")]
pub struct RelayError(String);

/// The one spelling under which it is pinned.
impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Relay {
    type Err = RelayError;

    fn from_str(text: &str) -> Result<Self, RelayError> {
        let text = text.trim();
        let parsed = if text.starts_with('/') { multiaddr_relay(text) } else { plain_relay(text) };
        parsed.ok_or_else(|| RelayError(text.to_owned()))
    }
}

/// A multiaddr that ends in `/p2p/KEY`: what `--join` takes.
///
/// # Errors
/// It is none; in one line.
pub fn with_key(text: &str) -> Result<Multiaddr, String> {
    let address: Option<Multiaddr> = text.parse().ok();
    let whole = address.filter(|address| address.len() > 1 && matches!(address.iter().last(), Some(Protocol::P2p(_))));
    whole.ok_or_else(|| "this is not a multiaddr that ends in /p2p/…; copy it from the output of the other relay".to_owned())
}

fn multiaddr_relay(text: &str) -> Option<Relay> {
    let mut address: Multiaddr = text.parse().ok()?;
    let key = match address.iter().last()? {
        Protocol::P2p(peer) => {
            address.pop();
            Some(ed25519_key(&peer)?)
        }
        _ => None,
    };
    if address.is_empty() || address.iter().any(|part| matches!(part, Protocol::P2p(_) | Protocol::P2pCircuit)) {
        return None;
    }
    Some(Relay { text: text.to_owned(), address: RelayAddress { addresses: vec![address], key } })
}

fn plain_relay(text: &str) -> Option<Relay> {
    let (host, port) = split_port(text)?;
    let host = host.to_ascii_lowercase();
    let (name, shown) = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => (Protocol::Ip4(ip), host),
        Ok(IpAddr::V6(ip)) => (Protocol::Ip6(ip), format!("[{ip}]")),
        Err(_) if is_name(&host) => (Protocol::Dns(host.clone().into()), host),
        Err(_) => return None,
    };
    let base = Multiaddr::empty().with(name);
    let addresses = vec![base.clone().with(Protocol::Udp(port)).with(Protocol::QuicV1), base.with(Protocol::Tcp(port))];
    Some(Relay { text: format!("{shown}:{port}"), address: RelayAddress { addresses, key: None } })
}

/// `host`, `host:port`, `[ip6]`, `[ip6]:port` or a bare `ip6`.
fn split_port(text: &str) -> Option<(&str, u16)> {
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0);
    if let Some(bracketed) = text.strip_prefix('[') {
        let (ip, rest) = bracketed.split_once(']')?;
        ip.parse::<std::net::Ipv6Addr>().ok()?;
        return Some((ip, if rest.is_empty() { RELAY_PORT } else { port(rest.strip_prefix(':')?)? }));
    }
    match text.split_once(':') {
        None => Some((text, RELAY_PORT)),
        Some((_, rest)) if rest.contains(':') => Some((text, RELAY_PORT)),
        Some((host, rest)) => Some((host, port(rest)?)),
    }
}

/// A host name: letters, digits, hyphens and dots, at most 253 of them (RFC 1123).
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// The key inside a peer ID; only Ed25519 ones are short enough to be in it whole.
fn ed25519_key(peer: &PeerId) -> Option<PeerKey> {
    let key = PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    Some(PeerKey(key.try_into_ed25519().ok()?.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(text: &str) -> Option<(String, Vec<String>)> {
        let relay: Relay = text.parse().ok()?;
        Some((relay.to_string(), relay.address.addresses.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn a_plain_relay_is_tried_over_quic_and_tcp() {
        for (text, name, base, port) in [
            ("Relay.Example.org", "relay.example.org:4001", "/dns/relay.example.org", 4001),
            ("relay.example.org:443", "relay.example.org:443", "/dns/relay.example.org", 443),
            ("192.0.2.7:5000", "192.0.2.7:5000", "/ip4/192.0.2.7", 5000),
            ("2001:db8::7", "[2001:db8::7]:4001", "/ip6/2001:db8::7", 4001),
            ("[2001:db8::7]:5000", "[2001:db8::7]:5000", "/ip6/2001:db8::7", 5000),
        ] {
            let addresses = vec![format!("{base}/udp/{port}/quic-v1"), format!("{base}/tcp/{port}")];
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
        assert_eq!(format!("{id}@{address}").parse(), Ok(Target::At(id, address)));
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
