//! `cargo xtask bench experiment`: questions that are asked of systems like this one, each with an experiment of its own.

mod blocking_read;
mod colours;
mod messages;
mod on_both;
mod over_split;
mod shares;
pub mod small_files;
mod syscall_table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use lilliput_model::Record;

use crate::boot::Show;
use crate::build::Config;
use crate::counts::{Check, Counted, Library};
use crate::figures::{Experiment, Figures};
use crate::options::Timeout;
use crate::prepare::Prepared;
use crate::setup::Needs;

/// Does an experiment, prints a table of its figures, and holds the counts among them against their limits.
///
/// All but `shares`, which reads the kernel's code, are done in the emulator, most with the counting plugin, on the machine of the tests. With `--json` the figures are written in the scheme that `report`
/// reads. `kernel64/docs/measuring.md` says what came of each.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which one.
    #[arg(value_enum)]
    name: Name,
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    timeout: Timeout,
}

/// All experiments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// The system call of the published L4Linux table: on Debian's kernel, by a server in another page table, by the arena's host.
    SyscallTable,
    /// A page that is made and mapped: by the kernel alone, by a memory server, by two.
    OverSplit,
    /// A task that has to answer soon, with cache colours of its own and without; small tasks whose bases differ, and do not.
    Colours,
    /// A read of a disk that has to be waited for: by the Linux server and a disk server, and by Debian's kernel.
    BlockingRead,
    /// Small files that are opened, read and closed: by calls, by rings, by Linux's system calls.
    SmallFiles,
    /// Messages from 64 bytes to 4 MiB: in registers, through a buffer, as a string, by mapping, through a ring.
    Messages,
    /// What accounting and capabilities add to the IPC path, by the instructions of the fast path as it was built.
    Shares,
}

/// What came of an experiment.
pub struct Outcome {
    /// Its figures.
    pub experiment: Experiment,
    /// Those that people want to see, as text.
    pub table: String,
    /// What has to be true of them, whatever they are.
    pub checks: Vec<Check>,
}

/// How much of it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All, Debian's own kernel beside it included.
    All,
    /// This system alone: nothing has to be downloaded for that.
    Alone,
}

impl Name {
    /// Does it.
    pub fn run(self, prepared: &Prepared, limit: Duration, scope: Scope) -> Result<Outcome> {
        match self {
            Self::SyscallTable => syscall_table::run(prepared, limit, scope),
            Self::OverSplit => over_split::run(prepared, limit),
            Self::Colours => colours::run(prepared, limit),
            Self::SmallFiles => small_files::run(prepared, limit, scope),
            Self::BlockingRead => blocking_read::run(prepared, limit, scope),
            Self::Messages => messages::run(prepared, limit, scope),
            Self::Shares => shares::run(prepared),
        }
    }
}

impl Name {
    /// Its name on the command line.
    pub fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The figures alone; an error where what has to be true of them is not.
pub fn figures(name: Name, prepared: &Prepared, timeout: Timeout) -> Result<Figures> {
    let Outcome { experiment, checks, .. } = name.run(prepared, timeout.duration(), Scope::All)?;
    hold(checks)?;
    Ok(experiment.into())
}

fn hold(checks: Vec<Check>) -> Result<()> {
    checks.into_iter().try_for_each(|(name, outcome)| outcome.map_err(|error| error.context(name)))
}

/// Boots a scenario with the counting plugin.
fn watched(prepared: &Prepared, boot: &str, config: Config, limit: Duration) -> Result<Counted> {
    let library = Library::build(&prepared.workspace)?;
    println!("--- boot `{boot}`: QEMU with the counting plugin");
    let config = Config { allow_unenforced: true, ..config };
    let counted = Counted::of(prepared, &library, boot, config, (limit, Show::Nothing))?;
    ensure!(!counted.records.is_empty(), "the plugin saw nothing");
    Ok(counted)
}

/// Kinds of client and server, and how small ones are confined.
fn confinement(record: &Record) -> String {
    let word = |key: &str| record.case[key].as_str().unwrap_or("-").to_owned();
    let isolation = record.case["isolation"].as_str().map(|mode| format!(", {mode}")).unwrap_or_default();
    format!("{} to {}{isolation}", word("from"), word("to"))
}

fn word<'a>(record: &'a Record, key: &str) -> Result<&'a str> {
    record.case[key].as_str().with_context(|| format!("a case without `{key}`"))
}

fn number(record: &Record, key: &str) -> Result<u64> {
    record.case[key].as_u64().with_context(|| format!("a case without `{key}`"))
}

fn flag(record: &Record, key: &str) -> Result<bool> {
    record.case[key].as_bool().with_context(|| format!("a case without `{key}`"))
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<()> {
    let prepared = Prepared::new(Needs::EMULATOR)?;
    let Outcome { experiment, table, checks } =
        arguments.name.run(&prepared, arguments.timeout.duration(), Scope::All)?;
    println!("\n{}\n\n{}", experiment.title, table);
    if let Some(file) = &arguments.json {
        Figures::from(experiment).write(file)?;
    }
    hold(checks)
}
