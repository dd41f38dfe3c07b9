//! `/ip4|ip6/…/udp/…/quic-v1` ↔ socket address.

use std::net::SocketAddr;

use libp2p::{Multiaddr, multiaddr::Protocol};

/// The socket address, if it is QUIC version 1 to an IP address; `/p2p/…` may follow, nothing else.
pub(super) fn socket_of(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    let (Protocol::Udp(port), Protocol::QuicV1) = (parts.next()?, parts.next()?) else { return None };
    match (parts.next(), parts.next()) {
        (None | Some(Protocol::P2p(_)), None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// The other way round.
pub(super) fn multiaddr_of(socket: SocketAddr) -> Multiaddr {
    Multiaddr::from(socket.ip()).with(Protocol::Udp(socket.port())).with(Protocol::QuicV1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "/p2p/12D3KooW9xk7Zp1gejwfwNpfm6L9zH5NL4Bx5rm94LRYJJHJuARZ";

    #[test]
    fn quic_addresses_are_read_and_written() {
        for (text, socket) in
            [("/ip4/192.0.2.1/udp/4001/quic-v1", "192.0.2.1:4001"), ("/ip6/2001:db8::1/udp/1/quic-v1", "[2001:db8::1]:1")]
        {
            let socket: SocketAddr = socket.parse().unwrap();
            assert_eq!(socket_of(&text.parse().unwrap()), Some(socket));
            assert_eq!(socket_of(&format!("{text}{PEER}").parse().unwrap()), Some(socket));
            assert_eq!(multiaddr_of(socket).to_string(), text);
        }
    }

    #[test]
    fn other_addresses_are_left_to_others() {
        for text in [
            "/ip4/192.0.2.1/udp/4001",
            "/ip4/192.0.2.1/udp/4001/quic",
            "/ip4/192.0.2.1/tcp/4001",
            "/ip4/192.0.2.1/udp/4001/quic-v1/webtransport",
            "/dns/example.org/udp/4001/quic-v1",
            &format!("/ip4/192.0.2.1/udp/4001/quic-v1{PEER}/p2p-circuit"),
            &format!("/ip4/192.0.2.1/udp/4001/quic-v1{PEER}{PEER}"),
        ] {
            assert_eq!(socket_of(&text.parse().unwrap()), None, "{text}");
        }
    }
}
