//! Every kind of NAT against every other.

use std::{
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use super::{
    lab::{Lab, wanted},
    nat::Kind,
    session::{Way, way_through},
};

/// What is true today, rows host, columns viewer, both in the order of [`Kind::ALL`]: `D` direct, `T` direct
/// over TCP because UDP is blocked, `r` relayed.
const EXPECTED: [&str; 9] = [
    "DDDDDDTrD", // P
    "DDDDDDTrD", // C
    "DDDDDDTrD", // F
    "DDDDDDTrD", // E
    "DDDDDDTrD", // X
    "DDDDDrrrD", // S
    "TTTTTrTrT", // U
    "rrrrrrrrr", // 4
    "DDDDDDTrD", // D
];

/// Cells at a time.
const LANES: usize = 3;

fn expected(host: Kind, viewer: Kind) -> Way {
    let place = |kind| Kind::ALL.iter().position(|each| *each == kind).expect("every kind is in the list");
    match EXPECTED[place(host)].as_bytes()[place(viewer)] {
        b'D' => Way::Direct,
        b'T' => Way::DirectTcp,
        _ => Way::Relayed,
    }
}

/// The way on which a session in this cell ends up.
fn run(host: Kind, viewer: Kind) -> Way {
    way_through(&mut Lab::new(host, viewer), expected(host, viewer))
}

#[track_caller]
fn cell(host: Kind, viewer: Kind) {
    if wanted() {
        assert_eq!(run(host, viewer), expected(host, viewer), "host {host:?}, viewer {viewer:?}");
    }
}

#[test]
fn public_to_cone_is_direct() {
    cell(Kind::Public, Kind::Cone);
}

#[test]
fn cone_to_cone_is_direct() {
    cell(Kind::Cone, Kind::Cone);
}

#[test]
fn ports_that_are_not_preserved_are_direct() {
    cell(Kind::Shifted, Kind::Shifted);
}

#[test]
fn a_port_conflict_is_direct() {
    cell(Kind::Conflict, Kind::Cone);
}

#[test]
fn a_forwarded_port_is_direct_from_a_symmetric_nat() {
    cell(Kind::Forwarded, Kind::Symmetric);
}

#[test]
fn symmetric_to_symmetric_is_relayed() {
    cell(Kind::Symmetric, Kind::Symmetric);
}

#[test]
fn without_udp_it_is_direct_over_tcp() {
    cell(Kind::NoUdp, Kind::Cone);
}

#[test]
fn with_port_443_alone_it_is_relayed() {
    cell(Kind::Only443, Kind::Cone);
}

#[test]
fn two_nats_on_each_side_are_direct() {
    cell(Kind::Double, Kind::Double);
}

#[test]
#[ignore = "just netns runs the whole matrix"]
fn the_whole_matrix() {
    if !wanted() {
        return;
    }
    let cells: Vec<(Kind, Kind)> = Kind::ALL.iter().flat_map(|host| Kind::ALL.map(|viewer| (*host, viewer))).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(vec![None; cells.len()]));
    thread::scope(|lanes| {
        for _ in 0..LANES {
            lanes.spawn(|| {
                while let Some((index, (host, viewer))) = step(&next, &cells) {
                    let started = Instant::now();
                    let expected = expected(host, viewer);
                    let way = catch_unwind(AssertUnwindSafe(|| run(host, viewer))).ok();
                    tell(&format!(
                        "{:2}/{} {}-{} {:7} expected {:7} {:.1} s\n",
                        index + 1,
                        cells.len(),
                        host.letter(),
                        viewer.letter(),
                        way.map_or("FAILED", Way::name),
                        expected.name(),
                        started.elapsed().as_secs_f32()
                    ));
                    found.lock().expect("no lane panics")[index] = way;
                }
            });
        }
    });
    let found = found.into_inner().expect("no lane panics");
    tell(&table(&found));
    let wrong: Vec<String> = cells
        .iter()
        .zip(&found)
        .filter(|((host, viewer), way)| **way != Some(expected(*host, *viewer)))
        .map(|((host, viewer), way)| format!("{}-{}: {way:?}", host.letter(), viewer.letter()))
        .collect();
    assert!(wrong.is_empty(), "not as expected: {wrong:?}");
}

fn step(next: &AtomicUsize, cells: &[(Kind, Kind)]) -> Option<(usize, (Kind, Kind))> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    cells.get(index).map(|cell| (index, *cell))
}

/// The table as `docs/NETWORK.md` has it.
fn table(found: &[Option<Way>]) -> String {
    let width = Kind::ALL.len();
    let letters: Vec<String> = Kind::ALL.iter().map(|kind| kind.letter().to_string()).collect();
    let mut text = format!("\n| host \\ viewer | {} |\n|---|{}\n", letters.join(" | "), "---|".repeat(width));
    for (letter, row) in letters.iter().zip(found.chunks(width)) {
        let ways: Vec<&str> = row.iter().map(|way| way.map_or("FAILED", Way::name)).collect();
        text.push_str(&format!("| **{letter}** | {} |\n", ways.join(" | ")));
    }
    let connected = found.iter().flatten().count();
    let direct = found.iter().flatten().filter(|way| **way != Way::Relayed).count();
    text.push_str(&format!("\n{direct} of {} direct, {connected} connected\n", found.len()));
    text
}

/// Progress goes past the capture of the test's output.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
