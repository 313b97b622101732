//! A read that has to be waited for: by the Linux server and the disk's server here, and by Debian's own kernel, of the same disk.
//!
//! Another process counts meanwhile, so that the processor is never idle and the time-stamp counter, which counts instructions, says what a read cost: all that did not go there.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::on_both::{Measured, is_whole};
use super::{Outcome, Scope};
use crate::bench::linux::{Figure, Side};
use crate::counts::Check;
use crate::figures::{Experiment, How, Limits, Plot, Row, Shape};
use crate::options::Isolation;
use crate::prepare::Prepared;
use crate::report::text_table;

/// Bytes of the disk.
const BYTES: u32 = 8 << 20;
/// Requests that it does a second, so that it is always waited for.
const REQUESTS: u32 = 20;
/// The same where nothing is held against Linux: less to wait for, with the process beside counting all the while, and still many times what a read takes.
const REQUESTS_ALONE: u32 = 50;
/// Of a read, what the program tells beside all of it: what follows its name, and the column.
const PARTS: [(&str, &str); 5] = [
    (" (server)", "server"),
    (" (server's kernel)", "servers_kernel"),
    (" (driver)", "driver"),
    (" (driver's kernel)", "drivers_kernel"),
    (" (thousandths left to another)", "left"),
];

/// Does it.
pub fn run(prepared: &Prepared, limit: Duration, scope: Scope) -> Result<Outcome> {
    let requests = match scope {
        Scope::All => REQUESTS,
        Scope::Alone => REQUESTS_ALONE,
    };
    let disk = Some((contents(), requests));
    let sides = Measured { name: "blocking-read", argument: "reads", files: Vec::new(), disk, limit };
    let sides = sides.run(prepared, scope)?;
    let reads = sides.all.iter().map(|(side, figures)| reads(*side, figures)).collect::<Result<Vec<_>>>()?;
    let reads: Vec<_> = reads.into_iter().flatten().collect();
    let rows = reads.iter().map(|read| read.row(&sides.platform, &reads)).collect::<Result<Vec<_>>>()?;
    let mut checks = sides.judge(prepared, |name| name.contains("read of"))?;
    checks.extend(reads.iter().filter(|read| read.waits()).map(Read::check));
    Ok(Outcome { experiment: empty(sides.version.as_deref()).rows(rows), table: text(&reads), checks })
}

/// Of the disk, whose word at each place is the place times a constant: the program compares.
fn contents() -> Vec<u8> {
    (0..BYTES / 4).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect()
}

/// A kind of read by a program of a side's.
struct Read {
    side: Side,
    /// What is read, as the program calls it.
    name: String,
    instructions: u64,
    /// As [`PARTS`], where the system has them.
    parts: [Option<u64>; PARTS.len()],
}

/// The reads among figures. One that a system does not have is an error: both have all.
fn reads(side: Side, figures: &[Figure]) -> Result<Vec<Read>> {
    let median = |name: &str| {
        let figure = figures.iter().find(|figure| figure.name == name)?;
        Some(figure.cost.map(|cost| cost.median))
    };
    let whole = figures.iter().filter(|figure| is_whole(figure));
    let read = |figure: &Figure| {
        let name = figure.name.clone();
        let cost = figure.cost.map_err(|error| anyhow!("{side}: {name}: error {error}"))?;
        let parts = PARTS.map(|(end, _)| median(&format!("{name}{end}")).and_then(Result::ok));
        Ok(Read { side, name, instructions: cost.median, parts })
    };
    whole.map(read).collect()
}

