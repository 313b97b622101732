//! The switch-cost measurements: every pair of kinds of task, in every isolation mode, in one boot.

mod budgets;
mod cases;
mod pair;
mod rows;
mod table;

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::object::{fact, kind};
use lilliput_abi::{Error, Isolation};
use lilliput_runtime::bench::clock::Clock;
use lilliput_runtime::bench::counted::Counted;
use lilliput_runtime::bench::operation;
use lilliput_runtime::machine::MEASURING_INSTRUCTIONS;

use crate::SYSTEM;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use cases::{CASES, Case};
use rows::{Overhead, Platform};

/// Measures everything and prints a record for each row; where a table is wanted, after that.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let platform = Platform {
        instructions: settings.instructions,
        counts: context(SYSTEM.fact(fact::COUNTS_SWITCHES), "whether switches are counted")? == 1,
        table: settings.table,
        compat_entry: context(SYSTEM.fact(fact::COMPAT_ENTRY), "the way of 32-bit entry")?,
        limits_enforced: context(SYSTEM.fact(fact::LIMITS_ENFORCED), "whether limits are enforced")? == 1,
    };
    let overhead = [overhead(supervisor, &platform, kind::SMALL)?, overhead(supervisor, &platform, kind::WIDE)?];
    if platform.table {
        table::head(platform.limits_enforced, &overhead)?;
    }
    let (mut rows, mut kept) = (0, Vec::new());
    for case in CASES.iter().filter(|case| !(settings.counts && case.is_whole())) {
        for &mode in case.modes() {
            match pair::measure(supervisor, case, mode)? {
                Ok(figures) => {
                    let records = rows::records(case, mode, &figures, &platform, &overhead)?;
                    rows += records.len();
                    // They would stand between the lines of the table.
                    if platform.table {
                        kept.extend(records);
                    } else {
                        records.iter().for_each(|record| say!("{record}"));
                    }
                }
                Err(Error::Unsupported) => {
                    say!("bench: {} in {} mode: not measured: this boot refuses that mode", case.title(), mode.name());
                }
                Err(error) => {
                    let what = format!("{} in {} mode: {}", case.title(), mode.name(), error.name());
                    return Err(Failure::new(what));
                }
            }
        }
    }
    kept.iter().for_each(|record| say!("{record}"));
    say!("bench: {rows} rows measured");
    if rows == 0 { Err(Failure::new("nothing could be measured")) } else { Ok(()) }
}

/// The kernel's instructions for a call of four words between two small tasks and for its answer, where the counter counts these.
pub fn call_and_reply(supervisor: &mut Supervisor, mode: Isolation) -> Result<[u32; 2], Failure> {
    let entry = context(SYSTEM.fact(fact::COMPAT_ENTRY), "the way of 32-bit entry")?;
    let case =
        Case { operation: operation::CALL, from: kind::SMALL, to: kind::SMALL, same_task: false, lengths: 1 << 4 };
    let figures = pair::measure(supervisor, &case, mode)?;
    let figures = figures.map_err(|error| Failure::new(format!("{}: {}", case.title(), error.name())))?;
    let figure = figures.iter().find(|figure| figure.clock == Clock::Time);
    let figure = figure.ok_or_else(|| Failure::new("a call and its answer gave no figure"))?;
    let around = MEASURING_INSTRUCTIONS + rows::stub_instructions(kind::SMALL, entry);
    Ok([figure.there, figure.back].map(|measured| measured.less(around).median))
}

/// What the measuring itself costs in a task of this kind: stamps, and the stub's moves.
fn overhead(supervisor: &mut Supervisor, platform: &Platform, kind: u64) -> Result<Overhead, Failure> {
    let case = Case { operation: operation::NOTHING, from: kind, to: kind, same_task: true, lengths: 1 };
    let figures = pair::measure(supervisor, &case, Isolation::Page)?;
    let figures = figures.map_err(|error| Failure::new(format!("measuring nothing: {}", error.name())))?;
    let there = figures.iter().find(|figure| figure.clock == Clock::Time).map(|figure| figure.there.median);
    let there = there.ok_or_else(|| Failure::new("measuring nothing gave no figure"))?;
    let expected = MEASURING_INSTRUCTIONS + rows::stub_instructions(kind, 0);
    if platform.instructions && there != expected {
        let what =
            format!("a stretch of {expected} instructions takes {there} ticks: the TSC does not count instructions");
        return Err(Failure::new(what));
    }
    Ok(Overhead { time: there, counted: Counted::nothing(&figures) })
}
