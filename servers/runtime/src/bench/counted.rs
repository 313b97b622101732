//! What performance counters say of a way, where there are any.

use lilliput_abi::object::counter;

use super::clock::Clock;
use super::{Figure, Spread};
use crate::message::Word;

/// Medians, without what measuring takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted([Option<u32>; counter::COUNT]);

impl Counted {
    /// Names of what [`Self::shown`] gives, as keys of a record.
    pub const KEYS: [&str; 5] = ["counted_instructions", "core_cycles", "data_walks", "code_walks", "cache_misses"];

    /// What measuring itself takes: the medians of the operation that does nothing.
    pub fn nothing(figures: &[Figure]) -> Self {
        Self::told(figures, 0)
    }

    /// The medians of figures of this key, of which nothing is to be taken off, or was already.
    pub fn told(figures: &[Figure], words: Word) -> Self {
        Self(core::array::from_fn(|number| median(figures, words, number, |figure| figure.there)))
    }

    /// Of the figures of messages of so many words, one side.
    ///
    /// Of instructions it is known how many are the user's on either way, `known`, and were when nothing was measured, `known_of_nothing`; of all
    /// others this takes off what nothing took.
    pub fn of(
        figures: &[Figure],
        words: Word,
        side: fn(&Figure) -> Spread,
        nothing: &Self,
        [known, known_of_nothing]: [u32; 2],
    ) -> Self {
        Self(core::array::from_fn(|number| {
            let (counted, nothing) = (median(figures, words, number, side)?, nothing.0[number]?);
            Some(match number {
                counter::INSTRUCTIONS => (counted + known_of_nothing).saturating_sub(nothing + known),
                _ => counted.saturating_sub(nothing),
            })
        }))
    }

    /// The figures that there are, each with its place in [`Self::KEYS`]. Walks for data are those of loads and stores together.
    pub fn shown(&self) -> [Option<u32>; Self::KEYS.len()] {
        let [instructions, cycles, data, stores, code, misses] = self.0;
        [instructions, cycles, data.map(|data| data + stores.unwrap_or(0)), code, misses]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

fn median(figures: &[Figure], words: Word, number: usize, side: fn(&Figure) -> Spread) -> Option<u32> {
    let is = |figure: &&Figure| figure.words == words && figure.clock == Clock::Counter(number as u8);
    figures.iter().find(is).map(|figure| side(figure).median)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(number: u8, there: u32, back: u32) -> Figure {
        let spread = |median| Spread { median, ..Spread::default() };
        let clock = Clock::Counter(number);
        Figure { operation: 0, words: 4, clock, there: spread(there), back: spread(back) }
    }

    #[test]
    fn what_measuring_takes_is_taken_off() {
        // Measuring nothing takes 8 and 4 instructions that are known, and 5 that only counters need.
        let nothing = [figure(0, 17, 0), figure(1, 60, 0), figure(2, 1, 0), figure(3, 0, 0)];
        let nothing = Counted::nothing(&nothing.map(|figure| Figure { words: 0, ..figure }));
        let measured = [figure(0, 17 + 41, 17 + 39), figure(1, 160, 50), figure(2, 3, 1), figure(3, 2, 0)];
        // One instruction of the user's less than nothing has.
        let of = |side| Counted::of(&measured, 4, side, &nothing, [11, 12]).shown();
        assert_eq!(of(|figure| figure.there), [Some(42), Some(100), Some(4), None, None]);
        assert_eq!(of(|figure| figure.back), [Some(40), Some(0), Some(0), None, None], "no less than none");
    }

    #[test]
    fn where_there_are_none_nothing_is_shown() {
        let time = Figure { clock: Clock::Time, ..figure(0, 100, 100) };
        let nothing = Counted::nothing(&[time]);
        assert!(nothing.is_empty());
        let counted = Counted::of(&[figure(0, 50, 50)], 4, |figure| figure.there, &nothing, [8, 8]);
        assert!(counted.is_empty() && counted.shown() == [None; 5], "nothing to take off is known");
    }
}
