//! Counting tests.

use std::fmt;
use std::time::Instant;

use crate::boot::Outcome;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that passed.
    pub passed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were not run.
    pub skipped: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(formatter, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// All counts so far.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Counts,
    verbose: bool,
    /// Lines of the suite that runs, which come out together at its end: others may run beside it.
    lines: Option<String>,
}

impl Tally {
    /// Nothing counted yet. If `verbose`, every test gets a line, else only those that failed.
    pub fn new(verbose: bool) -> Self {
        Self { verbose, ..Self::default() }
    }

    /// Counts one test.
    pub fn count(&mut self, suite: &str, test: &str, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.counts.passed += 1,
            Outcome::Failed(_) => self.counts.failed += 1,
            Outcome::Skipped(_) => self.counts.skipped += 1,
        }
        match outcome {
            Outcome::Failed(reason) => self.print(format_args!("{suite}: {test} FAILED: {reason}")),
            Outcome::Skipped(reason) if self.verbose => self.print(format_args!("{suite}: {test} skipped: {reason}")),
            Outcome::Passed if self.verbose => self.print(format_args!("{suite}: {test} ok")),
            _ => {}
        }
    }

    /// Prints a line: now, if everything is shown, or with the rest of its suite.
    pub fn print(&mut self, line: impl fmt::Display) {
        match &mut self.lines {
            Some(lines) => lines.extend([&line.to_string(), "\n"]),
            None => println!("{line}"),
        }
    }

    /// Whether everything is shown.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Counts tests that somebody else ran and reported.
    pub fn add(&mut self, counts: Counts) {
        self.counts.passed += counts.passed;
        self.counts.failed += counts.failed;
        self.counts.skipped += counts.skipped;
    }

    /// Runs a suite and prints its own counts.
    pub fn suite(&mut self, name: &str, action: impl FnOnce(&mut Self)) {
        let started = Instant::now();
        let before = std::mem::take(&mut self.counts);
        self.lines = (!self.verbose).then(String::new);
        action(self);
        let lines = self.lines.take().unwrap_or_default();
        println!("{lines}{name}: {} ({:.1} s)", self.counts, started.elapsed().as_secs_f64());
        self.add(before);
    }

    /// The sum so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether nothing failed, and anything ran.
    pub fn all_well(&self) -> bool {
        self.counts.failed == 0 && self.counts.passed > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_says_so() {
        let mut tally = Tally::new(false);
        assert!(!tally.all_well(), "no test at all is no success");
        tally.suite("a", |tally| {
            tally.count("a", "x", &Outcome::Passed);
            tally.add(Counts { passed: 3, ..Counts::default() });
        });
        assert!(tally.all_well());
        assert_eq!(tally.counts().to_string(), "4 passed, 0 failed");
        tally.count("b", "y", &Outcome::Skipped("no limits".into()));
        tally.count("b", "z", &Outcome::Failed("wrong".into()));
        assert_eq!(tally.counts().to_string(), "4 passed, 1 failed, 1 skipped");
        assert!(!tally.all_well());
    }
}
