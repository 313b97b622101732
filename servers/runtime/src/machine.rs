//! What a program needs of its processor besides system calls.

use lilliput_abi::Selector;

use crate::invoke::Invoke;
use crate::message::Message;

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

/// A processor, as seen from one width.
pub trait Machine: Invoke {
    /// The time-stamp counter.
    fn ticks() -> u64;

    /// Loads `vectors` into their registers, makes a system call, counts `spins` down, and stores the
    /// registers back to `vectors`. Returns the status word.
    fn hold_vectors(vectors: &mut Vectors, selector: Selector, message: &mut Message, spins: u32) -> u32;
}
