//! Pipes: bytes from writers to readers, in order, a bounded number at a time.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

/// Bytes that a pipe holds.
pub const CAPACITY: usize = 64 << 10;

/// A pipe.
#[derive(Default)]
pub struct Pipe {
    /// Its number, of which no other pipe or node was ever.
    pub number: u64,
    /// What was written and not read.
    pub bytes: RefCell<VecDeque<u8>>,
    readers: Cell<u32>,
    writers: Cell<u32>,
}

impl Pipe {
    /// An empty pipe without ends.
    pub fn new(number: u64) -> Rc<Self> {
        Rc::new(Self { number, ..Self::default() })
    }

    /// Whether somebody could read.
    pub fn has_readers(&self) -> bool {
        self.readers.get() != 0
    }

    /// Whether somebody could write.
    pub fn has_writers(&self) -> bool {
        self.writers.get() != 0
    }

    /// How many bytes can be written now.
    pub fn room(&self) -> usize {
        CAPACITY - self.bytes.borrow().len()
    }
}

/// An open end of a pipe. When it is dropped the pipe has one fewer.
pub struct End {
    /// The pipe.
    pub pipe: Rc<Pipe>,
    /// Whether it is one to write to.
    pub writes: bool,
}

impl End {
    /// One more end.
    pub fn new(pipe: &Rc<Pipe>, writes: bool) -> Self {
        let count = if writes { &pipe.writers } else { &pipe.readers };
        count.set(count.get() + 1);
        Self { pipe: pipe.clone(), writes }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let count = if self.writes { &self.pipe.writers } else { &self.pipe.readers };
        count.set(count.get() - 1);
    }
}
