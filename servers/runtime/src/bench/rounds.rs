//! Alike rounds of one thing, each between two marks for who watches (see [`crate::mark`]), and, where the boot asks for it, between two readings of a clock.
//!
//! So the same experiments are done on machines that nobody can watch. A reading is half of what measures nothing at all: what two of them take
//! with nothing between is taken off. With each clock that there is all rounds are made once more. Readings have marks of their own, so that
//! there is nothing to watch then.

use core::marker::PhantomData;

use lilliput_abi::Error;

use super::clock::{Clock, Meter, Reading};
use super::{Spread, parameter};
use crate::machine::Machine;
use crate::mark::{self, Mark};
use crate::message::Word;
use crate::parent;

/// How often as many rounds are made by a clock as for who watches, to whom all are the same; and how many at most.
const MORE: usize = 4;
const MOST: usize = 128;
/// The longest name of a batch.
const NAME: usize = 8;

/// A batch of rounds.
pub struct Rounds<K> {
    name: [u8; NAME],
    /// By what they are measured, if by anything.
    by: Option<(Clock, Meter)>,
    samples: [u32; MOST],
    count: usize,
    machine: PhantomData<K>,
}

/// Does so many rounds under a name, by each clock that there is.
///
/// # Errors
/// What a round says, or the kernel.
#[inline(always)]
pub fn alike<K: Machine>(
    name: &str,
    count: usize,
    mut round: impl FnMut(&mut Rounds<K>) -> Result<(), Error>,
) -> Result<(), Error> {
    for clock in clocks::<K>()? {
        let mut rounds = Rounds::start(clock, name)?;
        for _ in 0..rounds.of(count) {
            round(&mut rounds)?;
        }
        rounds.stop()?;
    }
    Ok(())
}

/// The clocks by which a batch is to be measured, one after another; none, once, where somebody watches.
///
/// # Errors
/// What the kernel says.
pub fn clocks<K: Machine>() -> Result<impl Iterator<Item = Option<(Clock, Reading)>>, Error> {
    let watched = parent::parameter::<K>(parameter::CLOCKS)? == 0;
    let alone = if watched { None } else { Some(Clock::read_alone::<K>()?.map(Some)) };
    Ok(watched.then_some(None).into_iter().chain(alone.into_iter().flatten()))
}

impl<K: Machine> Rounds<K> {
    /// Begins a batch of this name, of eight bytes at most.
    ///
    /// # Errors
    /// What the kernel says to a reading.
    pub fn start(by: Option<(Clock, Reading)>, name: &str) -> Result<Self, Error> {
        let mut bytes = [0; NAME];
        bytes.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
        let by = by.map(|(clock, reading)| Ok((clock, Meter::new::<K>(reading)?))).transpose()?;
        mark::say::<K>(name, Mark::Start);
        Ok(Self { name: bytes, by, samples: [0; MOST], count: 0, machine: PhantomData })
    }

    /// How many rounds to make instead of so many.
    pub fn of(&self, count: usize) -> usize {
        if self.by.is_some() { (count * MORE).min(MOST) } else { count }
    }

    /// What is measured begins.
    ///
    /// # Errors
    /// What the kernel says to a reading.
    #[inline(always)]
    pub fn begin(&mut self) -> Result<(), Error> {
        if let Some((_, meter)) = &mut self.by {
            meter.begin::<K>()?;
        }
        K::mark(Mark::Begin);
        Ok(())
    }

    /// It ends.
    ///
    /// # Errors
    /// What the kernel says to a reading.
    #[inline(always)]
    pub fn end(&mut self) -> Result<(), Error> {
        K::mark(Mark::End);
        let Some((_, meter)) = &mut self.by else { return Ok(()) };
        let taken = meter.end::<K>()?;
        if let Some(sample) = self.samples.get_mut(self.count) {
            (*sample, self.count) = (taken, self.count + 1);
        }
        Ok(())
    }

