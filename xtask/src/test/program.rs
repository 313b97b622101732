//! Other people's programs among the tests: what a program's end, a harmed witness or a bad file comes to.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_abi::boot::UNENFORCED;

use self::sources::Sources;
use super::tally::Tally;
use crate::boot::{End, Outcome, Report};
use crate::build::Config;
use crate::machine::bochs::Bochs;
use crate::machine::{Emulator, Machine};
use crate::options::Isolation;
use crate::prepare::Prepared;
use crate::visit::{self, Program, Status, Verdict};

mod malformed;
mod sources;

/// A boot that runs programs.
pub struct ProgramBoot {
    /// Its name, under which its tests are counted.
    pub name: &'static str,
    /// Bochs, or TCG.
    bochs: Option<Bochs>,
    isolation: Isolation,
    /// How the mode of small tasks is called in what the guest tells.
    mode: &'static str,
    /// Seconds that a program may run.
    seconds: u64,
    cases: &'static [Case],
    /// Whether files that are no programs are among them.
    malformed: bool,
}

/// All of them.
pub const BOOTS: [ProgramBoot; 4] = [
    ProgramBoot {
        name: "program",
        bochs: None,
        isolation: Isolation::Auto,
        mode: "page",
        seconds: 3,
        cases: ALL,
        malformed: true,
    },
    ProgramBoot {
        name: "program-control",
        bochs: None,
        isolation: Isolation::Segment,
        mode: "segment-UNENFORCED",
        seconds: 3,
        cases: ESCAPE,
        malformed: false,
    },
    ProgramBoot {
        name: "program-bochs-amd",
        bochs: Some(Bochs::AMD),
        isolation: Isolation::Segment,
        mode: "segment",
        seconds: 1,
        cases: CONFINED,
        malformed: false,
    },
    ProgramBoot {
        name: "program-bochs-intel",
        bochs: Some(Bochs::INTEL),
        isolation: Isolation::Segment,
        mode: "segment",
        seconds: 1,
        cases: CONFINED,
        malformed: false,
    },
];

/// A program, and what must come of it.
struct Case {
    /// Its source, and its width in bits.
    source: (&'static str, u8),
    status: Status,
    /// How its end begins, as it is told.
    end: &'static str,
    /// A line that it prints.
    says: Option<&'static str>,
}

const fn case(source: &'static str, bits: u8, status: Status, end: &'static str, says: Option<&'static str>) -> Case {
    Case { source: (source, bits), status, end, says }
}

const HELLO: Case = case("hello", 32, Status::Well, "ended with code 0", Some("Hello from C."));
const PRIMES: Case = case("primes64", 64, Status::Well, "ended with code 0", Some("Primes below a million: 78498."));
const CRASH: Case = case("crash", 32, Status::Exception, "ended by an exception: page fault at 0x10,", Some("Farewe"));
const NOTHING_MORE: Option<&str> = Some("Nothing but what is documented, with exceptions: 0.");
const TRIES_TO_READ: Option<&str> = Some("I begin to read.");

const ALL: &[Case] = &[
    HELLO,
    PRIMES,
    CRASH,
    case("crash", 64, Status::Exception, "ended by an exception: page fault at 0x10,", Some("Farewe")),
    case("intruder", 32, Status::Exception, "ended by an exception: page fault at 0x", TRIES_TO_READ),
    case("intruder", 64, Status::Exception, "ended by an exception: page fault at 0x", TRIES_TO_READ),
    case("code", 32, Status::Code, "ended with code 7", None),
    case("code", 64, Status::Code, "ended with code 9223372036854775808", None),
    case(
        "panic",
        32,
        Status::Code,
        "ended with code 101; it said: it did not like it here @program panic page exit 0",
        None,
    ),
    case("forger", 32, Status::Code, "ended with code 3", Some("@witnesses forger HARMED not at all")),
    case("places", 32, Status::Well, "ended with code 0", NOTHING_MORE),
    case("places", 64, Status::Well, "ended with code 0", NOTHING_MORE),
    case("chatter", 32, Status::Code, "ended with code 42", None),
    case("chatter", 64, Status::Code, "ended with code 42", None),
    case("endless", 32, Status::Overtime, "did not end within 3 s", None),
    case("endless", 64, Status::Overtime, "did not end within 3 s", None),
    case("flood", 32, Status::Overtime, "did not end within 3 s", Some("It never rains but it pours.")),
    case("nagger", 64, Status::Overtime, "did not end within 3 s", None),
];

/// Where nothing enforces limits, the intruder gets what it wants: that shows that the other boots would see it.
const ESCAPE: &[Case] =
    &[HELLO, case("intruder", 32, Status::Harm, "ended with code 0", Some("It is a secret.")), PRIMES];

/// Where limits are enforced, and nothing else confines.
const CONFINED: &[Case] = &[
    HELLO,
    PRIMES,
    case("intruder", 32, Status::Exception, "ended by an exception: general protection,", TRIES_TO_READ),
    CRASH,
    case("forger", 32, Status::Code, "ended with code 3", Some("@witnesses forger HARMED not at all")),
    case("endless", 32, Status::Overtime, "did not end within 1 s", None),
];

impl Case {
    fn name(&self) -> String {
        format!("{}-{}", self.source.0, self.source.1)
    }

