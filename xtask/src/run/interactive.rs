//! `cargo xtask run --interactive`: a shell on the person's terminal.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::boot::Ending;
use crate::build::{Config, Scenario};
use crate::machine::serial::Console;
use crate::options::{ConfigOptions, MachineOptions};
use crate::prepare::Prepared;
use crate::setup::Needs;

/// Boots and connects the terminal.
pub fn run(machine: &MachineOptions, config: &ConfigOptions) -> Result<ExitCode> {
    let prepared = Prepared::new(Needs::EMULATOR)?;
    let machine = machine.machine();
    let mut config = config.apply(Config::new([Scenario::Shell]), machine.accelerator)?;
    if machine.disk.is_some() {
        config.extra.push(("disk".to_owned(), "yes".to_owned()));
    }
    println!("The terminal is the machine's serial port now; ^] ends it.");
    match prepared.boot_interactive("interactive", &machine, &config, Console::First)? {
        Ending::Escaped => println!("\nended by ^]"),
        ending => {
            if let Some(complaint) = ending.complaint() {
                bail!("{complaint}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
