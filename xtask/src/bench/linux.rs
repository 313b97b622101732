//! `cargo xtask bench linux`: what Linux's system calls cost here and on Linux.

mod budgets;
mod figures;
mod native;
mod side;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

pub use self::budgets::{Budgets, CALLS, READS};
pub use self::figures::{Figure, read as read_figures};
pub use self::native::PARAMETERS;
use self::side::SideFigures;
pub use self::side::{LILLIPUT, Scope, Side, path};
use self::table::Measured;
use crate::figures::Figures;
use crate::linux::Architecture;
use crate::machine::Machine;
use crate::options::Timeout;
use crate::prepare::Prepared;
use crate::setup::{LinuxKernel, LinuxPrograms, Needs};

/// Seconds that a boot may take unless something else is asked for.
const LIMIT: u64 = 600;

/// Measures what Linux's system calls cost, on this system and on Debian's own kernel, and shows the ratio.
///
/// The same two static programs, i386 and amd64, run on both, in the same QEMU with a time-stamp counter that counts instructions: those of the program, of
/// the kernel, and of the server here, together. 32-bit programs are measured in each isolation mode; in `segment` mode QEMU enforces nothing, and the
/// figures say UNENFORCED. The last rows are whole programs of Debian's busybox, from the fork to the wait. Debian's kernel, 70 MB, is
/// downloaded when it is first needed.
///
/// With `--json` the same figures are written as a list of records with these keys:
///
///   name          the operation
///   architecture  of the program: i386 or amd64
///   system        lilliput or linux
///   isolation     segment, page, page-untagged, or null where no small task takes part
///   further       whether the small task is in another arena than the server, as it is where 40 others run
///   large         whether it is a large task, as one that has mapped 1 GiB is
///   instructions  the median; null where the system does not have the operation
///   least         the least of all rounds, or null
///   rounds        how many there were, or null
///   error         Linux's number of the error where the system does not have it, or null
///   ratio         of the instructions to those of the same program on Linux, or null
///   platform      of the emulator
///   kernel        the version of Debian's kernel that the ratio is to, or null
///   mark          UNENFORCED where small tasks were not confined, or null
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure programs of this width only.
    #[arg(long, value_enum)]
    arch: Option<Architecture>,
    /// Leave the whole programs out.
    #[arg(long)]
    calls: bool,
    /// Measure on this system only, without Debian's kernel and so without ratios.
    #[arg(long)]
    alone: bool,
    /// Seconds after which a boot is ended.
    #[arg(long, value_name = "SECONDS", default_value_t = LIMIT)]
    timeout: u64,
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<()> {
    let prepared = Prepared::new(Needs::EMULATOR)?;
    let measured = measure(&prepared, &arguments)?;
    if let Some(file) = &arguments.json {
        std::fs::write(file, measured.json()?).with_context(|| format!("can't write {}", file.display()))?;
    }
    println!("\n{}", measured.text());
    check(&measured)
}

/// The figures alone, of all that there is.
pub fn figures(prepared: &Prepared, _: Timeout) -> Result<Figures> {
    let all = Arguments { json: None, arch: None, calls: false, alone: false, timeout: LIMIT };
    let measured = measure(prepared, &all)?;
    check(&measured)?;
    Figures::parse(&measured.json()?)
}

fn measure(prepared: &Prepared, arguments: &Arguments) -> Result<Measured> {
    let limit = Duration::from_secs(arguments.timeout);
    let is_wanted = |architecture: Architecture| arguments.arch.is_none_or(|only| only == architecture);
    let scope = match arguments.calls {
        true => Scope::Calls,
        false => Scope::All(LinuxPrograms::require(&prepared.workspace)?),
    };
    let machine = Machine::of_tests().counting_instructions();
    let platform = machine.platform()?;
    let kernel = if arguments.alone { None } else { Some(LinuxKernel::require(&prepared.workspace)?) };
    let mut sides = Vec::new();
    if let Some(kernel) = &kernel {
        println!("--- Linux {} on {platform}, counting instructions", kernel.version());
        let architectures: Vec<_> = Architecture::ALL.into_iter().filter(|&width| is_wanted(width)).collect();
        sides.extend(native::measure(prepared, kernel, &scope, &architectures, limit)?);
    }
    for side in LILLIPUT.iter().filter(|side| is_wanted(side.architecture)) {
        println!("--- {side} on {platform}, counting instructions");
        let figures = side.measure(prepared, &side.boot_name(), &scope, limit)?;
        sides.push(SideFigures { side: *side, figures });
    }
    Ok(Measured { sides, platform, kernel: kernel.as_ref().map(|kernel| kernel.version().to_owned()) })
}

fn check(measured: &Measured) -> Result<()> {
    match measured.gaps() {
        gaps if gaps.is_empty() => Ok(()),
        gaps => bail!("not measured: {}", gaps.join(", ")),
    }
}
