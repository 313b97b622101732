//! Tests in the emulator: which boots there are, and what their records count for.

use std::time::Duration;

use anyhow::Result;

use super::tally::Tally;
use crate::attack::Platform;
use crate::boot::{Ending, Outcome, Record, Report, Step};
use crate::build::{Config, Scenario, feature};
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
    /// The trials among the guest tests that it runs, if not all.
    tests: Option<&'static str>,
    /// With a time-stamp counter that counts instructions.
    count_instructions: bool,
    /// With a kernel that counts what it loads.
    count_switches: bool,
    /// With the kernel checking itself.
    check_invariants: bool,
    /// Further settings.
    settings: &'static [(&'static str, &'static str)],
    /// What is typed.
    typed: &'static [Step],
}

/// Performance counters are asked for. There are none, or none that count.
const COUNTERS: &[(&str, &str)] = &[("counters", "yes")];

/// Trials that exchange messages by the fast path and the general one between all kinds of task, and that change what a processor has loaded: roots, slots, modes, storage.
const CHANGING: &str = "all-lengths,registers-after-call,one-reply,server-death,storage-of-threads,storage-in-calls,storage-moves,storage-is-turned,\
    storage-in-one-access,foreign-calls,foreign-storage,foreign-kept,next-client,changed-in-call,changed-while-preempted,isolation-changes,\
    large-and-back,another-arena,shared-host,moved-over-itself,compaction,segments-follow,preemption,vector-state";

/// What a boot has unless it says otherwise.
const PLAIN: GuestBoot = GuestBoot {
    name: "",
    firmware: Firmware::Bios,
    cpu: "max",
    platform: None,
    scenario: Scenario::Tests,
    tests: None,
    count_instructions: false,
    count_switches: false,
    check_invariants: false,
    settings: &[],
    typed: &[],
};

/// All of them. In software, so that results don't depend on the machine that runs the tests.
pub const BOOTS: [GuestBoot; 24] = [
    GuestBoot { name: "bios", ..PLAIN },
    GuestBoot { name: "uefi", firmware: Firmware::Uefi, ..PLAIN },
    // The least that a 64-bit processor has.
    GuestBoot { name: "qemu64", cpu: "qemu64", ..PLAIN },
    GuestBoot { name: "epyc", cpu: "EPYC", ..PLAIN },
    // Of this make 32-bit programs enter by SYSENTER.
    GuestBoot { name: "intel", cpu: "Skylake-Client", ..PLAIN },
    // Of these, limits are enforced, and entered as the makes have it; the second has PCIDs.
    GuestBoot { name: "bochs-amd", platform: Some(Platform::BochsAmd), settings: COUNTERS, ..PLAIN },
    GuestBoot { name: "bochs-intel", platform: Some(Platform::BochsIntel), settings: COUNTERS, ..PLAIN },
    // Checking takes Bochs four times as long as the trials. What the checks find depends on the platform by its tags of roots and its entry alone: so it is
    // checked where roots, descriptors and storage change; all trials are by `checked`.
    GuestBoot {
        name: "bochs-checked",
        platform: Some(Platform::BochsIntel),
        check_invariants: true,
        tests: Some(CHANGING),
        ..PLAIN
    },
    GuestBoot { name: "checked", check_invariants: true, settings: COUNTERS, ..PLAIN },
    // Small tasks in `segment` mode as well, confined or not.
    GuestBoot {
        name: "pager",
        scenario: Scenario::Pager,
        check_invariants: true,
        settings: &[("unenforced", "allow")],
        ..PLAIN
    },
    GuestBoot { name: "budgets", scenario: Scenario::Bench, count_instructions: true, ..PLAIN },
    GuestBoot { name: "switches", scenario: Scenario::Bench, count_switches: true, ..PLAIN },
    // Counting instructions, it goes the same way each time: more rounds of it are for `cargo xtask fuzz`, which takes seeds that nobody tried.
    GuestBoot {
        name: "fuzz",
        scenario: Scenario::Fuzz,
        count_instructions: true,
        check_invariants: true,
        settings: &[("seed", "1,1000,2000"), ("fuzz_rounds", "16")],
        ..PLAIN
    },
    // Turns from about the length of the way out of the kernel on, each longer by one instruction.
    GuestBoot {
        name: "exchange",
        scenario: Scenario::Exchange,
        count_instructions: true,
        settings: &[
            ("seed", "1"),
            ("fuzz_rounds", "3"),
            ("exchange_coverage", "yes"),
            ("shortest_turn", "40"),
            ("unenforced", "allow"),
        ],
        ..PLAIN
    },
    // Checking takes longer than these turns: what comes after an entry or a turn is interrupted at once.
    GuestBoot {
        name: "exchange-checked",
        scenario: Scenario::Exchange,
        count_instructions: true,
        check_invariants: true,
        settings: &[
            ("seed", "100"),
            ("fuzz_rounds", "4"),
            ("exchange_coverage", "yes"),
            ("exchange_pause", "50000"),
            ("shortest_turn", "40"),
            ("unenforced", "allow"),
        ],
        ..PLAIN
    },
    GuestBoot { name: "growth", scenario: Scenario::Growth, settings: &[("seed", "1,2")], ..PLAIN },
    GuestBoot {
        name: "growth-costs",
        scenario: Scenario::Growth,
        count_instructions: true,
        settings: &[("unenforced", "allow")],
        ..PLAIN
    },
    // With neighbours in one root.
    GuestBoot {
        name: "growth-unenforced",
        scenario: Scenario::Growth,
        check_invariants: true,
        settings: &[("seed", "3"), ("unenforced", "allow"), ("growth_steps", "3000")],
        ..PLAIN
    },
    GuestBoot {
        name: "growth-bochs",
        platform: Some(Platform::BochsIntel),
        scenario: Scenario::Growth,
        check_invariants: true,
        // A check takes time by the number of tasks, and Bochs ten times TCG's: crowds are for the others.
        settings: &[("seed", "4"), ("growth_tasks", "60"), ("growth_steps", "600")],
        ..PLAIN
    },
    GuestBoot { name: "death", scenario: Scenario::Death, settings: &[("unenforced", "allow")], ..PLAIN },
    GuestBoot {
        name: "death-bochs",
        platform: Some(Platform::BochsIntel),
        scenario: Scenario::Death,
        settings: &[("death_cycles", "100")],
        ..PLAIN
    },
    GuestBoot { name: "keeper", scenario: Scenario::Keeper, check_invariants: true, ..PLAIN },
    GuestBoot {
        name: "scale",
        scenario: Scenario::Scale,
        count_instructions: true,
        settings: &[("unenforced", "allow")],
        ..PLAIN
    },
    GuestBoot { name: "shell", scenario: Scenario::Shell, typed: SHELL, ..PLAIN },
];

