//! What was exchanged with each kind of task: a number of messages, and the sum of their digests.

use lilliput_abi::Error;

use super::payload::digest;
use super::{KINDS, outcome};
use crate::invoke::Invoke;
use crate::message::{Word, halves};
use crate::parent;

/// One side of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Messages.
    pub messages: u64,
    /// The sum of their digests, modulo 2^64: the order in which they came does not matter.
    pub digests: u64,
}

impl core::ops::AddAssign for Entry {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.digests = self.digests.wrapping_add(other.digests);
    }
}

/// The entries of one task, by the kind of the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: [Entry; KINDS],
}

impl Ledger {
    /// Enters a message. A kind that does not exist is entered nowhere, and so is missed in the end.
    pub fn enter(&mut self, kind: usize, label: u16, words: &[Word]) {
        if let Some(entry) = self.entries.get_mut(kind) {
            *entry += Entry { messages: 1, digests: digest(label, words) };
        }
    }

    /// The entry of a kind.
    pub fn entry(&self, kind: usize) -> Entry {
        self.entries[kind]
    }

    /// Hands all entries to the parent, as results of `direction`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn report<K: Invoke>(&self, direction: Word) -> Result<(), Error> {
        for (kind, entry) in self.entries.iter().enumerate() {
            let [low, high] = halves(entry.digests);
            parent::result::<K>(&[direction << 8 | kind, entry.messages as Word, low, high])?;
        }
        Ok(())
    }
}

/// Reads a result: direction, kind of the other side, entry.
pub fn read(result: &[Word; 4]) -> Option<(Word, usize, Entry)> {
    let (direction, kind) = (result[0] >> 8, result[0] & 0xff);
    let known = matches!(direction, outcome::SENT | outcome::RECEIVED) && kind < KINDS;
    let digests = result[2] as u64 | (result[3] as u64) << 32;
    known.then_some((direction, kind, Entry { messages: result[1] as u64, digests }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_does_not_matter_and_loss_does(words in prop::collection::vec(any::<usize>(), 1..20)) {
            let mut there = Ledger::default();
            let mut back = Ledger::default();
            words.iter().for_each(|&word| there.enter(1, 3, &[word]));
            words.iter().rev().for_each(|&word| back.enter(1, 3, &[word]));
            prop_assert_eq!(there, back);
            let mut short = Ledger::default();
            words[1..].iter().for_each(|&word| short.enter(1, 3, &[word]));
            prop_assert_ne!(there, short);
        }
    }

    #[test]
    fn results_are_read_as_they_are_written() {
        let entry = Entry { messages: 7, digests: 0x0123_4567_89ab_cdef };
        let [low, high] = halves(entry.digests);
        assert_eq!(read(&[outcome::SENT << 8 | 2, 7, low, high]), Some((outcome::SENT, 2, entry)));
        assert_eq!(read(&[outcome::CHECKED << 8, 1, 2, 3]), None);
        assert_eq!(read(&[outcome::SENT << 8 | 3, 0, 0, 0]), None);
    }
}
