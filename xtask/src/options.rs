//! Options that several subcommands share.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::build::Config;
use crate::machine::accelerator::{self, Accelerator};
use crate::machine::{Disk, Firmware, Machine};

/// How the emulator runs the processor's instructions, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// In software: works everywhere, checks no segment limits.
    Tcg,
    /// By the processor: only where it has hardware virtualisation.
    Kvm,
    /// KVM where it is usable, else TCG.
    Auto,
}

/// How small tasks are confined unless a program asks for something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// `segment` where the processor enforces limits, `page` elsewhere.
    #[default]
    Auto,
    /// By base and limit of the segment descriptors.
    Segment,
    /// By a page table of its own, with a PCID.
    Page,
    /// The same without PCID.
    PageUntagged,
}

impl Isolation {
    /// Its word in `boot.cfg` and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Segment => "segment",
            Self::Page => "page",
            Self::PageUntagged => "page-untagged",
        }
    }
}

/// Memory of a machine where nothing else is asked for.
const MEMORY: &str = "512M";

/// The machine to boot on.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Machine")]
pub struct MachineOptions {
    /// How QEMU runs the guest. KVM is used only if the processor has hardware virtualisation and /dev/kvm is
    /// open to you; otherwise a line says why it falls back to TCG.
    #[arg(long, value_enum, default_value = "auto")]
    pub accel: Accel,
    /// Firmware to boot by.
    #[arg(long, value_enum, default_value = "bios")]
    pub firmware: Firmware,
    /// Number of processors.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cpus: u32,
    /// Memory, with a unit of M or G.
    #[arg(long, value_name = "SIZE", default_value = MEMORY, value_parser = memory)]
    pub memory: String,
    /// Processor model, one of `qemu-system-x86_64 -cpu help` [default: max with TCG, host with KVM].
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// A disk of virtio's with this image: for `run --interactive`, whose shell can read it and which may write to it, and for `linux`, where it is /dev/vda and only read.
    #[arg(long, value_name = "FILE", value_parser = existing_file)]
    pub disk: Option<PathBuf>,
}

impl MachineOptions {
    /// An option that is not as it is where nothing was said, if there is one.
    pub fn chosen(&self) -> Option<&'static str> {
        let options = [
            ("--accel", self.accel != Accel::Auto),
            ("--firmware", self.firmware != Firmware::Bios),
            ("--cpus", self.cpus != 1),
            ("--memory", self.memory != MEMORY),
            ("--cpu", self.cpu.is_some()),
            ("--disk", self.disk.is_some()),
        ];
        options.into_iter().find(|(_, chosen)| *chosen).map(|(name, _)| name)
    }

    /// Settles what was left open, saying so where it is not what was asked for.
    pub fn machine(&self) -> Machine {
        let (accelerator, remark) = accelerator::choose(self.accel);
        if let Some(remark) = remark {
            eprintln!("accelerator: {remark}");
        }
        let usual = match accelerator {
            Accelerator::Tcg => "max",
            Accelerator::Kvm => "host",
        };
        Machine {
            accelerator,
            firmware: self.firmware,
            cpus: self.cpus,
            memory: self.memory.clone(),
            cpu: self.cpu.clone().unwrap_or_else(|| usual.to_owned()),
            disk: self.disk.clone().map(|image| Disk { image, read_only: false, requests: None }),
            count_instructions: false,
            pace: 0,
            plugin: None,
        }
    }
}

/// What the kernel is told at boot.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Boot configuration")]
pub struct ConfigOptions {
    /// How small tasks are confined.
    #[arg(long, value_enum, default_value = "auto")]
    pub isolation: Isolation,
    /// Let `segment` be used where nothing enforces segment limits, as with TCG. Small tasks are not confined
    /// then, and everything printed says UNENFORCED.
    #[arg(long)]
    pub allow_unenforced: bool,
    /// Have the kernel check the rules of confinement at every entry and exit. Slow.
    #[arg(long)]
    pub check_invariants: bool,
    /// Another key of boot.cfg, such as `small=400`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub extra: Vec<(String, String)>,
}

impl ConfigOptions {
    /// Puts the options into a configuration.
    pub fn fill(&self, config: Config) -> Config {
        Config {
            isolation: self.isolation,
            allow_unenforced: self.allow_unenforced,
            check_invariants: self.check_invariants,
            extra: self.extra.clone(),
            ..config
        }
    }

    /// The same for a boot on this accelerator, which has to allow it.
    pub fn apply(&self, config: Config, accelerator: Accelerator) -> Result<Config> {
        // The kernel would refuse as well; here it takes no boot to find out.
        if self.isolation == Isolation::Segment && !self.allow_unenforced && accelerator == Accelerator::Tcg {
            bail!("TCG enforces no segment limits; choose `--isolation page`, or add `--allow-unenforced`");
        }
        Ok(self.fill(config))
    }
}

/// How long a boot may last.
#[derive(Clone, Copy, Debug, Args)]
pub struct Timeout {
    /// Seconds after which a boot is ended. The kernel is asked first where it stands.
    #[arg(long = "timeout", value_name = "SECONDS", default_value_t = 300)]
    seconds: u64,
}

impl Timeout {
    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// A file's full name, since the emulator runs in a folder of its own.
fn existing_file(text: &str) -> Result<PathBuf, String> {
    std::fs::canonicalize(text).map_err(|error| error.to_string())
}

fn memory(text: &str) -> Result<String, String> {
    let number = text.strip_suffix(['M', 'G', 'm', 'g']).and_then(|number| number.parse::<u32>().ok());
    match number {
        Some(1..) => Ok(text.to_owned()),
        _ => Err("a size is a number and M or G, such as 512M".to_owned()),
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a setting is KEY=VALUE")?;
    if key.trim().is_empty() || text.contains('\n') {
        return Err("a setting is KEY=VALUE in one line".to_owned());
    }
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert!(memory("512M").is_ok() && memory("2G").is_ok());
        assert!(memory("512").is_err() && memory("0M").is_err() && memory("M").is_err());
    }

    #[test]
    fn unenforced_segments_take_a_word() {
        let mut options = ConfigOptions {
            isolation: Isolation::Segment,
            allow_unenforced: false,
            check_invariants: false,
            extra: Vec::new(),
        };
        assert!(options.apply(Config::default(), Accelerator::Tcg).is_err());
        assert!(options.apply(Config::default(), Accelerator::Kvm).is_ok());
        options.allow_unenforced = true;
        assert!(options.apply(Config::default(), Accelerator::Tcg).is_ok());
    }

    #[test]
    fn settings_are_pairs() {
        assert_eq!(key_and_value("small = 400"), Ok(("small".into(), "400".into())));
        assert!(key_and_value("small").is_err());
    }
}
