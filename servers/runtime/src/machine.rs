//! What a program needs of its processor besides system calls.

use core::sync::atomic::{AtomicU32, AtomicUsize};

use lilliput_abi::Selector;

use crate::bench::foreign::Callers;
use crate::invoke::Invoke;
use crate::mark::Mark;
use crate::message::{Message, Word};
use crate::trial::foreign::Way;

/// A part of the vector state: what both widths have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Vectors {
    /// XMM0 to XMM7.
    pub registers: [[u32; 4]; 8],
    /// MXCSR: rounding mode and exception masks of SSE.
    pub mxcsr: u32,
    /// The x87 control word.
    pub control: u32,
}

impl Vectors {
    /// Values that only this seed has, with control words that are legal and not the usual ones.
    pub fn pattern(seed: u32) -> Self {
        let mut vectors = Self {
            registers: [[0; 4]; 8],
            // All exceptions masked; the rounding mode of bits 14..13 from the seed (AMD64 APM vol. 1, 4.2.2).
            mxcsr: 0x1f80 | (seed & 3) << 13,
            // The same in bits 11..10 of the x87 control word, with 64-bit precision (6.2.3).
            control: 0x037f | (seed & 3) << 10,
        };
        for (number, lane) in vectors.registers.iter_mut().flatten().enumerate() {
            *lane = seed.wrapping_mul(0x9e37_79b9).wrapping_add(number as u32 * 0x0101_0101);
        }
        vectors
    }
}

/// Where the time-stamp counter stood, or a performance counter, to its low 32 bits, right before and right after something.
///
/// Between the stamps lie, besides what is measured, on either width: the store of the first stamp
/// (1 instruction), and two moves that save what the second one overwrites (2 instructions); a fence behind the first reading and one before the second
/// (2); the [marks](crate::mark) around what is measured (2); and, where a counter of instructions is read, the second reading itself (1). See
/// [`MEASURING_INSTRUCTIONS`]. Performance counters take more, as their number has to be put into a register.
///
/// The fences (LFENCE) keep what is measured between the readings: nothing that comes after one begins before all that stands before it
/// is done (Intel SDM vol. 2, RDTSC and LFENCE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Stamps {
    /// Before.
    pub before: u32,
    /// After.
    pub after: u32,
    /// For the routine's own use: the selector and the tag, loaded after the first stamp as a stub would.
    pub selector: u32,
    /// See above.
    pub tag: u32,
    /// What RDPMC knows the performance counter by that is read in place of the time-stamp counter, if `counted`.
    pub counter: u32,
    /// See above.
    pub counted: bool,
}

/// Instructions between two stamps that are there for measuring only.
pub const MEASURING_INSTRUCTIONS: u32 = 8;
/// Instructions of a stub that loads selector and tag: the user's part that is the same on either width.
pub const STUB_INSTRUCTIONS: u32 = 2;

/// A processor, as seen from one width.
pub trait Machine: Invoke {
    /// Where a foreign thread of the benchmark begins: see [`crate::bench::foreign`].
    const FOREIGN_CALLERS: Callers;

    /// The time-stamp counter.
    fn ticks() -> u64;

    /// Loads `vectors` into their registers, makes a system call, counts `spins` down, and stores the
    /// registers back to `vectors`. Returns the status word.
    fn hold_vectors(vectors: &mut Vectors, selector: Selector, message: &mut Message, spins: u32) -> u32;

    /// Makes a system call between two stamps. All words are loaded before the first stamp and stored after the second.
    fn stamped_call(selector: Selector, message: &mut Message, stamps: &mut Stamps) -> u32;

    /// What [`Machine::stamped_call`] does, without the system call.
    fn stamped_nothing(stamps: &mut Stamps);

    /// Reads the byte at `address` between two stamps.
    ///
    /// The address is one that the program reads at its own risk: where nothing is mapped, the read is an
    /// exception that somebody handles, or the end of the task.
    fn stamped_read(address: Word, stamps: &mut Stamps);

    /// Reads a byte at `start` and at each `step` behind it, `count` of them, in a loop of four instructions each on either width.
    ///
    /// The addresses are ones that the program reads at its own risk, as by [`Machine::stamped_read`].
    fn touch(start: Word, step: Word, count: Word);

    /// Executes a mark, which does nothing: see [`crate::mark`].
    fn mark(mark: Mark);

    /// Where a foreign thread of a trial begins that enters so, and where it goes on after SYSENTER: see
    /// [`crate::trial::foreign::REGISTERS`].
    fn foreign(way: Way) -> [Word; 2];

    /// Reads a word of the running thread's own storage, which must be there: by GS in a 32-bit program; in a 64-bit one by FS,
    /// and by GS with a negative offset, where both have the same base.
    fn read_own(offset: i32) -> u32;

    /// Writes it.
    fn write_own(offset: i32, value: u32);

    /// Executes so many instructions, two at least, and those of its call.
    fn spin(instructions: u32);

    /// Memory in the range of [`Machine::peek`] that other tasks may have as well, as so many words. It is the program's own doing that something is
    /// mapped there for good; else it is ended.
    ///
    /// # Panics
    /// For an address outside that range.
    fn shared(address: Word, words: usize) -> &'static [AtomicU32];

    /// The same in words of this program's width, at an address that is a multiple of one.
    ///
    /// # Panics
    /// For an address outside that range, or between two words.
    fn words(address: Word, words: usize) -> &'static [AtomicUsize];

    /// Copies bytes, a multiple of a word, from one place in that range to another, a word at a time by one instruction.
    ///
    /// # Panics
    /// For an address outside that range, or between two words.
    fn copy(from: Word, to: Word, bytes: Word);

    /// Where threads of this program begin.
    fn entry() -> Word;

    /// Reads the scratch range of a trial, which holds nothing of the program itself (see [`crate::trial::kit::SCRATCH`]), or
    /// in a small task the last page of a trial's space and what lies beyond. In a host the range begins as far behind its own beginning.
    ///
    /// # Panics
    /// For an address outside that range.
    fn peek(address: Word) -> u32;

    /// Writes it.
    ///
    /// # Panics
    /// For an address outside that range.
    fn poke(address: Word, value: u32);
}
