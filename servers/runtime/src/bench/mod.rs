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
pub mod counted;
pub mod disturb;
pub mod files;
pub mod foreign;
pub mod messages;
pub mod requests;
pub mod rounds;
pub mod server;
pub mod split;
pub mod touch;

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
/// A request that takes so many instructions: `(number, instructions) -> (the number's complement)`
pub const WORK: u16 = 7;
/// Serve a ring until its end: `() -> ()`, and then serve.
pub const RINGS: u16 = 8;

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
    /// A foreign thread's `int 0x80`, and the answer.
    pub const FOREIGN: Word = 7;
    /// The same by `syscall`.
    pub const FOREIGN_SYSCALL: Word = 8;
    /// Ten requests by calls: see [`requests`](super::requests).
    pub const CALLS: Word = 9;
    /// Ten requests by a ring.
    pub const RING: Word = 10;
}

/// Parameters that the root task sets, by number.
pub mod parameter {
    use super::Word;

    /// Lengths of messages to measure, one bit each; of strings and ranges, the powers of two that are their bytes.
    pub const LENGTHS: Word = 1;
    /// An address with nothing mapped; of strings and rings, where they are; of ranges, where they are mapped in the other task.
    pub const ADDRESS: Word = 2;
    /// The server's: where strings arrive, or where its rings are.
    pub const TARGET: Word = 3;
    /// Whether [`rounds`](super::rounds) are measured by clocks.
    pub const CLOCKS: Word = 4;
    /// Bytes of the longest message.
    pub const MOST: Word = 5;
}

/// Rounds of the largest batch.
pub const ROUNDS: usize = 256;
/// Rounds of a batch that warm up and do not count.
pub const WARM_UP: usize = 55;

/// How long something took, over the rounds of a batch that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// The shortest time.
    pub least: u32,
    /// The median.
    pub median: u32,
    /// What nine in ten do not exceed.
    pub p90: u32,
    /// What 99 in 100 do not exceed.
    pub p99: u32,
}

impl Spread {
    /// Of a batch, whose warm-up is left out.
    pub fn of(samples: &mut [u32]) -> Self {
        let warm = if samples.len() == ROUNDS { WARM_UP } else { samples.len() / 4 };
        let samples = &mut samples[warm..];
        samples.sort_unstable();
        // By the nearest rank.
        let percentile = |percent: usize| samples[(samples.len() * percent).div_ceil(100) - 1];
        Self { least: samples[0], median: samples[samples.len() / 2], p90: percentile(90), p99: percentile(99) }
    }

    /// Without what measuring takes.
    pub fn less(self, overhead: u32) -> Self {
        let [least, median, p90, p99] =
            [self.least, self.median, self.p90, self.p99].map(|time| time.saturating_sub(overhead));
        Self { least, median, p90, p99 }
    }
}

/// A result: it travels to the root task in [`FIGURE_RESULTS`] messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// One of [`operation`].
    pub operation: Word,
    /// Length of the message; of strings and ranges, the power of two; of requests, the number of their cost.
    pub words: Word,
    /// By which clock.
    pub clock: clock::Clock,
    /// The way there.
    pub there: Spread,
    /// The way back; zero where there is none.
    pub back: Spread,
}

/// Results that a figure takes.
pub const FIGURE_RESULTS: usize = 3;

impl Figure {
    /// The words of the results.
    pub fn to_results(self) -> [[Word; 4]; FIGURE_RESULTS] {
        let key = self.operation << 16 | self.words << 8 | self.clock.number();
        let Self { there, back, .. } = self;
        let result = |[first, second, third]: [u32; 3]| [key, first as Word, second as Word, third as Word];
        [[there.least, there.median, there.p90], [there.p99, back.least, back.median], [back.p90, back.p99, 0]]
            .map(result)
    }

    /// The figure in the words of its results.
    pub fn from_results(results: &[[Word; 4]; FIGURE_RESULTS]) -> Option<Self> {
        let key = results[0][0];
        let clock = clock::Clock::from_number(key & 0xff)?;
        let (operation, words) = (key >> 16, key >> 8 & 0xff);
        let [[_, a, b, c], [_, d, e, f], [_, g, h, _]] = results.map(|result| result.map(|word| word as u32));
        let (there, back) =
            (Spread { least: a, median: b, p90: c, p99: d }, Spread { least: e, median: f, p90: g, p99: h });
        results.iter().all(|result| result[0] == key).then_some(Self { operation, words, clock, there, back })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_many_are_below_a_percentile_as_it_says(samples in prop::collection::vec(0_u32..1000, ROUNDS)) {
            let spread = Spread::of(&mut samples.clone());
            let counted = &samples[WARM_UP..];
            let not_above = |limit| counted.iter().filter(|&&sample| sample <= limit).count();
            let below = |limit| counted.iter().filter(|&&sample| sample < limit).count();
            prop_assert!(below(spread.median) <= counted.len() / 2 && not_above(spread.median) > counted.len() / 2);
            for (percent, limit) in [(90, spread.p90), (99, spread.p99)] {
                prop_assert!(not_above(limit) * 100 >= percent * counted.len());
                prop_assert!(below(limit) * 100 < percent * counted.len());
            }
            prop_assert_eq!(below(spread.least), 0);
            prop_assert!(counted.contains(&spread.least));
        }

        #[test]
        fn figures_come_back(
            operation in 0_usize..9, words in 0_usize..32, number in 0_usize..9, times: [u32; 8], wrong in 0..FIGURE_RESULTS,
        ) {
            let clock = clock::Clock::from_number(number).unwrap();
            let [there, back] = [0, 4].map(|at| {
                Spread { least: times[at], median: times[at + 1], p90: times[at + 2], p99: times[at + 3] }
            });
            let figure = Figure { operation, words, clock, there, back };
            let mut results = figure.to_results();
            prop_assert_eq!(Figure::from_results(&results), Some(figure));
            results[wrong][0] ^= 1 << 8;
            prop_assert_eq!(Figure::from_results(&results), None);
        }
    }
}
