//! Experiments that measure themselves: that their clocks say what the counting plugin counts.
//!
//! The time-stamp counter counts instructions here, so that both must find the same number for each batch. They are two boots, since the clocks' readings have marks of their own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lilliput_model::Record;

use super::tally::Tally;
use crate::boot::{self, Clocked, Outcome};
use crate::build::{Config, Scenario};
use crate::counts::{Check, Counted, Library};
use crate::machine::Machine;
use crate::prepare::Prepared;

/// The suite's name, and those of its boots.
pub const NAME: &str = "clocks";
const WATCHED: &str = "clocks-watched";

/// What both look at; and what only clocks do, since the plugin takes long, or has suites for it.
const BOTH: [Scenario; 4] = [Scenario::Split, Scenario::Files, Scenario::Colours, Scenario::SystemCalls];
const ALONE: [Scenario; 3] = [Scenario::Crossover, Scenario::Many, Scenario::Messages];
/// Batches that these have at least, of all cases.
const LEAST: [(&str, usize); 3] = [("crossover", 90), ("many", 40), ("messages", 150)];
/// The most instructions that a clock counts more than the plugin: the marks, and what looks whether there is a clock.
const AROUND: u64 = 16;

/// Boots twice and compares.
pub fn run(prepared: &Prepared, limit: Duration, verbose: bool, tally: &mut Tally) {
    tally.suite(NAME, |tally| match checks(prepared, limit, verbose) {
        Ok(checks) => {
            for (name, outcome) in checks {
                let outcome = outcome.map_or_else(|error| Outcome::Failed(format!("{error:#}")), |()| Outcome::Passed);
                tally.count(NAME, &name, &outcome);
            }
        }
        Err(error) => tally.count(NAME, "boot", &Outcome::Failed(format!("{error:#}"))),
    });
}

fn checks(prepared: &Prepared, limit: Duration, verbose: bool) -> Result<Vec<Check>> {
    let library = Library::build(&prepared.workspace)?;
    let config = |scenarios: &[Scenario]| Config { allow_unenforced: true, ..Config::new(scenarios.to_vec()) };
    let watched = Counted::of(prepared, &library, WATCHED, config(&BOTH), (limit, verbose))?;
    let mut config = config(&[BOTH.as_slice(), ALONE.as_slice()].concat());
    config.extra.push(("clocks".to_owned(), "yes".to_owned()));
    let machine = Machine::of_tests().counting_instructions();
    let report = prepared.boot(NAME, &machine, &config, limit, verbose)?;
    report.check()?;
    let clocked: Vec<&Clocked> = report
        .records
        .iter()
        .filter_map(|record| match record {
            boot::Record::Clock(clocked) => Some(&**clocked),
            _ => None,
        })
        .collect();
    let mut checks: Vec<Check> = watched
        .records
        .iter()
        .map(|record| (format!("{} {}", record.case, record.batch), same(record, &clocked)))
        .collect();
    for (scenario, least) in LEAST {
        let of_scenario: Vec<_> = clocked.iter().filter(|clocked| clocked.scenario == scenario).collect();
        let check = || {
            ensure!(of_scenario.len() >= least, "{} batches", of_scenario.len());
            of_scenario.iter().try_for_each(|clocked| clocked.check())
        };
        checks.push((scenario.to_owned(), check()));
    }
    Ok(checks)
}

/// Whether a clock found what the plugin counted.
fn same(record: &Record, clocked: &[&Clocked]) -> Result<()> {
    let case = || record.case.as_object().into_iter().flatten();
    let found = clocked.iter().find(|one| one.batch == record.batch && one.case.iter().eq(case()));
    let found = found.context("nothing was measured of it")?;
    found.check()?;
    let counted = record.counts.user.instructions + record.counts.kernel.instructions;
    let measured = u64::from(found.median);
    ensure!((counted..=counted + AROUND).contains(&measured), "{measured} by the clock, {counted} counted");
    Ok(())
}
