//! Endpoints and notifications: where threads wait.

use lilliput_abi::ObjectType;

use crate::slab::{ENDPOINT_BYTES, ENDPOINTS, Header, Index, Object, Slab};
use crate::thread::Thread;

/// A first-in, first-out queue of threads, linked through the threads themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Queue {
    /// The next to leave.
    pub head: Index<Thread>,
    /// The last that came, where there are at least two: who is alone is at both ends.
    tail: Index<Thread>,
}

impl Queue {
    /// Where the last is, for the assembly of the fast path.
    pub const TAIL_OFFSET: usize = core::mem::offset_of!(Self, tail);

    /// A queue of nobody.
    pub const EMPTY: Self = Self { head: Index::NONE, tail: Index::NONE };

    /// The last that came.
    pub fn last(&self, threads: &Slab<Thread>) -> Option<Index<Thread>> {
        let head = self.head.some()?;
        Some(if threads[head].next.is_none() { head } else { self.tail })
    }

    /// Appends a thread that is in no queue.
    pub fn push_back(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        let last = self.last(threads);
        threads[thread].next = Index::NONE;
        threads[thread].previous = last.unwrap_or_default();
        match last {
            Some(last) => threads[last].next = thread,
            None => self.head = thread,
        }
        self.tail = thread;
    }

    /// Prepends a thread that is in no queue.
    pub fn push_front(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        self.tail = self.last(threads).unwrap_or(thread);
        threads[thread].previous = Index::NONE;
        threads[thread].next = self.head;
        if let Some(head) = self.head.some() {
            threads[head].previous = thread;
        }
        self.head = thread;
    }

    /// Takes out a thread that is in this queue, in constant time.
    pub fn remove(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        let (previous, next) = (threads[thread].previous, threads[thread].next);
        match previous.some() {
            Some(previous) => threads[previous].next = next,
            None => self.head = next,
        }
        match next.some() {
            Some(next) => threads[next].previous = previous,
            None => self.tail = previous,
        }
        threads[thread].next = Index::NONE;
        threads[thread].previous = Index::NONE;
    }

    /// Its threads, in their order.
    pub fn iter<'a>(&self, threads: &'a Slab<Thread>) -> impl Iterator<Item = Index<Thread>> + use<'a> {
        core::iter::successors(self.head.some(), |&thread| threads[thread].next.some())
    }

    /// Takes out the first.
    pub fn pop_front(&mut self, threads: &mut Slab<Thread>) -> Option<Index<Thread>> {
        let head = self.head.some()?;
        self.remove(threads, head);
        Some(head)
    }
}

/// Where synchronous messages meet: threads wait here to send, or to receive, never both.
///
/// Entry 0 of their table is where threads without a home reply to: its queue is neither empty nor of anybody, so that the fast path
/// takes nothing there. Foreign threads without a way there send to it: what stands in the queue is no thread, but looks like one, of a kind that they
/// don't send to.
#[repr(C)]
pub struct Endpoint {
    /// Table bookkeeping.
    pub header: Header,
    /// Threads that have a message, or threads that want one; first come first served.
    pub queue: Queue,
    /// The first of the threads whose home it is, linked by [`Home`](crate::thread::Home).
    pub residents: Index<Thread>,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { header: Header::default(), queue: Queue::EMPTY, residents: Index::NONE }
    }
}

impl Endpoint {
    /// What entry 0 holds.
    pub fn nowhere() -> Self {
        let nobody = Index::new(NOBODY);
        Self { queue: Queue { head: nobody, tail: nobody }, ..Self::default() }
    }
}

/// The number of an entry that holds no thread.
const NOBODY: u32 = Thread::FIRST - 1;

const _: () = assert!(size_of::<Endpoint>() == ENDPOINT_BYTES as usize);

impl Object for Endpoint {
    const TYPE: ObjectType = ObjectType::Endpoint;
    const BASE: u32 = ENDPOINTS;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

/// A word of bits that is signalled and waited for.
#[derive(Default)]
#[repr(C)]
pub struct Notification {
    /// Table bookkeeping.
    pub header: Header,
    /// Signalled and not yet taken. Zero whenever somebody waits.
    pub bits: u32,
    /// Threads that wait.
    pub waiters: Queue,
    /// The thread that has the bits where it receives messages: see [`Machine::bind`](crate::machine::Machine::bind).
    pub bound: Index<Thread>,
}

/// Low half of the address of the table of notifications, in the last 2 GiB.
pub const NOTIFICATIONS: u32 = 0xf600_0000;

// So that the index of an endpoint leads to the notification of the same number by a displacement.
const _: () = assert!(size_of::<Notification>() == ENDPOINT_BYTES as usize);

impl Object for Notification {
    const TYPE: ObjectType = ObjectType::Notification;
    const BASE: u32 = NOTIFICATIONS;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

#[cfg(test)]
mod tests;
