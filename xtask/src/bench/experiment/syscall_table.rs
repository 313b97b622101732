//! The published table of what a system call costs: getpid by Debian's own kernel, by a server in another page table, and by the arena's host.
//!
//! In each of them one 32-bit program makes the call by `int 0x80`, between two marks of the counting plugin's.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_model::{Class, PROCESSORS, Processor, Record};

use super::{Outcome, Scope};
use crate::bench::linux;
use crate::boot::Show;
use crate::build::Config;
use crate::counts::{Counted, Library, records, table};
use crate::figures::{Experiment, How, Limits, Plot, Row, Shape};
use crate::linux::{Architecture, Job, Node, Tree, Work, archive, status};
use crate::machine::Machine;
use crate::options::Isolation;
use crate::prepare::Prepared;
use crate::process;
use crate::report::text_table;
use crate::setup::LinuxKernel;

/// The program that makes the call between marks.
const PROGRAM: &str = "linux-count";
/// Which program.
const WIDTH: Architecture = Architecture::I386;
/// Rounds of which so many may have been interrupted.
const INTERRUPTED: u64 = 5;
/// Linux's addresses are where the model takes them to be, and the same each time.
const IN_PLACE: &str = "nokaslr";

/// Who answers the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    /// Linux's kernel.
    Native,
    /// The Linux server in a page table of its own, as on other microkernels.
    Apart(Isolation),
    /// The Linux server as the arena's host.
    Host(Isolation),
}

/// Those of this system.
const SERVERS: [Server; 4] = [
    Server::Apart(Isolation::PageUntagged),
    Server::Apart(Isolation::Page),
    Server::Host(Isolation::Page),
    Server::Host(Isolation::Segment),
];

/// What the published table has: cycles and TLB misses of a call, on a Duron 800 with Linux 2.6.16, natively and as a server on L4.
const PUBLISHED: [(Server, f64, f64); 2] =
    [(Server::Native, 260.0, 0.002), (Server::Apart(Isolation::PageUntagged), 3700.0, 6.0)];

/// What a call may take, all instructions of program, kernel and server together: what it takes today, with some 2 % more.
const INSTRUCTIONS: [(bool, u64); 2] = [(true, 104), (false, 2520)];
/// Walks of page tables that it may take where a new root flushes the TLB: what it takes today, and one more.
const WALKS: f64 = 5.0;

impl Server {
    fn title(self) -> &'static str {
        match self {
            Self::Native => "Linux's kernel",
            Self::Apart(_) => "server in its own page table",
            Self::Host(_) => "the arena's host",
        }
    }

    const fn isolation(self) -> Option<Isolation> {
        match self {
            Self::Native => None,
            Self::Apart(isolation) | Self::Host(isolation) => Some(isolation),
        }
    }

    fn is_tagged(self) -> bool {
        self.isolation() == Some(Isolation::Page)
    }

    fn boot_name(self) -> String {
        let kind = if matches!(self, Self::Host(_)) { "host" } else { "apart" };
        format!("syscall-table-{kind}-{}", self.isolation().map_or("-", Isolation::word))
    }
}

/// Does it.
pub fn run(prepared: &Prepared, limit: Duration, scope: Scope) -> Result<Outcome> {
    let library = Library::build(&prepared.workspace)?;
    let platform = Machine::of_tests().platform()?;
    let mut measured = Vec::new();
    let mut version = None;
    if scope == Scope::All {
        let kernel = LinuxKernel::require(&prepared.workspace)?;
        println!("--- Linux {} with the counting plugin", kernel.version());
        measured.push((Server::Native, only(native(prepared, &library, &kernel, limit)?)?));
        version = Some(kernel.version().to_owned());
    }
    for server in SERVERS {
        println!("--- boot `{}`: QEMU with the counting plugin", server.boot_name());
        measured.push((server, only(here(prepared, &library, server, limit)?)?));
    }
    let rows = measured.iter().flat_map(|(server, record)| {
        PROCESSORS.iter().filter_map(|processor| row(*server, record, processor, &platform))
    });
    let experiment = empty(version.as_deref()).rows(rows);
    let table = text(&measured);
    let checks = measured.iter().map(|(server, record)| (server.boot_name(), check(*server, record)));
    Ok(Outcome { experiment, table, checks: checks.collect() })
}

