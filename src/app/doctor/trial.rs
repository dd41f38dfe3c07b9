//! The way to one host: every pair of addresses that was tried, and what it came to. Pure.

use libp2p::Multiaddr;
use serde::Serialize;
use serde_json::json;

use super::{
    facts::{Facts, Udp, millis},
    findings::{Finding, Topic, Verdict, finding},
};
use crate::{
    net::{
        Transport,
        address::{ip_of, is_circuit, kind_of, transport_of},
        nat::Kind,
        trace::{Outcome, Tried, Way},
    },
    protocol::{id::PeerKey, session::path::PathKind},
};

/// Attempts that are shown.
const MAX_ROWS: usize = 128;

/// Two addresses, and what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Candidate {
    /// Our end: where others see us, or where we listen. Not known for circuits.
    pub(super) local: Option<Multiaddr>,
    pub(super) remote: Multiaddr,
    pub(super) transport: Transport,
    pub(super) way: Way,
    pub(super) result: &'static str,
    pub(super) ms: Option<u64>,
    pub(super) reason: Option<&'static str>,
}

/// What was tried with the host.
#[derive(Debug, Default)]
pub(super) struct Trial {
    tried: Vec<Tried>,
}

impl Trial {
    /// News of an address; the newest of an attempt counts.
    pub(super) fn note(&mut self, news: Tried) {
        let same = |known: &&mut Tried| known.attempt == news.attempt && known.address == news.address;
        let room = self.tried.len() < MAX_ROWS;
        match self.tried.iter_mut().find(same) {
            Some(known) => *known = news,
            None if room => self.tried.push(news),
            None => {}
        }
    }

    /// The attempts that were meant for this host, in the order in which they began.
    pub(super) fn with(&self, host: Option<PeerKey>, addresses: &[Multiaddr], ours: &Ours) -> Vec<Candidate> {
        let meant = |tried: &&Tried| match tried.peer {
            Some(peer) => host == Some(peer),
            None => addresses.contains(&tried.address),
        };
        self.tried.iter().filter(meant).map(|tried| candidate(tried, ours)).collect()
    }
}

/// Our own ends.
#[derive(Debug, Default)]
pub(super) struct Ours {
    pub(super) listening: Vec<Multiaddr>,
    /// Where relays see us.
    pub(super) seen: Vec<Multiaddr>,
}

impl Ours {
    /// The end that a connection to `remote` leaves from: dials leave from where we listen.
    fn end_for(&self, remote: &Multiaddr) -> Option<Multiaddr> {
        let (transport, ip) = (transport_of(remote), ip_of(remote)?);
        let fits = |own: &&Multiaddr| {
            transport_of(own) == transport
                && ip_of(own).is_some_and(|own| own.is_ipv4() == ip.is_ipv4() && own.is_loopback() == ip.is_loopback())
        };
        let listening = || self.listening.iter().find(fits);
        let outside = kind_of(remote) == PathKind::Direct;
        let own = if outside { self.seen.iter().find(fits).or_else(listening) } else { listening() };
        own.cloned()
    }
}

fn candidate(tried: &Tried, ours: &Ours) -> Candidate {
    let (result, ms, reason) = match tried.outcome {
        Outcome::Trying => ("no-answer", None, None),
        Outcome::Connected(after) => ("connected", after.map(millis), None),
        Outcome::Failed(reason) => ("failed", None, Some(reason)),
        Outcome::Overtaken => ("overtaken", None, None),
    };
    let own = || if is_circuit(&tried.address) { None } else { ours.end_for(&tried.address) };
    // A socket for every address of this machine does not tell which one it was.
    let told = tried.local.clone().filter(|local| ip_of(local).is_some_and(|ip| !ip.is_unspecified()));
    let (local, remote) = (told.or_else(own), tried.address.clone());
    Candidate { local, transport: transport_of(&remote), remote, way: tried.way, result, ms, reason }
}

/// What the attempt came to, and why it is not better.
pub(super) fn verdict(facts: &Facts, candidates: &[Candidate], best: Option<(PathKind, Transport)>) -> Finding {
    let (verdict, text, advice) = match best {
        Some((PathKind::Relayed, transport)) => {
            let (why, advice) = why_relayed(facts, candidates);
            (Verdict::Note, format!("relayed, over {}: {why}", transport.name()), Some(advice))
        }
        Some((PathKind::Lan, transport)) => (Verdict::Good, format!("on the local network, over {}", transport.name()), None),
        Some((PathKind::Direct, transport)) => (Verdict::Good, format!("direct, over {}", transport.name()), None),
        None => (Verdict::Bad, "none".to_owned(), Some("check the ID, and that rs host runs there")),
    };
    let path = best.map(|(kind, transport)| json!({ "kind": kind.name(), "transport": transport.name() }));
    finding(Topic::Path, verdict, text, advice, json!({ "path": path }))
}

const OPEN: &str = "turn UPnP on in one of the two routers, or forward a port there; sessions run through the relay meanwhile";

/// The first reason that explains it.
fn why_relayed(facts: &Facts, candidates: &[Candidate]) -> (&'static str, &'static str) {
    let kind = facts.mapping.as_ref().map_or(Kind::Unknown, |mapping| mapping.kind);
    let punched: Vec<_> = candidates.iter().filter(|candidate| candidate.way == Way::Punched).collect();
    let theirs = |transport| punched.iter().any(|own| own.transport == transport && kind_of(&own.remote) == PathKind::Direct);
    if facts.only_the_web() {
        return ("this network lets only TCP 443 out", "ask whoever runs this network to let UDP out");
    }
    if punched.is_empty() {
        return ("no hole punch was tried: the host told no address of its own", "run rs doctor on the host's machine too");
    }
    match (facts.udp(), kind) {
        (Udp::Blocked, _) if !theirs(Transport::Tcp) => ("no UDP leaves this network, and no TCP the host's", OPEN),
        (Udp::Blocked, _) => ("no UDP leaves this network, and TCP did not get through", "let UDP out of this network"),
        (_, Kind::Symmetric) if !theirs(Transport::Quic) => {
            ("our router takes another port each time, and no UDP leaves the host's network", OPEN)
        }
        (_, Kind::Symmetric) => ("our router takes another port for each destination, so the host cannot aim at us", OPEN),
        _ if !theirs(Transport::Quic) => {
            ("no UDP leaves the host's network, and TCP did not get through", "run rs doctor on the host's machine too")
        }
        _ => ("this side is fit for it, so the host's router is likely to take another port for each destination", OPEN),
    }
}

#[cfg(test)]
mod tests;
