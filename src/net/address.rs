//! Addresses: what people type, what a connection's address says about it, and keys as libp2p peer IDs.
//!
//! People type `host`, `host:port`, `[v6]:port` or a multiaddr, with or without `/p2p/…`. Plain hosts stand for a QUIC and a TCP
//! address at the same port; a plain relay also for WebSocket at the web's port. Only Ed25519 peer IDs are keys; any other is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::{
    Multiaddr, PeerId,
    identity::{PublicKey, ed25519},
    multiaddr::Protocol,
};

use super::{RelayAddress, Transport};
use crate::protocol::{id::PeerKey, session::path::PathKind};

/// The port of `rs relay` where none is given.
pub const DEFAULT_PORT: u16 = 4001;

/// Where `rs relay` takes WebSocket, if it may: the port that every network lets through.
pub const WEB_PORT: u16 = 443;

/// The longest text taken for an address, in bytes.
const MAX_TEXT: usize = 512;

/// Not an address, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither form.
    #[error("\"{0}\" is not an address; write host:port or a multiaddr like /ip4/192.0.2.1/udp/4001/quic-v1")]
    Form(String),
    /// A port out of range.
    #[error("\"{0}\" is not a port; write a number from 1 to 65535")]
    Port(String),
    /// A peer ID that is no Ed25519 key.
    #[error("the /p2p/ part is not an rs key (Ed25519); copy the address again")]
    Key,
    /// A circuit without its end.
    #[error("a circuit address must end in the host's key (/p2p-circuit/p2p/…); copy the address again")]
    Circuit,
}

/// Parses a relay's address: `host[:port]` or a multiaddr.
///
/// # Errors
/// In one line.
pub fn relay(text: &str) -> Result<RelayAddress, AddressError> {
    let (key, mut addresses) = peer(text)?;
    if addresses.iter().any(is_circuit) {
        return Err(AddressError::Form(shown(text)));
    }
    if !text.trim_start().starts_with('/') {
        addresses.extend(addresses.last().map(web));
    }
    Ok(RelayAddress { addresses, key })
}

/// Parses a peer's address (the part behind `ID@`): its key where `/p2p/…` tells it, and where to dial, without that `/p2p/…`
/// (a circuit keeps it: its end is part of the route).
///
/// # Errors
/// In one line.
pub fn peer(text: &str) -> Result<(Option<PeerKey>, Vec<Multiaddr>), AddressError> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(AddressError::Form(shown(text)));
    }
    if !text.starts_with('/') {
        return Ok((None, host_and_port(text)?));
    }
    let mut address: Multiaddr = text.parse().map_err(|_| AddressError::Form(shown(text)))?;
    let end = end_of(&address);
    let key = end.map(|end| key_of(&end).ok_or(AddressError::Key)).transpose()?;
    if is_circuit(&address) {
        return if end.is_some() { Ok((key, vec![address])) } else { Err(AddressError::Circuit) };
    }
    if end.is_some() {
        address.pop();
    }
    if !is_dialable(&address) {
        return Err(AddressError::Form(shown(text)));
    }
    Ok((key, vec![address]))
}

/// A peer ID's key; `None` unless it is an Ed25519 key.
#[must_use]
pub fn key_of(peer: &PeerId) -> Option<PeerKey> {
    let multihash = peer.as_ref();
    let public = (multihash.code() == 0).then(|| PublicKey::try_decode_protobuf(multihash.digest()).ok()).flatten()?;
    Some(PeerKey(public.try_into_ed25519().ok()?.to_bytes()))
}

/// A key's peer ID; `None` when the bytes are no point on the curve.
#[must_use]
pub fn peer_of(key: &PeerKey) -> Option<PeerId> {
    let public = ed25519::PublicKey::try_from_bytes(&key.0).ok()?;
    Some(PublicKey::from(public).to_peer_id())
}

/// The address with `/p2p/KEY` at its end, instead of what was named there; unchanged when the key is not one.
#[must_use]
pub fn with_key(address: &Multiaddr, key: PeerKey) -> Multiaddr {
    match peer_of(&key) {
        Some(peer) => split(address).1.with(Protocol::P2p(peer)),
        None => address.clone(),
    }
}

/// The address without `/p2p/…` at its end, and the key it named. A circuit keeps its end: it is part of the route.
#[must_use]
pub fn split(address: &Multiaddr) -> (Option<PeerKey>, Multiaddr) {
    let key = end_of(address).and_then(|peer| key_of(&peer));
    let mut bare = address.clone();
    if end_of(address).is_some() && !is_circuit(address) {
        bare.pop();
    }
    (key, bare)
}

/// The way to `host` through the relay at `relay` (which ends in `/p2p/…`).
#[must_use]
pub fn circuit(relay: &Multiaddr, host: PeerKey) -> Multiaddr {
    let circuit = relay.clone().with(Protocol::P2pCircuit);
    match peer_of(&host) {
        Some(peer) => circuit.with(Protocol::P2p(peer)),
        None => circuit,
    }
}

