//! Bytes by workload: groups of bars on a logarithmic scale.

use std::path::Path;

use anyhow::{Context, anyhow};
use plotters::prelude::*;

use crate::System;

/// One bar.
pub(crate) struct Bar {
    pub(crate) workload: String,
    pub(crate) system: System,
    pub(crate) bytes: usize,
}

/// Of the [`System`]s in their order: `rs`, TigerVNC in blues, x11vnc, the video codecs in reds.
const COLOURS: [RGBColor; 8] = [
    RGBColor(20, 120, 60),
    RGBColor(20, 60, 140),
    RGBColor(70, 120, 200),
    RGBColor(140, 180, 235),
    RGBColor(120, 120, 120),
    RGBColor(150, 30, 30),
    RGBColor(215, 90, 60),
    RGBColor(245, 165, 120),
];
const SIZE: (u32, u32) = (1100, 460);
/// So much wider than the groups is the chart: the legend stands beside them.
const WIDER: f64 = 1.2;
/// Share of a group's width that bars fill.
const FILL: f64 = 0.84;

/// Draws them in the order given: the first workload's systems are the legend.
pub(crate) fn bytes(bars: &[Bar], file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    draw(bars, file).map_err(|error| anyhow!("{error}")).with_context(|| format!("cannot draw {}", file.display()))
}

fn draw(bars: &[Bar], file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let first = bars.first().ok_or("nothing was measured")?;
    let systems: Vec<_> = bars.iter().take_while(|bar| bar.workload == first.workload).map(|bar| bar.system).collect();
    let groups: Vec<_> = bars.chunks(systems.len()).collect();
    let kilobytes = |bar: &Bar| (bar.bytes as f64 / 1000.0).max(1.0);
    let most = bars.iter().map(kilobytes).fold(10.0, f64::max);

    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Bytes after the first frame, in KB (logarithmic; shorter is better)", ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..groups.len() as f64 * WIDER, (1.0..most * 1.3).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(TRANSPARENT)
        .y_label_formatter(&|kilobytes| format!("{kilobytes}"))
        .draw()?;
    let width = FILL / systems.len() as f64;
    for (column, system) in systems.iter().enumerate() {
        let colour = COLOURS[*system as usize];
        let left = |group: usize| group as f64 + (1.0 - FILL) / 2.0 + column as f64 * width;
        let column = groups.iter().enumerate().filter_map(|(group, bars)| Some((left(group), kilobytes(bars.get(column)?))));
        let column = column.map(|(left, top)| Rectangle::new([(left, 1.0), (left + width, top)], colour.filled()));
        let legend = move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled());
        chart.draw_series(column)?.label(system.name()).legend(legend);
    }
    let place = |group: usize| chart.backend_coord(&(group as f64 + 0.5, 1.0));
    let style = ("sans-serif", 15).into_font().color(&BLACK).pos(plotters::style::text_anchor::Pos::new(
        plotters::style::text_anchor::HPos::Center,
        plotters::style::text_anchor::VPos::Top,
    ));
    for (group, bars) in groups.iter().enumerate() {
        let (x, y) = place(group);
        root.draw(&Text::new(bars[0].workload.clone(), (x, y + 6), style.clone()))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 13))
        .draw()?;
    root.present()?;
    Ok(())
}
