//! The benchmarks whose figures the page shows where nobody brings any.

use anyhow::{Context, Result};

use crate::bench;
use crate::figures::Figures;
use crate::options::Timeout;
use crate::prepare::Prepared;
use crate::progress::Step;
use crate::setup::Needs;

/// Runs them, one after the other, and says how far that is.
pub fn run(timeout: Timeout) -> Result<Figures> {
    let prepared = Prepared::new(Needs::EMULATOR)?;
    let mut all = Figures::default();
    let benchmarks = bench::all();
    for (number, (name, measure)) in benchmarks.iter().enumerate() {
        let step = Step::start_in_lines(format!("benchmark {} of {}: {name}", number + 1, benchmarks.len()));
        all.merge(measure(&prepared, timeout)?).with_context(|| format!("the figures of {name}"))?;
        step.finish("done");
    }
    Ok(all)
}
