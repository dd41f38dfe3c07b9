//! The checks that look at the world. Each is bounded in time by itself.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    time::Duration,
};

use libp2p::{Multiaddr, multiaddr::Protocol};
use tokio::{net::lookup_host, task::spawn_blocking, time::timeout};

use super::facts::{Desktop, Lan, is_name};
use crate::{
    desktop::{self, capture::Options},
    net::address::ip_of,
    store::Store,
};

/// How long a name may take to be looked up, and a screen to be opened.
const NAME: Duration = Duration::from_secs(2);
const SCREEN: Duration = Duration::from_secs(4);

/// How long our own multicast may take to come back, and the networks that are tried.
const ECHO: Duration = Duration::from_millis(300);
const NETWORKS: usize = 4;

/// The group of mDNS. What is sent there here goes to another port, and no further than this machine.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// The addresses of a relay, those with a name once for each family that the name has. A name that cannot be looked up stays as it is:
/// an HTTP proxy may know it.
pub(super) async fn by_family(addresses: &[Multiaddr]) -> Vec<Multiaddr> {
    let mut all = Vec::new();
    for address in addresses {
        let Some(Protocol::Dns(name)) = address.iter().next().filter(|_| is_name(address)) else {
            all.push(address.clone());
            continue;
        };
        let found = timeout(NAME, lookup_host((name.as_ref(), 0))).await;
        let ips: Vec<IpAddr> = found.ok().and_then(Result::ok).into_iter().flatten().map(|at| at.ip()).collect();
        let rest = || address.iter().skip(1);
        let of_family = |host: Protocol<'_>| std::iter::once(host.acquire()).chain(rest().map(Protocol::acquire)).collect();
        match (ips.iter().any(IpAddr::is_ipv4), ips.iter().any(IpAddr::is_ipv6)) {
            (false, false) => all.push(address.clone()),
            (v4, v6) => {
                all.extend(v4.then(|| of_family(Protocol::Dns4(name.clone()))));
                all.extend(v6.then(|| of_family(Protocol::Dns6(name))));
            }
        }
    }
    all
}

/// Our address towards the IPv6 internet, if it is a global one. Nothing is sent: the kernel picks the address when a socket is connected.
pub(super) fn ipv6() -> Option<Ipv6Addr> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888), 53)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V6(ip) if ip.segments()[0] & 0xe000 == 0x2000 => Some(ip),
        _ => None,
    }
}

/// Whether multicast works on one of the networks that we listen on.
pub(super) async fn lan(listening: &[Multiaddr], others: usize) -> Lan {
    let networks: Vec<Ipv4Addr> = listening
        .iter()
        .filter_map(|address| match ip_of(address) {
            Some(IpAddr::V4(ip)) if !ip.is_loopback() => Some(ip),
            _ => None,
        })
        .collect();
    let works = spawn_blocking(move || {
        let mut result = Err(io::Error::other("this machine has no address on one"));
        for network in networks.into_iter().take(NETWORKS) {
            result = echo(network);
            if result.is_ok() {
                break;
            }
        }
        result
    });
    match works.await {
        _ if others > 0 => Lan::Works { others },
        Ok(Ok(())) => Lan::Works { others },
        Ok(Err(error)) => Lan::Broken { reason: reason(&error) },
        Err(_) => Lan::Broken { reason: "it could not be tried".to_owned() },
    }
}

/// Sends a packet to the group on this network and waits for it to come back.
fn echo(network: Ipv4Addr) -> io::Result<()> {
    let (receiver, sender) = (UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?, UdpSocket::bind((network, 0))?);
    receiver.join_multicast_v4(&GROUP, &network)?;
    receiver.set_read_timeout(Some(ECHO))?;
    sender.set_multicast_ttl_v4(0)?;
    sender.send_to(b"rs", (GROUP, receiver.local_addr()?.port()))?;
    receiver.recv_from(&mut [0; 8]).map(drop)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not come back".to_owned(),
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    }
}

/// What a session here could show. A host that runs here keeps what it has.
pub(super) async fn desktop(store: Store, options: Options) -> Desktop {
    let probed = timeout(SCREEN, spawn_blocking(move || store.lock_host().ok().map(|_lock| desktop::probe(&options)))).await;
    match probed {
        Ok(Ok(None)) => Desktop::Taken,
        Ok(Ok(Some(Ok(found)))) => {
            let input_fault = found.input.err().map(|error| cause(&error.to_string()));
            Desktop::Works { width: found.size.width, height: found.size.height, input_fault }
        }
        Ok(Ok(Some(Err(error)))) => Desktop::Missing { reason: cause(&error.to_string()) },
        Ok(Err(_)) | Err(_) => Desktop::Missing { reason: "it does not answer".to_owned() },
    }
}

/// Errors end in advice, behind a semicolon; there is one advice for each finding already.
fn cause(error: &str) -> String {
    error.split(';').next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_tried_once_for_each_family_it_has() {
        let relay: Multiaddr = "/dns/localhost/udp/4001/quic-v1".parse().unwrap();
        let all = by_family(&[relay]).await;
        assert!(all.contains(&"/dns4/localhost/udp/4001/quic-v1".parse().unwrap()), "{all:?}");
        let fixed: Multiaddr = "/ip4/192.0.2.1/tcp/4001".parse().unwrap();
        let unknown: Multiaddr = "/dns/no-such-name.invalid/tcp/4001".parse().unwrap();
        assert_eq!(by_family(&[fixed.clone(), unknown.clone()]).await, [fixed, unknown]);
    }

    #[tokio::test]
    async fn a_machine_on_loopback_alone_has_no_local_network() {
        let only = ["/ip4/127.0.0.1/udp/1/quic-v1".parse().unwrap()];
        assert!(matches!(lan(&only, 0).await, Lan::Broken { .. }));
        assert_eq!(lan(&only, 2).await, Lan::Works { others: 2 }, "who is seen was found");
    }
}