impl Read {
    fn system(&self) -> &'static str {
        if self.side.is_linux { "Linux" } else { "Lilliput" }
    }

    /// Whether it is one of what the disk is asked for, here.
    fn waits(&self) -> bool {
        !self.side.is_linux && !self.name.contains("kept")
    }

    /// Whether most of the time of a read that waits is left to others.
    fn check(&self) -> Check {
        let left = self.parts[PARTS.len() - 1].unwrap_or(0);
        let result = if left >= 500 { Ok(()) } else { Err(anyhow!("{left} thousandths are left to another")) };
        (format!("{}: others go on during a {}", self.side, self.name), result)
    }

    /// The same read on Linux.
    fn native<'a>(&self, all: &'a [Self]) -> Option<&'a Self> {
        all.iter().find(|other| {
            other.side.is_linux && other.side.architecture == self.side.architecture && other.name == self.name
        })
    }

    fn ratio(&self, all: &[Self]) -> Option<f64> {
        let native = self.native(all).filter(|_| !self.side.is_linux)?;
        Some(self.instructions as f64 / native.instructions.max(1) as f64)
    }

    fn row(&self, platform: &str, all: &[Self]) -> Result<Row> {
        let isolation = self.side.isolation.map(Isolation::word);
        let (what, bytes) = self.name.split_once(" of ").context("a read of nothing")?;
        let (what, bytes) = match self.name.strip_prefix("read of what is kept of ") {
            Some(bytes) => ("read of what is kept", bytes),
            None => (what, bytes),
        };
        let bytes: u64 = bytes.trim_end_matches(" B").parse().with_context(|| format!("{bytes} are no bytes"))?;
        let row = Row::new(platform, Limits::of(isolation, false))
            .key("read", what)
            .key("bytes", bytes)
            .key("system", self.system())
            .key("architecture", self.side.architecture.word())
            .key("isolation", isolation.unwrap_or("-"))
            .figure("instructions", self.instructions)
            .figure_if("ratio", self.ratio(all));
        let parts = PARTS.iter().zip(self.parts);
        Ok(parts.fold(row, |row, ((_, column), part)| row.figure_if(column, part.map(|part| part as f64))))
    }
}

fn empty(version: Option<&str>) -> Experiment {
    let kernel = version.map(|version| format!(" Linux's kernel is Debian's, {version}.")).unwrap_or_default();
    let bars = |title, read| {
        let plot = Plot::new(title, Shape::Bars, &["bytes"], &["instructions"]).series(&["system", "isolation"]);
        plot.panels(&["architecture"]).only("read", [read]).log()
    };
    let about = format!(
        "A program reads a disk of virtio's by pread, each time elsewhere: by O_DIRECT, by way of what the system keeps in memory, which does not have it, and, in the end, what it has. The disk answers \
         {REQUESTS} requests a second, so that a read is waited for; another process counts in a loop of two instructions all the time. What of all instructions from before the call to behind it \
         was not that loop is what the read cost: program, kernel, the Linux server, the disk's server, interrupts, and the turns' ends of the other. What the clock's ticks take meanwhile is taken off. Medians of 15; the same static \
         programs on both systems.{kernel}"
    );
    Experiment::new("blocking-read", "A read that has to be waited for", &["read", "bytes", "system", "architecture", "isolation"])
        .question("What does a read cost that has to be waited for, by two servers and by Linux's kernel, and who else is held up by it?")
        .about(&about, "cargo xtask bench experiment blocking-read --json FILE")
        .without("Device time: QEMU's disk is a file of the machine's, and how long it takes is not the guest's affair. So the share of the time that is left to another process says how short the work is beside the wait, not how fast a disk is.")
        .without("Linux reads into the program's own pages where it is asked for that, and here each byte is copied once: the emulator counts each step of such a copy as an instruction, of eight bytes or of one.")
        .without("Reads ahead: Linux is told that places are random, and the Linux server does not read ahead.")
        .column("instructions", "instructions", How::Counted)
        .column("server", "instructions", How::Counted)
        .column("servers_kernel", "instructions", How::Counted)
        .column("driver", "instructions", How::Counted)
        .column("drivers_kernel", "instructions", How::Counted)
        .column("left", "thousandths of all", How::Measured)
        .column("ratio", "times Linux's", How::Counted)
        .plot(bars("Instructions of a direct read of so many bytes", "direct read"))
        .plot(bars("Instructions of a read of what is not in memory", "read"))
}

/// Reads, with what each system makes of them.
fn text(reads: &[Read]) -> String {
    let mut heading =
        ["read", "architecture", "system", "isolation", "instructions", "ratio"].map(str::to_owned).to_vec();
    heading.extend(PARTS.map(|(_, column)| column.replace('_', " ")));
    let show = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let lines = reads.iter().map(|read| {
        let ratio = read.ratio(reads).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let mut cells = vec![read.name.clone(), read.side.architecture.word().to_owned(), read.system().to_owned()];
        cells.extend([read.side.mode(), read.instructions.to_string(), ratio]);
        cells.extend(read.parts.map(show));
        cells
    });
    text_table([heading].into_iter().chain(lines).collect())
}
