//! Where somebody's program can be run: on which emulator, and with which settings there.

use anyhow::{Result, bail};
use clap::ValueEnum;
use lilliput_abi::boot::UNENFORCED;

use crate::build::Config;
use crate::machine::Emulator;
use crate::machine::accelerator::Accelerator;
use crate::machine::bochs::Bochs;
use crate::options::{ConfigOptions, Isolation, MachineOptions};

/// Where to run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// QEMU, with the machine that the options below describe.
    Qemu,
    /// Bochs with a model of AMD: enforces segment limits, and is slow.
    BochsAmd,
    /// Bochs with a model of Intel, which has PCIDs.
    BochsIntel,
}

impl Platform {
    /// The emulator, with the machine that was asked for where it may be chosen.
    pub fn emulator(self, machine: &MachineOptions) -> Result<Emulator> {
        let bochs = match self {
            Self::Qemu => return Ok(Emulator::Qemu(machine.machine())),
            Self::BochsAmd => Bochs::AMD,
            Self::BochsIntel => Bochs::INTEL,
        };
        match machine.chosen() {
            Some(option) => bail!("`{option}` is for QEMU; Bochs has a machine of its own"),
            None => Ok(Emulator::Bochs(bochs)),
        }
    }
}

/// Adds what the user asks for to what the program takes.
pub fn settings(config: Config, options: &ConfigOptions, emulator: &Emulator) -> Result<Config> {
    let own = config.extra.clone();
    let mut config = match emulator {
        Emulator::Qemu(machine) => options.apply(config, machine.accelerator)?,
        Emulator::Bochs(_) => options.fill(config),
    };
    config.extra.extend(own);
    Ok(config)
}

/// What each line ends with: a word where nothing will confine small tasks.
pub fn mark(config: &Config, emulator: &Emulator) -> String {
    let tcg = matches!(emulator, Emulator::Qemu(machine) if machine.accelerator == Accelerator::Tcg);
    if tcg && config.isolation == Isolation::Segment { format!(" {UNENFORCED}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::visit;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        machine: MachineOptions,
        #[command(flatten)]
        config: ConfigOptions,
    }

    fn line(words: &str) -> Result<Line, clap::Error> {
        Line::try_parse_from(["run"].into_iter().chain(words.split_whitespace()))
    }

    #[test]
    fn bochs_has_its_own_machine() {
        for words in ["--accel tcg", "--firmware uefi", "--cpus 2", "--memory 1G", "--cpu max"] {
            let error = Platform::BochsAmd.emulator(&line(words).unwrap().machine).unwrap_err();
            assert!(words.starts_with(error.to_string().split('`').nth(1).unwrap()), "{error}");
        }
        assert!(Platform::BochsAmd.emulator(&line("").unwrap().machine).unwrap().is_bochs());
    }

    #[test]
    fn segments_that_nothing_enforces_take_a_word() {
        let settings = |words: &str, platform: Platform| {
            let line = line(words).unwrap();
            let emulator = platform.emulator(&line.machine).unwrap();
            settings(visit::config(&[], 1), &line.config, &emulator).map(|config| mark(&config, &emulator))
        };
        assert_eq!(settings("--accel tcg", Platform::Qemu).unwrap(), "");
        assert!(settings("--accel tcg --isolation segment", Platform::Qemu).is_err());
        let allowed = "--accel tcg --isolation segment --allow-unenforced";
        assert_eq!(settings(allowed, Platform::Qemu).unwrap(), " UNENFORCED");
        assert_eq!(settings("--isolation segment", Platform::BochsAmd).unwrap(), "");
    }

    #[test]
    fn further_settings_are_kept() {
        let line = line("--accel tcg --set small=3").unwrap();
        let emulator = Platform::Qemu.emulator(&line.machine).unwrap();
        let config = settings(visit::config(&[], 1), &line.config, &emulator).unwrap().to_string();
        assert!(config.contains("small = 3\n") && config.contains("visit_seconds = 1\n"), "{config}");
    }
}
