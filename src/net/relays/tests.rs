//! Legs up and down, waits and keys.

use super::*;

fn given() -> RelayAddress {
    let addresses = ["/ip4/192.0.2.1/udp/4001/quic-v1", "/ip4/192.0.2.1/tcp/4001"].map(|text| text.parse().unwrap());
    RelayAddress { addresses: addresses.to_vec(), key: None }
}

fn dialled(relays: &mut Relays, now: Instant) -> Vec<ConnectionId> {
    relays.due(now).iter().map(DialOpts::connection_id).collect()
}

#[test]
fn a_relay_is_up_with_its_first_leg_and_down_with_its_last_and_each_is_told_once() {
    let (mut relays, now, peer) = (Relays::default(), Instant::now(), PeerId::random());
    relays.add(given(), false, now);
    let legs = dialled(&mut relays, now);
    assert_eq!(relays.connected(legs[0], peer, now), Connected::Leg(Some(Change::Up(0))));
    assert_eq!(relays.connected(legs[1], peer, now), Connected::Leg(None));
    assert_eq!(relays.closed(legs[0], now), None);
    assert!(matches!(relays.closed(legs[1], now), Some(Change::Down(0, _))));
    let again = dialled(&mut relays, now + LAST_WAIT * 2);
    assert_eq!(again.len(), 2);
    assert_eq!(relays.failed(again[0], "refused".into(), now), None);
    assert_eq!(relays.failed(again[1], "refused".into(), now), None);
}

#[test]
fn a_relay_that_never_answers_is_down_only_when_every_leg_had_its_chance() {
    let (mut relays, now) = (Relays::default(), Instant::now());
    relays.add(given(), false, now);
    let legs = dialled(&mut relays, now);
    assert_eq!(relays.failed(legs[0], "refused".into(), now), None);
    assert_eq!(relays.failed(legs[1], "refused".into(), now), Some(Change::Down(0, "refused".into())));
}

#[test]
fn websocket_is_dialled_only_while_nothing_else_is_up_and_not_at_once() {
    let (mut relays, now, peer) = (Relays::default(), Instant::now(), PeerId::random());
    let mut given = given();
    given.addresses.push("/ip4/192.0.2.1/tcp/443/ws".parse().unwrap());
    relays.add(given, false, now);
    let legs = dialled(&mut relays, now);
    assert_eq!(legs.len(), 2, "QUIC and TCP first");
    assert_eq!(relays.next_due(), Some(now + HEAD_START));
    relays.connected(legs[0], peer, now);
    relays.failed(legs[1], "refused".into(), now);
    assert_eq!(dialled(&mut relays, now + LAST_WAIT).len(), 1, "TCP again, no WebSocket beside QUIC");
    relays.closed(legs[0], now + LAST_WAIT);
    let due: Vec<_> = relays.due(now + LAST_WAIT);
    assert_eq!(due.len(), 1, "WebSocket, at once: QUIC waits a while");
    relays.connected(due[0].connection_id(), peer, now + LAST_WAIT);
    assert!(relays.get(0).is_up());
}

#[test]
fn the_key_that_answered_first_stays_the_relays_key() {
    let (mut relays, now) = (Relays::default(), Instant::now());
    relays.add(given(), false, now);
    let legs = dialled(&mut relays, now);
    relays.connected(legs[0], PeerId::random(), now);
    relays.closed(legs[0], now);
    assert_eq!(relays.connected(legs[1], PeerId::random(), now), Connected::Wrong(Some(Change::Changed(0))));
}

#[test]
fn the_same_relay_twice_is_one_and_their_number_is_bounded() {
    let (mut relays, now) = (Relays::default(), Instant::now());
    assert_eq!(relays.add(given(), true, now), Some(0));
    assert_eq!(relays.add(given(), false, now), Some(0));
    assert!(!relays.get(0).quiet);
    for port in 1..100 {
        let address = format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap();
        relays.add(RelayAddress { addresses: vec![address], key: None }, false, now);
    }
    assert_eq!(relays.entries.len(), MAX_RELAYS);
}

#[test]
fn a_session_in_need_is_not_kept_waiting() {
    let (mut relays, mut now) = (Relays::default(), Instant::now());
    relays.add(given(), false, now);
    let fail = |relays: &mut Relays, now| {
        for leg in dialled(relays, now) {
            relays.failed(leg, "refused".into(), now);
        }
    };
    for _ in 0..30 {
        now = relays.next_due().unwrap();
        fail(&mut relays, now);
    }
    relays.hurry(true, now);
    for _ in 0..30 {
        let due = relays.next_due().unwrap();
        assert!(due <= now + HURRIED_WAIT * 2);
        now = due;
        fail(&mut relays, now);
    }
    relays.hurry(false, now);
    let since = relays.next_due().unwrap();
    for _ in 0..2 {
        now = relays.next_due().unwrap();
        fail(&mut relays, now);
    }
    assert!(relays.next_due().unwrap() >= since + LAST_WAIT, "nobody waits for it: patience again");
}

#[test]
fn pauses_grow_and_stay_bounded() {
    let mut backoff = Backoff::default();
    let pauses: Vec<_> = (0..40).map(|_| backoff.pause(false)).collect();
    assert!(pauses[0] < FIRST_WAIT * 2 && pauses.iter().all(|pause| *pause <= LAST_WAIT.mul_f64(1.5)));
    assert!(pauses[39] >= LAST_WAIT);
}

#[test]
fn in_another_network_every_leg_that_is_not_up_is_dialled_at_once() {
    let (mut relays, now, peer) = (Relays::default(), Instant::now(), PeerId::random());
    relays.add(given(), false, now);
    let legs = dialled(&mut relays, now);
    relays.connected(legs[0], peer, now);
    relays.moved(false, now);
    assert!(dialled(&mut relays, now).is_empty(), "one is up, one is being dialled");
    relays.moved(true, now);
    let again = dialled(&mut relays, now);
    assert_eq!(again.len(), 1, "from the new address");
    relays.failed(again[0], "unreachable".into(), now);
    relays.moved(false, now);
    assert_eq!(dialled(&mut relays, now).len(), 1, "without a pause");
    assert_eq!(relays.connected(legs[1], peer, now), Connected::Other, "the dial from the old address is no leg");
}