fn only(records: Vec<Record>) -> Result<Record> {
    let [record] = <[Record; 1]>::try_from(records).map_err(|all| anyhow::anyhow!("{} records, not 1", all.len()))?;
    ensure!(record.alike + INTERRUPTED >= record.rounds, "only {} of {} are alike", record.alike, record.rounds);
    Ok(record)
}

/// Where the program is.
fn path() -> String {
    format!("/{}/{PROGRAM}", WIDTH.folder())
}

/// What the benchmark of system calls has, and the program.
fn tree(prepared: &Prepared) -> Result<Tree> {
    let mut tree = linux::Scope::Calls.tree(prepared)?;
    tree.put(&path(), Node::program(prepared.build.program(&format!("{}/{PROGRAM}", WIDTH.word()))?))?;
    Ok(tree)
}

/// On this system.
fn here(prepared: &Prepared, library: &Library, server: Server, limit: Duration) -> Result<Vec<Record>> {
    let job = Job::new(tree(prepared)?, Work::Program(vec![path()]));
    let isolation = server.isolation().context("Linux's kernel is another system")?;
    let mut config = Config { isolation, allow_unenforced: isolation == Isolation::Segment, ..job.config()? };
    if matches!(server, Server::Apart(_)) {
        config.extra.push(("linux_apart".to_owned(), "yes".to_owned()));
    }
    let counted = Counted::of(prepared, library, &server.boot_name(), config, (limit, Show::Nothing))?;
    let (code, complaint) = status(&counted.report);
    let complaint = complaint.unwrap_or_else(|| format!("it exited with status {code}"));
    ensure!(code == 0, "{}: {complaint}", server.boot_name());
    Ok(counted.records)
}

/// On Debian's own kernel, whose first program starts the one that counts and then restarts the machine.
fn native(prepared: &Prepared, library: &Library, kernel: &LinuxKernel, limit: Duration) -> Result<Vec<Record>> {
    let folder = prepared.folder("syscall-table-native");
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let write = |path: &Path, contents: &[u8]| {
        fs::write(path, contents).with_context(|| format!("can't write {}", path.display()))
    };
    let tree = folder.join("tree.cpio");
    write(&tree, &archive(&self::tree(prepared)?)?)?;
    let first = linux::path(Architecture::Amd64);
    let parameters = format!("{} {IN_PLACE} rdinit={first} -- init counts {}", linux::PARAMETERS, path());
    let machine = Machine { plugin: Some(library.plugin_of_linux()), ..Machine::of_tests().counting_instructions() };
    let mut command = machine.linux_command(&kernel.image, &tree, &parameters, &folder)?;
    let text = process::output_within(&mut command, limit, |_| ()).context("the boot of Debian's kernel")?;
    write(&folder.join("serial.log"), text.as_bytes())?;
    records(&folder)
}

fn empty(version: Option<&str>) -> Experiment {
    let kernel = version.map(|version| format!(" Linux's kernel is Debian's, {version}.")).unwrap_or_default();
    let bars = |title, y: &[&str]| {
        let plot = Plot::new(title, Shape::Bars, &["server", "isolation"], y);
        plot.only("processor", [PROCESSORS[0].title])
    };
    Experiment::new("syscall-table", "A system call, as in the published table", &["server", "isolation", "processor"])
        .question("What does a Linux system call cost natively, by a server in a page table of its own, and by a server in the arena? Do published figures come out again?")
        .about(
            &format!(
                "A 32-bit program makes the shortest system call, getpid, by int 0x80: a thousand times, of which a quarter warms up. Counted is all between its two \
                 instructions around the call: program, kernel and server. The published table is of a Duron 800 with Linux 2.6.16, natively and as a server on L4, \
                 in a page table of its own, without tags.{kernel}"
            ),
            "cargo xtask bench experiment syscall-table --json FILE",
        )
        .modelled_by_the_plugin()
        .without("Where a mode is tagged the Duron's rows are what it would be with tags.")
        .column("instructions", "instructions", How::Counted)
        .column("kernel", "instructions", How::Counted)
        .column("code_lines", "lines", How::Counted)
        .column("data_lines", "lines", How::Counted)
        .column("pages", "pages", How::Counted)
        .column("cr3_writes", "writes", How::Counted)
        .column("walks", "walks", How::Modelled)
        .column("cycles", "cycles", How::Modelled)
        .column("of_instructions", "cycles", How::Modelled)
        .column("of_special", "cycles", How::Modelled)
        .column("of_walks", "cycles", How::Modelled)
        .column("of_second_tlb", "cycles", How::Modelled)
        .column("of_caches", "cycles", How::Modelled)
        .column("published_walks", "TLB misses", How::Measured)
        .column("published_cycles", "cycles", How::Measured)
        .plot(bars("Cycles of a getpid on a Duron 800", &["of_instructions", "of_special", "of_walks", "of_second_tlb", "of_caches"]))
        .plot(bars("Walks of page tables of a getpid on a Duron 800", &["walks"]))
}

