//! Which emulator a boot goes to, where it may be either.

use std::time::Duration;

use super::Machine;
use super::bochs::Bochs;

/// An emulator with its machine.
#[derive(Clone, Debug)]
pub enum Emulator {
    /// QEMU.
    Qemu(Machine),
    /// Bochs.
    Bochs(Bochs),
}

impl Emulator {
    /// What it is, for people.
    pub fn description(&self) -> String {
        match self {
            Self::Qemu(machine) => {
                let platform = machine.platform().unwrap_or_else(|_| "QEMU".to_owned());
                format!("{platform} ({})", machine.accelerator.word())
            }
            Self::Bochs(bochs) => bochs.platform(),
        }
    }

    /// How long a boot may last here that may last so long on QEMU.
    pub fn patience(&self, limit: Duration) -> Duration {
        match self {
            Self::Qemu(_) => limit,
            // It is some ten times slower.
            Self::Bochs(_) => 10 * limit,
        }
    }

    /// Whether it is Bochs.
    pub fn is_bochs(&self) -> bool {
        matches!(self, Self::Bochs(_))
    }
}
