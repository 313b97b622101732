//! Plots as SVG, by `plotters`.

mod bars;
mod lines;
mod marker;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::palette::{Colour, INK};
use super::panel::Panel;
use crate::figures::{Plot, Shape};
pub use marker::swatch;

/// Where things are drawn.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Height of text, in pixels.
const TEXT: i32 = 13;
/// What a character takes of a line, more or less: there is no font to ask.
const LETTER: i32 = 7;

/// A panel as SVG.
pub fn svg(plot: &Plot, panel: &Panel, unit: &str) -> Result<String> {
    match plot.shape {
        Shape::Lines => drawn(lines::SIZE, |area| lines::draw(area, plot, panel, unit)),
        Shape::Bars => bars::svg(panel, unit),
    }
}

/// A heading, a legend, and panels of lines beside each other, for where there is no page around them.
pub fn poster(plot: &Plot, panels: &[Panel], unit: &str) -> Result<String> {
    let (across, down) = lines::SIZE;
    let has_points = |number: usize| panels.iter().any(|panel| !panel.series[number].points.is_empty());
    let names = panels.first().into_iter().flat_map(|panel| panel.series.iter().enumerate());
    let names: Vec<_> = names.filter(|&(number, _)| has_points(number)).collect();
    let lines = names.len().div_ceil(LEGEND_COLUMNS) as i32;
    let above = lines * LINE + 2 * LINE;
    drawn((across * panels.len() as i32, above + down), |area| {
        let (head, body) = area.split_vertically(above);
        text(&head, &plot.title, (8, 4), (HPos::Left, VPos::Top))?;
        for (place, &(number, series)) in names.iter().enumerate() {
            let (column, row) = ((place % LEGEND_COLUMNS) as i32, (place / LEGEND_COLUMNS) as i32);
            let (x, y) = (8 + column * LEGEND, LINE + row * LINE + LINE / 2);
            marker::draw_line(&head, number, (x, y))?;
            text(&head, &series.name, (x + 36, y), (HPos::Left, VPos::Center))?;
        }
        for (area, panel) in body.split_evenly((1, panels.len())).iter().zip(panels) {
            lines::draw(area, plot, panel, unit)?;
            text(area, &panel.title, (across - 14, 4), (HPos::Right, VPos::Top))?;
        }
        Ok(())
    })
}

/// Height of a line in a legend, width of a name there, and how many are in a line.
const LINE: i32 = 22;
const LEGEND: i32 = 250;
const LEGEND_COLUMNS: usize = 3;

/// Draws on an area of this size.
fn drawn(size: (i32, i32), draw: impl FnOnce(&Area) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (size.0 as u32, size.1 as u32)).into_drawing_area();
        draw(&area)?;
        area.present().map_err(failed)?;
    }
    Ok(text)
}

/// The library's errors hold what is not to be sent.
fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("a plot can't be drawn: {error}")
}

fn text(area: &Area, text: &str, at: (i32, i32), (across, down): (HPos, VPos)) -> Result<()> {
    let style = style(INK).pos(Pos::new(across, down));
    area.draw(&Text::new(text.to_owned(), at, style)).map_err(failed)
}

fn style(colour: Colour) -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", TEXT).into_font());
    TextStyle { color: colour.drawn().to_backend_color(), ..style }
}

/// Width of a text.
fn width(text: &str) -> i32 {
    text.chars().count() as i32 * LETTER
}
