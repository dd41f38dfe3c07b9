//! Files through a link: they use what is left of it, nobody waits for them, and nothing is lost. Figures are printed; what is
//! asserted is far from what a sender without a link estimate does, which fills the buffer in front of the link.

use super::{super::*, pair::*};

/// Bytes a second of a Mbit/s.
const MBIT: u64 = 125_000;
const ENDLESS: u64 = 1 << 40;
const SECOND: Duration = Duration::from_secs(1);

/// A pair with a link of this rate and round trip.
fn linked(rate: u64, round_trip: Duration) -> (Pair, PathId) {
    let mut pair = Pair::new(1);
    // A still screen.
    pair.film = 1_000_000 * SECOND;
    let path = pair.add_path(PathKind::Direct, round_trip / 2, Duration::ZERO);
    pair.narrow(path, rate);
    pair.run(SECOND);
    (pair, path)
}

/// Percent of this link that a file from the host gets within so many seconds.
fn used(pair: &mut Pair, rate: u64, seconds: u32) -> u64 {
    let before = pair.viewer.file_received;
    pair.run(SECOND * seconds);
    (pair.viewer.file_received - before) * 100 / (rate * u64::from(seconds))
}

/// How much longer than on an empty link of this round trip 20 words take to get through.
fn word_delays(pair: &mut Pair, round_trip: Duration) -> Vec<Duration> {
    let mut delays: Vec<_> = (0..20)
        .map(|_| {
            pair.run(173 * MS);
            pair.send(Role::Host, Message::CursorPosition { x: 1, y: 1 }).expect("there is room");
            let (sent, before) = (pair.now, pair.viewer.messages.len());
            while pair.viewer.messages.len() == before {
                pair.run(MS);
            }
            (pair.now - sent).saturating_sub(round_trip / 2)
        })
        .collect();
    delays.sort_unstable();
    delays
}

#[test]
fn a_file_uses_an_idle_link_and_words_do_not_wait_for_it() {
    for (rate, round_trip) in [(MBIT / 2, 80), (2 * MBIT, 20), (2 * MBIT, 80), (20 * MBIT, 40)] {
        let (mut pair, _) = linked(rate, MS * round_trip);
        pair.send_file(Role::Host, ENDLESS);
        pair.run(2 * SECOND);
        let used = used(&mut pair, rate, 3);
        let delays = word_delays(&mut pair, MS * round_trip);
        eprintln!(
            "{:>5} kB/s, {round_trip:>2} ms: {used} % used, words wait {:?} at the median, {:?} at most",
            rate / 1000,
            delays[10],
            delays[19]
        );
        assert!(used >= 85, "{used} % of {rate} B/s, {round_trip} ms");
        assert!(delays[19] < 100 * MS, "{delays:?}");
    }
}

/// A film of ten seconds through this link, by a host that takes so long for a picture: the film's and the file's percent of
/// the link, and how long pictures wait for 95 of 100.
fn film_beside(rate: u64, film: Duration, file: u64) -> (u64, u64, Duration) {
    let mut pair = Pair::new(1);
    let path = pair.add_path(PathKind::Direct, 40 * MS, Duration::ZERO);
    pair.narrow(path, rate);
    (pair.is_thrifty, pair.picture_size, pair.film) = (true, 8 << 20, film);
    pair.send_file(Role::Host, file);
    pair.run(3 * SECOND);
    let _ = pair.carried(path);
    let file = used(&mut pair, rate, 10);
    let (bytes, mut waits) = pair.carried(path);
    waits.sort_unstable();
    (bytes * 100 / (rate * 10), file, waits[waits.len() * 95 / 100])
}

#[test]
fn a_file_beside_a_film_gets_a_fifth_and_the_film_hardly_waits_for_it() {
    for rate in [MBIT / 2, 2 * MBIT, 10 * MBIT] {
        for film in [8 * MS, 50 * MS, 120 * MS] {
            let (alone, _, before) = film_beside(rate, film, 0);
            let (beside, file, late) = film_beside(rate, film, ENDLESS);
            eprintln!(
                "{:>5} kB/s, {film:>3?} a picture: film {alone} % alone and {beside} % beside a file with {file} %; \
                 95 of 100 wait {before:.0?} alone, {late:.0?} beside",
                rate / 1000
            );
            assert!((10..=25).contains(&file), "{file} %");
            assert!(beside * 100 >= alone * 70, "{beside} % after {alone} %");
            assert!(late <= before + 25 * MS, "{late:?} after {before:?}");
        }
    }
}

