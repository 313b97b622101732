//! Scale: what making, using and ending costs beside many others, in instructions, in a boot whose time-stamp counter counts them.
//!
//! A figure is the least of a few tries, since a timer's interrupt may come into one. It is measured around the call, the user's side included (some
//! twenty instructions). For each operation there is a line by the number of others, and a budget: beside most it may cost little more than beside fewest.

mod capabilities;
mod promises;
mod tasks;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::Error;
use lilliput_runtime::{Machine, Word};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::Supervisor;

/// How often each is tried.
const TRIES: usize = 5;
/// What more than beside fewest it may cost: so many percent, and so many instructions.
const MORE: (Word, Word) = (10, 100);

/// Measures all of them.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    if !settings.instructions {
        return Err(Failure::new("scale is measured by counting instructions"));
    }
    tasks::measure(supervisor)?;
    context(capabilities::measure(), "measuring beside many capabilities")?;
    context(capabilities::threads(), "measuring beside many threads")?;
    promises::hold()
}

/// Costs of operations by the number of others.
struct Table {
    beside: &'static str,
    counts: Vec<usize>,
    /// Name, and cost beside each of the counts.
    rows: Vec<(&'static str, Vec<Word>)>,
}

impl Table {
    const fn new(beside: &'static str) -> Self {
        Self { beside, counts: Vec::new(), rows: Vec::new() }
    }

    /// Enters what was measured beside so many.
    fn enter(&mut self, count: usize, costs: impl IntoIterator<Item = (&'static str, Word)>) {
        self.counts.push(count);
        for (name, cost) in costs {
            match self.rows.iter_mut().find(|row| row.0 == name) {
                Some(row) => row.1.push(cost),
                None => self.rows.push((name, Vec::from([cost]))),
            }
        }
    }

    /// Prints it, with a budget for each operation; what is known not to be flat has none.
    fn print(&self, not_flat: &[&str]) {
        let line = |numbers: &[Word]| numbers.iter().map(|number| format!("{number:>10}")).collect::<String>();
        let Self { beside, counts, rows } = self;
        say!("scale: {:<24}{}", format!("beside {beside}"), line(counts));
        for (name, costs) in rows {
            say!("scale: {name:<24}{}", line(costs));
            for (count, cost) in counts.iter().zip(costs) {
                say!("@cost {{\"beside\":\"{beside}\",\"count\":{count},\"name\":\"{name}\",\"value\":{cost}}}");
            }
        }
        for (name, costs) in rows {
            if let [first, .., last] = costs[..]
                && !not_flat.contains(name)
            {
                let limit = first + first * MORE.0 / 100 + MORE.1;
                say!("@budget {}-beside-{}-{beside} {last} {limit}", name.replace(' ', "-"), counts[counts.len() - 1]);
            }
        }
    }
}

/// Instructions of something that can be done again and again, the least of some tries.
fn least(mut attempt: impl FnMut() -> Result<Word, Error>) -> Result<Word, Error> {
    let mut least = Word::MAX;
    for _ in 0..TRIES {
        least = least.min(attempt()?);
    }
    Ok(least)
}

/// Instructions of a call, and what it returns.
fn cost<T>(call: impl FnOnce() -> Result<T, Error>) -> Result<(Word, T), Error> {
    let start = Native::ticks();
    let made = call()?;
    Ok(((Native::ticks() - start) as Word, made))
}
