//! What the facts mean, in plain words, with one advice each. Pure.

use serde::Serialize;
use serde_json::{Value, json};

use super::facts::{Desktop, Facts, Lan, Leg, LegResult, Port, Relay, Udp};
use crate::net::{Transport, clock, nat::Kind};

/// A clock that differs less is right: answers travel, and clocks drift.
const EXACT_MS: u64 = 30_000;

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Topic {
    Relay,
    Udp,
    Nat,
    Port,
    Lan,
    Ipv6,
    Clock,
    Screen,
    Directory,
    Path,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// Not needed, or not known.
    Note,
    /// It stands in the way.
    Bad,
}

/// One line for a person, and the facts behind it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    pub(super) topic: Topic,
    pub(super) verdict: Verdict,
    pub(super) text: String,
    pub(super) advice: Option<String>,
    pub(super) facts: Value,
}

/// What kind of connection can be expected from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Expect {
    DirectWithMost,
    DirectWithSome,
    RelayedOnly,
    LocalOnly,
}

impl Topic {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Udp => "UDP",
            Self::Nat => "router",
            Self::Port => "port",
            Self::Lan => "local network",
            Self::Ipv6 => "IPv6",
            Self::Clock => "clock",
            Self::Screen => "screen",
            Self::Directory => "directory",
            Self::Path => "path",
        }
    }
}

impl Expect {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::DirectWithMost => "direct with most networks",
            Self::DirectWithSome => "direct with some networks, relayed with the others",
            Self::RelayedOnly => "relayed only",
            Self::LocalOnly => "only on the local network, or at an address that is given with the ID",
        }
    }

    /// What can be expected.
    pub(super) fn of(facts: &Facts) -> Self {
        let kind = facts.mapping.as_ref().map_or(Kind::Unknown, |mapping| mapping.kind);
        match facts.udp() {
            _ if !facts.any_relay() => Self::LocalOnly,
            _ if matches!(facts.port, Port::Open { .. }) => Self::DirectWithMost,
            Udp::Passes if facts.seen_from_within() => Self::DirectWithSome,
            Udp::Passes if matches!(kind, Kind::None | Kind::Preserving | Kind::Independent) => Self::DirectWithMost,
            _ if facts.only_the_web() => Self::RelayedOnly,
            Udp::Passes | Udp::Blocked | Udp::Unknown => Self::DirectWithSome,
        }
    }
}

/// A finding. Text and advice are one line each.
pub(super) fn finding(topic: Topic, verdict: Verdict, text: impl Into<String>, advice: Option<&str>, facts: Value) -> Finding {
    Finding { topic, verdict, text: text.into(), advice: advice.map(str::to_owned), facts }
}

/// All of them, in the order in which a way is built.
pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts.relays.iter().map(relay).collect();
    if found.is_empty() {
        let advice = "name one with --relay HOST, or in config.toml; anyone can run one: rs relay";
        found.push(finding(Topic::Relay, Verdict::Bad, "none is named: other networks are out of reach", Some(advice), json!({})));
    }
    found.extend([udp(facts), router(facts), port(facts), lan(&facts.lan), ipv6(facts), time(facts), screen(&facts.desktop)]);
    found
}

fn relay(relay: &Relay) -> Finding {
    let facts = serde_json::to_value(relay).unwrap_or_default();
    let legs = || relay.legs.iter().map(leg).collect::<Vec<_>>().join(", ");
    let (verdict, text, advice) = match relay {
        relay if relay.changed => (
            Verdict::Bad,
            format!("{} has another key than before, so it is not used", relay.name),
            Some("if it was set up anew, remove its line from known_relays"),
        ),
        relay if relay.is_up() => (Verdict::Good, format!("{} answers: {}", relay.name, legs()), None),
        relay if relay.legs.is_empty() => {
            (Verdict::Bad, format!("{} was not tried", relay.name), Some("name sixteen relays at most, with whole keys"))
        }
        relay => (
            Verdict::Bad,
            format!("{} does not answer: {}", relay.name, legs()),
            Some("check its name and that it runs, and that this network lets TCP 443 or 4001 out"),
        ),
    };
    finding(Topic::Relay, verdict, text, advice, facts)
}