    /// Whether that came of it which must.
    fn judge(&self, boot: &ProgramBoot, verdict: &Verdict, report: &Report) -> Outcome {
        let lines = verdict.lines();
        let task =
            if self.source.1 == 32 { format!("small task in `{}` mode", boot.mode) } else { "64-bit task".to_owned() };
        let end = format!("{}, a {task}: {}", self.name(), self.end);
        let complaint = if verdict.status() != self.status {
            format!("its status is {:?} and not {:?}", verdict.status(), self.status)
        } else if !lines.first().is_some_and(|line| line.starts_with(&end)) {
            format!("it is not told that `{end}`")
        } else if self.says.is_some_and(|line| !report.said(&self.name()).any(|said| said == line)) {
            format!("it did not print `{}`", self.says.unwrap_or_default())
        } else {
            return Outcome::Passed;
        };
        Outcome::Failed(format!("{complaint}: {}", lines.join("; ")))
    }
}

impl ProgramBoot {
    /// Builds what it takes, boots and counts.
    pub fn run(&self, prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) {
        tally.suite(self.name, |tally| {
            match Sources::new(prepared, self.name) {
                Err(reason) => tally.count(self.name, "boot", &Outcome::Skipped(reason)),
                Ok(sources) => {
                    if let Err(error) = self.try_run(&sources, prepared, limit, verbose, tally) {
                        tally.count(self.name, "boot", &Outcome::Failed(format!("{error:#}")));
                    }
                }
            };
        });
    }

    fn try_run(
        &self,
        sources: &Sources,
        prepared: &Prepared,
        limit: Duration,
        verbose: bool,
        tally: &mut Tally,
    ) -> Result<()> {
        let target = self.target(sources, prepared, limit)?;
        let build = |case: &Case| Ok(Program::new(&case.name(), sources.build(case.source.0, case.source.1, target)?));
        let mut programs = self.cases.iter().map(build).collect::<Result<Vec<_>>>()?;
        let files = if self.malformed { malformed::all(&sources.build("hello", 32, target)?) } else { Vec::new() };
        programs.extend(files.iter().cloned());
        let emulator = self.emulator();
        let report =
            prepared.boot_on(&emulator, self.name, &self.config(&programs), emulator.patience(limit), verbose)?;
        for case in self.cases {
            let outcome = case.judge(self, &Verdict::of(&case.name(), &report), &report);
            tally.count(self.name, &case.name(), &outcome);
        }
        for file in &files {
            tally.count(self.name, &file.name, &malformed::judge(file, &Verdict::of(&file.name, &report)));
        }
        tally.count(self.name, "marks", &self.marks(&report));
        Ok(())
    }

    /// Where the witness above a small program has its secret: the guest says so, and says the same in every boot.
    fn target(&self, sources: &Sources, prepared: &Prepared, limit: Duration) -> Result<u32> {
        let hello = Program::new("hello", sources.build("hello", 32, 0)?);
        let report = prepared.boot(
            &format!("{}-target", self.name),
            &Machine::of_tests(),
            &visit::config(std::slice::from_ref(&hello), 1),
            limit,
            false,
        )?;
        let verdict = Verdict::of(&hello.name, &report);
        ensure!(matches!(verdict.end, Some(End::Exit(0, _))), "{}", verdict.lines().join("; "));
        let told = report.last_lines.iter().find_map(|line| line.rsplit_once("the witness above is at its address 0x"));
        let (_, digits) = told.context("the guest does not say where the witness above has its secret")?;
        Ok(u32::from_str_radix(digits.trim(), 16)?)
    }

    fn emulator(&self) -> Emulator {
        self.bochs.map_or_else(|| Emulator::Qemu(Machine::of_tests()), Emulator::Bochs)
    }

    fn config(&self, programs: &[Program]) -> Config {
        let allow_unenforced = self.bochs.is_none() && self.isolation == Isolation::Segment;
        Config { isolation: self.isolation, allow_unenforced, ..visit::config(programs, self.seconds) }
    }

    /// Whether lines say UNENFORCED where they must, and only there.
    fn marks(&self, report: &Report) -> Outcome {
        match report.mark().is_empty() {
            empty if empty != self.mode.contains(UNENFORCED) => Outcome::Passed,
            true => Outcome::Failed("the guest's lines do not say UNENFORCED".to_owned()),
            false => Outcome::Failed("the guest's lines say UNENFORCED".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use lilliput_abi::boot::exit;

    use super::*;
    use crate::boot::{Ending, Record};

    fn judge(case: &Case, lines: &[&str], quoted: &[&str], ending: Ending) -> bool {
        let records = lines.iter().filter_map(|line| Record::parse(line)).collect();
        let quoted = quoted.iter().map(|line| (0, (*line).to_owned())).collect();
        let report = Report { records, ending, last_lines: VecDeque::new(), quoted };
        case.judge(&BOOTS[0], &Verdict::of(&case.name(), &report), &report) == Outcome::Passed
    }

    #[test]
    fn a_case_fails_where_anything_is_otherwise() {
        let well = ["@program hello-32 page exit 0", "@witnesses hello-32 whole"];
        let said = ["Hello from C."];
        assert!(judge(&HELLO, &well, &said, Ending::Success));
        assert!(!judge(&HELLO, &well, &[], Ending::Success), "it said nothing");
        assert!(!judge(&HELLO, &well, &said, Ending::Exit(exit::PANIC)), "the kernel panicked");
        assert!(!judge(&HELLO, &[well[0], "@witnesses hello-32 HARMED x"], &said, Ending::Exit(exit::FAILURE)));
        assert!(!judge(&HELLO, &["@program hello-32 segment exit 0", well[1]], &said, Ending::Success), "the mode");
        assert!(!judge(&HELLO, &["@program hello-32 page exit 1", well[1]], &said, Ending::Success));
    }

    #[test]
    fn names_are_unique() {
        for boot in &BOOTS {
            for (number, case) in boot.cases.iter().enumerate() {
                assert!(boot.cases[..number].iter().all(|other| other.name() != case.name()), "{}", case.name());
            }
        }
    }
}
