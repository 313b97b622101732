//! The program on Debian's own kernel.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::figures;
use super::side::{Scope, Side, SideFigures, path};
use crate::linux::{Architecture, archive};
use crate::machine::Machine;
use crate::prepare::Prepared;
use crate::process;
use crate::setup::LinuxKernel;

/// Name of the boot.
const BOOT: &str = "bench-linux-native";
/// What the kernel is told: to print on the serial port, and little; without the work against leaks of processors that this one does not
/// have; and to restart where it can't go on, which ends the emulator.
pub const PARAMETERS: &str = "console=ttyS0 quiet loglevel=0 mitigations=off panic=-1";

/// Boots, and lets the programs measure one after the other: the first program starts both, and then restarts the machine, which is the end.
pub fn measure(
    prepared: &Prepared,
    kernel: &LinuxKernel,
    scope: &Scope,
    architectures: &[Architecture],
    limit: Duration,
) -> Result<Vec<SideFigures>> {
    let folder = prepared.folder(BOOT);
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let tree = folder.join("tree.cpio");
    fs::write(&tree, archive(&scope.tree(prepared)?)?).with_context(|| format!("can't write {}", tree.display()))?;
    let programs: Vec<_> = architectures.iter().map(|&architecture| path(architecture)).collect();
    let first = path(Architecture::Amd64);
    let parameters = format!("{PARAMETERS} rdinit={first} -- init {} {}", scope.word(), programs.join(" "));
    let machine = Machine::of_tests().counting_instructions();
    let mut command = machine.linux_command(&kernel.image, &tree, &parameters, &folder)?;
    let text = process::output_within(&mut command, limit, |_| ()).context("the boot of Debian's kernel")?;
    let log = folder.join("serial.log");
    fs::write(&log, &text).with_context(|| format!("can't write {}", log.display()))?;
    let measured = figures::read(&text)?;
    let found: Vec<_> = measured.iter().map(|(architecture, _)| *architecture).collect();
    ensure!(
        found == architectures,
        "Debian's kernel did not run all programs; what it printed is in {}",
        log.display()
    );
    let side = |(architecture, figures)| SideFigures { side: Side::linux(architecture), figures };
    Ok(measured.into_iter().map(side).collect())
}
