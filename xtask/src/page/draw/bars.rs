//! Bars that lie: their names are long.

use anyhow::Result;
use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Area, drawn, failed, text, width};
use crate::figures::{Figure, shown};
use crate::page::palette::{self, GRID, INK};
use crate::page::panel::{Panel, Point};

const WIDTH: i32 = 760;
/// Height of a bar with its gap, and of the gap.
const STEP: i32 = 20;
const GAP: i32 = 5;
/// Between groups of bars.
const APART: i32 = 8;
const ABOVE: i32 = 44;
const RIGHT: i32 = 84;
/// At most.
const GRID_LINES: usize = 7;
/// How far a range may go beyond the longest bar, in lengths of it: what is far out, as the worst of many rounds may be, would leave nothing of the bars.
const BEYOND: f64 = 4.0;

/// A panel.
pub fn svg(panel: &Panel, unit: &str) -> Result<String> {
    let groups: Vec<Vec<(usize, &Point)>> = (0..panel.x.len()).map(|x| group(panel, x)).collect();
    let height = ABOVE + groups.iter().map(|group| group.len() as i32 * STEP + APART).sum::<i32>();
    let left = panel.x.iter().map(|label| width(label)).max().unwrap_or(0) + 14;
    let most = |of| groups.iter().flatten().map(|(_, point)| total(point, of)).fold(0.0, f64::max).max(1e-9);
    let most = most(Figure::high).min(BEYOND * most(Figure::usual));
    let right = WIDTH.max(left + 400);
    drawn((right, height), |area| {
        let place = |value: f64| left + (value / most * f64::from(right - left - RIGHT)).round() as i32;
        for value in RangedCoordf64::from(0.0..most).key_points(GRID_LINES) {
            area.draw(&PathElement::new([(place(value), ABOVE - 6), (place(value), height)], GRID.drawn()))
                .map_err(failed)?;
            text(area, &shown(value), (place(value), ABOVE - 8), (HPos::Center, VPos::Bottom))?;
        }
        text(area, unit, (left, 2), (HPos::Left, VPos::Top))?;
        let mut top = ABOVE;
        for (label, group) in panel.x.iter().zip(&groups) {
            let middle = top + group.len() as i32 * STEP / 2 - GAP / 2;
            text(area, label, (left - 8, middle), (HPos::Right, VPos::Center))?;
            for (number, point) in group {
                bar(area, *number, point, top, (most, &place))?;
                top += STEP;
            }
            top += APART;
        }
        area.draw(&PathElement::new([(left, ABOVE - 6), (left, height)], INK.drawn())).map_err(failed)
    })
}

/// The bars at one place, with the number of their series.
fn group(panel: &Panel, x: usize) -> Vec<(usize, &Point)> {
    let all = panel.series.iter().enumerate();
    all.flat_map(|(number, series)| series.points.iter().filter(|point| point.x == x).map(move |point| (number, point)))
        .collect()
}

fn total(point: &Point, of: fn(Figure) -> f64) -> f64 {
    point.figures.iter().flatten().map(|&figure| of(figure)).sum()
}

/// A bar of parts on top of each other, or of one colour, with its range and its number behind it.
/// What lies beyond the most that there is room for is cut, and has no end.
fn bar(area: &Area, number: usize, point: &Point, top: i32, (most, place): (f64, &dyn Fn(f64) -> i32)) -> Result<()> {
    let (bottom, middle) = (top + STEP - GAP, top + (STEP - GAP) / 2);
    let parts = point.figures.len() > 1;
    let mut from = 0.0;
    for (part, figure) in point.figures.iter().enumerate() {
        let to = from + figure.map_or(0.0, Figure::usual);
        let colour = palette::series(if parts { part } else { number }).drawn();
        area.draw(&Rectangle::new([(place(from), top), (place(to), bottom)], colour.filled())).map_err(failed)?;
        from = to;
    }
    let [low, usual, high] = [Figure::low, Figure::usual, Figure::high].map(|of| total(point, of));
    let end = place(high.min(most));
    if low < high {
        let low = place(low);
        let line = [(low, middle), (end, middle)];
        let ends = [low, end].map(|at| [(at, middle - 3), (at, middle + 3)]);
        let ends = ends.into_iter().take(if high > most { 1 } else { 2 });
        for line in ends.chain([line]) {
            area.draw(&PathElement::new(line, INK.drawn())).map_err(failed)?;
        }
    }
    let number = if high > most { format!("… {}", shown(usual)) } else { shown(usual) };
    text(area, &number, (end + 6, middle), (HPos::Left, VPos::Center))
}
