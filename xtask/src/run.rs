//! `cargo xtask run`: the whole system at work, or somebody's program beside witnesses.

mod interactive;
mod program;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use self::program::ProgramOptions;
use crate::bench;
use crate::build::Scenario;
use crate::options::{ConfigOptions, MachineOptions, Timeout};
use crate::prepare::Prepared;
use crate::setup::Needs;

/// Boots, runs the mixed workload, and prints what switching costs; or runs a program of yours, or a shell.
///
/// Three boots: the first runs freely, does the mixed workload and measures ticks; the second, under TCG with a
/// time-stamp counter that counts instructions, measures the same operations once more; the third, with a kernel built to
/// count what it loads, CR3 writes and segment loads. The exit status is 0
/// if all went well; otherwise the last line says what did not.
///
/// With `--program` there is one boot, with that program as a task that nobody trusts, beside witnesses: small tasks
/// in the neighbouring slots, an arena host and a 64-bit task, which hold secrets in memory and registers and watch over them.
/// What it prints comes line by line after `| `; then it is said how it ended, and whether the witnesses are whole.
/// The exit status is 0 only if it ended by itself with code 0 and they are. Else it is
/// 3 if it ended with another code, 4 if by an exception, 5 if it did not end in time, 6 if the file was refused,
/// 7 if a witness came to harm, 8 if the system failed; 1 and 2 if it did not come to that.
///
/// With `--interactive` there is one boot, with this terminal on the guest's serial port and a small shell to talk to; `help` says what
/// it can do, and ^] ends the machine whatever it does. The input may be a file or a pipe as well.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Start a shell on this terminal.
    #[arg(long, short, conflicts_with = "program")]
    interactive: bool,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    program: ProgramOptions,
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Runs the subcommand.
pub fn main(Arguments { interactive, program, machine, config, timeout }: Arguments) -> Result<ExitCode> {
    if interactive {
        return interactive::run(&machine, &config);
    }
    if let Some(file) = &program.program {
        return program::run(file, &program, &machine, &config, timeout);
    }
    let prepared = Prepared::new(Needs::EMULATOR)?;
    let scenarios = [Scenario::Workload, Scenario::Bench];
    bench::measure(&prepared, &scenarios, machine.machine(), &config, timeout)?.print()?;
    Ok(ExitCode::SUCCESS)
}
