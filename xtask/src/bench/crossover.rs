//! `cargo xtask bench --crossover`: where small spaces pay, by how much tasks touch between messages, modelled on processors by name.

mod figures;

use std::path::Path;

use anyhow::Result;
use lilliput_model::processor::Cycles;

use crate::build::Scenario;
use crate::counts::crossover::{Confinement, Line, lines};
use crate::counts::{Counted, Library};
use crate::figures::Figures;
use crate::options::Timeout;
use crate::prepare::Prepared;
use crate::report::text_table;

/// Of which tasks a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// Few, and much that each touches.
    Few,
    /// Up to a thousand servers, and little that each touches.
    Many,
}

/// Counts, and prints a table for each processor and number of tasks.
pub fn run(prepared: &Prepared, map: Map, timeout: Timeout, json: Option<&Path>) -> Result<()> {
    println!("--- boot `{}`: QEMU with the counting plugin", map.boot());
    let counted = map.count(prepared, timeout, true)?;
    let lines = lines(&counted.records)?;
    println!("\n{}", text(&lines));
    if let Some(file) = json {
        Figures::from(figures::experiment(&lines, &counted, map)).write(file)?;
    }
    Ok(())
}

/// The figures of the crossover map alone.
pub fn few(prepared: &Prepared, timeout: Timeout) -> Result<Figures> {
    Map::Few.figures(prepared, timeout)
}

/// Those of many tasks.
pub fn many(prepared: &Prepared, timeout: Timeout) -> Result<Figures> {
    Map::Many.figures(prepared, timeout)
}

impl Map {
    const fn boot(self) -> &'static str {
        match self {
            Self::Few => "crossover",
            Self::Many => "many",
        }
    }

    fn figures(self, prepared: &Prepared, timeout: Timeout) -> Result<Figures> {
        let counted = self.count(prepared, timeout, false)?;
        Ok(figures::experiment(&lines(&counted.records)?, &counted, self).into())
    }

    fn count(self, prepared: &Prepared, timeout: Timeout, show: bool) -> Result<Counted> {
        let library = Library::build(&prepared.workspace)?;
        let scenario = match self {
            Self::Few => Scenario::Crossover,
            Self::Many => Scenario::Many,
        };
        Counted::new(prepared, &library, self.boot(), scenario, (timeout.duration(), show))
    }
}

/// The differences that are shown: the confinement that small spaces are, less another.
const AGAINST: [Confinement; 4] =
    [Confinement::Page, Confinement::PageUntagged, Confinement::Wide, Confinement::WideUntagged];

fn text(lines: &[Line]) -> String {
    let mut text = "Modelled cycles of a call and its answer between tasks that each touch memory of their own before every message.\n\
                    Behind the bar: `segment` less another, usual and range; where the whole range has one sign, the winner is sure by this model.\n"
        .to_owned();
    let of_table = |line: &&Line| (line.processor.name, line.cells.first().map_or(0, |cell| cell.tasks));
    for table in lines.chunk_by(|one, other| of_table(&one) == of_table(&other)) {
        let (Some(line), Some(cell)) = (table.first(), table.first().and_then(|line| line.cells.first())) else {
            continue;
        };
        text += &format!("\n{}, {} tasks\n\n", line.processor.title, cell.tasks);
        let kinds: Vec<_> = Confinement::ALL.into_iter().filter(|&kind| line.cell(kind).is_some()).collect();
        let against: Vec<_> = AGAINST.into_iter().filter(|kind| kinds.contains(kind)).collect();
        let mut heading = vec!["each touches".to_owned()];
        heading.extend(kinds.iter().map(|kind| kind.word().to_owned()));
        heading.extend(against.iter().map(|kind| format!("| - {}", kind.word())));
        let rows = table.iter().map(|line| {
            let mut cells = vec![touched(line)];
            cells.extend(
                kinds.iter().map(|&kind| line.cell(kind).map_or("-".to_owned(), |cell| rounded(cell.cycles.usual))),
            );
            cells.extend(against.iter().map(|&kind| {
                line.difference(Confinement::Segment, kind)
                    .map_or("| -".to_owned(), |cycles| format!("| {}", signed(cycles)))
            }));
            cells
        });
        text += &text_table([heading].into_iter().chain(rows).collect());
    }
    text
}

fn touched(line: &Line) -> String {
    match line.cells.first() {
        Some(cell) if cell.kib > 0 => format!("{} KiB", cell.kib),
        Some(cell) => format!("{} pages", cell.pages),
        None => String::new(),
    }
}

fn rounded(cycles: f64) -> String {
    format!("{cycles:.0}")
}

fn signed(Cycles { low, usual, high }: Cycles) -> String {
    format!("{usual:+.0} ({low:+.0} to {high:+.0})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_signs() {
        assert_eq!(signed(Cycles { low: -4.4, usual: 0.0, high: 12.0 }), "+0 (-4 to +12)");
    }
}
