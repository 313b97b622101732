//! Where attacks can be run.

use clap::ValueEnum;

use crate::machine::accelerator::{self, Accelerator};
use crate::machine::bochs::Bochs;
use crate::machine::{Emulator, Machine};
use crate::setup::Needs;

/// A platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// QEMU in software: checks no segment limits.
    Tcg,
    /// QEMU by the processor.
    Kvm,
    /// Bochs with a model of AMD.
    BochsAmd,
    /// Bochs with a model of Intel, which has PCIDs.
    BochsIntel,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// QEMU in software: checks no segment limits, so that only `page` mode confines there.
    Tcg,
    /// QEMU by the processor, where that has hardware virtualisation.
    Kvm,
    /// Bochs with a model of AMD.
    BochsAmd,
    /// Bochs with a model of Intel, which has PCIDs.
    BochsIntel,
    /// All of them; one that this machine lacks is passed over, with the reason.
    All,
}

impl Choice {
    /// The platforms.
    pub fn platforms(self) -> Vec<Platform> {
        match self {
            Self::Tcg => vec![Platform::Tcg],
            Self::Kvm => vec![Platform::Kvm],
            Self::BochsAmd => vec![Platform::BochsAmd],
            Self::BochsIntel => vec![Platform::BochsIntel],
            Self::All => vec![Platform::Tcg, Platform::BochsAmd, Platform::BochsIntel, Platform::Kvm],
        }
    }
}

/// What has to be installed for these.
pub fn needs(platforms: &[Platform]) -> Needs {
    Needs { bochs: platforms.iter().any(|platform| platform.emulator().is_bochs()), ..Needs::EMULATOR }
}

impl Platform {
    /// Its word on the command line and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
            Self::BochsAmd => "bochs-amd",
            Self::BochsIntel => "bochs-intel",
        }
    }

    /// Why it can't be had on this machine, if it can't.
    pub fn lacking(self) -> Option<String> {
        if self == Self::Kvm { accelerator::lacking() } else { None }
    }

    /// The emulator.
    pub fn emulator(self) -> Emulator {
        match self {
            Self::BochsAmd => Emulator::Bochs(Bochs::AMD),
            Self::BochsIntel => Emulator::Bochs(Bochs::INTEL),
            Self::Tcg | Self::Kvm => Emulator::Qemu(self.qemu()),
        }
    }

    fn qemu(self) -> Machine {
        // Far and interrupt returns of user code fault under SMAP in TCG, as of QEMU 7.2: it reads the user's stack as the
        // kernel would. Other test boots have SMAP.
        let (accelerator, cpu) = match self {
            Self::Kvm => (Accelerator::Kvm, "host"),
            _ => (Accelerator::Tcg, "max,smap=off"),
        };
        Machine { accelerator, cpu: cpu.to_owned(), ..Machine::of_tests() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_has_two_makes() {
        let platforms = Choice::All.platforms();
        assert!(platforms.contains(&Platform::BochsAmd) && platforms.contains(&Platform::BochsIntel));
        assert!(needs(&platforms).bochs && !needs(&[Platform::Tcg]).bochs);
    }
}
