//! Marks: instructions that do nothing, but that who watches the processor can see.
//!
//! A program tells the counting plugin of `cargo xtask bench --counts` by them what it is about to do and where that begins and ends. A
//! mark is a long NOP with a displacement of its own, whose bytes are the same in code of both widths (see [`Machine::mark`]). Where nobody watches
//! they are an instruction each.

use crate::machine::Machine;

/// A mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mark {
    /// What is counted begins.
    Begin = BEGIN,
    /// It ends.
    End = END,
    /// The next bit of a text is 0; the least of each byte comes first.
    Zero = ZERO,
    /// It is 1.
    One = ONE,
    /// The text says in JSON what is measured from now on.
    Case = CASE,
    /// The text names a batch of alike operations, which begins.
    Start = START,
    /// The batch ends.
    Stop = STOP,
}

/// See [`Mark`]; for assembly.
pub const BEGIN: u32 = FIRST;
/// See [`Mark`].
pub const END: u32 = FIRST + 1;
const ZERO: u32 = FIRST + 2;
const ONE: u32 = FIRST + 3;
const CASE: u32 = FIRST + 4;
const START: u32 = FIRST + 5;
const STOP: u32 = FIRST + 6;

/// Displacements of marks begin here: one that no assembler makes up by itself.
const FIRST: u32 = 0x6c69_6c00;

impl Mark {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Begin, Self::End, Self::Zero, Self::One, Self::Case, Self::Start, Self::Stop];
}

/// The displacement that makes a NOP this mark.
pub const fn displacement(mark: Mark) -> u32 {
    mark as u32
}

/// The mark of a displacement.
pub fn of(displacement: u32) -> Option<Mark> {
    Mark::ALL.into_iter().find(|&mark| mark as u32 == displacement)
}

/// The bits of a text.
pub fn bits(text: &[u8]) -> impl Iterator<Item = bool> {
    text.iter().flat_map(|byte| (0..u8::BITS).map(move |bit| byte >> bit & 1 != 0))
}

/// Tells a text, and what it is.
pub fn say<K: Machine>(text: &str, what: Mark) {
    bits(text.as_bytes()).for_each(|bit| K::mark(if bit { Mark::One } else { Mark::Zero }));
    K::mark(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displacements_tell_marks() {
        assert!(Mark::ALL.into_iter().all(|mark| of(displacement(mark)) == Some(mark)));
        assert_eq!((of(0), of(FIRST + 7)), (None, None));
    }

    #[test]
    fn the_least_bit_comes_first() {
        assert!(bits(&[0b0000_0101, 0x80]).eq([1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].map(|bit| bit == 1)));
    }
}
