//! Tests of Linux's programs: the lines of `tests/linux` in one boot for each width and mode, held to what Linux makes of them.

use std::time::Duration;

use anyhow::Result;

use super::tally::Tally;
use crate::boot::Outcome;
use crate::build::Config;
use crate::linux::{Architecture, Collection, LinePrograms, Trial, collection, large_collection, own_collection};
use crate::machine::bochs::Bochs;
use crate::machine::{Emulator, Machine};
use crate::options::Isolation;
use crate::prepare::Prepared;
use crate::workspace::Workspace;

/// What Bochs is spared, which is ten times as slow as QEMU: loops that count, where each turn is like the last, the longest chain of pipes, and the long scripts by
/// bash, of which one is run by another shell. Shorter ones of each kind stay.
const LONG: [&str; 7] =
    ["t1-shloop", "t2-bash-loop", "t7-chain", "t10-time-bash", "t10-time", "t11-bash-sh", "t11-bash"];

/// A boot that runs the lines.
#[derive(Debug)]
pub struct LinuxBoot {
    /// Its name, under which its tests are counted.
    pub name: &'static str,
    /// A model of Bochs; else QEMU.
    bochs: Option<Bochs>,
    /// Another processor model than QEMU's best.
    cpu: Option<&'static str>,
    architecture: Architecture,
    isolation: Isolation,
    /// Which lines it runs.
    lines: fn(&Workspace) -> Result<Collection>,
    /// How much memory the machine has, if it is not the usual one.
    memory: Option<&'static str>,
    /// Whether the mode may be one that this platform does not enforce.
    allow_unenforced: bool,
}

const PLAIN: LinuxBoot = LinuxBoot {
    name: "",
    bochs: None,
    cpu: None,
    architecture: Architecture::I386,
    isolation: Isolation::Page,
    lines: collection,
    memory: None,
    allow_unenforced: false,
};

/// One for lines that take much memory.
const LARGE: LinuxBoot = LinuxBoot { lines: large_collection, memory: Some("1G"), ..PLAIN };

/// All of them. In Bochs, which enforces limits, each process begins in `segment` mode. The Intel model has SYSENTER for 32-bit programs, the others SYSCALL: each
/// line is run in both modes and by both instructions, which have nothing to do with each other, so that two boots are enough for that.
pub const BOOTS: [LinuxBoot; 9] = [
    LinuxBoot { name: "linux-i386", ..PLAIN },
    LinuxBoot {
        name: "linux-i386-unenforced",
        cpu: Some("Skylake-Client"),
        isolation: Isolation::Segment,
        allow_unenforced: true,
        ..PLAIN
    },
    LinuxBoot { name: "linux-amd64", architecture: Architecture::Amd64, ..PLAIN },
    LinuxBoot { name: "linux-arenas", lines: own_collection, ..PLAIN },
    LinuxBoot {
        name: "linux-arenas-unenforced",
        isolation: Isolation::Segment,
        lines: own_collection,
        allow_unenforced: true,
        ..PLAIN
    },
    LinuxBoot { name: "linux-large-i386", ..LARGE },
    LinuxBoot { name: "linux-large-i386-unenforced", isolation: Isolation::Segment, allow_unenforced: true, ..LARGE },
    LinuxBoot { name: "linux-large-amd64", architecture: Architecture::Amd64, ..LARGE },
    LinuxBoot {
        name: "linux-bochs",
        bochs: Some(Bochs::AMD),
        isolation: Isolation::Segment,
        lines: |workspace| collection(workspace)?.without(&LONG),
        ..PLAIN
    },
];

/// A suite that is one boot of Linux programs, which counts what it sees; whether it went well is counted as well. Without programs there is nothing to boot for, and that is a failure.
pub fn suite(
    name: &'static str,
    programs: &Result<LinePrograms>,
    tally: &mut Tally,
    boot: impl FnOnce(&LinePrograms, &mut Tally) -> Result<()>,
) {
    tally.suite(name, |tally| {
        let result = match programs {
            Ok(programs) => boot(programs, tally).map_err(|error| format!("{error:#}")),
            Err(error) => Err(format!("{error:#}")),
        };
        tally.count(name, "boot", &result.map_or_else(Outcome::Failed, |()| Outcome::Passed));
    });
}

impl LinuxBoot {
    /// Boots and counts.
    pub fn run(
        &self,
        prepared: &Prepared,
        programs: &Result<LinePrograms>,
        limit: Duration,
        verbose: bool,
        tally: &mut Tally,
    ) {
        suite(self.name, programs, tally, |programs, tally| self.boot(prepared, programs, limit, verbose, tally));
    }

    fn boot(
        &self,
        prepared: &Prepared,
        programs: &LinePrograms,
        limit: Duration,
        verbose: bool,
        tally: &mut Tally,
    ) -> Result<()> {
        let (emulator, collection) = (self.emulator(), (self.lines)(&prepared.workspace)?);
        let (emulator, collection, architecture) = (&emulator, &collection, self.architecture);
        let trial = Trial { prepared, programs, emulator, name: self.name, collection, architecture };
        let (isolation, allow_unenforced) = (self.isolation, self.allow_unenforced);
        let config = Config { isolation, allow_unenforced, ..trial.config()? };
        // There are many lines in one boot.
        let (lines, report) = trial.run(&config, 2 * limit, verbose)?;
        for (name, outcome) in &lines {
            tally.count(self.name, name, outcome);
        }
        report.check()
    }

    fn emulator(&self) -> Emulator {
        match self.bochs {
            Some(bochs) => Emulator::Bochs(bochs),
            None => {
                let usual = Machine::of_tests();
                let cpu = self.cpu.map_or(usual.cpu.clone(), str::to_owned);
                let memory = self.memory.map_or(usual.memory.clone(), str::to_owned);
                Emulator::Qemu(Machine { cpu, memory, ..usual })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_widths_run_and_one_where_limits_are_enforced() {
        for architecture in Architecture::ALL {
            assert!(BOOTS.iter().any(|boot| boot.architecture == architecture), "{}", architecture.word());
        }
        assert!(BOOTS.iter().any(|boot| boot.bochs.is_some() && boot.isolation == Isolation::Segment));
        // TCG lets `segment` be used only where that is allowed.
        let unenforced = |boot: &LinuxBoot| boot.bochs.is_none() && boot.isolation == Isolation::Segment;
        assert!(BOOTS.iter().all(|boot| boot.allow_unenforced == unenforced(boot)));
    }
}
