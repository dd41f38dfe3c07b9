//! How long the picture stands still when the path under a session changes. The host draws all the time; the viewer is asked every few
//! milliseconds how many pictures it has, and the longest time without a new one is the gap.
//!
//! - *Promotion*: the session is relayed because nothing else comes through; then the way is free, and the next hole punch moves it.
//! - *Silent cut*: nothing comes through any more on the direct path, and nobody is told. The session finds out and goes back.
//! - *Relay killed*: a session that only has the relay, which is killed and started again at once.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{
    pictures::first_picture,
    run::median,
    scene::{Scene, stats},
    support::machine::{Home, Viewer},
};

const ROUND_TRIP: Duration = Duration::from_millis(40);
/// How long the picture is watched before and after.
const WATCH: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(4);
/// The next hole punch comes ten seconds after the first.
const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) fn run(rounds: u32) -> anyhow::Result<()> {
    let mut scene = Scene::new(ROUND_TRIP)?;
    let mut gaps = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        scene.cut()?;
        let mut viewer = scene.by_id(Home::new());
        viewer.is_in_session();
        first_picture(&mut viewer)?;
        let undisturbed = watch(&mut viewer, |_| true)?;
        scene.mend()?;
        let promotion = watch(&mut viewer, |viewer| told(viewer, "path"))?;
        scene.cut()?;
        let paths = viewer.rs.seen("path").len();
        let cut = watch(&mut viewer, |viewer| viewer.rs.seen("path").len() > paths)?;
        scene.restart_relay();
        let restart = watch(&mut viewer, |viewer| told(viewer, "resumed"))?;
        scene.leave(viewer);
        scene.host.is_reachable_by_id();
        scene.mend()?;
        let round = [undisturbed, promotion, cut, restart];
        eprintln!("{}", round.map(|gap| format!("{} ms", gap.as_millis())).join(", "));
        gaps.iter_mut().zip(round).for_each(|(gaps, gap)| gaps.push(gap.as_secs_f64() * 1e3));
    }
    println!("\nLongest time without a new picture, round trip {} ms:\n", ROUND_TRIP.as_millis());
    println!("| what happens | median, ms | worst, ms |\n|---|---|---|");
    for (name, gaps) in ["nothing", "promotion", "silent cut of the direct path", "relay killed and started again"].iter().zip(gaps)
    {
        let worst = gaps.iter().copied().fold(0.0, f64::max);
        println!("| {name} | {:.0} | {worst:.0} |", median(gaps.into_iter()));
    }
    Ok(())
}

fn told(viewer: &Viewer, event: &str) -> bool {
    !viewer.rs.seen(event).is_empty()
}

/// The longest gap between pictures until some time after it `happened`, and its pictures came.
fn watch(viewer: &mut Viewer, happened: impl Fn(&Viewer) -> bool) -> anyhow::Result<Duration> {
    let (start, mut last, mut longest, mut rest) = (Instant::now(), Instant::now(), Duration::ZERO, None);
    let mut frames = count(viewer)?;
    loop {
        sleep(LOOK);
        let now = count(viewer)?;
        if now > frames {
            longest = longest.max(last.elapsed());
            (frames, last) = (now, Instant::now());
        }
        if rest.is_none() && happened(viewer) {
            rest = Some(Instant::now());
        }
        if rest.is_some_and(|rest| rest.elapsed() > WATCH && last > rest) {
            return Ok(longest);
        }
        if start.elapsed() > PATIENCE {
            bail!("what should happen did not: the viewer told {}", viewer.rs.stdout());
        }
    }
}

fn count(viewer: &mut Viewer) -> anyhow::Result<u64> {
    stats(viewer)["frames"].as_u64().context("stats tell how many pictures there are")
}
