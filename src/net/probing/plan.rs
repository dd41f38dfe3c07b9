//! Who sends what to which port, and what counts as an answer. Pure: randomness is an argument.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    ops::RangeInclusive,
    time::Duration,
};

use rand::{Rng, seq::index};

use crate::net::nat::{Kind, Mapping};

/// Sockets of the hard side: each opens one port of its NAT.
pub(super) const SOCKETS: usize = 256;
/// How often each of them sends, and how far apart: a NAT keeps a port open for at least 30 s, so this is for lost packets.
pub(super) const ROUNDS: usize = 3;
pub(super) const ROUND: Duration = Duration::from_secs(5);
/// Packets of the easy side, each to another port, and how far apart: 100 a second for 15 s.
pub(super) const PACKETS: usize = 1500;
pub(super) const PACE: Duration = Duration::from_millis(10);
/// How long both wait for what is still under way.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Where NATs put what they do not leave at its port.
const PORTS: RangeInclusive<u16> = 1024..=u16::MAX;

/// What each says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    kind: Kind,
    /// Where relays see our QUIC socket; not specified, if they do not.
    external: SocketAddrV4,
    /// In our probes.
    token: [u8; 16],
}

/// What one of the two does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Behind the symmetric NAT: opens many ports towards the other's one.
    Hard,
    /// Its one port is known: sends from it to many.
    Easy,
}

impl Hello {
    /// Its length.
    pub(super) const SIZE: usize = 23;

    pub(super) fn new(mapping: &Mapping, token: [u8; 16]) -> Self {
        let v4 = |address: &SocketAddr| if let SocketAddr::V4(v4) = address { Some(*v4) } else { None };
        let external = mapping.external.iter().find_map(v4).unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
        Self { kind: mapping.kind, external, token }
    }

    pub(super) fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0] = match self.kind {
            Kind::Unknown => 0,
            Kind::None => 1,
            Kind::Preserving => 2,
            Kind::Independent => 3,
            Kind::Symmetric => 4,
        };
        bytes[1..5].copy_from_slice(&self.external.ip().octets());
        bytes[5..7].copy_from_slice(&self.external.port().to_be_bytes());
        bytes[7..].copy_from_slice(&self.token);
        bytes
    }

    /// Every sequence of bytes is one; a kind of a later version is as good as unknown.
    pub(super) fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        let [kind, a, b, c, d, high, low, token @ ..] = *bytes;
        let kind = match kind {
            1 => Kind::None,
            2 => Kind::Preserving,
            3 => Kind::Independent,
            4 => Kind::Symmetric,
            _ => Kind::Unknown,
        };
        Self { kind, external: SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])), token }
    }

    /// Where this side is seen.
    pub(super) fn external(&self) -> SocketAddrV4 {
        self.external
    }

    /// The packet that this side sends. So short that QUIC, which gets it too, does not even answer that it knows no such connection.
    pub(super) fn probe(&self) -> [u8; 20] {
        let mut packet = *b"\x04rs1----------------";
        packet[4..].copy_from_slice(&self.token);
        packet
    }

    /// Whether a packet is this side's. The hard side asks: the easy one's address is known.
    pub(super) fn sent(&self, packet: &[u8], from: SocketAddr) -> bool {
        from == SocketAddr::V4(self.external) && packet == self.probe()
    }
}

/// Our part; `None` where probing does not help, or would disturb others.
pub(super) fn part(ours: &Hello, theirs: &Hello) -> Option<Part> {
    if !is_public(ours.external) || !is_public(theirs.external) {
        return None;
    }
    let is_easy = |kind| matches!(kind, Kind::None | Kind::Preserving | Kind::Independent);
    match (ours.kind, theirs.kind) {
        (Kind::Symmetric, theirs) if is_easy(theirs) => Some(Part::Hard),
        (ours, Kind::Symmetric) if is_easy(ours) => Some(Part::Easy),
        _ => None,
    }
}

/// Ports to try, each once.
pub(super) fn ports(random: &mut impl Rng) -> Vec<u16> {
    let port = |offset: usize| u16::try_from(usize::from(*PORTS.start()) + offset).expect("it is in the range");
    index::sample(random, PORTS.len(), PACKETS).into_iter().map(port).collect()
}

