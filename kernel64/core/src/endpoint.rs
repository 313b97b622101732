//! Endpoints and notifications: where threads wait.

use lilliput_abi::ObjectType;

use crate::slab::{Header, Index, Object, Slab};
use crate::thread::Thread;

/// A first-in, first-out queue of threads, linked through the threads themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Queue {
    /// The next to leave.
    pub head: Index<Thread>,
    /// The last that came.
    pub tail: Index<Thread>,
}

impl Queue {
    /// Appends a thread that is in no queue.
    pub fn push_back(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        threads[thread].next = Index::NONE;
        threads[thread].previous = self.tail;
        match self.tail.some() {
            Some(tail) => threads[tail].next = thread,
            None => self.head = thread,
        }
        self.tail = thread;
    }

    /// Prepends a thread that is in no queue.
    pub fn push_front(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        threads[thread].previous = Index::NONE;
        threads[thread].next = self.head;
        match self.head.some() {
            Some(head) => threads[head].previous = thread,
            None => self.tail = thread,
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
#[derive(Default)]
#[repr(C)]
pub struct Endpoint {
    /// Table bookkeeping.
    pub header: Header,
    /// Threads that have a message, first come first served.
    pub senders: Queue,
    /// Threads that want one.
    pub receivers: Queue,
}

impl Object for Endpoint {
    const TYPE: ObjectType = ObjectType::Endpoint;
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
}

impl Object for Notification {
    const TYPE: ObjectType = ObjectType::Notification;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

#[cfg(test)]
mod tests;
