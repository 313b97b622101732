//! Tests in the emulator: which boots there are, and what their records count for.

use std::time::Duration;

use super::tally::Tally;
use crate::attack::Platform;
use crate::boot::{Ending, Outcome, Record, Report};
use crate::build::{Config, Scenario};
use crate::machine::accelerator::Accelerator;
use crate::machine::{Emulator, Firmware, Machine};
use crate::prepare::Prepared;

/// A boot that tests something.
#[derive(Debug)]
pub struct GuestBoot {
    /// Its name, under which its tests are counted.
    pub name: &'static str,
    firmware: Firmware,
    cpu: &'static str,
    /// Another platform than TCG, with firmware and processor of its own.
    platform: Option<Platform>,
    scenario: Scenario,
    /// With a time-stamp counter that counts instructions.
    count_instructions: bool,
    /// With the kernel checking itself.
    check_invariants: bool,
    /// Further settings.
    settings: &'static [(&'static str, &'static str)],
}

/// What a boot has unless it says otherwise.
const PLAIN: GuestBoot = GuestBoot {
    name: "",
    firmware: Firmware::Bios,
    cpu: "max",
    platform: None,
    scenario: Scenario::Tests,
    count_instructions: false,
    check_invariants: false,
    settings: &[],
};

/// All of them. In software, so that results don't depend on the machine that runs the tests.
pub const BOOTS: [GuestBoot; 10] = [
    GuestBoot { name: "bios", ..PLAIN },
    GuestBoot { name: "uefi", firmware: Firmware::Uefi, ..PLAIN },
    // The least that a 64-bit processor has.
    GuestBoot { name: "qemu64", cpu: "qemu64", ..PLAIN },
    GuestBoot { name: "epyc", cpu: "EPYC", ..PLAIN },
    // Of this make 32-bit programs enter by SYSENTER.
    GuestBoot { name: "intel", cpu: "Skylake-Client", ..PLAIN },
    // Of these, limits are enforced, and entered as the makes have it; the second has PCIDs.
    GuestBoot { name: "bochs-amd", platform: Some(Platform::BochsAmd), ..PLAIN },
    GuestBoot { name: "bochs-intel", platform: Some(Platform::BochsIntel), check_invariants: true, ..PLAIN },
    GuestBoot { name: "checked", check_invariants: true, ..PLAIN },
    GuestBoot { name: "budgets", scenario: Scenario::Bench, count_instructions: true, ..PLAIN },
    // Counting instructions, it goes the same way each time.
    GuestBoot {
        name: "fuzz",
        scenario: Scenario::Fuzz,
        count_instructions: true,
        check_invariants: true,
        settings: &[("seed", "1,1000,2000"), ("fuzz_rounds", "40")],
        ..PLAIN
    },
];

impl GuestBoot {
    /// Boots and counts.
    pub fn run(&self, prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) {
        let config = Config {
            instructions: self.count_instructions,
            check_invariants: self.check_invariants,
            extra: self.settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Config::new([self.scenario])
        };
        let emulator = self.emulator();
        let limit = emulator.patience(limit);
        tally.suite(self.name, |tally| match prepared.boot_on(&emulator, self.name, &config, limit, verbose) {
            Ok(report) => self.count(&report, verbose, tally),
            Err(error) => tally.count(self.name, "boot", &Outcome::Failed(format!("{error:#}"))),
        });
    }

    fn emulator(&self) -> Emulator {
        let machine = || Machine {
            accelerator: Accelerator::Tcg,
            firmware: self.firmware,
            cpus: 1,
            memory: "512M".to_owned(),
            cpu: self.cpu.to_owned(),
            count_instructions: self.count_instructions,
        };
        self.platform.map_or_else(|| Emulator::Qemu(machine()), Platform::emulator)
    }

    /// Counts each record of a test, and the boot itself.
    fn count(&self, report: &Report, verbose: bool, tally: &mut Tally) {
        let (mut tests, mut failed) = (0, false);
        for record in &report.records {
            let (name, outcome) = match record {
                Record::Test { name, outcome } => (name.as_str(), outcome.clone()),
                Record::Malformed(complaint) => ("record", Outcome::Failed(complaint.clone())),
                Record::Row(_) | Record::Attack { .. } | Record::Visit { .. } | Record::Witnesses { .. } => continue,
            };
            tests += 1;
            failed |= matches!(outcome, Outcome::Failed(_));
            tally.count(self.name, name, &outcome);
        }
        let outcome = match report.ending.complaint() {
            // The guest ends with failure because tests failed, which have been counted.
            Some(_) if failed && report.ending == Ending::Exit(lilliput_abi::boot::exit::FAILURE) => return,
            Some(complaint) => Outcome::Failed(complaint),
            None if tests == 0 => Outcome::Failed("the guest reported no test".to_owned()),
            None => Outcome::Passed,
        };
        tally.count(self.name, "boot", &outcome);
        if outcome != Outcome::Passed && !verbose {
            for line in &report.last_lines {
                println!("    | {line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use lilliput_abi::boot::exit;

    use super::*;

    fn tally(lines: &[&str], ending: Ending) -> String {
        let records = lines.iter().filter_map(|line| Record::parse(line)).collect();
        let report = Report { records, ending, last_lines: VecDeque::new(), quoted: Vec::new() };
        let mut tally = Tally::new(false);
        PLAIN.count(&report, false, &mut tally);
        tally.counts().to_string()
    }

    #[test]
    fn a_boot_is_a_test_too() {
        assert_eq!(tally(&["@test a ok", "@test b skipped x"], Ending::Success), "2 passed, 0 failed, 1 skipped");
        assert_eq!(tally(&["@test a ok"], Ending::Reset), "1 passed, 1 failed");
        assert_eq!(tally(&[], Ending::Success), "0 passed, 1 failed");
        assert_eq!(tally(&["@test"], Ending::Success), "0 passed, 1 failed");
    }

    #[test]
    fn a_failure_counts_once() {
        assert_eq!(tally(&["@test a FAILED x", "@test b ok"], Ending::Exit(exit::FAILURE)), "1 passed, 1 failed");
        assert_eq!(tally(&["@test a ok"], Ending::Exit(exit::FAILURE)), "1 passed, 1 failed");
        assert_eq!(tally(&["@test a FAILED x"], Ending::Exit(exit::PANIC)), "0 passed, 2 failed");
    }

    #[test]
    fn names_are_unique() {
        for (index, boot) in BOOTS.iter().enumerate() {
            assert!(BOOTS[..index].iter().all(|other| other.name != boot.name));
        }
    }
}