/// An address of somebody on the internet: nobody makes us send into a network of our own.
fn is_public(address: SocketAddrV4) -> bool {
    let ip = address.ip();
    let [first, second, ..] = ip.octets();
    let shared = first == 100 && second & 0xc0 == 64;
    let nobody = first == 0 || first >= 224 || ip.is_loopback();
    !nobody && !shared && !ip.is_private() && !ip.is_link_local() && address.port() != 0
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn hello(kind: Kind, external: &str) -> Hello {
        Hello { kind, external: external.parse().unwrap(), token: [7; 16] }
    }

    const HERE: &str = "203.0.113.2:4001";
    const THERE: &str = "198.51.100.2:30001";

    #[test]
    fn exactly_one_side_must_be_symmetric() {
        use Kind::{Independent, None as Open, Preserving, Symmetric, Unknown};
        for (ours, theirs, expected) in [
            (Symmetric, Preserving, Some(Part::Hard)),
            (Symmetric, Independent, Some(Part::Hard)),
            (Symmetric, Open, Some(Part::Hard)),
            (Preserving, Symmetric, Some(Part::Easy)),
            (Independent, Symmetric, Some(Part::Easy)),
            (Open, Symmetric, Some(Part::Easy)),
            (Symmetric, Symmetric, None),
            (Symmetric, Unknown, None),
            (Unknown, Symmetric, None),
            (Preserving, Independent, None),
        ] {
            assert_eq!(part(&hello(ours, HERE), &hello(theirs, THERE)), expected, "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn nobody_makes_us_send_into_private_networks() {
        for inside in [
            "10.1.0.2:4001",
            "172.16.0.1:4001",
            "192.168.1.1:80",
            "127.0.0.1:4001",
            "169.254.169.254:80",
            "100.64.0.1:4001",
            "224.0.0.251:5353",
            "255.255.255.255:9",
            "240.0.0.1:1",
            "0.0.0.0:4001",
            "0.1.2.3:4001",
            "198.51.100.2:0",
        ] {
            assert_eq!(part(&hello(Kind::Preserving, HERE), &hello(Kind::Symmetric, inside)), None, "{inside}");
            assert_eq!(part(&hello(Kind::Symmetric, inside), &hello(Kind::Preserving, HERE)), None, "{inside}");
        }
    }

    #[test]
    fn hellos_are_read_as_they_were_written() {
        for kind in [Kind::Unknown, Kind::None, Kind::Preserving, Kind::Independent, Kind::Symmetric] {
            let hello = hello(kind, HERE);
            assert_eq!(Hello::decode(&hello.encode()), hello);
        }
        let mut later = hello(Kind::None, HERE).encode();
        later[0] = 9;
        assert_eq!(Hello::decode(&later).kind, Kind::Unknown);
        assert_eq!(hello(Kind::Preserving, HERE).encode()[..8], [2, 203, 0, 113, 2, 15, 161, 7]);
    }

    #[test]
    fn a_relays_view_of_ipv6_is_left_out() {
        let external = ["[2001:db8::1]:4001", HERE].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(Hello::new(&Mapping { kind: Kind::Preserving, external }, [0; 16]).external(), HERE.parse().unwrap());
        let nothing = Hello::new(&Mapping { kind: Kind::Unknown, external: Vec::new() }, [0; 16]);
        assert_eq!(part(&hello(Kind::Symmetric, HERE), &nothing), None);
    }

    #[test]
    fn only_the_peers_own_probe_from_its_own_address_counts() {
        let peer = hello(Kind::Preserving, HERE);
        let from = HERE.parse().unwrap();
        assert!(peer.sent(&peer.probe(), from));
        assert!(!peer.sent(&peer.probe(), "203.0.113.2:4002".parse().unwrap()));
        assert!(!peer.sent(&peer.probe()[..19], from));
        assert!(!peer.sent(&[&peer.probe()[..], &[0]].concat(), from));
        assert!(!peer.sent(&Hello { token: [8; 16], ..peer }.probe(), from));
    }

    #[test]
    fn no_port_is_tried_twice_and_none_is_reserved() {
        let tried = ports(&mut StdRng::seed_from_u64(1));
        assert_eq!(tried.len(), PACKETS);
        assert_eq!(tried.iter().collect::<BTreeSet<_>>().len(), PACKETS);
        assert!(tried.iter().all(|port| *port >= 1024));
        assert_ne!(tried, ports(&mut StdRng::seed_from_u64(2)));
    }

    /// A symmetric NAT in virtual time: each socket's port is drawn at random and open once its first packet left. When the first probe
    /// comes through that is not lost on the way, counted from the beginning.
    fn found_after(random: &mut StdRng, delay: Duration, late: Duration, loss: f64) -> Option<Duration> {
        let drawn = index::sample(random, PORTS.len(), SOCKETS).into_iter().map(|offset| 1024 + offset as u16);
        let open: HashSet<u16> = drawn.collect();
        // The hard side begins `late` after the easy one; what comes before is dropped.
        let mut probes = ports(random).into_iter().zip(0..).map(|(port, number)| (port, PACE * number + delay));
        let hit = probes.find(|(port, arrives)| *arrives >= late && open.contains(port) && !random.gen_bool(loss));
        hit.map(|(_, arrives)| arrives)
    }

    /// Theory says 1 - (1 - 256/64512)^1500 = 99.7 %, and half of them within 1.75 s.
    #[test]
    fn a_random_port_is_nearly_always_found() {
        const RUNS: usize = 200;
        let ms = Duration::from_millis;
        for (delay, late, loss) in [(ms(0), ms(0), 0.0), (ms(150), ms(600), 0.05)] {
            let mut times: Vec<Duration> =
                (0..RUNS as u64).filter_map(|seed| found_after(&mut StdRng::seed_from_u64(seed), delay, late, loss)).collect();
            times.sort();
            println!(
                "{} of {RUNS} found, half within {:?} ({delay:?}, {late:?} late, {loss} lost)",
                times.len(),
                times[times.len() / 2]
            );
            assert!(times.len() > RUNS * 97 / 100, "{} of {RUNS}", times.len());
            assert!(times[times.len() / 2] < Duration::from_secs(4));
        }
    }
}
