//! Pipes: bytes from writers to readers, in order, a bounded number at a time.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::Range;

use super::Open;

/// Bytes that a pipe holds.
pub const CAPACITY: usize = 64 << 10;

/// Writes of no more bytes are never mixed with others'.
pub const WHOLE: usize = 4096;

/// Descriptions that are sent along with a message.
pub struct Passed {
    /// The numbers of its bytes, counted as they come: whoever reads one of them gets the descriptions, and no byte of another message after these.
    pub bytes: Range<u64>,
    /// The descriptions.
    pub open: Vec<Rc<Open>>,
}

/// A pipe.
#[derive(Default)]
pub struct Pipe {
    /// Its number, of which no other pipe or node was ever.
    pub number: u64,
    /// What was written and not read.
    pub bytes: RefCell<VecDeque<u8>>,
    readers: Cell<u32>,
    writers: Cell<u32>,
    /// How often it was opened by its name, to be read and to be written.
    opened: [Cell<u64>; 2],
    /// How often bytes came, or the last writer went; and how often there was room again, or no reader any more.
    happenings: [Cell<u64>; 2],
    /// How many bytes have come.
    in_all: Cell<u64>,
    /// Descriptions that are sent along, of sockets.
    pub passed: RefCell<VecDeque<Passed>>,
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

    /// It is opened by its name, to be written or to be read. How often it had been for the other, if somebody has to do that first.
    pub fn is_opened(&self, writes: bool) -> Option<u64> {
        count(&self.opened[usize::from(writes)]);
        let has_other = if writes { self.has_readers() } else { self.has_writers() };
        (!has_other).then(|| self.times_opened(!writes))
    }

    /// How often it was, to be written or to be read.
    pub fn times_opened(&self, writes: bool) -> u64 {
        self.opened[usize::from(writes)].get()
    }

    /// So many bytes were written.
    pub fn came(&self, bytes: usize) {
        self.in_all.set(self.in_all.get() + bytes as u64);
        count(&self.happenings[0]);
    }

    /// So many bytes were read.
    pub fn went(&self, bytes: usize) {
        // Who found no room for a piece that is written as a whole hears of it.
        if self.room() < bytes + WHOLE {
            count(&self.happenings[1]);
        }
    }

    /// The number of the next byte that comes, and of the next that is read.
    pub fn places(&self) -> (u64, u64) {
        (self.in_all.get(), self.in_all.get() - self.bytes.borrow().len() as u64)
    }

    /// How many of so many bytes can be read at once: none after a message with which something is sent along.
    pub fn until_passed(&self, bytes: usize) -> usize {
        let end = self.passed.borrow().front().map(|passed| passed.bytes.end);
        end.map_or(bytes, |end| bytes.min((end - self.places().1) as usize))
    }

    /// What was sent along with bytes that have been read.
    pub fn take_passed(&self) -> Vec<Rc<Open>> {
        let mut taken = Vec::new();
        let mut passed = self.passed.borrow_mut();
        if passed.is_empty() {
            return taken;
        }
        let (_, next) = self.places();
        while let Some(passed) = passed.pop_front_if(|passed| passed.bytes.start < next) {
            taken.extend(passed.open);
        }
        taken
    }

    /// How often bytes came, and how often there was room again.
    pub fn happenings(&self) -> [u64; 2] {
        [self.happenings[0].get(), self.happenings[1].get()]
    }

    /// How many bytes can be written now.
    pub fn room(&self) -> usize {
        CAPACITY - self.bytes.borrow().len()
    }
}

fn count(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
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
        self.pipe.happenings.iter().for_each(self::count);
    }
}
