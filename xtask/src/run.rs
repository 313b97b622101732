//! `cargo xtask run`: the whole system at work.

use anyhow::Result;
use clap::Args;

use crate::bench;
use crate::build::Scenario;
use crate::options::{ConfigOptions, MachineOptions, Timeout};
use crate::prepare::Prepared;
use crate::setup::Needs;

/// Boots, runs the mixed workload, and prints what switching costs.
///
/// Two boots: the first runs freely, does the mixed workload and measures ticks; the second, under TCG with a
/// time-stamp counter that counts instructions, measures the same operations once more. The exit status is 0
/// if all went well; otherwise the last line says what did not.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Runs the subcommand.
pub fn main(Arguments { machine, config, timeout }: Arguments) -> Result<()> {
    let prepared = Prepared::new(Needs::EMULATOR)?;
    let scenarios = [Scenario::Workload, Scenario::Bench];
    bench::measure(&prepared, &scenarios, machine.machine(), &config, timeout)?.print()
}
