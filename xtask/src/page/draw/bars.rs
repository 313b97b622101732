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

/// A panel.
pub fn svg(panel: &Panel, unit: &str) -> Result<String> {
    let groups: Vec<Vec<(usize, &Point)>> = (0..panel.x.len()).map(|x| group(panel, x)).collect();
    let height = ABOVE + groups.iter().map(|group| group.len() as i32 * STEP + APART).sum::<i32>();
    let left = panel.x.iter().map(|label| width(label)).max().unwrap_or(0) + 14;
    let most = groups.iter().flatten().map(|(_, point)| total(point, Figure::high)).fold(0.0, f64::max).max(1e-9);
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
                bar(area, *number, point, top, place)?;
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
fn bar(area: &Area, number: usize, point: &Point, top: i32, place: impl Fn(f64) -> i32) -> Result<()> {
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
    if low < high {
        let (low, high) = (place(low), place(high));
        let ends = [
            [(low, middle), (high, middle)],
            [(low, middle - 3), (low, middle + 3)],
            [(high, middle - 3), (high, middle + 3)],
        ];
        for line in ends {
            area.draw(&PathElement::new(line, INK.drawn())).map_err(failed)?;
        }
    }
    text(area, &shown(usual), (place(high) + 6, middle), (HPos::Left, VPos::Center))
}
