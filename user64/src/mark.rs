//! Marks: see [`lilliput_runtime::mark`].

use core::arch::asm;

use lilliput_runtime::mark::{Mark, displacement};

/// A mark, read as data by the instruction before it: who watches learns so what memory the code that it sees lies in.
macro_rules! mark {
    ($mark:path) => {
        // SAFETY: a byte of this very code is read and dropped, and then nothing is done.
        unsafe {
            asm!(
                "movzx {scratch:e}, byte ptr [rip + 2f]",
                "2: .byte 0x0f, 0x1f, 0x80",
                ".long {mark}",
                scratch = out(reg) _,
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
