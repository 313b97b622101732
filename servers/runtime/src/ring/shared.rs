//! A ring in memory.
//!
//! | words | |
//! | --- | --- |
//! | 0 | entries that were ever produced, modulo 2^32 |
//! | 1 | whether the producer waits |
//! | 16 | entries that were ever consumed, modulo 2^32 |
//! | 17 | whether the consumer waits |
//! | 32... | the entries |
//!
//! What one side writes lies in cache lines of its own.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicU32, fence};

use super::Broken;

/// Words of a cache line.
const LINE: usize = 16;
/// Words before the entries.
const HEADER: usize = 2 * LINE;

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Side {
    Producer = 0,
    Consumer = LINE,
}

impl Side {
    pub const fn other(self) -> Self {
        match self {
            Self::Producer => Self::Consumer,
            Self::Consumer => Self::Producer,
        }
    }
}

/// How many words of memory a ring of so many entries of so many words takes. The memory begins as zeros.
pub const fn words_of(entries: usize, entry_words: usize) -> usize {
    HEADER + entries * entry_words
}

/// A ring whose entries have `N` words.
#[derive(Clone, Copy, Debug)]
pub struct Shared<'a, const N: usize> {
    memory: &'a [AtomicU32],
    entries: u32,
}

impl<'a, const N: usize> Shared<'a, N> {
    /// All of the memory that makes a number of entries that is a power of two. `None` where there is not room for one.
    pub const fn new(memory: &'a [AtomicU32]) -> Option<Self> {
        if N == 0 || memory.len() < words_of(1, N) {
            return None;
        }
        let most = (memory.len() - HEADER) / N;
        // The counts can be told apart: there are more of them than entries.
        let most = if most < 1 << 31 { most } else { 1 << 31 };
        Some(Self { memory, entries: 1 << most.ilog2() })
    }

    pub const fn entries(&self) -> u32 {
        self.entries
    }

    fn count(&self, side: Side) -> &AtomicU32 {
        &self.memory[side as usize]
    }

    fn waits(&self, side: Side) -> &AtomicU32 {
        &self.memory[side as usize + 1]
    }

    /// The words of an entry, by its number modulo 2^32.
    fn entry(&self, number: u32) -> &[AtomicU32; N] {
        let first = HEADER + (number & (self.entries - 1)) as usize * N;
        self.memory[first..].first_chunk().unwrap_or_else(|| unreachable!("the memory has all entries"))
    }

    pub fn write(&self, number: u32, words: &[u32; N]) {
        self.entry(number).iter().zip(words).for_each(|(to, &from)| to.store(from, Relaxed));
    }

    pub fn read(&self, number: u32) -> [u32; N] {
        self.entry(number).each_ref().map(|word| word.load(Relaxed))
    }

    /// How far the other side is ahead of `own`, or behind, as it says.
    ///
    /// # Errors
    /// [`Broken`] if it can't be: a consumer before its producer, or a producer more than all entries before its consumer.
    pub fn lead(&self, side: Side, own: u32) -> Result<u32, Broken> {
        let other = self.count(side.other()).load(Acquire);
        let produced_more = match side {
            Side::Producer => own.wrapping_sub(other),
            Side::Consumer => other.wrapping_sub(own),
        };
        if produced_more <= self.entries { Ok(produced_more) } else { Err(Broken) }
    }

    /// The other side may see everything up to here. Whether it waits, and is to be woken; this is said once.
    pub fn publish(&self, side: Side, own: u32) -> bool {
        self.count(side).store(own, Release);
        fence(SeqCst);
        let waits = self.waits(side.other());
        // Most of the time it does not, and this line is not written.
        waits.load(Relaxed) != 0 && waits.swap(0, Relaxed) != 0
    }

    /// Says that this side is about to wait, and looks once more whether it has to: not if `is_ready` by now, nor if that fails.
    ///
    /// # Errors
    /// Those of `is_ready`.
    pub fn is_to_wait(&self, side: Side, is_ready: impl FnOnce() -> Result<bool, Broken>) -> Result<bool, Broken> {
        self.waits(side).store(1, Relaxed);
        fence(SeqCst);
        let ready = is_ready();
        if ready != Ok(false) {
            // It may have been woken meanwhile.
            self.waits(side).store(0, Relaxed);
        }
        ready.map(|ready| !ready)
    }
}
