//! An operation done again and again, and what came of it.

use crate::call::Error;
use crate::print::Line;

/// The most rounds that are counted.
pub const MOST: usize = 1000;

/// The time-stamp counter.
#[inline(always)]
pub fn now() -> u64 {
    #[cfg(target_arch = "x86")]
    use core::arch::x86::_rdtsc;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::_rdtsc;
    // SAFETY: reading the counter changes nothing.
    unsafe { _rdtsc() }
}

/// Ticks around an operation.
#[inline(always)]
pub fn around(operation: impl FnOnce() -> Result<(), Error>) -> Result<u64, Error> {
    let before = now();
    operation()?;
    Ok(now() - before)
}

/// Ticks between two readings of the counter with nothing between.
fn nothing() -> u64 {
    (0..MOST).map(|_| around(|| Ok(())).unwrap_or(0)).min().unwrap_or(0)
}

/// Does an operation so often, a tenth of that before without counting, and prints what it took. The operation says so itself; two
/// readings with nothing between are subtracted.
pub fn measure(name: &[u8], rounds: usize, mut operation: impl FnMut() -> Result<u64, Error>) {
    let mut counts = [0; MOST];
    let counts = &mut counts[..rounds.min(MOST)];
    let nothing = nothing();
    for _ in 0..rounds.div_ceil(10) {
        if let Err(error) = operation() {
            return absent(name, error);
        }
    }
    for count in &mut *counts {
        match operation() {
            Ok(ticks) => *count = ticks.saturating_sub(nothing),
            Err(error) => return absent(name, error),
        }
    }
    counts.sort_unstable();
    tell(name, counts);
}

/// Prints what sorted counts come to.
pub fn tell(name: &[u8], counts: &[u64]) {
    let mut line = Line::default();
    line.text(b"bench|").text(name).text(b"|").number(counts[counts.len() / 2]);
    line.text(b"|").number(counts[0]).text(b"|").number(counts.len() as u64).end();
}

/// Says that there is no such thing.
pub fn absent(name: &[u8], error: Error) {
    Line::default().text(b"bench|").text(name).text(b"|absent|").number(error.into()).end();
}
