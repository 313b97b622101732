//! The counting plugin: that it counts what the time-stamp counter counts, and what it finds of paths that keep their root.

use std::time::Duration;

use super::tally::Tally;
use crate::boot::Outcome;
use crate::build::Scenario;
use crate::counts::{Counted, Library, checks};
use crate::prepare::Prepared;

/// Name of the suite.
pub const NAME: &str = "counts";

/// Boots and counts.
pub fn run(prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) {
    tally.suite(NAME, |tally| {
        let counted = Library::build(&prepared.workspace)
            .and_then(|library| Counted::new(prepared, &library, NAME, Scenario::Bench, (limit, verbose)));
        match counted {
            Ok(counted) => {
                for (name, outcome) in checks(&counted) {
                    let outcome = match outcome {
                        Ok(()) => Outcome::Passed,
                        Err(error) => Outcome::Failed(format!("{error:#}")),
                    };
                    tally.count(NAME, &name, &outcome);
                }
            }
            Err(error) => tally.count(NAME, "boot", &Outcome::Failed(format!("{error:#}"))),
        }
    });
}
