//! How long the kernel keeps interrupts off.

use std::time::Duration;

use super::tally::Tally;
use crate::bench::stretches::Boot;
use crate::boot::Outcome;
use crate::prepare::Prepared;

/// Boots and looks at the longest pass.
pub fn run(boot: &Boot, prepared: &Prepared, limit: Duration, tally: &mut Tally) {
    tally.suite(boot.name, |tally| {
        let checked = boot.passes(prepared, limit).and_then(|passes| boot.check(prepared, &passes));
        let outcome = match checked {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        tally.count(boot.name, "longest stretch with interrupts off", &outcome);
    });
}
