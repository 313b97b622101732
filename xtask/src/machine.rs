//! The emulated machine.

pub mod accelerator;
pub mod bochs;
mod emulator;
pub mod firmware;
mod plugin;
pub mod qmp;
pub mod serial;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use self::accelerator::Accelerator;
pub use self::emulator::Emulator;
pub use self::firmware::Firmware;
pub use self::plugin::{Plugin, Watched};
use self::serial::Console;
use crate::process;

/// The emulator's program.
const PROGRAM: &str = "qemu-system-x86_64";

/// A disk of virtio's.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its image.
    pub image: PathBuf,
    /// Whether the guest may only read it.
    pub read_only: bool,
    /// How many requests a second it can do, at most; else as many as it can.
    pub requests: Option<u32>,
}

impl Disk {
    fn option(&self) -> Result<String> {
        let mut option = format!("if=none,id=disk,format=raw,file={}", escaped(&self.image)?);
        if self.read_only {
            option += ",readonly=on";
        }
        if let Some(requests) = self.requests {
            option += &format!(",throttling.iops-total={requests}");
        }
        Ok(option)
    }
}

/// A machine to boot on.
#[derive(Clone, Debug)]
pub struct Machine {
    /// How instructions are run.
    pub accelerator: Accelerator,
    /// Firmware to boot by.
    pub firmware: Firmware,
    /// Number of processors.
    pub cpus: u32,
    /// Memory, as QEMU takes it.
    pub memory: String,
    /// Processor model.
    pub cpu: String,
    /// A disk of virtio's, with this image.
    pub disk: Option<Disk>,
    /// Makes the time-stamp counter count instructions, which takes TCG and one processor.
    pub count_instructions: bool,
    /// Where instructions are counted, each takes two to the power of this in nanoseconds of the guest's time. Only with 0 the time-stamp counter's
    /// ticks are instructions; with more the guest, whose clock goes faster then, executes fewer of them while it waits for a time.
    pub pace: u32,
    /// What looks at each instruction, under TCG.
    pub plugin: Option<Plugin>,
}

impl Machine {
    /// The machine of most tests: in software, so that what comes of them does not depend on the machine that runs them.
    pub fn of_tests() -> Self {
        Self {
            accelerator: Accelerator::Tcg,
            firmware: Firmware::Bios,
            cpus: 1,
            memory: "512M".to_owned(),
            cpu: "max".to_owned(),
            disk: None,
            count_instructions: false,
            pace: 0,
            plugin: None,
        }
    }

    /// The same machine with a time-stamp counter that counts instructions.
    pub fn counting_instructions(&self) -> Self {
        Self { count_instructions: true, ..self.emulated() }
    }

    /// The machine on which counts are made that don't depend on how it is emulated.
    pub fn emulated(&self) -> Self {
        let cpu = match self.accelerator {
            Accelerator::Tcg => self.cpu.clone(),
            // The host's own processor can't be emulated.
            Accelerator::Kvm => "max".to_owned(),
        };
        // Which firmware booted changes no count, and UEFI takes minutes at this pace.
        let firmware = Firmware::Bios;
        Self { accelerator: Accelerator::Tcg, firmware, cpus: 1, cpu, ..self.clone() }
    }

    /// The emulator's command line for a boot of this image: one serial port on standard input and output, the others to files, no
    /// screen, no network, and an end when the guest says so or resets. `folder` is for files of this boot.
    pub fn command(&self, image: &Path, folder: &Path, console: Console) -> Result<Command> {
        let mut command = self.bare_command();
        command.args(console.options(folder));
        let port = lilliput_abi::boot::exit::PORT;
        command.args(["-device", &format!("isa-debug-exit,iobase={port:#x},iosize=4")]);
        // A snapshot, so that firmware and guest can't change the image.
        command.arg("-drive").arg(format!("format=raw,snapshot=on,file={}", escaped(image)?));
        self.add_devices(&mut command, folder)?;
        if self.firmware == Firmware::Uefi {
            let (code, variables) = firmware::find().context("there is no UEFI firmware; install the package ovmf")?;
            let own = folder.join("uefi-variables.fd");
            std::fs::copy(&variables, &own).with_context(|| format!("can't copy {}", variables.display()))?;
            command.arg("-drive").arg(format!("if=pflash,unit=0,format=raw,readonly=on,file={}", escaped(&code)?));
            command.arg("-drive").arg(format!("if=pflash,unit=1,format=raw,file={}", escaped(&own)?));
        }
        Ok(command)
    }

    /// The command line for a boot of Linux's own kernel with this archive as its file system, on the same machine: the first serial port
    /// on standard output, and an end when the guest resets. `folder` is for files of this boot.
    pub fn linux_command(&self, kernel: &Path, tree: &Path, parameters: &str, folder: &Path) -> Result<Command> {
        let mut command = self.bare_command();
        self.add_devices(&mut command, folder)?;
        command.args(["-serial", "stdio"]);
        command.arg("-kernel").arg(kernel).arg("-initrd").arg(tree).arg("-append").arg(parameters);
        Ok(command)
    }

    /// The disk and the plugin, where there are some.
    fn add_devices(&self, command: &mut Command, folder: &Path) -> Result<()> {
        if let Some(disk) = &self.disk {
            command.arg("-drive").arg(disk.option()?);
            // As of virtio 1.0: the driver knows no older kind.
            command.args(["-device", "virtio-blk-pci,drive=disk,disable-legacy=on,disable-modern=off"]);
        }
        if let Some(plugin) = &self.plugin {
            command.arg("-plugin").arg(plugin.option(folder)?);
        }
        Ok(())
    }

    /// What all boots have in common.
    fn bare_command(&self) -> Command {
        let mut command = Command::new(process::find_program(PROGRAM).unwrap_or_else(|| PROGRAM.into()));
        command.args(["-machine", "q35", "-accel", self.accelerator.word(), "-cpu", &self.cpu]);
        command.args(["-smp", &self.cpus.to_string(), "-m", &self.memory]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-vga", "std", "-no-reboot"]);
        if self.count_instructions {
            command.args(["-icount", &format!("shift={},sleep=off", self.pace)]);
        }
        command
    }

    /// What a report says about where its figures come from.
    pub fn platform(&self) -> Result<String> {
        let version = process::output(Command::new(PROGRAM).arg("--version"))?;
        let version = version.split_whitespace().skip_while(|word| *word != "version").nth(1).unwrap_or("unknown");
        Ok(format!("QEMU {version}, {} processor model", self.cpu))
    }
}

/// A file name as a value in one of QEMU's option lists, where a comma is written twice.
fn escaped(file: &Path) -> Result<String> {
    let name = file.to_str().with_context(|| format!("{} is not a name that QEMU can be given", file.display()))?;
    Ok(name.replace(',', ",,"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_takes_one_tcg_processor() {
        let machine = Machine { accelerator: Accelerator::Kvm, cpus: 4, cpu: "host".into(), ..Machine::of_tests() };
        let counting = machine.counting_instructions();
        assert_eq!((counting.accelerator, counting.cpus, counting.cpu.as_str()), (Accelerator::Tcg, 1, "max"));
        let command = counting.command(Path::new("/a,b.img"), Path::new("/"), Console::First).unwrap();
        let words: Vec<_> = command.get_args().filter_map(|word| word.to_str()).collect();
        assert!(words.contains(&"shift=0,sleep=off") && words.contains(&"isa-debug-exit,iobase=0xf4,iosize=4"));
        assert!(words.contains(&"format=raw,snapshot=on,file=/a,,b.img"));
    }
}
