//! Interrupts of devices: what becomes of one that comes, and which line is whose.
//!
//! An interrupt signals a notification, and closes itself until its driver acknowledges it. So a device that interrupts
//! without end costs two interrupts for each time that its driver runs, whatever the driver's priority, and one that may be on
//! its way when the line is masked. Nothing is lost by that: what came while it was closed is signalled when it is opened.

use lilliput_abi::ObjectType;

use crate::capability::Capability;
use crate::slab::{Header, Object};

mod line;
#[cfg(test)]
mod tests;

pub use line::{IsaLines, Line, Redirection, Trigger};

/// Vectors that devices can have: between those of system calls and the spurious one. The object with number N has the Nth.
pub const FIRST_VECTOR: u8 = 0x90;
/// How many those are.
pub const VECTORS: u8 = 0x60;

/// The vector of the interrupt with this number in its table.
pub const fn vector(number: u32) -> u8 {
    debug_assert!(number >= 1 && number <= VECTORS as u32);
    FIRST_VECTOR + (number - 1) as u8
}

/// The number of the interrupt that has this vector, if devices can have it.
pub const fn number(vector: u8) -> Option<u32> {
    if vector >= FIRST_VECTOR && vector - FIRST_VECTOR < VECTORS {
        Some((vector - FIRST_VECTOR) as u32 + 1)
    } else {
        None
    }
}

/// An interrupt of a device.
#[derive(Default)]
pub struct Interrupt {
    /// Table bookkeeping.
    pub header: Header,
    /// The line that it comes by; none for one that its device raises by a message.
    pub line: Option<Line>,
    /// Which notification is signalled, with which bits.
    pub notification: Capability,
    /// How often it came.
    pub count: u64,
    open: bool,
    pending: bool,
}

impl Object for Interrupt {
    const TYPE: ObjectType = ObjectType::Interrupt;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

/// What to do about an interrupt that came, or was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Action {
    /// Signal the notification.
    pub signal: bool,
    /// Whether its line is to be masked from here on; as it is where that says nothing.
    pub mask: Option<bool>,
}

impl Interrupt {
    /// One that comes by a line, or by a message. It is closed.
    pub fn new(line: Option<Line>) -> Self {
        Self { line, ..Self::default() }
    }

    /// It came.
    ///
    /// A level stays until the device is served, so its line is masked at once. An edge would be lost on a masked line: it is
    /// masked only when a second one comes too early, and that one is noted.
    pub fn arrive(&mut self) -> Action {
        self.count += 1;
        let level = self.line.is_some_and(|line| line.trigger == Trigger::Level);
        let signal = core::mem::take(&mut self.open);
        self.pending |= !signal && !level;
        let mask = self.line.is_some() && (level || !signal);
        Action { signal, mask: mask.then_some(true) }
    }

    /// Its driver has dealt with the last one and wants the next: at once, if it came already.
    pub fn acknowledge(&mut self) -> Action {
        let signal = core::mem::take(&mut self.pending);
        self.open = !signal;
        Action { signal, mask: self.line.is_some().then_some(false) }
    }

    /// Whether the next one will be signalled.
    pub const fn is_open(&self) -> bool {
        self.open
    }
}
