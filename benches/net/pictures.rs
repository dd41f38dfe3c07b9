//! From the start of `rs connect` to the first whole picture, at several round trips: a line through them tells how many round trips it
//! takes and what is left when there is no distance at all (Argon2id, processes, pictures).
//!
//! Every visit has a new viewer, and the host's user agrees at once. The viewer itself tells the time ([`stats`]); when it found the host
//! and when it was let in is seen from outside, with the start of its process.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::{
    run::median,
    scene::{Scene, stats},
    support::{
        machine::{Home, Viewer},
        poll,
    },
};

/// Milliseconds.
const ROUND_TRIPS: [u64; 3] = [40, 150, 300];
const PATIENCE: Duration = Duration::from_secs(30);

/// How the viewer finds the host.
#[derive(Clone, Copy)]
enum Way {
    Address(&'static str),
    Id,
}

const WAYS: [(&str, Way); 3] =
    [("by address, QUIC", Way::Address("quic-v1")), ("by address, TCP", Way::Address("tcp")), ("by ID, through a relay", Way::Id)];

/// Milliseconds from the start: the host is found, it let us in, its picture is whole.
type Times = [f64; 3];

pub(crate) fn run(rounds: u32) -> anyhow::Result<()> {
    let mut ways = [const { Vec::new() }; WAYS.len()];
    for round_trip in ROUND_TRIPS {
        let mut scene = Scene::new(Duration::from_millis(round_trip))?;
        for (times, (name, way)) in ways.iter_mut().zip(WAYS) {
            let visits = (0..rounds).map(|_| visit(&mut scene, way)).collect::<anyhow::Result<Vec<Times>>>();
            let visits = visits.with_context(|| format!("{name}, {round_trip} ms"))?;
            let medians: Times = std::array::from_fn(|step| median(visits.iter().map(|times| times[step])));
            eprintln!("{name}, {round_trip} ms: {medians:.0?}");
            times.push(medians);
        }
    }
    let columns: String = ROUND_TRIPS.iter().map(|round_trip| format!("| {round_trip} ms ")).collect();
    println!(
        "\nFirst picture, in ms at these round trips, and the line through them; of the round trips, those to find the host, to be"
    );
    println!("let in, and to the picture:\n");
    println!(
        "| way {columns}| round trips | find + enter + see | without distance, ms |\n|---{}|",
        "|---".repeat(ROUND_TRIPS.len() + 3)
    );
    for ((name, _), times) in WAYS.iter().zip(&ways) {
        let cells: String = times.iter().map(|[.., picture]| format!("| {picture:.0} ")).collect();
        let [(found, _), (entered, _), (all, rest)] = std::array::from_fn(|step| line(times.iter().map(|times| times[step])));
        let steps = format!("{found:.1} + {:.1} + {:.1}", entered - found, all - entered);
        println!("| {name} {cells}| {all:.1} | {steps} | {rest:.0} |");
    }
    Ok(())
}

/// One visit with a new viewer.
fn visit(scene: &mut Scene, way: Way) -> anyhow::Result<Times> {
    let start = Instant::now();
    let mut viewer = match way {
        Way::Address(transport) => scene.by_address(transport),
        Way::Id => scene.by_id(Home::new()),
    };
    let [found, entered] = ["connected", "granted"].map(|event| {
        viewer.rs.expect(event);
        start.elapsed().as_secs_f64() * 1e3
    });
    let picture = first_picture(&mut viewer)?;
    scene.leave(viewer);
    Ok([found, entered, picture])
}

/// Waits for it: milliseconds.
pub(crate) fn first_picture(viewer: &mut Viewer) -> anyhow::Result<f64> {
    poll(PATIENCE, || stats(viewer)["first_picture_ms"].as_f64()).context("there is no picture")
}

/// The slope and the beginning of the line nearest to the times, by least squares.
fn line(times: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = ROUND_TRIPS.len() as f64;
    let x = ROUND_TRIPS.iter().sum::<u64>() as f64 / count;
    let y = times.clone().sum::<f64>() / count;
    let (mut together, mut squares) = (0.0, 0.0);
    for (round_trip, time) in ROUND_TRIPS.iter().zip(times) {
        let apart = *round_trip as f64 - x;
        together += apart * (time - y);
        squares += apart * apart;
    }
    let slope = together / squares;
    (slope, y - slope * x)
}
