//! The attack suite among the tests.

use std::time::Duration;

use super::tally::Tally;
use crate::attack::Platform;
use crate::boot::{Ending, Outcome, Record, Report};
use crate::build::{Config, Scenario};
use crate::options::Isolation;
use crate::prepare::Prepared;

/// A boot that attacks.
pub struct AttackBoot {
    /// Its name, under which its tests are counted.
    pub name: &'static str,
    platform: Platform,
    /// Whether attacks must escape: where limits are not enforced, and `segment` mode is used all the same.
    must_escape: bool,
}

/// All of them.
pub const BOOTS: [AttackBoot; 5] = [
    AttackBoot { name: "attack-tcg", platform: Platform::Tcg, must_escape: false },
    AttackBoot { name: "attack-bochs-amd", platform: Platform::BochsAmd, must_escape: false },
    AttackBoot { name: "attack-bochs-intel", platform: Platform::BochsIntel, must_escape: false },
    AttackBoot { name: "attack-kvm", platform: Platform::Kvm, must_escape: false },
    AttackBoot { name: "attack-control", platform: Platform::Tcg, must_escape: true },
];

/// Attacks that escape unless limits stop them: they show that the suite would see it.
const ESCAPING: &str = "read-by-ds,write-by-ds,string-copy-out,string-copy-in,stack-push,stack-pop,exchange-and-add";

impl AttackBoot {
    /// Boots and counts.
    pub fn run(&self, prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) {
        let mut config = Config::new([Scenario::Attack]);
        if self.must_escape {
            config.isolation = Isolation::Segment;
            config.allow_unenforced = true;
            config.extra.push(("attacks".to_owned(), ESCAPING.to_owned()));
        }
        if self.platform != Platform::Tcg {
            // All 65,536 selectors take Bochs a minute more; `cargo xtask attack` has that.
            config.extra.push(("selectors".to_owned(), "some".to_owned()));
        }
        if let Some(reason) = self.platform.lacking() {
            tally.suite(self.name, |tally| tally.count(self.name, "boot", &Outcome::Skipped(reason)));
            return;
        }
        let emulator = self.platform.emulator();
        let limit = emulator.patience(limit);
        tally.suite(self.name, |tally| match prepared.boot_on(&emulator, self.name, &config, limit, verbose) {
            Ok(report) => self.count(&report, verbose, tally),
            Err(error) => tally.count(self.name, "boot", &Outcome::Failed(format!("{error:#}"))),
        });
    }

    /// Counts each attack, and the boot itself.
    fn count(&self, report: &Report, verbose: bool, tally: &mut Tally) {
        let mut attacks = 0;
        for record in &report.records {
            let (name, outcome) = match record {
                Record::Attack { name, mode, outcome } => (format!("{name} ({mode})"), self.judge(outcome)),
                Record::Malformed(complaint) => ("record".to_owned(), Outcome::Failed(complaint.clone())),
                _ => continue,
            };
            attacks += 1;
            tally.count(self.name, &name, &outcome);
        }
        // The guest ends with failure where attacks escaped, which have been counted.
        let counted = Ending::Exit(lilliput_abi::boot::exit::FAILURE);
        let outcome = match report.ending.complaint() {
            _ if attacks == 0 => Outcome::Failed("the guest reported no attack".to_owned()),
            Some(complaint) if report.ending != counted => Outcome::Failed(complaint),
            _ if report.mark().is_empty() == self.must_escape => Outcome::Failed(
                "the guest's lines say UNENFORCED where they must not, or the other way round".to_owned(),
            ),
            _ => Outcome::Passed,
        };
        tally.count(self.name, "boot", &outcome);
        if outcome != Outcome::Passed && !verbose {
            for line in &report.last_lines {
                tally.print(format_args!("    | {line}"));
            }
        }
    }

    fn judge(&self, outcome: &Outcome) -> Outcome {
        match outcome {
            outcome if !self.must_escape => outcome.clone(),
            Outcome::Failed(reason) if reason.starts_with("ESCAPED") => Outcome::Passed,
            other => Outcome::Failed(format!("it did not escape from unenforced limits: {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use lilliput_abi::boot::exit;

    use super::*;

    fn tally(boot: &AttackBoot, lines: &[&str], ending: Ending) -> String {
        let records = lines.iter().filter_map(|line| Record::parse(line)).collect();
        let mut tally = Tally::new(false);
        let last_lines = VecDeque::from_iter(boot.must_escape.then(|| "the end UNENFORCED".to_owned()));
        boot.count(&Report { records, ending, last_lines, quoted: Vec::new() }, false, &mut tally);
        tally.counts().to_string()
    }

    #[test]
    fn an_escape_is_a_failure() {
        let [plain, .., control] = &BOOTS;
        let lines = ["@attack a segment contained", "@attack a page ESCAPED it went on", "@attack b page skipped x"];
        assert_eq!(tally(plain, &lines, Ending::Exit(exit::FAILURE)), "2 passed, 1 failed, 1 skipped");
        assert_eq!(tally(plain, &lines[..1], Ending::Success), "2 passed, 0 failed");
        assert_eq!(tally(plain, &lines[..1], Ending::Exit(exit::PANIC)), "1 passed, 1 failed");
        assert_eq!(tally(plain, &[], Ending::Success), "0 passed, 1 failed");
        assert_eq!(tally(control, &lines[..2], Ending::Exit(exit::FAILURE)), "2 passed, 1 failed");
    }

    #[test]
    fn the_control_names_attacks_that_there_are() {
        for name in ESCAPING.split(',') {
            assert!(lilliput_attack::table::all().any(|attack| attack.name == name), "{name}");
        }
    }
}
