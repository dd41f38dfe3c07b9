use std::net::{Ipv6Addr, SocketAddr};

use super::*;
use crate::net::nat::Mapping;

fn leg(address: &str, up: bool) -> Leg {
    let address: libp2p::Multiaddr = address.parse().unwrap();
    let result = if up { LegResult::Up { ms: 12 } } else { LegResult::Down { reason: "no answer".to_owned() } };
    Leg { transport: crate::net::address::transport_of(&address), address, result }
}

const QUIC: &str = "/ip4/192.0.2.2/udp/4001/quic-v1";
const TCP: &str = "/ip4/192.0.2.2/tcp/4001";
const WEB: &str = "/ip4/192.0.2.2/tcp/443/ws";

fn relay(legs: &[(&str, bool)]) -> Relay {
    let mut relay = Relay::new("relay.example:4001".to_owned(), None, Vec::new());
    relay.legs = legs.iter().map(|(address, up)| leg(address, *up)).collect();
    relay
}

/// A machine behind this kind of NAT whose relay was tried at these addresses.
fn facts(legs: &[(&str, bool)], kind: Kind) -> Facts {
    let external: Vec<SocketAddr> = vec!["203.0.113.2:30001".parse().unwrap()];
    Facts {
        relays: vec![relay(legs)],
        mapping: Some(Mapping { kind, external }),
        port: Port::None,
        lan: Lan::Works { others: 0 },
        ipv6: None,
        desktop: Desktop::Works { width: 800, height: 600, input_fault: None },
    }
}

fn all_up(kind: Kind) -> Facts {
    facts(&[(QUIC, true), (TCP, true), (WEB, true)], kind)
}

fn of(facts: &Facts, topic: Topic) -> Finding {
    all(facts).into_iter().find(|finding| finding.topic == topic).expect("each topic has its finding")
}

fn open_port() -> Port {
    Port::Open { addresses: [QUIC.parse().unwrap()].into() }
}

#[test]
fn what_can_be_expected() {
    use Expect::{DirectWithMost, DirectWithSome, LocalOnly, RelayedOnly};
    for (legs, kind, expected) in [
        (&[(QUIC, true), (TCP, true)][..], Kind::None, DirectWithMost),
        (&[(QUIC, true), (TCP, true)], Kind::Preserving, DirectWithMost),
        (&[(QUIC, true), (TCP, true)], Kind::Independent, DirectWithMost),
        (&[(QUIC, true), (TCP, true)], Kind::Symmetric, DirectWithSome),
        (&[(QUIC, true), (TCP, true)], Kind::Unknown, DirectWithSome),
        (&[(QUIC, false), (TCP, true)], Kind::Unknown, DirectWithSome),
        (&[(QUIC, false), (TCP, false), (WEB, true)], Kind::Unknown, RelayedOnly),
        (&[(QUIC, false), (TCP, false), (WEB, false)], Kind::Unknown, LocalOnly),
        (&[], Kind::Unknown, LocalOnly),
    ] {
        assert_eq!(Expect::of(&facts(legs, kind)), expected, "{legs:?} {kind:?}");
    }
    let mut helped = all_up(Kind::Symmetric);
    helped.port = open_port();
    assert_eq!(Expect::of(&helped), DirectWithMost, "a port of the router makes up for any NAT");
}

#[test]
fn a_good_machine_has_nothing_bad_and_every_topic_once() {
    let found = all(&all_up(Kind::Preserving));
    assert!(found.iter().all(|finding| finding.verdict != Verdict::Bad), "{found:?}");
    let topics: Vec<_> = found.iter().map(|finding| finding.topic).collect();
    assert_eq!(topics, [Topic::Relay, Topic::Udp, Topic::Nat, Topic::Port, Topic::Lan, Topic::Ipv6, Topic::Clock, Topic::Screen]);
}

#[test]
fn whatever_is_bad_comes_with_advice_and_all_is_one_line() {
    let mut worst = facts(&[(QUIC, false), (TCP, false)], Kind::Unknown);
    worst.lan = Lan::Broken { reason: "no route".to_owned() };
    worst.desktop = Desktop::Works { width: 1, height: 1, input_fault: Some("no XTEST".to_owned()) };
    let mut wrong_time = all_up(Kind::Symmetric);
    wrong_time.relays[0].clock_ahead_ms = Some(3_600_000);
    wrong_time.ipv6 = Some(Ipv6Addr::LOCALHOST);
    wrong_time.relays[0].legs.push(self::leg("/ip6/2001:db8::2/tcp/4001", false));
    let mut alone = worst_without_relay();
    alone.relays = vec![relay(&[])];
    for facts in [worst, wrong_time, alone, worst_without_relay()] {
        for finding in all(&facts) {
            assert!(finding.verdict != Verdict::Bad || finding.advice.is_some(), "{finding:?}");
            assert!(!finding.text.contains('\n') && !finding.text.is_empty());
        }
    }
}

fn worst_without_relay() -> Facts {
    let mut facts = facts(&[], Kind::Unknown);
    facts.relays.clear();
    facts
}

