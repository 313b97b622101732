//! How much each operation may cost here: the limits beside the program, and whether they are kept.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::figures::Figure;
use super::side::Side;
use crate::boot::Outcome;

/// The file of limits of system calls.
pub const CALLS: &str = "budgets.txt";
/// That of limits of reads of a disk.
pub const READS: &str = "read-budgets.txt";

/// The limits of all sides.
pub struct Budgets(Vec<Budget>);

#[derive(Debug, PartialEq, Eq)]
struct Budget {
    architecture: String,
    mode: String,
    name: String,
    limit: u64,
}

impl Budgets {
    /// Reads one of the files in the folder of the programs.
    pub fn read(root: &Path, name: &str) -> Result<Self> {
        let file = root.join("tests/linux-bench").join(name);
        let text = fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} is wrong", file.display()))
    }

    /// Those of what has such a name.
    pub fn only(mut self, is_wanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|budget| is_wanted(&budget.name));
        self
    }

    /// Lines of `ARCHITECTURE MODE LIMIT NAME`; empty ones, and those that begin with `#`, are none.
    fn parse(text: &str) -> Result<Self> {
        let mut budgets: Vec<Budget> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let budget = budget(line).with_context(|| format!("`{line}` is not ARCHITECTURE MODE LIMIT NAME"))?;
            let is_same = |other: &Budget| {
                (&other.architecture, &other.mode, &other.name) == (&budget.architecture, &budget.mode, &budget.name)
            };
            ensure!(!budgets.iter().any(is_same), "`{line}` is there twice");
            budgets.push(budget);
        }
        Ok(Self(budgets))
    }

    /// Holds the figures of a side against its limits. What has a limit must be there, and what is there must have one.
    pub fn judge(&self, side: Side, figures: &[Figure]) -> Vec<(String, Outcome)> {
        let mode = side.mode();
        let own = self.0.iter().filter(|budget| budget.architecture == side.architecture.word() && budget.mode == mode);
        let own: Vec<_> = own.collect();
        let mut outcomes = Vec::new();
        for figure in figures {
            let limit = own.iter().find(|budget| budget.name == figure.name).map(|budget| budget.limit);
            let outcome = match (figure.cost, limit) {
                (Ok(cost), Some(limit)) if cost.median <= limit => Outcome::Passed,
                (Ok(cost), Some(limit)) => Outcome::Failed(format!("{}, the budget is {limit}", cost.median)),
                (Ok(cost), None) => Outcome::Failed(format!("{}, and there is no budget", cost.median)),
                (Err(error), Some(_)) => Outcome::Failed(format!("error {error}, and there is a budget")),
                (Err(error), None) => Outcome::Skipped(format!("not available: error {error}")),
            };
            outcomes.push((format!("budget {}", figure.name), outcome));
        }
        for budget in own {
            if !figures.iter().any(|figure| figure.name == budget.name) {
                outcomes.push((format!("budget {}", budget.name), Outcome::Failed("it was not measured".to_owned())));
            }
        }
        outcomes
    }
}

fn budget(line: &str) -> Option<Budget> {
    let mut words = line.splitn(4, ' ');
    let (architecture, mode, limit) = (words.next()?, words.next()?, words.next()?);
    let name = words.next()?.trim();
    let (architecture, mode, name) = (architecture.to_owned(), mode.to_owned(), name.to_owned());
    (!name.is_empty()).then_some(Budget { architecture, mode, name, limit: limit.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::figure;
    use super::super::side::LILLIPUT;
    use super::*;

    const TEXT: &str = "# comment\n\ni386 segment 150 getpid\ni386 segment 4000 pipe round trip\namd64 - 9 getpid\n";

    fn passed(figures: &[Figure]) -> Vec<bool> {
        let judged = Budgets::parse(TEXT).unwrap().judge(LILLIPUT[0], figures);
        judged.into_iter().map(|(_, outcome)| !matches!(outcome, Outcome::Failed(_))).collect()
    }

    #[test]
    fn a_limit_is_kept_or_not() {
        assert_eq!(passed(&[figure("getpid", 150), figure("pipe round trip", 4001)]), [true, false]);
        assert_eq!(passed(&[figure("getpid", 150)]), [true, false], "one was not measured");
        assert_eq!(passed(&[figure("getpid", 1), figure("pipe round trip", 1), figure("new", 1)]), [true, true, false]);
        let absent = |name: &str| Figure { name: name.to_owned(), cost: Err(38) };
        assert_eq!(passed(&[figure("getpid", 1), absent("pipe round trip"), absent("other")]), [true, false, true]);
    }

    #[test]
    fn every_side_of_the_tests_has_limits() {
        let budgets = Budgets::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), CALLS).unwrap();
        for side in LILLIPUT.iter().filter(|side| side.mode() != "page-untagged") {
            let mode = side.mode();
            assert!(
                budgets.0.iter().any(|budget| budget.architecture == side.architecture.word() && budget.mode == mode)
            );
        }
    }

    #[test]
    fn what_is_no_limit_is_an_error() {
        for line in ["i386 segment 150", "i386 segment x getpid", "i386 page 1 a\ni386 page 2 a"] {
            assert!(Budgets::parse(line).is_err(), "{line}");
        }
    }
}
