//! `cargo xtask gdb`: the kernel under a debugger.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::Args;
use object::Object;

use crate::build::{Config, Scenario};
use crate::machine::serial::Console;
use crate::options::{ConfigOptions, MachineOptions};
use crate::prepare::Prepared;
use crate::process::{self, KilledOnDrop};
use crate::setup::Needs;

/// Starts QEMU stopped at its first instruction and attaches gdb with the kernel's symbols.
///
/// The trick that makes breakpoints work: `break` writes a breakpoint instruction into memory, and until the
/// boot loader has put the kernel there, that memory is something else or not mapped at all. So this command
/// sets one hardware breakpoint (`hbreak`) at the kernel's entry, which is a comparison in the processor and
/// needs no memory, and continues to it. From there on `break` works too, except under KVM where `hbreak`
/// (four of them at most) stays the safe choice. User programs have symbols of their own:
/// `add-symbol-file target/x86_64-unknown-none/release/NAME`.
///
/// What the guest prints goes to `target/lilliput/boots/gdb/serial.log` (follow it with `tail -f`).
/// QEMU ends when gdb does.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What the system does after boot; may be repeated.
    #[arg(long = "scenario", value_enum, default_values = ["workload"])]
    scenarios: Vec<Scenario>,
    /// TCP port of this machine on which QEMU waits for gdb.
    #[arg(long, default_value_t = 1234)]
    port: u16,
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    config: ConfigOptions,
    /// Further arguments for gdb, after `--`; for instance `-- -batch -ex backtrace`.
    #[arg(last = true, value_name = "GDB ARGUMENTS")]
    gdb: Vec<String>,
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<()> {
    let prepared = Prepared::new(Needs::DEBUGGER)?;
    let machine = arguments.machine.machine();
    let config = arguments.config.apply(Config::new(arguments.scenarios), machine.accelerator)?;
    let image = prepared.image("gdb", &machine, &config)?;
    let folder = prepared.folder("gdb");
    let mut command = machine.command(&image, &folder, Console::First)?;
    command.args(["-S", "-gdb", &format!("tcp:127.0.0.1:{}", arguments.port)]);
    command.stdin(Stdio::null()).stdout(log(&folder.join("serial.log"))?).stderr(log(&folder.join("emulator.log"))?);
    // In a process group of its own: Ctrl-C is for gdb, which passes it on to the guest.
    command.process_group(0);
    let emulator = KilledOnDrop::spawn(&mut command).context("can't start the emulator")?;
    let gdb = process::find_program("gdb").context("there is no gdb")?;
    let mut gdb = Command::new(gdb);
    gdb.arg("-q").arg(&prepared.build.kernel);
    for line in script(arguments.port, entry(&prepared.build.kernel)?) {
        gdb.arg("-ex").arg(line);
    }
    // gdb takes this process's place, and with it the terminal and its signals; the emulator is its child
    // then, and dies with it.
    let error = gdb.args(&arguments.gdb).exec();
    drop(emulator);
    Err(error).context("can't start gdb")
}

fn log(file: &Path) -> Result<File> {
    File::create(file).with_context(|| format!("can't write {}", file.display()))
}

/// Address of the kernel's first instruction.
fn entry(kernel: &Path) -> Result<u64> {
    let bytes = fs::read(kernel).with_context(|| format!("can't read {}", kernel.display()))?;
    Ok(object::File::parse(&*bytes)?.entry())
}

/// What gdb does first.
fn script(port: u16, entry: u64) -> [String; 6] {
    [
        "set confirm off".to_owned(),
        // QEMU needs a moment until it listens.
        "set tcp connect-timeout 20".to_owned(),
        format!("target remote 127.0.0.1:{port}"),
        format!("hbreak *{entry:#x}"),
        "continue".to_owned(),
        "set confirm on".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_in_hardware_before_it_continues() {
        let script = script(1234, 0xffff_ffff_8000_0000);
        let place = |text: &str| script.iter().position(|line| line == text).unwrap();
        assert!(place("hbreak *0xffffffff80000000") < place("continue"));
    }

    #[test]
    fn finds_the_entry() {
        assert_ne!(entry(&std::env::current_exe().unwrap()).unwrap(), 0);
    }
}