fn leg(leg: &Leg) -> String {
    let transport = match leg.transport {
        Transport::Quic => "QUIC",
        Transport::Tcp => "TCP",
        Transport::Websocket => "WebSocket",
    };
    let port = leg.address.iter().find_map(|part| match part {
        libp2p::multiaddr::Protocol::Tcp(port) | libp2p::multiaddr::Protocol::Udp(port) => Some(port),
        _ => None,
    });
    let family = if leg.is_ipv6() { " by IPv6" } else { "" };
    let result = match &leg.result {
        LegResult::Up { ms } => format!("{ms} ms"),
        LegResult::Down { reason } => format!("no ({reason})"),
        LegResult::Silent => "no answer".to_owned(),
    };
    format!("{transport} {}{family} {result}", port.unwrap_or_default())
}

fn udp(facts: &Facts) -> Finding {
    let udp = facts.udp();
    let (verdict, text, advice) = match udp {
        Udp::Passes => (Verdict::Good, "it passes", None),
        Udp::Blocked if facts.only_the_web() => (
            Verdict::Bad,
            "blocked, and of TCP only port 443 passes: sessions from here run through the relay",
            Some("ask whoever runs this network to let UDP out"),
        ),
        Udp::Blocked => (
            Verdict::Bad,
            "it does not get to the relay; TCP does, and is slower on bad links",
            Some("let UDP out in the firewall of this machine or network, or check that the relay takes UDP"),
        ),
        Udp::Unknown => (Verdict::Note, "not known: no relay could be asked by QUIC", None),
    };
    finding(Topic::Udp, verdict, text, advice, json!({ "udp": udp }))
}

fn router(facts: &Facts) -> Finding {
    let kind = facts.mapping.as_ref().map_or(Kind::Unknown, |mapping| mapping.kind);
    let external = facts.mapping.as_ref().map(|mapping| mapping.external.as_slice()).unwrap_or_default();
    let at = external.first().map_or_else(String::new, |at| format!("; others see {at}"));
    let helped = matches!(facts.port, Port::Open { .. });
    let (verdict, text, advice) = match kind {
        _ if facts.seen_from_within() => (
            Verdict::Note,
            format!("what it does is not known: the relay sees us from this network{at}"),
            Some("a relay outside of this network could tell"),
        ),
        Kind::None => (Verdict::Good, format!("there is no NAT{at}, which is our own address"), None),
        Kind::Preserving => (Verdict::Good, format!("its NAT keeps our port for every destination{at}"), None),
        Kind::Independent => (Verdict::Good, format!("its NAT gives us one port for every destination{at}"), None),
        Kind::Symmetric => (
            if helped { Verdict::Note } else { Verdict::Bad },
            "its NAT takes another port for each destination (symmetric), so others cannot aim at us".to_owned(),
            (!helped).then_some("turn UPnP or PCP on in the router, or forward a port to this machine and name it with --listen"),
        ),
        Kind::Unknown => (
            Verdict::Note,
            format!("what its NAT does to UDP ports could not be told{at}"),
            (facts.udp() == Udp::Passes).then_some("it takes a second relay, or one that listens for QUIC on two ports"),
        ),
    };
    finding(Topic::Nat, verdict, text, advice, json!({ "mapping": kind, "external": external }))
}

fn port(facts: &Facts) -> Finding {
    let public = facts.mapping.as_ref().is_some_and(|mapping| mapping.kind == Kind::None);
    let (verdict, text, advice) = match &facts.port {
        Port::Off => (Verdict::Note, "the router is not asked (--no-port-mapping)".to_owned(), None),
        Port::Open { addresses } => {
            let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            (Verdict::Good, format!("the router opened {}", list.join(" and ")), None)
        }
        Port::None if public => (Verdict::Note, "no router opens one; none is needed".to_owned(), None),
        Port::None => (
            Verdict::Note,
            "the router opens none".to_owned(),
            Some("UPnP, PCP or NAT-PMP in the router would make this machine reachable from everywhere"),
        ),
    };
    finding(Topic::Port, verdict, text, advice, serde_json::to_value(&facts.port).unwrap_or_default())
}

