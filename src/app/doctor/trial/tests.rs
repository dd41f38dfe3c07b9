use super::*;
use crate::{
    app::doctor::facts::{Desktop, Lan, Leg, LegResult, Port, Relay},
    net::nat::Mapping,
};

const HOST: PeerKey = PeerKey([3; 32]);
const HOST_QUIC: &str = "/ip4/203.0.113.2/udp/4001/quic-v1";
const HOST_TCP: &str = "/ip4/203.0.113.2/tcp/4001";
const HOST_LAN: &str = "/ip4/10.1.0.2/udp/4001/quic-v1";

fn at(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn news(attempt: u64, address: &str, way: Way, outcome: Outcome) -> Tried {
    Tried { attempt, peer: Some(HOST), address: at(address), local: None, way, outcome }
}

fn ours() -> Ours {
    Ours {
        listening: ["/ip4/127.0.0.1/udp/5000/quic-v1", "/ip4/10.2.0.2/udp/5000/quic-v1", "/ip4/10.2.0.2/tcp/5000"].map(at).into(),
        seen: vec![at("/ip4/198.51.100.2/udp/30001/quic-v1")],
    }
}

fn facts(kind: Kind, quic: bool) -> Facts {
    let leg = |address: &str, up| {
        let result = if up { LegResult::Up { ms: 1 } } else { LegResult::Silent };
        Leg { address: at(address), transport: transport_of(&at(address)), result }
    };
    let mut relay = Relay::new("r".to_owned(), None, Vec::new());
    relay.legs = vec![leg("/ip4/192.0.2.2/udp/4001/quic-v1", quic), leg("/ip4/192.0.2.2/tcp/4001", true)];
    let mapping = Some(Mapping { kind, external: Vec::new() });
    Facts { relays: vec![relay], mapping, port: Port::Off, lan: Lan::Off, ipv6: None, desktop: Desktop::Taken }
}

fn punched(addresses: &[&str]) -> Vec<Candidate> {
    let mut trial = Trial::default();
    addresses.iter().for_each(|address| trial.note(news(1, address, Way::Punched, Outcome::Failed("no answer"))));
    trial.with(Some(HOST), &[], &ours())
}

#[test]
fn each_pair_has_our_end_and_the_newest_result() {
    let mut trial = Trial::default();
    for address in [HOST_QUIC, HOST_LAN] {
        trial.note(news(1, address, Way::Punched, Outcome::Trying));
    }
    trial.note(news(1, HOST_QUIC, Way::Punched, Outcome::Connected(Some(std::time::Duration::from_millis(80)))));
    trial.note(Tried { peer: Some(PeerKey([9; 32])), ..news(2, HOST_TCP, Way::Dialled, Outcome::Trying) });
    let rows = trial.with(Some(HOST), &[], &ours());
    let [outside, inside] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((outside.result, outside.ms), ("connected", Some(80)));
    assert_eq!(outside.local, Some(at("/ip4/198.51.100.2/udp/30001/quic-v1")), "as relays see us");
    assert_eq!(inside.result, "no-answer");
    assert_eq!(inside.local, Some(at("/ip4/10.2.0.2/udp/5000/quic-v1")), "as the local network sees us");
}

#[test]
fn an_address_without_a_key_is_the_hosts_when_it_was_given_for_it() {
    let mut trial = Trial::default();
    trial.note(Tried { peer: None, ..news(1, HOST_TCP, Way::Dialled, Outcome::Failed("nothing listens there")) });
    assert!(trial.with(None, &[], &ours()).is_empty());
    let rows = trial.with(None, &[at(HOST_TCP)], &ours());
    assert_eq!((rows.len(), rows[0].reason), (1, Some("nothing listens there")));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut trial = Trial::default();
    (0..1000).for_each(|number| trial.note(news(number, HOST_TCP, Way::Dialled, Outcome::Trying)));
    assert_eq!(trial.tried.len(), MAX_ROWS);
}

#[test]
fn a_relayed_path_is_explained() {
    let relayed = Some((PathKind::Relayed, Transport::Quic));
    for (facts, candidates, words) in [
        (facts(Kind::Symmetric, true), punched(&[HOST_QUIC, HOST_TCP]), "our router takes another port for each"),
        (facts(Kind::Symmetric, true), punched(&[HOST_LAN, HOST_TCP]), "no UDP leaves the host's network"),
        (facts(Kind::Preserving, true), punched(&[HOST_QUIC, HOST_TCP]), "the host's router is likely"),
        (facts(Kind::Preserving, true), punched(&[HOST_TCP]), "no UDP leaves the host's network"),
        (facts(Kind::Preserving, true), Vec::new(), "no hole punch was tried"),
        (facts(Kind::Unknown, false), punched(&[HOST_QUIC, HOST_TCP]), "no UDP leaves this network"),
        (facts(Kind::Unknown, false), punched(&[HOST_QUIC]), "no UDP leaves this network, and no TCP"),
    ] {
        let told = verdict(&facts, &candidates, relayed);
        assert!(told.text.contains(words) && told.advice.is_some(), "{}", told.text);
    }
}

#[test]
fn a_direct_path_needs_no_advice_and_none_is_bad() {
    let direct = verdict(&facts(Kind::Preserving, true), &[], Some((PathKind::Direct, Transport::Quic)));
    assert_eq!((direct.verdict, direct.text.as_str(), direct.advice), (Verdict::Good, "direct, over quic", None));
    assert_eq!(verdict(&facts(Kind::Preserving, true), &[], None).verdict, Verdict::Bad);
}
