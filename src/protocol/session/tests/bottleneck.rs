//! Pictures through a narrow link with a large buffer: they fill the link, but not the buffer.
//!
//! The source keeps to its budget and always has more to tell, as a film does. The figures are printed; what is asserted is far
//! from what a source without a link estimate does, which fills the buffer with all that the session lets be under way.

use super::{super::*, pair::*};

/// Bytes a second of a Mbit/s.
const MBIT: u64 = 125_000;

/// What became of a film.
struct Film {
    /// Of what the link carries, in percent.
    used: u64,
    /// How long pictures took to get through the narrow place: at the median, for 95 of 100, and at most.
    waits: [Duration; 3],
}

/// A pair that films without end through a link of this rate and round trip.
fn filming(rate: u64, round_trip: Duration) -> (Pair, PathId) {
    let mut pair = Pair::new(1);
    let path = pair.add_path(PathKind::Direct, round_trip / 2, Duration::ZERO);
    pair.narrow(path, rate);
    (pair.is_thrifty, pair.picture_size, pair.film) = (true, 8 << 20, 8 * MS);
    (pair, path)
}

/// Lets it film for so long.
fn film(pair: &mut Pair, path: PathId, rate: u64, seconds: u64) -> Film {
    let _ = pair.carried(path);
    pair.run(Duration::from_secs(seconds));
    let (bytes, mut waits) = pair.carried(path);
    waits.sort();
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100];
    let film = Film { used: bytes * 100 / (rate * seconds), waits: [50, 95, 100].map(at) };
    let [median, most, longest] = film.waits.map(|wait| wait.as_millis());
    let pictures = waits.len() as u64 / seconds;
    eprintln!("{:>6} kB/s: {} % used, {pictures} pictures/s, waits {median} {most} {longest} ms", rate / 1000, film.used);
    film
}

#[test]
fn a_film_fills_the_link_and_not_the_buffer() {
    for rate in [MBIT, 2 * MBIT, 10 * MBIT, 100 * MBIT] {
        for round_trip in [20, 80, 200] {
            let (mut pair, path) = filming(rate, round_trip * MS);
            pair.run(Duration::from_secs(3));
            let film = film(&mut pair, path, rate, 60);
            assert!(film.waits[1] <= 100 * MS, "{rate} B/s, {round_trip} ms: {:?}", film.waits);
            assert!(film.used >= 70, "{rate} B/s, {round_trip} ms: {} %", film.used);
        }
    }
}

#[test]
fn the_first_second_of_a_slow_link_is_one_useful_picture() {
    let (mut pair, path) = filming(2 * MBIT, 80 * MS);
    let film = film(&mut pair, path, 2 * MBIT, 2);
    assert!(film.waits[2] <= 410 * MS, "the first picture alone: {:?}", film.waits);
    assert!(film.used >= 70, "{} %", film.used);
}

#[test]
fn a_link_that_falls_to_a_quarter_and_rises_again_is_followed() {
    let (mut pair, path) = filming(8 * MBIT, 80 * MS);
    pair.run(Duration::from_secs(5));
    pair.narrow(path, 2 * MBIT);
    pair.run(Duration::from_secs(1));
    let slow = film(&mut pair, path, 2 * MBIT, 10);
    assert!(slow.waits[1] <= 100 * MS && slow.used >= 70, "{:?}, {} %", slow.waits, slow.used);
    pair.narrow(path, 8 * MBIT);
    pair.run(Duration::from_secs(1));
    let fast = film(&mut pair, path, 8 * MBIT, 10);
    assert!(fast.waits[1] <= 100 * MS && fast.used >= 70, "{:?}, {} %", fast.waits, fast.used);
}

#[test]
fn a_strangers_transfer_leaves_a_part_and_gives_the_rest_back() {
    let (mut pair, path) = filming(2 * MBIT, 80 * MS);
    pair.run(Duration::from_secs(5));
    // A window of 64 kB: a quarter of a second of the link.
    pair.share(path, 64_000);
    let shared = film(&mut pair, path, 2 * MBIT, 60);
    assert!(shared.used >= 5, "{} %", shared.used);
    assert!(shared.waits[1] <= 500 * MS, "what the stranger queues, and little more: {:?}", shared.waits);
    pair.share_no_more();
    pair.run(Duration::from_secs(5));
    let alone = film(&mut pair, path, 2 * MBIT, 60);
    assert!(alone.waits[1] <= 120 * MS && alone.used >= 70, "{:?}, {} %", alone.waits, alone.used);
}

#[test]
fn a_gigabit_carries_sixty_large_pictures_a_second() {
    let (mut pair, _) = filming(1000 * MBIT, MS);
    pair.picture_size = 1_800_000;
    // From one credit to the next picture, as the capture paces them.
    pair.film = 16 * MS;
    pair.run(Duration::from_secs(1));
    let seen = pair.seen;
    pair.run(Duration::from_secs(10));
    assert!(pair.seen - seen >= 570, "{} pictures in 10 s", pair.seen - seen);
}

#[test]
fn input_and_pings_do_not_wait_for_pictures() {
    let (mut pair, path) = filming(2 * MBIT, 80 * MS);
    pair.run(Duration::from_secs(5));
    for _ in 0..100 {
        pair.run(173 * MS);
        pair.send(Role::Host, Message::CursorPosition { x: 1, y: 1 }).expect("there is room");
        let (sent, before) = (pair.now, pair.viewer.messages.len());
        while pair.viewer.messages.len() == before {
            pair.run(MS);
        }
        assert!(pair.now - sent <= (40 + 100) * MS, "{:?}", pair.now - sent);
    }
    let link = pair.viewer.session.link();
    let rate = link.rate.expect("the host told it");
    assert!((2 * MBIT * 8 / 10..=2 * MBIT * 11 / 10).contains(&rate), "{rate}");
    assert_eq!(pair.host.session.current_path().map(|(id, ..)| id), Some(path));
}

#[test]
fn what_a_new_narrow_path_has_to_carry_again_waits_for_its_link() {
    let (mut pair, wide) = filming(1000 * MBIT, 100 * MS);
    pair.picture_size = 400_000;
    pair.run(Duration::from_secs(3));
    let narrow = pair.add_path(PathKind::Relayed, 40 * MS, Duration::ZERO);
    pair.narrow(narrow, 2 * MBIT);
    pair.run(Duration::from_secs(3));
    pair.cut(wide);
    pair.run(Duration::from_secs(20));
    let film = film(&mut pair, narrow, 2 * MBIT, 10);
    assert!(film.waits[1] <= 100 * MS && film.used >= 70, "{:?}, {} %", film.waits, film.used);
}
