//! Suites side by side: an emulator keeps one CPU busy.

use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::tally::Tally;

/// A suite that can run beside others.
pub type Suite<'a> = Box<dyn FnOnce(&mut Tally) + Send + 'a>;

/// The most at once: each takes half a gigabyte of memory.
const MOST: usize = 8;

/// Runs them, begun in this order, each counting for itself until it is over. Where everything is shown they come one after the other.
pub fn run(suites: Vec<Suite<'_>>, tally: &mut Tally) {
    let cpus = thread::available_parallelism().map_or(1, NonZero::get);
    let verbose = tally.is_verbose();
    let workers = if verbose { 1 } else { cpus.min(MOST).min(suites.len()) };
    let (waiting, total) = (Mutex::new(suites.into_iter()), Mutex::new(tally));
    let next = || lock(&waiting).next();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(suite) = next() {
                    let mut own = Tally::new(verbose);
                    suite(&mut own);
                    lock(&total).add(own.counts());
                }
            });
        }
    });
}

/// What a suite that panicked left is whole: nothing is changed in between, and the panic goes on at the end of the scope.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::Outcome;

    #[test]
    fn every_suite_is_counted_once() {
        let suite = |number: usize| -> Suite<'_> {
            Box::new(move |tally| {
                tally.suite("s", |tally| {
                    for _ in 0..number {
                        tally.count("s", "t", &Outcome::Passed);
                    }
                    tally.count("s", "u", &Outcome::Skipped("so".to_owned()));
                });
            })
        };
        for verbose in [false, true] {
            let mut tally = Tally::new(verbose);
            run((0..20).map(suite).collect(), &mut tally);
            assert_eq!(tally.counts().to_string(), "190 passed, 0 failed, 20 skipped");
        }
        run(Vec::new(), &mut Tally::new(false));
    }
}
