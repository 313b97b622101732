//! Terminals as files: the console, and those that programs make in pairs, of which one program is the keyboard and the screen.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use super::terminal::Terminal;
use super::{Pipe, Ready};

/// A terminal.
pub struct Tty {
    /// Its number, of which no pipe or node is: 0 for the console.
    pub number: u64,
    /// Its place among pairs; of no meaning for the console.
    pub index: u32,
    /// What is typed and read, and whose it is.
    pub line: RefCell<Terminal>,
    /// What was printed, for whoever has the other end; of no meaning for the console. That end reads, and who has the terminal open writes.
    pub output: Rc<Pipe>,
    /// Whether somebody has had it open.
    pub was_open: Cell<bool>,
}

impl Tty {
    /// A terminal that belongs to nobody.
    pub fn new(number: u64, index: u32, line: Terminal, output: u64) -> Rc<Self> {
        Rc::new(Self { number, index, line: RefCell::new(line), output: Pipe::new(output), was_open: Cell::new(false) })
    }

    /// Linux's number of its device.
    pub const fn device(&self) -> u64 {
        if self.number == 0 { 0x501 } else { 0x8800 + self.index as u64 }
    }

    /// Whether there is somebody at the other end.
    pub fn has_other(&self) -> bool {
        self.number == 0 || self.output.has_readers()
    }

    /// Whether all who had it open are gone.
    pub fn is_left(&self) -> bool {
        self.was_open.get() && !self.output.has_writers()
    }

    /// What could be done without waiting by who has it open.
    pub fn ready(&self) -> Ready {
        let alone = !self.has_other();
        let write = alone || self.output.room() > 0;
        Ready { read: alone || self.line.borrow().is_ready(), write, hung_up: alone, ended: alone }
    }

    /// The same by who is at the other end.
    pub fn other_ready(&self) -> Ready {
        let left = self.is_left();
        Ready { read: !self.output.bytes.borrow().is_empty(), write: true, hung_up: left, ended: left }
    }
}
