//! Measuring what one way of an operation costs.
//!
//! Both sides stamp a [`clock`] right before they enter the kernel and right after they left it, each
//! in an array of its own. So the way there is the server's stamp after receiving less the client's before
//! calling, and the way back the client's after less the server's before replying; nothing that travels
//! in the messages is there for measuring. The client fetches the server's stamps when a batch is done.
//!
//! Where the time-stamp counter counts instructions, what lies between two stamps beside the kernel's part is
//! known to the instruction (see [`crate::machine::Stamps`]) and is taken off by the root task. The figures were
//! checked against a debugger that stepped from the entry instruction through the exit instruction: a reply from a
//! 64-bit to a small task, one between 64-bit tasks, a page fault and its answer had the same number both ways.

pub mod bulk;
pub mod client;
pub mod clock;
pub mod server;

use crate::message::Word;

/// A new batch begins: `(clock) -> ()`
pub const BEGIN: u16 = 1;
/// A round of a batch: `(words...) -> (words...)`
pub const ROUND: u16 = 2;
/// Wait so many times for the notification: `(clock, times) -> ()`, and then wait.
pub const AWAIT: u16 = 3;
/// The stamps of a round: `(round) -> (after receiving, before replying)`
pub const FETCH: u16 = 4;
/// Unmap the page at an address of the client's again: `(address) -> ()`
pub const UNMAP: u16 = 5;
/// Accept strings: `() -> ()`
pub const TAKE: u16 = 6;

/// What is measured.
pub mod operation {
    use super::Word;

    /// A call and its reply.
    pub const CALL: Word = 0;
    /// Entering and leaving the kernel.
    pub const NULL: Word = 1;
    /// Signalling a thread of higher priority that waits.
    pub const SIGNAL: Word = 2;
    /// A page fault as a message to its handler, and the answer that restarts the access.
    pub const FAULT: Word = 3;
    /// The measuring itself.
    pub const NOTHING: Word = 4;
    /// A call with a string of bytes, and its answer: see [`bulk`](super::bulk).
    pub const STRING: Word = 5;
    /// Mapping pages in another task.
    pub const MAP: Word = 6;
}

/// Parameters that the root task sets, by number.
pub mod parameter {
    use super::Word;

    /// Lengths of messages to measure, one bit each; of strings and ranges, the powers of two that are their bytes.
    pub const LENGTHS: Word = 1;
    /// An address with nothing mapped; of strings, where they are; of ranges, where they are mapped in the other task.
    pub const ADDRESS: Word = 2;
    /// The server's: where strings arrive.
    pub const TARGET: Word = 3;
}

/// Rounds of the largest batch.
pub const ROUNDS: usize = 256;
/// Rounds of a batch that warm up and do not count.
pub const WARM_UP: usize = 55;

/// A result, as it travels to the root task: `(key, there, back)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// One of [`operation`].
    pub operation: Word,
    /// Length of the message; of strings and ranges, the power of two.
    pub words: Word,
    /// By which clock.
    pub clock: clock::Clock,
    /// The way there.
    pub there: u32,
    /// The way back; zero where there is none.
    pub back: u32,
}

impl Figure {
    /// The words of the result.
    pub const fn to_words(self) -> [Word; 4] {
        let key = self.operation << 16 | self.words << 8 | self.clock as Word;
        [key, self.there as Word, self.back as Word, 0]
    }

    /// The figure in the words of a result.
    pub const fn from_words(words: &[Word; 4]) -> Option<Self> {
        let Some(clock) = clock::Clock::from_number(words[0] & 0xff) else { return None };
        let (operation, length) = (words[0] >> 16, words[0] >> 8 & 0xff);
        Some(Self { operation, words: length, clock, there: words[1] as u32, back: words[2] as u32 })
    }
}

/// The median of a batch without its warm-up.
pub fn median(samples: &mut [u32]) -> u32 {
    let warm = if samples.len() == ROUNDS { WARM_UP } else { samples.len() / 4 };
    let samples = &mut samples[warm..];
    samples.sort_unstable();
    samples[samples.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_median_has_as_many_above_as_below(samples in prop::collection::vec(0_u32..1000, ROUNDS)) {
            let median = median(&mut samples.clone());
            let counted = &samples[WARM_UP..];
            let below = counted.iter().filter(|&&sample| sample < median).count();
            let above = counted.iter().filter(|&&sample| sample > median).count();
            prop_assert!(below <= counted.len() / 2 && above <= counted.len() / 2);
        }

        #[test]
        fn figures_come_back(operation in 0_usize..7, words in 0_usize..32, number in 0_usize..3, there: u32, back: u32) {
            let clock = clock::Clock::from_number(number).unwrap();
            let figure = Figure { operation, words, clock, there, back };
            prop_assert_eq!(Figure::from_words(&figure.to_words()), Some(figure));
        }
    }
}
