//! `cargo xtask test`: all tests, on the host and in the emulator.

mod attack;
mod clocks;
mod counts;
mod disk;
mod experiments;
mod guest;
mod host;
mod linux;
mod linux_costs;
mod linux_demo;
mod linux_disk;
mod linux_robust;
mod linux_terminal;
mod program;
mod side_by_side;
mod stretches;
mod tally;

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Args;

use self::side_by_side::Suite;
use self::tally::Tally;
use crate::bench;
use crate::boot::Outcome;
use crate::build::{Build, TextSize, text_size};
use crate::ipc_path;
use crate::linux::LinePrograms;
use crate::options::Timeout;
use crate::prepare::Prepared;
use crate::setup::Needs;
use crate::workspace::Workspace;

/// What the kernel's machine code that stays while user code runs may take: little more than it does. 100 KiB are wanted: see the caveats.
const KERNEL_TEXT: u64 = 118 * 1024;

/// Runs all tests.
///
/// Those of the parts that run on the host, and, in the emulator, programs that check themselves and
/// the kernel: by BIOS and by UEFI, on processor models of several makes, and once under a time-stamp counter
/// that counts instructions, where each IPC path has its budget; then programs in C as `run --program` runs
/// them, lines of Linux's programs as `linux` runs them and what their system calls cost, and the attack suite,
/// both in QEMU and in Bochs. Boots run side by side, as many as there are CPUs, those in Bochs first; one after
/// the other where everything is shown. The last line is `N passed, N failed`, with `, N skipped` where tests
/// were skipped; the exit status is 0 if none failed.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Run only suites whose name contains this: `host`, `kernel-size`, `ipc-path` or the name of a boot.
    #[arg(long, value_name = "FILTER")]
    only: Option<String>,
    /// List the suites and run none.
    #[arg(long)]
    list: bool,
    /// Show every test and what the guest prints.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    timeout: Timeout,
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> ExitCode {
    if arguments.list {
        suites().for_each(|name| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let mut tally = Tally::new(arguments.verbose);
    if let Err(error) = all(&arguments, &mut tally) {
        tally.count("set-up", "build", &Outcome::Failed(format!("{error:#}")));
    }
    println!("{}", tally.counts());
    if tally.all_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Names of all suites, in the order in which they run.
fn suites() -> impl Iterator<Item = &'static str> {
    let guest = guest::BOOTS.iter().map(|boot| boot.name);
    let program = program::BOOTS.iter().map(|boot| boot.name);
    let linux = linux::BOOTS.iter().map(|boot| boot.name);
    let robust = linux_robust::BOOTS.iter().map(|boot| boot.name);
    let disks = linux_disk::BOOTS.iter().map(|boot| boot.name);
    let costs = linux_costs::BOOTS.iter().map(|boot| boot.name);
    let counted = counts::BOOTS.iter().map(|boot| boot.name);
    let experiments = experiments::TRIALS.iter().map(|trial| trial.name);
    let stretches = bench::stretches::BOOTS.iter().map(|boot| boot.name);
    let attack = attack::BOOTS.iter().map(|boot| boot.name);
    let own = [SIZE, PATHS, host::NAME].into_iter();
    let boots = guest
        .chain([disk::NAME])
        .chain(stretches)
        .chain(counted)
        .chain([clocks::NAME])
        .chain(experiments)
        .chain(program)
        .chain(linux)
        .chain([linux_terminal::NAME, linux_demo::NAME])
        .chain(robust)
        .chain(disks)
        .chain(costs)
        .chain(attack);
    let mut boots: Vec<_> = boots.collect();
    boots.sort_by_key(|name| turn(name));
    own.chain(boots)
}

/// When a boot has its turn: those in Bochs, which is slow, first. A long one that came last would leave the other processors with nothing to do.
fn turn(name: &str) -> bool {
    !name.contains(BOCHS)
}

/// What is in the name of a boot in Bochs.
const BOCHS: &str = "bochs";
const SIZE: &str = "kernel-size";
const PATHS: &str = "ipc-path";

fn all(arguments: &Arguments, tally: &mut Tally) -> Result<()> {
    let wanted = |name: &str| arguments.only.as_ref().is_none_or(|filter| name.contains(filter.as_str()));
    anyhow::ensure!(suites().any(wanted), "no suite has this in its name; `--list` names them");
    let workspace = Workspace::find()?;
    let host = |tally: &mut Tally| host::run(&workspace, tally);
    if !suites().any(|name| name != host::NAME && wanted(name)) {
        host(tally);
        return Ok(());
    }
    let bochs = suites().filter(|name| name.contains(BOCHS)).any(wanted);
    let prepared = match Prepared::new(Needs { bochs, ..Needs::EMULATOR }) {
        Ok(prepared) => prepared,
        Err(error) => {
            if wanted(host::NAME) {
                host(tally);
            }
            return Err(error.context("the guest tests can't run"));
        }
    };
    if wanted(SIZE) {
        size(&prepared.build, tally);
    }
    if wanted(PATHS) {
        paths(&prepared.build, tally);
    }
    let (limit, verbose) = (arguments.timeout.duration(), arguments.verbose);
    // Before the boots begin, so that two do not download at the same time.
    let linux = linux::BOOTS.iter().map(|boot| boot.name).chain([linux_terminal::NAME, linux_demo::NAME]);
    let linux = linux.chain(linux_robust::BOOTS.iter().map(|boot| boot.name));
    let linux = linux.chain(linux_disk::BOOTS.iter().map(|boot| boot.name)).any(wanted);
    let programs = if linux { LinePrograms::require(&prepared.workspace) } else { Err(anyhow!("not wanted")) };
    let mut boots: Vec<(&str, Suite)> = Vec::new();
    for boot in &guest::BOOTS {
        boots.push((boot.name, Box::new(|tally| boot.run(&prepared, limit, verbose, tally))));
    }
    boots.push((disk::NAME, Box::new(|tally| disk::run(&prepared, limit, verbose, tally))));
    for boot in &bench::stretches::BOOTS {
        boots.push((boot.name, Box::new(|tally| stretches::run(boot, &prepared, limit, tally))));
    }
    for boot in &counts::BOOTS {
        boots.push((boot.name, Box::new(|tally| boot.run(&prepared, limit, verbose, tally))));
    }
    boots.push((clocks::NAME, Box::new(|tally| clocks::run(&prepared, limit, verbose, tally))));
    for trial in &experiments::TRIALS {
        boots.push((trial.name, Box::new(|tally| trial.run(&prepared, limit, tally))));
    }
    for boot in &program::BOOTS {
        boots.push((boot.name, Box::new(|tally| boot.run(&prepared, limit, verbose, tally))));
    }
    for boot in &linux::BOOTS {
        boots.push((boot.name, Box::new(|tally| boot.run(&prepared, &programs, limit, verbose, tally))));
    }
    boots.push((linux_terminal::NAME, Box::new(|tally| linux_terminal::run(&prepared, &programs, limit, tally))));
    for boot in &linux_robust::BOOTS {
        boots.push((boot.name, Box::new(|tally| boot.run(&prepared, &programs, limit, verbose, tally))));
    }
    for boot in &linux_disk::BOOTS {
        boots.push((boot.name, Box::new(|tally| boot.run(&prepared, &programs, limit, verbose, tally))));
    }
    boots.push((linux_demo::NAME, Box::new(|tally| linux_demo::run(&prepared, &programs, limit, tally))));
    for boot in &linux_costs::BOOTS {
        boots.push((boot.name, Box::new(|tally| boot.run(&prepared, limit, tally))));
    }
    for boot in &attack::BOOTS {
        boots.push((boot.name, Box::new(|tally| boot.run(&prepared, limit, verbose, tally))));
    }
    boots.sort_by_key(|(name, _)| turn(name));
    // Beside boots: its longest tests keep one processor busy each.
    boots.insert(0, (host::NAME, Box::new(host)));
    let boots = boots.into_iter().filter(|(name, _)| wanted(name)).map(|(_, boot)| boot).collect();
    side_by_side::run(boots, tally);
    Ok(())
}

fn size(build: &Build, tally: &mut Tally) {
    let outcome = match text_size(&build.kernel) {
        Ok(TextSize { stays: ..KERNEL_TEXT, .. }) => Outcome::Passed,
        Ok(TextSize { stays, .. }) => Outcome::Failed(format!("{stays} bytes of text, the limit is {KERNEL_TEXT}")),
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    tally.suite(SIZE, |tally| tally.count(SIZE, "text below its limit", &outcome));
}

/// Whether the fast path is, as it was built, what the benchmark's budgets say.
fn paths(build: &Build, tally: &mut Tally) {
    let outcome = |result: Result<()>| match result {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    tally.suite(PATHS, |tally| match ipc_path::walks(&build.kernel) {
        Ok(walks) => {
            for (route, walk) in walks {
                tally.count(PATHS, &route.title(), &outcome(ipc_path::check(&route, &walk)));
            }
        }
        Err(error) => tally.count(PATHS, "walks", &outcome(Err(error))),
    });
}
