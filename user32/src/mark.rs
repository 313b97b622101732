//! Marks: see [`lilliput_runtime::mark`].

use core::arch::asm;

use lilliput_runtime::mark::{Mark, displacement};

macro_rules! mark {
    ($mark:path) => {
        // SAFETY: the instruction does nothing.
        unsafe {
            asm!(
                ".byte 0x0f, 0x1f, 0x80",
                ".long {mark}",
                mark = const displacement($mark),
                options(nostack, preserves_flags, readonly),
            )
        }
    };
}

/// Executes a mark.
pub fn execute(mark: Mark) {
    match mark {
        Mark::Begin => mark!(Mark::Begin),
        Mark::End => mark!(Mark::End),
        Mark::Zero => mark!(Mark::Zero),
        Mark::One => mark!(Mark::One),
        Mark::Case => mark!(Mark::Case),
        Mark::Start => mark!(Mark::Start),
        Mark::Stop => mark!(Mark::Stop),
    }
}
