//! Visitors: programs of anybody's, that nobody vouches for. Whether one can be run, and in what space.
//!
//! The same decision is made twice: by whoever puts the file into the boot archive, so that a boot is saved, and by the
//! root task, which does not rely on that.

use core::fmt;
use core::ops::Range;

use lilliput_abi::layout::{PAGE_SIZE, SLOT_UNIT, USER_START};

use crate::elf::{ElfError, Machine, Plan, SegmentError};

#[cfg(test)]
mod tests;

/// Where visitors are in the boot archive; their names follow.
pub const FOLDER: &str = "visitor/";
/// What a line begins with that a visitor printed; no other line does.
pub const QUOTE: &str = "| ";

/// The largest file, in bytes: the archive is in memory as a whole, beside the program that is loaded from it.
pub const MOST_FILE: usize = 16 << 20;
/// The most memory that a visitor's segments may take, in bytes.
pub const MOST_MEMORY: u64 = 64 << 20;
/// Where a 64-bit visitor's stack ends.
const WIDE_END: u64 = 0x7000_0000_0000;
/// Bytes at the end of the addresses that are kept for the stack and a guard below it.
const STACK_ROOM: u64 = 0x2_0000;
/// What a small visitor's slot has beside its space: a space does not begin where its slot does, so that equal ones have not all
/// the same colour. Every visitor of one size fits into a slot of the same size.
const SLOT_SLACK: u64 = 0x8_0000;
/// The end of a small visitor's program, at most: three witnesses have room beside it.
const SMALL_END: u64 = (1 << 30) - SLOT_SLACK;

/// A program that can be run.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Its segments and where it begins.
    pub plan: Plan,
    /// Bytes of memory that its segments take, in whole pages.
    pub memory: u64,
    /// The end of its addresses, and of its stack. Whole pages.
    pub end: u64,
}

/// Why a file is not a program that can be run.
#[derive(Debug)]
pub enum Refusal {
    /// The file has so many bytes.
    FileTooLarge(usize),
    /// It is no program that may use these addresses.
    Elf(ElfError, Range<u64>),
    /// Its segments take so many bytes.
    TooMuchMemory(u64),
}

impl Visitor {
    /// Judges a file.
    ///
    /// # Errors
    /// Why it can't be run.
    pub fn new(file: &[u8]) -> Result<Self, Refusal> {
        if file.len() > MOST_FILE {
            return Err(Refusal::FileTooLarge(file.len()));
        }
        let mut plan = plan(file, WIDE_END)?;
        if plan.machine == Machine::I386 {
            plan = self::plan(file, SMALL_END)?;
        }
        let mut memory = 0;
        let mut top = 0;
        for segment in plan.segments() {
            let pages = segment.pages();
            // Segments lie apart from each other below `WIDE_END`, so the sum does, too.
            memory += pages.end - pages.start;
            top = top.max(pages.end);
        }
        if memory > MOST_MEMORY {
            return Err(Refusal::TooMuchMemory(memory));
        }
        let end = match plan.machine {
            Machine::I386 => (top + STACK_ROOM + SLOT_SLACK).next_multiple_of(SLOT_UNIT) - SLOT_SLACK,
            Machine::X86_64 => WIDE_END,
        };
        Ok(Self { plan, memory, end })
    }
}

/// A program whose stack may end there.
fn plan(file: &[u8], end: u64) -> Result<Plan, Refusal> {
    let addresses = USER_START..end - STACK_ROOM;
    Plan::new(file, addresses.clone()).map_err(|error| Refusal::Elf(error, addresses))
}

const _: () = assert!(SLOT_SLACK.is_multiple_of(PAGE_SIZE) && STACK_ROOM.is_multiple_of(PAGE_SIZE));

impl fmt::Display for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = match self.plan.machine {
            Machine::I386 => 32,
            Machine::X86_64 => 64,
        };
        let (segments, memory) = (self.plan.segments().len(), self.memory / 1024);
        let plural = if segments == 1 { "" } else { "s" };
        write!(f, "a {bits}-bit program, {segments} segment{plural}, {memory} KiB, entry at {:#x}", self.plan.entry)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileTooLarge(bytes) => {
                write!(f, "a file of {bytes} bytes; at most {MOST_FILE} fit into a boot")
            }
            Self::Elf(error @ ElfError::Segment(_, SegmentError::OutsideSpace { .. }), Range { start, end }) => {
                write!(f, "{error}, {start:#x} to {:#x}", end - 1)
            }
            Self::Elf(error, _) => write!(f, "{error}"),
            Self::TooMuchMemory(bytes) => {
                write!(f, "its segments take {bytes} bytes of memory; at most {MOST_MEMORY} are given")
            }
        }
    }
}

impl core::error::Error for Refusal {}
