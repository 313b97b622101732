//! Getting 64 bytes to 4 MiB from one task to another: in registers, through a buffer, as a string, by mapping, through a ring.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_model::record::Modelled;
use lilliput_model::{Class, PROCESSORS, Processor, Record};

use super::{Outcome, Scope, confinement, number, watched, word};
use crate::build::{Config, Scenario};
use crate::counts::{Check, Counted, table};
use crate::figures::{Experiment, How, Plot, Row, Shape};
use crate::prepare::Prepared;
use crate::report::text_table;

/// The ways, as the guest calls them.
const WAYS: [&str; 5] = ["registers", "buffer", "string", "mapping", "ring"];
/// Bytes of the longest message where only limits are asked for, which there are up to it: more of the same copies take several times as long.
const LONGEST_ALONE: u64 = 65_536;
/// The processor of the table and of the plot.
const SHOWN: &str = "zen3";

/// Does it.
pub fn run(prepared: &Prepared, limit: Duration, scope: Scope) -> Result<Outcome> {
    let mut config = Config::new([Scenario::Messages]);
    if scope == Scope::Alone {
        config.extra.push(("messages_most".to_owned(), LONGEST_ALONE.to_string()));
    }
    let counted = watched(prepared, "messages", config, limit)?;
    let mut rows = Vec::new();
    for record in &counted.records {
        for processor in PROCESSORS {
            rows.push(row(&counted, record, processor)?);
        }
    }
    let table = text(&counted.records)?;
    Ok(Outcome { experiment: empty().rows(rows), table, checks: checks(&counted.records) })
}

/// Both tasks, and that they are in two arenas.
fn between(record: &Record) -> Result<String> {
    let elsewhere = if number(record, "arenas")? > 1 { ", in two arenas" } else { "" };
    Ok(format!("{}{elsewhere}", confinement(record)))
}

fn bytes(record: &Record) -> Result<u64> {
    record.batch.parse().with_context(|| format!("a batch of {} bytes", record.batch))
}

/// With tags where there are some, and the mode does not forbid them.
fn on<'a>(record: &'a Record, processor: &Processor) -> Result<&'a Modelled> {
    let tagged = table::tagged(record, processor.tags);
    record.on(processor.name, tagged).context("a processor without figures")
}

fn empty() -> Experiment {
    let lines = Plot::new("Cycles to get a message over, on a Zen 3", Shape::Lines, &["bytes"], &["cycles"]);
    let lines = lines.series(&["by"]).panels(&["between"]).only("processor", ["AMD Zen 3"]).log();
    Experiment::new("messages", "Messages from 64 bytes to 4 MiB", &["by", "between", "bytes", "processor"])
        .question("What is the cheapest way to get so many bytes from one task to another, and from what size on is it another one?")
        .about(
            "A client has bytes, and a server is to have them at an address of its own. Registers: four words in each call, or eight between 64-bit tasks. Buffer: the client copies up to 64 KiB into memory \
             that both have and calls, and the server copies them out. String: the kernel copies, once. Mapping: the client maps the pages in the server's space, calls, and unmaps them. Ring: lines of 64 bytes through a ring of 64 KiB, \
             with bells. Each ends when the server read a byte of each line, and the client was told; all of both sides and of the kernel is counted. In another arena is another page table. What arrived is \
             compared with what was sent, outside of what is counted.",
            "cargo xtask bench experiment messages --json FILE",
        )
        .modelled_by_the_plugin()
        .without("Each iteration of a copy by `rep movs` is an instruction here, and costs what one costs: processors copy a line in few cycles where they can.")
        .without("From 64 KiB on a figure is of one transfer, with the interrupts of the timer that fall into it.")
        .without("A 32-bit task copies four bytes an iteration, a 64-bit one and the kernel eight.")
        .without("By registers no more than 64 KiB are sent: what a call costs doesn't depend on how many there were before.")
        .column("instructions", "instructions", How::Counted)
        .column("kernel", "instructions", How::Counted)
        .column("cr3_writes", "writes", How::Counted)
        .column("walks", "walks", How::Modelled)
        .column("cycles", "cycles", How::Modelled)
        .column("cycles_per_kib", "cycles per KiB", How::Modelled)
        .plot(lines)
}