fn lan(lan: &Lan) -> Finding {
    let (verdict, text, advice) = match lan {
        Lan::Off => (Verdict::Note, "not used (--no-lan)".to_owned(), None),
        Lan::Works { others: 0 } => (Verdict::Good, "multicast works; nobody else announces itself here now".to_owned(), None),
        Lan::Works { others: 1 } => (Verdict::Good, "multicast works; one other machine announces itself here".to_owned(), None),
        Lan::Works { others } => (Verdict::Good, format!("multicast works; {others} others announce themselves here"), None),
        Lan::Broken { reason } => (
            Verdict::Note,
            format!("no multicast ({reason}): hosts on this network are not found by themselves"),
            Some("let UDP 5353 through this machine's firewall, or connect by ID@ADDRESS"),
        ),
    };
    finding(Topic::Lan, verdict, text, advice, serde_json::to_value(lan).unwrap_or_default())
}

fn ipv6(facts: &Facts) -> Finding {
    let by_relay = facts.relay_by_ipv6();
    let (verdict, text, advice) = match (facts.ipv6, by_relay) {
        (None, _) => (Verdict::Note, "this machine has no IPv6 address that others could reach".to_owned(), None),
        (Some(address), Some(true)) => (Verdict::Good, format!("{address}, and a relay answers by IPv6"), None),
        (Some(address), Some(false)) => (
            Verdict::Bad,
            format!("{address}, but no relay answers by IPv6"),
            Some("check that this network really carries IPv6; IPv4 is used meanwhile"),
        ),
        (Some(address), None) => (
            Verdict::Note,
            format!("{address}; no relay could be tried by it"),
            Some("a relay with an IPv6 address lets two machines with IPv6 meet without any NAT"),
        ),
    };
    finding(Topic::Ipv6, verdict, text, advice, json!({ "address": facts.ipv6, "relay": by_relay }))
}

fn time(facts: &Facts) -> Finding {
    let ahead = facts.clock_ahead_ms();
    let (verdict, text, advice) = match ahead.map(|ahead| (ahead.unsigned_abs(), ahead < 0)) {
        None => (Verdict::Note, "no relay told its time".to_owned(), None),
        Some((off, _)) if off <= EXACT_MS => (Verdict::Good, "right".to_owned(), None),
        Some((off, early)) => {
            let (seconds, way) = (off / 1000, if early { "ahead of" } else { "behind" });
            let text = format!("{seconds} seconds {way} the relay's");
            let advice = Some("set this machine's clock, best by NTP");
            let tolerated = u128::from(off) <= clock::TOLERANCE.as_millis();
            match tolerated {
                true => (Verdict::Note, text, advice),
                false => (Verdict::Bad, format!("{text}: hosts cannot be found by their ID"), advice),
            }
        }
    };
    finding(Topic::Clock, verdict, text, advice, json!({ "relay_ahead_ms": ahead }))
}

fn screen(desktop: &Desktop) -> Finding {
    let (verdict, text, advice) = match desktop {
        Desktop::Taken => (Verdict::Good, "rs host runs here and has it".to_owned(), None),
        Desktop::Works { width, height, input_fault: None } => {
            (Verdict::Good, format!("{width}x{height} can be shared; mouse and keyboard can be driven"), None)
        }
        Desktop::Works { width, height, input_fault: Some(fault) } => (
            Verdict::Bad,
            format!("{width}x{height} can be shared, but mouse and keyboard cannot be driven ({fault})"),
            Some("share it with --view-only, or use an X11 session with the XTEST extension"),
        ),
        Desktop::Missing { reason } => (
            Verdict::Note,
            format!("none to share: {reason}; this machine can help others, but not be helped"),
            Some("to be helped, start rs in a graphical X11 session"),
        ),
    };
    finding(Topic::Screen, verdict, text, advice, serde_json::to_value(desktop).unwrap_or_default())
}

#[cfg(test)]
mod tests;
