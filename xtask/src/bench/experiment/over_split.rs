//! Over-split kernels: what it costs to get a page where something wants it, by the kernel alone, by a memory server, and by two.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_model::{Class, PROCESSORS, Processor, Record};

use super::{Outcome, confinement, number, watched, word};
use crate::build::{Config, Scenario};
use crate::counts::{Check, Counted, table};
use crate::figures::{Experiment, How, Plot, Row, Shape};
use crate::prepare::Prepared;
use crate::report::text_table;

/// By how many servers, in words.
const WAYS: [&str; 3] = ["the kernel alone", "a memory server", "a server for spaces and one for frames"];
/// Kernel instructions that each may take between small tasks in `segment` mode: some 2 % more than today.
const LIMITS: [u64; 3] = [3285, 3415, 5020];

/// Does it.
pub fn run(prepared: &Prepared, limit: Duration) -> Result<Outcome> {
    let counted = watched(prepared, "over-split", Config::new([Scenario::Split]), limit)?;
    let mut rows = Vec::new();
    for record in &counted.records {
        for processor in PROCESSORS {
            for tagged in tags(record, processor) {
                rows.push(row(&counted, record, processor, tagged)?);
            }
        }
    }
    let table = text(&counted.records)?;
    Ok(Outcome { experiment: empty().rows(rows), table, checks: checks(&counted.records) })
}

/// With tags, without, or, where no new root is taken, it makes no difference.
fn tags(record: &Record, processor: &Processor) -> Vec<bool> {
    match (record.case["isolation"].as_str(), record.case["to"].as_str()) {
        (Some("page"), _) => vec![processor.tags],
        (None, _) | (_, Some("64")) if processor.tags => vec![true, false],
        _ => vec![false],
    }
}

fn servers(record: &Record) -> Result<usize> {
    let servers = number(record, "servers")? as usize;
    ensure!(servers < WAYS.len(), "{servers} servers");
    Ok(servers)
}

fn empty() -> Experiment {
    let bars = |title, y| {
        let plot = Plot::new(title, Shape::Bars, &["between", "tlb"], &[y]).series(&["by"]);
        plot.only("processor", ["AMD Zen 3"])
    };
    Experiment::new("over-split", "A page, by the kernel alone and by servers", &["by", "between", "tlb", "processor"])
        .question("What does it cost to split memory management off the kernel into one server, and into two?")
        .about(
            "A task wants a page at an address of its own, and reads it as soon as it is there. Two calls of the kernel do it, that make a cleared frame and map it. The task makes them itself; \
             or a memory server does; or a server for spaces does the second, and asks a server for frames, which does the first and sends the frame's capability. Counted is all, of all of \
             them and the kernel, from before the request to behind the read. Most of a frame that is made is to clear it: 512 instructions.",
            "cargo xtask bench experiment over-split --json FILE",
        )
        .modelled_by_the_plugin()
        .column("instructions", "instructions", How::Counted)
        .column("kernel", "instructions", How::Counted)
        .column("switches", "switches", How::Counted)
        .column("cr3_writes", "writes", How::Counted)
        .column("segment_loads", "loads", How::Counted)
        .column("walks", "walks", How::Modelled)
        .column("cycles", "cycles", How::Modelled)
        .plot(bars("Instructions to get a page", "instructions"))
        .plot(bars("Cycles to get a page, on a Zen 3", "cycles"))
}

fn row(counted: &Counted, record: &Record, processor: &Processor, tagged: bool) -> Result<Row> {
    let servers = servers(record)?;
    let modelled = record.on(processor.name, tagged).context("a processor without figures")?;
    let counts = &record.counts;
    Ok(Row::new(&counted.platform, counted.limits(record.case["isolation"].as_str()))
        .key("by", WAYS[servers])
        .key("between", confinement(record))
        .key("tlb", if tagged { "tagged" } else { "untagged" })
        .key("processor", processor.title)
        .figure("instructions", counts.user.instructions + counts.kernel.instructions)
        .figure("kernel", counts.kernel.instructions)
        .figure("switches", 2 * servers as u64)
        .figure("cr3_writes", counts.class(Class::Cr3Write))
        .figure("segment_loads", counts.class(Class::SegmentLoad))
        .figure("walks", record.walks(modelled))
        .figure("cycles", modelled.cycles.total()))
}

/// Instructions and, on a Zen 3, cycles.
fn text(records: &[Record]) -> Result<String> {
    let mut heading = vec!["between".to_owned()];
    heading.extend(WAYS.map(|way| format!("{way}: instructions, cycles on a Zen 3")));
    let mut lines = vec![heading];
    for of_kinds in records.chunk_by(|one, other| confinement(one) == confinement(other)) {
        let tags = of_kinds.first().map(|record| tags(record, PROCESSORS[1])).unwrap_or_default();
        for tagged in tags {
            let mut cells =
                vec![format!("{}, {}", confinement(&of_kinds[0]), if tagged { "tagged" } else { "untagged" })];
            for record in of_kinds {
                let modelled = record.on(PROCESSORS[1].name, tagged).context("a processor without figures")?;
                let instructions = record.counts.user.instructions + record.counts.kernel.instructions;
                cells.push(format!("{instructions}, {}", table::cycles(modelled.cycles.total())));
            }
            lines.push(cells);
        }
    }
    Ok(text_table(lines))
}

fn checks(records: &[Record]) -> Vec<Check> {
    let check = |record: &Record| {
        let counts = &record.counts;
        let servers = servers(record)?;
        let hosted = word(record, "to")? == "host" && servers < 2;
        if servers == 0 || confinement(record) == "small to small, segment" || hosted {
            let writes = counts.class(Class::Cr3Write);
            ensure!(writes == 0, "{writes} writes of CR3");
        }
        if confinement(record) == "small to small, segment" {
            let (instructions, limit) = (counts.kernel.instructions, LIMITS[servers]);
            ensure!(instructions <= limit, "{instructions} kernel instructions, the limit is {limit}");
        }
        Ok(())
    };
    let name = |record: &Record| format!("{}, {} servers", confinement(record), record.case["servers"]);
    records.iter().map(|record| (name(record), check(record))).collect()
}
