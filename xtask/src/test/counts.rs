//! The counting plugin: that it counts what the time-stamp counter counts, and what it finds of paths that keep their root.

use std::time::Duration;

use anyhow::{Context, Result};

use super::tally::Tally;
use crate::boot::Outcome;
use crate::build::Scenario;
use crate::counts::{Check, Counted, Library, checks, crossover};
use crate::prepare::Prepared;

/// A boot with the plugin.
pub struct CountedBoot {
    /// Its name, under which its checks are counted.
    pub name: &'static str,
    scenario: Scenario,
    checks: fn(&Counted) -> Result<Vec<Check>>,
}

/// All of them.
pub const BOOTS: [CountedBoot; 3] = [
    CountedBoot { name: "counts", scenario: Scenario::Bench, checks: |counted| Ok(checks(counted)) },
    CountedBoot { name: "crossover", scenario: Scenario::Crossover, checks: of_crossover },
    CountedBoot { name: "many", scenario: Scenario::Many, checks: of_crossover },
];

fn of_crossover(counted: &Counted) -> Result<Vec<Check>> {
    let lines = crossover::lines(&counted.records)?;
    Ok(crossover::checks(&lines))
}

impl CountedBoot {
    /// Boots and counts.
    pub fn run(&self, prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) {
        tally.suite(self.name, |tally| match self.checks(prepared, limit, verbose) {
            Ok(checks) => {
                for (name, outcome) in checks {
                    let outcome = match outcome {
                        Ok(()) => Outcome::Passed,
                        Err(error) => Outcome::Failed(format!("{error:#}")),
                    };
                    tally.count(self.name, &name, &outcome);
                }
            }
            Err(error) => tally.count(self.name, "boot", &Outcome::Failed(format!("{error:#}"))),
        });
    }

    fn checks(&self, prepared: &Prepared, limit: Duration, verbose: bool) -> Result<Vec<Check>> {
        let library = Library::build(&prepared.workspace)?;
        let counted = Counted::new(prepared, &library, self.name, self.scenario, (limit, verbose))?;
        (self.checks)(&counted).context("the records")
    }
}
