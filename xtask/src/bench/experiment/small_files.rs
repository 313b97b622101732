//! Small files, by a program that is written for calls, by one that is written for rings, and by one that makes Linux's system calls: what each costs, and how long it is.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_model::{Class, PROCESSORS, Processor, Record};

use super::on_both::{Measured, Sides};
use super::{Outcome, Scope, confinement, flag, watched};
use crate::build::{Config, Scenario};
use crate::counts::{Check, Counted, table};
use crate::figures::{Experiment, How, Limits, Plot, Row, Shape};
use crate::options::Isolation;
use crate::prepare::Prepared;
use crate::report::text_table;

/// The programs: how they ask, and their text.
const PROGRAMS: [(&str, &str); 3] = [
    ("calls", "servers/runtime/src/bench/files/synchronous.rs"),
    ("rings", "servers/runtime/src/bench/files/asynchronous.rs"),
    ("system calls", "tests/linux-bench/src/small.rs"),
];
/// How many files, and bytes of each.
const FILES: usize = 10;
const BYTES: usize = 512;
/// Instructions that all may take between small tasks in `segment` mode, by calls and by rings: some 2 % more than today.
const LIMITS: [u64; 2] = [13_300, 16_000];
/// Writes of CR3 for all files where each way takes a new root.
const ROOTS: [u64; 2] = [2 * 3 * FILES as u64, 4];

/// Does it.
pub fn run(prepared: &Prepared, limit: Duration, scope: Scope) -> Result<Outcome> {
    let lines = lines_of_all(&prepared.workspace.root)?;
    let counted = watched(prepared, "small-files", Config::new([Scenario::Files]), limit)?;
    let sides = Measured { name: "small-files", argument: "files", files: contents(), disk: None, limit };
    let sides = sides.run(prepared, scope)?;
    let mut rows = Vec::new();
    for record in &counted.records {
        for processor in PROCESSORS {
            for tagged in tags(record, processor) {
                rows.push(row(&counted, record, (processor, tagged), lines)?);
            }
        }
    }
    let linux = linux(&sides);
    rows.extend(linux.iter().map(|one| one.row(&sides.platform, lines[2])));
    let table = text(&counted.records, &linux, lines)?;
    let mut checks = checks(&counted.records);
    checks.extend(sides.judge(prepared, |name| !name.contains("read of"))?);
    Ok(Outcome { experiment: empty(sides.version.as_deref()).rows(rows), table, checks })
}

/// The files of Linux's programs: path and contents.
pub fn contents() -> Vec<(String, Vec<u8>)> {
    (0..FILES).map(|file| (format!("files/{file}"), vec![b'0' + file as u8; BYTES])).collect()
}

/// Lines of each program's text that are no comment, and not empty.
fn lines_of_all(root: &Path) -> Result<[u64; 3]> {
    let mut all = [0; 3];
    for (lines, (_, path)) in all.iter_mut().zip(PROGRAMS) {
        let file = root.join(path);
        *lines = lines_of(&fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?);
    }
    Ok(all)
}

fn lines_of(text: &str) -> u64 {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count() as u64
}

/// With tags, without, or, where no new root is taken, it makes no difference.
fn tags(record: &Record, processor: &Processor) -> Vec<bool> {
    match (record.case["isolation"].as_str(), record.case["to"].as_str()) {
        (Some("page"), _) => vec![processor.tags],
        (None, _) | (_, Some("64")) if processor.tags => vec![true, false],
        _ => vec![false],
    }
}

/// The place of a record's program among all.
fn program(record: &Record) -> Result<usize> {
    flag(record, "rings").map(usize::from)
}

fn instructions(record: &Record) -> u64 {
    record.counts.user.instructions + record.counts.kernel.instructions
}

fn row(counted: &Counted, record: &Record, (processor, tagged): (&Processor, bool), lines: [u64; 3]) -> Result<Row> {
    let modelled = record.on(processor.name, tagged).context("a processor without figures")?;
    let (counts, program) = (&record.counts, program(record)?);
    Ok(Row::new(&counted.platform, counted.limits(record.case["isolation"].as_str()))
        .key("by", PROGRAMS[program].0)
        .key("between", confinement(record))
        .key("tlb", if tagged { "tagged" } else { "untagged" })
        .key("processor", processor.title)
        .figure("instructions", instructions(record))
        .figure("kernel", counts.kernel.instructions)
        .figure("cr3_writes", counts.class(Class::Cr3Write))
        .figure("segment_loads", counts.class(Class::SegmentLoad))
        .figure("walks", record.walks(modelled))
        .figure("cycles", modelled.cycles.total())
        .figure("lines", lines[program]))
}

/// The program of Linux's on a side.
struct OnLinux {
    between: String,
    isolation: Option<Isolation>,
    instructions: u64,
}

fn linux(sides: &Sides) -> Vec<OnLinux> {
    let one = |(side, figures): &(crate::bench::linux::Side, Vec<crate::bench::linux::Figure>)| {
        let system = if side.is_linux { "Linux" } else { "the Linux server" };
        let isolation = side.isolation.map(|mode| format!(", {}", mode.word())).unwrap_or_default();
        let cost = figures.first()?.cost.ok()?;
        let between = format!("{} to {system}{isolation}", side.architecture.word());
        Some(OnLinux { between, isolation: side.isolation, instructions: cost.median })
    };
    sides.all.iter().filter_map(one).collect()
}