/// `host:port` of an address that starts with a host and a TCP port.
#[must_use]
pub fn tcp_text(address: &Multiaddr) -> Option<String> {
    let mut parts = address.iter();
    let host = match parts.next()? {
        Protocol::Ip4(ip) => ip.to_string(),
        Protocol::Ip6(ip) => format!("[{ip}]"),
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => name.into_owned(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some(format!("{host}:{port}")),
        _ => None,
    }
}

/// Who is at the address's end.
pub(super) fn end_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// The address of a host's WebSocket, beside this one.
fn web(beside: &Multiaddr) -> Multiaddr {
    let host: Multiaddr = beside.iter().take(1).collect();
    host.with(Protocol::Tcp(WEB_PORT)).with(Protocol::Ws("/".into()))
}

/// Whether the address leads through a relay.
#[must_use]
pub fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// A circuit address's relay: its address without `/p2p/…`, and who it is.
pub(super) fn relay_part(circuit: &Multiaddr) -> Option<(Multiaddr, PeerId)> {
    let mut relay: Multiaddr = circuit.iter().take_while(|part| *part != Protocol::P2pCircuit).collect();
    match relay.pop() {
        Some(Protocol::P2p(peer)) if is_circuit(circuit) => Some((relay, peer)),
        _ => None,
    }
}

/// What carries a connection to this address.
#[must_use]
pub fn transport_of(address: &Multiaddr) -> Transport {
    let mut transport = Transport::Tcp;
    for part in address {
        match part {
            Protocol::QuicV1 | Protocol::Quic => transport = Transport::Quic,
            Protocol::Ws(_) | Protocol::Wss(_) => transport = Transport::Websocket,
            Protocol::P2pCircuit => break,
            _ => {}
        }
    }
    transport
}

/// How near a peer at this address is.
#[must_use]
pub fn kind_of(address: &Multiaddr) -> PathKind {
    match ip_of(address) {
        _ if is_circuit(address) => PathKind::Relayed,
        Some(ip) if is_local(ip) => PathKind::Lan,
        _ => PathKind::Direct,
    }
}

/// The IP address an address starts with.
#[must_use]
pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.to_canonical()),
        _ => None,
    }
}

/// The TCP or UDP port of an address.
pub(super) fn port_of(address: &Multiaddr) -> Option<u16> {
    address.iter().find_map(|part| match part {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    })
}

/// Loopback, private (RFC 1918), unique local (RFC 4193) or link-local.
#[must_use]
pub fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_local_v4(ip),
        IpAddr::V6(ip) => is_local_v6(ip),
    }
}

fn is_local_v4(ip: Ipv4Addr) -> bool {
    ip.is_loopback() || ip.is_private() || ip.is_link_local()
}

fn is_local_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
}

/// `/ip4|ip6|dns…/udp/…/quic-v1`, `…/tcp/…`, or the latter with `/ws`, `/tls/ws` or `/wss`, with a port.
fn is_dialable(address: &Multiaddr) -> bool {
    let mut parts = address.iter().peekable();
    let host = parts.next().is_some_and(|part| {
        matches!(part, Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
    });
    let carrier = match parts.next() {
        Some(Protocol::Udp(port)) => port != 0 && parts.next() == Some(Protocol::QuicV1),
        Some(Protocol::Tcp(port)) => {
            let tls = parts.next_if_eq(&Protocol::Tls).is_some();
            let web = parts.next_if(|part| matches!(part, Protocol::Ws(_)) || !tls && matches!(part, Protocol::Wss(_)));
            port != 0 && (web.is_some() || !tls)
        }
        _ => false,
    };
    host && carrier && parts.next().is_none()
}

fn host_and_port(text: &str) -> Result<Vec<Multiaddr>, AddressError> {
    let (host, port) = split_port(text)?;
    let host = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => Protocol::Ip4(ip),
        Ok(IpAddr::V6(ip)) => Protocol::Ip6(ip),
        Err(_) if is_name(host) => Protocol::Dns(host.to_owned().into()),
        Err(_) => return Err(AddressError::Form(shown(text))),
    };
    let base = Multiaddr::empty().with(host);
    Ok(vec![base.clone().with(Protocol::Udp(port)).with(Protocol::QuicV1), base.with(Protocol::Tcp(port))])
}

fn split_port(text: &str) -> Result<(&str, u16), AddressError> {
    let port = |port: &str| match port.parse() {
        Ok(number) if number != 0 => Ok(number),
        _ => Err(AddressError::Port(shown(port))),
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| AddressError::Form(shown(text)))?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(AddressError::Form(shown(text)));
        }
        return match rest.strip_prefix(':') {
            Some(number) => Ok((host, port(number)?)),
            None if rest.is_empty() => Ok((host, DEFAULT_PORT)),
            None => Err(AddressError::Form(shown(text))),
        };
    }
    match text.split_once(':') {
        Some(_) if text.parse::<Ipv6Addr>().is_ok() => Ok((text, DEFAULT_PORT)),
        Some((host, number)) => Ok((host, port(number)?)),
        None => Ok((text, DEFAULT_PORT)),
    }
}