/// What is typed to the shell. Each step's line is what the one before led to.
const SHELL: &[Step] = &[
    Step { name: "it greets", after: "Type help for what", send: "hepl\x08\x7flp\r" },
    Step { name: "backspace deletes", after: "exit            ends", send: "all wrong\x15tasks of mine\x17\x17\r" },
    Step { name: "lines and words are deleted", after: " shell            64", send: "\x1b[A\x1b[Dnonsense\r" },
    Step { name: "mistakes are named", after: "there is no command nonsense", send: "run hello\r" },
    Step { name: "a small task runs", after: "Hello from a 32-bit task", send: "run hello 64\rmemory\r" },
    Step { name: "a 64-bit task runs", after: "Hello from a 64-bit task", send: "" },
    Step { name: "what is typed ahead is kept", after: "page frames free", send: "run crash\r" },
    Step { name: "a crash is contained", after: "task crash ended by page fault at 0x200000", send: "run spin\r" },
    Step { name: "something runs for ever", after: "I spin", send: "typed ahead\x03" },
    Step { name: "^C ends it", after: "ended by ^C", send: "run spin 64\r" },
    Step { name: "something else runs for ever", after: "I spin", send: "\x03machine\r" },
    Step { name: "the shell goes on", after: "segment loads since boot", send: "dropped\x03exit\r" },
];

impl GuestBoot {
    /// Boots and counts.
    pub fn run(&self, prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) {
        let config = Config {
            instructions: self.count_instructions,
            check_invariants: self.check_invariants,
            tests: self.tests,
            extra: self.settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Config::new([self.scenario])
        };
        let emulator = self.emulator();
        let limit = emulator.patience(limit);
        tally.suite(self.name, |tally| match self.boot(prepared, &emulator, &config, limit, verbose) {
            Ok(report) => self.count(&report, verbose, tally),
            Err(error) => tally.count(self.name, "boot", &Outcome::Failed(format!("{error:#}"))),
        });
    }

    fn boot(
        &self,
        prepared: &Prepared,
        emulator: &Emulator,
        config: &Config,
        limit: Duration,
        verbose: bool,
    ) -> Result<Report> {
        let counter = self.count_switches.then(|| prepared.with_feature(feature::COUNT_SWITCHES)).transpose()?;
        let prepared = counter.as_ref().unwrap_or(prepared);
        match emulator {
            // Bochs' serial port is not connected to anything that types.
            Emulator::Qemu(machine) if !self.typed.is_empty() => {
                prepared.boot_typing(self.name, machine, config, limit, verbose, self.typed)
            }
            _ => prepared.boot_on(emulator, self.name, config, limit, verbose),
        }
    }

    fn emulator(&self) -> Emulator {
        let machine = || Machine {
            firmware: self.firmware,
            cpu: self.cpu.to_owned(),
            count_instructions: self.count_instructions,
            ..Machine::of_tests()
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
                Record::Row(_)
                | Record::Cost(_)
                | Record::Clock(_)
                | Record::Attack { .. }
                | Record::Visit { .. }
                | Record::Witnesses { .. }
                | Record::Linux { .. } => continue,
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
                tally.print(format_args!("    | {line}"));
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
    fn trials_that_are_named_are_there() {
        for name in CHANGING.split(',') {
            assert!(lilliput_runtime::trial::list::TRIALS.iter().any(|trial| trial.name == name), "{name}");
        }
    }

    #[test]
    fn names_are_unique() {
        for (index, boot) in BOOTS.iter().enumerate() {
            assert!(BOOTS[..index].iter().all(|other| other.name != boot.name));
        }
    }
}
