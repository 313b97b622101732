//! The crossover map as an experiment.

use super::Map;
use crate::counts::Counted;
use crate::counts::crossover::{Cell, Confinement, Line};
use crate::figures::{Experiment, How, Limits, Plot, Row, Shape};

/// All cells, each with what it costs more than others at the same point.
pub fn experiment(lines: &[Line], counted: &Counted, map: Map) -> Experiment {
    let limits = |confinement: Confinement| counted.limits(confinement.isolation());
    let rows = lines.iter().flat_map(|line| line.cells.iter().map(|cell| row(line, cell, &counted.platform, limits)));
    let empty = match map {
        Map::Few => few(),
        Map::Many => many(),
    };
    empty.rows(rows)
}

const KEYS: [&str; 5] = ["processor", "tasks", "pages", "kib", "confinement"];

fn few() -> Experiment {
    let pages = |title, y| {
        let plot = Plot::new(title, Shape::Lines, &["pages"], &[y]).only("kib", [0_u64]);
        plot.series(&["confinement"]).panels(&["processor", "tasks"])
    };
    let experiment = Experiment::new("crossover", "Where small spaces pay", &KEYS).about(
        "A client goes round among servers, one or seven, and each task touches memory of its own before it passes a message on: so many pages, a line in \
         each, or so many KiB of lines beside each other. A figure is a call and its answer, with the user's instructions and what both touch. What one costs \
         more than another leaves out what both pay equally often, so that its range is narrower than the ranges of both.",
        "cargo xtask bench --crossover --json FILE",
    );
    let more = "What a call costs more than in segment mode, by pages that each task touches";
    columns(experiment)
        .question("Where do small spaces pay, and where do page tables with tags or without, by how much memory tasks touch between messages?")
        .plot(pages(more, "over_segment_percent"))
        .plot(pages("What a call and its answer cost, by pages that each task touches", "cycles").log())
}

fn many() -> Experiment {
    let tasks = |title, y| {
        let plot = Plot::new(title, Shape::Lines, &["tasks"], &[y]);
        plot.series(&["confinement"]).panels(&["processor", "pages"])
    };
    let experiment = Experiment::new("many", "Many spaces", &KEYS).about(
        "A client goes round among servers, up to a thousand, each a task of its own; each touches so many pages of its own, a line in each, before it passes a message on. \
         A figure is a call and its answer, as in the crossover map. Small tasks are all in one arena.",
        "cargo xtask bench --many --json FILE",
    );
    columns(experiment)
        .question("Do small spaces still pay among up to a thousand tasks?")
        .plot(tasks("What a call costs more than in segment mode, by how many tasks take part", "over_segment_percent"))
        .plot(tasks("What a call and its answer cost, by how many tasks take part", "cycles").log())
}

fn columns(experiment: Experiment) -> Experiment {
    experiment
        .modelled_by_the_plugin()
        .column("cycles", "cycles", How::Modelled)
        .column("over_segment", "cycles", How::Modelled)
        .column("over_segment_percent", "% of a call in segment mode", How::Modelled)
        .column("over_host", "cycles", How::Modelled)
        .column("walks", "walks", How::Modelled)
        .column("instructions", "instructions", How::Counted)
        .column("cr3_writes", "writes", How::Counted)
}

fn row(line: &Line, cell: &Cell, platform: &str, limits: impl Fn(Confinement) -> Limits) -> Row {
    let over = |other: Confinement| {
        let differs = cell.confinement != other;
        line.difference(cell.confinement, other).filter(|_| differs)
    };
    let segment = line.cell(Confinement::Segment).map(|cell| cell.cycles.usual).filter(|&cycles| cycles > 0.0);
    let percent = segment.and_then(|segment| Some(over(Confinement::Segment)?.times(100.0 / segment)));
    Row::new(platform, limits(cell.confinement))
        .key("processor", line.processor.title)
        .key("tasks", cell.tasks)
        .key("pages", cell.pages)
        .key("kib", cell.kib)
        .key("confinement", cell.confinement.word())
        .figure("cycles", cell.cycles)
        .figure_if("over_segment", over(Confinement::Segment))
        .figure_if("over_segment_percent", percent)
        .figure_if("over_host", over(Confinement::Host))
        .figure("walks", cell.walks)
        .figure("instructions", cell.instructions)
        .figure("cr3_writes", cell.cr3_writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_maps_plot_what_they_have() {
        for experiment in [few(), many()] {
            experiment.check().unwrap();
        }
    }
}