impl OnLinux {
    fn row(&self, platform: &str, lines: u64) -> Row {
        Row::new(platform, Limits::of(self.isolation.map(Isolation::word), false))
            .key("by", PROGRAMS[2].0)
            .key("between", self.between.clone())
            .key("tlb", "-")
            .key("processor", "-")
            .figure("instructions", self.instructions)
            .figure("lines", lines)
    }
}

fn empty(version: Option<&str>) -> Experiment {
    let kernel = version.map(|version| format!(" Linux's kernel is Debian's, {version}.")).unwrap_or_default();
    let bars = |title, y| {
        let plot = Plot::new(title, Shape::Bars, &["between", "tlb"], &[y]).series(&["by"]);
        plot.only("processor", ["AMD Zen 3"])
    };
    Experiment::new("small-files", "Small files, by calls and by rings", &["by", "between", "tlb", "processor"])
        .question("What does an asynchronous interface save where many small files are read, and what does the program pay for it?")
        .about(
            &format!(
                "A program opens, reads and closes {FILES} files of {BYTES} bytes each and looks at what it read. Written for calls it makes {} of them, one after another, to a server of files in another task; written for \
                 rings it puts the same requests into a ring, wakes the server once and takes answers as they come. It is the same server, which copies the bytes to pages that both share, and all is counted, of \
                 all tasks and the kernel. A static program of Linux's does the same by open, read and close, on the Linux server and on Linux's own kernel, from files in memory. Lines are those of the \
                 programs' texts without comments and empty ones.{kernel}",
                3 * FILES
            ),
            "cargo xtask bench experiment small-files --json FILE",
        )
        .modelled_by_the_plugin()
        .without("The server by calls and rings is a small one: it knows ten names, and no directories, rights or caches. The Linux server's and Linux's own rows are those of whole systems.")
        .without("A program for rings can ask at once only because it gives numbers to what it opens: where the server did, each read would have to wait for its opening, in as many states as there are files.")
        .without("Rows of Linux programs are by the time-stamp counter, without a model.")
        .column("instructions", "instructions", How::Counted)
        .column("kernel", "instructions", How::Counted)
        .column("cr3_writes", "writes", How::Counted)
        .column("segment_loads", "loads", How::Counted)
        .column("walks", "walks", How::Modelled)
        .column("cycles", "cycles", How::Modelled)
        .column("lines", "lines of text", How::Counted)
        .plot(bars("Instructions for ten files", "instructions"))
        .plot(bars("Cycles for ten files, on a Zen 3", "cycles"))
}

/// Instructions, the kernel's, cycles on a Zen 3, lines.
fn text(records: &[Record], linux: &[OnLinux], lines: [u64; 3]) -> Result<String> {
    let heading =
        ["by", "between", "instructions", "kernel", "CR3", "cycles on a Zen 3, with tags where they matter", "lines"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for record in records {
        let tagged = tags(record, PROCESSORS[1])[0];
        let modelled = record.on(PROCESSORS[1].name, tagged).context("a processor without figures")?;
        let (counts, program) = (&record.counts, program(record)?);
        rows.push(vec![
            PROGRAMS[program].0.to_owned(),
            confinement(record),
            instructions(record).to_string(),
            counts.kernel.instructions.to_string(),
            counts.class(Class::Cr3Write).to_string(),
            table::cycles(modelled.cycles.total()),
            lines[program].to_string(),
        ]);
    }
    for one in linux {
        let mut cells = vec![PROGRAMS[2].0.to_owned(), one.between.clone(), one.instructions.to_string()];
        cells.extend(["-", "-", "-"].map(str::to_owned));
        cells.push(lines[2].to_string());
        rows.push(cells);
    }
    Ok(text_table(rows))
}

/// No new root where there is none to take, few by rings where calls take two each, and the limits.
fn checks(records: &[Record]) -> Vec<Check> {
    let check = |pair: &[Record]| {
        let [calls, rings] = pair else { anyhow::bail!("{} cases of two", pair.len()) };
        ensure!(program(calls)? == 0 && program(rings)? == 1, "not calls and rings");
        let between = confinement(calls);
        let shares = between == "small to small, segment" || between.starts_with("small to host");
        for ((record, limit), roots) in pair.iter().zip(LIMITS).zip(ROOTS) {
            let (writes, expected) = (record.counts.class(Class::Cr3Write), if shares { 0 } else { roots });
            ensure!(writes == expected, "{writes} writes of CR3, not {expected}");
            let count = instructions(record);
            let is_limited = between == "small to small, segment";
            ensure!(!is_limited || count <= limit, "{count} instructions, the limit is {limit}");
        }
        Ok(())
    };
    let pairs = records.chunk_by(|one, other| confinement(one) == confinement(other));
    pairs.filter_map(|pair| Some((confinement(pair.first()?), check(pair)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_lines() {
        assert_eq!(lines_of("//! a\n\nuse b;\n    // c\n    d(); // e\n/// f\nfn g() {}\n"), 3);
    }

    #[test]
    fn the_programs_are_there() {
        let lines = lines_of_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        assert!(lines.iter().all(|&lines| lines > 10) && lines[0] < lines[1]);
    }
}