#[test]
fn no_relay_and_a_relay_that_is_another_one_are_told_apart() {
    let none = of(&worst_without_relay(), Topic::Relay);
    assert!(none.verdict == Verdict::Bad && none.text.contains("none is named"), "{none:?}");
    let mut changed = all_up(Kind::None);
    changed.relays[0].changed = true;
    assert!(of(&changed, Topic::Relay).text.contains("another key"));
    assert_eq!(Expect::of(&changed), Expect::LocalOnly, "it is not used");
}

#[test]
fn each_way_to_a_relay_is_told_with_its_time_or_reason() {
    let text = of(&facts(&[(QUIC, false), (TCP, true), (WEB, true)], Kind::Unknown), Topic::Relay).text;
    assert_eq!(text, "relay.example:4001 answers: QUIC 4001 no (no answer), TCP 4001 12 ms, WebSocket 443 12 ms");
}

#[test]
fn udp_is_blocked_only_where_something_else_gets_through() {
    for (legs, udp, verdict) in [
        (&[(QUIC, true), (TCP, true)][..], Udp::Passes, Verdict::Good),
        (&[(QUIC, false), (TCP, true)], Udp::Blocked, Verdict::Bad),
        (&[(QUIC, false), (TCP, false)], Udp::Unknown, Verdict::Note),
        (&[(TCP, true)], Udp::Unknown, Verdict::Note),
    ] {
        let facts = facts(legs, Kind::Unknown);
        assert_eq!((facts.udp(), of(&facts, Topic::Udp).verdict), (udp, verdict), "{legs:?}");
    }
}

#[test]
fn a_symmetric_nat_is_bad_unless_the_router_opens_a_port() {
    let mut facts = all_up(Kind::Symmetric);
    assert_eq!(of(&facts, Topic::Nat).verdict, Verdict::Bad);
    facts.port = open_port();
    assert_eq!(of(&facts, Topic::Nat).verdict, Verdict::Note);
    assert_eq!(of(&facts, Topic::Port).verdict, Verdict::Good);
}

#[test]
fn a_relay_on_our_own_network_proves_nothing_about_others() {
    let mut facts = all_up(Kind::None);
    facts.mapping = Some(Mapping { kind: Kind::None, external: vec!["192.168.1.2:4001".parse().unwrap()] });
    assert_eq!((of(&facts, Topic::Nat).verdict, Expect::of(&facts)), (Verdict::Note, Expect::DirectWithSome));
}

#[test]
fn a_clock_is_judged_by_what_the_directory_forgives() {
    let limit = i64::try_from(clock::TOLERANCE.as_millis()).unwrap();
    for (ahead, verdict, words) in [
        (0, Verdict::Good, "right"),
        (-29_000, Verdict::Good, "right"),
        (60_000, Verdict::Note, "60 seconds behind"),
        (-60_000, Verdict::Note, "60 seconds ahead of"),
        (limit + 1, Verdict::Bad, "cannot be found"),
        (i64::MIN, Verdict::Bad, "cannot be found"),
    ] {
        let mut facts = all_up(Kind::None);
        facts.relays[0].clock_ahead_ms = Some(ahead);
        let clock = of(&facts, Topic::Clock);
        assert!(clock.verdict == verdict && clock.text.contains(words), "{ahead}: {clock:?}");
    }
    assert_eq!(of(&all_up(Kind::None), Topic::Clock).verdict, Verdict::Note, "nobody told");
}

#[test]
fn a_machine_without_a_screen_is_no_fault() {
    let mut facts = all_up(Kind::None);
    facts.desktop = Desktop::Missing { reason: "DISPLAY is not set".to_owned() };
    let screen = of(&facts, Topic::Screen);
    assert!(screen.verdict == Verdict::Note && screen.text.contains("can help others"), "{screen:?}");
}

#[test]
fn an_answer_stays_an_answer_and_a_relay_learns_its_other_addresses_by_its_key() {
    use crate::{
        net::trace::{Outcome, Tried, Way},
        protocol::id::PeerKey,
    };
    let key = PeerKey([7; 32]);
    let mut relay = Relay::new("r".to_owned(), None, vec![TCP.parse().unwrap()]);
    let tried = |address: &str, peer, outcome| Tried {
        attempt: 1,
        peer,
        address: address.parse().unwrap(),
        local: None,
        way: Way::Dialled,
        outcome,
    };
    relay.note(&tried(TCP, None, Outcome::Trying));
    assert!(!relay.is_settled() && !relay.is_up());
    relay.note(&tried(TCP, Some(key), Outcome::Connected(Some(std::time::Duration::from_millis(3)))));
    relay.note(&tried(TCP, Some(key), Outcome::Failed("no answer")));
    relay.note(&tried(QUIC, Some(key), Outcome::Trying));
    assert_eq!(relay.legs.len(), 1, "its key is not known yet");
    relay.key = Some(key);
    relay.note(&tried(QUIC, Some(key), Outcome::Failed("no answer")));
    relay.note(&tried("/dns/relay.example/udp/4001/quic-v1", Some(key), Outcome::Trying));
    let results: Vec<_> = relay.legs.iter().map(|leg| leg.result.clone()).collect();
    assert_eq!(results, [LegResult::Up { ms: 3 }, LegResult::Down { reason: "no answer".to_owned() }]);
    assert!(relay.is_settled() && relay.is_up());
}
