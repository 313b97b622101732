//! What Linux's system calls take by clocks, where nobody can watch the machine: a program of Linux's measures itself (`tests/linux-bench/src/clock.rs`), and a record tells what it found.
//!
//! Each measurement has a server of its own, which hands on what the program prints. Where somebody watches, by marks, nothing is told.

use alloc::format;
use alloc::string::String;

use lilliput_abi::object::kind::{HOST, SMALL, WIDE};
use lilliput_abi::object::{counter, fact};
use lilliput_abi::{Error, Isolation};
use lilliput_runtime::Word;
use lilliput_runtime::bench::clock::Clock;
use lilliput_runtime::bench::rounds::Told;
use lilliput_runtime::linux::{parameter, result};

use super::super::watched::{Stage, say_case, say_told};
use super::life::{FOLDER, Life};
use crate::SYSTEM;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::Supervisor;

/// Pages of memory for the program.
const PAGES: usize = 8 << 10;

/// What is measured.
struct Measurement {
    /// The scenario that its record is of.
    scenario: &'static str,
    /// The file of the archive's folder that has the program's arguments.
    arguments: &'static str,
    /// Kinds of the program's task and the server's.
    ends: (u64, u64),
    /// How the program is confined if it is a small task.
    isolation: Isolation,
    /// What else the record says.
    more: &'static str,
}

/// All of them. Four of a 32-bit program's getpid are the rows of the published system-call table that need no kernel of Linux's.
const ALL: [Measurement; 8] = [
    Measurement::getpid((SMALL, HOST), Isolation::Segment),
    Measurement::getpid((SMALL, HOST), Isolation::Page),
    Measurement::getpid((SMALL, WIDE), Isolation::Page),
    Measurement::getpid((SMALL, WIDE), Isolation::PageUntagged),
    Measurement::getpid((WIDE, HOST), Isolation::Page),
    Measurement::files(SMALL, Isolation::Segment),
    Measurement::files(SMALL, Isolation::Page),
    Measurement::files(WIDE, Isolation::Page),
];

/// Measures all.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let mut done = 0;
    for measurement in &ALL {
        if Stage::allows(measurement.isolation)? {
            measurement.run(supervisor, settings)?;
            done += 1;
        }
    }
    say!("system-calls: {done} cases");
    Ok(())
}

impl Measurement {
    const fn getpid(ends: (u64, u64), isolation: Isolation) -> Self {
        let arguments = if ends.0 == SMALL { "getpid-i386" } else { "getpid-amd64" };
        Self { scenario: "syscall-table", arguments, ends, isolation, more: r#""call":"getpid""# }
    }

    const fn files(from: u64, isolation: Isolation) -> Self {
        let arguments = if from == SMALL { "files-i386" } else { "files-amd64" };
        Self { scenario: "files", arguments, ends: (from, HOST), isolation, more: r#""rings":"by system calls""# }
    }

    /// By each clock that there is; where somebody watches, by one, of which nothing is said.
    fn run(&self, supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
        let (from, to) = self.ends;
        let case = say_case(from, to, self.isolation, self.more);
        let settings =
            Settings { isolation: self.isolation, linux_apart: to == WIDE, linux_pages: PAGES, ..settings.clone() };
        let text = self.text(supervisor, &settings, &case, 0)?;
        if !supervisor.clocks {
            return Ok(());
        }
        self.tell(&case, &text, Clock::Time)?;
        for number in 0..counter::COUNT {
            let index = match SYSTEM.fact(fact::COUNTERS + number as u64) {
                Err(Error::Unsupported) => continue,
                index => context(index, "the number of a performance counter")?,
            };
            let text = self.text(supervisor, &settings, &case, 1 + index as Word)?;
            self.tell(&case, &text, Clock::Counter(number as u8))?;
        }
        Ok(())
    }

    /// What the program prints that is given this number as its last argument, if it is not 0, less one.
    fn text(
        &self,
        supervisor: &mut Supervisor,
        settings: &Settings,
        case: &str,
        number: Word,
    ) -> Result<String, Failure> {
        let arguments = supervisor.programs.file(&format!("{FOLDER}/{}", self.arguments))?;
        let life = Life::begin(supervisor, settings, b"", 0)?;
        // It asks when this task listens, which is later.
        let child = supervisor.child_mut(life.server);
        child.name_file(parameter::ARGUMENTS, arguments);
        child.parameters.insert(parameter::TELLS, 1);
        child.parameters.insert(parameter::NUMBER, number);
        while supervisor.child(life.server).ending.is_none() {
            supervisor.step()?;
        }
        let child = supervisor.child(life.server);
        let text = child.text.clone();
        let well = matches!(child.results.as_slice(), [[0, result::EXIT, 0, _]]);
        let outcome = if well { Ok(text) } else { Err(Failure::new(format!("{case}: {:?} {text}", child.results))) };
        life.end(supervisor)?;
        outcome
    }

    /// Prints the record of what the program printed.
    fn tell(&self, case: &str, text: &str, clock: Clock) -> Result<(), Failure> {
        let told = Told::from_text(clock, text).ok_or_else(|| Failure::new(format!("{case}: it printed `{text}`")))?;
        say_told(self.scenario, case, &told)
    }
}
