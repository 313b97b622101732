//! Machine code for the last step of a task: odd registers, flags and segments, then one instruction, then an invalid one.
//!
//! The code goes to a page of its own. Data that an instruction may load, frames of returns and far pointers, stand at the
//! page's start.

mod assembler;
mod finale;

use super::generate::Step;
use super::kit;
use crate::message::Word;
use crate::random::Random;
use assembler::{Assembler, Segment, register};
pub use finale::Finale;

/// Where in the page the code begins, unless it ends with the page.
pub const START: usize = 0x200;
/// The most that code takes.
pub const MOST: usize = 512;
/// Words of data at the page's start.
pub const DATA_WORDS: usize = 16;

/// What the last step of a task is.
pub struct Code {
    /// What to store: data at the page's start.
    pub data: [Word; DATA_WORDS],
    /// What to store further on.
    pub bytes: [u8; MOST],
    /// How much of it.
    pub length: usize,
    /// Where in the page, in bytes from its start.
    pub offset: usize,
    /// Whether it raises an exception, whatever the kernel's objects are.
    pub sure: bool,
    /// What the last instruction is.
    pub finale: Finale,
}

/// Bits of the flags that mean something to the CPU: TF, IF, DF, IOPL, NT, RF, VM, AC, VIF, VIP, ID.
const FLAGS: u32 = 0x003f_7700;
const TRAP_FLAG: u32 = 1 << 8;
/// Flags by which code that follows goes another way than it would: all but DF, AC and ID.
const TELLING: u32 = FLAGS & !(1 << 10 | 1 << 18 | 1 << 21);
const USER_DATA: u16 = 0x23;

/// How the last instruction is come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Approach {
    /// With a stack pointer that may be anything.
    AnyStack,
    /// Right behind the load of the flags.
    Flags,
    /// Right behind a load of SS, which puts exceptions off by an instruction.
    StackSegment,
}

impl Code {
    /// Code for a page at `page`. The registers are those of a system call, `step`.
    pub fn new(random: &mut Random, page: Word, step: &Step) -> Self {
        let data = [(); DATA_WORDS].map(|()| finale::operand(random, page));
        let finale = Finale::random(random);
        let mut code = Assembler::new();
        segments(random, &mut code);
        registers(random, step, &mut code);
        let approach = match random.below(4) {
            0 => Approach::Flags,
            1 => Approach::StackSegment,
            _ => Approach::AnyStack,
        };
        let flags = random.next() as u32 & if random.below(3) == 0 { FLAGS } else { FLAGS & !TELLING };
        match approach {
            Approach::AnyStack => {
                code.flags(flags & !TRAP_FLAG);
                let data = finale.uses_stack() && random.below(3) > 0;
                let stack = if data { page + 8 * random.below(6) as Word } else { finale::operand(random, page) };
                code.load(register::SP, stack);
            }
            Approach::Flags => code.flags(flags),
            Approach::StackSegment => {
                code.load(register::CX, USER_DATA as Word);
                code.flags(flags);
                code.bytes(&[0x8e, 0xd1]);
            }
        }
        finale.encode(random, page, &mut code);
        let at_end = random.below(3) == 0;
        let offset = if at_end { kit::PAGE - code.length() } else { START };
        if !at_end {
            code.bytes(&INVALID);
        }
        let sure = finale.is_sure() && !step.may_wait();
        Self { data, length: code.length(), bytes: code.into_bytes(), offset, sure, finale }
    }
}

/// UD2.
const INVALID: [u8; 2] = [0x0f, 0x0b];

fn segments(random: &mut Random, code: &mut Assembler) {
    let count = [0, 0, 0, 1, 3][random.below(5) as usize];
    for _ in 0..count {
        let selector = match random.below(4) {
            0 => random.next() as u16,
            1 => [0, 1, 2, 3][random.below(4) as usize],
            // What is in the table: of the kernel, of the user, of the task state; with all privileges asked for.
            2 => 8 * random.below(8) as u16 + random.below(8) as u16 % 4,
            _ => USER_DATA,
        };
        const SEGMENTS: [Segment; 5] = [Segment::Es, Segment::Ss, Segment::Ds, Segment::Fs, Segment::Gs];
        code.load_segment(SEGMENTS[random.below(5) as usize], selector);
    }
}

fn registers(random: &mut Random, step: &Step, code: &mut Assembler) {
    use register::{AX, BP, BX, CX, DI, DX, SI};
    code.load(CX, random.next() as Word);
    let words = step.message.words.iter();
    let places = [BX, SI, DI, BP, 8, 9, 10, 12, 13, 14, 15];
    for (&place, &word) in places.iter().zip(words) {
        code.load(place, word);
    }
    if size_of::<Word>() == 8 {
        code.load(11, random.next() as Word);
    }
    code.load(DX, step.message.tag.0 as Word);
    code.load(AX, step.selector.0 as Word);
}

#[cfg(test)]
mod tests;
