//! What was found out: plain values, which go into JSON as they are.

use std::{collections::BTreeSet, net::Ipv6Addr};

use libp2p::{Multiaddr, multiaddr::Protocol};
use serde::Serialize;

use crate::{
    net::{
        Transport,
        address::{ip_of, is_local, transport_of},
        nat::Mapping,
        trace::{Outcome, Tried, Way},
    },
    protocol::id::PeerKey,
};

/// Addresses of one relay that are followed.
const MAX_LEGS: usize = 16;

/// All of it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) relays: Vec<Relay>,
    /// What our NAT does to UDP ports, as relays see it.
    pub(super) mapping: Option<Mapping>,
    pub(super) port: Port,
    pub(super) lan: Lan,
    /// Our address towards the IPv6 internet.
    pub(super) ipv6: Option<Ipv6Addr>,
    pub(super) desktop: Desktop,
}

/// One relay.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Relay {
    pub(super) name: String,
    /// It answered with another key than the pinned one.
    pub(super) changed: bool,
    pub(super) legs: Vec<Leg>,
    /// How far its clock is ahead of ours.
    pub(super) clock_ahead_ms: Option<i64>,
    #[serde(skip)]
    pub(super) key: Option<PeerKey>,
    /// Where we try it.
    #[serde(skip)]
    pub(super) addresses: Vec<Multiaddr>,
}

/// One way to a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Leg {
    pub(super) address: Multiaddr,
    pub(super) transport: Transport,
    #[serde(flatten)]
    pub(super) result: LegResult,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub(super) enum LegResult {
    /// It answers.
    Up { ms: u64 },
    /// It does not.
    Down { reason: String },
    /// Nothing came back in the time there was.
    Silent,
}

/// Ports that the router opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Port {
    /// Not asked for.
    Off,
    /// These.
    Open { addresses: BTreeSet<Multiaddr> },
    /// None.
    None,
}

/// The local network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Lan {
    /// Not asked for.
    Off,
    /// Multicast works on one network at least.
    Works {
        /// Others who announce themselves.
        others: usize,
    },
    /// It does not.
    Broken { reason: String },
}

/// Screen, pointer and keyboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Desktop {
    /// A host runs here: it has them.
    Taken,
    /// A session could show this.
    Works {
        width: u16,
        height: u16,
        /// Why nobody could drive it.
        input_fault: Option<String>,
    },
    /// There is none.
    Missing { reason: String },
}

/// Whether UDP gets to a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Udp {
    Passes,
    Blocked,
    Unknown,
}

impl Relay {
    pub(super) fn new(name: String, key: Option<PeerKey>, addresses: Vec<Multiaddr>) -> Self {
        Self { name, changed: false, legs: Vec::new(), clock_ahead_ms: None, key, addresses }
    }

    /// News of an address; others' are passed over. An answer once is an answer: what a later attempt comes to does not matter.
    pub(super) fn note(&mut self, tried: &Tried) {
        let ours = tried.peer.is_some() && tried.peer == self.key && !is_name(&tried.address);
        if tried.way != Way::Dialled || !(ours || self.addresses.contains(&tried.address)) {
            return;
        }
        let result = match tried.outcome {
            Outcome::Trying | Outcome::Overtaken => LegResult::Silent,
            Outcome::Connected(after) => LegResult::Up { ms: after.map_or(0, millis) },
            Outcome::Failed(reason) => LegResult::Down { reason: reason.to_owned() },
        };
        let room = self.legs.len() < MAX_LEGS;
        match self.legs.iter_mut().find(|leg| leg.address == tried.address) {
            Some(leg) if matches!(leg.result, LegResult::Up { .. }) || result == LegResult::Silent => {}
            Some(leg) => leg.result = result,
            None if room => {
                self.legs.push(Leg { address: tried.address.clone(), transport: transport_of(&tried.address), result });
            }
            None => {}
        }
    }

    /// Whether every way to it had its chance.
    pub(super) fn is_settled(&self) -> bool {
        !self.legs.is_empty() && self.legs.iter().all(|leg| leg.result != LegResult::Silent)
    }

    pub(super) fn is_up(&self) -> bool {
        !self.changed && self.legs.iter().any(Leg::is_up)
    }
}

impl Leg {
    pub(super) fn is_up(&self) -> bool {
        matches!(self.result, LegResult::Up { .. })
    }

    /// A port that even the strictest networks let through.
    pub(super) fn is_for_the_web(&self) -> bool {
        self.transport != Transport::Quic && self.address.iter().any(|part| part == Protocol::Tcp(443))
    }

    pub(super) fn is_ipv6(&self) -> bool {
        ip_of(&self.address).is_some_and(|ip| ip.is_ipv6()) || matches!(self.address.iter().next(), Some(Protocol::Dns6(_)))
    }
}

impl Facts {
    pub(super) fn any_relay(&self) -> bool {
        self.relays.iter().any(Relay::is_up)
    }

    fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.relays.iter().flat_map(|relay| &relay.legs)
    }

    pub(super) fn udp(&self) -> Udp {
        let mut quic = self.legs().filter(|leg| leg.transport == Transport::Quic).peekable();
        if quic.peek().is_none() {
            return Udp::Unknown;
        }
        match quic.any(Leg::is_up) {
            true => Udp::Passes,
            false if self.any_relay() => Udp::Blocked,
            false => Udp::Unknown,
        }
    }

    /// Whether relays were reached by TCP on the web's port, and not by anything else that was tried.
    pub(super) fn only_the_web(&self) -> bool {
        let (web, other): (Vec<_>, Vec<_>) = self.legs().partition(|leg| leg.is_for_the_web());
        web.iter().any(|leg| leg.is_up()) && !other.is_empty() && !other.iter().any(|leg| leg.is_up())
    }

    /// Whether relays were tried by IPv6, and whether one answered.
    pub(super) fn relay_by_ipv6(&self) -> Option<bool> {
        let mut legs = self.legs().filter(|leg| leg.is_ipv6()).peekable();
        legs.peek().is_some().then(|| legs.any(Leg::is_up))
    }

    /// Whether every relay that saw us is on our own network: then nothing is known of what lies beyond.
    pub(super) fn seen_from_within(&self) -> bool {
        let mut external = self.mapping.iter().flat_map(|mapping| &mapping.external).peekable();
        external.peek().is_some() && external.all(|at| is_local(at.ip()))
    }

    /// The relay's clock that agrees best with ours: how far it is ahead.
    pub(super) fn clock_ahead_ms(&self) -> Option<i64> {
        self.relays.iter().filter_map(|relay| relay.clock_ahead_ms).min_by_key(|ahead| ahead.unsigned_abs())
    }
}

/// A name that stands for addresses of both families.
pub(super) fn is_name(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Dns(_)))
}

pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