#[test]
fn lost_packets_leave_the_link_to_the_file() {
    for (rate, round_trip, loss) in [(20 * MBIT, 40, 0.01), (20 * MBIT, 40, 0.03), (2 * MBIT, 80, 0.02)] {
        let (mut pair, path) = linked(rate, MS * round_trip);
        pair.lose(path, loss);
        pair.send_file(Role::Host, ENDLESS);
        pair.run(2 * SECOND);
        let used = used(&mut pair, rate, 4);
        eprintln!("{:>5} kB/s, {round_trip} ms, {:.1} % loss: {used} % used", rate / 1000, loss * 100.0);
        assert!(used >= 65, "{used} % of {rate} B/s, {round_trip} ms");
    }
}

#[test]
fn words_wait_for_a_moment_when_the_link_falls_to_a_quarter() {
    let (mut pair, path) = linked(8 * MBIT, 80 * MS);
    pair.send_file(Role::Host, ENDLESS);
    pair.run(5 * SECOND);
    pair.narrow(path, 2 * MBIT);
    let at_once = word_delays(&mut pair, 80 * MS);
    eprintln!("while it falls words wait {:?} at most", at_once[19]);
    assert!(at_once[19] < SECOND, "{at_once:?}");
    let later = word_delays(&mut pair, 80 * MS);
    assert!(later[19] < 100 * MS, "{later:?}");
}

#[test]
fn a_file_gets_the_whole_link_when_a_film_ends() {
    let rate = 2 * MBIT;
    let mut pair = Pair::new(1);
    let path = pair.add_path(PathKind::Direct, 40 * MS, Duration::ZERO);
    pair.narrow(path, rate);
    (pair.is_thrifty, pair.picture_size, pair.film) = (true, 8 << 20, 50 * MS);
    pair.send_file(Role::Host, ENDLESS);
    pair.run(10 * SECOND);
    // What moves is small now: a clock, a blinking cursor.
    pair.picture_size = 500;
    pair.run(SECOND);
    let used = used(&mut pair, rate, 5);
    assert!(used >= 80, "{used} %");
}

#[test]
fn nothing_is_lost_or_doubled_when_paths_break_stall_and_change() {
    const SIZE: u64 = 1 << 20;
    for seed in 0..6 {
        let mut pair = Pair::new(seed);
        let mut path = pair.add_path(PathKind::Direct, 20 * MS, 5 * MS);
        pair.narrow(path, 2 * MBIT);
        pair.send_file(Role::Host, SIZE);
        pair.send_file(Role::Viewer, SIZE);
        for round in 0..6 {
            pair.run(MS * (100 + (seed as u32 * 37 + round * 211) % 700));
            match (seed as u32 + round) % 3 {
                0 => pair.cut(path),
                1 => pair.blackhole(path),
                _ => pair.freeze(path),
            }
            pair.run(MS * 300);
            path = pair.add_path(PathKind::Direct, 20 * MS, 5 * MS);
            pair.narrow(path, 2 * MBIT);
        }
        pair.run(60 * SECOND);
        assert_eq!((pair.viewer.file_received, pair.host.file_received), (SIZE, SIZE), "seed {seed}");
        assert_eq!((pair.host.ended(), pair.viewer.ended()), (None, None));
    }
}

#[test]
fn a_slow_disk_holds_up_its_file_and_nothing_else() {
    let (mut pair, _) = linked(100 * MBIT, 20 * MS);
    pair.disk = 1_000_000 * SECOND;
    pair.send_file(Role::Host, ENDLESS);
    pair.run(20 * SECOND);
    let received = pair.viewer.file_received;
    assert!(received > 4 << 20 && received <= bulk::MAX_IN_FLIGHT as u64, "{received}");
    assert!(word_delays(&mut pair, 20 * MS)[19] < 100 * MS);
    assert_eq!(pair.viewer.file_received, received);
}