fn row(counted: &Counted, record: &Record, processor: &Processor) -> Result<Row> {
    let modelled = on(record, processor)?;
    let (counts, bytes) = (&record.counts, bytes(record)?);
    let cycles = modelled.cycles.total();
    Ok(Row::new(&counted.platform, counted.limits(record.case["isolation"].as_str()))
        .key("by", word(record, "way")?)
        .key("between", between(record)?)
        .key("bytes", bytes)
        .key("processor", processor.title)
        .figure("instructions", counts.user.instructions + counts.kernel.instructions)
        .figure("kernel", counts.kernel.instructions)
        .figure("cr3_writes", counts.class(Class::Cr3Write))
        .figure("walks", record.walks(modelled))
        .figure("cycles", cycles)
        .figure("cycles_per_kib", cycles.times(1024.0 / bytes as f64)))
}

/// Instructions and cycles on one processor.
fn text(records: &[Record]) -> Result<String> {
    let mut heading = vec!["between".to_owned(), "bytes".to_owned()];
    heading.extend(WAYS.map(|way| format!("{way}: instructions, cycles on a Zen 3")));
    let processor = lilliput_model::processor::by_name(SHOWN).context("no such processor")?;
    let mut lines: Vec<Vec<String>> = vec![heading];
    for record in records {
        let key = [between(record)?, bytes(record)?.to_string()];
        let way = WAYS.iter().position(|way| word(record, "way").is_ok_and(|name| name == *way));
        let way = way.context("a way that has no column")?;
        let instructions = record.counts.user.instructions + record.counts.kernel.instructions;
        let cell = format!("{instructions}, {:.0}", on(record, processor)?.cycles.total().usual);
        let line = match lines.iter_mut().position(|line| line[..2] == key) {
            Some(at) => &mut lines[at],
            None => {
                let mut line = key.to_vec();
                line.resize(2 + WAYS.len(), "-".to_owned());
                lines.push(line);
                lines.last_mut().context("a line")?
            }
        };
        line[2 + way] = cell;
    }
    Ok(text_table(lines))
}

/// Most kernel instructions of a message of so many bytes between small tasks of one arena in `segment` mode: some 2 % more than today.
const LIMITS: [(&str, u64, u64); 7] = [
    ("registers", 64, 330),
    ("buffer", 4096, 82),
    ("string", 4096, 2440),
    ("string", 65_536, 20_200),
    ("mapping", 4096, 3550),
    ("mapping", 65_536, 11_640),
    ("ring", 4096, 2500),
];

fn checks(records: &[Record]) -> Vec<Check> {
    let check = |record: &Record| {
        let counts = &record.counts;
        let small = confinement(record) == "small to small, segment" && number(record, "arenas")? == 1;
        let writes = counts.class(Class::Cr3Write);
        let one_root = small || word(record, "to")? == "host";
        match (one_root, word(record, "way")?) {
            // What is unmapped is flushed.
            (_, "mapping") | (false, _) => ensure!(writes > 0, "no write of CR3"),
            (true, _) => ensure!(writes == 0, "{writes} writes of CR3"),
        }
        if small {
            let (way, bytes, kernel) = (word(record, "way")?, bytes(record)?, counts.kernel.instructions);
            let limit = LIMITS.iter().find(|limit| (limit.0, limit.1) == (way, bytes));
            let limit = limit.map(|limit| limit.2);
            ensure!(limit.is_none_or(|limit| kernel <= limit), "{kernel} kernel instructions, the limit is {limit:?}");
        }
        Ok(())
    };
    let name = |record: &Record| {
        let between = between(record).unwrap_or_default();
        format!("{} bytes by {}, {between}", record.batch.trim_start_matches('0'), record.case["way"])
    };
    records.iter().map(|record| (name(record), check(record))).collect()
}
