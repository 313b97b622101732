//! Who runs next: fixed priorities, first come first served within one, constant time.

use crate::endpoint::Queue;
use crate::slab::{Index, Slab};
use crate::thread::{PRIORITIES, State, Thread};

/// Milliseconds that a thread may run before the next of its priority has its turn.
pub const TURN_MILLISECONDS: u64 = 10;

/// The ready threads of one CPU. The one that runs is not among them.
#[repr(C)]
pub struct ReadyQueue {
    /// Bit N is set where threads of priority N are ready. Public, as the queues, for the assembly of the fast path.
    pub occupied: u64,
    /// By priority.
    pub queues: [Queue; PRIORITIES],
}

impl Default for ReadyQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadyQueue {
    /// Nobody is ready.
    pub const fn new() -> Self {
        Self { occupied: 0, queues: [Queue::EMPTY; PRIORITIES] }
    }

    /// Whether some thread that is ready has a higher priority than this.
    #[inline(always)]
    pub fn outranks(&self, priority: u8) -> bool {
        // A shift by one more than the priority, in two steps: by 64 in one would be an overflow.
        self.occupied >> (priority & 63) >> 1 != 0
    }

    /// Whether another thread of this priority is ready.
    pub fn has_equal(&self, priority: u8) -> bool {
        self.occupied >> (priority & 63) & 1 != 0
    }

    /// The threads of one priority.
    pub fn queue(&self, priority: u8) -> Queue {
        self.queues[usize::from(priority & 63)]
    }

    /// Makes a thread the last of its priority, with a whole turn before it.
    #[inline(never)]
    pub fn push_back(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        let Thread { turn, late, priority, .. } = &mut threads[thread];
        (*turn, *late) = (0, false);
        let priority = *priority;
        self.queues[usize::from(priority & 63)].push_back(threads, thread);
        self.occupied |= 1 << (priority & 63);
    }

    /// Makes a thread the first of its priority: it was preempted and keeps what is left of its turn.
    #[inline(never)]
    pub fn push_front(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        let priority = threads[thread].priority;
        self.queues[usize::from(priority & 63)].push_front(threads, thread);
        self.occupied |= 1 << (priority & 63);
    }

    /// Takes a thread out, wherever it stands.
    #[inline(never)]
    pub fn remove(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        let priority = threads[thread].priority & 63;
        let queue = &mut self.queues[usize::from(priority)];
        queue.remove(threads, thread);
        if queue.head.is_none() {
            self.occupied &= !(1 << priority);
        }
    }

    /// The first thread of the highest priority.
    pub fn first(&self) -> Option<Index<Thread>> {
        let highest = 63_u32.checked_sub(self.occupied.leading_zeros())?;
        self.queues[highest as usize].head.some()
    }

    /// Takes the first thread of the highest priority.
    pub fn pop(&mut self, threads: &mut Slab<Thread>) -> Option<Index<Thread>> {
        let thread = self.first()?;
        debug_assert_eq!(threads[thread].state, State::Ready);
        self.remove(threads, thread);
        Some(thread)
    }
}

#[cfg(test)]
mod tests;