    /// The batch is over: the parent is told what came of it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn stop(mut self) -> Result<(), Error> {
        K::mark(Mark::Stop);
        let Some((clock, Meter { nothing, .. })) = self.by.filter(|_| self.count > 0) else { return Ok(()) };
        let spread = Spread::of(&mut self.samples[..self.count]).less(nothing);
        let told = Told { name: self.name, clock, rounds: self.count, nothing, spread };
        told.to_results().iter().try_for_each(|result| parent::result::<K>(result))
    }
}

/// What came of a batch. A quarter of its rounds warmed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The batch's name, with zeros behind it.
    pub name: [u8; NAME],
    /// By which clock.
    pub clock: Clock,
    /// Rounds.
    pub rounds: usize,
    /// What was taken off each.
    pub nothing: u32,
    /// What a round took.
    pub spread: Spread,
}

/// Results that it takes.
pub const TOLD_RESULTS: usize = 3;

impl Told {
    /// The words of the results.
    pub fn to_results(self) -> [[Word; 4]; TOLD_RESULTS] {
        let Self { name: [a, b, c, d, e, f, g, h], clock, rounds, nothing, spread } = self;
        let Spread { least, median, p90, p99 } = spread;
        let (first, second) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        [[first, second, rounds as u32], [nothing, least, median], [p90, p99, 0]]
            .map(|[x, y, z]| [clock.number(), x as Word, y as Word, z as Word])
    }

    /// What the words of its results say.
    pub fn from_results(results: &[[Word; 4]; TOLD_RESULTS]) -> Option<Self> {
        let clock = Clock::from_number(results[0][0])?;
        let [[_, first, second, rounds], [_, nothing, least, median], [_, p90, p99, _]] =
            results.map(|result| result.map(|word| word as u32));
        let ([a, b, c, d], [e, f, g, h]) = (first.to_le_bytes(), second.to_le_bytes());
        let told = Self {
            name: [a, b, c, d, e, f, g, h],
            clock,
            rounds: rounds as usize,
            nothing,
            spread: Spread { least, median, p90, p99 },
        };
        results.iter().all(|result| result[0] == clock.number()).then_some(told)
    }

    /// What a line of text says, of a program that can't hand over results: name, rounds, what was taken off, least, median, and what 90 and 99 in 100 do not exceed.
    pub fn from_text(clock: Clock, text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (word, mut name) = (words.next()?.as_bytes(), [0; NAME]);
        name.get_mut(..word.len())?.copy_from_slice(word);
        let mut number = || words.next()?.parse().ok();
        let (rounds, nothing): (u32, u32) = (number()?, number()?);
        let spread = Spread { least: number()?, median: number()?, p90: number()?, p99: number()? };
        words.next().is_none().then_some(Self { name, clock, rounds: rounds as usize, nothing, spread })
    }

    /// The batch's name; empty if it is no text.
    pub fn name(&self) -> &str {
        core::str::from_utf8(&self.name).unwrap_or_default().trim_end_matches('\0')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_comes_back() {
        let spread = Spread { least: 1, median: u32::MAX, p90: 3, p99: 4 };
        let told = Told { name: *b"000016\0\0", clock: Clock::Counter(2), rounds: 64, nothing: 9, spread };
        let mut results = told.to_results();
        assert_eq!(Told::from_results(&results), Some(told));
        assert_eq!(told.name(), "000016");
        results[2][0] += 1;
        assert_eq!(Told::from_results(&results), None);
        assert_eq!(Told::from_results(&[[99, 0, 0, 0]; 3]), None);
    }

    #[test]
    fn a_line_tells_it_too() {
        let spread = Spread { least: 1, median: 2, p90: 3, p99: u32::MAX };
        let told = Told { name: *b"getpid\0\0", clock: Clock::Time, rounds: 128, nothing: 9, spread };
        assert_eq!(Told::from_text(Clock::Time, "getpid 128 9 1 2 3 4294967295 "), Some(told));
        for line in [
            "",
            "getpid",
            "getpid 128 9 1 2 3",
            "getpid 128 9 1 2 3 4 5",
            "getpid 128 9 1 2 3 x",
            "longername 128 9 1 2 3 4",
        ] {
            assert_eq!(Told::from_text(Clock::Time, line), None, "{line}");
        }
    }
}
