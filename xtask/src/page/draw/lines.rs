//! Lines with bands around them.

use anyhow::Result;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Area, TEXT, failed, marker, style, text};
use crate::figures::{Figure, Plot, Scale, shown};
use crate::page::palette::{self, GRID, INK};
use crate::page::panel::{Panel, Series};

/// Width and height of a panel.
pub const SIZE: (i32, i32) = (520, 330);
/// Room for what stands along the axes.
const LEFT: i32 = 78;
const BELOW: i32 = 44;
const ABOVE: i32 = 26;
/// How much of a band's colour is seen.
const BAND: f64 = 0.08;
const EDGE: f64 = 0.4;
/// How far beyond the usual figures the bands are shown.
const BEYOND: f64 = 0.35;

/// A panel, on an area of its size.
pub fn draw(area: &Area, plot: &Plot, panel: &Panel, unit: &str) -> Result<()> {
    let (low, high) = range(panel, plot.scale);
    match plot.scale {
        Scale::Linear => chart(area, plot, panel, unit, low..high, (low, high)),
        Scale::Log => chart(area, plot, panel, unit, (low..high).log_scale(), (low, high)),
    }
}

/// All figures that there are, with how far they go.
fn figures(panel: &Panel) -> impl Iterator<Item = Figure> {
    panel.series.iter().flat_map(|series| &series.points).flat_map(|point| point.figures.iter().flatten().copied())
}

/// What the upward axis shows: all usual figures, and bands as far as they leave room for those.
fn range(panel: &Panel, scale: Scale) -> (f64, f64) {
    let least = |of: fn(Figure) -> f64| figures(panel).map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(Figure) -> f64| figures(panel).map(of).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = (least(Figure::usual), most(Figure::usual));
    match scale {
        Scale::Linear => {
            let (low, high) = (low.min(0.0), high.max(0.0));
            let more = ((high - low) * BEYOND).max(1.0);
            (least(Figure::low).min(low).max(low - more), most(Figure::high).max(high).min(high + more))
        }
        // Nothing below one can be shown.
        Scale::Log => (least(Figure::low).max(low / 2.0).max(1.0), most(Figure::high).min(high * 2.0).max(2.0)),
    }
}

fn chart<Y>(area: &Area, plot: &Plot, panel: &Panel, unit: &str, y: Y, (low, high): (f64, f64)) -> Result<()>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let last = panel.x.len().saturating_sub(1) as f64;
    let mut builder = ChartBuilder::on(area);
    builder.margin_right(14).margin_top(ABOVE).x_label_area_size(BELOW).y_label_area_size(LEFT);
    let mut chart = builder.build_cartesian_2d(-0.3..last + 0.3, y).map_err(failed)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().x_labels(0).y_labels(8).light_line_style(TRANSPARENT).bold_line_style(GRID.drawn());
    mesh.axis_style(INK.drawn()).y_label_style(style(INK)).y_label_formatter(&|&y| shown(y));
    mesh.draw().map_err(failed)?;
    let clamp = |y: f64| y.clamp(low, high);
    for (number, series) in panel.series.iter().enumerate() {
        let colour = palette::series(number).drawn();
        for (line, band) in paths(series, plot.y.len(), clamp) {
            let (low, high) = band.split_at(line.len());
            for edge in [low, high] {
                chart.draw_series([PathElement::new(edge, colour.mix(EDGE).stroke_width(1))]).map_err(failed)?;
            }
            chart.draw_series([Polygon::new(band, colour.mix(BAND).filled())]).map_err(failed)?;
            chart.draw_series([PathElement::new(line, colour.stroke_width(2))]).map_err(failed)?;
        }
    }
    if low < 0.0 && high > 0.0 {
        chart.draw_series([PathElement::new([(-0.3, 0.0), (last + 0.3, 0.0)], INK.drawn())]).map_err(failed)?;
    }
    let corner = area.get_base_pixel();
    let place = |x: usize, y: f64| {
        let (across, down) = chart.backend_coord(&(x as f64, clamp(y)));
        (across - corner.0, down - corner.1)
    };
    for (number, series) in panel.series.iter().enumerate() {
        for point in &series.points {
            for figure in point.figures.iter().flatten() {
                marker::draw(area, number, place(point.x, figure.usual()))?;
            }
        }
    }
    let baseline = SIZE.1 - BELOW;
    for (x, label) in panel.x.iter().enumerate() {
        text(area, label, (place(x, high).0, baseline + 6), (HPos::Center, VPos::Top))?;
    }
    text(area, &plot.x.join(", "), ((LEFT + SIZE.0) / 2, baseline + 10 + TEXT), (HPos::Center, VPos::Top))?;
    text(area, unit, (4, 4), (HPos::Left, VPos::Top))
}

type Path = Vec<(f64, f64)>;

/// For each of a series' columns its line, and the outline of its band.
fn paths(series: &Series, columns: usize, clamp: impl Fn(f64) -> f64) -> Vec<(Path, Path)> {
    let path = |column: usize, of: fn(Figure) -> f64| -> Path {
        let points = series.points.iter().filter_map(|point| Some((point.x as f64, *point.figures[column].as_ref()?)));
        points.map(|(x, figure)| (x, clamp(of(figure)))).collect()
    };
    let both = (0..columns).map(|column| {
        let mut band = path(column, Figure::high);
        band.extend(path(column, Figure::low).into_iter().rev());
        (path(column, Figure::usual), band)
    });
    both.filter(|(line, _)| !line.is_empty()).collect()
}
