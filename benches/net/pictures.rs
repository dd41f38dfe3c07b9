//! From the start of `rs connect` to the first whole picture, at several round trips: a line through them tells how many round trips it
//! takes and what is left when there is no distance at all (Argon2id, processes, pictures).
//!
//! Every visit has a new viewer, and the host's user agrees at once. The viewer itself tells the time ([`stats`]).

use std::time::Duration;

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

pub(crate) fn run(rounds: u32) -> anyhow::Result<()> {
    let mut times = [const { Vec::new() }; WAYS.len()];
    for round_trip in ROUND_TRIPS {
        let mut scene = Scene::new(Duration::from_millis(round_trip))?;
        for (times, (name, way)) in times.iter_mut().zip(WAYS) {
            let visits = (0..rounds).map(|_| visit(&mut scene, way)).collect::<anyhow::Result<Vec<_>>>();
            let time = median(visits.with_context(|| format!("{name}, {round_trip} ms"))?.into_iter());
            eprintln!("{name}: {time:.0} ms at {round_trip} ms");
            times.push(time);
        }
    }
    let columns: String = ROUND_TRIPS.iter().map(|round_trip| format!("| {round_trip} ms ")).collect();
    println!("\nFirst picture, in ms at these round trips, and the line through them:\n");
    println!("| way {columns}| round trips | without distance, ms |\n|---{}|", "|---".repeat(ROUND_TRIPS.len() + 2));
    for ((name, _), times) in WAYS.iter().zip(&times) {
        let cells: String = times.iter().map(|time| format!("| {time:.0} ")).collect();
        let (slope, rest) = line(times);
        println!("| {name} {cells}| {slope:.1} | {rest:.0} |");
    }
    Ok(())
}

/// Milliseconds to the first picture.
fn visit(scene: &mut Scene, way: Way) -> anyhow::Result<f64> {
    let mut viewer = match way {
        Way::Address(transport) => scene.by_address(transport),
        Way::Id => scene.by_id(Home::new()),
    };
    let time = first_picture(&mut viewer)?;
    scene.leave(viewer);
    Ok(time)
}

/// Waits for it.
pub(crate) fn first_picture(viewer: &mut Viewer) -> anyhow::Result<f64> {
    viewer.is_in_session();
    poll(PATIENCE, || stats(viewer)["first_picture_ms"].as_f64()).context("there is no picture")
}

/// The slope and the beginning of the line nearest to the times, by least squares.
fn line(times: &[f64]) -> (f64, f64) {
    let places = ROUND_TRIPS.map(|round_trip| round_trip as f64);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (x, y) = (mean(&places), mean(times));
    let together: f64 = places.iter().zip(times).map(|(place, time)| (place - x) * (time - y)).sum();
    let slope = together / places.iter().map(|place| (place - x).powi(2)).sum::<f64>();
    (slope, y - slope * x)
}
