//! Experiments, whose counts must not grow.

use std::time::Duration;

use super::tally::Tally;
use crate::bench::experiment::{Name, Scope};
use crate::boot::Outcome;
use crate::prepare::Prepared;

/// An experiment as a suite.
pub struct Trial {
    /// Its name, under which its checks are counted.
    pub name: &'static str,
    experiment: Name,
}

/// All of them.
pub const TRIALS: [Trial; 7] = [
    Trial { name: "experiment-syscall-table", experiment: Name::SyscallTable },
    Trial { name: "experiment-over-split", experiment: Name::OverSplit },
    Trial { name: "experiment-colours", experiment: Name::Colours },
    Trial { name: "experiment-blocking-read", experiment: Name::BlockingRead },
    Trial { name: "experiment-small-files", experiment: Name::SmallFiles },
    Trial { name: "experiment-messages", experiment: Name::Messages },
    Trial { name: "experiment-shares", experiment: Name::Shares },
];

impl Trial {
    /// Does it, without what would have to be downloaded.
    pub fn run(&self, prepared: &Prepared, limit: Duration, tally: &mut Tally) {
        tally.suite(self.name, |tally| match self.experiment.run(prepared, limit, Scope::Alone) {
            Ok(outcome) => {
                for (name, checked) in outcome.checks {
                    let checked = match checked {
                        Ok(()) => Outcome::Passed,
                        Err(error) => Outcome::Failed(format!("{error:#}")),
                    };
                    tally.count(self.name, &name, &checked);
                }
            }
            Err(error) => tally.count(self.name, "boot", &Outcome::Failed(format!("{error:#}"))),
        });
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_experiment_is_a_suite() {
        for name in Name::value_variants() {
            let word = name.to_possible_value().unwrap();
            let trial = TRIALS.iter().find(|trial| trial.experiment == *name).unwrap();
            assert_eq!(trial.name, format!("experiment-{}", word.get_name()));
        }
    }
}
