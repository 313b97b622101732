//! Marks of points, one for each series, so that colour alone tells nothing apart.

use anyhow::Result;
use plotters::prelude::*;

use super::{Area, drawn, failed};
use crate::page::palette;

/// Draws the mark of a series around a place.
pub fn draw(area: &Area, number: usize, (x, y): (i32, i32)) -> Result<()> {
    let colour = palette::series(number).drawn();
    let square = |reach: i32| [(x - reach, y - reach), (x + reach, y + reach)];
    match number % 6 {
        0 => area.draw(&Circle::new((x, y), 4, colour.filled())),
        1 => area.draw(&TriangleMarker::new((x, y), 5, colour.filled())),
        2 => area.draw(&Rectangle::new(square(3), colour.filled())),
        3 => area.draw(&Cross::new((x, y), 4, colour.stroke_width(2))),
        4 => area.draw(&Circle::new((x, y), 4, colour.stroke_width(2))),
        _ => area.draw(&Rectangle::new(square(3), colour.stroke_width(2))),
    }
    .map_err(failed)
}

/// What a legend has beside a series' name: a piece of its line, or a bar's colour.
pub fn swatch(number: usize, is_line: bool) -> Result<String> {
    let colour = palette::series(number).drawn();
    drawn((28, 14), |area| {
        if !is_line {
            return area.draw(&Rectangle::new([(4, 1), (24, 13)], colour.filled())).map_err(failed);
        }
        draw_line(area, number, (0, 7))
    })
}

/// A piece of a series' line that begins here, with its mark.
pub fn draw_line(area: &Area, number: usize, (x, y): (i32, i32)) -> Result<()> {
    let style = palette::series(number).drawn().stroke_width(2);
    area.draw(&PathElement::new([(x, y), (x + 28, y)], style)).map_err(failed)?;
    draw(area, number, (x + 14, y))
}
