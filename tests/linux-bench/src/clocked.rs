//! Rounds between two readings of a clock.

use core::arch::asm;

use lilliput_runtime::bench::Spread;

use crate::call::Error;
use crate::marked;
use crate::print::Line;

/// Rounds, of which a quarter warms up.
const ROUNDS: usize = 128;

/// What is read. Of each the lower half is enough, which only grows, and then begins anew.
#[derive(Clone, Copy)]
pub enum Clock {
    /// The time-stamp counter.
    Time,
    /// The performance counter of this number.
    Counter(u32),
}

impl Clock {
    /// Reads it when all before is done, and before anything behind begins.
    #[inline(always)]
    fn read(self) -> u32 {
        let low;
        match self {
            // SAFETY: reading the counter changes nothing.
            Self::Time => unsafe { asm!("lfence", "rdtsc", "lfence", out("eax") low, out("edx") _, options(nostack)) },
            // SAFETY: reading a counter changes nothing; where there is none, or it may not be read, the program gets a signal.
            Self::Counter(number) => unsafe {
                asm!("lfence", "rdpmc", "lfence", in("ecx") number, out("eax") low, out("edx") _, options(nostack));
            },
        }
        low
    }

    /// What an operation takes.
    #[inline(always)]
    fn around(self, operation: impl FnOnce() -> Result<(), Error>) -> Result<u32, Error> {
        let before = self.read();
        operation()?;
        Ok(self.read().wrapping_sub(before))
    }

    /// Does something so often; what each time takes.
    #[inline(always)]
    fn samples(self, mut operation: impl FnMut() -> Result<(), Error>) -> Result<Spread, Error> {
        let mut samples = [0; ROUNDS];
        for sample in &mut samples {
            *sample = self.around(&mut operation)?;
        }
        Ok(Spread::of(&mut samples))
    }
}

/// Measures an operation, which has marks around itself, and says under this name what it takes.
///
/// # Errors
/// What the operation says.
#[inline(always)]
pub fn measure(clock: Clock, name: &[u8], operation: impl FnMut() -> Result<(), Error>) -> Result<(), Error> {
    let nothing = clock.samples(|| Ok(()))?.median;
    marked::start(name);
    let spread = clock.samples(operation)?.less(nothing);
    marked::stop();
    let mut line = Line::default();
    line.text(name);
    for number in [ROUNDS as u32, nothing, spread.least, spread.median, spread.p90, spread.p99] {
        line.text(b" ").number(number.into());
    }
    line.end();
    Ok(())
}
