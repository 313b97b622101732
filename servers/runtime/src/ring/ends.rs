//! The two ends of a ring.

use core::sync::atomic::AtomicU32;

use super::Broken;
use super::shared::{Shared, Side};

/// Puts entries into a ring.
#[derive(Debug)]
pub struct Producer<'a, const N: usize> {
    shared: Shared<'a, N>,
    /// Entries that were ever put in. The count in memory is for the other side, and is not read back.
    next: u32,
    /// How many of these may still be in it, when that was last looked up.
    inside: u32,
}

impl<'a, const N: usize> Producer<'a, N> {
    /// The producer of a new ring in this memory, which is zeros. The number of entries is the largest power of two that there is room for;
    /// `None` if not even one fits.
    pub const fn new(memory: &'a [AtomicU32]) -> Option<Self> {
        match Shared::new(memory) {
            Some(shared) => Some(Self { shared, next: 0, inside: 0 }),
            None => None,
        }
    }

    /// How many entries the ring has.
    pub const fn capacity(&self) -> u32 {
        self.shared.entries()
    }

    /// Puts an entry in, if there is room. The consumer does not see it before [`Producer::publish`].
    ///
    /// # Errors
    /// [`Broken`].
    pub fn push(&mut self, entry: &[u32; N]) -> Result<bool, Broken> {
        if self.inside == self.capacity() && !self.has_room()? {
            return Ok(false);
        }
        self.shared.write(self.next, entry);
        self.next = self.next.wrapping_add(1);
        self.inside += 1;
        Ok(true)
    }

    /// Lets the consumer see what was put in. True if it waits for that and is to be woken.
    #[must_use = "who waits has to be woken"]
    pub fn publish(&mut self) -> bool {
        self.shared.publish(Side::Producer, self.next)
    }

    /// Says that the producer is about to wait for room. False if there is some by now, and it must not wait.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn is_to_wait(&mut self) -> Result<bool, Broken> {
        let shared = self.shared;
        shared.is_to_wait(Side::Producer, || self.has_room())
    }

    fn has_room(&mut self) -> Result<bool, Broken> {
        self.inside = self.shared.lead(Side::Producer, self.next)?;
        Ok(self.inside < self.capacity())
    }
}

/// Takes entries from a ring.
#[derive(Debug)]
pub struct Consumer<'a, const N: usize> {
    shared: Shared<'a, N>,
    /// Entries that were ever taken.
    next: u32,
    /// How many there are beyond these, when that was last looked up.
    ready: u32,
}

impl<'a, const N: usize> Consumer<'a, N> {
    /// The consumer of a new ring: see [`Producer::new`].
    pub const fn new(memory: &'a [AtomicU32]) -> Option<Self> {
        match Shared::new(memory) {
            Some(shared) => Some(Self { shared, next: 0, ready: 0 }),
            None => None,
        }
    }

    /// Takes the next entry, if there is one. The producer does not have its room before [`Consumer::publish`].
    ///
    /// # Errors
    /// [`Broken`].
    pub fn pop(&mut self) -> Result<Option<[u32; N]>, Broken> {
        if self.ready == 0 && !self.has_more()? {
            return Ok(None);
        }
        let entry = self.shared.read(self.next);
        self.next = self.next.wrapping_add(1);
        self.ready -= 1;
        Ok(Some(entry))
    }

    /// Gives the producer the room of what was taken. True if it waits for that and is to be woken.
    #[must_use = "who waits has to be woken"]
    pub fn publish(&mut self) -> bool {
        self.shared.publish(Side::Consumer, self.next)
    }

    /// Says that the consumer is about to wait for entries. False if there are some by now, and it must not wait.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn is_to_wait(&mut self) -> Result<bool, Broken> {
        let shared = self.shared;
        shared.is_to_wait(Side::Consumer, || self.has_more())
    }

    fn has_more(&mut self) -> Result<bool, Broken> {
        self.ready = self.shared.lead(Side::Consumer, self.next)?;
        Ok(self.ready > 0)
    }
}