/// A host name as in RFC 1123.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
    };
    (1..=253).contains(&host.len()) && host.trim_end_matches('.').split('.').all(label)
}

/// At most forty characters of what was typed, for the error.
fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn texts(addresses: &[Multiaddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plain_relay_is_quic_and_tcp_at_the_default_port_and_websocket_at_the_webs() {
        let host = texts(&peer("relay.example.org").unwrap().1);
        assert_eq!(host, ["/dns/relay.example.org/udp/4001/quic-v1", "/dns/relay.example.org/tcp/4001"]);
        let relay = relay("relay.example.org").unwrap();
        assert_eq!(texts(&relay.addresses), [host, vec!["/dns/relay.example.org/tcp/443/ws".to_owned()]].concat());
        assert_eq!(relay.key, None);
    }

    #[test]
    fn websocket_may_be_typed_with_and_without_tls() {
        for good in [
            "/tcp/443/ws",
            "/tcp/443/wss",
            "/tcp/443/tls/ws",
            "/tcp/443/tls/ws/p2p/12D3KooWCoVTERWRRwEnGsoxYpjTEQuQCvpnVgkExbnhTi6NiAFV",
        ] {
            let (_, addresses) = peer(&format!("/dns/relay.example.org{good}")).unwrap();
            assert_eq!(transport_of(&addresses[0]), Transport::Websocket, "{good}");
        }
        for bad in ["/tcp/443/tls", "/tcp/443/tls/wss", "/tcp/0/ws", "/udp/443/ws", "/tcp/443/ws/ws"] {
            assert!(peer(&format!("/dns/relay.example.org{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_and_both_ip_families_are_understood() {
        assert_eq!(texts(&peer("192.0.2.7:99").unwrap().1), ["/ip4/192.0.2.7/udp/99/quic-v1", "/ip4/192.0.2.7/tcp/99"]);
        assert_eq!(texts(&peer("[2001:db8::1]:99").unwrap().1), ["/ip6/2001:db8::1/udp/99/quic-v1", "/ip6/2001:db8::1/tcp/99"]);
        assert_eq!(texts(&peer("[2001:db8::1]").unwrap().1)[1], "/ip6/2001:db8::1/tcp/4001");
        assert_eq!(texts(&peer("2001:db8::1").unwrap().1)[1], "/ip6/2001:db8::1/tcp/4001");
    }

    #[test]
    fn a_multiaddr_gives_its_key_away() {
        let key = PeerKey(SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes());
        let bare: Multiaddr = "/ip4/192.0.2.7/udp/4001/quic-v1".parse().unwrap();
        assert_eq!(peer(&bare.to_string()), Ok((None, vec![bare.clone()])));
        assert_eq!(peer(&with_key(&bare, key).to_string()), Ok((Some(key), vec![bare])));
    }

    #[test]
    fn a_circuit_keeps_its_end_and_is_no_relay() {
        let key = |seed| PeerKey(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes());
        let at = with_key(&"/ip4/192.0.2.7/tcp/4001".parse().unwrap(), key(1));
        let circuit = circuit(&at, key(2));
        assert_eq!(peer(&circuit.to_string()), Ok((Some(key(2)), vec![circuit.clone()])));
        assert!(relay(&circuit.to_string()).is_err());
        assert_eq!(relay_part(&circuit).unwrap().1, peer_of(&key(1)).unwrap());
    }

    #[test]
    fn what_is_no_address_is_refused_in_one_line() {
        for text in
            ["", "a b", "host:0", "host:70000", "host:x", "[::1", "[zz]:1", "/ip4/1.2.3.4", "/ip4/1.2.3.4/udp/9", "/bad", "-x"]
        {
            let error = peer(text).unwrap_err().to_string();
            assert!(!error.contains('\n') && error.contains(';'), "{text}: {error}");
        }
        // A key, but RSA: not one of ours.
        let rsa = "/ip4/1.2.3.4/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
        assert_eq!(peer(rsa), Err(AddressError::Key));
    }

    #[test]
    fn near_and_far_are_told_apart() {
        let kind = |text: &str| kind_of(&text.parse().unwrap());
        for near in ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.5/tcp/1", "/ip6/fd00::1/tcp/1", "/ip6/fe80::1/tcp/1"] {
            assert_eq!(kind(near), PathKind::Lan, "{near}");
        }
        for far in ["/ip4/203.0.113.9/tcp/1", "/ip6/2001:db8::1/tcp/1", "/dns/example.org/tcp/1"] {
            assert_eq!(kind(far), PathKind::Direct, "{far}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,80}") {
            let _ = peer(&text);
            let _ = relay(&text);
        }

        #[test]
        fn every_key_survives_the_way_to_a_peer_id_and_back(seed: [u8; 32]) {
            let key = PeerKey(SigningKey::from_bytes(&seed).verifying_key().to_bytes());
            prop_assert_eq!(key_of(&peer_of(&key).unwrap()), Some(key));
        }
    }
}