fn row(server: Server, record: &Record, processor: &Processor, platform: &str) -> Option<Row> {
    let modelled = record.on(processor.name, server.is_tagged())?;
    let (counts, cycles) = (&record.counts, &modelled.cycles);
    let isolation = server.isolation().map(Isolation::word);
    let published = PUBLISHED.iter().find(|&&(other, ..)| other == server && processor.name == "duron");
    let row = Row::new(platform, Limits::of(isolation, false))
        .key("server", server.title())
        .key("isolation", isolation.unwrap_or("-"))
        .key("processor", processor.title)
        .figure("instructions", counts.user.instructions + counts.kernel.instructions)
        .figure("kernel", counts.kernel.instructions)
        .figure("code_lines", counts.user.code_lines + counts.kernel.code_lines)
        .figure("data_lines", counts.user.data_lines + counts.kernel.data_lines)
        .figure("pages", counts.pages)
        .figure("cr3_writes", counts.class(Class::Cr3Write))
        .figure("walks", record.walks(modelled))
        .figure("cycles", cycles.total())
        .figure("of_instructions", cycles.instructions)
        .figure("of_special", cycles.special)
        .figure("of_walks", cycles.walks)
        .figure("of_second_tlb", cycles.second_tlb)
        .figure("of_caches", cycles.caches)
        .figure_if("published_walks", published.map(|&(.., walks)| walks))
        .figure_if("published_cycles", published.map(|&(_, cycles, _)| cycles));
    Some(row)
}

/// Counts, and what the first two processors make of them.
fn text(measured: &[(Server, Record)]) -> String {
    let two = [PROCESSORS[0], PROCESSORS[1]];
    let mut heading =
        ["getpid by", "isolation", "instructions", "kernel", "cr3", "published"].map(str::to_owned).to_vec();
    heading.extend(two.map(|processor| format!("{}: cycles, walks", processor.title)));
    let lines = measured.iter().map(|(server, record)| {
        let counts = &record.counts;
        let published = PUBLISHED.iter().find(|(other, ..)| other == server);
        let published = published.map_or_else(|| "-".to_owned(), |(_, cycles, walks)| format!("{cycles}, {walks}"));
        let mut cells = vec![server.title().to_owned(), server.isolation().map_or("-", Isolation::word).to_owned()];
        cells.push((counts.user.instructions + counts.kernel.instructions).to_string());
        cells.extend([counts.kernel.instructions, counts.class(Class::Cr3Write)].map(|count| count.to_string()));
        cells.push(published);
        cells.extend(two.map(|processor| match record.on(processor.name, server.is_tagged()) {
            Some(modelled) => {
                format!("{}, {:.0}", table::cycles(modelled.cycles.total()), record.walks(modelled))
            }
            None => "-".to_owned(),
        }));
        cells
    });
    text_table([heading].into_iter().chain(lines).collect())
}

/// What no price has a part in.
fn check(server: Server, record: &Record) -> Result<()> {
    let Some(_) = server.isolation() else { return Ok(()) };
    let counts = &record.counts;
    let is_host = matches!(server, Server::Host(_));
    let writes = counts.class(Class::Cr3Write);
    ensure!(writes == if is_host { 0 } else { 2 }, "{writes} writes of CR3");
    let instructions = counts.user.instructions + counts.kernel.instructions;
    let limit = INSTRUCTIONS.iter().find(|&&(of_host, _)| of_host == is_host).map_or(0, |&(_, limit)| limit);
    ensure!(instructions <= limit, "{instructions} instructions, the limit is {limit}");
    for processor in PROCESSORS {
        let modelled = record.on(processor.name, server.is_tagged()).context("a processor without figures")?;
        let walks = record.walks(modelled);
        let limit = if is_host || server.is_tagged() { 0.0 } else { WALKS };
        ensure!(walks <= limit, "{walks} walks on {}, the limit is {limit}", processor.title);
        ensure!(limit == 0.0 || walks >= 2.0, "{walks} walks on {}, with two new roots", processor.title);
    }
    Ok(())
}
