//! How the times are distributed: for each change a panel, for each system a line of the share of presses shown by then.

use std::path::Path;

use anyhow::{Context, anyhow};
use plotters::prelude::*;

use crate::{flip::Change, systems::Kind};

/// One change and all systems with their sorted milliseconds.
pub(crate) struct Panel {
    pub(crate) change: Change,
    pub(crate) lines: Vec<(Kind, Vec<f64>)>,
}

/// Of the [`Kind`]s in their order: the floor, `rs`, TigerVNC, x11vnc.
const COLOURS: [RGBColor; 4] = [RGBColor(160, 160, 160), RGBColor(20, 120, 60), RGBColor(20, 60, 140), RGBColor(215, 90, 60)];
const SIZE: (u32, u32) = (1000, 640);
/// The times' axis ends here or later, and never beyond the second.
const SPAN_MS: (f64, f64) = (20.0, 100.0);

/// Draws the panels in two columns.
pub(crate) fn distributions(panels: &[Panel], file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    draw(panels, file).map_err(|error| anyhow!("{error}")).with_context(|| format!("cannot draw {}", file.display()))
}

fn draw(panels: &[Panel], file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let latest = panels.iter().flat_map(|panel| &panel.lines).filter_map(|(_, times)| times.last().copied());
    let span = latest.fold(SPAN_MS.0, f64::max).min(SPAN_MS.1);
    for (area, panel) in root.split_evenly((panels.len().div_ceil(2), 2)).iter().zip(panels) {
        let title = match panel.change {
            Change::Small => "a small part changes",
            Change::Full => "the full screen: one colour",
            Change::Text => "the full screen: text",
            Change::Photo => "the full screen: photo",
        };
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..span, 0.0..100.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("ms from key press to pixel")
            .x_label_formatter(&|time| format!("{time:.0}"))
            .y_label_formatter(&|share| format!("{share:.0} %"))
            .draw()?;
        for (kind, times) in &panel.lines {
            let style = COLOURS[*kind as usize].stroke_width(2);
            chart
                .draw_series(LineSeries::new(steps(times, span), style))?
                .label(kind.name())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], style));
        }
        chart.configure_series_labels().position(SeriesLabelPosition::LowerRight).background_style(WHITE.mix(0.85)).draw()?;
    }
    root.present()?;
    Ok(())
}

/// The stairs of an empirical distribution, as far as they can be seen.
fn steps(times: &[f64], span: f64) -> Vec<(f64, f64)> {
    let share = |shown: usize| 100.0 * shown as f64 / times.len() as f64;
    let seen = times.iter().enumerate().take_while(|(_, time)| **time <= span);
    seen.flat_map(|(before, time)| [(*time, share(before)), (*time, share(before + 1))]).collect()
}
